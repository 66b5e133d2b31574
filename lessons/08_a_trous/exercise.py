"""Lesson 8, à trous. When written: minifcn lesson check 8."""

import numpy as np


def rarefy(weight, f):
    """Put f - 1 zeros between the neighbours of kernels weight (O, C, KH, KW).

    f is a whole number; with f = 1 nothing changes.
    """
    O, C, KH, KW = weight.shape
    y = np.zeros((O, C, (KH - 1) * f + 1, (KW - 1) * f + 1), weight.dtype)
    # about 1 line
    raise NotImplementedError("rarefy: not written yet (lesson 8)")
    return y


def holes(strides):
    """Return the dilation of each layer once all strides are set to 1, as a list.

    strides are those of the layers, the first one on the image.
    """
    dilations, product = [], 1
    for stride in strides:
        # about 2 lines
        raise NotImplementedError("holes: not written yet (lesson 8)")
    return dilations
