"""Convolution of stride 1 by whole windows: for small maps, and under large kernels.

Where all columns of im2col fit into the cache, one matrix product is the quickest way.
And where there are fewer output pixels than output channels (fc6 is a 7 × 7 convolution
of 512 to 4096 channels over 16 × 16 pixels), the weights are the large matrix, 411 MB,
and must not be copied. Here they are only ever looked at as w[o, (c, i, j)], cut into
blocks of input channels; the columns of one block are built and used up at a time.
"""

from typing import Any

import numpy as np

from ..arrays import Array, blocks, parallel, shares
from .epilogue import Epilogue
from .im2col import fold, unfold

COLUMNS = 1 << 20  # numbers in the columns of one block of channels


def correlate(
    x: Array, w: Array, start: Any, dilation: Any, epilogue: Epilogue
) -> None:
    """Fill y, as `bands.correlate`; each task takes some images, or some outputs."""
    y = epilogue.out
    (_, O, OH, OW), (KH, KW) = y.shape, w.shape[2:]
    matrix = w.reshape(O, -1)  # (O, C·KH·KW), a view

    def tile(task: tuple[slice, slice]) -> None:
        n, o = task
        total = np.zeros((o.stop - o.start, (n.stop - n.start) * OH * OW), y.dtype)
        for c in _channel_blocks(y, w):
            # (c·KH·KW, n·OH·OW).
            cols = _columns(x[n, c], start, dilation, (OH, OW), (KH, KW))
            total += matrix[o, _taps(c, w)] @ cols  # (o, n·OH·OW)
        # (o, n·OH·OW) → (n, o, OH, OW).
        images = total.reshape(-1, n.stop - n.start, OH, OW).swapaxes(0, 1)
        epilogue.fill(images, n, o)

    parallel(tile, _tiles(y, w))


def _tiles(y: Array, w: Array) -> list[tuple[slice, slice]]:
    """Share the images between tasks, or the outputs where those are the more."""
    (N, O, OH, OW), tasks = y.shape, shares(y.size * w[0].size)
    # Few pixels and many weights: each task reads rows of w of its own.
    if N * OH * OW < O:
        return [(slice(0, N), o) for o in blocks(O, -(-O // tasks))]
    return [(n, slice(0, O)) for n in blocks(N, -(-N // tasks))]


def input_gradient(gy: Array, w: Array, start: Any, dilation: Any, gx: Array) -> None:
    """Fill gx: each tap's share wᵀ gy is added where that tap read (col2im)."""
    (N, O, OH, OW), (_, C, KH, KW) = gy.shape, w.shape
    matrix = w.reshape(O, C * KH * KW)
    flat = _pixels_last(gy)  # (O, N·OH·OW)

    def channels(c: slice) -> None:
        # (c·KH·KW, O) @ (O, N·OH·OW), one axis cut into six.
        cols = (matrix[:, _taps(c, w)].T @ flat).reshape(-1, KH, KW, N, OH, OW)
        six = cols.transpose(3, 0, 1, 2, 4, 5)  # (N, c, KH, KW, OH, OW)
        gx[:, c] = fold(six, (1, 1), _pads(start), dilation, gx.shape[2:])

    parallel(channels, _channel_blocks(gy, w))


def weight_gradient(x: Array, gy: Array, start: Any, dilation: Any, gw: Array) -> None:
    """Fill gw = gy @ columnsᵀ, a block of input channels at a time."""
    # matrix is a view: what is written into it is in gw.
    matrix, flat = gw.reshape(gw.shape[0], -1), _pixels_last(gy)

    def channels(c: slice) -> None:
        cols = _columns(x[:, c], start, dilation, gy.shape[2:], gw.shape[2:])
        # (O, N·OH·OW) @ (N·OH·OW, c·KH·KW).
        np.matmul(flat, cols.T, out=matrix[:, _taps(c, gw)])

    parallel(channels, _channel_blocks(gy, gw))


def _pixels_last(y: Array) -> Array:
    """(N, O, OH, OW) → (O, N·OH·OW)."""
    return y.swapaxes(0, 1).reshape(y.shape[1], -1)


def _taps(channels: slice, w: Array) -> slice:
    """Return the columns of w[o, (c, i, j)] that belong to these channels."""
    taps = w.shape[2] * w.shape[3]  # KH·KW, the columns of one channel
    return slice(channels.start * taps, channels.stop * taps)


def _channel_blocks(y: Array, w: Array) -> list[slice]:
    (N, _, OH, OW), (_, C, KH, KW) = y.shape, w.shape
    fitting = COLUMNS // (KH * KW * N * OH * OW)  # channels whose columns fit
    return blocks(C, min(fitting, -(-C // shares(y.size * C * KH * KW))))


def _columns(x: Array, start: Any, dilation: Any, size: Any, kernel: Any) -> Array:
    """Return the windows of these channels as columns: (C·KH·KW, N·OH·OW)."""
    # (N, c, KH, KW, OH, OW).
    six = unfold(x, kernel, (1, 1), _pads(start), dilation, size)
    return six.transpose(1, 2, 3, 0, 4, 5).reshape(-1, x.shape[0] * size[0] * size[1])


def _pads(start: Any) -> Any:
    return (-start[0], 0), (-start[1], 0)  # unfold reads no more than top and left
