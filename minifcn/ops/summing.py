"""The sum of very many numbers: the same digits each time, on every device."""

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu
from ..cuda import Kernels

KERNELS = Kernels(__file__)

THREADS = 256  # in a block, as kernels are launched; a power of two
EACH = 8  # numbers to a thread, before there is another block
MOST_BLOCKS = 256  # so that one more adds up what they found


def total(x: Array) -> Array:
    """Return the sum of all numbers, one float64 on the device of x.

    On a GPU each block adds up its share, and then one block what they found. How the
    numbers are shared out goes by their count alone, so they are added in the same
    order on every GPU. The sum stays there: nothing waits for it.

    Args:
        x: float32 or float64, any shape.
    """
    if on_cpu(x):
        return x.sum(dtype=np.float64)
    x = contiguous(x)
    blocks = min(max(1, -(-x.size // (THREADS * EACH))), MOST_BLOCKS)
    sums = array_module(x).empty(blocks, np.float64)
    KERNELS.block_sums(THREADS * blocks, x, sums, x.size)
    return total(sums) if blocks > 1 else sums.reshape(())
