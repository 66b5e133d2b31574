"""Lesson 1, a convolution by hand. When written: minifcn lesson check 1."""

import numpy as np


def conv_output_size(n, kernel, stride=1, padding=0):
    """How many windows of `kernel` pixels fit side by side, `stride` pixels apart?

    The axis has n pixels and a frame of `padding` zeros at each of its two ends.
    """
    # about 1 line
    raise NotImplementedError("conv_output_size: not written yet (lesson 1)")


def window(x, r, q, kernel, stride=1, dilation=1):
    """Return the pixels of x, (C, H, W), that output (r, q) sees: (C, KH, KW).

    kernel is (KH, KW). From one pixel of the window to the next it is `dilation` pixels
    of the image, from one window to the next `stride`.
    """
    # about 2 lines
    raise NotImplementedError("window: not written yet (lesson 1)")


def conv2d(x, weight, stride=1, padding=0, dilation=1):
    """Convolve images x (N, C, H, W) with kernels weight (O, C, KH, KW).

    Returns y (N, O, OH, OW). Your `window` may help.
    """
    N, C, H, W = x.shape
    O, C, KH, KW = weight.shape
    framed = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    OH = (H + 2 * padding - (KH - 1) * dilation - 1) // stride + 1
    OW = (W + 2 * padding - (KW - 1) * dilation - 1) // stride + 1
    y = np.zeros((N, O, OH, OW), x.dtype)
    for n, o, r, q in np.ndindex(N, O, OH, OW):
        # about 2 lines
        raise NotImplementedError("conv2d: not written yet (lesson 1)")
    return y
