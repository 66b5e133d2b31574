"""Dense prediction without enlarging: shift-and-stitch, and à trous, which is the same.

A net whose strides multiply to f answers at every f-th pixel. Two ways to the answers
in between, equal to the last digit where sums are exact, else within their rounding:

shift_and_stitch    run the net f × f times, each time on other pixels, and interleave
                    the answers.
a_trous             run another net once: the same parameters, no strides, and in every
                    later filter and pool as many holes as the strides would have left.

**What "other pixels" means.** At offset a each strided layer begins at another pixel of
its padded input. With strides s₁, s₂, …

    a = a₁ + s₁·a₂ + s₁·s₂·a₃ + …      (aᵢ < sᵢ)

and layer i begins aᵢ pixels later. Without padding this is the net on x[a:], the
paper's shifted input. With padding in inner layers it is so only where no answer sees
that padding: here the frame of zeros stays where it was, at the map's border, while
shifting the picture itself would shift its border, and round it to the stride. That
is what makes both ways agree everywhere, borders included.

**Why they are the same.** Pixel r of a map at offset a is pixel u = a + S·r of the
dense map, S being the strides' product so far. The next layer reads, at offset aᵢ,

    r = aᵢ + s·q + d·j − p,    so    u = (a + S·aᵢ) + (S·s)·q + S·d·j − S·p

which is a layer of stride 1 with dilation S·d and padding S·p: the filter rarefied S
times. Its map has U pixels along an axis, from V of the map before,

    U = V + S·(before + after − span + 1 + overhang)

where overhang = min(s − 1, span − 1 − after) for pools that round up, else 0; the run
at offset a holds ⌈(U − a) / S⌉ of them.

Source: Long, Shelhamer and Darrell 2015, section 3.2; the filter is rarefied "à trous"
(with holes) since Holschneider et al. 1989.
"""

import copy
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from .. import nn, ops
from ..arrays import Array, array_module
from ..autograd import Tensor, no_grad
from ..geometry import Conv, Pool, pads, pair, span
from ..ops.inputs import check_image
from ..ops.resampling import cut
from . import axes
from .axes import Axes, is_pointwise
from .fcn import FCN

Pair = tuple[int, int]

# ---------------------------------------------------------------- what layers do


def kind_of(layer: nn.Module) -> type[nn.Module]:
    """Return what kind of layer one is (see `axes.kind_of`)."""
    return axes.kind_of(layer, (CountingAvgPool2d,))


def axes_of(layer: nn.Module) -> Axes:
    """Return what a layer reads along the height and the width (see `axes.axes_of`)."""
    return axes.axes_of(layer, (CountingAvgPool2d,))


def _stride(axis: Any) -> int:
    return axis.stride  # never None here: axes_of fills it in


def _overhang(axis: Conv | Pool) -> int:
    """Pixels that the last window of a pool which rounds up may lack at the most."""
    if isinstance(axis, Conv) or not axis.ceil:
        return 0
    # It begins inside the input or the padding before it, hence the second.
    window = span(axis.kernel, axis.dilation)
    return min(_stride(axis) - 1, window - 1 - pair(axis.padding, "padding")[1])


def _growth(axis: Conv | Pool) -> int:
    """Windows at stride 1, less the pixels that they are taken from."""
    framed = sum(pair(axis.padding, "padding")) + _overhang(axis)
    return framed - span(axis.kernel, axis.dilation) + 1


class Extent(NamedTuple):
    """How many pixels a dense map has more than the image, and the strides' product.

    A map of the net at offset a holds ⌈(image + growth − a) / stride⌉ pixels.
    """

    growth: Pair = (0, 0)
    stride: Pair = (1, 1)

    def after(self, axes: Axes) -> "Extent":
        """The extent of the map that a layer makes of a map of this one."""
        growth = [
            g + s * _growth(axis)
            for g, s, axis in zip(self.growth, self.stride, axes, strict=True)
        ]
        stride = [s * _stride(axis) for s, axis in zip(self.stride, axes, strict=True)]
        return Extent((growth[0], growth[1]), (stride[0], stride[1]))


def extent_of(net: nn.Module, below: Extent | None = None) -> Extent:
    """Return the extent of a net's answers, over a map of extent `below`.

    Raises:
        TypeError: a layer that cannot be made dense.
        ValueError: branches that would not fit together at some offset.
    """
    below = below or Extent()
    kind: Any = kind_of(net)
    if kind is nn.Sequential:
        for layer in net.layers:  # type: ignore[attr-defined]
            below = extent_of(layer, below)
        return below
    if kind is nn.Branches:
        return _common_extent(net, below)
    return below.after(axes_of(net))


def _common_extent(branches: Any, below: Extent) -> Extent:
    ends = {name: extent_of(layer, below) for name, layer in branches.children()}
    if len(set(ends.values())) != 1:
        each = ", ".join(
            f"{name} has stride {end.stride} and growth {end.growth}"
            for name, end in ends.items()
        )
        raise ValueError(f"dense branches must make maps of one size, but {each}")
    return next(iter(ends.values()))


def output_stride(net: nn.Module, stride: Any) -> Pair:
    """Return `stride` as a pair, if the net's own is a multiple of it.

    Raises:
        ValueError: it is not.
    """
    wanted, whole = pair(stride, "stride", 1), extent_of(net).stride
    if any(f % s for f, s in zip(whole, wanted, strict=True)):
        raise ValueError(
            f"stride is {stride}; it must divide the net's own output stride, {whole}"
        )
    return wanted


# -------------------------------------------------------------- shift-and-stitch


def shift_and_stitch(net: nn.Module, x: Tensor, stride: Any = 1) -> Tensor:
    """Run a net at every offset, and interleave its answers to a dense map.

        y[…, (a + f·r) / stride, (b + f·q) / stride] = (net at offset (a, b))[…, r, q]

    for all a, b < f that `stride` divides, f being the net's output stride; the module
    says what an offset is. One run after the other, off the tape: the memory is that of
    one run and of the result.

    In training mode each run draws its dropout anew, and the answers of different runs
    do not belong together: call net.eval() first.

    Args:
        net: a Sequential of Conv2d, MaxPool2d, AvgPool2d, Pad, ReLU, Dropout,
            LocalResponseNorm, other layers that are `pointwise` (see `nn.Module`), and
            Branches and Sequentials of them, such as `a_trous` returns; or an FCN of
            one stream (FCN-32s).
        x: (N, C, H, W).
        stride: of the answers, int or (height, width); it divides f.

    Returns:
        (N, classes, ⌈UH / stride⌉, ⌈UW / stride⌉). Without padding and pools that
        round up, UH = H − (the net's receptive field) + 1; in general, layer by layer,
        U = V + S·(before + after − span + 1 + overhang), V being the U of the layer
        before (H at first), S the product of the strides before, and overhang that of
        the module. With stride f it is net(x). Of an FCN (N, classes, H, W), see
        `Placement`.

    Raises:
        TypeError: a layer of another type.
        ValueError: stride does not divide f; an FCN with skips; an x too small;
            Branches without a branch.
    """
    check_image("shift_and_stitch", x)
    with no_grad():
        if not isinstance(net, FCN):
            return _stitch(net, x, output_stride(net, stride))
        chain = coarse_stream(net)
        place = Placement.of(net, stride)
        y = _stitch(chain, place.frame(x), place.factor)
        return place.on_pixels(y, x.shape[2:])


def _stitch(net: nn.Module, x: Tensor, stride: Pair) -> Tensor:
    growth, whole = extent_of(net)
    # The first run; it says what is wrong with x, if anything is. Each run has its own
    # copy of x, as a net may begin with a ReLU that writes over it.
    y = net(Tensor(x.data.copy()))
    # (UH, UW), all that a dense map could hold; beyond it the runs are empty.
    full = [n + g for n, g in zip(x.shape[2:], growth, strict=True)]
    size = [-(-n // s) for n, s in zip(full, stride, strict=True)]
    dense = array_module(x.data).empty((*y.shape[:2], *size), y.dtype)
    (FH, FW), (SH, SW) = whole, stride
    for a in range(0, min(FH, full[0]), SH):
        for b in range(0, min(FW, full[1]), SW):
            y = y if a == b == 0 else run_at(net, x, (a, b))
            dense[:, :, a // SH :: FH // SH, b // SW :: FW // SW] = y.data
    return Tensor(dense)


def run_at(net: nn.Module, x: Tensor, offset: Pair) -> Tensor:
    """Run a net at one offset, off the tape; offset (0, 0) is the net itself."""
    with no_grad():
        return _run(net, Tensor(x.data.copy()), offset)[0]


def _run(net: nn.Module, x: Tensor, offset: Pair) -> tuple[Tensor, Pair]:
    """Run a net; return also what of the offset is left to the layers above."""
    kind: Any = kind_of(net)
    if kind is nn.Sequential:
        for layer in net.layers:  # type: ignore[attr-defined]
            x, offset = _run(layer, x, offset)
        return x, offset
    if kind is nn.Branches:
        ends = [_run(branch, x, offset) for branch in net.layers]  # type: ignore
        # Not ops.concat, which refuses the empty maps of runs beyond a small image.
        arrays = [y.data for y, _ in ends]
        return Tensor(array_module(x.data).concatenate(arrays, axis=1)), ends[0][1]
    axes = axes_of(net)
    # The digit of this layer, and the digits of those above.
    (a, rows), (b, cols) = (
        (n % _stride(axis), n // _stride(axis))
        for n, axis in zip(offset, axes, strict=True)
    )
    return _begin_at(net, axes, x, (a, b)), (rows, cols)


def _begin_at(layer: Any, axes: Axes, x: Tensor, start: Pair) -> Tensor:
    """Run a single layer whose first window begins at pixel `start` of its frame."""
    size = [
        max(0, -(-(n + _growth(axis) - a) // _stride(axis)))
        for n, axis, a in zip(x.shape[2:], axes, start, strict=True)
    ]
    if 0 in size:
        is_conv = kind_of(layer) is nn.Conv2d
        channels = len(layer.weight.data) if is_conv else x.shape[1]
        shape = (x.shape[0], channels, *size)
        return Tensor(array_module(x.data).zeros(shape, x.dtype))
    if start == (0, 0) and 0 not in x.shape[2:]:
        return layer(x)
    corner = [
        a - pair(axis.padding, "")[0] for a, axis in zip(start, axes, strict=True)
    ]
    # Just the pixels that the windows read, the frame among them.
    reach = [
        (n - 1) * _stride(axis) + span(axis.kernel, axis.dilation)
        for n, axis in zip(size, axes, strict=True)
    ]
    return _unframed(layer, axes, x.data, (corner[0], corner[1]), (reach[0], reach[1]))


def _unframed(layer: Any, axes: Axes, x: Array, corner: Pair, reach: Pair) -> Tensor:
    """Run a layer over `reach` pixels of the framed x from `corner` on."""
    kind = kind_of(layer)
    if kind is nn.Pad:
        return Tensor(cut(x, corner, reach, layer.value))
    pixels = Tensor(cut(x, corner, reach, -math.inf if kind is nn.MaxPool2d else 0))
    if kind is CountingAvgPool2d or (
        kind is nn.AvgPool2d and layer.divisor_override is None
    ):
        counted, first = _counted(x, _frames_that_count(layer))
        corner = corner[0] - first[0], corner[1] - first[1]
        return _mean(pixels, cut(counted, corner, reach), layer)
    bare = copy.copy(layer)
    bare.padding, bare.ceil_mode = 0, False  # which a convolution does not look at
    return bare(pixels)


def _frames_that_count(pool: Any) -> Any:
    """Return the padding of an average pool whose zeros its divisors count, or None."""
    if isinstance(pool, CountingAvgPool2d):
        return pool.counted
    return pads(pool.padding) if pool.count_include_pad else None


def _counted(x: Array, frames: Any) -> tuple[Array, Pair]:
    """Return ones where a tap counts in a mean, and the pixel that they begin at."""
    (top, bottom), (left, right) = frames or ((0, 0), (0, 0))
    size = x.shape[2] + top + bottom, x.shape[3] + left + right
    return array_module(x).ones((1, 1, *size), x.dtype), (-top, -left)


def _mean(x: Tensor, counted: Array, pool: Any) -> Tensor:
    """Divide the sum of each window by the number of its taps that count."""
    sums, counts = (
        ops.avg_pool2d(
            pixels,
            pool.kernel_size,
            pool.stride,
            dilation=pool.dilation,
            divisor_override=1,
        )
        for pixels in (x, Tensor(counted))
    )
    # A window that counts nothing has the sum 0, and the mean 0.
    return sums / array_module(counted).maximum(counts.data, 1)


# ------------------------------------------------------------------------ à trous


def a_trous(net: nn.Module, stride: Any = 1) -> nn.Module:
    """Return a net that answers every `stride` pixels, with the parameters of `net`.

    Strides are left out from the layer on where their product would exceed `stride`;
    every later filter, pool and Pad is rarefied: dilation and padding times the hole
    so far. After strides of product S the maps stand gcd(S, stride) pixels apart, so
    that `stride` is met exactly. The answers are those of `shift_and_stitch`, in one
    pass, and on the tape.

    The Parameters are the same objects: training one net trains the other. Pools that
    round up get the last window's missing pixels as a Pad. Whether dropout drops is
    taken over from `net`, and draws anew in each run: call eval() to compare the two.

    Args:
        net: as in `shift_and_stitch`.
        stride: of the answers, int or (height, width); it divides the net's own.

    Returns:
        A net, whose answers to x (N, C, H, W) have the size of `shift_and_stitch`'s:
        (N, classes, ⌈UH / stride⌉, ⌈UW / stride⌉), UH = H − (the receptive field) + 1
        without padding; (N, classes, H, W) if `net` is an FCN.

    Raises:
        TypeError, ValueError: as `shift_and_stitch`.
    """
    if not isinstance(net, FCN):
        return _rarefy(net, (1, 1), output_stride(net, stride))[0]
    place = Placement.of(net, stride)
    dense: Any = _rarefy(coarse_stream(net), (1, 1), place.factor)[0]
    whole = DenseFCN(**dict(dense.children()))
    whole.place, whole.training = place, net.training
    return whole


def _rarefy(net: nn.Module, product: Pair, wanted: Pair) -> tuple[nn.Module, Pair]:
    """Return the dense form of a net above strides of this product, and its product."""
    kind: Any = kind_of(net)
    if kind in (nn.Sequential, nn.Branches):
        dense = copy.copy(net)
        above = product
        for name, layer in net.children():
            below = product if kind is nn.Branches else above
            part, above = _rarefy(layer, below, wanted)
            setattr(dense, name, part)
        return dense, above
    axes = axes_of(net)
    (hole_h, step_h, product_h), (hole_w, step_w, product_w) = (
        _hole_and_step(*numbers)
        for numbers in zip(product, map(_stride, axes), wanted, strict=True)
    )
    layer = _with_holes(net, axes, (hole_h, hole_w), (step_h, step_w))
    return layer, (product_h, product_w)


def _hole_and_step(product: int, stride: int, wanted: int) -> tuple[int, int, int]:
    """Return a layer's hole, its step, and the product of strides after it.

    After strides of product S the maps of the dense net stand gcd(S, wanted) pixels
    apart, so that S / gcd of its pixels are one of the net's: the hole.
    """
    here, above = math.gcd(product, wanted), math.gcd(product * stride, wanted)
    return product // here, above // here, product * stride


def _with_holes(layer: Any, axes: Axes, hole: Pair, step: Pair) -> nn.Module:
    """Return a single layer rarefied, over the same parameters."""
    dense, kind = copy.copy(layer), kind_of(layer)
    same = hole == (1, 1) and step == tuple(map(_stride, axes))
    if same or is_pointwise(layer):
        return dense
    frames = [
        tuple(h * n for n in pair(axis.padding, "padding"))
        for h, axis in zip(hole, axes, strict=True)
    ]
    dense.padding = tuple(frames)
    if kind is nn.Pad:
        return dense
    dilation = [h * axis.dilation for h, axis in zip(hole, axes, strict=True)]
    dense.stride, dense.dilation = step, tuple(dilation)
    if kind is nn.Conv2d:
        return dense
    if kind is CountingAvgPool2d:
        dense.counted = layer.counted and tuple(
            (h * before, h * after)
            for h, (before, after) in zip(hole, layer.counted, strict=True)
        )
        return dense
    # The last window's missing pixels, after the frame.
    missing = [h * _overhang(axis) for h, axis in zip(hole, axes, strict=True)]
    spans = [span(axis.kernel, d) for axis, d in zip(axes, dilation, strict=True)]
    return _framed_pool(dense, tuple(missing), spans)


def _framed_pool(pool: Any, missing: tuple[int, ...], spans: list[int]) -> nn.Module:
    """Give a pool its frame: by its own padding, or by a layer before it."""
    pool.ceil_mode = False
    (top, bottom), (left, right) = pool.padding
    frame = (top, bottom + missing[0]), (left, right + missing[1])
    if kind_of(pool) is nn.AvgPool2d and pool.divisor_override is None:
        # If all of the frame counts, or there is none, all divisors are the same.
        all_count = pool.count_include_pad and not any(missing)
        if not all_count and frame != ((0, 0), (0, 0)):
            return CountingAvgPool2d(pool, frame)
    if all(2 * max(side) <= n for side, n in zip(frame, spans, strict=True)):
        pool.padding = frame
        return pool
    pool.padding = 0
    outside = -math.inf if kind_of(pool) is nn.MaxPool2d else 0.0
    return nn.Sequential(frame=nn.Pad(frame, outside), pool=pool)


class CountingAvgPool2d(nn.Module):
    """An average pool with holes, which counts the taps that the strided pool counts.

    The strided pool's divisor differs from window to window, at the border; and there
    its windows stand at other places.
    """

    def __init__(self, pool: nn.AvgPool2d, padding: tuple[Pair, Pair]):
        self.kernel_size, self.stride = pool.kernel_size, pool.stride
        # The pool's own, and what its last window may lack: as wide as need be.
        self.padding, self.dilation = padding, pool.dilation
        self.counted = _frames_that_count(pool)

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, OH, OW)."""
        (x,) = inputs
        framed = ops.pad(x, self.padding)
        counted, (top, left) = _counted(x.data, self.counted)
        corner = -self.padding[0][0] - top, -self.padding[1][0] - left
        H, W = framed.shape[2:]
        return _mean(framed, cut(counted, corner, (H, W)), self)


# --------------------------------------------------------------- an FCN's one stream


def coarse_stream(net: FCN) -> nn.Sequential:
    """Return `net.coarse()` of an FCN that has no other stream.

    Raises:
        ValueError: it has skips.
    """
    if len(net.streams) > 1:
        raise ValueError(
            "this FCN adds the scores of earlier pools, which are dense enough by "
            f"themselves ({len(net.streams)} streams); make its coarsest one dense: "
            "net.coarse(), or take fcn32s"
        )
    return net.coarse()


@dataclass(frozen=True)
class Placement:
    """Where the dense scores of an FCN lie on the pixels of its image.

    The coordinate map of the coarse scores, y = x / f + shift, says that image pixel x
    is pixel x + f·shift of the dense map (x − 12.5 for Caffe's VGG, x − 15.5 for
    "same"). Half a pixel is rounded down. Where the dense map would begin after pixel
    0, the image is first framed with zeros by as many pixels, as the paper shifts its
    input to the right; and so at the end, should it end too soon.

    With a stride s of more than 1 the dense map is enlarged s times by the fixed
    bilinear kernel (`ops.upsample`), which moves its pixels by (s − 1) / 2. An
    enlargement that the FCN has learned is for its own stride, and not used.

    Attributes:
        factor: the stride of the dense map, per axis.
        margins: ((top, bottom), (left, right)), the frame of zeros.
        corner: where the enlarged map is cropped.
    """

    factor: Pair
    margins: tuple[Pair, Pair]
    corner: Pair

    @staticmethod
    def of(net: FCN, stride: Any) -> "Placement":
        """Work it out from the coordinate map of an FCN's trunk."""
        chain = coarse_stream(net)
        factor, growth = output_stride(chain, stride), extent_of(chain).growth
        # The score layer is 1 × 1, and moves nothing.
        here = net.maps[net.table[-1].name]
        shift = here.shift / here.scale  # f · shift
        (top, rows), (left, cols) = (
            _align(shift, s, g) for s, g in zip(factor, growth, strict=True)
        )
        return Placement(factor, (top, left), (rows, cols))

    def frame(self, x: Tensor) -> Tensor:
        """Frame the image: (N, 3, H, W) → (N, 3, top + H + bottom, …)."""
        return ops.pad(x, self.margins) if any(map(any, self.margins)) else x

    def framed_size(self, size: Pair) -> Pair:
        """Return the size of a framed image of this size."""
        rows, cols = (n + sum(side) for n, side in zip(size, self.margins, strict=True))
        return rows, cols

    def on_pixels(self, y: Tensor, size: Any) -> Tensor:
        """Dense scores of the framed image → (N, classes, H, W) on the image's."""
        y = y if self.factor == (1, 1) else ops.upsample(y, self.factor)
        return ops.crop(y, self.corner, size)


def _align(shift: Fraction, stride: int, growth: int) -> tuple[Pair, int]:
    """Return the frame along one axis, and where the enlarged map is cropped."""
    first = math.floor(shift + Fraction(stride - 1, 2))  # where pixel 0 would lie
    before = max(0, -first)
    # Of W + before + after + growth pixels, those up to first + before + W are needed.
    return (before, max(0, first - growth)), first + before


class DenseFCN(nn.Sequential):
    """The one stream of an FCN à trous, on the pixels of the image."""

    place: Placement

    def forward(self, *inputs: Tensor) -> Tensor:
        """Images (N, 3, H, W) → scores (N, n_classes, H, W)."""
        (x,) = inputs
        y = super().forward(self.place.frame(x))
        return self.place.on_pixels(y, x.shape[2:])
