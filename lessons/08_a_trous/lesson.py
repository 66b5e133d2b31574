# %% [markdown]
# In lesson 7 a network with output stride f gave dense answers after f · f runs. Nearly
# all of the work was done many times. This lesson finds *one* network that gives
# exactly the same numbers in one run. The trick is called **à trous**, French for "with
# holes".
#
# ## First try: leave the strides out
#
# The network answers at every second place because its pooling moves by 2. So let it
# move by 1! Take a network on a line: pooling over 2 with stride 2, then a kernel with
# two numbers, a[i] + 10 · a[i + 1].

# %%
import numpy as np

from minifcn.course import drawing, picture


def pool(line, stride):
    """Keep the largest of two neighbours, at every stride-th place."""
    return np.maximum(line[:-1], line[1:])[::stride]


def kernel(line, step):
    """Sum a[i] + 10·a[i + step]."""
    return line[:-step] + 10 * line[step:]


line = np.array([1, 3, 2, 5, 4, 9, 2, 6, 8])
print("network:          ", kernel(pool(line, stride=2), step=1))
print("shifted by one:   ", kernel(pool(line[1:], stride=2), step=1))
print("pooling, stride 1:", kernel(pool(line, stride=1), step=1))

# %% [markdown]
# The last line has an answer for every place. But they are not the network's answers:
# in it, the numbers of the two runs above should take turns, and they do not.
#
# Think about what the kernel sees. In the network its two numbers are neighbours
# *behind the pooling*, which are two pixels apart. Without the stride, neighbours are
# one pixel apart. So the kernel now looks at another, smaller part of the line. It must
# reach as far as before: take a[i] and a[i + 2], and leave one out. That is a hole.

# %%
stitched = np.empty(6, int)
stitched[0::2] = kernel(pool(line, 2), 1)
stitched[1::2] = kernel(pool(line[1:], 2), 1)
with_hole = kernel(pool(line, stride=1), step=2)
print("shift and stitch:   ", stitched)
print("stride 1, with hole:", with_hole, " equal:", (with_hole == stitched).all())

# %% [drawing]
pooled = pool(line, 1)
figure, axes = drawing.matrices(
    [pool(line, 2)[None], pooled[None], pooled[None]],
    ["with stride", "stride 1: neighbours are too near", "stride 1, with a hole"],
    ["Oranges", "Greys", "Blues"],
    square=0.5,
)
for place, taps in zip(axes, [(0, 1), (0, 1), (0, 2)]):
    for tap in taps:
        drawing.frame(place, 0, tap, 1, 1, drawing.RED)
picture(figure, "holes", "Red: what the kernel of the first answer sees.")

# %% [markdown]
# ## A kernel with holes
#
# So the rule is: set the stride to 1, and put holes into all kernels *behind* it. For a
# stride of s, each kernel behind it gets s − 1 zeros between its neighbours. The paper
# calls this a **rarefied filter**:
#
#     new[i, j] = old[i / s, j / s]   if s divides i and j,   else 0

# %%
from minifcn import Tensor, ops

small = np.array([[1.0, 2, 3], [4, 5, 6]])[None, None]  # (1, 1, 2, 3)
rare = ops.rarefy(Tensor(small), 2).data
print(rare[0, 0])

# %% [drawing]
figure, axes = drawing.matrices([small[0, 0], rare[0, 0]], ["kernel", "rarefied by 2"])
picture(figure, "rarefied", "Zeros between the numbers: the kernel reaches further.")

# %% [markdown]
# Nobody multiplies with zeros, of course. A convolution with a **dilation** of 2
# (lesson 1) leaves the same pixels out, and costs no more than before:

# %%
x = np.random.default_rng(0).integers(-9, 10, (1, 1, 6, 8)).astype(float)
with_zeros = ops.conv2d(Tensor(x), Tensor(rare)).data
dilated = ops.conv2d(Tensor(x), Tensor(small), dilation=2).data
print("the same:", (with_zeros == dilated).all())

# %% [markdown]
# ## A whole network
#
# With several strides the holes grow. A kernel behind two poolings was 2 · 2 = 4 pixels
# from neighbour to neighbour, so its dilation is 4. In general it is the *product of
# all strides before it*. Pooling windows get holes in the same way.
#
#     layer      conv1  pool1  conv2  pool2  conv3
#     stride       1      2      1      2      1
#     becomes      1      1      1      1      1
#     dilation     1      1      2      2      4

# %%
from minifcn import models, nn, no_grad

nn.seed(3)
chain = nn.Sequential(
    conv1=nn.Conv2d(1, 4, 3), relu=nn.ReLU(), pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(4, 4, 2), pool2=nn.MaxPool2d(2), score=nn.Conv2d(4, 1, 2),
)
dense = models.a_trous(chain)  # another network, the same weights
for name, layer in dense.children():
    print(f"{name:6}", layer)

# %%
image = np.random.default_rng(0).integers(-9, 10, (1, 1, 29, 33)).astype(float)
for parameter in chain.parameters():  # whole numbers: then all sums are exact
    parameter.data = np.rint(4 * parameter.data).astype(float)
with no_grad():
    stitched = models.shift_and_stitch(chain, Tensor(image)).data  # 16 runs
    at_once = dense(Tensor(image)).data                            # 1 run
print(stitched.shape, "largest difference:", abs(stitched - at_once).max())

# %% [markdown]
# Zero: the same to the last digit. And the price?

# %%
costs = models.dense_costs(chain, (64, 96))
print(models.costs_table(costs))

# %% [drawing]
from minifcn.models import fcn32s

net = fcn32s(n_classes=3, width=1 / 8, geometry="same")
strides = [32, 16, 8, 4, 2, 1]
many = [models.dense_costs(net, (96, 128), stride=s) for s in strides]
figure, axes = drawing.canvas(1, width=6, height=3.8)
labels = ("output stride", "multiply-adds, times the network's own")
for name, text, colour in [
    ("shift_and_stitch", "shift-and-stitch", drawing.ORANGE),
    ("a_trous", "à trous", drawing.BLUE),
]:
    y = [cost[name] / cost["net"] for cost in many]
    drawing.chart(axes[0], strides, y, labels, text, marker="o", color=colour, lw=2)
axes[0].set(xscale="log", yscale="log", title="FCN-32s on VGG-16, 96 × 128 pixels")
axes[0].set_xticks(strides, [str(s) for s in strides])
axes[0].minorticks_off()
axes[0].invert_xaxis()
picture(figure, "costs", "The denser, the dearer; à trous is cheaper at every stride.")

# %% [markdown]
# Both roads give the same numbers, at a very different price. Still à trous is not
# free: all layers behind the first stride now work on large maps. That is why the paper
# does not use it in the end: skips (lesson 13) bring more for less. Others do use it:
# DeepLab takes out only the last two strides, so that the output stride becomes 8, and
# learns with the holes.
#
# ## A trap: holes before the stride
#
# The holes belong to the layers *behind* the stride. If the layer with the stride gets
# them, too, the numbers are wrong, and no shape tells you:

# %%
def pool_with_hole(line):
    """Pooling with stride 1 whose own window has a hole: not what we want."""
    return np.maximum(line[:-2], line[2:])


print("right:", with_hole)
print("wrong:", kernel(pool_with_hole(line), step=2))

# %% [markdown]
# ## In three lines
#
# - A stride of s can go if all kernels and pools behind it get s − 1 holes.
# - With several strides the dilation of a layer is the product of those before it.
# - One run, the same numbers as shift-and-stitch, for a fraction of the work.
