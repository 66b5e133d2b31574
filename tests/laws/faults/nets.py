"""Wrong dense prediction, and operators that are wrong in a net."""

import copy

import numpy as np

from minifcn import Tensor, nn
from minifcn.models.dense import extent_of, output_stride

from . import changed, fault, flipped, on_data, wrong_gradient

# ---- shift-and-stitch


for operator in ("shift_and_stitch", "a_trous"):
    changed(operator, "stride ignored", "stride", lambda s: 1)
    changed(operator, "stride transposed", "stride", flipped)


def stitches(name, shift, place=lambda a, b, FH, FW: (a, b)):
    """Register one that runs the net on shifted images of the same size.

    Args:
        shift: takes the image (N, C, H, W) and a, b; returns it shifted.
        place: where the answers of offset a, b go, of a, b and the net's stride.
    """

    @fault("shift_and_stitch", name)
    def _(right, net, x, stride=1):
        SH, SW = output_stride(net, stride)
        FH, FW = extent_of(net).stride
        y = right(net, x).data.copy()  # of stride 1
        for a, b in np.ndindex(FH, FW):
            r, q = place(a, b, FH, FW)
            answers = net(Tensor(shift(x.data, a, b))).data
            rows, columns = y[:, :, r::FH, q::FW].shape[2:]
            y[:, :, r::FH, q::FW] = answers[:, :, :rows, :columns]
        return Tensor(np.ascontiguousarray(y[:, :, ::SH, ::SW]))


def with_zeros(x, a, b):
    y = np.zeros_like(x)
    y[:, :, : x.shape[2] - a, : x.shape[3] - b] = x[:, :, a:, b:]
    return y


def closed(x, a, b):
    return np.roll(x, (-a, -b), axis=(2, 3))


stitches("zeros shifted in", with_zeros)
stitches("shifted in a ring", closed)
stitches("shifted the other way", lambda x, a, b: np.roll(x, (a, b), axis=(2, 3)))
stitches("not shifted", lambda x, a, b: x)
stitches("rows alone shifted", lambda x, a, b: closed(x, a, 0))
stitches("columns alone shifted", lambda x, a, b: closed(x, 0, b))
stitches("shifts of x and y swapped", lambda x, a, b: closed(x, b, a))
stitches("stitched in reverse", closed, lambda a, b, FH, FW: (FH - 1 - a, FW - 1 - b))


@fault("shift_and_stitch", "side by side")
def _(right, net, x, stride=1):
    (SH, SW), (FH, FW) = output_stride(net, stride), extent_of(net).stride
    y = right(net, x, stride)
    H, W = (
        np.argsort(np.arange(n) % (f // s), kind="stable")
        for n, f, s in zip(y.shape[2:], (FH, FW), (SH, SW), strict=True)
    )
    return on_data(lambda a: a[:, :, H][..., W])(y)


# ---- à trous


def rarefies(name, change):
    """Register one whose dense layers are changed: change(dense layer, layer)."""

    @fault("a_trous", name)
    def _(right, net, stride=1):
        dense = right(net, stride)
        for (key, layer), (_, plain) in zip(
            dense.children(), net.children(), strict=True
        ):
            if hasattr(plain, "stride") and hasattr(layer, "stride"):
                layer = copy.copy(layer)
                change(layer, plain)
                setattr(dense, key, layer)
        return dense


def is_conv(layer):
    return isinstance(layer, nn.Conv2d)


def without_holes(layer, plain):
    layer.dilation = plain.dilation


def filters_without_holes(layer, plain):
    if is_conv(layer):
        layer.dilation = plain.dilation


def pools_without_holes(layer, plain):
    if not is_conv(layer):
        layer.dilation = plain.dilation


def holes_transposed(layer, plain):
    layer.dilation = tuple(layer.dilation)[::-1]


def one_hole_less(layer, plain):
    layer.dilation = tuple(max(1, d - 1) for d in layer.dilation)


def narrow_frame(layer, plain):
    layer.padding = plain.padding


def strides_kept(layer, plain):
    layer.stride = plain.stride


def pools_stride_kept(layer, plain):
    if not is_conv(layer):
        layer.stride = plain.stride


rarefies("no holes", without_holes)
rarefies("no holes in the filters", filters_without_holes)
rarefies("no holes in the pools", pools_without_holes)
rarefies("holes transposed", holes_transposed)
rarefies("one hole less", one_hole_less)
rarefies("padding not widened", narrow_frame)
rarefies("strides kept", strides_kept)
rarefies("strides of pools kept", pools_stride_kept)


@fault("a_trous", "parameters copied")
def _(a_trous, net, stride=1):
    return a_trous(copy.deepcopy(net), stride)


@fault("a_trous", "the net itself")
def _(a_trous, net, stride=1):
    a_trous(net, stride)  # refuses what it refuses
    return net


# ---- operators whose fault shows where the whole image is one of many patches

turn = on_data(lambda a: a[..., ::-1, ::-1])


@fault("max_pool2d", "windows laid from the end", "nets")
def _(right, x, *rest, **arguments):
    return turn(right(turn(x), *rest, **arguments))


@fault("conv2d", "mean of the image taken off", "nets")
def _(right, x, *rest, **arguments):
    return right(
        x - Tensor(x.data.mean(axis=(2, 3), keepdims=True)), *rest, **arguments
    )


@fault("conv2d", "sums cut off", "nets")
def _(right, x, *rest, **arguments):
    y = right(x, *rest, **arguments)
    return y - Tensor(y.data.max(axis=(2, 3), keepdims=True))


@fault("relu", "threshold is the mean of the map", "nets")
def _(relu, x):
    return relu(x - Tensor(x.data.mean(axis=(2, 3), keepdims=True)))


@fault("max_pool2d", "whole-image maximum", "nets")
def _(right, x, *rest, **arguments):
    y = right(x, *rest, **arguments)
    return y * 0 + Tensor(x.data.max(axis=(2, 3), keepdims=True))


@wrong_gradient("conv2d", "gradient of the weight averaged over pixels", 1, "nets")
def _(gw, gy, arrays):
    return gw / gy[0, 0].size


@wrong_gradient("conv2d", "gradient lost where windows overlap", 0, "nets")
def _(gx, gy, arrays):
    return np.clip(gx, -20, 20)


@wrong_gradient("max_pool2d", "gradient divided by the windows", 0, "nets")
def _(gx, gy, arrays):
    return gx / gy[0, 0].size


changed("max_pool2d", "stride ignored", "stride", lambda s: 1, "nets")


@fault("chain_receptive_field", "composed without the stride", "nets")
def _(right, layers):
    return right(layers)._replace(
        size=1 + sum(layer.kernel - 1 for layer in layers if hasattr(layer, "kernel"))
    )
