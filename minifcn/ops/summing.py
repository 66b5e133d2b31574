"""The sum of very many numbers: the same digits each time, on every device."""

import math

import numpy as np

from ..arrays import (
    PIECE,
    Array,
    array_module,
    blocks,
    contiguous,
    on_cpu,
    parallel,
)
from ..cuda import Kernels

KERNELS = Kernels(__file__)

THREADS = 256  # in a block, as kernels are launched; a power of two
EACH = 8  # numbers to a thread, before there is another block
MOST_SHARES = 256  # so that one block more adds up what they found


def total(x: Array) -> Array:
    """Return the sum of all numbers, one float64 on the device of x.

    Args:
        x: float32 or float64, any shape.
    """
    if on_cpu(x):
        return x.sum(dtype=np.float64)
    return _sums(x.reshape(1, 1, -1)).reshape(())


def channel_sums(x: Array) -> Array:
    """Return the sum of each channel over all images and pixels: (N, O, …) → (O,).

    It is of x's type; on a GPU it is added up in float64.
    """
    N, O, *image = x.shape
    if on_cpu(x):
        sums, axes = np.empty(O, x.dtype), (0, *range(2, x.ndim))
        channels = blocks(O, max(1, PIECE * O // max(1, x.size)))
        parallel(lambda o: x[:, o].sum(axis=axes, out=sums[o]), channels)
        return sums
    return _sums(x.reshape(N, O, math.prod(image))).astype(x.dtype)


def _sums(x: Array) -> Array:
    """Add up the channels of x (N, O, P) on a GPU: (O,), in float64.

    Each block adds up a share of a channel's pixels, and then one what they found. How
    the pixels are shared out goes by their count alone, so they are added in the
    same order on every GPU. The sums stay there: nothing waits for them.
    """
    x, (N, O, P) = contiguous(x), x.shape
    shares = min(max(1, -(-P // (THREADS * EACH))), MOST_SHARES)
    sums = array_module(x).empty((1, O, shares), np.float64)
    KERNELS.channel_sums(THREADS * O * shares, x, sums, N, O, P, shares)
    return _sums(sums) if shares > 1 else sums.reshape(O)
