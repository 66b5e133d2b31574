"""Convolution of stride 1 by whole windows: for small maps under large kernels.

Where there are fewer output pixels than output channels (fc6 is a 7 × 7 convolution of
512 to 4096 channels over 16 × 16 pixels), the weights are the large matrix, 411 MB, and
must not be copied. Here they are only ever looked at as W[o, (c, i, j)], cut into
blocks of input channels; the columns of one block are built and used up at a time.
"""

from typing import Any

from ..arrays import Array, array_module, blocks, parallel
from .im2col import fold, unfold

COLUMNS = 1 << 20  # numbers in the columns of one block of channels
LEAST_TASKS = 4


def correlate(
    x: Array, w: Array, start: Any, dilation: Any, bias: Array | None, y: Array
) -> None:
    """Fill y, as `bands.correlate`; each task computes a block of output channels."""
    (N, O, OH, OW), (_, C, KH, KW) = y.shape, w.shape
    xp, matrix = array_module(x), w.reshape(O, C * KH * KW)

    def outputs(block: slice) -> None:
        total = xp.zeros((block.stop - block.start, N * OH * OW), y.dtype)
        for c in _channel_blocks(y, w):
            cols = _columns(x[:, c], start, dilation, y, w)
            total += matrix[block, _taps(c, w)] @ cols
        if bias is not None:
            total += bias[block, None]
        y[:, block] = total.reshape(-1, N, OH, OW).swapaxes(0, 1)

    parallel(outputs, blocks(O, -(-O // LEAST_TASKS)))


def input_gradient(gy: Array, w: Array, start: Any, dilation: Any, gx: Array) -> None:
    """Fill gx: each tap's share Wᵀ gy is added where that tap read (col2im)."""
    (N, O, OH, OW), (_, C, KH, KW) = gy.shape, w.shape
    matrix = w.reshape(O, C * KH * KW)
    flat = _pixels_last(gy)
    gx[...] = 0

    def channels(c: slice) -> None:
        cols = (matrix[:, _taps(c, w)].T @ flat).reshape(-1, KH, KW, N, OH, OW)
        six = cols.transpose(3, 0, 1, 2, 4, 5)
        fold(six, (KH, KW), (1, 1), _pads(start), dilation, gx[:, c])

    parallel(channels, _channel_blocks(gy, w))


def weight_gradient(x: Array, gy: Array, start: Any, dilation: Any, gw: Array) -> None:
    """Fill gw = gy @ columnsᵀ, a block of input channels at a time."""
    matrix, flat = gw.reshape(gw.shape[0], -1), _pixels_last(gy)

    def channels(c: slice) -> None:
        cols = _columns(x[:, c], start, dilation, gy, gw)
        array_module(x).matmul(flat, cols.T, out=matrix[:, _taps(c, gw)])

    parallel(channels, _channel_blocks(gy, gw))


def _pixels_last(y: Array) -> Array:
    """(N, O, OH, OW) → (O, N·OH·OW)."""
    return y.swapaxes(0, 1).reshape(y.shape[1], -1)


def _taps(channels: slice, w: Array) -> slice:
    """Return the columns of W[o, (c, i, j)] that belong to these channels."""
    taps = w.shape[2] * w.shape[3]
    return slice(channels.start * taps, channels.stop * taps)


def _channel_blocks(y: Array, w: Array) -> list[slice]:
    (N, _, OH, OW), (_, C, KH, KW) = y.shape, w.shape
    fitting = COLUMNS // (KH * KW * N * OH * OW)
    return blocks(C, min(fitting, -(-C // LEAST_TASKS)))


def _columns(x: Array, start: Any, dilation: Any, y: Array, w: Array) -> Array:
    """The windows of these channels as columns: (C·KH·KW, N·OH·OW)."""
    (N, _, OH, OW), (KH, KW) = y.shape, w.shape[2:]
    cols = array_module(x).empty((x.shape[1], KH, KW, N, OH, OW), x.dtype)
    six = cols.transpose(3, 0, 1, 2, 4, 5)  # N first, as unfold wants it
    unfold(x, (KH, KW), (1, 1), _pads(start), dilation, six)
    return cols.reshape(-1, N * OH * OW)


def _pads(start: Any) -> Any:
    return (-start[0], 0), (-start[1], 0)
