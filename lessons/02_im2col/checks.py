"""What the exercises of lesson 2 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import Tensor, geometry, ops
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays, sizes_around
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.ops import bands, definitions

SMALL = np.array([[[[3.0, 1, 2], [0, 4, 5]]]])  # (1, 1, 2, 3)

# ---------------------------------------------------------------------------- im2col


def library_im2col(x, kernel, stride=1):
    """Call the library's definition with arrays."""
    return definitions.im2col(x, kernel, stride)


@st.composite
def images(draw):
    """Draw images, a kernel that fits, and a stride."""
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.integers(1, 3))
    places = draw(st.integers(0, 1)), draw(st.integers(0, 2))
    size = [n + draw(st.integers(0, 2)) for n in sizes_around(places, kernel, stride)]
    N, C = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return draw(arrays((N, C, *size))), kernel, stride


im2col = Exercise(
    "im2col",
    solution=definitions.im2col,
    library=library_im2col,
    examples=[
        Example(
            (SMALL, (2, 2)),
            np.array([[[3.0, 1], [1, 2], [0, 4], [4, 5]]]),
            "the first window is 3 1 0 4, the second 1 2 4 5: each is a column",
        ),
        Example(
            (SMALL, (1, 1), 2),
            np.array([[[3.0, 2]]]),
            "at stride 2 the windows are the pixels 3 and 2",
        ),
        Example(
            (np.array([[[[1.0, 2]], [[3, 4]]]]), (1, 2)),
            np.array([[[1.0], [2], [3], [4]]]),
            "a column holds the pixels of both channels, the first channel's on top",
        ),
    ],
    claims=[
        Claim(
            "cols[n, (c·KH + i)·KW + j, r·OW + q] = x[n, c, r·stride + i, "
            "q·stride + j]",
            images(),
            equal_to(library_im2col),
        )
    ],
    reached="You can write any convolution layer as a matrix.",
)

# --------------------------------------------------------------- conv2d_from_columns


def library_product(weight, cols, size):
    """Multiply the definition's way: one sum after the other."""
    O, N = len(weight), len(cols)
    y = np.zeros((N, O, cols.shape[2]), cols.dtype)
    for n, o, place in np.ndindex(*y.shape):
        y[n, o, place] = (weight[o].ravel() * cols[n, :, place]).sum()
    return y.reshape(N, O, *size)


@st.composite
def products(draw):
    """Draw kernels, columns that fit them, and the output's size."""
    C, KH, KW = (draw(st.integers(1, 2)) for _ in range(3))
    N, O = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    OH, OW = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    weight = draw(arrays((O, C, KH, KW)))
    return weight, draw(arrays((N, C * KH * KW, OH * OW))), (OH, OW)


def is_the_convolution(function, weight, cols, size):
    """Hold the function to im2col and the convolution of an image."""
    rng = np.random.default_rng(cols.size)
    x = rng.integers(-4, 5, (2, weight.shape[1], 4, 5)).astype(float)
    kernel = weight.shape[2:]
    OH, OW = (n - k + 1 for n, k in zip(x.shape[2:], kernel))
    columns = ops.im2col(Tensor(x), kernel).data
    compare(function(weight, columns, (OH, OW)), definitions.conv2d(x, weight))


def edges(function):
    """Draw what the learner's product makes of a scene."""
    image, _ = scenes.draw((60, 80), seed=6)
    x = image.transpose(2, 0, 1)[None] / 255.0
    kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    weight = np.stack([[kernel] * 3, [kernel.T] * 3])
    cols = ops.im2col(Tensor(x), 3, padding=1).data
    y = function(weight, cols, (60, 80))
    figure, axes = drawing.canvas(3, width=3.6, height=3)
    drawing.photo(axes[0], image, "image")
    drawing.photo(axes[1], y[0, 0], "your product: left to right")
    drawing.photo(axes[2], y[0, 1], "your product: top to bottom")
    return figure


conv2d_from_columns = Exercise(
    "conv2d_from_columns",
    solution=bands.correlate,
    library=library_product,
    examples=[
        Example(
            (
                np.array([[[[1.0, -1], [2, 0]]]]),
                np.array([[[3.0, 1], [1, 2], [0, 4], [4, 5]]]),
                (1, 2),
            ),
            np.array([[[[2.0, 7]]]]),
            "1·3 + (−1)·1 + 2·0 + 0·4 = 2, and 1·1 + (−1)·2 + 2·4 + 0·5 = 7",
        ),
    ],
    claims=[
        Claim(
            "y[n, o] is the product of kernel o, as a row, with image n's columns",
            products(),
            equal_to(library_product),
        ),
        Claim(
            "with the columns of im2col it is the convolution of lesson 1",
            products(),
            is_the_convolution,
        ),
    ],
    reached="All the sums of a layer are one matrix product now.",
    picture=edges,
)

# --------------------------------------------------------------------- columns_bytes


def library_bytes(shape, kernel, itemsize):
    """Count the rows and the columns by the library's own rules."""
    C, *size = shape
    OH, OW = (geometry.conv_output_size(n, k) for n, k in zip(size, kernel))
    return C * kernel[0] * kernel[1] * OH * OW * itemsize


@st.composite
def shapes(draw):
    """Draw an image's shape, a kernel that fits, and the size of a number."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    C, H, W = draw(st.integers(1, 5)), *(k + draw(st.integers(0, 9)) for k in kernel)
    return (C, H, W), kernel, draw(st.sampled_from((4, 8)))


def as_im2col(function, shape, kernel, itemsize):
    """Hold the figure to the array that im2col really makes."""
    x = np.zeros((1, *shape), {4: np.float32, 8: np.float64}[itemsize])
    compare(
        function(shape, kernel, itemsize), ops.im2col(Tensor(x), kernel).data.nbytes
    )


columns_bytes = Exercise(
    "columns_bytes",
    solution=geometry.conv_output_size,
    library=library_bytes,
    examples=[
        Example(((1, 2, 3), (2, 2), 4), 32, "4 rows, 2 columns, 4 bytes each"),
        Example(
            ((64, 700, 700), (3, 3), 4),
            1_122_518_016,
            "64 · 9 rows, 698 · 698 columns: conv1_2 of VGG-16, more than a gigabyte",
        ),
    ],
    claims=[Claim("as many bytes as the array of im2col has", shapes(), as_im2col)],
    reached="You know why a layer can run out of memory.",
)

EXERCISES = [im2col, conv2d_from_columns, columns_bytes]
