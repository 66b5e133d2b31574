"""Answers to the exercises of lesson 8 that a learner could give, wrong and right."""

import numpy as np

# ---------------------------------------------------------------------------- rarefy


def right_rarefy(weight, f):
    hole = np.zeros((f, f))
    hole[0, 0] = 1
    KH, KW = weight.shape[2:]
    return np.kron(weight, hole)[:, :, : (KH - 1) * f + 1, : (KW - 1) * f + 1]


def zeros_at_the_end(weight, f):
    hole = np.zeros((f, f))
    hole[0, 0] = 1
    return np.kron(weight, hole)


def repeated(weight, f):
    return np.repeat(np.repeat(weight, f, 2), f, 3)


def rows_alone(weight, f):
    y = right_rarefy(weight, f)
    return np.ascontiguousarray(y[:, :, :, ::f])


def one_hole_too_many(weight, f):
    return right_rarefy(weight, f + 1)


def kernel_flipped(weight, f):
    return np.ascontiguousarray(right_rarefy(weight, f)[:, :, ::-1, ::-1])


def channels_too(weight, f):
    y = right_rarefy(weight, f)
    y[:, 1::2] = 0
    return y


def type_lost(weight, f):
    return right_rarefy(weight, f).astype(int)


# ----------------------------------------------------------------------------- holes


def right_holes(strides):
    return [int(np.prod(strides[:n], dtype=int)) for n in range(len(strides))]


def own_stride_too(strides):
    return [int(np.prod(strides[: n + 1])) for n in range(len(strides))]


def the_stride_itself(strides):
    return list(strides)


def of_the_layer_before(strides):
    return [1, *strides[:-1]]


def summed(strides):
    return [1 + sum(s - 1 for s in strides[:n]) for n in range(len(strides))]


def from_behind(strides):
    return right_holes(strides[::-1])[::-1]


def all_alike(strides):
    return [int(np.prod(strides))] * len(strides)


RIGHT = {"rarefy": right_rarefy, "holes": right_holes}
WRONG = {
    "rarefy": [
        zeros_at_the_end,
        repeated,
        rows_alone,
        one_hole_too_many,
        kernel_flipped,
        channels_too,
        type_lost,
    ],
    "holes": [
        own_stride_too,
        the_stride_itself,
        of_the_layer_before,
        summed,
        from_behind,
        all_alike,
    ],
}
