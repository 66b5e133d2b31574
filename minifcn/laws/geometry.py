"""What is true of sizes, receptive fields and crops, tried on the operators themselves.

Geometry speaks of one axis; here its chains are run on images of n × 1 pixels, and what
comes out, and from where, is compared with what it says.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from ..geometry import Conv, CoordMap, Crop, Deconv, Layer, Pool, pair, span
from .cases import Case, transposed_convolutions, windows
from .implementation import Implementation
from .sources import DUMOULIN, LONG
from .statement import Difference, equal, law

COORD_MAP = "Caffe, coord_map.py"
FCN = "Caffe FCN, voc-fcn32s, 16s, 8s, alexnet"

# ---- cases


@st.composite
def lengths(draw: st.DrawFn, function: str, pooling: bool = False) -> Case:
    """Draw the height of an image and a window on it."""
    window = draw(windows(half_padding=pooling))  # only its height is used
    names = ("kernel", "stride", "padding", "dilation")
    arguments = {"n": window.size[0]} | {
        name: getattr(window, name)[0] for name in names
    }
    if pooling:
        arguments["ceil_mode"] = draw(st.booleans())
        # None: the kernel
        arguments["stride"] = draw(st.sampled_from((None, arguments["stride"])))
    return Case(function, {}, arguments)


@st.composite
def layers_below(draw: st.DrawFn, count: int = 3) -> list[Any]:
    """Draw a chain of convolutions and pools."""
    size = st.integers(1, 3)
    conv = st.builds(Conv, size, size, st.tuples(size, size), st.integers(1, 2))
    pool = st.builds(Pool, st.integers(2, 4), st.none() | size, ceil=st.booleans())
    return draw(st.lists(conv | conv | pool, min_size=1, max_size=count))


@st.composite
def chains(draw: st.DrawFn) -> Case:
    """Draw a chain of convolutions and pools, and a length that is enough for it."""
    layers = draw(layers_below())
    n = 2 * _reach(layers) + draw(st.integers(1, 9))  # no window is larger
    return Case("chain", {}, {"n": n, "layers": layers})


def _stride(layer: Layer) -> int:
    if isinstance(layer, Pool) and layer.stride is None:
        return layer.kernel
    return getattr(layer, "stride", 1)


def _reach(layers: Sequence[Any]) -> int:
    """Return more pixels than a unit sees on one side."""
    return sum(layer.kernel * layer.dilation for layer in layers) * prod(
        _stride(layer) for layer in layers
    )


# ---- layers on images of one column


def _operator(layer: Any) -> tuple[str, dict[str, Any]]:
    """Return the operator of a layer, and its arguments."""
    if isinstance(layer, Crop):
        return "crop", {"offset": (layer.offset, 0), "size": (layer.size, 1)}
    arguments = {
        "stride": (_stride(layer), 1),
        # (top, bottom), and none beside
        "padding": (pair(layer.padding, "padding"), (0, 0)),
    }
    if isinstance(layer, Deconv):
        return "conv_transpose2d", arguments
    arguments["dilation"] = (layer.dilation, 1)
    if isinstance(layer, Conv):
        return "conv2d", arguments
    arguments |= {"kernel_size": (layer.kernel, 1), "ceil_mode": layer.ceil}
    return "avg_pool2d", arguments


def _weights(ops: Implementation, layer: Any) -> tuple[np.ndarray, ...]:
    """Return the weight of a layer that has one: a mean, or for a Deconv bilinear."""
    if isinstance(layer, Conv):
        return (np.full((1, 1, layer.kernel, 1), 1 / layer.kernel),)  # (1, 1, KH, 1)
    if isinstance(layer, Deconv):
        return (ops.bilinear_kernel((layer.kernel, 1))[None, None],)  # (1, 1, KH, 1)
    return ()


def _through(ops: Implementation, layers: Sequence[Layer], x: np.ndarray) -> list[Any]:
    """Run layers on x (N, 1, n, 1); return what is before, between and after them."""
    xs = [x]
    for layer in layers:
        operator, arguments = _operator(layer)
        # (N, 1, n of this layer, 1)
        xs.append(ops.run(operator, xs[-1], *_weights(ops, layer), **arguments))
    return xs


def _column(values: Any) -> np.ndarray:
    return np.asarray(values, float).reshape(1, 1, -1, 1)  # an image of n × 1 pixels


def _seen(ops: Implementation, case: Case) -> list[np.ndarray]:
    """Return for each unit at the end of the chain the pixels it sees, in order."""
    n, layers = case.arguments["n"], case.arguments["layers"]
    count = _through(ops, layers, _column(np.ones(n)))[-1].size
    xs = _through(ops, layers, np.ones((count, 1, n, 1)))  # an image for each unit
    # in image u the gradient of unit u alone
    g = np.eye(count).reshape(count, 1, count, 1)
    for layer, x in zip(layers[::-1], xs[-2::-1], strict=True):
        operator, arguments = _operator(layer)
        g = ops.gradients(operator, g, x, *_weights(ops, layer), **arguments)[0]
    # no weight is 0 or below, so nothing cancels
    return [np.flatnonzero(row) for row in g.reshape(count, n)]


# ---- sizes


@law("geometry", lengths("span"), "span = (k − 1)·d + 1 = the size of rarefy_d(w)")
def a_window_spans_its_taps_and_holes(ops: Implementation, case: Case) -> None:
    """From the first tap to the last, both counted, and the holes between."""
    k, d = case.arguments["kernel"], case.arguments["dilation"]
    equal(ops.span(k, d), ops.rarefy(np.ones((k, 1)), (d, 1)).shape[0], "span")
    equal(ops.span(k), k, "span without dilation")


@law(
    "geometry",
    lengths("conv_output_size"),
    "out = ⌊(n + p − span) / s⌋ + 1",
    DUMOULIN + "2.4",
)
def a_convolution_has_as_many_outputs_as_windows(
    ops: Implementation, case: Case
) -> None:
    """Windows that lie wholly inside; s pixels more are one output more."""
    a = case.arguments
    (before, after), taps = a["padding"], span(a["kernel"], a["dilation"])
    starts = range(-before, a["n"] + after - taps + 1, a["stride"])  # wholly inside
    size = ops.conv_output_size(**a)
    equal(size, len(starts), "size")
    (y,) = _through(ops, [Conv(*_window(a))], _column(np.ones(a["n"])))[1:]
    equal(size, y.shape[2], "size, against the operator's")
    longer = ops.conv_output_size(**a | {"n": a["n"] + a["stride"]})
    equal(longer, size + 1, "the size of n + s")


def _window(a: dict[str, Any]) -> tuple[Any, ...]:
    return a["kernel"], a["stride"], a["padding"], a["dilation"]


@law(
    "geometry",
    lengths("pool_output_size", pooling=True),
    "out = ⌊ or ⌈(n + p − span) / s⌋ or ⌉ + 1, less a window that begins beyond x",
    "Caffe, pooling_layer.cpp",
)
def a_pool_has_as_many_outputs_as_windows(ops: Implementation, case: Case) -> None:
    """Rounded up, a last window hangs over the end by less than a stride."""
    a = case.arguments
    (before, after), taps = a["padding"], span(a["kernel"], a["dilation"])
    step = a["stride"] or a["kernel"]  # its kernel, where none is given
    for n, up in product(range(a["n"], a["n"] + step), (False, True)):
        over = step - 1 if up else 0  # how far the last window may hang over
        starts = range(-before, n + after + over - taps + 1, step)
        size = ops.pool_output_size(**a | {"n": n, "ceil_mode": up})
        # Caffe leaves out a window that begins in the padding at the end.
        inside = [start for start in starts if start < n]
        equal(size, len(inside), f"the size of {n}, rounded {'up' if up else 'down'}")
    y = ops.max_pool2d(
        _column(np.ones(a["n"])),
        (a["kernel"], 1),
        (step, 1),
        (a["padding"], (0, 0)),
        (a["dilation"], 1),
        a["ceil_mode"],
    )
    equal(ops.pool_output_size(**a), y.shape[2], "size, against the operator's")


@law(
    "geometry",
    transposed_convolutions(bias=False),
    "out = (n − 1)·s − p + span + output_padding",
    DUMOULIN + "4",
)
def a_transposed_convolution_is_as_large_as_what_it_came_from(
    ops: Implementation, case: Case
) -> None:
    """A convolution of it has n outputs; what its stride loses, output_padding adds."""
    y = ops.conv_transpose2d(case.x, case.weight, **case.arguments)
    a = case.arguments
    for axis, (n, k) in enumerate(
        zip(case.x.shape[2:], case.weight.shape[2:], strict=True)
    ):
        window = k, a["stride"][axis], a["padding"][axis]
        extra, d = a["output_padding"][axis], a["dilation"][axis]
        size = ops.conv_transpose_output_size(n, *window, extra, d)
        equal(size, y.shape[2 + axis], "size, against the operator's")
        longer = ops.conv_transpose_output_size(n + 1, *window, extra, d)
        equal(longer, size + window[1], "the size of n + 1")
        down = ops.conv_output_size(size, *window, d)
        equal(down, n + extra // window[1], "the size of its convolution")
        # what the stride passes over
        lost = (size + sum(window[2]) - span(k, d)) % window[1]
        back = ops.conv_transpose_output_size(down, *window, lost, d)
        equal(back, size, "the size of that one transposed")


@st.composite
def chains_up_again(draw: st.DrawFn) -> Case:
    """Draw a chain that ends with a transposed convolution and a crop."""
    case = draw(chains())
    layers, up = case.arguments["layers"], Deconv(draw(st.integers(2, 6)), 2)
    layers = [*layers, up, Crop(draw(st.integers(0, 1)), 1)]  # crop to 1 pixel
    return replace(case, arguments=case.arguments | {"layers": layers})


@law("geometry", chains_up_again(), "size of a chain = the operators' size, in turn")
def a_chain_has_the_size_of_its_net(ops: Implementation, case: Case) -> None:
    """Layer by layer, on real images."""
    n, layers = case.arguments.values()
    # before, between and after the layers
    expected = [x.shape[2] for x in _through(ops, layers, _column(np.ones(n)))]
    sizes = [ops.chain_output_size(n, layers[:i]) for i in range(len(layers) + 1)]
    equal(sizes, expected, "sizes")


# ---- receptive fields and coordinate maps


@law(
    "geometry",
    chains(),
    "a unit u sees size pixels around map⁻¹(u), its neighbour the same stride on",
    LONG + "3",
)
def a_unit_sees_its_receptive_field(ops: Implementation, case: Case) -> None:
    """The pixels to which its gradient leads, where the border cuts nothing off."""
    a, layers = case.arguments, case.arguments["layers"]
    margin = _reach(layers)
    a = a | {"n": a["n"] + 2 * margin}  # in the middle no field is cut off
    field, back = ops.chain_receptive_field(layers), ops.chain_map(layers).inverse()
    seen = _seen(ops, replace(case, arguments=a))
    inside = [
        u
        for u, pixels in enumerate(seen)
        if pixels.size and margin <= pixels[0] and pixels[-1] < a["n"] - margin
    ]
    assume(inside)  # a large stride may leave no unit in the middle
    first, last = (np.array([seen[u][i] for u in inside]) for i in (0, -1))
    equal(last - first + 1, np.full(len(inside), field.size), "pixels from end to end")
    # map⁻¹ of a unit is the middle of what it sees.
    equal((first + last) / 2, [float(back(u)) for u in inside], "the centres")
    equal(np.diff(first), np.full(len(inside) - 1, field.stride), "the strides")


@st.composite
def stretches(draw: st.DrawFn) -> Case:
    """Draw a chain and two places to cut it."""
    layers = draw(layers_below(6))
    cut = st.integers(0, len(layers))
    return Case("chain", {}, {"layers": layers, "cuts": sorted([draw(cut), draw(cut)])})


@law(
    "geometry",
    stretches(),
    "f_ks ∘ g_k′s′ = (f ∘ g) with kernel k′ + (k − 1)·s′ and stride s·s′",
    LONG + "3",
)
def layers_compose_in_any_order_of_brackets(ops: Implementation, case: Case) -> None:
    """Any stretch of a chain may be taken for one layer of its field and stride."""
    layers, (start, stop) = case.arguments.values()
    whole = ops.chain_receptive_field(layers)
    size, stride = ops.chain_receptive_field(layers[start:stop])
    shorter = [*layers[:start], Conv(size, stride), *layers[stop:]]  # one for many
    equal(ops.chain_receptive_field(shorter), whole, "size and stride", tolerance=0)
    size, stride = 1, 1
    for layer in layers:
        reach = span(layer.kernel, layer.dilation) - 1
        size, stride = size + reach * stride, stride * _stride(layer)
    equal(whole, (size, stride), "size and stride, by the rule", tolerance=0)


@law("geometry", stretches(), "map(a, then b) = map(b) ∘ map(a)", COORD_MAP)
def maps_compose(ops: Implementation, case: Case) -> None:
    """y = s₂·(s₁·x + t₁) + t₂; and map⁻¹(map(x)) = x, without rounding."""
    layers, (cut, _) = case.arguments.values()
    whole = ops.chain_map(layers)
    one, two = ops.chain_map(layers[:cut]), ops.chain_map(layers[cut:])
    expected = one.scale * two.scale, two.scale * one.shift + two.shift
    _exactly((whole.scale, whole.shift), expected, "scale and shift")
    for x in (0, 7, Fraction(5, 3)):  # maps are of fractions, not of pixels alone
        _exactly(two(one(x)), whole(x), f"map({x})")
        _exactly(whole.inverse()(whole(x)), x, f"map⁻¹(map({x}))")


def _exactly(came: Any, expected: Any, what: str) -> None:
    """Compare fractions."""
    if came != expected:
        raise Difference(f"{what}: expected {expected}, came {came}")


@st.composite
def single_layers(draw: st.DrawFn) -> Case:
    """Draw a convolution."""
    size = st.integers(1, 6)
    conv = st.builds(Conv, size, size, st.tuples(size, size))
    return Case("chain_map", {}, {"layer": draw(conv), "offset": draw(size)})


@law(
    "geometry",
    single_layers(),
    "conv: y = (x + p − (k − 1)/2) / s; deconv: its inverse; crop: y = x − offset",
    COORD_MAP,
)
def a_layer_maps_by_its_centre(ops: Implementation, case: Case) -> None:
    """Unit u looks at the middle of its window; transposed it looks from there."""
    layer, offset = case.arguments.values()
    k, s, (before, _) = layer.kernel, layer.stride, layer.padding
    up, crop = Deconv(k, s, layer.padding), Crop(offset)
    down = ops.chain_map([layer])
    for u in range(3):
        taps = range(u * s - before, u * s - before + k)  # the pixels that unit u sees
        _exactly(down(Fraction(sum(taps), k)), u, f"map(middle of {taps})")
    for chain in ([layer, up], [up, layer], []):
        one = ops.chain_map(chain)
        _exactly((one.scale, one.shift), (1, 0), f"map of {chain}")
    moved = ops.chain_map([layer, crop])
    _exactly(moved(5), down(5) - offset, f"map of {[layer, crop]} at 5")


# ---- crops


@st.composite
def branches(draw: st.DrawFn) -> Case:
    """Draw a chain, where a branch leaves it, and the way up to the branch again."""
    layers, extra = draw(layers_below()), draw(st.integers(0, 3))
    layers = [replace(a, ceil=False) if isinstance(a, Pool) else a for a in layers]
    cut = draw(st.integers(0, len(layers) - 1))
    layers[cut] = first = Conv(draw(st.integers(1, 4)), draw(st.integers(1, 3)), 0)
    above, stride, shift = layers[cut:], 1, Fraction(0)
    for layer in above:  # by how many pixels of the branch its window begins later
        before, reach = pair(layer.padding, "")[0], span(layer.kernel, layer.dilation)
        shift += stride * (before - Fraction(reach - 1, 2))
        stride *= _stride(layer)
    # Of an even and an odd kernel one brings the offset to a whole number.
    whole = (shift + Fraction(2 * stride - 1, 2)).denominator == 1
    up = Deconv(2 * stride if whole else 2 * stride - 1, stride)
    shift += Fraction(up.kernel - 1, 2)
    padding = max(0, -int(shift)) + extra  # or a would begin behind b
    layers[cut] = replace(first, padding=(padding, 0))
    n = 2 * _reach(layers) + 3 * prod(map(_stride, layers))
    a, b = [*layers, up], layers[:cut]
    return Case(
        "crop_offset", {}, {"n": n, "a": a, "b": b, "offset": int(shift) + padding}
    )


@law(
    "geometry",
    branches(),
    "pixel y of b is pixel y + crop_offset of a",
    COORD_MAP,
)
def a_crop_lays_one_stream_on_the_other(ops: Implementation, case: Case) -> None:
    """Down by means and up bilinearly, a ramp arrives where the offset says."""
    n, a, b, expected = case.arguments.values()
    offset = ops.crop_offset(ops.chain_map(a), ops.chain_map(b))
    equal(offset, expected, "offset")
    found = []
    for x in (np.arange(n), np.ones(n)):  # a ramp, and what says where it is whole
        coarse, fine = (
            _through(ops, layers, _column(x))[-1].ravel() for layers in (a, b)
        )
        coarse = coarse[offset : offset + len(fine)]
        found.append((coarse, fine[: len(coarse)]))
    (coarse, fine), ones = found
    # Where an image of ones stays 1, no zero of the padding was seen.
    inside = (abs(ones[0] - 1) < 1e-9) & (abs(ones[1] - 1) < 1e-9)
    assume(inside.any())
    equal(coarse[inside], fine[inside], "a, cropped")


def _vgg(padding: int) -> dict[str, list[Layer]]:
    """Return the chains of FCN on VGG-16, from the image to the layer of that name."""
    conv, pool = Conv(3, padding=1), Pool(2, ceil=True)
    pool3: list[Layer] = [
        Conv(3, padding=padding),
        conv,
        pool,
        conv,
        conv,
        pool,
        conv,
        conv,
    ]
    pool3 += [conv, pool]  # the third convolution of its stage
    pool4 = [*pool3, conv, conv, conv, pool]
    # fc6, fc7, score
    score = [*pool4, conv, conv, conv, pool, Conv(7), Conv(1), Conv(1)]
    twice = [*score, Deconv(4, 2)]  # added to the score of pool4
    again = [*twice, Deconv(4, 2)]  # and to that of pool3
    return {
        "pool3": pool3,
        "pool4": pool4,
        "score": score,
        "score_pool3": [*pool3, Conv(1)],
        "score_pool4": [*pool4, Conv(1)],
        "upscore2": twice,
        "upscore_pool4": again,
        "upscore32": [*score, Deconv(64, 32)],
        "upscore16": [*twice, Deconv(32, 16)],
        "upscore8": [*again, Deconv(16, 8)],
    }


def _alexnet(padding: int) -> list[Layer]:
    """Return the chain of FCN-AlexNet, from the image to its score."""
    pool, conv = Pool(3, 2, ceil=True), Conv(3, padding=1)
    first, second = Conv(11, 4, padding), Conv(5, padding=2)
    return [first, pool, second, pool, conv, conv, conv, pool, Conv(6), Conv(1)]


# Where FCN crops: from, to, and the offset at a padding of p.
CROPS = (
    ("upscore32", "image", lambda p: p - 81),
    ("score_pool4", "upscore2", lambda p: 5),
    ("upscore16", "image", lambda p: p - 73),
    ("score_pool3", "upscore_pool4", lambda p: 9),
    ("upscore8", "image", lambda p: p - 69),
)

# from 82 on no offset is below 0
paddings = st.integers(82, 200).map(lambda p: Case("fcn", {}, {"padding": p}))


@law(
    "geometry",
    paddings,
    "32s: p − 81; 16s: 5, p − 73; 8s: 5, 9, p − 69; AlexNet: p − 82",
    FCN,
)
def fcn_crops_where_its_authors_do(ops: Implementation, case: Case) -> None:
    """At p = 100: 19; 5 and 27; 5, 9 and 31; 18. None depends on the image's size."""
    p = case.arguments["padding"]
    chains_ = _vgg(p) | {"image": []}
    for cropped, onto, offset in CROPS:
        maps = ops.chain_map(chains_[cropped]), ops.chain_map(chains_[onto])
        equal(ops.crop_offset(*maps), offset(p), f"the offset of {cropped}")
    up = [*_alexnet(p), Deconv(63, 32)]  # its authors gave it 63 taps, not 64
    offset = ops.crop_offset(ops.chain_map(up), CoordMap.identity())
    equal(offset, p - 82, "the offset of AlexNet's upscore")


@st.composite
def image_sizes(draw: st.DrawFn) -> Case:
    """Draw a length, and a padding from 97 on."""
    # 70: two strides of 32, and more
    n = draw(st.integers(1, 70) | st.integers(1, 2000))
    return Case("fcn", {}, {"n": n, "padding": draw(st.integers(97, 105))})


@law(
    "geometry",
    image_sizes(),
    "size(cropped) ≥ offset + size(reference) for every n ≥ 1, where p ≥ 97",
    FCN,
)
def a_padding_of_100_is_enough_for_every_image(ops: Implementation, case: Case) -> None:
    """No crop of FCN reaches beyond what is there, as its pools round up."""
    n, p = case.arguments.values()
    chains_ = _vgg(p) | {"image": []}
    for cropped, onto, offset in CROPS:
        size = ops.chain_output_size(n, chains_[cropped])
        # to the last pixel
        needed = offset(p) + ops.chain_output_size(n, chains_[onto])
        if size < needed:
            raise Difference(f"{cropped} has {size} pixels, expected {needed} or more")


FIELDS = (
    ("pool3", 44, 8),
    ("pool4", 100, 16),
    ("score", 404, 32),
    ("alexnet", 355, 32),
)
published = st.sampled_from(FIELDS).map(
    lambda row: Case(
        "fcn", {}, dict(zip(("layer", "size", "stride"), row, strict=True))
    )
)


@law(
    "geometry",
    published,
    "VGG-16: pool3 44/8, pool4 100/16, fc7 404/32; AlexNet: 355/32",
    "Long et al. 2015, table 1, of AlexNet and fc7",
)
def its_fields_are_those_of_the_paper(ops: Implementation, case: Case) -> None:
    """Size and stride, in pixels of the image."""
    layer, *expected = case.arguments.values()
    chain = (_vgg(100) | {"alexnet": _alexnet(100)})[layer]
    equal(ops.chain_receptive_field(chain), expected, f"the field of {layer}")


SIZES = {
    "pool3": 88,
    "pool4": 44,
    "score": 16,
    "upscore2": 34,
    "upscore_pool4": 70,
    "upscore32": 544,
    "upscore16": 560,
    "upscore8": 568,
}
layers_at_500 = st.sampled_from(tuple(SIZES)).map(
    lambda name: Case("chain_output_size", {}, {"n": 500, "layer": name})
)


@law(
    "geometry",
    layers_at_500,
    "500 pixels: pool3 88, pool4 44, score 16, upscore 544, 560, 568",
    FCN,
)
def its_sizes_are_those_of_its_authors(ops: Implementation, case: Case) -> None:
    """With a padding of 100, and pools that round up."""
    n, layer = case.arguments.values()
    equal(ops.chain_output_size(n, _vgg(100)[layer]), SIZES[layer], f"size of {layer}")
