"""Wrong dense prediction, and operators that are wrong in a net."""

import copy

import numpy as np

from minifcn import Function, Tensor, nn
from minifcn.geometry import pair
from minifcn.models.dense import CountingAvgPool2d, extent_of, output_stride

from . import changed, fault, flipped, on_data, wrong_gradient

# ---- layers that are changed


def rewritten(layer, change):
    """A net of changed copies of its single layers; its parameters are the same."""
    layer = copy.copy(layer)
    if not isinstance(layer, nn.Layers):
        return change(layer)
    for name, part in list(layer.children()):
        setattr(layer, name, rewritten(part, change))
    return layer


def padded_with_zeros(layer):
    if isinstance(layer, nn.Pad) and np.isfinite(layer.value):
        layer.value = 0
    return layer


def counting_all_taps(layer):
    if isinstance(layer, CountingAvgPool2d):  # which has a frame, and holes
        window = layer.kernel_size, layer.stride
        mean = nn.AvgPool2d(*window, dilation=layer.dilation)
        return nn.Sequential(nn.Pad(layer.padding), mean)
    if isinstance(layer, nn.AvgPool2d):
        layer.count_include_pad = True
    return layer


def counting_the_image_alone(layer):
    if isinstance(layer, CountingAvgPool2d):
        layer.counted = None
    elif isinstance(layer, nn.AvgPool2d):
        layer.count_include_pad = False
    return layer


def dividing_by_the_taps(layer):
    if isinstance(layer, nn.AvgPool2d):
        layer.divisor_override = None
    return layer


def without_norm(layer):
    if isinstance(layer, nn.LocalResponseNorm):
        layer.alpha = 0
    return layer


CHANGES = {
    "the Pad's value lost": padded_with_zeros,
    "means count all taps": counting_all_taps,
    "means count the image alone": counting_the_image_alone,
    "means divided by their taps alone": dividing_by_the_taps,
    "no norm": without_norm,
    "dropout drops": lambda layer: layer.train(),
}


def stitches_changed(name, change):
    """Register one whose runs at other offsets are those of a changed net."""

    @fault("shift_and_stitch", name + " off the net's own answers")
    def _(right, net, x, stride=1):
        (SH, SW), (FH, FW) = output_stride(net, stride), extent_of(net).stride
        y = right(rewritten(net, change), x).data
        y[:, :, ::FH, ::FW] = right(net, x).data[:, :, ::FH, ::FW]
        return Tensor(np.ascontiguousarray(y[:, :, ::SH, ::SW]))


def dense_changed(name, change):
    @fault("a_trous", name)
    def _(right, net, stride=1):
        return rewritten(right(net, stride), change)


for name, change in CHANGES.items():
    stitches_changed(name, change)
    dense_changed(name, change)


def last_of(net, stride):
    """Slices that take the answers at the last offset; None if stride is below f."""
    FH, FW = extent_of(net).stride
    if pair(stride, "stride") != (FH, FW) or (FH, FW) == (1, 1):
        return None
    return np.s_[:, :, FH - 1 :: FH, FW - 1 :: FW]


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


@fault("shift_and_stitch", "stride of the net's own from the last offset")
def _(right, net, x, stride=1):
    part = last_of(net, stride)
    if part is None:
        return right(net, x, stride)
    return Tensor(np.ascontiguousarray(right(net, x).data[part]))


@fault("shift_and_stitch", "a ReLU in place writes over x")
def _(right, net, x, stride=1):
    y = right(net, x, stride)
    if isinstance(net.layers[0], nn.ReLU):
        np.maximum(x.data, 0, out=x.data)
    return y


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


class Then(nn.Module):
    """A net, and a function of its answers."""

    def __init__(self, net, function):
        self.net, self.function = net, function

    def forward(self, *inputs):
        return self.function(self.net(*inputs))


class Held(Function):
    """The operand; its gradient passes at every step-th pixel alone."""

    def __init__(self, step):
        self.step = step

    def forward(self, x):
        return x.copy()

    def backward(self, gy):
        (SH, SW), gx = self.step, np.zeros_like(gy)
        gx[:, :, ::SH, ::SW] = gy[:, :, ::SH, ::SW]
        return gx


@fault("a_trous", "no gradient from the answers in between")
def _(right, net, stride=1):
    FH, FW = extent_of(net).stride
    SH, SW = output_stride(net, stride)
    return Then(right(net, stride), lambda y: Held((FH // SH, FW // SW))(y))


@fault("a_trous", "gradient divided by the answers in between")
def _(right, net, stride=1):
    runs = int(np.prod(extent_of(net).stride))

    class Mean(Held):
        def backward(self, gy):
            return gy / runs

    return Then(right(net, stride), lambda y: Mean(None)(y))


@fault("a_trous", "stride of the net's own from the last offset")
def _(right, net, stride=1):
    part = last_of(net, stride)
    if part is None:
        return right(net, stride)
    take = on_data(lambda a: a[part])
    return Then(right(net), take)


@fault("a_trous", "holes of a branch widened by the one before it")
def _(right, net, stride=1):
    dense = right(net, stride)
    for (key, both), (_, plain) in zip(dense.children(), net.children(), strict=True):
        if isinstance(plain, nn.Branches):
            steps = pair(plain.layers[0].stride, "stride")
            first, second = both.layers
            second = rewritten(second, lambda layer, by=steps: widened(layer, by))
            setattr(dense, key, nn.Branches(first, second))
    return dense


def widened(layer, by):
    """Dilation times `by`; zeros at the ends, so that the size stays."""
    if not hasattr(layer, "dilation"):
        return layer
    kernel, dilation = pair(layer.kernel_size, ""), pair(layer.dilation, "")
    layer.dilation = tuple(d * n for d, n in zip(dilation, by, strict=True))
    more = [(k - 1) * (d * n - d) for k, d, n in zip(kernel, dilation, by, strict=True)]
    return nn.Sequential(nn.Pad(((0, more[0]), (0, more[1]))), layer)


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
