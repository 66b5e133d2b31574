"""What the exercises of lesson 4 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays, distinct
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.geometry import ReceptiveField
from minifcn.ops import definitions, pooling

SMALL = np.array([[[[1.0, 5, 2, 0], [4, 2, 8, 1]]]])  # (1, 1, 2, 4)


@st.composite
def maps(draw, values=arrays):
    """Draw maps whose sizes are multiples of k, and some that are not quite."""
    k = draw(st.integers(1, 3))
    H, W = k * draw(st.integers(1, 2)), k * draw(st.integers(1, 3))
    more = draw(st.integers(0, k - 1))  # what is left over is not looked at
    N, C = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return draw(values((N, C, H, W + more))), k


# ------------------------------------------------------------------------ max_pool2d


def library_max(x, k):
    """Call the library's definition."""
    return definitions.max_pool2d(x, k)


def pooled(function):
    """Draw a scene pooled by the learner's function, again and again."""
    image, _ = scenes.draw((96, 128), seed=8)
    x = image.transpose(2, 0, 1)[None].astype(float) / 255
    figure, axes = drawing.canvas(3, width=3.6, height=3)
    for number, place in enumerate(axes):
        drawing.photo(
            place, x[0].transpose(1, 2, 0), f"your max_pool2d, {number} times"
        )
        x = function(x, 2)
    return figure


max_pool2d = Exercise(
    "max_pool2d",
    solution=definitions.max_pool2d,
    library=library_max,
    examples=[
        Example(
            (SMALL, 2),
            np.array([[[[5.0, 8]]]]),
            "of 1 5 4 2 it is 5, of 2 0 8 1 it is 8",
        ),
        Example(
            (-SMALL, 2), np.array([[[[-1.0, 0]]]]), "of −1 −5 −4 −2 the largest is −1"
        ),
    ],
    claims=[
        Claim(
            "y[n, c, r, q] is the largest of x[n, c, r·k … r·k + k − 1, q·k …]",
            maps(),
            equal_to(library_max),
        )
    ],
    reached="You can make maps smaller and keep what was found.",
    picture=pooled,
)

# --------------------------------------------------------------- max_pool2d_backward


def library_backward(gy, x, k):
    """Ask the tape."""
    leaf = Tensor(x, requires_grad=True)
    ops.max_pool2d(leaf, k).backward(gy)
    return leaf.grad


@st.composite
def gradients(draw, values=arrays):
    """Draw a map, and the gradient of what comes out of it."""
    x, k = draw(maps(values))
    N, C, H, W = x.shape
    return draw(arrays((N, C, H // k, W // k))), x, k


def by_differences(function, gy, x, k):
    """Move each pixel a little: where all differ, one at most matters."""
    h = 0.25
    expected = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = x.copy()
        moved[place] += h
        change = definitions.max_pool2d(moved, k) - definitions.max_pool2d(x, k)
        expected[place] = (change * gy).sum() / h
    compare(function(gy, x, k), expected)


max_pool2d_backward = Exercise(
    "max_pool2d_backward",
    solution=pooling.MaxPool2d,
    library=library_backward,
    examples=[
        Example(
            (np.array([[[[10.0, 20]]]]), SMALL, 2),
            np.array([[[[0.0, 10, 0, 0], [0, 0, 20, 0]]]]),
            "5 and 8 were the winners",
        ),
        Example(
            (
                np.array([[[[7.0]]]]),
                np.array([[[[3.0, 3]], [[3, 3]]]]).reshape(1, 1, 2, 2),
                2,
            ),
            np.array([[[[7.0, 0], [0, 0]]]]),
            "all are equal: the first one wins",
        ),
    ],
    claims=[
        Claim(
            "each winner gets its window's gradient, once",
            gradients(),
            equal_to(library_backward),
        ),
        Claim(
            "gx says by how much the outputs change",
            gradients(distinct),
            by_differences,
        ),
    ],
    reached="Gradients pass through pooling now.",
)

# ------------------------------------------------------------------- receptive_field


def library_field(layers):
    """Compose, as the library does."""
    field = ReceptiveField()
    for kernel, stride in layers:
        field = field.then(kernel, stride)
    return tuple(field)


small_layers = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 2)), min_size=0, max_size=3
)


def by_trying(function, layers):
    """Find which pixels matter to two neighbours, on a line long enough."""

    def sees(place):
        """Return the pixels that output `place` reads, walking down."""
        wanted = {place}
        for kernel, stride in reversed(layers):
            wanted = {w * stride + i for w in wanted for i in range(kernel)}
        return wanted

    first, second = sees(0), sees(1)
    size = max(first) - min(first) + 1
    compare(function(layers), (size, min(second) - min(first)))


receptive_field = Exercise(
    "receptive_field",
    solution=ReceptiveField,
    library=library_field,
    examples=[
        Example(([],), (1, 1), "without any layer a number is a pixel"),
        Example(([(3, 1)],), (3, 1), "a kernel of 3 sees 3 pixels"),
        Example(([(3, 1), (2, 2)],), (4, 2), "two neighbours see 4 pixels together"),
        Example(
            ([(3, 1), (2, 2), (3, 1)],),
            (8, 2),
            "three numbers, 2 pixels apart, that see 4 each: 4 + 2 + 2",
        ),
    ],
    claims=[
        Claim(
            "size → size + (k − 1) · stride; stride → stride · s",
            st.tuples(small_layers),
            equal_to(library_field),
        ),
        Claim(
            "as many pixels as can be reached by walking down",
            st.tuples(small_layers),
            by_trying,
        ),
    ],
    reached="You can say what any number of any network knows of the image.",
)

EXERCISES = [max_pool2d, max_pool2d_backward, receptive_field]
