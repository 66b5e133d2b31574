# %% [markdown]
# The network of lesson 5 takes an image of 48 × 48 pixels and says what it shows. Give
# it a larger one, with several toys in it, and it has no answer. Of course we could cut
# the large image into many small ones and ask for each. That works, and it is slow.
# This lesson shows how to get all those answers in one go. It is the step that gave
# *fully convolutional networks* their name.
#
# ## What a fully-connected layer is
#
# A classifier usually ends like this: its last map, C channels of K × K, is written as
# one long row of C·K·K numbers. Then a matrix is multiplied with it: each output has a
# weight for *every* number of the map. Such a layer is called **fully-connected**.

# %%
import numpy as np

from minifcn import Tensor, nn, no_grad, ops, optim
from minifcn.course import drawing, picture
from minifcn.data import to_input
from minifcn.data.drawing import portrait
from minifcn.data.shapes import TOYS

rng = np.random.default_rng(0)
small = rng.integers(-9, 10, (2, 3, 3)).astype(float)    # (C, K, K)
matrix = rng.integers(-9, 10, (4, 2 * 3 * 3)).astype(float)  # (O, C·K·K)
print("fully-connected:", matrix @ small.ravel())

# %% [markdown]
# Now think of a convolution whose kernel is *as large as the map*, K × K. There is only
# one place for it, so each of O kernels gives one number: the sum of all products. That
# is the same sum! The matrix has only to be written in another shape:

# %%
weight = matrix.reshape(4, 2, 3, 3)  # (O, C, K, K): the same numbers in the same order
y = ops.conv2d(Tensor(small[None]), Tensor(weight)).data  # (1, O, 1, 1)
print("convolution:    ", y.ravel())

# %% [markdown]
# For VGG-16 this turns the matrix of fc6, 4096 × 25,088, into 4096 kernels of 7 × 7
# with 512 channels: 512 · 7 · 7 = 25,088. No number changes.
#
# So what is won? A matrix fits one size of map and no other. A convolution fits on
# *any* map that is at least as large as its kernel. On a larger map it has several
# places, and gives an answer for each. A network that has only layers of this kind
# (convolutions, pooling, ReLU) is **fully convolutional**: it takes images of any size.

# %%
larger = rng.integers(-9, 10, (2, 5, 6)).astype(float)
y = ops.conv2d(Tensor(larger[None]), Tensor(weight)).data[0]  # (O, 3, 4)
corner = matrix @ larger[:, 1:4, 2:5].ravel()  # the matrix, on a piece cut out by hand
print("answers:", y.shape[1:], " at (1, 2):", y[:, 1, 2], " by matrix:", corner)

# %% [drawing]
figure, axes = drawing.matrices(
    [larger[0], y[0]],
    ["map, 5 × 6 (one channel)", "answers of one kernel: 3 × 4"],
    ["Blues", "Purples"],
)
drawing.frame(axes[0], 0, 0, 3, 3, drawing.ORANGE)
drawing.frame(axes[1], 0, 0, 1, 1, drawing.ORANGE)
drawing.frame(axes[0], 1, 2, 3, 3, drawing.GREEN, inset=0.15)
drawing.frame(axes[1], 1, 2, 1, 1, drawing.GREEN)
picture(figure, "places", "A kernel as large as the old map can move on a larger one.")

# %% [markdown]
# ## The classifier, everywhere
#
# Here is the network of lesson 5 again, trained for a few seconds. Its fc layer has
# been a convolution with a 6 × 6 kernel all along, so we can show it a large image at
# once.

# %%
names = [toy.name for toy in TOYS]
drawn = [portrait((48, 48), seed=0, index=i) for i in range(500)]
x = np.stack([to_input(image) for image, _ in drawn]) / 60
label = np.array([kind for _, kind in drawn])
nn.seed(0)
net = nn.Sequential(
    conv1=nn.Conv2d(3, 16, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(16, 32, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
    conv3=nn.Conv2d(32, 48, 3, padding=1), relu3=nn.ReLU(), pool3=nn.MaxPool2d(2),
    fc=nn.Conv2d(48, 64, 6), relu4=nn.ReLU(), score=nn.Conv2d(64, 5, 1),
)
net.score.weight.data *= 0.1
sgd = optim.SGD(net.named_parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
for _ in range(350):
    chosen = rng.integers(500, size=16)
    loss = ops.cross_entropy(net(Tensor(x[chosen])), label[chosen][:, None, None])
    sgd.descend(loss)  # backward, a step, and forget the gradients

# %%
sheet = [portrait((48, 48), seed=1, index=i)[0] for i in range(15)]
large = np.vstack([np.hstack(sheet[i:i + 5]) for i in (0, 5, 10)])  # (144, 240, 3)
with no_grad():
    scores = net(Tensor((to_input(large) / 60)[None])).data  # (1, 5, 13, 25)
print(large.shape, "→", scores.shape)

# %% [markdown]
# 13 × 25 answers from one pass. Draw the probability of a class at every place: that is
# a **heatmap**. It glows where the network believes to see that class.

# %% [drawing]
p = ops.softmax(Tensor(scores)).data[0]  # (5, 13, 25)
figure, axes = drawing.canvas(3, width=4.2, height=2.9)
drawing.photo(axes[0], large, "image")
for place, c in zip(axes[1:], [0, 3]):
    drawing.photo(place, p[c], f"heatmap: {names[c]}", cmap="inferno", vmin=0, vmax=1)
picture(figure, "heatmaps", "Bright: the network is sure to see that toy there.")

# %% [markdown]
# Where a toy is in the middle of what it sees, the network is mostly right. In between
# it guesses, and is often sure of nonsense: it has only ever seen one toy in the
# middle, and it has no class for "nothing". A network for whole photographs needs such
# a class, the *background*, and must learn from whole photographs (lesson 12).
#
# Three poolings halve the map three times, so from one answer to the next it is
# 2 · 2 · 2 = 8 pixels of the image. The answer (r, q) sees the crop of 48 × 48 pixels
# that begins at row 8 r and column 8 q.
#
# ## One pass or 325 crops
#
# Neighbouring crops share most of their pixels. Crop by crop, the same sums are made
# again and again; in one pass each is made once. Count the **multiply-adds**, products
# that are added to a sum. A convolution makes O·C·KH·KW of them for each pixel that
# comes out:

# %%
def count(height, width):
    """Count the multiply-adds of the network on an image."""
    total = 0
    for shape, shrink in [((16, 3, 3, 3), 1), ((32, 16, 3, 3), 2), ((48, 32, 3, 3), 4)]:
        total += np.prod(shape) * (height // shrink) * (width // shrink)
    places = (height // 8 - 5) * (width // 8 - 5)  # of the 6 × 6 kernel
    return int(total + places * (64 * 48 * 6 * 6 + 5 * 64))


print(f"325 crops: {325 * count(48, 48):>13,}")
print(f"one pass:  {count(144, 240):>13,}")
print("ratio:    ", round(325 * count(48, 48) / count(144, 240), 1))

# %% [varies]
import time

pixels = to_input(large) / 60
corners = [(r, q) for r in range(0, 97, 8) for q in range(0, 193, 8)]
crops = np.stack([pixels[:, r:r + 48, q:q + 48] for r, q in corners])  # (325, 3, …)
with no_grad():
    start = time.perf_counter()
    one_by_one = [net(Tensor(crop[None])).data for crop in crops]
    middle = time.perf_counter()
    net(Tensor(pixels[None]))
    end = time.perf_counter()
print(f"crop by crop {1000 * (middle - start):7.1f} ms")
print(f"one pass     {1000 * (end - middle):7.1f} ms")

# %% [markdown]
# The paper measured the same with AlexNet on a GPU: 22 milliseconds for 10 × 10 answers
# in one pass, more than five times as fast as crop by crop. `minifcn experiment
# convolutionalise` measures it here.
#
# The scores are not quite the same, though. A crop ends at its border, and the padding
# shows the network zeros there; in the large image it sees what really comes next.
#
# ## A trap: the wrong order of axes
#
# Some libraries keep channels last: there a map is flattened as row, column, channel.
# Weights from such a library have the right *count* of numbers, and `reshape` does not
# complain. But every number lands in the wrong place:

# %%
theirs = matrix.reshape(4, 2, 3, 3).transpose(0, 2, 3, 1).reshape(4, -1)  # (O, K·K·C)
wrong = theirs.reshape(4, 2, 3, 3)
right = theirs.reshape(4, 3, 3, 2).transpose(0, 3, 1, 2)
for name, kernel in [("reshape alone", wrong), ("axes put right", right)]:
    y = ops.conv2d(Tensor(small[None]), Tensor(np.ascontiguousarray(kernel))).data
    print(f"{name}: {y.ravel()}  equal: {(y.ravel() == matrix @ small.ravel()).all()}")

# %% [markdown]
# Another thing goes wrong often: people pad the 7 × 7 kernel so that the map keeps its
# size. Then the answers at the border see zeros that no training image had. The paper's
# fc6 has no padding.
#
# ## In three lines
#
# - A fully-connected layer is a convolution whose kernel is as large as the map.
# - Written so, the network takes any size, and answers at every 8th (VGG: 32nd) pixel.
# - One pass shares the work of all crops.
