"""Lesson 6, fully convolutional. When written: minifcn lesson check 6."""

import numpy as np


def matrix_to_kernels(matrix, C, K):
    """Write a fully-connected layer's matrix as kernels: (O, C·K·K) → (O, C, K, K).

    The map of C channels, K × K, was flattened channel by channel, each row by row.
    """
    O = len(matrix)
    # about 1 line
    raise NotImplementedError("matrix_to_kernels: not written yet (lesson 6)")


def answer_window(r, q, size, stride):
    """Which pixels does the answer (r, q) see? Return (top, left, bottom, right).

    An answer sees size × size pixels, its neighbour the same `stride` pixels further.
    bottom and right are one beyond the last pixel, as in a slice. There is no padding.
    """
    # about 1 line
    raise NotImplementedError("answer_window: not written yet (lesson 6)")


def conv_multiply_adds(weight_shape, size):
    """How many multiply-adds does a convolution make?

    weight_shape is (O, C, KH, KW), size is (OH, OW) of what comes out.
    """
    # about 2 lines
    raise NotImplementedError("conv_multiply_adds: not written yet (lesson 6)")
