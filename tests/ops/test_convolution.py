"""Convolution and its transpose: by hand, both ways, bands, threads, bad input."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given

from minifcn import Tensor, arrays, nn, ops
from minifcn.laws import LawError, check_gradients
from minifcn.laws.cases import convolutions
from minifcn.ops import (
    algorithms,
    bands,
    convolution,
    definitions,
    windows,
    winograd,
)
from minifcn.ops.algorithms import Geometry
from minifcn.ops.convolution import conv2d_definition, conv_transpose2d_definition
from minifcn.ops.strides import UnitStride
from tests.ops import common

WAYS = ["bands", "windows", "winograd", "products"]


@pytest.fixture(autouse=True)
def thread_count():
    yield
    arrays.set_threads(0)


# ---- by hand


def test_a_small_convolution_by_hand():
    x = np.array([[[[1.0, 2, 3], [4, 5, 6]]]])
    w = np.array([[[[1.0, -1], [0, 2]]], [[[0.0, 1], [0, 0]]]])
    expected = [[[[1 - 2 + 10, 2 - 3 + 12]], [[2 + 100, 3 + 100]]]]
    y = ops.conv2d(Tensor(x), Tensor(w), Tensor(np.array([0.0, 100])))
    np.testing.assert_array_equal(y.data, expected)
    np.testing.assert_array_equal(
        conv2d_definition(x, w, np.array([0.0, 100])),
        expected,
    )


def test_a_small_transposed_convolution_by_hand():
    x = np.array([[[[1.0, 10]]]])
    w = np.array([[[[1.0, 2, 3], [4, 5, 6]]]])
    # two stamps of the kernel, two columns apart: they overlap in one column
    expected = [[[[1, 2, 3 + 10, 20, 30], [4, 5, 6 + 40, 50, 60]]]]
    y = ops.conv_transpose2d(Tensor(x), Tensor(w), stride=(1, 2))
    np.testing.assert_array_equal(y.data, expected)


# ---- special cases of one way or the other


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "padding", [((0, 2), (0, 0)), ((0, 0), (0, 2)), ((1, 0), (0, 0))]
)
def test_single_pixel_kernel_padded_on_one_side(rng, way, padding):
    """To a square, too: as wide as x is high."""
    x, w = rng.normal(size=(2, 3, 7, 5)), rng.normal(size=(4, 3, 1, 1))
    with common.using(way):
        y = ops.conv2d(*common.tensors([x, w]), padding=padding)
        common.close(y.data, conv2d_definition(x, w, padding=padding))
        check_gradients(lambda x, w: ops.conv2d(x, w, padding=padding), [x, w])


@pytest.mark.parametrize("way", WAYS)
def test_single_pixel_kernel_with_output_padding(rng, way):
    x, w = rng.normal(size=(2, 3, 5, 7)), rng.normal(size=(3, 4, 1, 1))
    arguments = dict(dilation=(2, 3), output_padding=(1, 2))
    with common.using(way):
        y = ops.conv_transpose2d(*common.tensors([x, w]), **arguments)
    common.close(y.data, conv_transpose2d_definition(x, w, **arguments))


@pytest.mark.parametrize("stride", [1, (2, 3)])
@pytest.mark.parametrize(
    "op, shape", [(ops.conv2d, (5, 4, 2, 3)), (ops.conv_transpose2d, (4, 5, 2, 3))]
)
def test_empty_batch(rng, op, shape, stride):
    x = Tensor(np.empty((0, 4, 8, 7)), requires_grad=True)
    w = Tensor(rng.normal(size=shape), requires_grad=True)
    one_image = op(Tensor(np.ones((1, 4, 8, 7))), w, stride=stride)
    y = op(x, w, stride=stride)
    assert y.shape == (0, *one_image.shape[1:])
    y.sum().backward()
    assert x.grad.shape == x.shape
    np.testing.assert_array_equal(w.grad, np.zeros(w.shape))


@pytest.mark.parametrize("arguments", [{}, {"padding": 1}, {"stride": 3}])
def test_int_and_pair_arguments_mean_the_same(rng, arguments):
    x, w = Tensor(rng.normal(size=(2, 3, 8, 7))), Tensor(rng.normal(size=(3, 3, 2, 3)))
    pairs = {name: (n, n) for name, n in arguments.items()}
    for op in (ops.conv2d, ops.conv_transpose2d):
        np.testing.assert_array_equal(
            op(x, w, **arguments).data, op(x, w, **pairs).data
        )


# ---- which way is taken


def ways_taken(x_shape, w_shape, dtype="float64", **arguments):
    """The ways of the three maps of one forward and backward pass."""
    taken = []
    own = convolution.algorithm_for

    def spy(*given):
        taken.append(own(*given).__name__.rpartition(".")[2])
        return own(*given)

    x, w = (Tensor(np.ones(shape, dtype), True) for shape in (x_shape, w_shape))
    with mock.patch.object(convolution, "algorithm_for", spy):
        y = ops.conv2d(x, w, **arguments)
        y.backward(np.ones(y.shape, dtype))
    return taken


@pytest.mark.parametrize("sizes", [(7, 3, 2, 5), (3, 7, 4, 6), (2, 40, 3, 2)])
def test_products_shared_between_tasks(rng, sizes):
    """By outputs, by inputs, by rows: more of each than tasks, and fewer."""
    O, C, H, W = sizes
    numbers = rng.normal(size=(3, C, H, W)), rng.normal(size=(O, C, 1, 1))
    with mock.patch.object(arrays, "SMALL", 0), common.using("products"):
        shared = everything(ops.conv2d, numbers)
    with common.using("windows"):
        expected = everything(ops.conv2d, numbers)
    for one, other in zip(shared, expected):
        common.close(one, other)


def test_a_stride_beyond_the_kernel_costs_no_memory(rng):
    x, w = rng.normal(size=(2, 3, 7, 8)), rng.normal(size=(4, 3, 3, 2))
    far = ops.conv2d(*common.tensors([x, w]), stride=10**6)
    common.close(far.data, conv2d_definition(x[:, :, :3, :2], w))


def test_large_maps_go_by_bands_and_small_ones_by_windows():
    assert ways_taken((2, 3, 6, 5), (8, 3, 3, 2)) == ["windows"] * 3
    with mock.patch.object(windows, "COLUMNS", 100):
        assert ways_taken((2, 3, 6, 5), (8, 3, 3, 2)) == ["bands"] * 3
        assert ways_taken((2, 3, 9, 8), (4, 3, 2, 3), stride=(3, 2)) == ["bands"] * 3
        # 2 · 2 · 2 output pixels, 9 output channels
        assert ways_taken((2, 3, 4, 3), (9, 3, 3, 2)) == ["windows"] * 3
    assert ways_taken((1, 9, 200, 201), (9, 9, 3, 2)) == ["bands"] * 3


def test_many_channels_under_3_by_3_kernels_go_by_winograd(monkeypatch):
    monkeypatch.setattr(algorithms, "LEAST_WORK", 32 * 33 * 2 * 48 * 18)
    x, w = (2, 33, 48, 18), (32, 33, 3, 3)
    three = ["winograd"] * 3
    assert ways_taken(x, w, "float32", padding=1) == three
    assert "winograd" not in ways_taken(x, w, "float64", padding=1)
    assert "winograd" not in ways_taken(x, w, "float32")  # 1472 pixels
    assert "winograd" not in ways_taken(x, w, "float32", padding=4, dilation=(1, 2))
    assert "winograd" not in ways_taken(x, (31, 33, 3, 3), "float32", padding=1)
    assert "winograd" not in ways_taken(x, (32, 33, 3, 2), "float32", padding=1)
    # Twenty channels a group; and stride 2 leaves 3 × 3 of a kernel of 5 × 6.
    grouped = (40, 20, 3, 3)
    assert "winograd" not in ways_taken((2, 40, 40, 40), grouped, "float32", groups=2)
    strided = ways_taken((1, 8, 90, 92), (32, 8, 5, 6), "float32", stride=2)
    assert strided == three
    monkeypatch.setattr(algorithms, "LEAST_WORK", 32 * 33 * 2 * 48 * 18 + 1)
    assert "winograd" not in ways_taken(x, w, "float32", padding=1)


@pytest.mark.parametrize("algorithm", algorithms.ON_CPU)
@pytest.mark.parametrize("op", ["conv2d", "conv2d_relu", "conv_transpose2d"])
def test_the_algorithm_asked_for_is_taken(op, algorithm):
    names = ["correlate", "input_gradient", "weight_gradient"]
    module = algorithms.ON_CPU[algorithm]
    calls = []

    def spied(name):
        own = getattr(module, name)
        return mock.patch.object(
            module, name, lambda *given: calls.append(name) or own(*given)
        )

    taps = 1 if algorithm == "products" else 3
    x = Tensor(np.ones((2, 3, 6, 5)), requires_grad=True)
    w = Tensor(np.ones((3, 3, taps, taps)), requires_grad=True)
    with spied(names[0]), spied(names[1]), spied(names[2]):
        y = getattr(ops, op)(x, w, padding=1, algorithm=algorithm)
        y.backward(np.ones(y.shape))
    # Two of them call another for their work.
    assert set(calls) == set(names)


@pytest.mark.parametrize(
    "words, arguments",
    [
        ("algorithm is 'fft'; it must be one of auto, bands,", {"algorithm": "fft"}),
        (
            "'winograd', which takes 3 × 3 kernels without .* 3 × 3 with dilation .*2",
            {"algorithm": "winograd", "dilation": 2},
        ),
        ("is 2 × 2 with", {"algorithm": "winograd", "stride": 2}),
        ("'products', which takes 1 × 1 .* is 3 × 3", {"algorithm": "products"}),
        ("on the device 'cpu' it must be auto or bands", {"algorithm": "columns"}),
    ],
)
@pytest.mark.parametrize("op", [ops.conv2d, ops.conv_transpose2d])
def test_algorithms_that_cannot_do_it_are_refused(op, words, arguments):
    x, w = Tensor(np.ones((2, 3, 9, 8))), Tensor(np.ones((3, 3, 3, 3)))
    with pytest.raises(ValueError, match=words):
        op(x, w, **arguments)


@pytest.mark.parametrize("way", ["bands", "windows"])
def test_each_way_has_its_own_three_maps(rng, way):
    module = algorithms.ON_CPU[way]
    x, w = Tensor(rng.normal(size=(2, 3, 6, 5)), True), rng.normal(size=(4, 3, 3, 2))
    names = ("correlate", "input_gradient", "weight_gradient")
    spies = {name: mock.Mock(side_effect=getattr(module, name)) for name in names}
    with mock.patch.multiple(module, **spies), common.using(way):
        y = ops.conv2d(x, Tensor(w, True))
        y.backward(common.upstream(y))
    assert all(spy.called for spy in spies.values())


def test_stride_one_is_left_as_it_is_and_others_are_split():
    plain = UnitStride(Geometry.of(1, 2, (2, 3), 1), (3, 2), (4, 5))
    assert plain.plain
    split = UnitStride(Geometry.of((3, 2), 1, 1, 1), (5, 1), (4, 6))
    assert not split.plain
    # 5 taps at stride 3: three grids of two taps; one tap at stride 2: one grid
    assert (split.phases, split.kernel_size) == ((3, 1), (2, 1))
    image = np.arange(2 * 3 * 13 * 12.0).reshape(2, 3, 13, 12)
    grids = split.split_image(image)
    assert grids.shape == (2, 3 * 3 * 1, 5, 6)
    # channel 1, grid (2, 0), row 1, column 3: pixel (1·3 + 2 − 1, 3·2 + 0 − 1)
    assert grids[1, 1 * 3 + 2, 1, 3] == image[1, 1, 4, 5]


def test_a_dilation_beside_a_stride_leaves_no_holes_in_the_kernel():
    unit = UnitStride(Geometry.of((4, 3), 0, (6, 9), 1), (5, 2), (7, 8))
    # Rows: taps 0, 6, 12, 18, 24 at stride 4. Every other one is on the same grid,
    # 12 = 3 · 4 pixels on. Columns: taps 0 and 9 lie on one grid, 9 = 3 · 3 apart.
    assert (unit.phases, unit.kernel_size, unit.dilation) == ((2, 1), (3, 2), (3, 3))
    image = np.arange(52 * 34.0).reshape(1, 1, 52, 34)
    grids = unit.split_image(image)
    assert grids.shape == (1, 2, 7 + 2 * 3, 8 + 3)
    assert grids[0, 1, 2, 10] == image[0, 0, 6 + 2 * 4, 10 * 3]


def test_a_dilation_beside_a_stride_takes_little_memory():
    x = Tensor(np.ones((1, 4, 200, 200)), requires_grad=True)
    w = Tensor(np.ones((4, 4, 3, 3)), requires_grad=True)
    y, peak = common.peak_of(lambda: ops.conv2d(x, w, None, 3, 100, 100))
    assert peak < 5 * (x.data.nbytes + y.data.nbytes)
    _, peak = common.peak_of(lambda: y.backward(np.ones(y.shape)))
    assert peak < 8 * (x.data.nbytes + y.data.nbytes)


@common.FEW
@given(convolutions())
def test_splitting_and_joining_are_adjoint(case):
    geometry, (x, w) = Geometry.of(**case.arguments), (case.x, case.weight)
    size = geometry.output_size(x.shape, w.shape[2:])
    unit = UnitStride(geometry, w.shape[2:], size)
    for split, join, whole in (
        (unit.split_image, lambda p: unit.join_image(p, x.shape[2:]), x),
        (unit.split_kernel, unit.join_kernel, w),
    ):
        parts = split(whole)
        other = case.another(parts)
        assert np.vdot(parts, other) == np.vdot(whole, join(other))


# ---- bands and threads


SUBJECTS = ["conv2d", "conv_transpose2d"]


@pytest.mark.parametrize(
    "limit, partial_size",
    [("BAND_BYTES", bands.PARTIAL_SIZE), ("BAND_BYTES", 0), ("LEAST_TASKS", 0)],
)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_laws_hold_in_one_band_and_in_many(subject, limit, partial_size):
    """As one task the largest band is all rows; bands of one byte are single rows."""
    with (
        common.using("bands"),
        mock.patch.object(bands, "PARTIAL_SIZE", partial_size),
        mock.patch.object(bands, limit, 1),
    ):
        common.hold(subject)


def test_tiny_bands_are_single_rows_and_huge_ones_whole_images():
    with mock.patch.object(bands, "BAND_BYTES", 1):
        assert bands._bands(1, 7, 100) == [slice(i, i + 1) for i in range(7)]
    with mock.patch.object(bands, "LEAST_TASKS", 1):
        assert bands._bands(1, 7, 100) == [slice(0, 7)]


def everything(op, inputs):
    """Value and gradients of one pass."""
    leaves = common.tensors(inputs)
    y = op(*leaves, padding=(1, 2))
    y.backward(common.upstream(y))
    return [y.data, *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("partial_size", [bands.PARTIAL_SIZE, 0])
@pytest.mark.parametrize("way", algorithms.ON_CPU)
@pytest.mark.parametrize("op", [ops.conv2d, ops.conv_transpose2d])
def test_any_number_of_threads_gives_the_same_numbers(rng, op, way, partial_size):
    taps = (1, 1) if way == "products" else (3, 2)
    shape = (6, 5, *taps) if op is ops.conv2d else (5, 6, *taps)
    inputs = [rng.normal(size=s) for s in ((3, 5, 19, 16), shape, 6)]
    results = []
    with (
        common.using(way),
        mock.patch.object(bands, "BAND_BYTES", 3000),
        mock.patch.object(winograd, "LEAST_TILES", 3),
        mock.patch.object(winograd, "BAND_BYTES", 1),
        mock.patch.object(arrays, "SMALL", 0),
        mock.patch.object(bands, "PARTIAL_SIZE", partial_size),
        mock.patch.object(winograd, "PARTIAL_SIZE", partial_size),
    ):
        for threads in (1, 2, 3):
            arrays.set_threads(threads)
            results.append(everything(op, inputs))
    for result in results[1:]:
        for one, several in zip(results[0], result):
            np.testing.assert_array_equal(several, one)


def test_blocks_of_input_channels_equal_all_at_once(rng):
    inputs = [rng.normal(size=(2, 9, 5, 4)), rng.normal(size=(50, 9, 4, 3))]
    with common.using("windows"):
        together = everything(ops.conv2d, inputs)
        with mock.patch.object(windows, "COLUMNS", 1):
            apart = everything(ops.conv2d, inputs)
    for one, many in zip(together, apart):
        common.close(many, one)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_laws_hold_in_blocks_of_one_channel(subject):
    with (
        common.using("windows"),
        mock.patch.object(windows, "COLUMNS", 1),
    ):
        common.hold(subject)


@pytest.mark.parametrize("wanted", range(3))
@pytest.mark.parametrize("op", [ops.conv2d, ops.conv_transpose2d])
def test_only_wanted_gradients_are_computed(rng, op, wanted):
    shapes = [(2, 3, 6, 5), (3, 3, 2, 4), (3,)]
    inputs = [Tensor(rng.normal(size=s), i == wanted) for i, s in enumerate(shapes)]
    y = op(*inputs, stride=2)
    back = "convolve_input" if op is ops.conv2d else "convolve"
    with (
        mock.patch.object(convolution, back) as image,
        mock.patch.object(convolution, "convolve_weight") as weight,
    ):
        image.return_value = np.ones(shapes[0])
        weight.return_value = np.ones(shapes[1])
        y.backward(common.upstream(y))
    assert (image.called, weight.called) == (wanted == 0, wanted == 1)
    assert [x.grad is not None for x in inputs] == [i == wanted for i in range(3)]


# ---- padding wider than the kernel


@pytest.mark.parametrize("kernel, dilation", [(1, 1), (3, 1), (2, 3)])
@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("before, after", [(0, 0), (7, 0), (0, 9), (6, 11)])
def test_outputs_that_see_the_image(kernel, dilation, stride, before, after):
    """Against looking at every pixel from a window's first tap to its last."""
    n = 4
    geometry = algorithms.Geometry.of(
        stride, ((before, after), (after, before)), dilation, 1
    )
    try:
        output = geometry.output_size((n, n), (kernel, kernel))
    except ValueError:  # the window does not fit
        return
    reach = (kernel - 1) * dilation
    for first, found in zip(
        (before, after), geometry.seeing((n, n), (kernel, kernel), output)
    ):
        reads = [
            range(r * stride - first, r * stride - first + reach + 1)
            for r in range(output[0])
        ]
        seeing = [r for r, read in enumerate(reads) if set(read) & set(range(n))]
        assert list(range(output[0])[found]) == seeing


WIDE = [
    dict(padding=((0, 9), (7, 0))),
    dict(padding=((9, 0), (0, 7)), stride=(2, 3)),
    dict(padding=(8, 9), dilation=(2, 3), groups=2),
    dict(padding=(1, 0), stride=(7, 1)),  # its windows lie above and below
]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("arguments", WIDE)
def test_padding_wider_than_the_kernel(rng, arguments, relu):
    x, w, b = (
        rng.normal(size=shape)
        for shape in ((2, 4, 5, 6), (6, 4 // arguments.get("groups", 1), 2, 3), (6,))
    )
    if arguments["padding"] == (1, 0):
        x, w = x[:, :, :5], w[:, :, :1]
    op, say = (
        (ops.conv2d_relu, definitions.conv2d_relu)
        if relu
        else (ops.conv2d, definitions.conv2d)
    )
    inputs = common.tensors([x, w, b])
    common.close(op(*inputs, **arguments).data, say(x, w, b, **arguments))
    check_gradients(lambda *given: op(*given, **arguments).sum(), [x, w, b])


def test_windows_of_nothing_but_padding_give_the_bias(rng):
    """A kernel of one tap that reads pixels −1 and 3 of an image of one row."""
    x, w, b = (rng.normal(size=s) for s in ((1, 2, 1, 3), (3, 2, 1, 1), (3,)))
    inputs = common.tensors([x, w, b])
    y = ops.conv2d(*inputs, padding=((1, 3), (0, 0)), stride=(4, 1))
    np.testing.assert_array_equal(y.data, np.broadcast_to(b[:, None, None], y.shape))
    y.backward(np.ones(y.shape))
    assert not inputs[0].grad.any()
    assert not inputs[1].grad.any()
    np.testing.assert_array_equal(inputs[2].grad, np.full(3, y.size / 3))


def test_dropout_and_relu_reach_where_no_window_sees_the_image():
    x, w = np.ones((1, 1, 2, 3)), np.ones((2, 1, 1, 1))
    b = np.array([3.0, -5.0])
    nn.seed(0)
    y = ops.conv2d_relu(*common.tensors([x, w, b]), padding=40, p=0.5).data
    around = y[:, :, :40]
    assert not around[:, 1].any()  # rectified
    assert set(np.unique(around[:, 0])) == {0, 6}  # dropped, or doubled
    assert 0.4 < (around[:, 0] == 0).mean() < 0.6


def test_only_what_sees_the_image_is_multiplied(rng):
    x, w = rng.normal(size=(1, 2, 5, 6)), rng.normal(size=(3, 2, 3, 3))
    inputs = common.tensors([x, w])
    with mock.patch.object(
        convolution, "algorithm_for", wraps=convolution.algorithm_for
    ) as chosen:
        y = ops.conv2d(*inputs, padding=(20, 30))
        y.backward(np.ones(y.shape))
    assert chosen.call_args_list[0].args[0].shape == (1, 3, 7, 8)
    assert chosen.call_args_list[2].args[0].shape == (1, 3, 7, 8)  # the weights'


# ---- planted faults, by whichever way (others are in tests/laws/faults)


@pytest.mark.parametrize("name", ["correlate", "input_gradient", "weight_gradient"])
@pytest.mark.parametrize("way", ["bands", "windows", "winograd", "products"])
def test_faults_within_a_way_are_caught(way, name):
    """Each of the three maps, reading one row too low."""
    module = algorithms.ON_CPU[way]
    own = getattr(module, name)

    def shifted(a, b, start, *rest):
        return own(a, b, (start[0] + 1, start[1]), *rest)

    faulty = mock.patch.object(module, name, shifted)
    with common.using(way), faulty, pytest.raises(LawError, match="breaks"):
        common.hold("conv2d", cases=12)  # among them 1 × 1 kernels


# ---- errors


def conv(
    x_shape, w_shape, b_shape=None, op=ops.conv2d, dtypes=("f8", "f8"), **arguments
):
    x, w = np.ones(x_shape, dtypes[0]), np.ones(w_shape, dtypes[1])
    bias = None if b_shape is None else Tensor(np.ones(b_shape))
    return op(Tensor(x), Tensor(w), bias, **arguments)


X, W = (2, 4, 6, 5), (6, 4, 3, 2)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ValueError, r"conv2d needs x \(N, C, H, W\)", lambda: conv(X[1:], W)),
        (ValueError, r"weight \(O, C/groups, KH, KW\)", lambda: conv(X, W[1:])),
        (ValueError, "x has 4 channels, but weight", lambda: conv(X, (6, 3, 3, 2))),
        (ValueError, "with groups 2 takes 8", lambda: conv(X, W, groups=2)),
        (
            ValueError,
            "groups is 4, which does not divide",
            lambda: conv(X, (6, 1, 3, 2), groups=4),
        ),
        (ValueError, "groups is 0; it must be", lambda: conv(X, W, groups=0)),
        (ValueError, "groups is 1.0; it must be", lambda: conv(X, W, groups=1.0)),
        (
            ValueError,
            r"bias has shape \(5,\); it must be \(6,\)",
            lambda: conv(X, W, 5),
        ),
        (
            TypeError,
            r"x \(.*\) is float32 and weight \(.*\) is float64; conv2d needs all of",
            lambda: conv(X, W, dtypes=("f4", "f8")),
        ),
        (
            TypeError,
            r"x .* is float32 and weight .* is float32 and bias \(6,\) is float64",
            lambda: conv(X, W, 6, dtypes=("f4", "f4")),
        ),
        (
            TypeError,
            "x must be a Tensor of float32 or float64; its type is int64",
            lambda: conv(X, W, dtypes=("i8", "i8")),
        ),
        (
            ValueError,
            "larger than the padded height: it spans 7 of 6",
            lambda: conv(X, (6, 4, 7, 2)),
        ),
        (
            ValueError,
            "larger than the padded width",
            lambda: conv(X, W, dilation=(1, 5)),
        ),
        (ValueError, "stride must be at least 1", lambda: conv(X, W, stride=(1, 0))),
        (TypeError, "stride must be an integer", lambda: conv(X, W, stride=1.5)),
        (ValueError, "padding must be at least 0", lambda: conv(X, W, padding=-1)),
        (
            ValueError,
            "dilation must be an integer or a pair",
            lambda: conv(X, W, dilation=(1, 2, 3)),
        ),
    ],
)
def test_bad_input_of_convolution_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call()


def transposed(x_shape, w_shape, b_shape=None, **arguments):
    return conv(x_shape, w_shape, b_shape, ops.conv_transpose2d, **arguments)


T, ONE = (4, 6, 3, 2), (1, 4, 1, 1)


@pytest.mark.parametrize(
    "words, call",
    [
        ("conv_transpose2d needs x", lambda: transposed(X[1:], T)),
        (
            "x has 4 channels, but weight .* takes 6",
            lambda: transposed(X, (6, 4, 3, 2)),
        ),
        (
            r"bias has shape \(4,\); it must be \(12,\)",
            lambda: transposed(X, T, 4, groups=2),
        ),
        ("groups is 3, which does not divide", lambda: transposed(X, T, groups=3)),
        ("output_padding must be less", lambda: transposed(X, T, output_padding=1)),
        (
            "padding leaves nothing of the output: height 1",
            lambda: transposed(ONE, T, padding=(2, 0)),
        ),
        (
            "padding leaves nothing of the output: width 1",
            lambda: transposed(ONE, T, padding=(0, 2)),
        ),
    ],
)
def test_bad_input_of_transposed_convolution_is_refused(words, call):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_number_of_groups_may_be_numpys(groups):
    x, w = np.ones((2, 6, 4, 3)), np.ones((6, 6 // groups, 2, 1))
    y = ops.conv2d(Tensor(x), Tensor(w), groups=np.int64(groups))
    np.testing.assert_array_equal(y.data, np.full((2, 6, 3, 3), 12.0 / groups))
