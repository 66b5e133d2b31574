"""What the exercises of lesson 6 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import models, nn
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.geometry import ReceptiveField
from minifcn.models import multiply_adds
from minifcn.ops import definitions

# ----------------------------------------------------------------- matrix_to_kernels


@st.composite
def matrices(draw):
    """Draw a matrix for a map of C channels of K × K."""
    O, C, K = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    return draw(arrays((O, C * K * K))), C, K


def gives_the_same(function, matrix, C, K):
    """Hold the convolution of a map to the product with it, flattened."""
    x = np.random.default_rng(matrix.size).integers(-4, 5, (C, K, K)).astype(float)
    kernel = function(matrix, C, K)
    compare(np.asarray(kernel), models.fully_connected_to_convolution(matrix, C, K))
    compare(definitions.conv2d(x[None], kernel).ravel(), matrix @ x.ravel())


matrix_to_kernels = Exercise(
    "matrix_to_kernels",
    solution=models.fully_connected_to_convolution,
    examples=[
        Example(
            (np.array([[1.0, 2, 3, 4]]), 1, 2),
            np.array([[[[1.0, 2], [3, 4]]]]),
            "one channel of 2 × 2, flattened row by row",
        ),
        Example(
            (np.array([[1.0, 2], [3, 4]]), 2, 1),
            np.array([[[[1.0]], [[2]]], [[[3]], [[4]]]]),
            "two channels of one pixel: a row is a kernel",
        ),
    ],
    claims=[
        Claim(
            "kernel o has the numbers of row o, in their order",
            matrices(),
            equal_to(models.fully_connected_to_convolution),
        ),
        Claim(
            "as a convolution it gives what the matrix gives",
            matrices(),
            gives_the_same,
        ),
    ],
    reached="Any classifier can become a fully convolutional network.",
)

# --------------------------------------------------------------------- answer_window


def library_window(r, q, size, stride):
    """Count from the field of answer (0, 0)."""
    field = ReceptiveField(size, stride)
    top, left = r * field.stride, q * field.stride
    return top, left, top + field.size, left + field.size


small = st.integers(0, 6)


def of_a_net(function, r, q, kernel, pool):
    """Find by a gradient what an answer of a small net sees."""
    layers = [(kernel, 1), (pool, pool), (2, 1)]
    field = ReceptiveField()
    for k, s in layers:
        field = field.then(k, s)

    def along(place):
        wanted = {place}
        for k, s in reversed(layers):
            wanted = {w * s + i for w in wanted for i in range(k)}
        return min(wanted), max(wanted) + 1

    (top, bottom), (left, right) = along(r), along(q)
    compare(function(r, q, *field), (top, left, bottom, right))


def windows(function):
    """Draw some windows by the learner's function."""
    image, _ = scenes.draw((144, 240), seed=2)
    figure, axes = drawing.canvas(1, width=6, height=3.8)
    drawing.photo(axes[0], image, "what your answers see: 48 pixels, 8 apart")
    for (r, q), colour in zip(
        [(0, 0), (0, 1), (6, 9), (12, 24)], ["white", "yellow", "cyan", "red"]
    ):
        top, left, bottom, right = function(r, q, 48, 8)
        drawing.frame(axes[0], top, left, bottom - top, right - left, colour)
    return figure


answer_window = Exercise(
    "answer_window",
    solution=ReceptiveField,
    library=library_window,
    examples=[
        Example((0, 0, 48, 8), (0, 0, 48, 48), "the first answer sees the first crop"),
        Example(
            (2, 3, 48, 8), (16, 24, 64, 72), "two answers down, three to the right"
        ),
    ],
    claims=[
        Claim(
            "(r·stride, q·stride, r·stride + size, q·stride + size)",
            st.tuples(small, small, st.integers(1, 9), st.integers(1, 9)),
            equal_to(library_window),
        ),
        Claim(
            "the pixels that the answer of a real net depends on",
            st.tuples(small, small, st.integers(1, 3), st.integers(1, 3)),
            of_a_net,
        ),
    ],
    reached="You can say where on the photograph an answer belongs.",
    picture=windows,
)

# ---------------------------------------------------------------- conv_multiply_adds


def library_count(weight_shape, size):
    """Let the library count a net of one layer."""
    O, C, *kernel = weight_shape
    layer = nn.Conv2d(C, O, tuple(kernel), initialiser=nn.zeros)
    return multiply_adds(layer, [n + k - 1 for n, k in zip(size, kernel)])


def by_counting(function, weight_shape, size):
    """Count the products of ones: their sum."""
    _, C, KH, KW = weight_shape
    x = np.ones((1, C, size[0] + KH - 1, size[1] + KW - 1))
    compare(
        function(weight_shape, size),
        int(definitions.conv2d(x, np.ones(weight_shape)).sum()),
    )


few = st.integers(1, 3)
convolutions = st.tuples(
    st.tuples(few, few, few, few), st.tuples(few, st.integers(1, 4))
)

conv_multiply_adds = Exercise(
    "conv_multiply_adds",
    solution=multiply_adds,
    library=library_count,
    examples=[
        Example(((1, 1, 2, 2), (1, 2)), 8, "two outputs, four products each"),
        Example(((4, 3, 1, 1), (2, 5)), 120, "4 · 3 for each of ten pixels"),
        Example(
            ((4096, 512, 7, 7), (16, 16)),
            26_306_674_688,
            "fc6 of VGG-16 on a photograph of 500 pixels: 26 thousand million",
        ),
    ],
    claims=[
        Claim(
            "O·C·KH·KW products for each of the OH·OW pixels",
            convolutions,
            equal_to(library_count),
        ),
        Claim("as many as there are ones in the sums", convolutions, by_counting),
    ],
    reached="You can say what a layer costs before it is run.",
)

EXERCISES = [matrix_to_kernels, answer_window, conv_multiply_adds]
