"""Where things are: sizes, receptive fields and crops of a fully convolutional net.

Only whole numbers and fractions, one axis at a time (height and width never meet).
Three questions about a chain of layers are answered here:

1. How many pixels come out?            chain_output_size(n, layers)
2. How much of the input does one see?  chain_receptive_field(layers)
3. Where in the output is a pixel?      chain_map(layers), and from two maps crop_offset

The last one is what fits the streams of an FCN together. FCN-32s on VGG-16:

>>> conv, pool = Conv(3, padding=1), Pool(2, ceil=True)
>>> trunk = [Conv(3, padding=100), conv, pool, conv, conv, pool] + 3 * [
...     conv, conv, conv, pool]
>>> score = trunk + [Conv(7), Conv(1), Conv(1)]
>>> chain_receptive_field(score)
ReceptiveField(size=404, stride=32)
>>> upscore = score + [Deconv(64, stride=32)]
>>> crop_offset(chain_map(upscore), CoordMap.identity())
19
>>> chain_output_size(500, upscore), chain_output_size(500, upscore + [Crop(19, 500)])
(544, 500)

Sources: Long, Shelhamer and Darrell (2015), sections 3 and 3.3; the output sizes and
coordinate maps are those of Caffe (conv_layer, pooling_layer, coord_map.py).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, SupportsIndex

Padding = SupportsIndex | tuple[SupportsIndex, SupportsIndex]
"""Pixels added to one axis: the same on both ends, or (before, after)."""


# ---------------------------------------------------------------- reading arguments


def whole(value: Any, name: str, minimum: int = 0) -> int:
    """`value` as a plain int, at least `minimum`.

    Any integer type passes (NumPy's too); bool and float do not.
    Raises TypeError for what is no integer, ValueError for what is too small.
    """
    try:
        number = operator.index(value)
    except TypeError as error:  # also of an array of several
        raise TypeError(f"{name} must be an integer, not {value!r}") from error
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value}")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {number}")
    return number


def pair(value: Any, name: str, minimum: int = 0) -> tuple[int, int]:
    """(height, width) from an int, which stands for both, or from a pair of ints.

    An array of two whole numbers is a pair, too.
    Raises TypeError or ValueError, naming the argument `name`.
    """
    value = _listed(value)
    if not isinstance(value, (tuple, list)):
        both = whole(value, name, minimum)
        return both, both
    if len(value) != 2:
        raise ValueError(f"{name} must be an integer or a pair of them, not {value!r}")
    return whole(value[0], name, minimum), whole(value[1], name, minimum)


def _listed(value: Any) -> Any:
    """An array as lists of its numbers; all else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def pads(padding: Any, name: str = "padding") -> tuple[tuple[int, int], ...]:
    """((top, bottom), (left, right)) from p, (p_height, p_width), or in full.

    Raises TypeError or ValueError, naming the argument `name`.
    """
    padding = _listed(padding)
    several = isinstance(padding, (tuple, list))
    height, width = padding if several and len(padding) == 2 else (padding, padding)
    forms = (
        f"{name} must be p, (p_height, p_width) or ((top, bottom), (left, right)), "
        f"all whole numbers, not {padding!r}"
    )
    if several and len(padding) != 2:
        raise ValueError(forms)
    if isinstance(height, (tuple, list)) != isinstance(width, (tuple, list)):
        raise TypeError(forms)
    if not several and not hasattr(padding, "__index__"):  # "same", 1.5
        raise TypeError(forms)
    return pair(height, name), pair(width, name)


# --------------------------------------------------------------------- output sizes


def span(kernel: SupportsIndex, dilation: SupportsIndex = 1) -> int:
    """Pixels from the first tap of a kernel to its last: (kernel - 1) dilation + 1."""
    taps, step = whole(kernel, "kernel", 1), whole(dilation, "dilation", 1)
    return (taps - 1) * step + 1


def conv_output_size(
    n: SupportsIndex,
    kernel: SupportsIndex,
    stride: SupportsIndex = 1,
    padding: Padding = 0,
    dilation: SupportsIndex = 1,
    *,
    axis: str = "input",
) -> int:
    """Windows that lie wholly inside the padded axis, `stride` pixels apart.

        floor((n + before + after - span) / stride) + 1

    `axis` is what the error calls this axis ("height", "width").
    Raises ValueError where not a single window fits.
    """
    length, gap = whole(n, axis, 1), whole(stride, "stride", 1)
    before, after = pair(padding, "padding")
    room = length + before + after - span(kernel, dilation)
    if room < 0:
        raise _does_not_fit(axis, n, kernel, stride, (before, after), dilation)
    return room // gap + 1


def pool_output_size(
    n: SupportsIndex,
    kernel: SupportsIndex,
    stride: SupportsIndex | None = None,
    padding: Padding = 0,
    dilation: SupportsIndex = 1,
    ceil_mode: bool = False,
    *,
    axis: str = "input",
) -> int:
    """Windows of a pooling layer; `stride` is the kernel's size unless it is given.

    As a convolution's, or with `ceil_mode` (Caffe always pools like this)

        ceil((n + before + after - span) / stride) + 1

    so that a last window may hang over the end, by fewer than `stride` pixels, but
    only if it starts inside the input or the padding before it.
    Raises ValueError where not a single window fits, or where the padding is wider
    than half a window (such a window would see nothing but padding).
    """
    gap = whole(kernel if stride is None else stride, "stride", 1)
    before, after = pair(padding, "padding")
    if 2 * max(before, after) > span(kernel, dilation):
        raise ValueError(
            f"padding must be at most half the pooling window: {(before, after)} for "
            f"one that spans {span(kernel, dilation)} ({axis} {n}, kernel {kernel}, "
            f"stride {gap}, dilation {dilation})"
        )
    if not ceil_mode:
        return conv_output_size(n, kernel, gap, padding, dilation, axis=axis)
    length = whole(n, axis, 1)
    room = length + before + after - span(kernel, dilation)
    if room <= -gap:
        raise _does_not_fit(axis, n, kernel, gap, (before, after), dilation)
    last = -(-room // gap)
    last_inside = (length + before - 1) // gap
    return min(last, last_inside) + 1


def conv_transpose_output_size(
    n: SupportsIndex,
    kernel: SupportsIndex,
    stride: SupportsIndex = 1,
    padding: Padding = 0,
    output_padding: SupportsIndex = 0,
    dilation: SupportsIndex = 1,
    *,
    axis: str = "input",
) -> int:
    """The size whose convolution gives back `n`.

        (n - 1) stride - before - after + span + output_padding

    A stride loses up to stride - 1 pixels on the way down; `output_padding` says how
    many, and must be less than the larger of stride and dilation.
    Raises ValueError for any other, and where nothing is left of the output.
    """
    length, gap = whole(n, axis, 1), whole(stride, "stride", 1)
    before, after = pair(padding, "padding")
    extra = whole(output_padding, "output_padding")
    if extra >= max(gap, whole(dilation, "dilation", 1)):
        raise ValueError(
            f"output_padding must be less than stride or dilation, not {extra} with "
            f"stride {gap} and dilation {dilation} ({axis} {n}, kernel {kernel}, "
            f"padding {(before, after)})"
        )
    size = (length - 1) * gap - before - after + span(kernel, dilation) + extra
    if size < 1:
        raise ValueError(
            f"the padding leaves nothing of the output: {axis} {n}, kernel {kernel}, "
            f"stride {gap}, padding {(before, after)}, dilation {dilation}"
        )
    return size


def _does_not_fit(
    axis: str, n: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> ValueError:
    """The sentence for a window that is longer than the padded axis."""
    return ValueError(
        f"the kernel is larger than the padded {axis}: it spans "
        f"{span(kernel, dilation)} of {n + sum(padding)} pixels ({axis} {n}, "
        f"kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation})"
    )


# ------------------------------------------------------------------ receptive fields


class ReceptiveField(NamedTuple):
    """A unit sees `size` pixels of the input, its neighbour the same `stride` on.

    Sizes in input pixels, along one axis. ReceptiveField() is the input itself.
    """

    size: int = 1
    stride: int = 1

    def then(
        self, kernel: SupportsIndex, stride: SupportsIndex = 1, dilation: int = 1
    ) -> ReceptiveField:
        """What a layer on top of this one sees: the paper's composition rule.

            f_ks o g_k's' = (f o g)_{k' + (k - 1) s', s s'}      (section 3)

        with g this one and f the layer on top; a dilated kernel counts as its span.
        """
        reach = (span(kernel, dilation) - 1) * self.stride
        return ReceptiveField(
            self.size + reach, self.stride * whole(stride, "stride", 1)
        )


# ------------------------------------------------------------------- coordinate maps


@dataclass(frozen=True)
class CoordMap:
    """Where a layer's input pixel x lies in its output: y = scale x + shift.

    Pixels are counted from 0 at their centres, so a map tells which output unit sits
    at the centre of what it sees; halves are common (a 2 x 2 window has its centre
    between two pixels). Kept as fractions, so nothing is ever rounded.
    Source: Caffe, coord_map.py.
    """

    scale: Fraction
    shift: Fraction

    def __post_init__(self) -> None:
        for name in ("scale", "shift"):
            object.__setattr__(self, name, Fraction(getattr(self, name)))
        if self.scale <= 0:
            raise ValueError(f"scale must be positive, not {self.scale}")

    def __call__(self, x: int | Fraction) -> Fraction:
        """The output coordinate of input coordinate `x`."""
        return self.scale * x + self.shift

    def compose(self, inner: CoordMap) -> CoordMap:
        """First `inner`, then this map: x -> self(inner(x))."""
        return CoordMap(self.scale * inner.scale, self(inner.shift))

    def inverse(self) -> CoordMap:
        """The way back: y -> (y - shift) / scale."""
        return CoordMap(1 / self.scale, -self.shift / self.scale)

    @staticmethod
    def identity() -> CoordMap:
        """Of the input itself, and of ReLU, dropout, sums: nothing moves."""
        return CoordMap(Fraction(1), Fraction(0))

    @staticmethod
    def conv(
        kernel: SupportsIndex,
        stride: SupportsIndex = 1,
        padding: Padding = 0,
        dilation: SupportsIndex = 1,
    ) -> CoordMap:
        """Scale 1 / stride, shift (before - (span - 1) / 2) / stride.

        Output y looks at the input around stride y - before + (span - 1) / 2; solved
        for y. What is padded behind the input moves nothing.
        """
        before, _ = pair(padding, "padding")
        to_centre = Fraction(span(kernel, dilation) - 1, 2)
        scale = Fraction(1, whole(stride, "stride", 1))
        return CoordMap(scale, (before - to_centre) * scale)

    @staticmethod
    def pool(
        kernel: SupportsIndex,
        stride: SupportsIndex | None = None,
        padding: Padding = 0,
        dilation: SupportsIndex = 1,
    ) -> CoordMap:
        """As a convolution's; `stride` is the kernel's size unless it is given."""
        return CoordMap.conv(
            kernel, kernel if stride is None else stride, padding, dilation
        )

    @staticmethod
    def deconv(
        kernel: SupportsIndex,
        stride: SupportsIndex = 1,
        padding: Padding = 0,
        dilation: SupportsIndex = 1,
    ) -> CoordMap:
        """Scale stride, shift (span - 1) / 2 - before: a convolution's, inverted."""
        return CoordMap.conv(kernel, stride, padding, dilation).inverse()

    @staticmethod
    def crop(offset: SupportsIndex) -> CoordMap:
        """Scale 1, shift -offset: pixel `offset` becomes pixel 0."""
        return CoordMap(Fraction(1), Fraction(-whole(offset, "offset")))


def crop_offset(path_a: CoordMap, path_b: CoordMap) -> int:
    """Pixels to cut off the start of layer a, so that it lies on layer b.

    Both maps lead from one common ancestor. Going back along b and up along a is
    path_a o path_b^-1, y -> y + offset: pixel y of b is pixel y + offset of a.
    The crop then takes b's size. It starts at the offset and is not central: the
    centres of what the units see agree, not the borders of the pictures.

    Raises ValueError where no crop can do it: the layers differ in resolution, lie
    a fraction of a pixel apart, or a starts after b.
    """
    across = path_a.compose(path_b.inverse())
    if across.scale != 1:
        raise ValueError(
            f"a crop needs two layers of one resolution: these have {path_a.scale} and "
            f"{path_b.scale} of their common ancestor's"
        )
    if across.shift.denominator != 1:
        raise ValueError(
            f"no crop aligns these layers: they lie {across.shift} pixels apart, "
            f"which is not a whole number"
        )
    if across.shift < 0:
        raise ValueError(
            f"the layer to crop starts {-across.shift} pixels after the one to crop "
            f"it to: crop the other one, or pad the input more"
        )
    return int(across.shift)


# ----------------------------------------------------------------- layers and chains


@dataclass(frozen=True)
class Conv:
    """A convolution along one axis."""

    kernel: int
    stride: int = 1
    padding: Padding = 0
    dilation: int = 1

    def output_size(self, n: int) -> int:
        """See conv_output_size."""
        return conv_output_size(
            n, self.kernel, self.stride, self.padding, self.dilation
        )

    def coord_map(self) -> CoordMap:
        """See CoordMap.conv."""
        return CoordMap.conv(self.kernel, self.stride, self.padding, self.dilation)

    def receptive_field(self, below: ReceptiveField) -> ReceptiveField:
        """See ReceptiveField.then."""
        return below.then(self.kernel, self.stride, self.dilation)


@dataclass(frozen=True)
class Pool:
    """A pooling layer along one axis; `stride` is the kernel's size unless given."""

    kernel: int
    stride: int | None = None
    padding: Padding = 0
    ceil: bool = False
    dilation: int = 1

    def output_size(self, n: int) -> int:
        """See pool_output_size."""
        return pool_output_size(
            n, self.kernel, self.stride, self.padding, self.dilation, self.ceil
        )

    def coord_map(self) -> CoordMap:
        """See CoordMap.pool."""
        return CoordMap.pool(self.kernel, self.stride, self.padding, self.dilation)

    def receptive_field(self, below: ReceptiveField) -> ReceptiveField:
        """See ReceptiveField.then."""
        stride = self.kernel if self.stride is None else self.stride
        return below.then(self.kernel, stride, self.dilation)


@dataclass(frozen=True)
class Deconv:
    """A transposed convolution along one axis."""

    kernel: int
    stride: int = 1
    padding: Padding = 0

    def output_size(self, n: int) -> int:
        """See conv_transpose_output_size."""
        return conv_transpose_output_size(n, self.kernel, self.stride, self.padding)

    def coord_map(self) -> CoordMap:
        """See CoordMap.deconv."""
        return CoordMap.deconv(self.kernel, self.stride, self.padding)

    def receptive_field(self, below: ReceptiveField) -> ReceptiveField:
        """Raises ValueError: between the strides, units see unequally much."""
        raise ValueError(
            "the composition rule ends at the first transposed convolution: leave the "
            f"layers from {self} on out of the chain"
        )


@dataclass(frozen=True)
class Crop:
    """Keeps `size` pixels from `offset` on, or all of them where size is None."""

    offset: int
    size: int | None = None

    def output_size(self, n: int) -> int:
        """`size`, or n - offset. Raises ValueError where the input ends before."""
        start = whole(self.offset, "offset")
        size = n - start if self.size is None else whole(self.size, "size", 1)
        if size < 1 or start + size > n:
            raise ValueError(
                f"the crop does not fit: {max(size, 1)} pixels from {start} on, of an "
                f"input with {n}"
            )
        return size

    def coord_map(self) -> CoordMap:
        """See CoordMap.crop."""
        return CoordMap.crop(self.offset)

    def receptive_field(self, below: ReceptiveField) -> ReceptiveField:
        """Unchanged: a crop moves units, it does not widen them."""
        return below


Layer = Conv | Pool | Deconv | Crop


def chain_output_size(n: int, layers: Sequence[Layer]) -> int:
    """Pixels that come out of `layers` when `n` go in.

    Raises ValueError where the input is too small for one of them.
    """
    for layer in layers:
        n = layer.output_size(n)
    return n


def chain_map(layers: Sequence[Layer]) -> CoordMap:
    """The coordinate map from the input of the first layer to the last one's output."""
    whole_way = CoordMap.identity()
    for layer in layers:
        whole_way = layer.coord_map().compose(whole_way)
    return whole_way


def chain_receptive_field(layers: Sequence[Layer]) -> ReceptiveField:
    """What a unit at the end of `layers` sees, and how far its neighbour is.

    Raises ValueError where one of the layers is a transposed convolution.
    """
    field = ReceptiveField()
    for layer in layers:
        field = layer.receptive_field(field)
    return field
