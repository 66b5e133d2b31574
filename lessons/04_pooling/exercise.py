"""Lesson 4, pooling. When written: minifcn lesson check 4."""

import numpy as np


def max_pool2d(x, k):
    """Return the largest pixel of each window of k × k; windows lie side by side.

    x is (N, C, H, W); rows and columns that are left over are not looked at. Returns
    (N, C, H // k, W // k).
    """
    N, C, H, W = x.shape
    y = np.empty((N, C, H // k, W // k), x.dtype)
    for r, q in np.ndindex(H // k, W // k):
        # about 1 line
        raise NotImplementedError("max_pool2d: not written yet (lesson 4)")
    return y


def max_pool2d_backward(gy, x, k):
    """Return gx, the gradient of x, of max_pool2d(x, k).

    gy is (N, C, H // k, W // k). Of each window the winner gets all of its gradient; of
    several that are equal the first, row by row.
    """
    gx = np.zeros_like(x)
    for n, c, r, q in np.ndindex(*gy.shape):
        # about 3 lines
        raise NotImplementedError("max_pool2d_backward: not written yet (lesson 4)")
    return gx


def receptive_field(layers):
    """How many pixels does a number see, and how far apart are neighbours?

    layers are (kernel, stride), the first one on the image. Returns (size, stride).
    """
    size, stride = 1, 1
    for kernel, step in layers:
        # about 2 lines
        raise NotImplementedError("receptive_field: not written yet (lesson 4)")
    return size, stride
