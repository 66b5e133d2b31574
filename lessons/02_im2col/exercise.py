"""Lesson 2, im2col. When written: minifcn lesson check 2."""

import numpy as np


def im2col(x, kernel, stride=1):
    """Write every window of images x (N, C, H, W) as a column.

    kernel is (KH, KW), and the windows begin `stride` pixels apart. Returns
    (N, C·KH·KW, OH·OW); a column holds its window's pixels channel by channel, each
    row by row.
    """
    N, C, H, W = x.shape
    KH, KW = kernel
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    cols = np.zeros((N, C, KH, KW, OH, OW), x.dtype)
    for i, j in np.ndindex(KH, KW):
        # about 1 line
        raise NotImplementedError("im2col: not written yet (lesson 2)")
    return cols.reshape(N, C * KH * KW, OH * OW)


def conv2d_from_columns(weight, cols, size):
    """Convolve: kernels weight (O, C, KH, KW), columns cols (N, C·KH·KW, OH·OW).

    size is (OH, OW). Returns y (N, O, OH, OW).
    """
    N, O = len(cols), len(weight)
    OH, OW = size
    # about 2 lines
    raise NotImplementedError("conv2d_from_columns: not written yet (lesson 2)")


def columns_bytes(shape, kernel, itemsize):
    """How many bytes does the column matrix of one image take, at stride 1?

    shape is (C, H, W), kernel (KH, KW); a number takes `itemsize` bytes. There is no
    padding.
    """
    C, H, W = shape
    KH, KW = kernel
    # about 2 lines
    raise NotImplementedError("columns_bytes: not written yet (lesson 2)")
