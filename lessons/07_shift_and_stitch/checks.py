"""What the exercises of lesson 7 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import Tensor, models, nn, no_grad
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.ops import definitions

QUARTERS = np.arange(8.0).reshape(2, 2, 1, 2)  # two by two runs of 1 × 2 answers

# ------------------------------------------------------------------------ interleave


def library_interleave(parts):
    """Lay the runs out as channels, which the library's interleave takes."""
    f, _, h, w = parts.shape
    return definitions.interleave(parts.reshape(1, f * f, h, w), f)[0, 0]


@st.composite
def runs(draw):
    """Draw the answers of f · f runs."""
    f, h, w = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return (draw(arrays((f, f, h, w))),)


def of_a_map(function, parts):
    """Take a map apart by its places and hold what comes back to it."""
    f, _, h, w = parts.shape
    y = np.arange(1.0 * f * h * f * w).reshape(f * h, f * w)
    apart = np.array([[y[a::f, b::f] for b in range(f)] for a in range(f)])
    compare(function(apart), y)


def sewn(function):
    """Draw a scene taken apart into sixteen and stitched by the learner."""
    grey = scenes.draw((96, 128), seed=9)[0].mean(axis=2)
    parts = np.array([[grey[a::4, b::4] for b in range(4)] for a in range(4)])
    figure, axes = drawing.canvas(2, width=4.2, height=3.3)
    drawing.photo(axes[0], parts[1, 2], "one of sixteen pieces")
    drawing.photo(axes[1], function(parts), "stitched by your interleave")
    return figure


interleave = Exercise(
    "interleave",
    solution=definitions.interleave,
    library=library_interleave,
    examples=[
        Example(
            (QUARTERS,),
            np.array([[0.0, 2, 1, 3], [4, 6, 5, 7]]),
            "run (0, 0) has 0 and 1, run (0, 1) has 2 and 3: in turn, 0 2 1 3",
        ),
    ],
    claims=[
        Claim(
            "y[a + f·r, b + f·q] = parts[a, b, r, q]",
            runs(),
            equal_to(library_interleave),
        ),
        Claim("what was taken apart is whole again", runs(), of_a_map),
    ],
    reached="You can stitch the answers of many runs.",
    picture=sewn,
)

# ---------------------------------------------------------------------- deinterleave


def library_deinterleave(y, f):
    """Take the library's channels as runs."""
    parts = definitions.deinterleave(y[None, None], f)[0]
    return parts.reshape(f, f, *parts.shape[1:])


@st.composite
def maps(draw):
    """Draw a map whose sizes are multiples of f."""
    f = draw(st.integers(1, 3))
    return draw(arrays((f * draw(st.integers(1, 2)), f * draw(st.integers(1, 3))))), f


def there_and_back(function, y, f):
    """Stitch again by the library."""
    compare(library_interleave(np.asarray(function(y, f))), y)


deinterleave = Exercise(
    "deinterleave",
    solution=definitions.deinterleave,
    library=library_deinterleave,
    examples=[
        Example(
            (np.array([[0.0, 2, 1, 3], [4, 6, 5, 7]]), 2),
            QUARTERS,
            "run (0, 0) has every second answer of every second row: 0 and 1",
        ),
    ],
    claims=[
        Claim(
            "parts[a, b, r, q] = y[a + f·r, b + f·q]",
            maps(),
            equal_to(library_deinterleave),
        ),
        Claim("stitched again it is what it was", maps(), there_and_back),
    ],
    reached="You can go from dense answers to runs and back.",
)

# ------------------------------------------------------------------------ dense_line


class Line:
    """A network on a line: sums of `kernel` pixels, then pooling over f."""

    def __init__(self, kernel, f):
        self.kernel, self.f = kernel, f

    def __call__(self, line):
        sums = np.convolve(line, np.ones(self.kernel), mode="valid")
        whole = len(sums) // self.f * self.f
        return sums[:whole].reshape(-1, self.f).max(axis=1)

    def __repr__(self):
        return f"(sums of {self.kernel}, then the largest of each {self.f})"


def library_dense(net, line, f, count):
    """Let the library shift and stitch the same network, as layers."""
    conv = nn.Conv2d(1, 1, (1, net.kernel), initialiser=nn.zeros)
    conv.weight.data = np.ones((1, 1, 1, net.kernel))
    conv.bias.data = np.zeros(1)
    chain = nn.Sequential(conv=conv, pool=nn.MaxPool2d((1, f)))
    with no_grad():
        y = models.shift_and_stitch(chain, Tensor(line[None, None, None]))
    return y.data[0, 0, 0]


@st.composite
def lines(draw):
    """Draw a network, and a line on which every run has as many answers."""
    kernel, f = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    count = f * draw(st.integers(1, 3))
    line = draw(arrays((count + kernel + f - 2,)))
    return Line(kernel, f), line, f, count


def place_by_place(function, net, line, f, count):
    """Ask for each place by itself, with just the pixels that it sees."""
    sees = net.kernel + f - 1
    compare(
        function(net, line, f, count),
        np.array([net(line[i : i + sees])[0] for i in range(count)]),
    )


dense_line = Exercise(
    "dense_line",
    solution=models.shift_and_stitch,
    library=library_dense,
    examples=[
        Example(
            (Line(1, 2), np.array([5.0, 1, 4, 2, 3]), 2, 4),
            np.array([5.0, 4, 4, 3]),
            "the largest of each two neighbours: 5 1, 1 4, 4 2, 2 3",
        ),
    ],
    claims=[
        Claim(
            "the answer at place i is that of the pixels from i on",
            lines(),
            place_by_place,
        )
    ],
    reached="You can make any network dense, at the price of many runs.",
)

EXERCISES = [interleave, deinterleave, dense_line]
