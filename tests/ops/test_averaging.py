"""Average pooling: by hand, divisors, in parts, bad input."""

from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, arrays, ops
from minifcn.ops import definitions, pooling
from tests.ops import common

X = np.array([[[[4.0, -8, 12], [2, 6, -20]]]])


@pytest.mark.parametrize(
    "expected, arguments",
    [
        ([[1]], dict(kernel_size=2)),  # (4 − 8 + 2 + 6) / 4
        ([[1, -4]], dict(kernel_size=2, ceil_mode=True)),  # (12 − 20) / 2
        # Rows −1, 0 and 1, 2; columns −1, 0 and 1, 2: one or two pixels each.
        ([[1, 1], [0.5, -3.5]], dict(kernel_size=2, padding=1)),
        ([[4, 2], [2, -7]], dict(kernel_size=2, padding=1, count_include_pad=False)),
        # (4 + 2) / −2, (12 − 20) / −2
        ([[-3, 4]], dict(kernel_size=(2, 1), stride=(1, 2), divisor_override=-2)),
        # (4 + 12) / 2, (2 − 20) / 2
        ([[8], [-9]], dict(kernel_size=(1, 2), stride=1, dilation=2)),
    ],
)
def test_averages_by_hand(expected, arguments):
    y = ops.avg_pool2d(Tensor(X), **arguments)
    np.testing.assert_array_equal(y.data, [[expected]])
    np.testing.assert_array_equal(definitions.avg_pool2d(X, **arguments), [[expected]])


def test_what_hangs_over_the_padding_does_not_count():
    x = Tensor(np.full((1, 1, 1, 4), 6.0))
    a = dict(kernel_size=(1, 4), stride=(1, 3), padding=(0, 1), ceil_mode=True)
    # Columns −1 … 2, and 2 … 5, of which 5 lies beyond the padding: 18 / 4, 12 / 3.
    np.testing.assert_array_equal(ops.avg_pool2d(x, **a).data, [[[[4.5, 4]]]])
    y = ops.avg_pool2d(x, **a, count_include_pad=False)
    np.testing.assert_array_equal(y.data, [[[[6, 6]]]])


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_a_window_that_sees_nothing_gives_zero(count_include_pad):
    x = Tensor(np.ones((1, 1, 1, 1)), requires_grad=True)
    a = dict(kernel_size=2, stride=1, padding=1, dilation=2)  # taps at −1 and 1
    a["count_include_pad"] = count_include_pad
    with np.errstate(all="raise"):
        y = ops.avg_pool2d(x, **a)
        y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(y.data, [[[[0]]]])
    np.testing.assert_array_equal(definitions.avg_pool2d(x.data, **a), [[[[0]]]])
    np.testing.assert_array_equal(x.grad, [[[[0]]]])


@pytest.mark.parametrize("pool", [ops.avg_pool2d, ops.max_pool2d])
def test_a_large_window_takes_no_memory_of_its_own(pool):
    x = Tensor(np.arange(20000.0).reshape(1, 1, 1, -1), requires_grad=True)
    y, peak = common.peak_of(lambda: pool(x, (1, 300), 1))
    assert y.shape == (1, 1, 1, 19701)
    assert peak < 10 * x.data.nbytes  # taps × windows would be 300 times as much


@pytest.mark.parametrize("pool", [ops.avg_pool2d, ops.max_pool2d])
def test_taps_that_lie_in_the_padding_for_all_windows_cost_nothing(pool):
    x = Tensor(np.arange(16.0).reshape(1, 1, 4, 4), requires_grad=True)
    windows = pooling.Windows(2000, 1, 1000, 1, False)
    # The windows begin at −1000 … −996: taps 996 … 1003 read rows 0 … 3.
    assert windows.starts(0, 4, 5) == list(range(-4, 4))
    y = pool(x, 2000, 1, 1000)  # each window sees all pixels
    expected = 15 if pool is ops.max_pool2d else 120 / 2000**2
    np.testing.assert_allclose(y.data, np.full((1, 1, 5, 5), expected))
    y.backward(np.ones(y.shape))
    assert x.grad.sum() == pytest.approx(25 if expected == 15 else 25 * 16 / 2000**2)


@pytest.mark.parametrize("threads", [1, 3])
def test_laws_hold_cut_into_parts(threads):
    arrays.set_threads(threads)
    try:
        with mock.patch.object(pooling, "PART", 100):
            common.hold("avg_pool2d")
    finally:
        arrays.set_threads(0)


def test_an_empty_batch_gives_an_empty_result():
    x = Tensor(np.zeros((0, 3, 6, 5), np.float32), requires_grad=True)
    y = ops.avg_pool2d(x, 2)
    y.backward(np.zeros(y.shape))
    assert y.shape == (0, 3, 3, 2)
    assert x.grad.shape == x.shape


# ---- errors


@pytest.mark.parametrize(
    "error, words, arguments",
    [
        (ValueError, "kernel is larger than the padded width", dict(kernel_size=6)),
        (ValueError, "padding must be at most half", dict(kernel_size=2, padding=2)),
        (ValueError, "stride must be at least 1", dict(kernel_size=2, stride=0)),
        (ValueError, "dilation must be at least 1", dict(kernel_size=2, dilation=0)),
        (ValueError, "divisor_override is 0", dict(kernel_size=2, divisor_override=0)),
        (
            TypeError,
            "divisor_override must be an integer, not 2.0",
            dict(kernel_size=2, divisor_override=2.0),
        ),
    ],
)
def test_bad_arguments_are_refused(error, words, arguments):
    with pytest.raises(error, match=words):
        ops.avg_pool2d(Tensor(np.ones((2, 3, 6, 5))), **arguments)


def test_bad_arrays_are_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 5\); avg_pool2d needs"):
        ops.avg_pool2d(Tensor(np.ones((6, 5))), 2)
    with pytest.raises(TypeError, match=r"avg_pool2d takes Tensors, and x is ndarray"):
        ops.avg_pool2d(np.ones((2, 3, 6, 5)), 2)
    with pytest.raises(TypeError, match=r"x must be a Tensor of float32 .* int64"):
        ops.avg_pool2d(Tensor(np.ones((2, 3, 6, 5), int)), 2)
