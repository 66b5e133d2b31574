"""Max pooling: by hand, the first of equals, NaN, in parts, bad input."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given

from minifcn import Tensor, arrays, ops
from minifcn.laws.cases import poolings, tied
from minifcn.ops import definitions, pairs, pooling
from tests.ops import common


def definition(x, kernel_size, **arguments):
    return definitions.max_pool2d(x, kernel_size, **arguments, return_indices=True)


def test_pooling_by_hand():
    x = np.array([[[[-5.0, -2, -9], [-4, -3, -1]]]])
    y, indices = ops.max_pool2d(Tensor(x), 2, ceil_mode=True, return_indices=True)
    np.testing.assert_array_equal(y.data, [[[[-2, -1]]]])
    np.testing.assert_array_equal(indices, [[[[1, 5]]]])
    y = ops.max_pool2d(Tensor(x), 2)
    np.testing.assert_array_equal(y.data, [[[[-2]]]])
    # zeros in the padding would win: all of x is negative
    y = ops.max_pool2d(Tensor(x), (2, 3), stride=(1, 2), padding=(1, 1))
    expected = [[[[-2, -2], [-2, -1], [-3, -1]]]]
    np.testing.assert_array_equal(y.data, expected)
    by_definition = definitions.max_pool2d(x, (2, 3), stride=(1, 2), padding=(1, 1))
    np.testing.assert_array_equal(by_definition, expected)


@common.FEW
@given(poolings(values=tied), common.dtypes, common.layouts)
def test_maxima_and_indices_in_any_type_and_layout(case, dtype, layout):
    (x,) = common.tensors([case.x], dtype, layout)
    y, indices = ops.max_pool2d(x, **case.arguments, return_indices=True)
    maxima, where = definition(case.x, **case.arguments)
    np.testing.assert_array_equal(y.data, maxima)
    np.testing.assert_array_equal(indices, where)
    assert y.dtype == dtype


def test_the_first_of_equals_gets_the_gradient():
    x = Tensor(np.zeros((1, 1, 4, 6)), requires_grad=True)
    y, indices = ops.max_pool2d(x, (2, 3), return_indices=True)
    np.testing.assert_array_equal(indices, [[[[0, 3], [12, 15]]]])
    y.backward(np.array([[[[1.0, 2], [3, 4]]]]))
    np.testing.assert_array_equal(x.grad.ravel()[[0, 3, 12, 15]], [1, 2, 3, 4])
    assert x.grad.sum() == 10


def test_overlapping_windows_add_their_gradients():
    x = Tensor(np.array([[[[1.0, 9, 2, 3]]]]), requires_grad=True)
    ops.max_pool2d(x, (1, 2), stride=1).backward(np.array([[[[1.0, 10, 100]]]]))
    np.testing.assert_array_equal(x.grad, [[[[0, 11, 0, 100]]]])


@pytest.mark.parametrize("threads", [1, 3])
def test_laws_hold_cut_into_parts(threads):
    arrays.set_threads(threads)
    try:
        with mock.patch.object(pooling, "PART", 100):
            common.hold("max_pool2d")
    finally:
        arrays.set_threads(0)


@common.FEW
@given(poolings(values=tied))
def test_maxima_of_some_rows_at_a_time(case):
    """One row of windows after the other: the same as all of them at once."""
    (x,) = common.tensors([case.x])
    together = ops.max_pool2d(x, **case.arguments).data
    with mock.patch.object(pooling, "PART", 1):
        apart = ops.max_pool2d(x, **case.arguments).data
    np.testing.assert_array_equal(apart, together)


def halves(rng, shape, ceil_mode, special=()):
    """Max pooling by 2 × 2 in float32, with ties: x, and a random gy."""
    x = rng.integers(-2, 3, shape).astype(np.float32)
    for at, value in enumerate(special):
        x.flat[7 * at % x.size] = value
    x = Tensor(x, True)
    y = ops.max_pool2d(x, 2, ceil_mode=ceil_mode)
    gy = rng.normal(size=y.shape).astype(np.float32)
    # What is not filled shows.
    with mock.patch.object(pooling.np, "empty", lambda *a: np.full(*a[:1], 7, *a[1:])):
        y.backward(gy)
    return x, gy


@pytest.mark.parametrize("special", [(), (np.nan, -np.inf, np.inf, -0.0)])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (7, 8), (6, 9), (5, 3), (2, 2), (3, 2)])
def test_halves_by_pairs_have_the_gradient_of_any_windows(
    rng, monkeypatch, size, ceil_mode, special
):
    """In pieces of three windows; and what is left at an odd side."""
    monkeypatch.setattr(pairs, "PART", 3)
    with mock.patch.object(pairs, "scatter", wraps=pairs.scatter) as scatter:
        x, gy = halves(rng, (2, 3, *size), ceil_mode, special)
    assert scatter.called
    expected = Tensor(x.data, True)
    with mock.patch.object(pooling.Windows, "are_halves", return_value=False):
        ops.max_pool2d(expected, 2, ceil_mode=ceil_mode).backward(gy)
    np.testing.assert_array_equal(x.grad, expected.grad)


@pytest.mark.parametrize("size", [(5, 1), (1, 4), (1, 1)])
def test_halves_that_all_hang_over_the_border(rng, size):
    x, gy = halves(rng, (2, 1, *size), True)
    with mock.patch.object(pooling.Windows, "are_halves", return_value=False):
        again = Tensor(x.data, True)
        ops.max_pool2d(again, 2, ceil_mode=True).backward(gy)
    np.testing.assert_array_equal(x.grad, again.grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])  # by pairs, and in general
def test_an_infinite_gradient_goes_to_one_pixel(dtype):
    x = Tensor(np.array([[[[1, 1], [0, 2]]]], dtype), True)
    ops.max_pool2d(x, 2).backward(np.array([[[[np.inf]]]], dtype))
    np.testing.assert_array_equal(x.grad, [[[[0, 0], [0, np.inf]]]])


def test_halves_that_lie_apart_in_memory(rng):
    x = rng.normal(size=(2, 3, 7, 6)).astype(np.float32)
    gy = rng.normal(size=(2, 3, 4, 3)).astype(np.float32)
    one, other = Tensor(np.asfortranarray(x), True), Tensor(x, True)
    ops.max_pool2d(one, 2, ceil_mode=True).backward(np.asfortranarray(gy))
    ops.max_pool2d(other, 2, ceil_mode=True).backward(gy)
    np.testing.assert_array_equal(one.grad, other.grad)


def test_halves_of_an_empty_batch():
    x = Tensor(np.ones((0, 2, 4, 6), np.float32), True)
    y = ops.max_pool2d(x, 2)
    y.backward(np.ones(y.shape, np.float32))
    assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    "arguments",
    [
        dict(kernel_size=2, stride=1),
        dict(kernel_size=(2, 3), stride=2),
        dict(kernel_size=2, padding=1),
        dict(kernel_size=2, padding=((0, 0), (0, 1))),
        dict(kernel_size=2, dilation=(1, 2)),
        dict(kernel_size=3),
    ],
)
def test_other_windows_do_not_go_by_pairs(rng, arguments):
    x = Tensor(rng.normal(size=(1, 2, 6, 8)).astype(np.float32), True)
    with mock.patch.object(pairs, "scatter") as scatter:
        y = ops.max_pool2d(x, **arguments)
        y.backward(np.ones_like(y.data))
    assert not scatter.called


def test_a_window_of_nothing_but_padding_has_no_pixel():
    x = Tensor(np.array([[[[-3.0]]]]), requires_grad=True)
    a = dict(kernel_size=2, stride=1, padding=((1, 1), (0, 1)), dilation=(2, 1))
    y, indices = ops.max_pool2d(x, **a, return_indices=True)
    np.testing.assert_array_equal(y.data, [[[[-np.inf]]]])  # taps at rows −1 and 1
    np.testing.assert_array_equal(indices, [[[[-1]]]])
    for actual, expected in zip(definition(x.data, **a), (y.data, indices)):
        np.testing.assert_array_equal(actual, expected)
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(x.grad, [[[[0]]]])


def test_minus_infinity_is_a_pixel_like_any_other():
    x = Tensor(np.full((1, 1, 2, 2), -np.inf), requires_grad=True)
    y, indices = ops.max_pool2d(x, 2, return_indices=True)
    y.backward(np.array([[[[5.0]]]]))
    np.testing.assert_array_equal(indices, definition(x.data, kernel_size=2)[1])
    np.testing.assert_array_equal(x.grad, [[[[5, 0], [0, 0]]]])


def test_a_window_with_nan_is_nan_and_passes_no_gradient():
    x = Tensor(np.array([[[[1.0, np.nan, 3, 4]]]]), requires_grad=True)
    y, indices = ops.max_pool2d(x, (1, 2), return_indices=True)
    y.backward(np.array([[[[10.0, 20]]]]))
    np.testing.assert_array_equal(y.data, [[[[np.nan, 4]]]])
    np.testing.assert_array_equal(indices, [[[[-1, 3]]]])
    np.testing.assert_array_equal(x.grad, [[[[0, 0, 0, 20]]]])
    for actual, expected in zip(definition(x.data, (1, 2)), (y.data, indices)):
        np.testing.assert_array_equal(actual, expected)


def test_an_empty_batch_gives_an_empty_result():
    x = Tensor(np.zeros((0, 3, 6, 5)), requires_grad=True)
    y, indices = ops.max_pool2d(x, 2, return_indices=True)
    y.backward(np.zeros(y.shape))
    assert y.shape == indices.shape == (0, 3, 3, 2)
    assert x.grad.shape == x.shape


# ---- errors


@pytest.mark.parametrize(
    "words, arguments",
    [
        ("kernel is larger than the padded height", dict(kernel_size=(7, 2))),
        ("padding must be at most half", dict(kernel_size=2, padding=2)),
        ("stride must be at least 1", dict(kernel_size=2, stride=0)),
        ("kernel_size must be at least 1", dict(kernel_size=(0, 2))),
        ("dilation must be at least 1", dict(kernel_size=2, dilation=(1, 0))),
    ],
)
def test_bad_arguments_are_refused(words, arguments):
    with pytest.raises(ValueError, match=words):
        ops.max_pool2d(Tensor(np.ones((2, 3, 6, 5))), **arguments)


def test_bad_arrays_are_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 5\); max_pool2d needs"):
        ops.max_pool2d(Tensor(np.ones((6, 5))), 2)
    with pytest.raises(TypeError, match=r"x must be a Tensor of float32 .* int64"):
        ops.max_pool2d(Tensor(np.ones((2, 3, 6, 5), int)), 2)
    with pytest.raises(TypeError, match=r"max_pool2d takes Tensors, and x is ndarray"):
        ops.max_pool2d(np.ones((2, 3, 6, 5)), 2)
    with pytest.raises(ValueError, match=r"x has shape \(2, 0, 6, 5\); .* C, H and W"):
        ops.max_pool2d(Tensor(np.ones((2, 0, 6, 5))), 2)
