"""What the exercises of lesson 8 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import models, nn
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.geometry import pair
from minifcn.ops import definitions

# ---------------------------------------------------------------------------- rarefy


@st.composite
def kernels(draw):
    """Draw kernels, no two of whose sizes are meant to be alike, and a factor."""
    O, C, KH, KW = (draw(st.integers(1, 3)) for _ in range(4))
    return draw(arrays((O, C, KH, KW))), draw(st.integers(1, 3))


def is_a_dilation(function, weight, f):
    """Hold the convolution with the new kernel to a dilated one."""
    O, C, KH, KW = weight.shape
    size = (KH - 1) * f + 2, (KW - 1) * f + 3
    x = np.random.default_rng(weight.size).integers(-4, 5, (1, C, *size)).astype(float)
    y = definitions.conv2d(x, np.asarray(function(weight, f)))
    compare(y, definitions.conv2d(x, weight, dilation=f))


def further(function):
    """Draw edges found by a kernel and by the learner's rarefied ones."""
    grey = scenes.draw((96, 128), seed=5)[0].mean(axis=2)[None, None]
    edges = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
    figure, axes = drawing.canvas(3, width=3.6, height=3)
    for place, f in zip(axes, (1, 2, 4)):
        y = definitions.conv2d(grey[:, :, ::2, ::2], function(edges, f))
        drawing.photo(place, y[0, 0], f"your rarefy, f = {f}")
    return figure


rarefy = Exercise(
    "rarefy",
    solution=definitions.rarefy,
    examples=[
        Example(
            (np.array([[[[1.0, 2]]]]), 2),
            np.array([[[[1.0, 0, 2]]]]),
            "one hole between two neighbours",
        ),
        Example(
            (np.array([[[[1.0], [2]]]]), 3),
            np.array([[[[1.0], [0], [0], [2]]]]),
            "two holes; a single column stays one",
        ),
    ],
    claims=[
        Claim(
            "y[i, j] = weight[i / f, j / f] where f divides i and j, else 0",
            kernels(),
            equal_to(definitions.rarefy),
        ),
        Claim(
            "convolved with it: the same as a dilation of f", kernels(), is_a_dilation
        ),
    ],
    reached="You can make a kernel reach further without a new number.",
    picture=further,
)

# ----------------------------------------------------------------------------- holes


def library_holes(strides):
    """Let the library take the strides out of a chain of pools."""
    chain = nn.Sequential(*(nn.MaxPool2d(2, stride) for stride in strides))
    dense = models.a_trous(chain)
    return [pair(layer.dilation, "dilation")[0] for layer in dense.layers]


def by_distance(function, strides):
    """Count pixels between two neighbours that a layer sees, walking down."""
    expected = []
    for count in range(len(strides)):
        places = [0, 1]
        for stride in reversed(strides[:count]):
            places = [place * stride for place in places]
        expected.append(places[1] - places[0])
    found = function(strides)
    compare(tuple(found) if isinstance(found, list) else found, tuple(expected))


holes = Exercise(
    "holes",
    solution=models.a_trous,
    library=library_holes,
    examples=[
        Example(([1, 2, 1],), [1, 1, 2], "the last layer stands behind a stride of 2"),
        Example(([2, 2, 3, 1],), [1, 2, 4, 12], "1, then 2, then 2·2, then 2·2·3"),
    ],
    claims=[
        Claim(
            "as many pixels as lie between two neighbours that the layer sees",
            st.tuples(st.lists(st.integers(1, 3), min_size=1, max_size=4)),
            by_distance,
        )
    ],
    reached="You can take the strides out of any network.",
)

EXERCISES = [rarefy, holes]
