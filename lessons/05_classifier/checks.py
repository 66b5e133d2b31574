"""What the exercises of lesson 5 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import optim
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays
from minifcn.course.comparing import compare
from minifcn.nn import Parameter
from minifcn.ops import definitions

# --------------------------------------------------------------------------- softmax


def library_softmax(scores):
    """Call the library's definition."""
    return definitions.softmax(scores)


@st.composite
def scores(draw):
    """Draw scores of a few images; some of them large."""
    shape = draw(st.integers(1, 2)), draw(st.integers(2, 4))
    return (draw(arrays(shape)) + draw(st.sampled_from((0, 1000, -1000))),)


def are_shares(function, given):
    """Hold the sums to 1, and ratios to e to the difference."""
    p = function(given)
    compare(np.asarray(p).sum(axis=1), np.ones(len(given)))
    compare(p[:, :1] * np.exp(given - given[:, :1]), np.asarray(p) + 0.0)


def at_many_scores(function):
    """Draw how a probability depends on one score."""
    x = np.linspace(-6, 6, 121)
    p = function(np.stack([x, 0 * x, 0 * x], axis=1))
    figure, axes = drawing.canvas(1, width=6, height=3.6)
    labels = ("score of class 0; the others' are 0", "your softmax")
    for c in range(3):
        drawing.chart(axes[0], x, p[:, c], labels, f"class {c}", lw=2, ls="-:-"[c])
    return figure


softmax = Exercise(
    "softmax",
    solution=definitions.softmax,
    library=library_softmax,
    examples=[
        Example(
            (np.zeros((1, 4)),), np.full((1, 4), 0.25), "all alike: a quarter each"
        ),
        Example(
            (np.log(np.array([[1.0, 2, 5]])),),
            np.array([[0.125, 0.25, 0.625]]),
            "e to the scores is 1, 2 and 5, and they add up to 8",
        ),
        Example(
            (np.array([[1000.0, 1000], [0, 0]]),),
            np.full((2, 2), 0.5),
            "e to the 1000 is too large for a computer: what may be subtracted first?",
        ),
    ],
    claims=[
        Claim(
            "p = eˣ / Σ eˣ, over the classes of each image",
            scores(),
            equal_to(library_softmax),
        ),
        Claim("each image's probabilities add up to 1", scores(), are_shares),
    ],
    reached="You can turn any scores into probabilities.",
    picture=at_many_scores,
)

# ------------------------------------------------------------------------ label_loss


def library_loss(p, label):
    """Call the library's definition, with scores that are logarithms."""
    return float(
        definitions.cross_entropy(np.log(p)[:, :, None, None], label[:, None, None])
    )


@st.composite
def probabilities(draw):
    """Draw probabilities that add up to 1, and a label for each image."""
    N, C = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    shares = draw(arrays((N, C), 1, 8))
    label = draw(arrays((N,), 0, C - 1)).astype(int)
    return shares / shares.sum(axis=1, keepdims=True), label


label_loss = Exercise(
    "label_loss",
    solution=definitions.cross_entropy,
    library=library_loss,
    examples=[
        Example(
            (np.array([[0.25, 0.75]]), np.array([0])),
            float(np.log(4)),
            "−log ¼ = log 4",
        ),
        Example(
            (np.array([[0.5, 0.5], [0.0 + 1e-9, 1 - 1e-9]]), np.array([1, 1])),
            float(np.log(2) / 2 + 5e-10),
            "log 2 for the first, almost 0 for the second: the mean is half of log 2",
        ),
    ],
    claims=[
        Claim(
            "the mean of −log p[n, label[n]] over the images",
            probabilities(),
            equal_to(library_loss),
        )
    ],
    reached="You have the number that all training makes smaller.",
)

# -------------------------------------------------------------------------- sgd_step


def library_step(weight, velocity, gradient, lr, momentum, decay):
    """Let the library's SGD move a Parameter."""
    parameter = Parameter(weight.copy())
    parameter.grad = gradient.copy()
    sgd = optim.SGD([("w", parameter)], lr, momentum, decay)
    sgd.load_state_dict({"w": velocity})
    sgd.step()
    return parameter.data, sgd.state_dict()["w"]


@st.composite
def steps(draw):
    """Draw a weight, a velocity, a gradient, and settings exact in binary."""
    shape = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    eighth = st.sampled_from((0.0, 0.125, 0.5))
    three = [draw(arrays(shape)) for _ in range(3)]
    return *three, draw(st.sampled_from((0.25, 1.0))), draw(eighth), draw(eighth)


sgd_step = Exercise(
    "sgd_step",
    solution=optim.SGD,
    library=library_step,
    examples=[
        Example(
            (np.array([5.0]), np.array([0.0]), np.array([2.0]), 0.5, 0.0, 0.0),
            (np.array([4.0]), np.array([1.0])),
            "velocity 0.5 · 2 = 1, and 5 − 1 = 4",
        ),
        Example(
            (np.array([5.0]), np.array([4.0]), np.array([2.0]), 0.5, 0.5, 0.0),
            (np.array([2.0]), np.array([3.0])),
            "velocity 0.5 · 4 + 0.5 · 2 = 3, and 5 − 3 = 2",
        ),
        Example(
            (np.array([8.0]), np.array([0.0]), np.array([2.0]), 0.5, 0.0, 0.25),
            (np.array([6.0]), np.array([2.0])),
            "the decay adds 0.25 · 8 = 2 to the gradient: 0.5 · 4 = 2",
        ),
    ],
    claims=[
        Claim(
            "velocity ← momentum · velocity + lr · (gradient + decay · weight), then "
            "weight ← weight − velocity",
            steps(),
            equal_to(library_step),
        )
    ],
    reached="A network can learn with your step.",
)

EXERCISES = [softmax, label_loss, sgd_step]
