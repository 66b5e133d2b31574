"""Geometry against enumeration: every formula is counted out window by window."""

import doctest
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minifcn import geometry
from minifcn.geometry import (
    Conv,
    CoordMap,
    Crop,
    Deconv,
    Pool,
    ReceptiveField,
    chain_map,
    chain_output_size,
    chain_receptive_field,
    conv_output_size,
    conv_transpose_output_size,
    crop_offset,
    pads,
    pair,
    pool_output_size,
)

SIZES = range(1, 1201)

sizes = st.integers(1, 30)
kernels, strides, dilations = st.integers(1, 6), st.integers(1, 5), st.integers(1, 4)
paddings = st.tuples(st.integers(0, 5), st.integers(0, 5))
fractions = st.fractions(-9, 9, max_denominator=12)
maps = st.builds(
    CoordMap, st.fractions(Fraction(1, 9), 9, max_denominator=12), fractions
)
fields = st.builds(ReceptiveField, st.integers(1, 9), st.integers(1, 9))
convs = st.builds(Conv, kernels, strides, paddings, dilations)


def taps(unit, kernel, stride=1, padding=(0, 0), dilation=1):
    """Input pixels (negative and beyond the end: padding) that one output unit sees."""
    start = unit * stride - padding[0]
    return [start + j * dilation for j in range(kernel)]


# --------------------------------------------------------------------- output sizes


@given(sizes, kernels, strides, paddings, dilations)
def test_conv_counts_the_windows_inside_the_padded_input(n, k, s, p, d):
    windows = (taps(i, k, s, p, d) for i in range(n + sum(p)))
    count = sum(window[-1] < n + p[1] for window in windows)
    if count:
        assert conv_output_size(n, k, s, p, d) == count
    else:
        with pytest.raises(ValueError, match="larger than the padded input"):
            conv_output_size(n, k, s, p, d)


@given(sizes, kernels, strides, paddings, dilations)
def test_ceil_pooling_adds_one_window_that_hangs_over_the_end(n, k, s, p, d):
    assume(2 * max(p) <= (k - 1) * d + 1)
    windows = [taps(i, k, s, p, d) for i in range(n + sum(p))]
    starts_inside = [w for w in windows if w[0] < n]
    count = sum(w[-1] - (n + p[1] - 1) < s for w in starts_inside)
    if count:
        assert pool_output_size(n, k, s, p, d, ceil_mode=True) == count
    else:
        with pytest.raises(ValueError, match="larger than the padded input"):
            pool_output_size(n, k, s, p, d, ceil_mode=True)


@given(sizes, kernels, strides, paddings, dilations)
def test_floor_pooling_is_convolution(n, k, s, p, d):
    assume(2 * max(p) <= (k - 1) * d + 1 <= n + sum(p))
    assert pool_output_size(n, k, s, p, d) == conv_output_size(n, k, s, p, d)


@given(sizes, kernels, strides, paddings, dilations, st.integers(0, 4))
def test_conv_transpose_counts_the_pixels_it_writes_to(n, k, s, p, d, extra):
    assume(extra < max(s, d))
    last_written = taps(n - 1, k, s, (0, 0), d)[-1]
    size = last_written + 1 + extra - sum(p)
    assume(size >= 1)
    assert conv_transpose_output_size(n, k, s, p, extra, d) == size


@given(sizes, kernels, strides, paddings, dilations)
def test_conv_transpose_undoes_the_size_of_conv(n, k, s, p, d):
    assume((k - 1) * d + 1 <= n + sum(p))
    down = conv_output_size(n, k, s, p, d)
    lost = (n + sum(p) - (k - 1) * d - 1) % s
    assert conv_transpose_output_size(down, k, s, p, lost, d) == n


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (5, 2, 2, 0, 2, 3),  # one pixel is left over: it gets a window of its own
        (4, 2, 2, 0, 2, 2),
        (4, 1, 3, 0, 2, 2),  # a third window would start at 6, beyond the end
        (5, 1, 4, 0, 2, 2),
        (6, 3, 2, 0, 2, 3),
        (3, 2, 2, 1, 2, 2),  # starts at -1, 1; a window at 3 would be all padding
        (4, 2, 2, 1, 3, 3),
    ],
)
def test_pool_by_hand(n, kernel, stride, padding, floor, ceil):
    assert pool_output_size(n, kernel, stride, padding) == floor
    assert pool_output_size(n, kernel, stride, padding, ceil_mode=True) == ceil


def test_one_pixel_pools_to_one_only_in_ceil_mode():
    assert pool_output_size(1, 2, ceil_mode=True) == 1
    with pytest.raises(ValueError, match="larger than the padded input"):
        pool_output_size(1, 2)


# ------------------------------------------------------------------ receptive fields


def seen(unit, layers):
    """Pixels of the chain's input that `unit` of its output depends on."""
    units = {unit}
    for layer in reversed(layers):
        windows = (
            taps(u, layer.kernel, layer.stride, layer.padding, layer.dilation)
            for u in units
        )
        units = {pixel for window in windows for pixel in window}
    return units


@given(st.lists(convs, max_size=3))
def test_receptive_field_is_what_a_unit_depends_on(layers):
    first, second = seen(0, layers), seen(1, layers)
    size = max(first) - min(first) + 1
    assert chain_receptive_field(layers) == (size, min(second) - min(first))


@given(fields, fields, fields)
def test_composition_of_receptive_fields_is_associative(a, b, c):
    assert a.then(*b).then(*c) == a.then(*b.then(*c))
    assert a.then(*ReceptiveField()) == a == ReceptiveField().then(*a)


# ------------------------------------------------------------------- coordinate maps


@given(st.lists(convs, max_size=3), st.integers(0, 9))
def test_a_unit_lies_at_the_centre_of_what_it_sees(layers, unit):
    pixels = seen(unit, layers)
    centre = Fraction(min(pixels) + max(pixels), 2)
    assert chain_map(layers)(centre) == unit


@given(kernels, strides, paddings, dilations, st.integers(0, 9))
def test_deconv_writes_around_the_mapped_pixel(k, s, p, d, pixel):
    written = taps(pixel, k, s, p, d)
    centre = Fraction(written[0] + written[-1], 2)
    assert CoordMap.deconv(k, s, p, d)(pixel) == centre
    assert Deconv(k, s, p).coord_map() == CoordMap.deconv(k, s, p)


@given(maps, maps, maps, fractions)
def test_maps_form_a_group(f, g, h, x):
    assert f.compose(g)(x) == f(g(x))
    assert f.compose(g).compose(h) == f.compose(g.compose(h))
    assert f.compose(f.inverse()) == f.inverse().compose(f) == CoordMap.identity()
    assert f.compose(CoordMap.identity()) == f == CoordMap.identity().compose(f)


@given(st.integers(1, 9), st.integers(0, 9))
def test_pool_and_deconv_of_one_kernel_cancel(k, shift):
    assert chain_map([Pool(k), Deconv(k, k)]) == CoordMap.identity()
    assert chain_map([Conv(3, padding=1), Crop(shift)])(shift) == 0


def test_the_maps_of_caffes_own_tests():
    assert chain_map([Conv(3), Pool(4), Deconv(4, 4)]) == CoordMap(1, -1)
    assert chain_map([Conv(3, padding=7)]) == CoordMap(1, 6)
    assert chain_map([Deconv(3, padding=7)]) == CoordMap(1, -6)
    assert chain_map([Conv(3, 2, 7), Deconv(3, 2, 7)]) == CoordMap.identity()
    assert chain_map([Conv(3, dilation=4)]) == CoordMap(1, -4)
    assert chain_map([Conv(3, padding=(2, 9))]) == chain_map([Conv(3, padding=2)])


@given(convs, st.integers(1, 4), st.integers(0, 20))
def test_cropping_makes_the_two_maps_equal(conv, factor, offset):
    b = chain_map([conv])
    a = CoordMap(b.scale, b.shift + offset)
    assert crop_offset(a, b) == offset
    assert CoordMap.crop(offset).compose(a) == b


# ------------------------------------------------------------- the nets of the paper


def vgg16(pad=100, ceil=True, fc6_padding=0):
    """Layers from the input to pool3, on to pool4, and on to the class scores."""
    conv, pool = Conv(3, padding=1), Pool(2, ceil=ceil)
    to_pool3 = [Conv(3, padding=pad), conv, pool, conv, conv, pool]
    to_pool3 += [conv, conv, conv, pool]
    to_pool4 = [*to_pool3, conv, conv, conv, pool]
    to_pool5 = [*to_pool4, conv, conv, conv, pool]
    score = [*to_pool5, Conv(7, padding=fc6_padding), Conv(1), Conv(1)]
    return to_pool3, to_pool4, to_pool5, score


def alexnet(pad=100):
    """Layers from the input to the class scores."""
    conv, pool = Conv(3, padding=1), Pool(3, 2, ceil=True)
    first = [Conv(11, 4, pad), pool, Conv(5, padding=2), pool]
    return [*first, conv, conv, conv, pool, Conv(6), Conv(1), Conv(1)]


UP2 = Deconv(4, 2)


def up(factor):
    return Deconv(2 * factor, factor)


def caffe_crops(pad=100):
    """Offsets of FCN-32s, 16s and 8s, in the order in which their layers come."""
    pool3, pool4, _, score = (chain_map(layers) for layers in vgg16(pad))
    one = CoordMap.identity()

    def deconv(path, layer):
        return layer.coord_map().compose(path)

    upscore2 = deconv(score, UP2)
    upscore4 = deconv(upscore2, UP2)
    return (
        [crop_offset(deconv(score, up(32)), one)],
        [crop_offset(pool4, upscore2), crop_offset(deconv(upscore2, up(16)), one)],
        [
            crop_offset(pool4, upscore2),
            crop_offset(pool3, upscore4),
            crop_offset(deconv(upscore4, up(8)), one),
        ],
    )


def slacks(n, pad=100, ceil=True):
    """Pixels left over behind each crop of the three nets; negative: it fails.

    None where the input is too small for some layer.
    """
    to_pool3, to_pool4, _, to_score = vgg16(pad, ceil)
    try:
        pool3 = chain_output_size(n, to_pool3)
        pool4 = chain_output_size(pool3, to_pool4[len(to_pool3) :])
        score = chain_output_size(pool4, to_score[len(to_pool4) :])
    except ValueError:
        return None
    upscore2 = UP2.output_size(score)
    upscore4 = UP2.output_size(upscore2)
    return {
        "upscore": up(32).output_size(score) - (pad - 81) - n,
        "pool4": pool4 - 5 - upscore2,
        "upscore16": up(16).output_size(upscore2) - (pad - 73) - n,
        "pool3": pool3 - 9 - upscore4,
        "upscore8": up(8).output_size(upscore4) - (pad - 69) - n,
    }


def fits(n, pad=100, ceil=True):
    left = slacks(n, pad, ceil)
    return left is not None and min(left.values()) >= 0


def test_crop_offsets_of_the_published_nets():
    assert caffe_crops() == ([19], [5, 27], [5, 9, 31])
    upscore = [*alexnet(), Deconv(63, 32)]
    assert crop_offset(chain_map(upscore), CoordMap.identity()) == 18


@given(st.integers(81, 2000))
def test_final_offset_follows_the_pad_and_the_skips_do_not(pad):
    assert caffe_crops(pad) == ([pad - 81], [5, pad - 73], [5, 9, pad - 69])


def test_a_pad_below_81_cannot_be_cropped():
    with pytest.raises(ValueError, match="starts 1 pixels after"):
        caffe_crops(80)


def test_sizes_on_the_way_for_500_pixels():
    *_, to_score = vgg16()
    got = [chain_output_size(500, to_score[:k]) for k in (1, 3, 6, 10, 14, 18, 19)]
    assert got == [698, 349, 175, 88, 44, 22, 16]
    assert chain_output_size(500, [*to_score, up(32)]) == 544
    assert chain_output_size(500, [*to_score, UP2]) == 34
    assert chain_output_size(500, [*to_score, UP2, up(16)]) == 560
    assert chain_output_size(500, [*to_score, UP2, UP2]) == 70
    assert chain_output_size(500, [*to_score, UP2, UP2, up(8)]) == 568
    assert chain_output_size(500, alexnet(pad=0)) == 10


def test_the_example_in_the_docstring():
    assert doctest.testmod(geometry) == (0, 7)


def test_receptive_fields_of_the_paper():
    got = [chain_receptive_field(layers) for layers in vgg16()]
    assert got == [(44, 8), (100, 16), (212, 32), (404, 32)]
    assert chain_receptive_field(alexnet()) == (355, 32)


def test_pad_100_fits_every_size():
    left = [slacks(n) for n in SIZES]
    assert all(min(slack.values()) >= 0 for slack in left)
    upscore = [slack["upscore"] for slack in left]
    assert (min(upscore), max(upscore)) == (19, 50)


def test_floor_pooling_breaks_pad_100():
    *_, to_score = vgg16(ceil=False)
    assert chain_output_size(500, [*to_score, up(32)]) == 512
    with pytest.raises(ValueError, match="crop does not fit: 500 pixels from 19 on"):
        chain_output_size(500, [*to_score, up(32), Crop(19, 500)])
    assert not fits(375, ceil=False)
    failing = sum(not fits(n, ceil=False) for n in SIZES)
    assert failing / len(SIZES) == pytest.approx(0.38, abs=0.005)


def test_97_is_the_smallest_pad_that_fits_every_size():
    assert all(fits(n, pad=97) for n in SIZES)
    for pad in range(81, 97):
        assert not all(fits(n, pad) for n in SIZES), pad


def test_pad_81_fits_every_size_from_33_on():
    assert [n for n in SIZES if not fits(n, pad=81)] == list(range(1, 33))


def test_same_geometry_crops_the_coarse_stream_and_fits_every_size():
    """Pad 1 and fc6 padded by 3: now the upsampled stream is the larger one."""
    to_pool3, to_pool4, to_pool5, to_score = vgg16(pad=1, fc6_padding=3)
    one = CoordMap.identity()
    steps = [  # (coarse, upsampling, reference, expected offset)
        (to_score, up(32), [], 16),
        (to_score, UP2, to_pool4, 1),
        (to_pool4, up(16), [], 8),
        (to_pool4, UP2, to_pool3, 1),
        (to_pool3, up(8), [], 4),
    ]
    assert chain_map(to_score) == chain_map(to_pool5)
    for coarse, deconv, reference, expected in steps:
        target = chain_map(reference) if reference else one
        offset = crop_offset(chain_map([*coarse, deconv]), target)
        assert offset == expected
        for n in SIZES:
            wanted = chain_output_size(n, reference)
            available = chain_output_size(n, [*coarse, deconv])
            assert offset + wanted <= available, (n, deconv)


def test_cropping_puts_a_skip_on_the_upsampled_stream():
    to_pool3, to_pool4, _, to_score = vgg16()
    upscore2 = chain_map([*to_score, UP2])
    assert chain_map([*to_pool4, Crop(5)]) == upscore2
    assert chain_map([*to_pool3, Crop(9)]) == chain_map([*to_score, UP2, UP2])


# -------------------------------------------------------------------------- arguments


def test_pair_and_pads():
    assert pair(3, "stride") == (3, 3)
    assert pair((3, 2), "stride") == (3, 2) == pair([3, 2], "stride")
    assert pads(3) == ((3, 3), (3, 3))
    assert pads((3, 1)) == ((3, 3), (1, 1))
    assert pads(((3, 2), (0, 1))) == ((3, 2), (0, 1))


@pytest.mark.parametrize(
    "error, bad",
    [
        (ValueError, (1, 0, 1, 0)),
        (ValueError, (1,)),
        (TypeError, "same"),
        (TypeError, 0.5),
        (TypeError, None),
        (TypeError, (1, (2, 3))),
    ],
)
def test_the_forms_of_padding_are_told(error, bad):
    forms = (
        r"^frame must be p, \(p_height, p_width\) or \(\(top, bottom\), \(left, right"
    )
    with pytest.raises(error, match=forms) as refusal:
        pads(bad, "frame")
    assert str(refusal.value).endswith(f"not {bad!r}")


@pytest.mark.parametrize("number", ["int8", "int64", "uint16"])
def test_numpy_integers_count_as_integers(number):
    numpy = pytest.importorskip("numpy")
    two = numpy.dtype(number).type(2)
    assert [type(v) for v in pair((two, two), "kernel")] == [int, int]
    size = pool_output_size(two + 3, two, two, (two - 1, two - 1), ceil_mode=True)
    assert (size, type(size)) == (3, int)
    assert conv_transpose_output_size(two, two, two) == 4


def test_arrays_of_two_are_pairs():
    array = pytest.importorskip("numpy").array
    assert pair(array([3, 2]), "stride") == (3, 2)
    assert pads(array([[1, 2], [3, 4]])) == ((1, 2), (3, 4))
    for bad in ([3.0, 2.0], [True, True], [[1, 2], [3, 4]]):
        with pytest.raises(TypeError, match="stride must be an integer, not"):
            pair(array(bad), "stride")
    with pytest.raises(TypeError, match="kernel must be an integer, not array"):
        geometry.whole(array([2, 3]), "kernel")


@pytest.mark.parametrize("bad", [1.0, "1", None, True, Fraction(1)])
def test_what_is_no_integer_is_named(bad):
    with pytest.raises(TypeError, match=r"^stride must be an integer, not"):
        pair(bad, "stride")
    with pytest.raises(TypeError, match=r"^kernel must be an integer, not"):
        conv_output_size(5, bad)
    with pytest.raises(TypeError, match=r"^height must be an integer, not"):
        conv_output_size(bad, 3, axis="height")


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: conv_output_size(4, 3, 2, (1, 0), 3, axis="height"),
            r"larger than the padded height: it spans 7 of 5 pixels \(height 4, "
            r"kernel 3, stride 2, padding \(1, 0\), dilation 3\)",
        ),
        (
            lambda: pool_output_size(1, 3, 2, ceil_mode=True, axis="width"),
            r"spans 3 of 1 pixels \(width 1, kernel 3, stride 2, padding \(0, 0\)",
        ),
        (
            lambda: pool_output_size(9, 3, 2, 2),
            r"at most half .*: \(2, 2\) for one that spans 3 \(input 9, kernel 3, str",
        ),
        (lambda: conv_output_size(0, 3, axis="width"), "width must be at least 1"),
        (lambda: conv_output_size(9, 0), "kernel must be at least 1, not 0"),
        (lambda: conv_output_size(9, 3, 0), "stride must be at least 1, not 0"),
        (lambda: conv_output_size(9, 3, 1, -1), "padding must be at least 0, not -1"),
        (lambda: conv_output_size(9, 3, dilation=0), "dilation must be at least 1"),
        (lambda: conv_output_size(9, 3, 1, (1, 2, 3)), "pair of them, not"),
        (
            lambda: conv_transpose_output_size(5, 3, 2, 0, 2),
            "output_padding must be less than stride or dilation, not 2 with stride 2",
        ),
        (
            lambda: conv_transpose_output_size(1, 3, 2, (2, 1)),
            r"nothing of the output: input 1, kernel 3, stride 2, padding \(2, 1\)",
        ),
        (lambda: pair((1, 2, 3), "stride"), "stride must be an integer or a pair"),
        (lambda: pads((1, 2, 3), "pad"), "pad must be p, "),
        (lambda: Crop(-1).output_size(5), "offset must be at least 0, not -1"),
        (lambda: Crop(5).output_size(5), "1 pixels from 5 on, of an input with 5"),
        (lambda: Crop(1, 5).output_size(5), "5 pixels from 1 on, of an input with 5"),
        (lambda: CoordMap(0, 1), "scale must be positive, not 0"),
        (lambda: crop_offset(CoordMap(1, 0), CoordMap(2, 0)), "have 1 and 2 of their"),
        (
            lambda: crop_offset(CoordMap(1, Fraction(1, 2)), CoordMap(1, 0)),
            "1/2 pixels apart",
        ),
        (lambda: crop_offset(CoordMap(1, 0), CoordMap(1, 2)), "2 pixels after"),
        (lambda: chain_receptive_field([Deconv(4, 2)]), r"Deconv\(kernel=4, stride=2"),
    ],
)
def test_errors_name_what_was_given(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_half_named_padding_is_refused():
    with pytest.raises(TypeError, match=r"not \(1, \(2, 3\)\)"):
        pads((1, (2, 3)))
