# %% [markdown]
# A network is a chain of layers with numbers in them, the weights. For an image it
# gives an answer, and one number says how wrong that answer is: the **loss**. To learn
# is to change every weight a little so that the loss becomes smaller. For that we need,
# for every weight, one fact: *if I increase this weight by a little, by how much does
# the loss grow?* All these facts together are the **gradient**.
#
# This lesson shows where gradients come from. There is no magic in it, only sums.
#
# ## One weight
#
# Take the smallest network there is: y = w · x, and the loss L = (y − 3)². With x = 2
# and w = 1 we get y = 2 and L = 1. Now increase w by 0.001:

# %%
import numpy as np

from minifcn.course import drawing, picture


def loss(w, x=2.0):
    return (w * x - 3) ** 2


print("L at 1.000:", loss(1.0))
print("L at 1.001:", round(loss(1.001), 6))
print("slope:", round((loss(1.001) - loss(1.0)) / 0.001, 3))

# %% [markdown]
# The loss falls by about 0.004, four times the step. The exact slope is −4: calculus
# says dL/dw = 2 (w x − 3) · x = 2 · (−1) · 2.
#
# Look at how −4 came about: 2 (y − 3) = −2 is how the loss depends on y, and x = 2 is
# how y depends on w. Multiply the two. This is the **chain rule**: each layer needs to
# know only its own slopes, and the slope that comes from above.
#
# ## Check with two values
#
# How can we be sure that a slope is right? Measure it. Taking one step forwards, as
# above, is off by about the step's size. Stepping to both sides is far better:
#
#     slope ≈ (f(x + h) − f(x − h)) / 2h
#
# This is the **central difference**. How large should h be? If it is too large, the
# function bends in between. If it is too small, the two values are so much alike that
# rounding eats their difference:

# %%
steps = 10.0 ** np.arange(-1, -13, -1)
both = [abs((np.exp(1 + h) - np.exp(1 - h)) / (2 * h) - np.e) for h in steps]
one = [abs((np.exp(1 + h) - np.exp(1)) / h - np.e) for h in steps]
single = np.float32([1 + 1e-3, 1 - 1e-3])
low = (np.exp(single[0]) - np.exp(single[1])) / np.float32(2e-3)
print("h = 0.1,     both sides: off by", round(both[0], 4))
print("h = 0.00001, both sides: off by less than 1e-8:", both[4] < 1e-8)
print("h = 0.001 in float32:    off by more than 1e-6:", abs(low - np.e) > 1e-6)

# %% [drawing]
figure, axes = drawing.canvas(1, width=6, height=3.6)
labels = ("step h", "error of the slope")
drawing.chart(axes[0], steps, one, labels, "one step", marker="o", color="#f58518")
drawing.chart(axes[0], steps, both, labels, "both sides", marker="s", color="#4c78a8")
axes[0].set(xscale="log", yscale="log", title="Slope of eˣ at 1, measured")
picture(figure, "steps", "Too large a step bends, too small a step drowns in rounding.")

# %% [markdown]
# So check gradients in float64, with h around 0.00001, and to both sides. In float32
# there are too few digits.
#
# ## A layer that bends: ReLU
#
# Between two convolutions stands a layer that keeps what is above 0 and makes all else
# 0. It is called ReLU: y = max(x, 0). Its slope is 1 where x > 0, else 0. So backwards
# it lets a gradient through, or stops it:

# %%
x = np.array([[-1.0, 2, 3], [4, -5, 0]])
gy = np.array([[10.0, 20, 30], [40, 50, 60]])  # what comes from above
gx = np.where(x > 0, gy, 0)
print(gx)

# %% [markdown]
# We write gy for the gradient of the loss with respect to y, and gx for that of x. At
# x = 0 the function has a kink and no slope; by agreement it is 0 there.
#
# ## A convolution, backwards
#
# In a convolution y[r, q] = Σ w[i, j] · x[r + i, q + j] there are two things to move:
# the weight and the image.
#
# **The weight.** w[i, j] is used at every place: at output (r, q) it is multiplied with
# x[r + i, q + j]. So an increase of w[i, j] by 1 changes that output by this pixel, and
# the loss by gy[r, q] times the pixel. Add up over all places:
#
#     gw[i, j] = Σ gy[r, q] · x[r + i, q + j]
#
# This is again a convolution: the image, with gy as the kernel!

# %%
x = np.array([[3.0, 1, 2], [0, 4, 5]])
w = np.array([[1.0, -1], [2, 0]])
gy = np.array([[10.0, 100]])
gw = np.array([[(gy * x[i:i + 1, j:j + 2]).sum() for j in range(2)] for i in range(2)])
print(gw)
print("by hand, gw[0, 0]:", 10 * 3 + 100 * 1)

# %% [markdown]
# **The image.** Pixel x[0, 1] lies in both windows: in the first at place (0, 1), where
# it meets the weight −1, in the second at (0, 0), where it meets 1. So its gradient is
# 10 · (−1) + 100 · 1 = 90. Each output *sends its gradient back* to all pixels that it
# saw, times the kernel, and a pixel adds up what it receives:

# %%
gx = np.zeros_like(x)
for q in range(2):
    gx[0:2, q:q + 2] += gy[0, q] * w  # the window of output (0, q)
print(gx)

# %% [drawing]
stamps = [np.zeros((2, 3)) for _ in range(2)]
for q in range(2):
    stamps[q][:, q:q + 2] = gy[0, q] * w
figure, axes = drawing.matrices(
    [gy, stamps[0], stamps[1], gx],
    ["gy", "what output 0 sends", "what output 1 sends", "gx: their sum"],
    ["Purples", "Blues", "Blues", "Greens"],
)
drawing.frame(axes[0], 0, 0, 1, 1, drawing.ORANGE)
drawing.frame(axes[1], 0, 0, 2, 2, drawing.ORANGE)
drawing.frame(axes[0], 0, 1, 1, 1, drawing.GREEN)
drawing.frame(axes[2], 0, 1, 2, 2, drawing.GREEN)
picture(figure, "stamps", "Each output stamps the kernel, times its gradient.")

# %% [markdown]
# ## col2im
#
# In lesson 2 a convolution was im2col and a matrix product. Backwards, the product
# gives the gradient of the column matrix, and that must go back to the image: every
# entry is added to the pixel from which it was read. This is **col2im**.
#
# im2col and col2im are a pair. If A is linear, its **adjoint** B is the map for which
#
#     ⟨A x, v⟩ = ⟨x, B v⟩        for all x and v
#
# where ⟨a, b⟩ is the sum of all products a · b. The backward pass of every linear layer
# is its adjoint. That gives a test that needs no small steps at all, and is exact with
# whole numbers:

# %%
from minifcn import Tensor, ops

rng = np.random.default_rng(0)
x = rng.integers(-9, 10, (2, 3, 5, 7)).astype(float)
v = rng.integers(-9, 10, (2, 3 * 2 * 3, 4 * 5)).astype(float)
forward = ops.im2col(Tensor(x), (2, 3)).data
backward = ops.col2im(Tensor(v), (5, 7), (2, 3)).data
print((forward * v).sum(), "=", (x * backward).sum())

# %% [markdown]
# ## The tape
#
# A network has many layers, and nobody wants to write the chain rule for all of them
# together. So every operation notes, on a **tape**, what it read and how to go back.
# `backward` then walks along the tape from the end:

# %%
a = Tensor(np.array([3.0]), requires_grad=True)
b = a * a       # 9
c = b + a       # 12
L = c * b       # 108
L.backward()
print("dL/da =", a.grad, " by hand: L = (a² + a) a², so 4a³ + 3a² =", 4 * 27 + 3 * 9)

# %% [markdown]
# Look at b: it is used *twice*, by c and by L. Both send a gradient to it, and only
# when both have arrived may b pass their sum on to a. So an operation may be visited
# only after everything that uses it: this is called a **topological order**. Newest
# first is always such an order, since nothing can use what does not exist yet.
#
# ## A trap: the wrong order
#
# Here the tape is walked in another order: each node is visited as soon as *somebody*
# sends it a gradient. b then passes on what it has too early, and again later:

# %%
value = {"a": 3.0, "b": 9.0, "c": 12.0, "L": 108.0}
slopes = {  # node: its inputs, and the slope with respect to each
    "L": [("b", value["c"]), ("c", value["b"])],
    "c": [("b", 1.0), ("a", 1.0)],
    "b": [("a", 2 * value["a"])],
}


def walk(order):
    """Visit nodes in this order; each passes on all that it has received so far."""
    gradient = {"L": 1.0, "c": 0.0, "b": 0.0, "a": 0.0}
    for node in order:
        for source, slope in slopes[node]:
            gradient[source] += gradient[node] * slope
    return gradient["a"]


print("newest first, L c b:   ", walk(["L", "c", "b"]))
print("b before c, L b c:     ", walk(["L", "b", "c"]), "(c's gift to b is lost)")
print("b twice, L b c b:      ", walk(["L", "b", "c", "b"]), "(the first counts twice)")

# %% [markdown]
# ## A second trap: a test that cannot fail
#
# To test a gradient one needs some gy. It is tempting to take ones everywhere. But then
# many mistakes cannot be seen: a gradient at the wrong pixel has the same sum. Always
# take *random* gradients from above:

# %%
def wrong_backward(gy):
    """The gradient of y = 2 x, and turned upside down by mistake."""
    return 2 * gy[::-1]


ones, some = np.ones((3, 4)), rng.integers(1, 9, (3, 4)).astype(float)
print("with ones it looks right:", (wrong_backward(ones) == 2 * ones).all())
print("with random numbers:     ", (wrong_backward(some) == 2 * some).all())

# %% [markdown]
# The library's checker does all that: random gradients, both sides, float64, and it
# leaves out kinks.

# %%
from minifcn.laws import check_gradients

found = check_gradients(ops.conv2d, [x, rng.normal(size=(2, 3, 2, 3))])
print("slopes compared:", found.compared)
print("worst error below 1e-7:", found.worst_error < 1e-7)

# %% [markdown]
# ## In three lines
#
# - A gradient says how the loss moves with every number; the chain rule hands it down
#   from layer to layer.
# - Backwards, a convolution's output sends its gradient to all that it saw; what is
#   read twice adds up.
# - Check every backward pass: by central differences, or as an adjoint, with random
#   gradients from above.
