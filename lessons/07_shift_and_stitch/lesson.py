# %% [markdown]
# The heatmaps of lesson 6 are coarse: an answer for every 8th pixel. VGG-16 has five
# poolings, and answers at every 32nd. This number, the product of all strides, is the
# network's **output stride**. But we want to know the class of *every* pixel: a
# **dense** answer.
#
# This lesson shows the oldest trick. It needs no new layer and no training. It is slow,
# and the next lesson makes it fast.
#
# ## On a line
#
# Take a line of pixels instead of an image, and a small network: a sum over 3 pixels,
# then max pooling over 2 with stride 2. Its output stride is 2.

# %%
import numpy as np

from minifcn.course import drawing, picture


def net(line):
    """Sum windows of 3, then keep the largest of each 2 neighbours, side by side."""
    sums = np.convolve(line, np.ones(3), mode="valid")
    pairs = sums[:len(sums) // 2 * 2].reshape(-1, 2)
    return pairs.max(axis=1)


line = np.array([1.0, 4, 0, 2, 7, 1, 3, 8, 2, 5, 0, 6])  # 12 pixels
print(net(line))

# %% [markdown]
# By hand: the sums of three are 5 6 9 10 11 12 13 15 7 11, and the largest of each pair
# are 6 10 12 15 11. The first answer knows the pixels 0 to 3, the next one 2 to 5. What
# about the pixels 1 to 4? Nobody asked for them: the pooling begins at even places
# only.
#
# So ask! **Shift** the line by one pixel, that is, leave the first pixel out, and run
# the same network again. Its answers now belong to the odd places:

# %%
even, odd = net(line), net(line[1:])
print("begins at pixel 0:", even)
print("begins at pixel 1:", odd)

# %% [markdown]
# Then **stitch** the two together, one answer from here and one from there. This is
# called **interleave**: even places, odd places. And the whole trick has the name
# **shift-and-stitch**.

# %%
dense = np.empty(len(even) + len(odd))
dense[0::2], dense[1::2] = even, odd
print(dense)

# %% [drawing]
figure, axes = drawing.matrices(
    [line[None], even[None], odd[None], dense[None]],
    ["line", "run 0", "run 1: shifted by one", "stitched: a dense answer"],
    ["Greys", "Oranges", "Greens", "Blues"],
    square=0.42,
)
for place in range(len(dense)):
    colour = drawing.ORANGE if place % 2 == 0 else drawing.GREEN
    drawing.frame(axes[3], 0, place, 1, 1, colour)
picture(figure, "line", "Every second answer comes from run 0, the others from run 1.")

# %% [markdown]
# Is that right? Ask for each place by itself: give the network just the four pixels
# that an answer sees.

# %%
alone = np.array([net(line[i:i + 4])[0] for i in range(len(dense))])
print("the same:", (alone == dense).all())

# %% [markdown]
# ## On an image
#
# An image can be shifted in two directions. With an output stride of f there are f · f
# shifts, and as many runs. The run with the shift (a, b), that is a rows and b columns,
# has the answers for the rows a, a + f, a + 2f, … and the columns b, b + f, …

# %%
from minifcn import Tensor, nn, no_grad, ops

nn.seed(3)
chain = nn.Sequential(
    conv1=nn.Conv2d(1, 4, 3), relu=nn.ReLU(), pool1=nn.MaxPool2d(2),
    conv2=nn.Conv2d(4, 4, 2), pool2=nn.MaxPool2d(2), score=nn.Conv2d(4, 1, 2),
)
image = np.random.default_rng(0).normal(size=(1, 1, 29, 33)).astype(np.float32)
f = 4  # two poolings
with no_grad():
    coarse = chain(Tensor(image)).data
    parts = [[chain(Tensor(image[:, :, a:, b:])).data[0, 0] for b in range(f)]
             for a in range(f)]
print("one run:", coarse.shape, " sixteen runs:", [p.shape for p in parts[0]])

# %%
parts = np.array([[part[:4, :5] for part in row] for row in parts])  # (f, f, h, w)
stitched = np.empty((4 * f, 5 * f), np.float32)
for a, b in np.ndindex(f, f):
    stitched[a::f, b::f] = parts[a, b]
print("by hand:", stitched.shape)

# %% [markdown]
# The library does the same with any network, and takes care of the borders:

# %%
from minifcn import models

with no_grad():
    library = models.shift_and_stitch(chain, Tensor(image)).data[0, 0]
print("library:", library.shape)
print("equal where both are:", np.allclose(library[:16, :20], stitched, atol=1e-6))

# %% [drawing]
which = np.array([[4 * (r % 4) + q % 4 for q in range(12)] for r in range(8)])
figure, axes = drawing.canvas(3, width=3.6, height=3.0)
drawing.photo(axes[0], coarse[0, 0], "one run", cmap="viridis")
drawing.photo(axes[1], library, "shift and stitch", cmap="viridis")
drawing.matrix(axes[2], which, "which run gave the answer", "Oranges", size=8)
picture(figure, "image", "Sixteen runs; neighbours in the dense map are of other runs.")

# %% [markdown]
# ## What it costs
#
# f · f runs of the whole network: 16 for an output stride of 4, and 1,024 for VGG's 32!
# Most of that work is done again and again, since neighbouring runs share almost all of
# their pixels. In return nothing was trained or changed, and the answers are truly
# those of the network at these pixels, not guesses in between.
#
# ## A trap: rows and columns swapped
#
# If a and b are mixed up when stitching, the picture still looks like something. But
# every answer is at most three pixels away from its place, and edges are frayed:

# %%
wrong = np.empty_like(stitched)
for a, b in np.ndindex(f, f):
    wrong[b::f, a::f] = parts[a, b]
print("share of answers in the right place:", (wrong == stitched).mean())

# %% [drawing]
from minifcn.data import scenes

photo, _ = scenes.draw((96, 128), seed=6)
grey = photo.mean(axis=2)
pieces = np.array([[grey[a::4, b::4] for b in range(4)] for a in range(4)])
frayed = np.empty_like(grey)
for a, b in np.ndindex(4, 4):
    frayed[b::4, a::4] = pieces[a, b]
figure, axes = drawing.canvas(2, width=4.2, height=3.3)
drawing.photo(axes[0], grey, "stitched right")
drawing.photo(axes[1], frayed, "rows and columns swapped")
picture(figure, "frayed", "An image, taken apart into 4 × 4 pieces and stitched again.")

# %% [markdown]
# ## In three lines
#
# - The strides of a network multiply to its output stride f; it answers at every f-th
#   pixel.
# - Shift the image by every (a, b) with a, b < f, run, and interleave: dense answers.
# - It costs f · f runs.
