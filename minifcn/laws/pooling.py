"""What is true of max pooling, and of every pool.

Max pooling knows nothing but order: whatever keeps the order of the pixels may change
places with it. Average pooling looks at the same windows, and so the laws of geometry
are stated for both.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..geometry import span
from .cases import (
    Case,
    batches,
    distinct,
    poolings,
    seeds,
    tied,
    unequal,
    whole_numbers,
)
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .sources import LONG
from .statement import equal, law

Body = Callable[[Implementation, Case], None]

OUTSIDE = {"max_pool2d": -np.inf, "avg_pool2d": 0.0}  # what a window sees there


# ---- where the windows of a case look, told by counting


def window_reads(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (OH, KH) and columns (OW, KW) that the taps read.

    Those of the padding are below 0, or H and W or more.
    """
    rows, cols = (_reads_along(case, axis) for axis in (0, 1))
    return rows, cols


def _reads_along(case: Case, axis: int) -> np.ndarray:
    a, n = case.arguments, case.x.shape[2 + axis]
    kernel, step, apart = (
        a[name][axis] for name in ("kernel_size", "stride", "dilation")
    )
    before, after = a["padding"][axis]  # top and bottom, or left and right
    starts, length = [], span(kernel, apart)
    start = -before
    while (
        start + length <= n + after  # a whole window
        # or, rounded up, one that begins early enough and hangs over by less than step
        or (a["ceil_mode"] and start < n and start + length - step < n + after)
    ):
        starts.append(start)
        start += step
    return np.add.outer(starts, np.arange(kernel) * apart).astype(int)  # (OH, KH)


def taps_counted(case: Case, padded: bool = False) -> np.ndarray:
    """Count each window's taps inside of the image, or of the padded one: (OH, OW)."""
    by_axis = []
    for axis, reads in enumerate(window_reads(case)):
        n, (before, after) = case.x.shape[2 + axis], case.arguments["padding"][axis]
        low, high = (-before, n + after) if padded else (0, n)
        by_axis.append(((low <= reads) & (reads < high)).sum(axis=1))  # (OH,), (OW,)
    return np.outer(*by_axis)


def window_values(x: np.ndarray, case: Case, outside: float) -> np.ndarray:
    """Return what each window sees, (N, C, OH, OW, KH·KW), row by row."""
    rows, cols = window_reads(case)
    margin = int(max(-rows.min(), -cols.min(), rows.max(), cols.max(), 0)) + 1
    edge = ((margin, margin), (margin, margin))
    framed = frame(x, edge, outside)  # wide enough for every tap
    # (OH, KH, OW, KW), broadcast
    at_rows, at_cols = rows[:, :, None, None] + margin, cols[None, None] + margin
    # (N, C, OH, KH, OW, KW), and then the taps last
    seen = framed[:, :, at_rows, at_cols].transpose(0, 1, 2, 4, 3, 5)
    return np.ascontiguousarray(seen).reshape(*seen.shape[:4], -1)


def frame(x: np.ndarray, padding: Any, value: float) -> np.ndarray:
    """Put rows and columns of a value around x (N, C, H, W)."""
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def pixel_numbers(case: Case) -> np.ndarray:
    """Number the pixels of x, h·W + w: (1, 1, H, W)."""
    H, W = case.x.shape[2:]
    return np.arange(H * W).reshape(1, 1, H, W)


def with_arguments(case: Case, **changed: Any) -> Case:
    """Return the case with some arguments changed."""
    return replace(case, arguments=case.arguments | changed)


def with_image(case: Case, x: np.ndarray, **changed: Any) -> Case:
    """Return the case with another image, and some arguments changed."""
    return replace(with_arguments(case, **changed), inputs={"x": x})


# ---- cases


def nearby(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw −2 … 1, of both signs and full of equal values."""
    return rng.integers(-2, 2, shape).astype(np.float64)


def sighted(cases: SearchStrategy[Case]) -> SearchStrategy[Case]:
    """Keep the cases in which every window sees a pixel."""
    return cases.filter(lambda case: bool(taps_counted(case).all()))


@st.composite
def blind_poolings(
    draw: DrawFn, operator: str = "max_pool2d", values: Any = distinct
) -> Case:
    """Draw a pooling some of whose windows see nothing but padding.

    A dilated window does so where its taps stand on both sides of a small image.
    """
    height, width = draw(st.integers(1, 2)), draw(st.integers(3, 5))
    dilation = draw(st.integers(3, 4)), draw(st.integers(1, 2))
    half = (dilation[0] + 1) // 2  # the taps lie half above, half below a row
    flip = draw(st.sampled_from((1, -1)))
    arguments = {
        "kernel_size": (2, 3)[::flip],
        "stride": (1, 2)[::flip],
        "padding": ((half, half), (0, 1))[::flip],
        "dilation": dilation[::flip],
        "ceil_mode": draw(st.booleans()),
    }
    seed, N, C = draw(seeds()), draw(batches()), draw(st.integers(1, 3))
    size = (height, span(3, dilation[1]) - 1 + width)[::flip]  # room for all columns
    x = values(np.random.default_rng(seed), (N, C, *size))
    return Case(operator, {"x": x}, arguments, seed)


@st.composite
def covered_poolings(
    draw: DrawFn, operator: str = "max_pool2d", values: Any = distinct
) -> Case:
    """Draw an image smaller than the window, which fits only when rounded up."""
    kernel = draw(unequal(2, 4))
    # one row too few for a whole window
    size = kernel[0] - 1, draw(st.integers(1, kernel[1]))
    strides = st.tuples(st.integers(2, 4), st.integers(4, 5))
    arguments = {
        "kernel_size": kernel,
        "stride": draw(strides),
        "padding": ((0, 0), (0, 0)),
        "dilation": (1, 1),
        "ceil_mode": True,
    }
    seed, N = draw(seeds()), draw(batches())
    x = values(np.random.default_rng(seed), (N, 1, *size))
    return Case(operator, {"x": x}, arguments, seed)


# ---- laws of every pool


ShapeLaw = tuple[Body, str, str, dict[str, Any]]
OF_EVERY_POOL: list[ShapeLaw] = []


def of_every_pool(formula: str, source: str = "", **fixed: Any) -> Callable[..., Body]:
    """Make laws of the function below, one of max and one of average pooling."""

    def register(body: Body) -> Body:
        OF_EVERY_POOL.append((body, formula, source, fixed))
        return body

    return register


def judge_windows(operator: str, values: Any) -> None:
    """Add the laws of every pool for this one."""
    for body, formula, source, fixed in OF_EVERY_POOL:
        law(operator, poolings(operator, values, **fixed), formula, source)(body)


@of_every_pool("OH = the number of windows that begin and end where they may")
def its_windows_can_be_counted(ops: Implementation, case: Case) -> None:
    """Whole windows; rounded up, also those that hang over by less than a stride."""
    rows, cols = window_reads(case)
    equal(call(ops, case).shape, (*case.x.shape[:2], len(rows), len(cols)), "size")


@of_every_pool(
    "pool(x, padding p) = pool(x framed p wide, max: by −∞, avg: by 0), rounded down",
    ceil_mode=False,
)
def padding_is_a_frame(ops: Implementation, case: Case) -> None:
    """A frame of what cannot win (−∞), or of what adds nothing (0)."""
    framed = frame(case.x, case.arguments["padding"], OUTSIDE[case.operator])
    plain = call(ops, with_image(case, framed, padding=0))
    equal(call(ops, case), plain)


@of_every_pool(
    "pool x, rounded down = the first outputs of pool x, rounded up", ceil_mode=True
)
def rounding_up_adds_windows_at_the_end(ops: Implementation, case: Case) -> None:
    """What the added windows see is what whole ones see, of an image framed there."""
    up, down = call(ops, case), call(ops, with_arguments(case, ceil_mode=False))
    OH, OW = down.shape[2:]
    equal(up[:, :, :OH, :OW], down, "the first outputs")
    (top, bottom), (left, right) = case.arguments["padding"]
    # no window hangs over by more
    below, beside = (s - 1 for s in case.arguments["stride"])
    sides = (top, bottom + below), (left, right + beside)
    framed = frame(case.x, sides, OUTSIDE[case.operator])
    # (N, C, ≥ OH, ≥ OW)
    whole = call(ops, with_image(case, framed, padding=0, ceil_mode=False))
    if case.operator == "avg_pool2d":  # what hangs over the padding does not count
        KH, KW = case.arguments["kernel_size"]
        whole *= KH * KW
        up = up * taps_counted(case, padded=True)
    rows, cols = window_reads(case)
    equal(up, whole[:, :, : len(rows), : len(cols)], "y (and the windows' sums)")


@of_every_pool(
    "pool(x, stride s)[r, q] = pool(x, stride 1)[r·s, q·s], rounded down",
    ceil_mode=False,
)
def a_stride_leaves_out_outputs(ops: Implementation, case: Case) -> None:
    """Stride s keeps every s-th window of stride 1."""
    SH, SW = case.arguments["stride"]
    dense = call(ops, with_arguments(case, stride=1))
    equal(call(ops, case), dense[:, :, ::SH, ::SW])


@of_every_pool(
    "pool(x, dilation d)[a::d, b::d] = pool(x[a::d, b::d]), stride 1, padding 0",
    LONG + "3.2",
    ceil_mode=False,
    stride=(1, 1),
)
def dilation_pools_each_grid_of_pixels(ops: Implementation, case: Case) -> None:
    """The image deinterleaved into d × d grids, each pooled on its own."""
    DH, DW = case.arguments["dilation"]
    framed = frame(case.x, case.arguments["padding"], OUTSIDE[case.operator])
    y = call(ops, case)
    for a, b in np.ndindex(DH, DW):
        expected = y[:, :, a::DH, b::DW]  # of the windows that begin in this grid
        if expected.size:  # else the grid is smaller than the window
            grid = with_image(case, framed[:, :, a::DH, b::DW], padding=0, dilation=1)
            equal(call(ops, grid), expected, f"y of the grid from {(a, b)}")


@of_every_pool("pool(KH × KW) = pool(KH × 1) ∘ pool(1 × KW)")
def columns_and_then_rows_do_as_well(ops: Implementation, case: Case) -> None:
    """KH + KW looks at a pixel in place of KH · KW."""
    a, none = case.arguments, (0, 0)
    across, down = a["padding"][1], a["padding"][0]

    def along(axis: int, x: np.ndarray, padding: Any) -> np.ndarray:
        sides = {
            name: (1, a[name][1]) if axis else (a[name][0], 1)
            for name in ("kernel_size", "stride", "dilation")
        }
        return call(ops, with_image(case, x, padding=padding, **sides))

    by_rows = along(1, case.x, (none, across))  # (N, C, H, OW)
    equal(along(0, by_rows, (down, none)), call(ops, case))


@of_every_pool(
    "pool(x moved by i·s, j·s) = (pool x) moved by i, j, where no border is seen",
    ceil_mode=False,
)
def it_moves_with_the_image(ops: Implementation, case: Case) -> None:
    """Equivariance: an image s pixels on gives an output one pixel on."""
    SH, SW = case.arguments["stride"]
    x = frame(case.x, case.arguments["padding"], OUTSIDE[case.operator])
    moved = frame(x, ((2 * SH, 0), (SW, 0)), -1)  # two outputs down, one to the right
    near = call(ops, with_image(case, x, padding=0))
    far = call(ops, with_image(case, moved, padding=0))
    equal(far[:, :, 2:, 1:], near, "y of the moved image")
    gy = case.another(far)
    gy[:, :, :2] = gy[:, :, :, :1] = 0  # of windows that the old image has not
    (back,) = pull_back(ops, with_image(case, moved, padding=0), gy).values()
    (gx,) = pull_back(ops, with_image(case, x, padding=0), gy[:, :, 2:, 1:]).values()
    equal(back[:, :, 2 * SH :, SW:], gx, "the gradient of the moved image")


@of_every_pool("pool(x, k) = pool(x, k, stride = k, padding = 0, dilation = 1, floor)")
def left_to_itself_it_cuts_the_image_into_tiles(
    ops: Implementation, case: Case
) -> None:
    """A stride that is left out is the kernel's size."""
    kernel = case.arguments["kernel_size"]
    # An image that rounding up would pool into more: two windows, and something left.
    H, W = (2 * k + (k > 1) for k in kernel)
    x = np.resize(case.x, (*case.x.shape[:2], H, W))
    tiles = x[:, :, : 2 * kernel[0], : 2 * kernel[1]]
    # (N, C, 2, KH, 2, KW)
    tiles = tiles.reshape(*x.shape[:2], 2, kernel[0], 2, kernel[1])
    reduce = np.max if case.operator == "max_pool2d" else np.mean
    equal(ops.run(case.operator, x, kernel), reduce(tiles, axis=(3, 5)))


@of_every_pool(
    "pool(x, k, s, p, d) = pool(x, (k, k), (s, s), ((p, p), (p, p)), (d, d))"
)
def one_number_stands_for_both_axes(ops: Implementation, case: Case) -> None:
    """So does a pair of paddings, (height, width), for all four sides."""
    a = case.arguments
    numbers = {
        "kernel_size": max(a["kernel_size"]),
        "stride": a["stride"][0],
        "dilation": a["dilation"][1],
    }
    half = span(numbers["kernel_size"], numbers["dilation"]) // 2
    p, q = min(half, 1), half
    pairs = {name: (n, n) for name, n in numbers.items()}
    H = span(numbers["kernel_size"], numbers["dilation"]) + 2  # room for the window
    x = np.resize(case.x, (*case.x.shape[:2], H, H + 1))
    for short, long in ((p, ((p, p), (p, p))), ((p, q), ((p, p), (q, q)))):
        came = call(ops, with_image(case, x, **numbers, padding=short))
        expected = call(ops, with_image(case, x, **pairs, padding=long))
        equal(came, expected, f"y of padding {short}", tolerance=0)


# ---- max pooling

judge(
    Operator(
        "max_pool2d",
        st.one_of(poolings(), poolings(values=tied), blind_poolings()),
        smooth=sighted(poolings() | covered_poolings()),
        source=LONG + "3",
    )
)
judge_windows("max_pool2d", distinct)


@law(
    "max_pool2d",
    poolings(values=nearby),
    "pool(f(x)) = f(pool(x)) for every increasing f with f(−∞) = −∞",
)
def it_commutes_with_increasing_functions(ops: Implementation, case: Case) -> None:
    """It knows nothing but which pixel is larger; so does its gradient."""
    y = call(ops, case)
    v = case.another(y)
    (gx,) = pull_back(ops, case, v).values()
    for what, f in (("x³", _cubed), ("2x + 5", _moved)):  # exact in floats, both
        equal(call(ops, case, x=f(case.x)), f(y), f"y of {what}", tolerance=0)
        (came,) = pull_back(ops, case, v, x=f(case.x)).values()
        equal(came, gx, f"the gradient at {what}")


def _cubed(x: np.ndarray) -> np.ndarray:
    return x**3


def _moved(x: np.ndarray) -> np.ndarray:
    return 2 * x + 5


@law(
    "max_pool2d",
    sighted(poolings(values=whole_numbers)),
    "pool(relu x) = relu(pool x) where every window sees a pixel",
)
def it_commutes_with_relu(ops: Implementation, case: Case) -> None:
    """So a net may pool first, and rectify what is left: a quarter of the work."""
    after = ops.relu(call(ops, case))
    equal(call(ops, case, x=ops.relu(case.x)), after, "pool(relu x)", tolerance=0)


@law(
    "max_pool2d",
    sighted(poolings(values=whole_numbers)),
    "pool(max(x, z)) = max(pool x, pool z)",
)
def it_commutes_with_the_maximum(ops: Implementation, case: Case) -> None:
    """The largest of all is the larger of two largest."""
    z = case.another(case.x)
    both = ops.maximum(call(ops, case), call(ops, case, x=z))
    equal(call(ops, case, x=np.maximum(case.x, z)), both, tolerance=0)


@law("max_pool2d", poolings(values=tied), "y = max of {pixels in the window} ∪ {−∞}")
def padding_never_wins(ops: Implementation, case: Case) -> None:
    """Not even where all pixels are negative, and a zero would."""
    expected = window_values(case.x, case, -np.inf).max(axis=-1)  # (N, C, OH, OW)
    equal(call(ops, case), expected, tolerance=0)


@law(
    "max_pool2d",
    poolings(values=tied),
    "gx = Σ over windows of v at the first of the largest pixels",
)
def of_equals_the_first_gets_the_gradient(ops: Implementation, case: Case) -> None:
    """Row by row; neither split nor doubled; overlapping windows add theirs up."""
    gy = case.another(call(ops, case))
    (gx,) = pull_back(ops, case, gy).values()
    equal(gx, put(gy, first_maxima(case), case), "gx", tolerance=0)


def first_maxima(case: Case) -> np.ndarray:
    """Return the pixel number of each window's first maximum, −1 if it sees none."""
    # argmax takes the first of equals, in the order of the taps.
    first = window_values(case.x, case, -np.inf).argmax(axis=-1)[..., None]
    numbers = window_values(pixel_numbers(case), case, -1)
    numbers = np.broadcast_to(numbers, (*case.x.shape[:2], *numbers.shape[2:]))
    return np.take_along_axis(numbers, first, axis=-1)[..., 0]


def put(v: np.ndarray, numbers: np.ndarray, case: Case) -> np.ndarray:
    """Add each value of v to the pixel of its number in an image of zeros."""
    planes = np.zeros((v.shape[0] * v.shape[1], case.x[0, 0].size + 1))
    for plane, values, at in zip(
        planes,
        v.reshape(len(planes), -1),
        numbers.reshape(len(planes), -1),
        strict=True,
    ):
        np.add.at(plane, at, values)  # −1: the last, which is cut off
    return planes[:, :-1].reshape(case.x.shape)  # (N·C, H·W + 1) to (N, C, H, W)


@law(
    "max_pool2d",
    poolings(values=nearby) | blind_poolings(),
    "Σ gx = Σ v over the windows that see a pixel",
)
def no_gradient_is_lost(ops: Implementation, case: Case) -> None:
    """It is moved, window by window, to one pixel each."""
    gy = case.another(call(ops, case))
    (gx,) = pull_back(ops, case, gy).values()
    arrived = (gy * (taps_counted(case) > 0)).sum(axis=(2, 3))  # (N, C)
    equal(gx.sum(axis=(2, 3)), arrived, "Σ gx of each plane", tolerance=0)


@law(
    "max_pool2d",
    poolings(values=tied) | blind_poolings(),
    "x[indices] = y (−1: nowhere, −∞), gx[p] = Σ v where indices = p",
)
def its_indices_point_at_the_maxima(ops: Implementation, case: Case) -> None:
    """The first of equals, as h·W + w; −1 where a window sees only padding."""
    asked = with_arguments(case, return_indices=True)
    y, indices = ops.max_pool2d(asked.x, **asked.arguments)
    equal(y, call(ops, case), "y with its indices", tolerance=0)
    # They are part of what is promised: max_unpool2d needs them.
    equal(indices, first_maxima(case), "indices", tolerance=0)
    gy = case.another(y)
    gx = ops.gradients("max_pool2d", gy, asked.x, **asked.arguments)[0]
    equal(gx, put(gy, indices, case), "the gradient put to the indices", tolerance=0)


@law(
    "max_pool2d",
    blind_poolings(),
    "y = max ∅ = −∞, and gx = 0, where a window sees only padding",
)
def a_window_of_padding_alone_is_minus_infinity(
    ops: Implementation, case: Case
) -> None:
    """So it loses against everything in the pools above."""
    y, blind = call(ops, case), taps_counted(case) == 0
    equal(np.isneginf(y), np.broadcast_to(blind, y.shape), "where y is −∞")
    gy = case.another(y) * blind  # only to windows of padding alone
    (gx,) = pull_back(ops, case, gy).values()
    equal(gx, np.zeros_like(gx), "the gradient from padding", tolerance=0)


@st.composite
def pairs_of_pools(draw: DrawFn) -> Case:
    """Draw a pool below, whose windows leave no gap, and one above it."""
    inner_kernel, outer_kernel = draw(unequal(1, 3)), draw(unequal(1, 3))
    # s′ ≤ k′: no gaps
    steps = draw(st.tuples(*[st.integers(1, k) for k in inner_kernel]))
    jumps = draw(unequal(1, 3))
    pools = {"below": (inner_kernel, steps), "above": (outer_kernel, jumps)}
    # Room for 2 × 3 windows of both together.
    H, W = (
        k1 + (k2 - 1) * s1 + (count - 1) * s1 * s2
        for k1, s1, k2, s2, count in zip(
            inner_kernel, steps, outer_kernel, jumps, (2, 3), strict=True
        )
    )
    seed, N, C = draw(seeds()), draw(batches()), draw(st.integers(1, 3))
    x = distinct(np.random.default_rng(seed), (N, C, H, W + (H == W)))
    return Case("max_pool2d", {"x": x}, pools, seed)


@law(
    "max_pool2d",
    pairs_of_pools(),
    "pool_ks ∘ pool_k′s′ = pool with kernel k′ + (k − 1)·s′ and stride s·s′, s′ ≤ k′",
    LONG + "3",
)
def two_pools_compose_into_one(ops: Implementation, case: Case) -> None:
    """The rule by which receptive fields grow, on the layers that obey it exactly."""
    (below, steps), (above, jumps) = case.arguments.values()
    y = ops.max_pool2d(ops.max_pool2d(case.x, below, steps), above, jumps)
    kernel = tuple(
        k1 + (k2 - 1) * s1 for k1, k2, s1 in zip(below, above, steps, strict=True)
    )
    stride = tuple(s1 * s2 for s1, s2 in zip(steps, jumps, strict=True))
    equal(y, ops.max_pool2d(case.x, kernel, stride), tolerance=0)


@st.composite
def images_with_gaps(draw: DrawFn) -> Case:
    """Draw a pooling of an image some pixels of which are no numbers."""
    case = draw(poolings(values=whole_numbers))
    rng = np.random.default_rng(case.seed)
    x = case.x.copy()
    x[rng.random(x.shape) < 0.2] = np.nan
    x.reshape(-1)[rng.integers(x.size)] = np.nan  # one at least
    return with_image(case, x)


@law("max_pool2d", images_with_gaps(), "y = NaN where the window holds a NaN")
def what_is_no_number_is_passed_on(ops: Implementation, case: Case) -> None:
    """A fault upstream shows, and is not pooled away; its windows have no index."""
    values = window_values(case.x, case, -np.inf)
    asked = with_arguments(case, return_indices=True)
    y, indices = ops.max_pool2d(asked.x, **asked.arguments)
    equal(y, values.max(axis=-1), tolerance=0)
    lost = np.isnan(values).any(axis=-1)
    # NaN is no largest pixel: there is none to point at.
    equal(indices[lost], np.full(lost.sum(), -1), "indices of NaN")
