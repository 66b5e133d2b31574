"""Lesson 7, shift and stitch. When written: minifcn lesson check 7."""

import numpy as np


def interleave(parts):
    """Stitch the answers of f · f runs: parts (f, f, h, w) → (f·h, f·w).

    parts[a, b] are the answers of the run that was shifted by a rows and b columns.
    """
    f, _, h, w = parts.shape
    y = np.empty((h * f, w * f), parts.dtype)
    for a, b in np.ndindex(f, f):
        # about 1 line
        raise NotImplementedError("interleave: not written yet (lesson 7)")
    return y


def deinterleave(y, f):
    """Take dense answers apart: y (f·h, f·w) → (f, f, h, w), as interleave has them."""
    H, W = y.shape
    parts = np.empty((f, f, H // f, W // f), y.dtype)
    for a, b in np.ndindex(f, f):
        # about 1 line
        raise NotImplementedError("deinterleave: not written yet (lesson 7)")
    return parts


def dense_line(net, line, f, count):
    """Return the first `count` answers of a network, one for every pixel of a line.

    net(line) answers at every f-th pixel, beginning with pixel 0; count is a multiple
    of f, and every run has count / f answers.
    """
    y = np.empty(count)
    for a in range(f):
        # about 1 line
        raise NotImplementedError("dense_line: not written yet (lesson 7)")
    return y
