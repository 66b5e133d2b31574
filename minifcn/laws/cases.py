"""The cases that laws are tried on: every legal geometry, no two sizes alike.

A square image, or as many channels in as out, hides a transposed axis; so sizes are
drawn unequal. Values are small whole numbers, in float64: sums of their products are
exact, and the smallest case that breaks a law can be worked out by hand.

Some draws are extreme: a kernel as large as the padded image, a stride beyond the
kernel, maps of one pixel, as many groups as channels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..geometry import conv_output_size, conv_transpose_output_size, span
from ..ops import activation

Pair = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One call of an operator.

    Attributes:
        operator: its name.
        inputs: the arrays by name, in the order of the call; also `case.x`, `case.w`.
        arguments: all others.
        seed: of what a law draws on top (see `another`).
        packed: whether the arrays go in one list (concat).
    """

    operator: str
    inputs: dict[str, np.ndarray]
    arguments: dict[str, Any]
    seed: int = 0
    packed: bool = False

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.__dict__["inputs"][name]
        except KeyError:
            raise AttributeError(f"the case has no input {name!r}") from None

    @property
    def positional(self) -> tuple[Any, ...]:
        """The arrays as they stand in the call."""
        arrays = tuple(self.inputs.values())
        return (list(arrays),) if self.packed else arrays

    def another(self, like: Any, number: int = 0) -> np.ndarray:
        """Return an array of whole numbers of that shape, another for each number.

        Args:
            like: an array, or a shape.
            number: tells several apart.
        """
        shape = like if isinstance(like, tuple) else np.shape(like)
        # From 1, as NumPy takes [seed, 0] for seed: that would draw x again.
        rng = np.random.default_rng([self.seed, number + 1])
        return whole_numbers(rng, shape)

    def call_as_text(self) -> str:
        """Return the call: conv2d(x, weight, stride=(1, 2))."""
        settings = [f"{name}={value!r}" for name, value in self.arguments.items()]
        return f"{self.operator}({', '.join([*self.inputs, *settings])})"


# ---- values


def whole_numbers(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw −9 … 9, as float64: products and sums are exact."""
    return rng.integers(-9, 10, shape).astype(np.float64)


def nonzero(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw whole numbers from −9 to 9 without zero."""
    return rng.integers(1, 10, shape) * rng.choice((-1.0, 1.0), shape)


def eighths(rng: np.random.Generator, shape: Any, largest: int = 3) -> np.ndarray:
    """Draw multiples of ⅛ up to ± largest: exact too, for what is not linear."""
    return rng.integers(-8 * largest, 8 * largest + 1, shape) / 8


def distinct(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw whole numbers no two of which are equal, all below zero.

    There is one maximum then, and a zero in the padding would win.
    """
    count = int(np.prod(shape))
    return rng.permutation(count).reshape(shape).astype(np.float64) - count - 1


def tied(rng: np.random.Generator, shape: Any) -> np.ndarray:
    """Draw from −3, −2, −1: full of equal values."""
    return rng.integers(-3, 0, shape).astype(np.float64)


# ---- sizes


def generators() -> SearchStrategy[np.random.Generator]:
    """Draw a generator of random values."""
    return seeds().map(np.random.default_rng)


def seeds() -> SearchStrategy[int]:
    """Draw a seed."""
    return st.integers(0, 2**32 - 1)


def unequal(low: int, high: int) -> SearchStrategy[Pair]:
    """Draw two different whole numbers."""
    whole = st.integers(low, high)
    return st.tuples(whole, whole).filter(lambda pair: pair[0] != pair[1])


def batches() -> SearchStrategy[int]:
    """Draw a number of images: more than one, or an error of batches would not show."""
    return st.integers(2, 3)


def shapes() -> SearchStrategy[tuple[int, ...]]:
    """Draw one to four unequal sizes, of an operator that takes any shape."""
    return st.permutations((2, 3, 4, 5)).flatmap(
        lambda sizes: st.integers(1, 4).map(lambda axes: tuple(sizes[:axes]))
    )


@dataclass(frozen=True)
class Window:
    """A size of an image, and a window that fits into it: all (height, width)."""

    size: Pair
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair

    @property
    def arguments(self) -> dict[str, Any]:
        """Stride, padding and dilation, as a call takes them."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
        }

    @property
    def output_size(self) -> Pair:
        """(OH, OW) of a convolution."""
        OH, OW = map(
            conv_output_size,
            self.size,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
        )
        return OH, OW


EXTREMES = (
    "one pixel",
    "kernel fills the image",
    "stride beyond the kernel",
    "square kernel",  # for which there are often faster ways
    "long kernel",
    "all square",  # but the dilation, which may then be exchanged unnoticed
)


@st.composite
def windows(
    draw: DrawFn,
    largest_kernel: int = 4,
    largest_stride: int = 5,
    largest_dilation: int = 3,
    largest_padding: int = 3,
    half_padding: bool = False,
    extremes: tuple[str | None, ...] = (None, None, None, *EXTREMES),
) -> Window:
    """Draw a window and an image that it fits into, padded on four sides unequally.

    Args:
        half_padding: keep the padding within half the window's span, as pools ask.
        extremes: from which to draw.
    """
    extreme = draw(st.sampled_from(extremes))
    kernel = _kernel(draw, extreme, largest_kernel)
    plain = st.just((1, 1))
    dilation = draw(plain | unequal(1, max(2, largest_dilation)))
    spans = span(kernel[0], dilation[0]), span(kernel[1], dilation[1])
    stride = draw(plain | unequal(1, max(2, largest_stride)))
    if extreme == "stride beyond the kernel":
        stride = spans[0] + 1, spans[1] + 2
        stride = min(stride[0], largest_stride), min(stride[1], largest_stride)
    side = st.integers(0, largest_padding)
    sides = [(draw(side), draw(side)) for _ in range(2)]
    if extreme == "all square":
        stride, sides[1] = (stride[0], stride[0]), sides[0]
    if half_padding:
        least = min(spans) if extreme == "all square" else max(spans)
        sides = [
            (min(a, n // 2, least // 2), min(b, n // 2, least // 2))
            for (a, b), n in zip(sides, spans, strict=True)
        ]
    size = _size(draw, extreme, spans, sides)
    return Window(size, kernel, stride, (sides[0], sides[1]), dilation)


def _kernel(draw: DrawFn, extreme: str | None, largest: int) -> Pair:
    if extreme == "long kernel":  # in one direction, or it would take too long
        return draw(st.sampled_from(((7, 1), (1, 5), (1, 9), (6, 1))))
    KH, KW = draw(unequal(1, max(2, largest)))
    return (KH, KH) if extreme in ("square kernel", "all square") else (KH, KW)


def _size(draw: DrawFn, extreme: str | None, spans: Pair, sides: list[Pair]) -> Pair:
    """Draw (H, W), large enough for windows of these spans with this padding."""
    H, W = (max(1, n - sum(p)) for n, p in zip(spans, sides, strict=True))
    if extreme == "one pixel":
        assume((H, W) == (1, 1))
    if extreme in ("one pixel", "kernel fills the image"):
        return H, W
    H, W = H + draw(st.integers(0, 5)), W + draw(st.integers(0, 5))
    return (max(H, W), max(H, W)) if extreme == "all square" else (H, W + (H == W))


@st.composite
def channels(draw: DrawFn) -> tuple[int, int, int]:
    """Draw the channels of input and output, unequal, and the groups (often 1).

    Among them depthwise convolutions: as many groups as input channels.
    """
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    C, O = draw(unequal(1, 3))
    depthwise = draw(st.booleans()) and groups > 1
    return (groups if depthwise else groups * C), groups * O, groups


# ---- cases


@st.composite
def images(
    draw: DrawFn, operator: str, values: Any = whole_numbers, **arguments: Any
) -> Case:
    """Draw an image x (N, C, H, W), for an operator with these arguments.

    Args:
        arguments: values, or strategies to draw them from.
    """
    N, C, size = draw(batches()), draw(st.integers(1, 3)), draw(unequal(1, 6))
    if draw(st.integers(0, 7)) == 7:  # now and then a square
        size = max(size), max(size)
    seed = draw(seeds())
    x = values(np.random.default_rng(seed), (N, C, *size))
    drawn = {
        name: draw(value) if isinstance(value, SearchStrategy) else value
        for name, value in arguments.items()
    }
    return Case(operator, {"x": x}, drawn, seed)


@st.composite
def convolutions(draw: DrawFn, bias: bool | None = None, **limits: Any) -> Case:
    """Draw a convolution: x (N, C, H, W), weight (O, C/groups, KH, KW), bias or none.

    Args:
        bias: whether it has one; either, if left out.
        limits: of the `windows`.
    """
    window, (C, O, groups) = draw(windows(**limits)), draw(channels())
    N, seed = draw(batches()), draw(seeds())
    rng = np.random.default_rng(seed)
    inputs = {
        "x": whole_numbers(rng, (N, C, *window.size)),
        "weight": whole_numbers(rng, (O, C // groups, *window.kernel)),
    }
    if draw(st.booleans()) if bias is None else bias:
        inputs["bias"] = whole_numbers(rng, O)
    return Case("conv2d", inputs, {**window.arguments, "groups": groups}, seed)


def shares() -> st.SearchStrategy[float]:
    """Draw the share p that is dropped; 1 − p is not always exact."""
    return st.sampled_from((0.1, 0.25, 0.5, 0.6, 0.875))


@contextmanager
def seeded(number: int) -> Iterator[None]:
    """Start dropout's random numbers from a seed; afterwards they go on as before."""
    before = activation.random_state()  # whoever calls has draws of his own
    activation.seed(number)
    try:
        yield
    finally:
        activation.set_random_state(before)


@st.composite
def rectified_convolutions(draw: DrawFn) -> Case:
    """Draw a convolution and ReLU whose bias is no whole number: never at the fork."""
    case = draw(convolutions(bias=True))
    inputs = case.inputs | {"bias": case.bias + 0.5}
    return Case("conv2d_relu", inputs, case.arguments, case.seed)


@st.composite
def transposed_convolutions(draw: DrawFn, bias: bool | None = None) -> Case:
    """Draw a transposed convolution: x (N, C, H, W), weight (C, O/groups, KH, KW)."""
    window, (C, O, groups) = draw(windows()), draw(channels())
    N, seed = draw(batches()), draw(seeds())
    size = window.output_size  # small: the image of the convolution it turns around
    most = [max(p) - 1 for p in zip(window.stride, window.dilation, strict=True)]
    extra = draw(st.integers(0, most[0])), draw(st.integers(0, most[1]))
    arguments = {**window.arguments, "groups": groups, "output_padding": extra}
    assume(_leaves_something(window, size, extra))
    rng = np.random.default_rng(seed)
    inputs = {
        "x": whole_numbers(rng, (N, C, *size)),
        "weight": whole_numbers(rng, (C, O // groups, *window.kernel)),
    }
    if draw(st.booleans()) if bias is None else bias:
        inputs["bias"] = whole_numbers(rng, O)
    return Case("conv_transpose2d", inputs, arguments, seed)


def _leaves_something(window: Window, size: Pair, extra: Pair) -> bool:
    try:
        for n, k, s, p, e, d in zip(
            size,
            window.kernel,
            window.stride,
            window.padding,
            extra,
            window.dilation,
            strict=True,
        ):
            conv_transpose_output_size(n, k, s, p, e, d)
    except ValueError:  # the padding cuts off everything
        return False
    return True


@st.composite
def poolings(
    draw: DrawFn, operator: str = "max_pool2d", values: Any = distinct, **fixed: Any
) -> Case:
    """Draw a pooling of x (N, C, H, W), rounded up or down.

    Args:
        fixed: arguments that are not drawn.
    """
    window = draw(windows(largest_padding=2, half_padding=True))
    ceil_mode = draw(st.booleans())
    if ceil_mode and draw(st.booleans()):
        window = _overhanging(window)
    N, C, seed = draw(batches()), draw(st.integers(1, 3)), draw(seeds())
    x = values(np.random.default_rng(seed), (N, C, *window.size))
    arguments = {
        "kernel_size": window.kernel,
        **window.arguments,
        "ceil_mode": ceil_mode,
        **fixed,
    }
    return Case(operator, {"x": x}, arguments, seed)


def _overhanging(window: Window) -> Window:
    """Widen the image until the last window, rounded up, hangs over both its ends."""
    stride = max(2, window.stride[0]), max(2, window.stride[1])
    spans = map(span, window.kernel, window.dilation)
    H, W = (
        # One pixel more than what whole windows need: the last begins, and sees it.
        n + (1 - (n + sum(p) - k)) % s
        for n, p, k, s in zip(window.size, window.padding, spans, stride, strict=True)
    )
    return replace(window, size=(H, W + stride[1] * (H == W)), stride=stride)


@st.composite
def unfoldings(draw: DrawFn) -> Case:
    """Draw an im2col of x (N, C, H, W)."""
    window, N, C = draw(windows()), draw(batches()), draw(st.integers(1, 3))
    seed = draw(seeds())
    x = whole_numbers(np.random.default_rng(seed), (N, C, *window.size))
    return Case(
        "im2col", {"x": x}, {"kernel_size": window.kernel, **window.arguments}, seed
    )


@st.composite
def foldings(draw: DrawFn) -> Case:
    """Draw a col2im of cols (N, C·KH·KW, OH·OW)."""
    # Where all is square, as many columns fit a dilation that is exchanged.
    window = draw(windows() | windows(extremes=("all square",)))
    N, C = draw(batches()), draw(st.integers(1, 3))
    seed, (KH, KW), (OH, OW) = draw(seeds()), window.kernel, window.output_size
    cols = whole_numbers(np.random.default_rng(seed), (N, C * KH * KW, OH * OW))
    arguments = {"output_size": window.size, "kernel_size": window.kernel}
    return Case("col2im", {"cols": cols}, arguments | window.arguments, seed)
