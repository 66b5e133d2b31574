# %% [markdown]
# In lesson 1 a convolution was four loops with a small sum inside. That is right, and
# much too slow: Python needs about a microsecond for each step, and one layer of a
# large network makes billions of them. This lesson turns all the sums into **one matrix
# product**. Computers are better at that than at almost anything else.

# %%
import numpy as np

from minifcn.course import drawing, picture

x = np.array([[3, 1, 2, 7],
              [0, 4, 5, 6],
              [8, 9, 1, 3]])  # (H, W)
kernel = np.array([[1, -1],
                   [2, 0]])  # (KH, KW)

# %% [markdown]
# ## A window becomes a column
#
# The kernel has four numbers, and each window has four pixels. Write the pixels of a
# window one below the other: that is a column of four numbers. Do so for every window,
# and put the columns side by side. The image has 2 × 3 windows, so this gives the
# **column matrix**, with 4 rows and 6 columns.

# %%
def columns_of(x, KH, KW):
    """Write the windows of one grey image as columns, window by window."""
    columns = []
    for r in range(x.shape[0] - KH + 1):
        for q in range(x.shape[1] - KW + 1):
            columns.append(x[r:r + KH, q:q + KW].ravel())  # row by row: KH·KW numbers
    return np.stack(columns, axis=1)


cols = columns_of(x, 2, 2)
print(cols)

# %% [drawing]
figure, axes = drawing.matrices([x, cols], ["image", "column matrix"])
drawing.frame(axes[0], 0, 0, 2, 2, drawing.ORANGE)
drawing.frame(axes[1], 0, 0, 4, 1, drawing.ORANGE)
drawing.frame(axes[0], 1, 2, 2, 2, drawing.GREEN)
drawing.frame(axes[1], 0, 5, 4, 1, drawing.GREEN)
picture(figure, "columns", "A window, and the column that it has become.")

# %% [markdown]
# Now look at the first column, 3 1 0 4, and write the kernel as a *row*: 1 −1 2 0. The
# sum of lesson 1 was 3·1 + 1·(−1) + 0·2 + 4·0 = 2. That is exactly what a **matrix
# product** does with a row and a column! So the row times the whole column matrix gives
# all outputs at once:

# %%
row = kernel.reshape(1, 4)
y = (row @ cols).reshape(2, 3)
print("row:   ", row)
print("output:", y.tolist())
print("first window by hand:", 3 * 1 + 1 * -1 + 0 * 2 + 4 * 0)

# %% [markdown]
# This way of writing windows as columns is called **im2col** ("image to columns").
#
# ## Fast columns
#
# `columns_of` still walks from window to window. There are few pixels in a kernel and
# many windows, so it is better to walk over the *kernel*: the upper left pixels of all
# windows together are the image without its last row and last column. One slice copies
# a whole row of the column matrix:

# %%
KH, KW, OH, OW = 2, 2, 2, 3
fast = np.zeros((KH, KW, OH, OW), x.dtype)
for i, j in np.ndindex(KH, KW):
    fast[i, j] = x[i:i + OH, j:j + OW]  # pixel (i, j) of every window
fast = fast.reshape(KH * KW, OH * OW)
print("the same matrix:", (fast == cols).all())

# %% [drawing]
shown = [x[i:i + OH, j:j + OW] for i, j in [(0, 0), (0, 1), (1, 1)]]
figure, axes = drawing.matrices(
    [x, cols], ["image: the upper right pixels of all windows", "column matrix, row 1"]
)
drawing.frame(axes[0], 0, 1, 2, 3, drawing.GREEN)
drawing.frame(axes[1], 1, 0, 1, 6, drawing.GREEN)
picture(figure, "rows", "A slice of the image is a row of the column matrix.")

# %% [markdown]
# ## Many channels, many kernels, many images
#
# With C channels a window has C·KH·KW pixels, and a column is that long. With O kernels
# there are O rows. With N images there are N column matrices:
#
#     weight (O, C, KH, KW)  →  (O, C·KH·KW)
#     cols                      (N, C·KH·KW, OH·OW)
#     y = weight @ cols         (N, O, OH·OW)  →  (N, O, OH, OW)

# %%
from minifcn import Tensor, ops

rng = np.random.default_rng(0)
images = rng.integers(-9, 10, (2, 3, 5, 7)).astype(float)  # (N, C, H, W)
weight = rng.integers(-9, 10, (4, 3, 2, 3)).astype(float)  # (O, C, KH, KW)
cols = ops.im2col(Tensor(images), (2, 3)).data             # (N, C·KH·KW, OH·OW)
y = (weight.reshape(4, -1) @ cols).reshape(2, 4, 4, 5)
expected = ops.definitions.conv2d(images, weight)          # lesson 1, loops and all
print(cols.shape, "→", y.shape, " equal:", (y == expected).all())

# %% [markdown]
# How much faster is it? The loops of lesson 1 against one product, on a small image:

# %% [varies]
import time

images, weight = rng.normal(size=(1, 8, 24, 32)), rng.normal(size=(8, 8, 3, 3))
start = time.perf_counter()
ops.definitions.conv2d(images, weight)
middle = time.perf_counter()
weight.reshape(8, -1) @ ops.im2col(Tensor(images), 3).data
end = time.perf_counter()
print(f"loops   {1000 * (middle - start):8.1f} ms")
print(f"product {1000 * (end - middle):8.1f} ms")

# %% [markdown]
# ## The price: memory
#
# A pixel lies in up to KH·KW windows: it stands in the column matrix up to nine times
# for a 3 × 3 kernel. For the second layer of VGG-16 on one photograph of 500 × 500
# pixels (64 channels, padded to 698 × 698 outputs) that is

# %%
numbers = 64 * 3 * 3 * 698 * 698
print(f"{numbers:,} numbers, {4 * numbers / 2**30:.2f} GiB in float32")
print(f"the image itself: {64 * 698 * 698 * 4 / 2**30:.2f} GiB")

# %% [markdown]
# The way out: nobody needs all columns at the same time. Take a few rows of the output,
# a **band**, make only *their* columns, multiply, and use the same memory again for the
# next band. A band's columns are small enough to stay in the processor's cache, so this
# is even faster. Lesson 17 comes back to it.

# %%
image = rng.normal(size=(8, 64, 80))  # (C, H, W)
weight = rng.normal(size=(4, 8, 3, 3))
whole = weight.reshape(4, -1) @ ops.im2col(Tensor(image[None]), 3).data[0]
bands = []
for top in range(0, 62, 8):  # bands of 8 output rows
    strip = image[:, top:min(top + 8, 62) + 2]  # what they see: 2 rows more
    cols = ops.im2col(Tensor(strip[None]), 3).data[0]
    bands.append(weight.reshape(4, -1) @ cols)
print("equal:", np.allclose(np.concatenate(bands, axis=1), whole))
print(f"columns at a time: {cols.size:,} instead of {8 * 9 * 62 * 78:,}")

# %% [drawing]
stripes = np.repeat(np.arange(8) % 2, 8)[:62, None] * np.ones((1, 78))
figure, axes = drawing.canvas(2, width=3.4, height=2.8)
drawing.photo(axes[0], image[0], "one channel of the image")
drawing.frame(axes[0], 16, 0, 10, 80, drawing.ORANGE, inset=0)
drawing.photo(axes[1], stripes, "output, in bands of 8 rows", cmap="Blues", vmax=3)
drawing.frame(axes[1], 16, 0, 8, 78, drawing.ORANGE, inset=0)
picture(figure, "bands", "A band of 8 output rows sees 10 rows of the image.")

# %% [markdown]
# ## A trap: the right shape with the wrong numbers
#
# `reshape` never complains as long as the count is right. If the axes stand in another
# order, the product still has the right shape, and every number in it is wrong. Here
# the windows' pixels are put *behind* the places, as somebody might who thinks of
# "windows with pixels in them":

# %%
images = rng.integers(-9, 10, (1, 3, 5, 7)).astype(float)
weight = rng.integers(-9, 10, (4, 3, 2, 3)).astype(float)
windows = np.lib.stride_tricks.sliding_window_view(images, (2, 3), axis=(2, 3))
print(windows.shape, "is (N, C, OH, OW, KH, KW)")
wrong = weight.reshape(4, -1) @ windows.reshape(1, 3 * 2 * 3, 4 * 5)
right = weight.reshape(4, -1) @ windows.transpose(0, 1, 4, 5, 2, 3).reshape(1, 18, 20)
expected = ops.definitions.conv2d(images, weight).reshape(1, 4, 20)
print("shapes:", wrong.shape, expected.shape)
print("wrong order equal:", (wrong == expected).all())
print("right order equal:", (right == expected).all())

# %% [markdown]
# So never test a shape alone. Compare numbers, and use sizes that all differ: with as
# many channels as rows, some mistakes hide.
#
# ## In three lines
#
# - im2col writes each window as a column; each kernel is a row; their product is the
#   convolution.
# - Walk over the few pixels of the kernel, not over the many windows.
# - The column matrix holds every pixel up to KH·KW times; bands keep it small.
