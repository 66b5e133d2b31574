# %% [markdown]
# A kernel of 3 × 3 sees nine pixels. That is enough to find an edge, but not to know a
# bus. A network must somehow look at larger and larger parts of the image. It does so
# in two ways: it puts convolution on convolution, and it makes its maps smaller in
# between. The second is called **pooling**, and this lesson begins with it.
#
# ## Max pooling
#
# Cut the map into windows of 2 × 2, side by side, and keep only the largest number of
# each. This is **max pooling**. The map becomes half as high and half as wide. What
# stays is *that* something was found; where exactly it was, within two pixels, is lost.

# %%
import numpy as np

from minifcn import Tensor, ops
from minifcn.course import drawing, picture

x = np.array([[1.0, 5, 2, 0, 3, 3],
              [4, 2, 8, 1, 0, 1],
              [0, 1, 3, 3, 6, 2],
              [7, 2, 1, 0, 4, 9]])  # (H, W)
y = ops.max_pool2d(Tensor(x[None, None]), 2).data[0, 0]  # (H / 2, W / 2)
print(y)

# %% [drawing]
shades = ["Blues", "Purples"]
figure, axes = drawing.matrices([x, y], ["map", "max pooling, 2 × 2"], shades)
colours = [drawing.ORANGE, drawing.GREEN, drawing.RED]
for q, colour in enumerate(colours):
    drawing.frame(axes[0], 0, 2 * q, 2, 2, colour)
    drawing.frame(axes[1], 0, q, 1, 1, colour)
picture(figure, "max", "The largest of each window stays.")

# %% [markdown]
# **Average pooling** keeps the mean of each window instead. VGG and AlexNet take the
# maximum, GoogLeNet uses both.
#
# ## Backwards
#
# If the largest number of a window grows, the output grows with it. If one of the
# others grows a little, nothing happens. So the gradient goes to the *winner*, whole,
# and the others get 0. Where two are equal, as the 3 and 3 above, the first one is
# taken, row by row. (Any rule would do, but it must be the same forwards and
# backwards.)

# %%
leaf = Tensor(x[None, None], requires_grad=True)
gy = np.array([[10.0, 20, 30], [40, 50, 60]])
ops.max_pool2d(leaf, 2).backward(gy[None, None])
print(leaf.grad[0, 0])

# %% [drawing]
figure, axes = drawing.matrices(
    [gy, leaf.grad[0, 0]],
    ["gradient from above", "gradient of the map: winners alone"],
    ["Purples", "Greens"],
)
for q, colour in enumerate(colours):
    drawing.frame(axes[0], 0, q, 1, 1, colour)
    drawing.frame(axes[1], 0, 2 * q, 2, 2, colour)
picture(figure, "winners", "One winner in each window gets the gradient.")

# %% [markdown]
# ## A trap: zeros that win
#
# Pooling can be padded, too. But with what? A frame of zeros is wrong: if all numbers
# of a window are negative, a zero of the frame would be the largest! The frame must
# never win, so it counts as minus infinity.

# %%
negative = -np.arange(1.0, 10).reshape(3, 3)
framed = np.pad(negative, 1)  # with zeros
wrong = np.array([[framed[r:r + 2, q:q + 2].max() for q in (0, 2)] for r in (0, 2)])
right = ops.max_pool2d(Tensor(negative[None, None]), 2, padding=1).data[0, 0]
print("padded with zeros:\n", wrong)
print("the library:\n", right)

# %% [markdown]
# ## How far does a number see?
#
# Take a number somewhere in the network. The pixels of the image that can change it are
# its **receptive field**. After one convolution with a kernel of 3 the field is 3
# pixels wide. Put a second one on top: it looks at 3 numbers, each sees 3 pixels, and
# they overlap. Together they see 5:

# %%
def seen(layers, n=40):
    """Find by trying which pixels of a line of n can change the middle output."""
    def run(line):
        for kernel, stride in layers:
            count = (len(line) - kernel) // stride + 1
            starts = [i * stride for i in range(count)]
            line = np.array([line[s:s + kernel].sum() for s in starts])
        return line[len(line) // 2]

    plain = run(np.zeros(n))
    return [i for i in range(n) if run(np.eye(n)[i]) != plain]


for layers in [[(3, 1)], [(3, 1), (3, 1)], [(3, 1), (2, 2)], [(3, 1), (2, 2), (3, 1)]]:
    print(layers, "sees", len(seen(layers)), "pixels")

# %% [markdown]
# (3, 1) is a kernel of 3 with stride 1, and (2, 2) a pooling. Look at the last line:
# after the pooling, a kernel of 3 makes the field 4 pixels wider and not 2. Its three
# numbers are neighbours in the *small* map, but in the image they lie 2 pixels apart.
#
# So count two things from layer to layer: how many pixels a number sees (the size), and
# how many pixels lie between two neighbours (the stride). A layer with kernel k and
# stride s makes of them
#
#     size   →  size + (k − 1) · stride
#     stride →  stride · s
#
# This is the paper's **composition rule**. By hand, for the last line: (1, 1) → kernel
# 3: (3, 1) → pooling: 3 + 1 · 1 = 4, stride 2: (4, 2) → kernel 3: 4 + 2 · 2 = 8. Eight
# pixels, as found by trying.

# %%
from minifcn.geometry import Conv, Pool, chain_receptive_field

vgg16 = [Conv(3), Conv(3), Pool(2), Conv(3), Conv(3), Pool(2)]  # two small blocks,
vgg16 += 3 * [Conv(3), Conv(3), Conv(3), Pool(2)]               # three larger ones,
vgg16 += [Conv(7)]                                              # and fc6
names = {6: "pool2", 10: "pool3", 14: "pool4", 18: "pool5", 19: "fc6"}
for count, name in names.items():
    size, stride = chain_receptive_field(vgg16[:count])
    print(f"{name}: sees {size} pixels, neighbours are {stride} apart")

# %% [markdown]
# So a number behind fc6 sees 404 × 404 pixels. That is what the paper's Table 1 says.

# %% [drawing]
from minifcn.data import scenes

image, _ = scenes.draw((420, 520), seed=4)
figure, axes = drawing.canvas(1, width=6, height=4.9)
drawing.photo(axes[0], image, "What a number in the middle sees")
shades = [*colours, "white"]
for (count, name), colour in zip([*names.items()][1:], shades):
    size = chain_receptive_field(vgg16[:count]).size
    top, left = 210 - size / 2, 260 - size / 2
    drawing.frame(axes[0], top, left, size, size, colour, 0)
    box = {"facecolor": "white", "edgecolor": colour, "pad": 2}
    text = f"{name}: {size}"
    axes[0].text(left + size, top + size, text, bbox=box, size=11, ha="right", va="top")
picture(figure, "fields", "From pool3 to fc6 of VGG-16, on 420 × 520 pixels.")

# %% [markdown]
# ## Can see is not the same as looks at
#
# The pixels in the middle of a field have many ways to the number, those at the rim
# only one. So the middle counts far more. The gradient shows it: send a 1 back from one
# number of a network and look where it arrives. (The weights are random here.)

# %%
from minifcn import nn

nn.seed(0)
layers = [nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3), nn.MaxPool2d(2)]
net = nn.Sequential(*layers, nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
leaf = Tensor(np.random.default_rng(2).random((1, 1, 14, 14), np.float32), True)
y = net(leaf)
print("output:", y.shape)
y.backward(np.ones(y.shape, np.float32))
print("seen: 14 × 14 pixels; with a gradient:", (leaf.grad != 0).sum())

# %% [drawing]
arrived = abs(leaf.grad[0, 0])
many = np.zeros((14, 14))
for seed in range(200):
    nn.seed(seed)
    for layer in net.layers:
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = nn.he_normal(layer.weight.shape)
    leaf.grad = None
    y = net(leaf)
    y.backward(np.ones(y.shape, np.float32))
    many += abs(leaf.grad[0, 0])
figure, axes = drawing.canvas(2, width=3.2)
drawing.photo(axes[0], arrived, "gradient, one network", cmap="viridis")
drawing.photo(axes[1], many, "mean of 200 networks", cmap="viridis")
picture(figure, "looks", "The middle of the field counts most; yellow is much.")

# %% [markdown]
# ## In three lines
#
# - Max pooling keeps the largest number of a window; its gradient goes to the winner.
# - A field grows by (k − 1) · stride with every layer, and strides multiply.
# - In VGG-16 a number behind fc6 sees 404 pixels, its neighbour the same 32 further.
