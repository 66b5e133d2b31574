"""What is true where sizes are large, or a number is none.

The cases of all other laws are small, so that a broken one can be read. What goes wrong
from the 33rd column on (a GPU works in tiles of 16 or 32), in the fourth image or the
ninth channel, shows here: a part of a large output is what the definition makes of the
part of the input that it sees.

`judge_large` and `judge_gaps` make these laws for one operator; at the end, for each.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..geometry import conv_transpose_output_size, span
from ..ops import definitions
from .cases import (
    Case,
    Pair,
    convolutions,
    distinct,
    eighths,
    poolings,
    rectified_convolutions,
    seeds,
    unequal,
    whole_numbers,
)
from .fusion import couples
from .general import call, pull_back
from .implementation import Implementation
from .normalization import normalizations
from .softmax import scores
from .statement import add_law, equal

IMAGES = 5  # of a large case
EVERYTHING = slice(None)


class Part(NamedTuple):
    """A part of a case, small enough for the definition.

    Attributes:
        case: the same call, of the parts of the inputs.
        reads: where those lie in the inputs, by name.
        place: where the part lies in the large output.
        inside: where it lies in the small one.
    """

    case: Case
    reads: dict[str, Any]
    place: Any
    inside: Any = ...


# ---- cases


@st.composite
def sizes(draw: DrawFn, short: int = 3) -> Pair:
    """Draw a height and a width, one of them of more than two tiles of 16."""
    long, other = draw(st.integers(33, 70)), draw(st.integers(1, short))
    return (long, other) if draw(st.booleans()) else (other, long)


@st.composite
def large_images(
    draw: DrawFn,
    operator: str,
    values: Any = whole_numbers,
    names: tuple[str, ...] = ("x",),
    **arguments: Any,
) -> Case:
    """Draw large images of this name, or several alike, and arguments if any."""
    C, size, seed = draw(st.integers(8, 17)), draw(sizes()), draw(seeds())
    rng = np.random.default_rng(seed)
    inputs = {name: values(rng, (IMAGES, C, *size)) for name in names}
    return Case(operator, inputs, {n: draw(v) for n, v in arguments.items()}, seed)


def with_factors(case: Case) -> Case:
    """Add a factor for each channel."""
    factors = case.another((case.x.shape[1],))
    return replace(case, inputs=case.inputs | {"factors": factors})


@st.composite
def large_windows(draw: DrawFn, operator: str, values: Any = whole_numbers) -> Case:
    """Draw large images, and windows over them: without padding, side by side or not.

    Convolutions get a weight, pools a kernel_size.
    """
    kernel, stride = draw(unequal(1, 3)), draw(unequal(1, 2) | st.just((1, 1)))
    dilation = draw(unequal(1, 2) | st.just((1, 1)))
    C, (H, W), seed = draw(st.integers(8, 17)), draw(sizes()), draw(seeds())
    if operator != "conv_transpose2d":  # as many outputs, so many pixels
        H, W = (
            (n - 1) * s + span(k, d)
            for n, k, s, d in zip((H, W), kernel, stride, dilation, strict=True)
        )
    rng = np.random.default_rng(seed)
    inputs = {"x": values(rng, (IMAGES, C, H, W))}
    arguments: dict[str, Any] = {"stride": stride, "dilation": dilation}
    if operator.startswith("conv"):
        O = draw(st.integers(8, 17))
        channels = (C, O) if operator == "conv_transpose2d" else (O, C)
        inputs["weight"] = whole_numbers(rng, (*channels, *kernel))
    else:
        arguments = {"kernel_size": kernel, **arguments}
    return Case(operator, inputs, arguments, seed)


@st.composite
def large_losses(draw: DrawFn, operator: str) -> Case:
    """Draw scores of many pixels and classes, a class for each, and weights."""
    case = draw(large_images(operator, reduction=st.just("none")))
    N, C, H, W = case.x.shape
    rng = np.random.default_rng(case.seed)
    target = rng.choice([*range(C), 255], (N, H, W))
    arguments = case.arguments | {"weight": rng.integers(1, 9, C) / 4}
    inputs = {"x": case.x / 8, "target": target}
    return replace(case, inputs=inputs, arguments=arguments)


# ---- parts


def rectangle(case: Case, at: tuple[int, ...], whole: int = 1) -> Part:
    """Take few pixels of one image, and of the axis `whole` all: pixels do not meet."""
    image = np.array(case.x.shape)
    near = [slice(i, min(i + 2, n)) for i, n in zip(at, image, strict=True)]
    near[whole] = EVERYTHING

    def of(ndim: int) -> Any:
        """What an array of x's axes, or without channels, has of that."""
        by_pixel = {4: near, 3: [near[0], *near[2:]]}  # others belong to all pixels
        return tuple(by_pixel.get(ndim, [EVERYTHING] * ndim))

    reads = {name: of(x.ndim) for name, x in case.inputs.items()}
    losses = "target" in case.inputs
    return Part(_cut(case, reads), reads, of(3 if losses else 4))


def along(case: Case, at: tuple[int, ...]) -> Part:
    """Take a rectangle that is whole along the case's own axis, dim."""
    return rectangle(case, at, case.arguments.get("dim", 1))


def window(case: Case, at: tuple[int, ...]) -> Part:
    """Take the window of one output pixel."""
    (n, _, *pixel), (KH, KW) = at, _kernel(case)
    spans = (
        slice(i * s, i * s + span(k, d))
        for i, k, s, d in zip(pixel, (KH, KW), *_steps(case), strict=True)
    )
    reads = _all_but_x(case, (slice(n, n + 1), EVERYTHING, *spans))
    place = tuple(slice(i, i + 1) for i in pixel)
    return Part(_cut(case, reads), reads, (slice(n, n + 1), EVERYTHING, *place))


def stamps(case: Case, at: tuple[int, ...]) -> Part:
    """Take the inputs of a transposed convolution whose stamps reach one pixel."""
    (n, _, *pixel), (KH, KW) = at, _kernel(case)
    rows, inside = [], []
    for i, size, k, s, d in zip(
        pixel, case.x.shape[2:], (KH, KW), *_steps(case), strict=True
    ):
        first = max(0, -((span(k, d) - 1 - i) // s))  # (i − reach) / s, rounded up
        last = min(size - 1, i // s)
        # A pixel between the stamps sees none: then the nearest one, whose stamp ends.
        first = min(first, last)
        rows.append(slice(first, last + 1))
        inside.append(i - first * s)
    reads = _all_but_x(case, (slice(n, n + 1), EVERYTHING, *rows))
    small = _cut(case, reads)
    reach = [
        conv_transpose_output_size(n_in, k, s, dilation=d)
        for n_in, k, s, d in zip(
            small.x.shape[2:], (KH, KW), *_steps(case), strict=True
        )
    ]
    inside = [min(i, n_out - 1) for i, n_out in zip(inside, reach, strict=True)]
    starts = [r.start * s for r, s in zip(rows, _steps(case)[0], strict=True)]
    place = [slice(a + i, a + i + 1) for a, i in zip(starts, inside, strict=True)]
    return Part(
        small,
        reads,
        (slice(n, n + 1), EVERYTHING, *place),
        (EVERYTHING, EVERYTHING, *(slice(i, i + 1) for i in inside)),
    )


def _kernel(case: Case) -> Pair:
    if "weight" in case.inputs:
        KH, KW = case.weight.shape[2:]
        return KH, KW
    KH, KW = case.arguments["kernel_size"]
    return KH, KW


def _steps(case: Case) -> tuple[Pair, Pair]:
    return case.arguments["stride"], case.arguments["dilation"]


def _all_but_x(case: Case, of_x: Any) -> dict[str, Any]:
    return {name: of_x if name == "x" else ... for name in case.inputs}


def _cut(case: Case, reads: dict[str, Any]) -> Case:
    return replace(
        case, inputs={name: x[reads[name]] for name, x in case.inputs.items()}
    )


# ---- laws

Cut = Callable[[Case, tuple[int, ...]], Part]


def judge_large(operator: str, cases: SearchStrategy[Case], cut: Cut) -> None:
    """Add the law of large sizes for an operator, whose output is cut into parts."""

    def body(ops: Implementation, case: Case) -> None:
        """Each part is what the definition makes of the part of the input it sees."""
        y = call(ops, case)
        for at in _places(case, y):
            part = cut(case, at)
            define = getattr(definitions, operator)
            small = define(*part.case.positional, **part.case.arguments)
            equal(y[part.place], small[part.inside], f"y near {at}")
            _gradients_of_part(ops, case, part, y)

    formula = "f(x)[part] = f(what the part sees of x); so its gradients"
    add_law(operator, "large ones are as small ones", cases, formula, "", body)


def _places(case: Case, y: np.ndarray) -> Iterator[tuple[int, ...]]:
    """Yield the last place of the output, and any other."""
    shape = (len(y), 1, *y.shape[1:]) if y.ndim == 3 else y.shape
    rng = np.random.default_rng([case.seed, 99])
    yield tuple(n - 1 for n in shape)
    yield tuple(int(rng.integers(n)) for n in shape)


def _gradients_of_part(
    ops: Implementation, case: Case, part: Part, y: np.ndarray
) -> None:
    """A gradient that comes from one part alone goes to what it sees alone."""
    v, small = np.zeros(y.shape), np.zeros(call(ops, part.case).shape)
    v[part.place] = small[part.inside] = case.another(y[part.place])
    found = pull_back(ops, part.case, small)
    for name, g in pull_back(ops, case, v).items():
        expected = np.zeros(g.shape)
        expected[part.reads[name]] = found[name]
        equal(g, expected, f"the gradient of {name} from {part.place}")


def judge_large_sum(operator: str) -> None:
    """Add the law of many pixels for a loss."""

    def body(ops: Implementation, case: Case) -> None:
        """However many they are, none is left out."""
        total = replace(case, arguments=case.arguments | {"reduction": "sum"})
        each = call(ops, case)
        equal(call(ops, total), each.sum(), "the sum")
        (g,) = pull_back(ops, case, np.ones(each.shape)).values()
        (found,) = pull_back(ops, total, np.array(1.0)).values()
        equal(found, g, "the gradient of the sum")

    formula = "sum = Σ over n, h, w of none[n, h, w], of hundreds of pixels"
    cases = large_losses(operator)
    add_law(operator, "a sum of many is a sum of all", cases, formula, "", body)


def judge_gaps(
    operator: str, cases: SearchStrategy[Case], exactly: bool = True
) -> None:
    """Add the law of NaN for an operator.

    Args:
        exactly: whether it stays where the definition keeps it; else it may go farther
            within its image: a convolution may multiply it by a zero, too.
    """

    def body(ops: Implementation, case: Case) -> None:
        """A fault upstream shows wherever it is seen, and does not pass as a zero."""
        name, x = next(iter(case.inputs.items()))
        x = x.copy()
        at = int(np.random.default_rng(case.seed).integers(x.size))
        x.flat[at] = np.nan
        changed = replace(case, inputs=case.inputs | {name: x})
        define = getattr(definitions, operator)
        with np.errstate(invalid="ignore"):
            expected = define(*changed.positional, **changed.arguments)
        y = call(ops, changed)
        if exactly:
            equal(y, expected, f"y of {name} with NaN")
            return
        seen, image = np.isnan(expected), at // x[0].size
        equal(np.isnan(y) & seen, seen, "where y is NaN")
        equal(np.delete(y, image, 0), np.delete(expected, image, 0), "other images")

    formula = "x[p] = NaN ⇒ y = NaN just where it sees p"
    if not exactly:
        formula = "x[p] = NaN ⇒ y = NaN where it sees p, and in no other image"
    add_law(operator, "what is no number stays none", cases, formula, "", body)


judge_large("relu", large_images("relu"), rectangle)
for _name in ("softmax", "log_softmax"):
    _axes = st.sampled_from((1, 3, -1))
    judge_large(_name, large_images(_name, eighths, dim=_axes), along)
for _name in ("add", "maximum"):
    judge_large(_name, large_images(_name, names=("x", "y")), rectangle)
judge_large("scale", large_images("scale").map(with_factors), rectangle)
judge_large(
    "local_response_norm",
    large_images("local_response_norm", eighths, size=st.integers(1, 12)),
    rectangle,
)
for _name in ("nll_loss", "cross_entropy"):
    judge_large(_name, large_losses(_name), rectangle)
    judge_large_sum(_name)
for _name in ("conv2d", "conv2d_relu", "max_pool2d", "avg_pool2d"):
    _values = distinct if _name == "max_pool2d" else whole_numbers
    judge_large(_name, large_windows(_name, _values), window)
judge_large("conv_transpose2d", large_windows("conv_transpose2d"), stamps)

judge_gaps("conv2d", convolutions(), exactly=False)
judge_gaps("conv2d_relu", rectified_convolutions(), exactly=False)
judge_gaps("avg_pool2d", poolings("avg_pool2d", whole_numbers))
judge_gaps("local_response_norm", normalizations())
for _name in ("softmax", "log_softmax"):
    judge_gaps(_name, scores(_name))
judge_gaps("maximum", couples("maximum"))
