"""What is true of average pooling: a convolution with equal weights, where all counts.

At the border it is the question of what counts that makes it more than that.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ..geometry import span
from .cases import Case, poolings, whole_numbers
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .pooling import (
    blind_poolings,
    covered_poolings,
    frame,
    judge_windows,
    pixel_numbers,
    put,
    sighted,
    taps_counted,
    window_values,
    with_arguments,
    with_image,
)
from .statement import equal, law
from .unpooling import tilings


@st.composite
def averagings(draw: DrawFn) -> Case:
    """Draw an average pooling: which taps count, or a divisor of its own."""
    settings = {
        "count_include_pad": draw(st.booleans()),
        # mostly none, as in nets
        "divisor_override": draw(st.sampled_from((None, None, None, 1, 3, -2))),
    }
    shapes = (
        poolings("avg_pool2d", whole_numbers),
        poolings("avg_pool2d", whole_numbers),
        blind_poolings("avg_pool2d", whole_numbers),
        covered_poolings("avg_pool2d", whole_numbers),
    )
    return with_arguments(draw(st.one_of(*shapes)), **settings)


judge(Operator("avg_pool2d", averagings(), ("x",)))
judge_windows("avg_pool2d", whole_numbers)


@law(
    "avg_pool2d",
    poolings("avg_pool2d", whole_numbers, ceil_mode=False),
    "avg x = conv(x, 1/(KH·KW), groups C), rounded down, if the padding counts",
)
def it_is_a_convolution_with_equal_weights(ops: Implementation, case: Case) -> None:
    """Stride, padding (whose zeros count) and dilation are those of a convolution."""
    a, C = dict(case.arguments), case.x.shape[1]
    KH, KW = a.pop("kernel_size")
    del a["ceil_mode"]
    weight = np.full((C, 1, KH, KW), 1 / (KH * KW))  # one group a channel
    y = call(ops, case)
    equal(y, ops.conv2d(case.x, weight, **a, groups=C))
    v = case.another(y)
    (gx,) = pull_back(ops, case, v).values()
    expected = ops.gradients("conv2d", v, case.x, weight, **a, groups=C)[0]
    equal(gx, expected, "the gradient")


@st.composite
def counted_poolings(draw: DrawFn, **fixed: Any) -> Case:
    """Draw an average pooling that counts the padding, or does not."""
    shapes = (poolings, poolings, blind_poolings, covered_poolings)
    cases = st.one_of(*(shape("avg_pool2d", whole_numbers) for shape in shapes))
    settings = {"count_include_pad": draw(st.booleans()), **fixed}
    return with_arguments(draw(cases), **settings)


@law(
    "avg_pool2d",
    counted_poolings(),
    "y · count = Σ of the window, count = its taps in x, or in x and its padding",
)
def it_divides_by_what_counts(ops: Implementation, case: Case) -> None:
    """What hangs over the padding in ceil mode counts for nothing in either."""
    count = taps_counted(case, padded=case.arguments["count_include_pad"])  # (OH, OW)
    total = window_values(case.x, case, 0).sum(axis=-1)
    y = call(ops, case)
    equal(y * count, total, "y · count")
    gy = case.another(y)
    (gx,) = pull_back(ops, case, gy * count).values()  # the count cancels the division
    # The gradient of the sums: every tap passes gy on to its pixel.
    numbers = window_values(pixel_numbers(case), case, -1)  # (1, 1, OH, OW, KH·KW)
    expected = sum(
        put(gy, np.broadcast_to(numbers[..., tap], gy.shape), case)
        for tap in range(numbers.shape[-1])
    )
    equal(gx, expected, "the gradient of y · count")


@law(
    "avg_pool2d",
    counted_poolings(),
    "y · d = Σ of the window, whatever it counts",
)
def a_divisor_of_its_own_overrides_the_count(ops: Implementation, case: Case) -> None:
    """With 1 it is the sum; below zero it turns the sign."""
    total = window_values(case.x, case, 0).sum(axis=-1)
    for divisor in (1, 3, -2):  # what PyTorch allows: any number but 0
        y = call(ops, with_arguments(case, divisor_override=divisor))
        equal(y * divisor, total, f"y · {divisor}")


@law(
    "avg_pool2d",
    counted_poolings(count_include_pad=False),
    "avg(x + c) = avg x + c, avg c = c at windows with pixels, if those alone count",
)
def of_a_constant_it_is_that_constant(ops: Implementation, case: Case) -> None:
    """At the border too, if the padding does not count; inside if it does."""
    sees = taps_counted(case) > 0  # a window of padding alone gives 0
    y = call(ops, case)
    equal(call(ops, case, x=case.x + 7), y + 7 * sees, "avg(x + 7)")
    equal(
        call(ops, case, x=np.full_like(case.x, 7)), sees * np.full(y.shape, 7), "avg 7"
    )
    # there nothing is left out of the count
    whole = taps_counted(case) == np.prod(case.arguments["kernel_size"])
    counted = call(ops, with_arguments(case, count_include_pad=True))
    equal(counted * whole, y * whole, "y of the windows inside")


@law(
    "avg_pool2d",
    sighted(counted_poolings(count_include_pad=False)),
    "−max_pool(−x) ≤ avg x ≤ max_pool x, if pixels alone count",
)
def it_lies_between_least_and_largest(ops: Implementation, case: Case) -> None:
    """Of the pixels that the window sees."""
    y, values = call(ops, case), window_values(case.x, case, np.nan)  # nan: no pixel
    low, high = np.nanmin(values, axis=-1), np.nanmax(values, axis=-1)
    equal(y, np.clip(y, low, high), "y, clipped to its window's values")


@law(
    "avg_pool2d",
    poolings("avg_pool2d", whole_numbers, ceil_mode=False),
    "avg(a·h + b·w) = a·h + b·w at the window's centre, padding 0",
)
def of_a_ramp_it_is_the_value_at_the_centre(ops: Implementation, case: Case) -> None:
    """Half a pixel off, and a slope would show it."""
    (KH, KW), (SH, SW), (DH, DW) = (
        case.arguments[name] for name in ("kernel_size", "stride", "dilation")
    )
    x = frame(case.x, case.arguments["padding"], 0)  # only its size is used
    h, w = np.indices(x.shape[2:])
    y = call(ops, with_image(case, 3 * h + 5.0 * w + 0 * x, padding=0))
    r, q = np.indices(y.shape[2:])
    top, left = (span(KH, DH) - 1) / 2, (span(KW, DW) - 1) / 2  # from a window's corner
    expected = 3 * (r * SH + top) + 5 * (q * SW + left)
    equal(y, np.broadcast_to(expected, y.shape))


@law(
    "avg_pool2d",
    tilings(whole_numbers).map(lambda case: replace(case, operator="avg_pool2d")),
    "mean(avg x) = mean x where tiles cover x",
)
def the_mean_of_tiles_is_the_mean(ops: Implementation, case: Case) -> None:
    """So one tile as large as the image is its mean: global average pooling."""
    kernel = case.arguments["kernel_size"]
    # 2 × 3 tiles
    x = np.resize(case.x, (*case.x.shape[:2], 2 * kernel[0], 3 * kernel[1]))
    mean = x.mean(axis=(2, 3))  # (N, C)
    equal(ops.avg_pool2d(x, kernel).mean(axis=(2, 3)), mean, "the mean of means")
    equal(ops.avg_pool2d(x, x.shape[2:])[:, :, 0, 0], mean, "the mean of one tile")
