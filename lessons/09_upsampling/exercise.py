"""Lesson 9, upsampling. When written: minifcn lesson check 9."""

import numpy as np


def transposed_output_size(n, kernel, stride=1, padding=0):
    """How many numbers does a transposed convolution make of n, along one axis?"""
    # about 1 line
    raise NotImplementedError("transposed_output_size: not written yet (lesson 9)")


def conv_transpose2d(x, weight, stride=1):
    """Convolve, transposed: every number of x stamps the kernel on the output.

    x is (N, C, H, W), weight (C, O, KH, KW). Returns (N, O, (H − 1)·stride + KH,
    (W − 1)·stride + KW).
    """
    N, C, H, W = x.shape
    C, O, KH, KW = weight.shape
    y = np.zeros((N, O, (H - 1) * stride + KH, (W - 1) * stride + KW), x.dtype)
    for n, c, r, q in np.ndindex(N, C, H, W):
        # about 2 lines
        raise NotImplementedError("conv_transpose2d: not written yet (lesson 9)")
    return y


def bilinear_taps(f):
    """Return the 2f − f mod 2 taps of the kernel that enlarges a line f times."""
    # about 3 lines
    raise NotImplementedError("bilinear_taps: not written yet (lesson 9)")
