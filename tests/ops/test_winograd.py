"""Winograd's convolution: its matrices, its rounding, its bands, all the laws."""

from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, arrays, ops
from minifcn.laws import LawError
from minifcn.ops import winograd
from tests.ops import common


def test_matrices_are_the_published_ones():
    """Of F(4, 3) in Lavin and Gray 2016, section 4, but for signs that cancel."""
    a, b, g = winograd.matrices()
    np.testing.assert_array_equal(
        a.T,
        [
            [1, 1, 1, 1, 1, 0],
            [0, 1, -1, 2, -2, 0],
            [0, 1, 1, 4, 4, 0],
            [0, 1, -1, 8, -8, 1],
        ],
    )
    np.testing.assert_array_equal(b[0], [4, 0, -5, 0, 1, 0])
    np.testing.assert_array_equal(abs(b[1]), [0, 4, 4, 1, 1, 0])
    np.testing.assert_array_equal(b[5], [0, 4, 0, -5, 0, 1])
    np.testing.assert_allclose(24 * abs(g[3]), [1, 2, 4])
    np.testing.assert_array_equal(g[5], [0, 0, 1])


def test_four_outputs_of_three_taps(rng):
    a, b, g = winograd.matrices()
    taps, pixels = rng.normal(size=3), rng.normal(size=6)
    common.close(a.T @ ((g @ taps) * (b @ pixels)), np.correlate(pixels, taps))


# Tiles that are a band each, rows of them, all; transforms of one channel or of all.
SIZES = [
    {"BAND_BYTES": 1, "LEAST_TILES": 1, "BLOCK": 1},
    {"BAND_BYTES": 1, "LEAST_TILES": 3, "PARTIAL_SIZE": 0},
    {"LEAST_TASKS": 1},
    {"PARTIAL_SIZE": 0},
]


@pytest.fixture(params=SIZES, ids=str)
def sizes(request):
    with mock.patch.multiple(winograd, **request.param):
        yield


@pytest.mark.parametrize("subject", ["conv2d", "conv2d_relu", "conv_transpose2d"])
def test_all_laws_hold(sizes, subject):
    with common.using("winograd"):
        common.hold(subject)


@pytest.mark.parametrize("name", ["A", "B", "G"])
def test_a_wrong_number_in_a_matrix_is_caught(name):
    wrong = getattr(winograd, name).copy()
    wrong[3, 2] *= 1.001
    faulty = mock.patch.object(winograd, name, wrong)
    with faulty, common.using("winograd"), pytest.raises(LawError, match="breaks"):
        common.hold("conv2d")


def test_tiles_beyond_the_output_are_left_out():
    """Of 5 × 7 outputs: two rows of two tiles, the lower of one row, and one more."""
    assert winograd._bands(2, 5, 7, 3) == [slice(0, 4), slice(4, 5)]
    assert winograd._tiles(slice(4, 5), 7) == (1, 3)


def gradients_and_value(x, w, gy, algorithm):
    x, w = Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)
    y = ops.conv2d(x, w, padding=1, algorithm=algorithm)
    y.backward(gy)
    return y.data, x.grad, w.grad


@pytest.mark.parametrize("channels", [(16, 40), (300, 64)])
def test_single_precision_is_near_enough(rng, channels):
    """5e-5 of the largest number, beside the same in float64 by another way."""
    C, O = channels
    shapes = (2, C, 37, 22), (O, C, 3, 3), (2, O, 37, 22)
    numbers = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    exact = gradients_and_value(*(a.astype(np.float64) for a in numbers), "bands")
    ours = gradients_and_value(*numbers, "winograd")
    for one, other in zip(ours, exact):
        assert one.dtype == np.float32
        assert 0 < abs(one - other).max() <= 5e-5 * abs(other).max()


def test_work_memory_does_not_grow_with_the_image(rng):
    """All tiles at all points would be 36 / 16 of both images, 27 MB for the larger."""
    w = Tensor(rng.normal(size=(24, 24, 3, 3)).astype(np.float32))
    peaks = []
    for height in (130, 260):
        x = Tensor(rng.normal(size=(1, 24, height, 240)).astype(np.float32))
        arrays._local.__dict__.clear()
        with mock.patch.object(arrays, "_threads", 1):
            y, peak = common.peak_of(
                lambda x=x: ops.conv2d(x, w, padding=1, algorithm="winograd")
            )
        peaks.append(peak - y.data.nbytes)
    assert abs(peaks[1] - peaks[0]) < 0.2 * peaks[0]  # of the image: 8.4 MB
    assert peaks[1] < 3 * winograd.BAND_BYTES


def test_what_is_no_number_stays_in_its_channel(rng):
    """The last tile of a channel's rows has no neighbour in the next channel."""
    for at in np.ndindex(3, 3, 5):
        x = rng.normal(size=(1, 3, 3, 5)).astype(np.float32)
        x[0, at[0], at[1], at[2]] = np.nan
        inputs = x, rng.normal(size=(2, 3, 3, 3)).astype(np.float32)
        gy = rng.normal(size=(1, 2, 3, 5)).astype(np.float32)
        _, _, gw = gradients_and_value(*inputs, gy, "winograd")
        finite = np.isfinite(gw).all(axis=(0, 2, 3))
        np.testing.assert_array_equal(finite, np.arange(3) != at[0])
