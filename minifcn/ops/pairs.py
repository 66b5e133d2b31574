"""The gradient of max pooling by 2 × 2 windows side by side, a row's pixels in pairs.

A processor works on eight or sixteen numbers at once where they lie side by side, and
must pick them one by one where they do not. Each window sees two neighbours of a row:
to compare each tap with the maxima picks out every second pixel, four times. Instead
each maximum, and each gradient, is written twice, and then whole rows are compared:

    x       1 5 | 7 2 | 0 0        twice(y)    8 8 | 7 7 | 0 0      (the upper rows)
            8 4 | 7 6 | 0 0        x = that    0 0 | 1 0 | 1 1   →   0 0 | 1 0 | 1 0

Of equals the first one counts: the left of a pair, and the upper row of two.
"""

import numpy as np

from ..arrays import blocks, workspace
from .activation import keep

PART = 1 << 18  # windows at a time: more work in each step than it takes to begin it


def scatter(x: np.ndarray, y: np.ndarray, gy: np.ndarray, gx: np.ndarray) -> None:
    """Fill gx with gy where x is its window's first maximum, and with 0 elsewhere.

    Args:
        x, gx: (P, 2h, 2w) of float32, each row's numbers side by side.
        y, gy: (P, h, w), the maxima of x and their gradients.
    """
    P, h, w = y.shape
    for rows in blocks(h, PART // max(1, P * w)):
        maxima, gradients = twice(y[:, rows], "maxima"), twice(gy[:, rows], "gradients")
        both = slice(2 * rows.start, 2 * rows.stop)
        upper, lower = (
            _first_of_pairs(x[:, both][:, row::2], maxima, slot)
            for row, slot in enumerate(("upper", "lower"))
        )
        # A pair of booleans is a number of two bytes: none of the upper row is 0.
        pairs = lower.view(np.uint16)
        pairs *= upper.view(np.uint16) == 0
        for row, hit in enumerate((upper, lower)):
            keep(hit, gradients, gx[:, both][:, row::2])


def twice(a: np.ndarray, slot: str) -> np.ndarray:
    """Write each number twice: (P, h, w) → (P, h, 2w), in this thread's workspace."""
    # The bits of a number, 32 places up, and the same again: a number of 64 bits.
    out = workspace(slot, a.shape, np.uint64)
    np.multiply(a.view(np.uint32), np.uint64((1 << 32) + 1), out=out)
    return out.view(np.float32)


def _first_of_pairs(x: np.ndarray, maxima: np.ndarray, slot: str) -> np.ndarray:
    """Return where x (P, h, 2w) is the maximum, and not the right of two that are."""
    hit = workspace(slot, maxima.shape, np.bool_)
    np.equal(x, maxima, out=hit)
    left, right = hit[..., 0::2], hit[..., 1::2]
    np.greater(right, left, out=right)  # right and not left
    return hit
