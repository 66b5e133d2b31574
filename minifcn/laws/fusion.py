"""What is true of fusing streams: by their sum, their maximum, side by side; scaled.

A sum passes its gradient on to both streams, a maximum to the larger one only: that is
why FCN-16s and 8s take sums (Long et al. 2015, section 4.2 and footnote 6).
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from .cases import Case, batches, distinct, seeds, shapes, unequal, whole_numbers
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .sources import LONG
from .statement import equal, law

SUMMED = LONG + "4.2"
SWITCHING = "Long et al. 2015, footnote 6"
SZEGEDY = "Szegedy et al. 2015, figure 2"


def nearby(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw −1, 0, 1: of two such a third is equal."""
    return rng.integers(-1, 2, shape).astype(np.float64)


@st.composite
def couples(draw: DrawFn, operator: str, values: Any = whole_numbers) -> Case:
    """Draw x and y of one shape, of one to four axes."""
    shape, seed = draw(shapes()), draw(seeds())
    # of distinct values none are equal
    x, y = values(np.random.default_rng(seed), (2, *shape))
    return Case(operator, {"x": x, "y": y}, {}, seed)


def _third(case: Case) -> np.ndarray:
    return np.clip(case.another(case.x, 3), -1, 1)  # ties with both


# ---- sum

judge(Operator("add", couples("add"), ("x", "y"), ("x", "y"), source=SUMMED))


@law("add", couples("add"), "x + y = y + x, (x + y) + z = x + (y + z), x + 0 = x")
def in_any_order_the_sum_is_the_same(ops: Implementation, case: Case) -> None:
    """Streams have no order; three are fused two by two."""
    x, y, z = case.x, case.y, _third(case)
    both = call(ops, case)
    equal(ops.add(y, x), both, "y + x", tolerance=0)
    equal(ops.add(both, z), ops.add(x, ops.add(y, z)), "(x + y) + z", tolerance=0)
    equal(ops.add(x, np.zeros_like(y)), x, "x + 0", tolerance=0)


@law("add", couples("add"), "(x + y) + (−y) = x")
def it_can_be_undone(ops: Implementation, case: Case) -> None:
    """The one stream is what the sum has more than the other."""
    equal(ops.add(call(ops, case), -case.y), case.x, "(x + y) + (−y)", tolerance=0)


@law("add", couples("add"), "gx = gy = v", SUMMED)
def both_get_the_whole_gradient(ops: Implementation, case: Case) -> None:
    """Neither halves it, whatever the values are."""
    v = case.another(case.x)
    for name, g in pull_back(ops, case, v).items():  # of x, and of y
        equal(g, v, f"the gradient of {name}", tolerance=0)


@law("add", couples("add"), "x + x = 2x, with the gradient 2v")
def of_one_stream_twice_it_is_the_double(ops: Implementation, case: Case) -> None:
    """Each of the two places gets the gradient; they add up."""
    equal(ops.add(case.x, case.x), 2 * case.x, "x + x", tolerance=0)
    v = case.another(case.x)
    parts = ops.gradients("add", v, case.x, case.x)  # one for each place
    equal(sum(parts), 2 * v, "the gradients of both places", tolerance=0)


# ---- maximum

judge(
    Operator(
        "maximum",
        couples("maximum", nearby),
        (),
        ("x", "y"),
        smooth=couples("maximum", distinct),
        source=SWITCHING,
    )
)


@law(
    "maximum",
    couples("maximum"),
    "max(x, y) = max(y, x), max(max(x, y), z) = max(x, max(y, z)), max(x, x) = x",
)
def in_any_order_the_largest_is_the_same(ops: Implementation, case: Case) -> None:
    """Streams have no order; three are fused two by two."""
    x, y, z = case.x, case.y, _third(case)
    both = call(ops, case)
    equal(ops.maximum(y, x), both, "max(y, x)", tolerance=0)
    of_three = ops.maximum(x, ops.maximum(y, z))
    equal(ops.maximum(both, z), of_three, "max(max(x, y), z)", tolerance=0)
    equal(ops.maximum(x, x), x, "max(x, x)", tolerance=0)


@law("maximum", couples("maximum"), "max(x, y) + min(x, y) = x + y, min = −max(−x, −y)")
def larger_and_smaller_are_both(ops: Implementation, case: Case) -> None:
    """What it drops is the smaller one."""
    smaller = -ops.maximum(-case.x, -case.y)  # the minimum
    equal(call(ops, case) + smaller, case.x + case.y, "max + min", tolerance=0)
    equal(call(ops, case) - smaller, abs(case.x - case.y), "max − min", tolerance=0)


@law("maximum", couples("maximum"), "max(x + z, y + z) = max(x, y) + z")
def what_both_have_more_it_has_more(ops: Implementation, case: Case) -> None:
    """And scaled by c > 0, max(c·x, c·y) = c · max(x, y)."""
    z, larger = case.another(case.x), call(ops, case)
    equal(ops.maximum(case.x + z, case.y + z), larger + z, tolerance=0)
    equal(ops.maximum(3 * case.x, 3 * case.y), 3 * larger, "max(3x, 3y)", tolerance=0)


@law(
    "maximum",
    couples("maximum", nearby),
    "gx = v where x > y, v/2 where x = y, else 0; gx + gy = v",
    SWITCHING,
)
def the_gradient_goes_to_the_larger(ops: Implementation, case: Case) -> None:
    """Switched element by element; halved between equals, so that both learn."""
    v = case.another(case.x)
    gx, gy = pull_back(ops, case, v).values()
    share = (case.x > case.y) + (case.x == case.y) / 2  # 1, ½ or 0
    equal(gx, share * v, "the gradient of x", tolerance=0)
    equal(gx + gy, v, "both gradients together", tolerance=0)


@law("maximum", couples("maximum"), "max(x, y) = x + relu(y − x)")
def it_is_a_sum_and_a_relu(ops: Implementation, case: Case) -> None:
    """What y has more than x, if anything, comes on top of x."""
    more = ops.add(case.x, ops.relu(case.y - case.x))  # what y has more than x
    equal(call(ops, case), more, tolerance=0)


# ---- side by side


@st.composite
def rows_of_tensors(draw: DrawFn, count: int | None = None) -> Case:
    """Draw one to four tensors, alike or different along one axis, and its number.

    Args:
        count: how many, if not any number.
    """
    shape, seed = list(draw(shapes())), draw(seeds())
    dim = draw(st.integers(-len(shape), len(shape) - 1))  # also counted from the end
    sizes = draw(st.permutations((1, 2, 3, 4)) | st.just((2, 2, 2, 2)))
    rng = np.random.default_rng(seed)
    inputs: dict[str, np.ndarray] = {}
    number = count or draw(st.integers(1, 4))
    for name, size in zip(("first", "second", "third", "fourth"), sizes, strict=True):
        shape[dim] = size
        if len(inputs) < number:
            inputs[name] = whole_numbers(rng, tuple(shape))
    return Case("concat", inputs, {"dim": dim}, seed, packed=True)


@st.composite
def streams(draw: DrawFn) -> Case:
    """Draw two or three images, alike or of different channels, to join along those."""
    N, (H, W), seed = draw(batches()), draw(unequal(1, 5)), draw(seeds())
    rng, names = np.random.default_rng(seed), ("first", "second", "third")
    channels = draw(st.permutations((1, 2, 3)) | st.just([2, 2]))
    channels = channels[: draw(st.integers(2, 3))]  # two streams, or three
    inputs = {
        name: whole_numbers(rng, (N, C, H, W))
        for name, C in zip(names, channels, strict=False)
    }
    return Case("concat", inputs, {}, seed, packed=True)


judge(Operator("concat", rows_of_tensors(), ("first",), (), source=SZEGEDY))


def _cuts(case: Case, dim: int) -> list[int]:
    """Return where each tensor but the first begins."""
    ends = np.cumsum([x.shape[dim] for x in case.inputs.values()])
    return [int(end) for end in ends[:-1]]


@law("concat", rows_of_tensors(), "split(concat(x₀, x₁, …)) = x₀, x₁, …")
def cut_again_it_gives_its_parts(ops: Implementation, case: Case) -> None:
    """In their order; each gets its own slice of the gradient."""
    dim = case.arguments["dim"]
    y = call(ops, case)
    v = case.another(y)
    gradients = pull_back(ops, case, v)
    parts = np.split(y, _cuts(case, dim), axis=dim)  # as many as were joined
    slices = np.split(v, _cuts(case, dim), axis=dim)
    for (name, x), part, piece in zip(case.inputs.items(), parts, slices, strict=True):
        equal(part, x, f"the part of {name}", tolerance=0)
        equal(gradients[name], piece, f"the gradient of {name}", tolerance=0)


@law("concat", rows_of_tensors(3), "concat(concat(x, y), z) = concat(x, concat(y, z))")
def three_are_joined_two_by_two(ops: Implementation, case: Case) -> None:
    """Or all at once; one alone stays as it is."""
    (x, y, z), dim = case.inputs.values(), case.arguments["dim"]
    together = call(ops, case)
    left = ops.concat([ops.concat([x, y], dim), z], dim)
    right = ops.concat([x, ops.concat([y, z], dim)], dim)
    equal(left, together, "concat(concat(x, y), z)", tolerance=0)
    equal(right, together, "concat(x, concat(y, z))", tolerance=0)
    equal(ops.concat([x], dim), x, "concat(x)", tolerance=0)


@law("concat", rows_of_tensors(), "concat along dim ≥ 0 = concat along dim − ndim")
def the_last_axis_is_minus_one(ops: Implementation, case: Case) -> None:
    """Axes are counted from the first, or back from the end."""
    dim, y = case.arguments["dim"], call(ops, case)
    other = dim - y.ndim if dim >= 0 else dim + y.ndim  # the other name of the axis
    equal(ops.concat(*case.positional, dim=other), y, f"y of dim {other}", tolerance=0)


@law("concat", streams(), "concat(x₀, x₁)[:, C₀ + c] = x₁[:, c]", SZEGEDY)
def left_to_itself_it_joins_channels(ops: Implementation, case: Case) -> None:
    """The axis of an Inception module: channels after channels, image by image."""
    expected = np.concatenate(list(case.inputs.values()), axis=1)
    equal(call(ops, case), expected, tolerance=0)
    equal(ops.concat(*case.positional, dim=1), expected, "y of dim 1", tolerance=0)


@law("concat", streams(), "conv(concat(x, y), [w₀, w₁]) = conv(x, w₀) + conv(y, w₁)")
def a_convolution_above_it_is_a_sum(ops: Implementation, case: Case) -> None:
    """So a sum of scores is what a net over joined channels can learn as well."""
    y = call(ops, case)
    weight = case.another((4, y.shape[1], 1, 1))  # (O, ΣC, 1, 1)
    kernels = np.split(weight, _cuts(case, 1), axis=1)  # (O, C of each, 1, 1)
    parts = [
        ops.conv2d(x, w) for x, w in zip(case.inputs.values(), kernels, strict=True)
    ]
    equal(ops.conv2d(y, weight), sum(parts), "conv(concat)")


# ---- scale


@st.composite
def scalings(draw: DrawFn) -> Case:
    """Draw an image and a factor for each channel."""
    N, C, seed = draw(batches()), draw(st.integers(1, 4)), draw(seeds())
    rng, size = np.random.default_rng(seed), draw(unequal(1, 5))
    x, factors = whole_numbers(rng, (N, C, *size)), whole_numbers(rng, C)  # (C,)
    return Case("scale", {"x": x, "factors": factors}, {}, seed)


judge(Operator("scale", scalings(), ("x", "factors")))


@law("scale", scalings(), "y[n, c, h, w] = factors[c] · x[n, c, h, w]")
def each_channel_has_its_factor(ops: Implementation, case: Case) -> None:
    """The gradient is scaled alike, channel by channel."""
    factors = case.factors[:, None, None]  # (C, 1, 1)
    equal(call(ops, case), factors * case.x, tolerance=0)
    v = case.another(case.x)
    equal(pull_back(ops, case, v)["x"], factors * v, "the gradient of x", tolerance=0)


@law("scale", scalings(), "g(v)[c] = Σ over n, h, w of v · x, of factors")
def a_factor_hears_from_all_its_pixels(ops: Implementation, case: Case) -> None:
    """Of every image: so it can be learned."""
    v = case.another(case.x)
    expected = (v * case.x).sum(axis=(0, 2, 3))  # (C,)
    found = pull_back(ops, case, v)["factors"]
    equal(found, expected, "the gradient of factors", tolerance=0)


@law("scale", scalings(), "scale(x, f) = conv(x, f as C kernels of 1×1, groups C)")
def it_is_a_convolution_of_each_channel(ops: Implementation, case: Case) -> None:
    """With one tap; its gradients are that convolution's."""
    C, weight = len(case.factors), case.factors[:, None, None, None]  # (C, 1, 1, 1)
    y = call(ops, case)
    equal(y, ops.conv2d(case.x, weight, groups=C), tolerance=0)
    v = case.another(y)
    gx, gw = ops.gradients("conv2d", v, case.x, weight, groups=C)
    found = pull_back(ops, case, v)
    equal(found["x"], gx, "the gradient of x", tolerance=0)
    equal(found["factors"], gw[:, 0, 0, 0], "the gradient of factors", tolerance=0)


@law("scale", scalings(), "scale(scale(x, f), g) = scale(x, f·g), scale(x, 1) = x")
def two_scales_are_one(ops: Implementation, case: Case) -> None:
    """And a scale of ones is none."""
    others = case.another(case.factors)  # (C,)
    twice = ops.scale(call(ops, case), others)
    equal(twice, ops.scale(case.x, case.factors * others), tolerance=0)
    equal(ops.scale(case.x, np.ones_like(others)), case.x, "scale(x, 1)", tolerance=0)


@law("scale", couples("scale"), "scale(x, a) = a · x = scale(x, (a, a, …))")
def one_number_is_for_all(ops: Implementation, case: Case) -> None:
    """A plain number, or an array of no axes; then x may have any shape."""
    x, v = case.x, case.y
    equal(ops.scale(x, -1.5), -1.5 * x, "scale(x, −1.5)", tolerance=0)
    equal(ops.scale(x, 3), 3 * x, "scale(x, 3)", tolerance=0)
    gx, gf = ops.gradients("scale", v, x, np.array(2.5))
    equal(gx, 2.5 * v, "the gradient of x", tolerance=0)
    # one number, (), hears from all
    equal(gf, (v * x).sum(), "the gradient of the factor", tolerance=0)
    if x.ndim == 4:
        same = np.full(x.shape[1], -1.5)
        equal(ops.scale(x, same), -1.5 * x, "scale(x, (−1.5, …))", tolerance=0)
