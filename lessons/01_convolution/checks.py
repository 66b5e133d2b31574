"""What the exercises of lesson 1 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import geometry
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays, sizes_around
from minifcn.data import scenes
from minifcn.ops import definitions
from minifcn.ops.im2col import unfold

SMALL = np.array([[[3.0, 1, 2], [0, 4, 5]]])  # (1, 2, 3)


# ------------------------------------------------------------------ conv_output_size


@st.composite
def sizes(draw):
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = draw(st.integers(0, 3))
    n = draw(st.integers(max(1, kernel - 2 * padding), 12))
    return n, kernel, stride, padding


def fits(function, n, kernel, stride, padding):
    """Count the windows one by one."""
    first_pixels = range(-padding, n + padding - kernel + 1, stride)
    equal_to(lambda *_: len(first_pixels))(function, n, kernel, stride, padding)


conv_output_size = Exercise(
    "conv_output_size",
    solution=geometry.conv_output_size,
    examples=[
        Example((5, 3), 3, "windows begin at pixels 0, 1 and 2: three of them"),
        Example((5, 3, 2), 2, "at stride 2 they begin at pixels 0 and 2"),
        Example((6, 3, 2), 2, "one pixel more is not enough for a third window"),
        Example((5, 3, 1, 1), 5, "with a zero at each end the axis has 7 pixels"),
    ],
    claims=[Claim("as many as one counts, window by window", sizes(), fits)],
    reached="You can say the size of every map in a network.",
)


# ---------------------------------------------------------------------------- window


def unfolded(x, r, q, kernel, stride=1, dilation=1):
    """Take one window out of all, by the library."""
    size = [
        geometry.conv_output_size(n, k, stride, 0, dilation)
        for n, k in zip(x.shape[1:], kernel)
    ]
    pairs = (stride, stride), ((0, 0), (0, 0)), (dilation, dilation)
    return unfold(x, kernel, *pairs, tuple(size))[..., r, q]


@st.composite
def places(draw):
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    r, q = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    size = sizes_around((r, q), kernel, stride, dilation)
    x = draw(
        arrays((draw(st.integers(1, 2)), *(n + draw(st.integers(0, 2)) for n in size)))
    )
    return x, r, q, kernel, stride, dilation


window = Exercise(
    "window",
    solution=unfold,
    library=unfolded,
    examples=[
        Example((SMALL, 0, 0, (2, 2)), SMALL[:, :, :2], "the upper left corner"),
        Example((SMALL, 0, 1, (2, 2)), SMALL[:, :, 1:], "one pixel further right"),
        Example(
            (SMALL, 0, 1, (2, 1), 2), SMALL[:, :, 2:], "window 1 begins at pixel 2"
        ),
        Example(
            (SMALL, 0, 0, (1, 2), 1, 2),
            np.array([[[3.0, 2]]]),
            "with dilation 2 every second pixel is taken: 3 and 2",
        ),
    ],
    claims=[
        Claim(
            "window[c, i, j] = x[c, r·stride + i·dilation, q·stride + j·dilation]",
            places(),
            equal_to(unfolded),
        )
    ],
    reached="You can say which pixels any output of a convolution sees.",
)


# ---------------------------------------------------------------------------- conv2d


def library_conv2d(x, weight, stride=1, padding=0, dilation=1):
    return definitions.conv2d(x, weight, None, stride, padding, dilation)


@st.composite
def batches(draw):
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride, dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    padding = draw(st.integers(0, 1))
    H, W = (
        max(1, n - 2 * padding) + draw(st.integers(0, 2))
        for n in sizes_around((0, 1), kernel, stride, dilation)
    )
    N, C, O = (draw(st.integers(1, 2)) for _ in range(3))
    x, weight = draw(arrays((N, C, H, W))), draw(arrays((O, C, *kernel)))
    return x, weight, stride, padding, dilation


def edges(function):
    """Draw the edges that the learner's convolution finds."""
    image, _ = scenes.draw((60, 80), seed=5)
    x = image.transpose(2, 0, 1)[None].astype(float) / 255
    kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    y = function(x, np.stack([[kernel] * 3, [kernel.T] * 3]), 1, 1)
    figure, axes = drawing.canvas(3, width=3.6, height=3)
    drawing.photo(axes[0], image, "image")
    drawing.photo(axes[1], y[0, 0], "your conv2d: left to right")
    drawing.photo(axes[2], y[0, 1], "your conv2d: top to bottom")
    return figure


conv2d = Exercise(
    "conv2d",
    solution=definitions.conv2d,
    library=library_conv2d,
    examples=[
        Example(
            (SMALL[None], np.array([[[[1.0, -1], [2, 0]]]])),
            np.array([[[[2.0, 7]]]]),
            "3·1 + 1·(−1) + 0·2 + 4·0 = 2, and then 1·1 + 2·(−1) + 4·2 + 5·0 = 7",
        ),
        Example(
            (np.ones((1, 2, 1, 3)), np.ones((1, 2, 1, 2))),
            np.full((1, 1, 1, 2), 4.0),
            "the sum goes over both channels: 2 · 2 ones",
        ),
    ],
    claims=[
        Claim(
            "y[n, o, r, q] = Σ weight[o, c, i, j] · x[n, c, r·stride + i·dilation − "
            "padding, q·stride + j·dilation − padding], zero outside of x",
            batches(),
            equal_to(library_conv2d),
        )
    ],
    reached="This is every convolution of an FCN; what comes later makes it fast.",
    picture=edges,
)

EXERCISES = [conv_output_size, window, conv2d]
