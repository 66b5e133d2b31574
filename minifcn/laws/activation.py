"""What is true of ReLU and of dropout.

ReLU is a fork at zero: a line on one side, nothing on the other. Dropout is random, but
not lawless: its random numbers start from a seed, and the laws hold for each mask.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from .cases import Case, nonzero, seeded, seeds, shapes, shares, whole_numbers
from .general import Operator, call, judge, pull_back, strided
from .implementation import Implementation
from .sources import NAIR
from .statement import Difference, equal, law

SRIVASTAVA = "Srivastava et al. 2014, section "


@st.composite
def arrays(
    draw: DrawFn, operator: str, values: Any = whole_numbers, **arguments: Any
) -> Case:
    """Draw an x of one to four axes."""
    shape, seed = draw(shapes()), draw(seeds())
    x = values(np.random.default_rng(seed), shape)  # one to four axes
    # p and training, of a dropout
    drawn = {name: draw(value) for name, value in arguments.items()}
    return Case(operator, {"x": x}, drawn, seed)


def nearby(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw −2, −1, 0, 1, 2: a fifth of them zeros."""
    return rng.integers(-2, 3, shape).astype(np.float64)


# ---- ReLU

judge(
    Operator(
        "relu",
        arrays("relu", nearby),
        smooth=arrays("relu", nonzero),
        source=NAIR,
    )
)


@law("relu", arrays("relu"), "relu(relu x) = relu x")
def once_is_as_good_as_twice(ops: Implementation, case: Case) -> None:
    """What it leaves is positive, and passes."""
    y = call(ops, case)
    equal(ops.relu(y), y, "relu(relu x)", tolerance=0)


@law("relu", arrays("relu"), "relu x − relu(−x) = x, relu x + relu(−x) = |x|")
def two_of_them_make_the_identity(ops: Implementation, case: Case) -> None:
    """Nothing is lost that a second channel, of the other sign, could not keep."""
    y, other = call(ops, case), ops.relu(-case.x)
    equal(y - other, case.x, "relu x − relu(−x)", tolerance=0)
    # exact: of each pair one is 0
    equal(y + other, abs(case.x), "relu x + relu(−x)", tolerance=0)


@law("relu", arrays("relu"), "relu(−∞) = 0, relu(∞) = ∞")
def infinity_is_a_number_like_others(ops: Implementation, case: Case) -> None:
    """So it is a comparison, not a product: 0 · ∞ would be no number."""
    # about half of x, and ± infinity
    x = np.where(case.another(case.x) > 0, case.x, np.copysign(np.inf, case.x))
    equal(ops.relu(x), np.where(x > 0, x, 0), "relu of x with infinities")


@law("relu", arrays("relu"), "relu(c·x) = c · relu x for c > 0, with one gradient")
def it_is_positively_homogeneous(ops: Implementation, case: Case) -> None:
    """So the scale of one layer may move into the next."""
    y = call(ops, case)
    v = case.another(y)
    (gx,) = pull_back(ops, case, v).values()
    for c in (0.125, 3, 1000):  # exact in floats, all
        equal(ops.relu(c * case.x), c * y, f"relu({c}·x)", tolerance=0)
        (came,) = ops.gradients("relu", v, c * case.x)
        equal(came, gx, f"the gradient at {c}·x", tolerance=0)


@law("relu", arrays("relu", nearby), "gx = v where x > 0, 0 elsewhere and at x = 0")
def at_zero_the_gradient_is_zero(ops: Implementation, case: Case) -> None:
    """At the kink both slopes would do; this is the one that is agreed upon."""
    v = case.another(case.x)
    (gx,) = pull_back(ops, case, v).values()
    equal(gx, np.where(case.x > 0, v, 0), "gx", tolerance=0)


@law("relu", arrays("relu"), "relu x = maximum(x, 0)")
def it_is_the_maximum_with_zero(ops: Implementation, case: Case) -> None:
    """A fusion with a stream of zeros; but at x = 0 the gradients are not the same."""
    equal(call(ops, case), ops.maximum(case.x, np.zeros_like(case.x)), tolerance=0)


@law("relu", arrays("relu", nearby), "relu NaN = NaN")
def what_is_no_number_stays_none(ops: Implementation, case: Case) -> None:
    """A fault upstream shows, and does not pass as a zero."""
    x = case.x.copy()
    x[case.another(x) > 5] = np.nan  # of −9 … 9, so one in five
    x.flat[0] = np.nan  # one at least
    expected = np.where(np.isnan(x), np.nan, np.maximum(x, 0))
    equal(ops.relu(x), expected, "relu of x with NaN", tolerance=0)


# ---- dropout


def dropped(ops: Implementation, case: Case, x: np.ndarray) -> np.ndarray:
    """Return dropout of x, with the mask of the case's seed."""
    with seeded(case.seed):
        return np.asarray(ops.dropout(x, **case.arguments))


def mask_of(ops: Implementation, case: Case, shape: Any) -> np.ndarray:
    """Return what dropout multiplies each element with."""
    return dropped(ops, case, np.ones(shape))


def dropouts() -> st.SearchStrategy[Case]:
    """Draw a dropout of x, which has no zeros, in training."""
    return arrays("dropout", nonzero, p=shares(), training=st.just(True))


MANY = (30, 40, 50)  # elements enough for a statistic
CERTAIN = 5  # standard deviations: wrong once in two million


@law("dropout", dropouts(), "y = x outside of training", SRIVASTAVA + "10")
def outside_of_training_nothing_happens(ops: Implementation, case: Case) -> None:
    """Whatever p is; the gradient passes as it is."""
    arguments = case.arguments | {"training": False}
    equal(ops.dropout(case.x, **arguments), case.x, tolerance=0)
    v = case.another(case.x)
    equal(ops.gradients("dropout", v, case.x, **arguments)[0], v, "gx", tolerance=0)


@law("dropout", dropouts(), "y = x for p = 0")
def with_nothing_to_drop_nothing_happens(ops: Implementation, case: Case) -> None:
    """In training too."""
    arguments = case.arguments | {"p": 0}
    equal(ops.dropout(case.x, **arguments), case.x, tolerance=0)
    v = case.another(case.x)
    equal(ops.gradients("dropout", v, case.x, **arguments)[0], v, "gx", tolerance=0)


@law("dropout", dropouts(), "y ∈ {0, x/(1 − p)}", SRIVASTAVA + "10")
def an_element_is_dropped_or_made_up_for(ops: Implementation, case: Case) -> None:
    """What stays is scaled up, so that nothing need be scaled at evaluation."""
    y = dropped(ops, case, case.x)  # x has no zeros, so a zero was dropped
    kept = case.x / (1 - case.arguments["p"])
    equal(y, np.where(y == 0, 0, kept), "y, where it is not 0")


@law("dropout", dropouts(), "y = m·x, gx = m·v, one mask m for each seed")
def the_gradient_has_the_same_mask(ops: Implementation, case: Case) -> None:
    """For a fixed mask dropout is linear, and its own adjoint."""
    mask = mask_of(ops, case, case.x.shape)
    equal(dropped(ops, case, case.x), mask * case.x, "m·x")
    v = case.another(case.x)
    with seeded(case.seed):
        (gx,) = ops.gradients("dropout", v, case.x, **case.arguments)
    equal(gx, mask * v, "m·gy")


@law("dropout", dropouts(), "the share of zeros is p, within 5σ", SRIVASTAVA + "4")
def it_drops_the_share_it_is_told(ops: Implementation, case: Case) -> None:
    """So the mean of y over many is that of x."""
    mask, p = mask_of(ops, case, MANY), case.arguments["p"]  # 0, or 1 / (1 − p)
    _within("the share of zeros", (mask == 0).mean(), p, mask.size)
    _within("the mean of y, times 1 − p,", mask.mean() * (1 - p), 1 - p, mask.size)


def _within(what: str, share: float, expected: float, draws: int) -> None:
    """Compare a share with the one expected of so many independent draws."""
    room = CERTAIN * np.sqrt(expected * (1 - expected) / draws)  # σ of a binomial share
    if not abs(share - expected) <= room:
        raise Difference(
            f"  {what} is {share:.5f} of {draws}, expected {expected:.5f} ± {room:.5f}"
        )


@law("dropout", dropouts(), "P(both alike) = p² + (1 − p)², within 5σ")
def each_element_is_dropped_by_itself(ops: Implementation, case: Case) -> None:
    """Neither images nor channels, rows or columns go together."""
    kept, p = mask_of(ops, case, (10, 12, 40, 42)) != 0, case.arguments["p"]
    for axis in range(kept.ndim):
        # Pairs that have no element in common: the even ones with the odd ones.
        even, odd = (np.moveaxis(kept, axis, 0)[first::2] for first in (0, 1))
        alike = (even == odd).mean()  # both dropped, p², or both kept, (1 − p)²
        _within(f"alike along axis {axis}", alike, p**2 + (1 - p) ** 2, even.size)


@law("dropout", dropouts(), "m(seed) = m(seed), but the mask drawn next is another")
def the_same_seed_gives_the_same_mask(ops: Implementation, case: Case) -> None:
    """A run can be repeated; within it every call draws anew."""
    ones = np.ones((6, 7, 8))  # 336 elements: by chance no two masks are equal
    with seeded(case.seed):
        first, second = (ops.dropout(ones, **case.arguments) for _ in range(2))
    equal(dropped(ops, case, ones), first, "y of the same seed", tolerance=0)
    if np.array_equal(first, second):
        raise Difference("  two calls, one after the other, drew the same mask")
    if np.array_equal(first, _with_seed(ops, case, case.seed + 1, ones)):
        raise Difference("  two seeds gave the same mask")


def _with_seed(
    ops: Implementation, case: Case, number: int, x: np.ndarray
) -> np.ndarray:
    with seeded(number):
        return np.asarray(ops.dropout(x, **case.arguments))


@law("dropout", dropouts(), "dropout(x) = dropout(x, p = ½, training)")
def left_to_itself_it_drops_half(ops: Implementation, case: Case) -> None:
    """As the paper does for hidden units."""
    with seeded(case.seed):
        y = ops.dropout(case.x)
    half = case.arguments | {"p": 0.5}  # training is what the case has: True
    with seeded(case.seed):
        equal(y, ops.dropout(case.x, **half), "y without p", tolerance=0)


@law("dropout", dropouts(), "f(x as float32, with strides) = f(x), in x's type")
def type_and_layout_draw_the_same_mask(ops: Implementation, case: Case) -> None:
    """The numbers are drawn for the elements, whatever those are."""
    mask = mask_of(ops, case, case.x.shape)
    v = case.another(case.x)
    for dtype in ("float64", "float32"):
        other = Implementation(ops.name, ops.device, dtype, ops.operators)
        x = strided(case.x.astype(dtype))  # its axes in reverse
        y = dropped(other, case, x)
        with seeded(case.seed):
            (gx,) = other.gradients("dropout", v, x, **case.arguments)
        for what, came, expected in (("y", y, mask * case.x), ("gx", gx, mask * v)):
            if came.dtype != dtype:
                raise Difference(f"  {what} has type {came.dtype}, expected {dtype}")
            equal(came, expected, f"{what} of {dtype}, strided")
