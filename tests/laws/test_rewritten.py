"""Laws judge what an operator does, not how: right ones written otherwise pass all."""

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.geometry import conv_output_size, pads, pair, pool_output_size
from minifcn.laws import Implementation, laws_of, on_arrays

CASES = 10


def conv2d_by_columns(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """A product of the kernels with the windows' columns."""
    (O, _, *kernel), shape = weight.shape, x.shape
    where = kernel, stride, padding, dilation
    size = map(
        conv_output_size,
        shape[2:],
        kernel,
        pair(stride, "stride"),
        pads(padding),
        pair(dilation, "dilation"),
    )
    OH, OW = size
    rows = weight.data[0].size  # C/groups · KH · KW

    def columns(x):
        cols = ops.im2col(Tensor(x), *where).data
        return cols.reshape(len(x), groups, rows, OH * OW)

    def forward(x, w, *b):
        w = w.reshape(groups, O // groups, -1)
        y = np.einsum("gok, ngkp -> ngop", w, columns(x)).reshape(len(x), O, OH, OW)
        return y + b[0][:, None, None] if b else y

    def backward(gy, x, w, *b):
        g = gy.reshape(len(x), groups, O // groups, OH * OW)
        gw = np.einsum("ngop, ngkp -> gok", g, columns(x)).reshape(w.shape)
        w = w.reshape(groups, O // groups, -1)
        cols = np.einsum("gok, ngop -> ngkp", w, g)
        cols = cols.reshape(len(x), groups * rows, OH * OW)
        gx = ops.col2im(Tensor(cols), shape[2:], *where).data
        return (gx, gw, gy.sum(axis=(0, 2, 3))) if b else (gx, gw)

    inputs = [x, weight] if bias is None else [x, weight, bias]
    return on_arrays(forward, backward)(*inputs)


def avg_pool2d_by_convolution(
    x,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
    dilation=1,
):
    """A depthwise convolution by ones, over one of the pixels that count."""
    kernel, dilation = pair(kernel_size, "kernel_size"), pair(dilation, "dilation")
    stride, frame = kernel if stride is None else pair(stride, "stride"), pads(padding)
    size = tuple(
        pool_output_size(*numbers, ceil_mode)
        for numbers in zip(x.shape[2:], kernel, stride, frame, dilation, strict=True)
    )
    more = [(0, k * d + s) for k, d, s in zip(kernel, dilation, stride, strict=True)]
    C = x.shape[1]
    ones = Tensor(np.ones((C, 1, *kernel), x.dtype))

    def sums(x):
        y = ops.conv2d(
            ops.pad(x, more), ones, stride=stride, dilation=dilation, groups=C
        )
        return ops.crop(y, 0, size)

    inside = Tensor(np.ones_like(x.data))
    counts = sums(ops.pad(inside, frame, 1.0 if count_include_pad else 0.0)).data
    return sums(ops.pad(x, frame)) / Tensor(
        np.full_like(counts, divisor_override)
        if divisor_override
        else np.maximum(counts, 1)
    )


exp = on_arrays(np.exp, lambda gy, x: gy * np.exp(x))
absolute = on_arrays(np.abs, lambda gy, x: gy * np.sign(x))
positive = on_arrays(lambda x: np.where(x <= 0, 0, x), lambda gy, x: gy * (x > 0))


def upsample_by_matrices(x, factor):
    """y = A x Bᵀ, a matrix along each axis."""

    def matrix(n, f):
        places = (np.arange(n * f) + 0.5) / f - 0.5
        return np.maximum(0, 1 - abs(places[:, None] - np.arange(n)))  # (n·f, n)

    A, B = map(matrix, x.shape[2:], pair(factor, "factor"))
    return on_arrays(
        lambda x: (A @ x @ B.T).astype(x.dtype),
        lambda gy, x: (A.T @ gy @ B).astype(gy.dtype),
    )(x)


REWRITTEN = {
    "conv2d": conv2d_by_columns,
    "avg_pool2d": avg_pool2d_by_convolution,
    "relu": lambda x: positive(x),
    "conv2d_relu": lambda *inputs, p=0.0, **named: ops.relu(
        ops.dropout(ops.conv2d(*inputs, **named), p)
    ),
    "maximum": lambda x, y: (x + y + absolute(x - y)) / 2,
    "scale": lambda x, factors: -ops.scale(-x, factors),
    "softmax": lambda x, dim=1: exp(ops.log_softmax(x, dim)),
    "cross_entropy": lambda x, *rest, **named: ops.nll_loss(
        ops.log_softmax(x), *rest, **named
    ),
    "upsample": upsample_by_matrices,
}


# Products with zeros pass NaN on to windows that do not see it.
BY_PRODUCTS = ("conv2d", "avg_pool2d")
NAN = "what is no number stays none"


@pytest.mark.parametrize("operator", REWRITTEN)
def test_another_way_to_write_it_breaks_no_law(operator):
    ops = Implementation("rewritten", operators={operator: REWRITTEN[operator]})
    for law in laws_of(operator):
        if operator not in BY_PRODUCTS or law.name != NAN:
            law.hold(ops, CASES)
