"""Wrong convolutions, with and without ReLU, transposed ones, im2col and col2im."""

import numpy as np

from minifcn import Tensor, ops

from . import (
    changed,
    fault,
    flipped,
    on_data,
    one_later,
    swapped_sides,
    wrong_gradient,
)

turn = on_data(lambda a: a[..., ::-1, ::-1])
transpose = on_data(lambda a: np.swapaxes(a, 2, 3))
roll_channels = on_data(lambda a: np.roll(a, 1, axis=1))
roll_outputs = on_data(lambda a: np.roll(a, 1, axis=0))


for operator in ("conv2d", "conv_transpose2d"):
    changed(operator, "stride ignored", "stride", lambda s: 1)
    changed(operator, "stride transposed", "stride", flipped)
    changed(operator, "padding ignored", "padding", lambda p: 0)
    changed(operator, "padding transposed", "padding", flipped)
    changed(operator, "padding of the other side", "padding", swapped_sides)
    changed(operator, "padding off by one", "padding", one_later)
    changed(operator, "dilation ignored", "dilation", lambda d: 1)
    changed(operator, "dilation transposed", "dilation", flipped)

    @fault(operator, "kernel flipped")
    def _(right, x, weight, *bias, **arguments):
        return right(x, turn(weight), *bias, **arguments)

    @fault(operator, "kernel transposed")
    def _(right, x, weight, *bias, **arguments):
        if weight.shape[2] != weight.shape[3]:
            raise ValueError
        return right(x, transpose(weight), *bias, **arguments)

    @fault(operator, "bias forgotten")
    def _(right, x, weight, *bias, **arguments):
        return right(x, weight, **arguments)

    @fault(operator, "groups mixed")
    def _(right, x, weight, *bias, groups=1, **arguments):
        moved = roll_channels(x) if groups > 1 else x
        return right(moved, weight, *bias, groups=groups, **arguments)

    @fault(operator, "output channels out of order")
    def _(right, x, weight, *bias, groups=1, **arguments):
        return roll_channels(right(x, weight, *bias, groups=groups, **arguments))

    @fault(operator, "sums in single precision")
    def _(right, x, weight, *bias, **arguments):
        rounded = [round_to_single(t) for t in (x, weight, *bias)]
        return right(*rounded, **arguments)

    @fault(operator, "x gets no gradient")
    def _(right, x, weight, *bias, **arguments):
        return right(x.detach(), weight, *bias, **arguments)

    @wrong_gradient(operator, "gradient of x through the flipped kernel")
    def _(gx, gy, arrays):
        return gx[..., ::-1, ::-1]

    @wrong_gradient(operator, "gradient of the weight turned", 1)
    def _(gw, gy, arrays):
        return gw[..., ::-1, ::-1]

    @wrong_gradient(operator, "gradient of the weight of the first image alone", 1)
    def _(gw, gy, arrays):
        return gw / max(1, len(gy))

    @wrong_gradient(operator, "gradient of the bias averaged", 2)
    def _(gb, gy, arrays):
        return gy.mean(axis=(0, 2, 3))

    @wrong_gradient(operator, "gradient not accumulated where windows overlap")
    def _(gx, gy, arrays):
        return np.clip(gx, -60, 60)


def round_to_single(x):
    """What single precision leaves of x, as if nothing were lost."""
    lost = x.data.astype(np.float32).astype(x.dtype) - x.data
    return x + Tensor(lost)


changed("conv_transpose2d", "output padding ignored", "output_padding", lambda p: 0)
changed("conv_transpose2d", "output padding transposed", "output_padding", flipped)

changed("im2col", "stride ignored", "stride", lambda s: 1)

for operator in ("im2col", "col2im"):
    changed(operator, "stride transposed", "stride", flipped)
    changed(operator, "padding of the other side", "padding", swapped_sides)
    changed(operator, "padding off by one", "padding", one_later)
    changed(operator, "dilation transposed", "dilation", flipped)
    changed(operator, "kernel transposed", "kernel_size", flipped)

    @wrong_gradient(operator, "gradient doubled")
    def _(g, gy, arrays):
        return 2 * g

    @wrong_gradient(operator, "gradient of another image")
    def _(g, gy, arrays):
        return g[::-1]


@fault("im2col", "taps before channels")
def _(right, x, kernel_size, **arguments):
    return channels_last(kernel_size)(right(x, kernel_size, **arguments))


@fault("im2col", "windows column by column")
def _(right, x, **arguments):
    return on_data(lambda a: a[:, :, ::-1])(right(x, **arguments))


@fault("im2col", "taps reversed")
def _(right, x, **arguments):
    return on_data(lambda a: a[:, ::-1])(right(x, **arguments))


def channels_last(kernel_size):
    taps = int(np.prod(kernel_size))

    def order(a):
        N, rows, windows = a.shape
        parts = a.reshape(N, rows // taps, taps, windows).swapaxes(1, 2)
        return parts.reshape(a.shape)

    return on_data(order)


@fault("col2im", "taps reversed")
def _(right, cols, **arguments):
    return right(on_data(lambda a: a[:, ::-1])(cols), **arguments)


@fault("col2im", "overlaps not accumulated")
def _(right, cols, **arguments):
    return right(cols, **arguments) / np.maximum(
        1, right(Tensor(np.ones_like(cols.data)), **arguments).data
    )


for operator in ("conv2d", "conv_transpose2d"):

    @fault(operator, "kernel shifted")
    def _(right, x, weight, *bias, **arguments):
        shift = on_data(lambda a: np.roll(a, 1, axis=3))
        return right(x, shift(weight), *bias, **arguments)


@wrong_gradient("im2col", "gradient one row too low")
def _(gx, gy, arrays):
    return np.roll(gx, 1, axis=2)


@wrong_gradient("col2im", "gradient of the windows beside")
def _(gcols, gy, arrays):
    return np.roll(gcols, 1, axis=2)


# ---- convolution and ReLU


changed("conv2d_relu", "stride ignored", "stride", lambda s: 1)
changed("conv2d_relu", "padding of the other side", "padding", swapped_sides)
changed("conv2d_relu", "dilation ignored", "dilation", lambda d: 1)
changed("conv2d_relu", "dropout ignored", "p", lambda p: 0)
changed("conv2d_relu", "dropout of the others", "p", lambda p: 1 - p)


@fault("conv2d_relu", "ReLU forgotten")
def _(right, x, weight, *bias, p=0, **arguments):
    y = ops.conv2d(x, weight, *bias, **arguments)
    return ops.dropout(y, p) if p else y


@fault("conv2d_relu", "bias forgotten")
def _(right, x, weight, *bias, **arguments):
    return right(x, weight, **arguments)


@fault("conv2d_relu", "bias behind the ReLU")
def _(right, x, weight, bias, **arguments):
    return right(x, weight, **arguments) + bias.reshape(-1, 1, 1)


@fault("conv2d_relu", "ReLU before the convolution")
def _(right, x, weight, *bias, p=0, **arguments):
    return ops.conv2d(ops.relu(x), weight, *bias, **arguments)


@fault("conv2d_relu", "dropout of what came in")
def _(right, x, weight, *bias, p=0, **arguments):
    return right(ops.dropout(x, p), weight, *bias, **arguments)


@fault("conv2d_relu", "what is left is not enlarged")
def _(right, *inputs, p=0, **arguments):
    return right(*inputs, p=p, **arguments) * (1 - p)


@fault("conv2d_relu", "the gradient passes where nothing did")
def _(right, x, weight, *bias, p=0, **arguments):
    y = ops.conv2d(x, weight, *bias, **arguments)
    return y + (right(x, weight, *bias, p=p, **arguments) - y).detach()


@fault("conv2d_relu", "the gradient passes what was dropped")
def _(right, x, weight, *bias, p=0, **arguments):
    y = right(x, weight, *bias, **arguments)
    return y + (right(x, weight, *bias, p=p, **arguments) - y).detach()


@fault("conv2d_relu", "x gets no gradient")
def _(right, x, weight, *bias, **arguments):
    return right(x.detach(), weight, *bias, **arguments)


@wrong_gradient("conv2d_relu", "gradient of the bias averaged", 2)
def _(gb, gy, arrays):
    return gb / max(1, gy.shape[2] * gy.shape[3])


@wrong_gradient("conv2d_relu", "gradient of the bias before the ReLU", 2)
def _(gb, gy, arrays):
    return gy.sum(axis=(0, 2, 3))
