"""Lesson 3, backwards. When written: minifcn lesson check 3."""

import numpy as np


def slope(function, x, h=1e-5):
    """Measure the slope of a function of one number at x, with h to both sides."""
    # about 1 line
    raise NotImplementedError("slope: not written yet (lesson 3)")


def relu_backward(gy, x):
    """Return gx, the gradient of the loss by x, of y = max(x, 0).

    gy is the gradient by y; both have the shape of x. At x = 0 it is 0.
    """
    # about 1 line
    raise NotImplementedError("relu_backward: not written yet (lesson 3)")


def weight_gradient(x, gy):
    """Return gw, the gradient of a convolution's weight (stride 1, no padding).

    x (N, C, H, W) went in, and gy (N, O, OH, OW) is the gradient of what came out.
    Returns gw (O, C, KH, KW).
    """
    (N, C, H, W), (_, O, OH, OW) = x.shape, gy.shape
    KH, KW = H - OH + 1, W - OW + 1
    gw = np.zeros((O, C, KH, KW), x.dtype)
    for i, j in np.ndindex(KH, KW):
        # about 1 line
        raise NotImplementedError("weight_gradient: not written yet (lesson 3)")
    return gw


def col2im(cols, size, kernel):
    """Add columns (N, C·KH·KW, OH·OW) back to the pixels that they were read from.

    size is (H, W) of the images, kernel (KH, KW); the stride was 1. Returns x,
    (N, C, H, W).
    """
    (KH, KW), (H, W) = kernel, size
    N, C = len(cols), cols.shape[1] // (KH * KW)
    OH, OW = H - KH + 1, W - KW + 1
    six = cols.reshape(N, C, KH, KW, OH, OW)
    x = np.zeros((N, C, H, W), cols.dtype)
    for i, j in np.ndindex(KH, KW):
        # about 1 line
        raise NotImplementedError("col2im: not written yet (lesson 3)")
    return x
