"""Wrong sizes, receptive fields and coordinate maps."""

from fractions import Fraction

from minifcn.geometry import CoordMap, ReceptiveField, pair

from . import changed, fault

# ---- sizes along one axis


@fault("span", "kernel times dilation")
def _(span, kernel, dilation=1):
    return kernel * dilation


@fault("span", "one too short")
def _(span, kernel, dilation=1):
    return max(1, span(kernel, dilation) - 1)


changed("span", "dilation ignored", "dilation", lambda d: 1)
changed("span", "dilation counts the holes", "dilation", lambda d: d + 1)

SIZES = ("conv_output_size", "pool_output_size", "conv_transpose_output_size")

for operator in SIZES:
    changed(operator, "stride ignored", "stride", lambda s: 1)
    changed(operator, "dilation ignored", "dilation", lambda d: 1)
    changed(operator, "padding ignored", "padding", lambda p: 0)
    changed(operator, "padding before alone", "padding", lambda p: (pair(p, "p")[0], 0))
    changed(operator, "padding after alone", "padding", lambda p: (0, pair(p, "p")[1]))
    changed(
        operator, "padding before twice", "padding", lambda p: (pair(p, "p")[0],) * 2
    )
    changed(operator, "kernel of one pixel more", "kernel", lambda k: k + 1)

    @fault(operator, "off by one")
    def _(right, *inputs, **arguments):
        return right(*inputs, **arguments) + 1


def rounded_up(n, kernel, stride, padding, dilation):
    """⌈(n + before + after − span) / stride⌉ + 1."""
    room = n + sum(pair(padding, "padding")) - (kernel - 1) * dilation - 1
    return -(-room // stride) + 1


@fault("conv_output_size", "ceil for floor")
def _(right, n, kernel, stride=1, padding=0, dilation=1, **axis):
    right(n, kernel, stride, padding, dilation, **axis)  # refuses what it refuses
    return rounded_up(n, kernel, stride, padding, dilation)


@fault("conv_output_size", "kernel not counted")
def _(right, n, kernel, stride=1, padding=0, dilation=1, **axis):
    return right(n, 1, stride, padding, 1, **axis)


@fault("pool_output_size", "last window may begin in the padding")
def _(right, n, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, **axis):
    size = right(n, kernel, stride, padding, dilation, ceil_mode, **axis)
    if not ceil_mode:
        return size
    return rounded_up(n, kernel, stride or kernel, padding, dilation)


@fault("pool_output_size", "rounded up by one always")
def _(right, n, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, **axis):
    size = right(n, kernel, stride, padding, dilation, False, **axis)
    return size + 1 if ceil_mode else size


changed("pool_output_size", "rounded up always", "ceil_mode", lambda c: True)
changed("pool_output_size", "rounded down always", "ceil_mode", lambda c: False)
changed("pool_output_size", "stride 1 where none is given", "stride", lambda s: s or 1)

changed(
    "conv_transpose_output_size",
    "output padding ignored",
    "output_padding",
    lambda p: 0,
)


@fault("conv_transpose_output_size", "n strides, not n − 1")
def _(right, n, kernel, stride=1, *rest, **arguments):
    return right(n, kernel, stride, *rest, **arguments) + stride


@fault("conv_transpose_output_size", "a convolution's size")
def _(right, n, kernel, stride=1, padding=0, output_padding=0, dilation=1, **axis):
    room = n + sum(pair(padding, "padding")) - (kernel - 1) * dilation - 1
    return max(1, room // stride + 1)


# ---- chains of layers


for operator in ("chain_output_size", "chain_receptive_field", "chain_map"):

    @fault(operator, "layers in reverse")
    def _(right, *inputs):
        return right(*inputs[:-1], inputs[-1][::-1])

    @fault(operator, "last layer forgotten")
    def _(right, *inputs):
        return right(*inputs[:-1], inputs[-1][:-1])

    @fault(operator, "first layer forgotten")
    def _(right, *inputs):
        return right(*inputs[:-1], inputs[-1][1:])


def sees(name, then):
    """Register a receptive field composed as then(size, stride, k, s) says."""

    @fault("chain_receptive_field", name)
    def _(right, layers):
        right(layers)  # refuses what it refuses
        size, stride = 1, 1
        for layer in layers:
            if not hasattr(layer, "kernel"):  # a crop
                continue
            reach = (layer.kernel - 1) * layer.dilation + 1
            s = layer.kernel if layer.stride is None else layer.stride
            size, stride = then(size, stride, reach, s)
        return ReceptiveField(size, stride)


sees("composed without the stride", lambda n, f, k, s: (n + k - 1, f * s))
sees(
    "composed with the stride of the layer", lambda n, f, k, s: (n + (k - 1) * s, f * s)
)
sees(
    "composed with the strides up to the layer",
    lambda n, f, k, s: (n + (k - 1) * f * s, f * s),
)
sees("kernel, not kernel − 1", lambda n, f, k, s: (n + k * f, f * s))
sees("strides added", lambda n, f, k, s: (n + (k - 1) * f, f + s - 1))
sees("stride of the last layer", lambda n, f, k, s: (n + (k - 1) * f, s))
sees("kernels multiplied", lambda n, f, k, s: (n * k, f * s))
sees("largest kernel", lambda n, f, k, s: (max(n, k * f), f * s))


@fault("chain_map", "corners, not centres")
def _(chain_map, layers):
    right = chain_map(layers)
    return CoordMap(right.scale, right.shift + (1 - right.scale) / 2)


@fault("chain_map", "half pixels rounded down")
def _(chain_map, layers):
    right = chain_map(layers)
    return CoordMap(right.scale, right.shift // 1)


@fault("chain_map", "the way back")
def _(chain_map, layers):
    return chain_map(layers).inverse()


@fault("chain_map", "nothing shifted")
def _(chain_map, layers):
    return CoordMap(chain_map(layers).scale, Fraction(0))


@fault("chain_map", "of the other sign")
def _(chain_map, layers):
    right = chain_map(layers)
    return CoordMap(right.scale, -right.shift)


@fault("chain_map", "shifts added, not composed")
def _(chain_map, layers):
    maps = [layer.coord_map() for layer in layers]
    scale = Fraction(1)
    for one in maps:
        scale *= one.scale
    return CoordMap(scale, sum((one.shift for one in maps), Fraction(0)))


@fault("chain_map", "one pixel on")
def _(chain_map, layers):
    right = chain_map(layers)
    return CoordMap(right.scale, right.shift + 1)


@fault("crop_offset", "central")
def _(crop_offset, path_a, path_b):
    return crop_offset(path_a, path_b) // 2


@fault("crop_offset", "off by one")
def _(crop_offset, path_a, path_b):
    return crop_offset(path_a, path_b) + 1


@fault("crop_offset", "a's shift alone")
def _(crop_offset, path_a, path_b):
    crop_offset(path_a, path_b)
    return int(path_a.shift)


@fault("crop_offset", "sum of the shifts")
def _(crop_offset, path_a, path_b):
    crop_offset(path_a, path_b)
    return int(path_a.shift + path_b.shift)


@fault("crop_offset", "no crop")
def _(crop_offset, path_a, path_b):
    return 0 * crop_offset(path_a, path_b)


@fault("crop_offset", "in input pixels")
def _(crop_offset, path_a, path_b):
    return int(crop_offset(path_a, path_b) / path_b.scale)
