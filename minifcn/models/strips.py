"""Layers run strip by strip: the same answer in a fraction of the memory.

The first maps of a network are by far its largest: of one image of 500 × 500 pixels,
VGG's conv1_1 and conv1_2 are 125 MB each, and the pool behind them 31. When nothing is
kept for a backward pass, neither need ever exist as a whole: a strip of the pool's rows
reads a slightly higher strip of conv1_2, that one of conv1_1, and so on.

Rows a … b − 1 of a layer with stride s, padding p and span k read the rows

    a·s − p  …  (b − 1)·s − p + k − 1

of the map below. What of these lies outside of the map is the strip's own padding; at
an edge that lies inside of the map there is none, as the neighbours are read instead.
Strips overlap by k − s rows, which are computed twice: few, in the layers between two
pools.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import nn
from ..arrays import array_module, blocks
from ..autograd import Tensor
from ..geometry import pads, pair, span
from .axes import axes_of, is_pointwise

MOST_BYTES = 8 << 20  # of the largest map in a strip


class Strip(NamedTuple):
    """What a strip of a layer's output rows reads of its input.

    Attributes:
        rows: of the input.
        padding: above and below these rows.
    """

    rows: slice
    padding: tuple[int, int]


def takes(layer: nn.Module) -> bool:
    """Whether a layer can be run in strips: convolution, max pooling, pointwise."""
    kinds = nn.Conv2d, nn.MaxPool2d
    own = any(type(layer).forward is kind.forward for kind in kinds)
    return is_pointwise(layer) or own


def strip_below(layer: nn.Module, height: int, rows: slice) -> Strip:
    """Return what output rows of a layer read of an input of this height, pixels."""
    axis, _ = axes_of(layer)
    stride, (top, bottom) = axis.stride or axis.kernel, pair(axis.padding, "padding")
    first = rows.start * stride - top
    end = (rows.stop - 1) * stride - top + span(axis.kernel, axis.dilation)
    # A pool that rounds up may reach beyond its padding: there is nothing.
    padding = max(0, -first), max(0, min(end - height, bottom))
    return Strip(slice(max(0, first), max(0, min(end, height))), padding)


def run(layers: Sequence[nn.Module], x: Tensor, most_bytes: int = MOST_BYTES) -> Tensor:
    """Run layers one after the other, in strips of rows; not to be called on the tape.

    Args:
        layers: one that `takes` refuses lets all run in one go.
        x: (N, C, H, W).
        most_bytes: of the largest map in a strip. A strip of one row may have more, and
            so may strips that would else see nothing but padding.

    Returns:
        (N, O, OH, OW), as of `nn.Sequential(*layers)`, within rounding.
    """
    if not all(map(takes, layers)):
        return _run(layers, x)
    heights, largest = [x.shape[2]], _row_bytes(layers, x)
    for layer in layers:
        heights.append(axes_of(layer)[0].output_size(heights[-1]))
    count = -(-max(h * b for h, b in zip(heights, largest, strict=True)) // most_bytes)
    while True:
        strips = blocks(heights[-1], -(-heights[-1] // count))
        plans = [_plan(layers, heights, rows) for rows in strips]
        if len(strips) == 1:
            return _run(layers, x)
        if all(plans):
            break
        count //= 2  # higher strips, so that each sees more than padding
    y = None
    for rows, plan in zip(strips, plans, strict=True):
        steps = [_padded(a, b.padding) for a, b in zip(layers, plan, strict=True)]
        part = _run(steps, Tensor(x.data[:, :, plan[0].rows])).data
        if y is None:
            N, O, _, OW = part.shape
            y = array_module(part).empty((N, O, heights[-1], OW), part.dtype)
        y[:, :, rows] = part
    return Tensor(y)


def _plan(layers: Sequence[nn.Module], heights: list[int], rows: slice) -> list[Strip]:
    """Return what each layer reads for rows of the last; [] if one reads no pixel."""
    plan: list[Strip] = []
    for layer, height in zip(reversed(layers), reversed(heights[:-1]), strict=True):
        strip = strip_below(layer, height, rows)
        rows = strip.rows
        if rows.start >= rows.stop:  # the padding alone
            return []
        plan.insert(0, strip)
    return plan


def _run(layers: Sequence[nn.Module], x: Tensor) -> Tensor:
    for _, step in nn.fused((str(i), layer) for i, layer in enumerate(layers)):
        x = step(x)
    return x


def _padded(layer: Any, padding: tuple[int, int]) -> nn.Module:
    """Return the layer, sharing its parameters, with other padding above and below."""
    if is_pointwise(layer):
        return layer
    other = copy.copy(layer)
    other.padding = padding, pads(layer.padding)[1]
    return other


def _row_bytes(layers: Sequence[nn.Module], x: Tensor) -> list[int]:
    """Return the bytes of a row of each map, of all channels and images."""
    N, C, _, W = x.shape
    sizes = [N * C * W * x.data.itemsize]
    for layer in layers:
        W = axes_of(layer)[1].output_size(W)
        C = len(layer.weight.data) if isinstance(layer, nn.Conv2d) else C
        sizes.append(N * C * W * x.data.itemsize)
    return sizes
