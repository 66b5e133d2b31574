"""Sums on every device: none left out, and the same digits in any order of threads."""

import numpy as np
import pytest

from minifcn.arrays import DEVICES, check_device, to_device, to_numpy
from minifcn.cuda import host, launch
from minifcn.ops.summing import EACH, MOST_SHARES, THREADS, channel_sums, total

BLOCK = THREADS * EACH  # numbers
# None, one; around a block, and more than the blocks take in one go.
COUNTS = (0, 1, THREADS + 1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * MOST_SHARES + 1)


@pytest.fixture(params=DEVICES)
def device(request):
    try:
        check_device(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    return request.param


@pytest.mark.parametrize("count", COUNTS)
def test_it_is_the_sum_of_all(device, count):
    x = np.arange(count, dtype=np.float32) % 17 - 5  # every sum of these is exact
    y = total(to_device(x, device))
    assert (y.shape, y.dtype) == ((), np.float64)
    assert to_numpy(y) == x.sum(dtype=np.float64)


def test_floats_are_added_in_float64(device):
    x = np.zeros(3 * THREADS, np.float32)  # a thread has one of each row of these
    x.reshape(3, THREADS)[:, 7] = [1e8, 1.0, -1e8]  # in float32 1e8 + 1 is 1e8
    assert to_numpy(total(to_device(x, device))) == 1
    x = np.array([1e8, 1.0, -1e8], np.float32)  # three threads
    assert to_numpy(total(to_device(x, device))) == 1


def test_any_layout_has_the_same_sum(device):
    x = to_device(np.arange(24.0).reshape(2, 3, 4), device)
    assert to_numpy(total(x.transpose(2, 0, 1)[::2])) == 12 * 10 + 12  # w = 0 and 2


# No image, no channel, no pixel; several shares of a channel; the images do not meet.
@pytest.mark.parametrize(
    "shape",
    [
        (0, 3, 2, 5),
        (2, 0, 4),
        (2, 3, 0, 4),
        (5, 3),
        (3, 2, 7, 11),
        (2, 3, BLOCK + 5, 2),
        (1, 300, 2, 3),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_channels_are_added_up_apart(device, shape, dtype):
    x = np.random.default_rng(0).integers(-9, 10, shape).astype(dtype)
    y = channel_sums(to_device(x, device))
    assert (y.shape, y.dtype) == (shape[1:2], dtype)
    np.testing.assert_array_equal(to_numpy(y), x.sum(axis=(0, *range(2, x.ndim))))


def test_fewer_blocks_than_shares(device, monkeypatch):
    """A block then adds up one share after the other, in the same shared memory."""
    monkeypatch.setattr(launch, "MOST_BLOCKS", 2)
    x = np.arange(7 * 300.0).reshape(1, 7, 300)
    y = channel_sums(to_device(x, device))
    np.testing.assert_array_equal(to_numpy(y), x.sum(axis=(0, 2)))


def test_digits_do_not_depend_on_the_order_of_threads(device, monkeypatch):
    x = np.random.default_rng(0).normal(size=3 * BLOCK + 100)
    found = set()
    for seed in range(4):
        monkeypatch.setattr(host, "_seed", seed)
        found.add(float(to_numpy(total(to_device(x, device)))))
    assert len(found) == 1
    assert found.pop() == pytest.approx(x.sum(), rel=1e-12)
