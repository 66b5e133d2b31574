"""What is true of local response normalization.

Each channel is divided by what the channels around it amount to, pixel by pixel. So
pixels do not meet, and of the channels only those within the window do.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .cases import Case, batches, seeds, unequal
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .statement import equal, law

KRIZHEVSKY = "Krizhevsky et al. 2012, section 3.3"

NOTHING = 1e-10  # no more than what is rounded off
SIZES = st.integers(1, 6)


@st.composite
def normalizations(
    draw: DrawFn, sizes: SearchStrategy[int] = SIZES, **fixed: Any
) -> Case:
    """Draw an image of up to seven channels, without zeros, and a window over them.

    Args:
        sizes: of the window.
        fixed: arguments that are not drawn.
    """
    N, C, seed = draw(batches()), draw(st.integers(2, 7)), draw(seeds())
    rng, (H, W) = np.random.default_rng(seed), draw(unequal(1, 3))
    # ± ⅛ … 2: exact
    x = rng.integers(1, 17, (N, C, H, W)) / 8 * rng.choice((-1, 1), (N, C, H, W))
    arguments = {
        "size": draw(sizes),
        "alpha": draw(st.sampled_from((0.5, 1.0, 3.0))),
        "beta": draw(st.sampled_from((0.5, 0.75, 1.0, 2.0))),
        "k": draw(st.sampled_from((0.5, 1.0, 2.0))),
    }
    return Case("local_response_norm", {"x": x}, arguments | fixed, seed)


def window_of(channel: int, case: Case) -> np.ndarray:
    """Say which channels act on this one: one more before it than after, if even."""
    distance = np.arange(case.x.shape[1]) - channel  # (C,)
    size = case.arguments["size"]
    inside = (-(size // 2) <= distance) & (distance <= (size - 1) // 2)
    return np.asarray(inside)


def changed(case: Case, **arguments: Any) -> Case:
    """Return the case with some arguments changed."""
    return replace(case, arguments=case.arguments | arguments)


judge(Operator("local_response_norm", normalizations(), source=KRIZHEVSKY))


@law("local_response_norm", normalizations(), "y = x / k^β for α = 0")
def without_alpha_nothing_meets(ops: Implementation, case: Case) -> None:
    """Every number is divided by the same; k = 1 leaves it as it is."""
    plain = changed(case, alpha=0.0)
    divisor = case.arguments["k"] ** case.arguments["beta"]  # nothing of x is in it
    y = call(ops, plain)
    equal(y, case.x / divisor)
    v = case.another(y)
    equal(pull_back(ops, plain, v)["x"], v / divisor, "the gradient")


@law("local_response_norm", normalizations(), "y = x for β = 0; y_β+δ · x = y_β · y_δ")
def exponents_add_up(ops: Implementation, case: Case) -> None:
    """β is an exponent of the whole sum, k and all."""
    equal(call(ops, changed(case, beta=0.0)), case.x, "y of β = 0")
    beta = case.arguments["beta"]
    one, more = call(ops, case), call(ops, changed(case, beta=0.25))
    both = call(ops, changed(case, beta=beta + 0.25))  # x / s^(β + ¼)
    equal(both * case.x, one * more, "y of β + ¼, times x")


@law(
    "local_response_norm",
    normalizations(),
    "LRN(c·x; c²k) = c^(1 − 2β) · LRN(x; k), LRN(c·x; α) = c · LRN(x; c²α)",
)
def it_scales_as_squares_do(ops: Implementation, case: Case) -> None:
    """k is what a square is; with k = 0 and β = ½ no scale of x would be seen."""
    c, a, y = 4.0, case.arguments, call(ops, case)  # its powers are exact in floats
    beta = a["beta"]
    larger = changed(replace(case, inputs={"x": c * case.x}), k=c**2 * a["k"])
    equal(call(ops, larger), c ** (1 - 2 * beta) * y, "y of c·x and c²·k")
    louder = call(ops, changed(case, alpha=c**2 * a["alpha"]))
    equal(call(ops, case, x=c * case.x), c * louder, "y of c·x")
    none = changed(case, k=0.0, beta=0.5)  # x over a length: of degree 0
    equal(call(ops, none, x=c * case.x), call(ops, none), "y of c·x, k = 0, β = ½")


@law(
    "local_response_norm",
    normalizations(k=0.0),
    "⟨x, gx⟩ = (1 − 2β) · ⟨y, v⟩ for k = 0, pixel by pixel",
    "Euler's theorem on homogeneous functions",
)
def its_gradient_knows_how_it_scales(ops: Implementation, case: Case) -> None:
    """With β = ½ nothing is gained along x itself."""
    y = call(ops, case)
    v = case.another(y)
    gx = pull_back(ops, case, v)["x"]
    degree = 1 - 2 * case.arguments["beta"]  # y(c·x) = c^degree · y(x) where k = 0
    equal((case.x * gx).sum(axis=1), degree * (y * v).sum(axis=1), "Σ over c of x·gx")


@law(
    "local_response_norm",
    normalizations(),
    "∂y_i/∂x_c ≠ 0 only for i − ⌊size/2⌋ ≤ c ≤ i + ⌊(size − 1)/2⌋",
    KRIZHEVSKY,
)
def a_channel_meets_those_in_its_window(ops: Implementation, case: Case) -> None:
    """Forward and back: one more before than after, where the size is even."""
    N, C, H, W = case.x.shape
    channel = int(np.random.default_rng(case.seed).integers(C))
    # y_i sees a change of x_c where c lies in the window of i.
    x = case.x.copy()
    x[:, channel] *= 2
    change = abs(call(ops, case, x=x) - call(ops, case)).max(axis=(0, 2, 3))  # (C,)
    seen = change > NOTHING
    seen[channel] = True  # what x_c gains, it may lose to its own divisor
    expected = np.array([window_of(i, case)[channel] for i in range(C)])
    equal(seen, expected, f"channels that see a change of channel {channel}")
    # And gx_c hears of gy_i for those c.
    v = np.zeros((N, C, H, W))
    v[:, channel] = 1
    moved = abs(pull_back(ops, case, v)["x"]).max(axis=(0, 2, 3))
    heard = moved > NOTHING
    heard[channel] = True  # its two parts may cancel
    equal(heard, window_of(channel, case), f"channels that channel {channel} hears")


@law(
    "local_response_norm",
    normalizations(st.integers(1, 3)),
    "y_i(x with 10⁸ at x_c) = y_i(x) to the last digits, for c outside of i's window",
)
def a_huge_channel_does_not_disturb_the_others(ops: Implementation, case: Case) -> None:
    """Differences of a running sum would lose the small beside the large."""
    N, C, H, W = case.x.shape
    channel = int(np.random.default_rng(case.seed).integers(C))
    x = case.x.copy()
    x[:, channel] = 1e8
    meets = np.array([window_of(i, case)[channel] for i in range(C)])
    y = call(ops, case)
    equal(call(ops, case, x=x)[:, ~meets], y[:, ~meets], "y of the other channels")
    v = case.another(y)
    gx = pull_back(ops, case, v)["x"]
    v[:, channel] = 1e12
    found, hears = pull_back(ops, case, v)["x"], window_of(channel, case)
    equal(found[:, ~hears], gx[:, ~hears], "the gradient of the other channels")


@law(
    "local_response_norm",
    normalizations(),
    "y(x with its pixels in another order) = y in that order",
)
def pixels_do_not_meet(ops: Implementation, case: Case) -> None:
    """Nor do images: one pixel is as good as the whole."""
    N, C, H, W = case.x.shape
    rng = np.random.default_rng(case.seed)
    order = rng.permutation(H * W)

    def moved(a: np.ndarray) -> np.ndarray:
        # another size, too
        return a.reshape(N, C, H * W)[:, :, order].reshape(N, C, W, H)

    y = call(ops, case)
    equal(call(ops, case, x=moved(case.x)), moved(y), "y of x out of order")
    v = case.another(y)
    gx = pull_back(ops, case, v)["x"]
    found = pull_back(ops, case, moved(v), x=moved(case.x))["x"]
    equal(found, moved(gx), "the gradient of x out of order")


@law(
    "local_response_norm",
    normalizations(st.sampled_from((1, 3, 5, 7))),
    "y(x with its channels reversed) = y reversed, for odd sizes",
)
def an_odd_window_has_no_sides(ops: Implementation, case: Case) -> None:
    """As many channels before as after."""
    turned = np.ascontiguousarray(case.x[:, ::-1])  # channel C − 1 − c
    y = call(ops, case)
    equal(call(ops, case, x=turned), y[:, ::-1], "y of the reversed channels")
    v = case.another(y)
    gx = pull_back(ops, case, v)["x"]
    found = pull_back(ops, case, np.ascontiguousarray(v[:, ::-1]), x=turned)["x"]
    equal(found, gx[:, ::-1], "the gradient of the reversed channels")


@law("local_response_norm", normalizations(), "y(x between channels of zeros) = y")
def beyond_the_last_channel_there_are_zeros(ops: Implementation, case: Case) -> None:
    """The divisor counts the whole window, also where it hangs over."""
    size = case.arguments["size"]
    # a window and more
    wider = np.pad(case.x, ((0, 0), (size, size + 1), (0, 0), (0, 0)))
    C, y = case.x.shape[1], call(ops, case)
    equal(call(ops, case, x=wider)[:, size : size + C], y, "y between zeros")


@law(
    "local_response_norm",
    normalizations(st.just(1)),
    "y = x / (k + α·x²)^β for size 1",
)
def a_window_of_one_sees_itself(ops: Implementation, case: Case) -> None:
    """A curve of one variable, and its slope."""
    _, alpha, beta, k = case.arguments.values()
    s = k + alpha * case.x**2  # (N, C, H, W), as no channel sees another
    y = call(ops, case)
    equal(y, case.x / s**beta)
    v = case.another(y)
    slope = (s - 2 * alpha * beta * case.x**2) / s ** (beta + 1)
    equal(pull_back(ops, case, v)["x"], slope * v, "the gradient")


@law(
    "local_response_norm",
    normalizations(st.integers(14, 20)),
    "y = x / (k + α/size · Σ over all c of x_c²)^β for size ≥ 2C",
)
def a_window_over_all_channels_is_one_divisor(ops: Implementation, case: Case) -> None:
    """α is shared out over the size, not over the channels that are there."""
    size, alpha, beta, k = case.arguments.values()
    s = k + alpha / size * (case.x**2).sum(axis=1, keepdims=True)  # (N, 1, H, W)
    y = call(ops, case)
    equal(y, case.x / s**beta)
    v = case.another(y)
    gx = pull_back(ops, case, v)["x"]
    # (N, 1, H, W): what every channel loses by a larger divisor
    shared = (v * case.x).sum(axis=1, keepdims=True) / s ** (beta + 1)
    expected = v / s**beta - 2 * alpha * beta / size * case.x * shared
    equal(gx, expected, "the gradient")


@law(
    "local_response_norm",
    normalizations(),
    "LRN(x, size) = LRN(x, size, α = 10⁻⁴, β = ¾, k = 1)",
    "Caffe, bvlc_alexnet/train_val.prototxt",
)
def left_to_itself_it_is_as_in_alexnet(ops: Implementation, case: Case) -> None:
    """Values as large as activations are: else so small an α would not show."""
    size, x = case.arguments["size"], 100 * case.x
    y = ops.local_response_norm(x, size)
    arguments = {"size": size, "alpha": 1e-4, "beta": 0.75, "k": 1.0}
    equal(y, call(ops, replace(case, inputs={"x": x}, arguments=arguments)))
