"""Multiply-adds of a net: what its convolutions cost, from the layers' sizes alone."""

from math import prod
from typing import Any

from .. import nn
from ..geometry import pair
from .dense import (
    DenseFCN,
    Extent,
    Pair,
    Placement,
    a_trous,
    axes_of,
    coarse_stream,
    extent_of,
    kind_of,
    output_stride,
)
from .fcn import FCN


def multiply_adds(net: nn.Module, size: Any) -> int:
    """Count the multiply-adds of all convolutions over one image.

    A convolution makes O · C/groups · KH · KW of them for each pixel that comes out, a
    transposed one (an enlargement) for each that goes in; padding counts as pixels.
    Biases, pools and the rest are left out: they are few.

    Args:
        net: what `a_trous` takes and returns; any FCN.
        size: of the image, int or (H, W).

    Raises:
        TypeError: a layer of another type.
        ValueError: an image too small.
    """
    return _count(net, pair(size, "size", 1))[0]


def dense_costs(net: nn.Module, size: Any, stride: Any = 1) -> dict[str, int]:
    """Count the multiply-adds of a net and of both ways to make it dense.

    Returns:
        {"net": …, "shift_and_stitch": …, "a_trous": …}.

    Raises:
        TypeError, ValueError: as `multiply_adds` and `a_trous`.
    """
    return {
        "net": multiply_adds(net, size),
        "shift_and_stitch": _count_runs(net, pair(size, "size", 1), stride),
        "a_trous": multiply_adds(a_trous(net, stride), size),
    }


def costs_table(costs: dict[str, int]) -> str:
    """Write `dense_costs` as a table: the numbers, and how many times the net's."""
    rows = [
        f"{name:18}{count:>24,}{count / max(1, costs['net']):>12.2f}"
        for name, count in costs.items()
    ]
    return "\n".join([f"{'':18}{'multiply-adds':>24}{'× the net':>12}", *rows])


def _count(net: Any, size: Pair) -> tuple[int, Pair]:
    """Return the multiply-adds of a net, and the size of its answers."""
    if isinstance(net, FCN):
        return _count_fcn(net, size), size
    if isinstance(net, DenseFCN):
        return _count_placed(net.place, nn.Sequential(*net.layers), size), size
    kind: Any = kind_of(net)
    if kind is nn.Sequential:
        total = 0
        for layer in net.layers:
            count, size = _count(layer, size)
            total += count
        return total, size
    if kind is nn.Branches:
        ends = [_count(branch, size) for branch in net.layers]
        return sum(count for count, _ in ends), ends[0][1]
    rows, cols = (a.output_size(n) for a, n in zip(axes_of(net), size, strict=True))
    return _weights(net) * rows * cols, (rows, cols)


def _weights(layer: Any) -> int:
    """Return what one pixel costs: O · C/groups · KH · KW of a convolution."""
    return layer.weight.size if isinstance(layer, nn.Conv2d | nn.Upsample) else 0


def _count_fcn(net: FCN, size: Pair) -> int:
    total, sizes = 0, {}
    for name, layer in net.coarse().children():
        count, size = _count(layer, size)
        total, sizes[name] = total + count, size
    for name, _, pool in net.streams:
        up = getattr(net, name)
        total += _weights(up) * prod(size)  # of what goes in
        size = tuple((n - 1) * up.factor + up.kernel_size for n in size)  # type: ignore
        if pool:
            total += _weights(getattr(net, f"score_{pool}")) * prod(sizes[pool])
            # The enlarged scores are cropped to the pool's, or the other way round.
            size = sizes[pool] if name in net.crops else size
    return total


def _count_placed(place: Placement, dense: nn.Module, size: Pair) -> int:
    """Count a dense net over the framed image, and its enlargement."""
    total, coarse = _count(dense, place.framed_size(size))
    return total + _count_enlargement(place, dense, coarse)


def _count_enlargement(place: Placement, net: nn.Module, size: Pair) -> int:
    if place.factor == (1, 1):
        return 0
    *_, score = net.layers  # type: ignore[attr-defined]
    # A channel by itself: (2f − f mod 2)² taps.
    taps = prod(2 * f - f % 2 for f in place.factor)
    return len(score.weight.data) * taps * prod(size)


def _count_runs(net: nn.Module, size: Pair, stride: Any) -> int:
    """Count all runs of shift-and-stitch, one map's pixels after the other."""
    if isinstance(net, FCN):
        place, chain = Placement.of(net, stride), coarse_stream(net)
        framed = place.framed_size(size)
        ends = [
            -(-(n + g) // s)
            for n, g, s in zip(
                framed, extent_of(chain).growth, place.factor, strict=True
            )
        ]
        more = _count_enlargement(place, chain, (ends[0], ends[1]))
        return _count_runs(chain, framed, place.factor) + more
    offsets = [
        range(0, min(f, n + g), s)
        for n, g, f, s in zip(
            size, *extent_of(net), output_stride(net, stride), strict=True
        )
    ]
    return _count_offsets(net, size, offsets, Extent())[0]


def _count_offsets(
    net: Any, size: Pair, offsets: list[range], below: Extent
) -> tuple[int, Extent]:
    kind: Any = kind_of(net)
    if kind is nn.Sequential:
        total = 0
        for layer in net.layers:
            count, below = _count_offsets(layer, size, offsets, below)
            total += count
        return total, below
    if kind is nn.Branches:
        ends = [_count_offsets(part, size, offsets, below) for part in net.layers]
        return sum(count for count, _ in ends), ends[0][1]
    above = below.after(axes_of(net))
    # The pixels of all runs: rows of all offsets × columns of all offsets.
    rows, cols = (
        sum(max(0, -(-(n + g - a % s) // s)) for a in places)
        for n, g, s, places in zip(size, *above, offsets, strict=True)
    )
    return _weights(net) * rows * cols, above
