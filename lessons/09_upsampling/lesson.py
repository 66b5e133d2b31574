# %% [markdown]
# A fully convolutional network ends in a coarse map: one score for every 32 × 32 pixels
# of the image, say. You want one for every single pixel. Shift-and-stitch gets them by
# running the network many times. The paper has a cheaper way: one more layer, which
# *enlarges* the map. To enlarge is also called **upsampling**.
#
# You need nothing new for it. The layer is a convolution, read the other way round. At
# the end of this lesson you will know why its kernel has 2f taps where it enlarges f
# times, and what numbers stand in it.

# %% [drawing]
import numpy as np

from minifcn import Tensor, nn, ops
from minifcn.course import drawing, picture
from minifcn.data import scenes

image, label = scenes.draw((128, 160), seed=4)  # (H, W, 3) and (H, W)
toys = (label > 0).astype(float)                # 1 on a toy, 0 beside it
coarse = toys.reshape(16, 8, 20, 8).mean(axis=(1, 3))  # (16, 20): means of 8 × 8
copied = coarse.repeat(8, axis=0).repeat(8, axis=1)    # (128, 160)
smooth = ops.upsample(Tensor(coarse[None, None]), 8).data[0, 0]  # (128, 160)
figure, axes = drawing.canvas(4, width=3.0, height=2.7)
drawing.photo(axes[0], image, "image, 128 × 160")
drawing.photo(axes[1], coarse, "coarse map, 16 × 20")
drawing.photo(axes[2], copied, "enlarged by copying")
drawing.photo(axes[3], smooth, "by this lesson's layer")
picture(figure, "enlarged", "A coarse map of where toys are, enlarged in two ways.")

# %% [markdown]
# ## A convolution is a matrix
#
# Take a row of five pixels, a kernel of three numbers, and stride 2. There are two
# windows:
#
#     x = 1 0 2 1 3        1·1 + 2·0 + 4·2 = 9
#     kernel = 1 2 4       1·2 + 2·1 + 4·3 = 16
#
# Each output is a sum of inputs, each input times a fixed number. So the convolution is
# a product with a matrix. It has a row for each output: the kernel, at the place of its
# window, and zeros.

# %%
x, kernel, stride = np.array([1, 0, 2, 1, 3]), np.array([1, 2, 4]), 2
A = np.zeros((2, 5), int)  # (outputs, inputs)
for r in range(2):
    A[r, r * stride:r * stride + 3] = kernel
print(A)
print("A x =", A @ x)

# %% [markdown]
# ## Its transpose
#
# A matrix of shape (2, 5) makes two numbers of five. Turn rows into columns, and you
# have its **transpose**, (5, 2). That makes five numbers of two: it enlarges.

# %%
z = np.array([2, 3])
print("Aᵀ z =", A.T @ z)

# %% [drawing]
figure, axes = drawing.matrices(
    [A, A.T, z[:, None], (A.T @ z)[:, None]],
    ["A: the convolution", "Aᵀ: transposed", "z", "Aᵀ z"],
    ["Blues", "Blues", "Greys", "Purples"],
)
drawing.frame(axes[0], 0, 0, 1, 3, drawing.ORANGE)
drawing.frame(axes[0], 1, 2, 1, 3, drawing.GREEN)
drawing.frame(axes[1], 0, 0, 3, 1, drawing.ORANGE)
drawing.frame(axes[1], 2, 1, 3, 1, drawing.GREEN)
drawing.frame(axes[2], 0, 0, 1, 1, drawing.ORANGE)
drawing.frame(axes[2], 1, 0, 1, 1, drawing.GREEN)
drawing.frame(axes[3], 0, 0, 3, 1, drawing.ORANGE)
drawing.frame(axes[3], 2, 0, 3, 1, drawing.GREEN, inset=0.15)
picture(figure, "matrix", "The kernel lies in the rows of A, and in the columns of Aᵀ.")

# %% [markdown]
# A product with this transpose is called a **transposed convolution**. Look at its
# columns. The first says what becomes of 2, the first number of z: it goes to outputs
# 0, 1 and 2, multiplied by 1, 2 and 4. The second says what becomes of 3: the same, two
# places further. So you do not need the matrix. Every input *stamps* the kernel,
# multiplied by itself, on the output. The stamps begin `stride` places apart, and where
# two of them overlap they are added:
#
#     2 · (1 2 4)      =   2   4   8
#     3 · (1 2 4)      =           3   6  12
#                          ------------------
#     together             2   4  11   6  12

# %%
def stamp(z, kernel, stride):
    """Convolve, transposed: z (n,), kernel (k,) → ((n − 1)·stride + k,)."""
    y = np.zeros((len(z) - 1) * stride + len(kernel))
    for r, value in enumerate(z):
        y[r * stride:r * stride + len(kernel)] += value * kernel
    return y


print(stamp(z, kernel, 2))

# %% [markdown]
# You have met this sum before. It is how a gradient goes back through a convolution:
# each output hands its gradient to all inputs that it saw, times the kernel. The
# library has one piece of code for both.

# %%
weight = Tensor(kernel.reshape(1, 1, 1, 3).astype(float))
row = Tensor(x.reshape(1, 1, 1, 5).astype(float), requires_grad=True)
ops.conv2d(row, weight, stride=(1, 2)).backward(z.reshape(1, 1, 1, 2).astype(float))
print("gradient of a convolution:", row.grad.ravel())
up = ops.conv_transpose2d(Tensor(z.reshape(1, 1, 1, 2) * 1.0), weight, stride=(1, 2))
print("transposed convolution:   ", up.data.ravel())

# %% [markdown]
# ## How large is the output?
#
# The first stamp covers `kernel` places, and each further one begins `stride` places
# later. Padding, which a convolution adds, is cut off here:
#
#     outputs = (n − 1) · stride + kernel − 2·padding
#
# People ask how "the 64 × 64 of the last layer" becomes a whole image. 64 is the size
# of its kernel. The map that goes in has another size: 8 × 8 for an image of 224 × 224.

# %%
from minifcn.geometry import conv_transpose_output_size

print("8 scores, kernel 64, stride 32:", conv_transpose_output_size(8, 64, stride=32))
print("16 scores:", conv_transpose_output_size(16, 64, stride=32))

# %% [markdown]
# 288 is more than 224. What is too much is cut off: that is the next lesson.
#
# ## It is no inverse
#
# Many people call this layer a "deconvolution". The name promises too much: in
# mathematics, to deconvolve is to *undo* a convolution. The transpose gives back the
# shape of x. It does not give back its numbers:

# %%
print("x      =", x)
print("Aᵀ A x =", A.T @ (A @ x))

# %% [markdown]
# ## Which kernel enlarges?
#
# Any kernel could stand here, and training could find one. There is a good one that you
# can work out. Say we enlarge two times. Think of every pixel as a small square, and of
# its value as standing in the middle of the square. In place of each old pixel there
# are two new ones, half as wide. Their middles lie at 1/4 before and 1/4 behind the
# middle of the old one:
#
#     old pixels         0               1               2
#     new pixels     0       1       2       3       4       5
#     they lie at  −1/4     1/4     3/4    5/4     7/4     9/4
#
# New pixel 1 lies at 1/4: three quarters of its value come from old pixel 0, which is
# near, and one quarter from old pixel 1. Such a mean of the two neighbours, the nearer
# one counting more, is called linear interpolation. Done along the rows and along the
# columns it is **bilinear interpolation**.
#
# Now turn the question round: to which new pixels does old pixel 1 give something? To
# all that are less than one old pixel away from it: they lie at 1/4, 3/4, 5/4 and 7/4,
# and get 1/4, 3/4, 3/4 and 1/4 of it. That is a stamp. So the kernel is

# %%
print(1 - abs(np.array([1/4, 3/4, 5/4, 7/4]) - 1))
print("the library's:", ops.bilinear_kernel((1, 4)))
y = stamp(np.array([4, 8, 0]), np.array([1, 3, 3, 1]) / 4, 2)
print(y, "without its ends:", y[1:-1])

# %% [drawing]
values, f = np.array([4, 8, 0, 6]), 2
places = (np.arange(8) + 0.5) / f - 0.5  # of the new pixels, on the old ones' scale
line = np.linspace(-1, 4, 201)
tents = [v * np.maximum(0, 1 - abs(line - r)) for r, v in enumerate(values)]
figure, (axes,) = drawing.canvas(1, width=8.4, height=3.4)
for r, colour in enumerate([drawing.ORANGE, drawing.GREEN, drawing.RED, drawing.BLUE]):
    if values[r]:
        axes.fill_between(line, tents[r], color=colour, alpha=0.3, lw=0)
labels = "place, in old pixels", "value"
drawing.chart(axes, line, sum(tents), labels, "sum of all stamps", color="#222222")
drawing.chart(axes, range(4), values, labels, "old pixels", ls="", marker="o", ms=11)
new = stamp(values, np.array([1, 3, 3, 1]) / 4, 2)[1:-1]
drawing.chart(axes, places, new, labels, "new pixels", ls="", marker="s", color="k")
axes.set_title("Every old pixel stamps a tent; new ones lie on the sum", fontsize=12)
picture(figure, "tents", "A tent is two old pixels wide: four new pixels lie under it.")

# %% [markdown]
# The tent of an old pixel reaches as far as its neighbour, on both sides. One old pixel
# is f new ones, so 2f new pixels lie under it: **that is why the kernel has 2f taps.**
#
# With an odd f there is one tap less. Then a new pixel lies exactly on each old one,
# and at the two ends the tent is zero. For f = 3 the taps are 1/3, 2/3, 1, 2/3 and 1/3.
# So the rule for all f is k = 2f − f mod 2: 4 taps for 2, 5 for 3, 16 for 8, 64 for 32.
#
# The ends are cut off, (k − f)/2 on each side, and n pixels become n·f. In two
# dimensions the kernel is the product of a column and a row of such numbers.

# %%
print(ops.bilinear_kernel(4) * 16)
for f in (2, 3, 8, 32):
    k = 2 * f - f % 2
    kernel = ops.bilinear_kernel((1, k))[0]
    sums = [kernel[phase::f].sum() for phase in range(f)]  # what one output gets
    low, high = min(sums), max(sums)
    print(f"f = {f:2}  k = {k:2}  sum {kernel.sum():g}, outputs {low:.2f} … {high:.2f}")

# %% [markdown]
# The sum of the taps is f and not 1, and people take that for a mistake. It is none. An
# output does not get the whole kernel: it gets every f-th tap only, one from each stamp
# that reaches it. *Those* add up to 1, at every output: ¼ + ¾, or ¾ + ¼. So what is
# bright stays as bright as it was. (In two dimensions the whole sum is f².)
#
# ## Is it what an image program does when it resizes?
#
# Inside, yes, to the last digit. (PyTorch calls it `interpolate` with
# `align_corners=False`.) At the border, no. A program repeats the outermost pixel; the
# stamps of pixels beyond the border are simply missing, as if zeros were there:

# %%
old = np.array([4.0, 8, 6, 8])                  # (4,)
places = (np.arange(8) + 0.5) / 2 - 0.5         # of the 8 new pixels
print("resized: ", np.interp(places, np.arange(4), old))
mine = ops.upsample(Tensor(old.reshape(1, 1, 1, 4)), (1, 2))
print("stamped: ", mine.data.ravel())

# %% [markdown]
# The border that differs is f/2 pixels wide. In FCN-8s and its sisters it is cut off.
#
# ## A trap: the checkerboard
#
# Let an untrained layer enlarge a map in which all is 1, with a kernel in which all is
# 1. One expects an even grey. With a kernel of 3 and stride 2 one gets this:

# %%
ones = Tensor(np.ones((1, 1, 4, 5)))
uneven = ops.conv_transpose2d(ones, Tensor(np.ones((1, 1, 3, 3))), stride=2).data[0, 0]
even = ops.conv_transpose2d(ones, Tensor(np.ones((1, 1, 4, 4))), stride=2).data[0, 0]
print(uneven[:3])

# %% [drawing]
figure, axes = drawing.matrices(
    [uneven, even],
    ["kernel 3, stride 2: a checkerboard", "kernel 4, stride 2: even inside"],
    ["Oranges", "Blues"],
    square=0.45,
)
picture(figure, "checkerboard", "How many stamps reach each output.")

# %% [markdown]
# Every second output is reached by two stamps and the others by one, in each direction:
# a **checkerboard**. Where the kernel is a multiple of the stride, as 2f is, each
# output is reached by equally many. Start from the bilinear kernel, and it is even from
# the start, for any f.
#
# ## A second trap: all channels in one pot
#
# A score map has a channel for each class, and each is to be enlarged by itself. But
# the weight of a transposed convolution, (C, O, K, K), has a kernel from *every*
# channel to every other. The bilinear ones belong on the diagonal, from each channel to
# itself. All others must be zero. Caffe's "bilinear filler" fills them all. See what
# that does:

# %%
classes = list(np.unique(label))
scores = np.stack([label == c for c in classes]).astype(float)  # (C, H, W)
small = scores.reshape(len(classes), 16, 8, 20, 8).mean(axis=(2, 4))  # (C, 16, 20)
diagonal = nn.bilinear((len(classes), len(classes), 16, 16)).astype(float)
everywhere = np.broadcast_to(ops.bilinear_kernel(16), diagonal.shape).copy()
found = {}
for name, w in {"diagonal only": diagonal, "filled everywhere": everywhere}.items():
    y = ops.conv_transpose2d(Tensor(small[None]), Tensor(w), stride=8, padding=4)
    found[name] = y.data[0].round(6).argmax(axis=0)  # (H, W): the best class
    right = (found[name] == scores.argmax(axis=0)).mean()
    print(f"{name:18} {right:.2f} of the pixels right")

# %% [drawing]
figure, axes = drawing.canvas(3, width=3.6, height=3.1)
colours = {"cmap": "viridis", "vmin": 0, "vmax": len(classes) - 1}
drawing.photo(axes[0], scores.argmax(axis=0), "truth", **colours)
for place, (name, best) in zip(axes[1:], found.items()):
    drawing.photo(place, best, name, **colours)
picture(figure, "channels", "With every pair of channels filled, all classes tie.")

# %% [markdown]
# Every channel became the sum of all, so all scores are equal, and class 0 wins
# everywhere: everything is background. Nothing complains. `nn.Upsample` puts the kernel
# on the diagonal only.
#
# ## Learned, or frozen?
#
# A kernel could be learned, from a bilinear start. In the paper the last layer was
# fixed and those in between were learned. In the nets that the authors published all
# are **frozen**: they tried both, and found no real difference in accuracy, but frozen
# ones are faster. minifcn freezes them, too, unless you ask (`lr_mult` is a factor of
# the learning rate):

# %%
for learned in (False, True):
    layer = nn.Upsample(21, 32, learned=learned)
    print(layer, layer.weight.shape, "lr_mult", layer.weight.lr_mult)
filled = np.count_nonzero(layer.weight.data)
print(f"{layer.weight.size:,} numbers, {filled:,} of them not zero")

# %% [markdown]
# And why not simply resize? With frozen kernels you could: inside it is the same. As a
# convolution it can be learned, its gradient is known already, and no new code is
# needed.
#
# ## In three lines
#
# - A convolution is a product with a matrix; a transposed convolution is one with its
#   transpose: every input stamps the kernel, the stamps lie `stride` apart and add up.
# - The bilinear kernel is a tent that reaches one old pixel to each side: 2f − f mod 2
#   taps, of which every f-th add up to 1.
# - It belongs on the diagonal, from each channel to itself; it may be learned, and need
#   not be.
