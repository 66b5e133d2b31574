"""What the exercises of lesson 9 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import Tensor, geometry, ops
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.ops import definitions

# ------------------------------------------------------------ transposed_output_size


@st.composite
def sizes(draw):
    """Draw a size, a kernel and a stride, and a padding that leaves something."""
    n, kernel, stride = (draw(st.integers(1, 5)) for _ in range(3))
    room = (n - 1) * stride + kernel
    return n, kernel, stride, draw(st.integers(0, min(2, (room - 1) // 2)))


def by_stamping(function, n, kernel, stride, padding):
    """Stamp, cut the padding off, and count."""
    reached = np.zeros(100)
    for r in range(n):
        reached[r * stride : r * stride + kernel] = 1
    last = int(np.flatnonzero(reached)[-1]) + 1
    compare(function(n, kernel, stride, padding), last - 2 * padding)


transposed_output_size = Exercise(
    "transposed_output_size",
    solution=geometry.conv_transpose_output_size,
    examples=[
        Example((2, 3, 2), 5, "the last stamp begins at place 2 and covers 3 places"),
        Example((16, 64, 32), 544, "15 · 32 + 64: what FCN-32s makes of 16 scores"),
        Example((4, 4, 2, 1), 8, "3 · 2 + 4 = 10, one cut off at both ends"),
    ],
    claims=[
        Claim(
            "as many places as the stamps cover, without the padding",
            sizes(),
            by_stamping,
        )
    ],
    reached="You can say how large any enlarged map is.",
)

# ------------------------------------------------------------------ conv_transpose2d


def library_transposed(x, weight, stride=1):
    """Call the library's definition."""
    return definitions.conv_transpose2d(x, weight, None, stride)


@st.composite
def maps(draw):
    """Draw small maps, kernels and a stride."""
    N, C, O, H, KH = (draw(st.integers(1, 2)) for _ in range(5))
    W, KW = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, weight = draw(arrays((N, C, H, W))), draw(arrays((C, O, KH, KW)))
    return x, weight, draw(st.integers(1, 3))


def is_the_adjoint(function, x, weight, stride):
    """⟨Aᵀ x, v⟩ = ⟨x, A v⟩, where A is the convolution with the same kernel."""
    y = np.asarray(function(x, weight, stride))
    v = np.random.default_rng(x.size).integers(-4, 5, y.shape).astype(float)
    down = definitions.conv2d(v, weight, stride=stride)
    compare(float((y * v).sum()), float((x * down).sum()))


def enlarged(function):
    """Enlarge a coarse map by the learner's function."""
    _, label = scenes.draw((128, 160), seed=7)
    coarse = (label > 0).astype(float).reshape(16, 8, 20, 8).mean(axis=(1, 3))
    kernel = ops.bilinear_kernel(16)[None, None]
    y = function(coarse[None, None], kernel, 8)[0, 0, 4:-4, 4:-4]
    figure, axes = drawing.canvas(2, width=3.6, height=3)
    drawing.photo(axes[0], coarse, "coarse map, 16 × 20")
    drawing.photo(axes[1], y, "enlarged by your function")
    return figure


conv_transpose2d = Exercise(
    "conv_transpose2d",
    solution=definitions.conv_transpose2d,
    library=library_transposed,
    examples=[
        Example(
            (np.array([[[[2.0, 3]]]]), np.array([[[[1.0, 2, 4]]]]), 2),
            np.array([[[[2.0, 4, 11, 6, 12]]]]),
            "2·(1 2 4), and 3·(1 2 4) two places further; 8 and 3 meet",
        ),
    ],
    claims=[
        Claim(
            "y[n, o, r·stride + i, q·stride + j] gets x[n, c, r, q] · weight[c, o, i, "
            "j]",
            maps(),
            equal_to(library_transposed),
        ),
        Claim("⟨y, v⟩ = ⟨x, the convolution of v⟩ for every v", maps(), is_the_adjoint),
    ],
    reached="You can enlarge any map, with any kernel.",
    picture=enlarged,
)

# --------------------------------------------------------------------- bilinear_taps


def library_taps(f):
    """Take a row of the library's kernel."""
    return definitions.bilinear_kernel((1, 2 * f - f % 2))[0]


def keeps_what_is_even(function, f):
    """Enlarge ones: inside they stay ones."""
    taps = np.asarray(function(f))
    compare(taps, library_taps(f))
    row = Tensor(np.ones((1, 1, 1, 4)))
    y = ops.conv_transpose2d(row, Tensor(taps.reshape(1, 1, 1, -1)), stride=(1, f))
    inside = y.data[0, 0, 0, len(taps) : -len(taps)]
    compare(inside, np.ones(len(inside)))


bilinear_taps = Exercise(
    "bilinear_taps",
    solution=definitions.bilinear_kernel,
    library=library_taps,
    examples=[
        Example(
            (2,), np.array([0.25, 0.75, 0.75, 0.25]), "new pixels lie ¼ and ¾ away"
        ),
        Example(
            (3,), np.array([1, 2, 3, 2, 1]) / 3, "with an odd f one lies on the old one"
        ),
        Example((1,), np.array([1.0]), "nothing is enlarged"),
    ],
    claims=[
        Claim(
            "a tap that is d taps from the middle has 1 − d / f, and a map of ones "
            "stays one of ones",
            st.tuples(st.integers(1, 9)),
            keeps_what_is_even,
        )
    ],
    reached="You know every number in the last layer of an FCN.",
)

EXERCISES = [transposed_output_size, conv_transpose2d, bilinear_taps]
