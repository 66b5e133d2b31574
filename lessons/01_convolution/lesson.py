# %% [markdown]
# An image is a table of numbers. A **convolution** looks at it through a small window,
# does the same sum at every place, and writes the answers into a new table. That is the
# whole idea. All that the networks of this course know, they know through such sums.
#
# At the end of this lesson you will have written one, and you will know what *stride*,
# *padding* and *dilation* do to it.

# %%
import numpy as np

from minifcn.course import drawing, picture
from minifcn.data import scenes

image, label = scenes.draw((120, 160), seed=1)  # (H, W, 3) uint8, made up
grey = image.mean(axis=2)                       # (H, W), from 0 to 255
print(image.shape, grey.shape, grey[0, 0])

# %% [markdown]
# ## One sum
#
# Take six pixels' worth of image and a **kernel** of 2 × 2 numbers. Lay the kernel over
# the upper left corner, multiply what lies on top of each other, and add:

# %%
x = np.array([[3, 1, 2],
              [0, 4, 5]])  # (H, W)
kernel = np.array([[1, -1],
                   [2, 0]])  # (KH, KW)
print("by hand:", 3 * 1 + 1 * -1 + 0 * 2 + 4 * 0)
print("NumPy:  ", (x[0:2, 0:2] * kernel).sum())

# %% [markdown]
# The two by two pixels under the kernel are its **window**. Now move the window one
# pixel to the right and do the same again: 1·1 + 2·(−1) + 4·2 + 5·0 = 7. It cannot move
# further. So two numbers come out, and the output has the shape (1, 2).

# %% [drawing]
y = np.array([[2, 7]])
figure, axes = drawing.matrices(
    [x, x, kernel, y],
    ["image, window 0", "image, window 1", "kernel", "output"],
    ["Blues", "Blues", "Greys", "Purples"],
)
drawing.frame(axes[0], 0, 0, 2, 2, drawing.ORANGE)
drawing.frame(axes[1], 0, 1, 2, 2, drawing.GREEN)
drawing.frame(axes[3], 0, 0, 1, 1, drawing.ORANGE)
drawing.frame(axes[3], 0, 1, 1, 1, drawing.GREEN)
picture(figure, "windows", "Each number of the output saw the window of its colour.")

# %% [markdown]
# As a formula, with r and q for the row and the column of the output:
#
#     y[r, q] = Σ  kernel[i, j] · x[r + i, q + j]       over all i, j
#
# (In mathematics a convolution also turns the kernel by 180°, and this sum is called a
# *cross-correlation*. A network learns its kernels, so it does not care which way round
# they are stored, and everybody calls this sum a convolution.)
#
# ## A kernel that finds edges
#
# What does such a sum *mean*? It depends on the kernel. This one takes the pixels on
# the right and subtracts those on the left. Where the image is the same on both sides
# the sum is 0. Where it becomes brighter from left to right the sum is large.

# %%
def slide(x, kernel):
    """Convolve one grey image (H, W) with one kernel (KH, KW)."""
    KH, KW = kernel.shape
    y = np.zeros((x.shape[0] - KH + 1, x.shape[1] - KW + 1))
    for r, q in np.ndindex(*y.shape):
        y[r, q] = (x[r:r + KH, q:q + KW] * kernel).sum()
    return y


edges = np.array([[-1, 0, 1],
                  [-2, 0, 2],
                  [-1, 0, 1]])
blur = np.ones((7, 7)) / 49
print(slide(grey, edges).shape, "from", grey.shape)

# %% [drawing]
figure, axes = drawing.canvas(4, width=3.0, height=2.6)
drawing.photo(axes[0], grey, "image")
drawing.photo(axes[1], slide(grey, edges), "edges, left to right")
drawing.photo(axes[2], slide(grey, edges.T), "edges, top to bottom")
drawing.photo(axes[3], slide(grey, blur), "mean of 7 × 7")
picture(figure, "filters", "Three kernels, three views of the same image.")

# %% [markdown]
# Nobody told the kernel where the toys are: it does the same sum everywhere. A network
# has thousands of kernels, and training finds their numbers.
#
# ## Padding: frame the image with zeros
#
# The output is smaller than the image: a 3 × 3 kernel fits into 120 rows in 118 places.
# To keep the size, put a frame of zeros around the image first. This is **padding**.

# %%
ramp = np.arange(1, 13).reshape(3, 4)
ones = np.ones((3, 3))
framed = np.pad(ramp, 1)
print(slide(framed, ones))

# %% [drawing]
figure, axes = drawing.matrices(
    [framed, ones, slide(framed, ones)],
    ["image with its frame of zeros", "kernel", "output: as large as the image"],
    ["Blues", "Greys", "Purples"],
)
drawing.frame(axes[0], 1, 1, 3, 4, drawing.BLUE)
drawing.frame(axes[0], 0, 0, 3, 3, drawing.ORANGE, inset=0.15)
drawing.frame(axes[2], 0, 0, 1, 1, drawing.ORANGE)
picture(figure, "padding", "The window of the first output sees five of the zeros.")

# %% [markdown]
# ## Stride: move by more than one pixel
#
# If the window moves by 2 pixels each time, there is one output for every second place,
# in each direction: a quarter of the work, and a quarter of the outputs. The step is
# called **stride**.
#
# ## Dilation: leave holes
#
# A kernel of 3 can also take every *second* pixel. With this **dilation** of 2 it has
# still nine numbers, but reaches over 5 pixels: (3 − 1) · 2 + 1.

# %% [drawing]
pixels = np.arange(35).reshape(5, 7)
holes = np.full((5, 7), np.nan)
holes[0:5:2, 0:5:2] = pixels[0:5:2, 0:5:2]
figure, axes = drawing.matrices(
    [pixels, holes], ["stride 2: the first three windows", "dilation 2: one window"]
)
drawing.frame(axes[0], 0, 0, 3, 3, drawing.ORANGE)
drawing.frame(axes[0], 0, 2, 3, 3, drawing.GREEN, inset=0.15)
drawing.frame(axes[0], 0, 4, 3, 3, drawing.RED)
drawing.frame(axes[1], 0, 0, 5, 5, drawing.ORANGE)
picture(figure, "stride", "Windows that begin at every second pixel; one with holes.")

# %% [markdown]
# How many outputs are there? Count the moves. The window covers `span` pixels, so it
# can move by n + 2·padding − span pixels, `stride` at a time, and it stands in one
# place before it moves at all:
#
#     outputs = ⌊(n + 2·padding − span) / stride⌋ + 1

# %%
from minifcn.geometry import conv_output_size, span

print("span of 3 with dilation 2:", span(3, dilation=2))
print("7 pixels, kernel 3, stride 2:", conv_output_size(7, 3, stride=2))
print("500 pixels, kernel 3, padding 100:", conv_output_size(500, 3, padding=100))

# %% [markdown]
# ## Colours and many kernels
#
# A photograph has three **channels**. The kernel then has three layers, too, and the
# sum goes over all three: a colour image gives *one* output table. A layer of a network
# has many kernels, each gives a table, and those are the channels of what comes out.
# With a batch of N images:
#
#     x       (N, C, H, W)      N images of C channels
#     weight  (O, C, KH, KW)    O kernels, each as deep as an image
#     y       (N, O, OH, OW)
#
#     y[n, o, r, q] = Σ  weight[o, c, i, j] · x[n, c, r·stride + i·dilation, …]

# %%
from minifcn import Tensor, ops

batch = Tensor(image.transpose(2, 0, 1)[None].astype(float))  # (1, 3, H, W)
weight = Tensor(np.stack([[edges] * 3, [edges.T] * 3]).astype(float))  # (2, 3, 3, 3)
y = ops.conv2d(batch, weight, stride=2, padding=1)
print(batch.shape, "→", y.shape)
by_hand = (np.pad(image, ((1, 1), (1, 1), (0, 0)))[2:5, 4:7] * edges[:, :, None]).sum()
print("at [0, 0, 1, 2]:", y.data[0, 0, 1, 2], "by hand:", by_hand)

# %% [markdown]
# ## A trap: numbers that run over
#
# Photographs are stored as `uint8`, whole numbers from 0 to 255. A sum of two of them
# may not fit, and NumPy then starts again at 0, without a word:

# %%
left, right = np.array([200, 20], np.uint8), np.array([100, 30], np.uint8)
print("uint8:", left + right, "  float:", left.astype(float) + right)

# %% [markdown]
# So make floats of an image before you compute with it.
#
# ## In three lines
#
# - A convolution does the same weighted sum in every window of an image.
# - Padding frames the image with zeros; stride moves the window further; dilation lets
#   it leave pixels out.
# - Each of O kernels is as deep as the image and gives one of the O channels that come
#   out.
