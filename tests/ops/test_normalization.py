"""Local response normalization: by hand, in bands, its digits, bad input."""

from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.ops import definitions, normalization
from tests.ops import common


def by_hand(size):
    """Channels 1, 2, 3, 4 with α = size, β = 1, k = 1: x_c / (1 + Σ of squares)."""
    x = np.arange(1.0, 5).reshape(1, 4, 1, 1)
    arguments = dict(size=size, alpha=size, beta=1.0, k=1.0)
    told = definitions.local_response_norm(x, **arguments)
    y = ops.local_response_norm(Tensor(x), **arguments)
    np.testing.assert_allclose(y.data, told, rtol=1e-15)
    return told.ravel()


def test_windows_by_hand():
    np.testing.assert_allclose(by_hand(1), [1 / 2, 2 / 5, 3 / 10, 4 / 17])
    np.testing.assert_allclose(by_hand(3), [1 / 6, 2 / 15, 3 / 30, 4 / 26])
    # Even: one more channel before than after.
    np.testing.assert_allclose(by_hand(2), [1 / 2, 2 / 6, 3 / 14, 4 / 26])
    np.testing.assert_allclose(by_hand(4), [1 / 6, 2 / 15, 3 / 31, 4 / 30])
    np.testing.assert_allclose(by_hand(99), np.arange(1, 5) / 31)


def test_alexnet_by_hand():
    """Caffe divides α by the size: 1 + 1e-4 / 5 · (100² + 300²) = 3."""
    x = Tensor(np.array([100.0, 300]).reshape(1, 2, 1, 1))
    y = ops.local_response_norm(x, 5)
    np.testing.assert_allclose(y.data.ravel(), [100 / 3**0.75, 300 / 3**0.75])
    # The paper: 2 + 1e-4 · (100² + 300²) = 12.
    y = ops.local_response_norm(x, 5, alpha=5e-4, k=2)
    np.testing.assert_allclose(y.data.ravel(), [100 / 12**0.75, 300 / 12**0.75])


@pytest.mark.parametrize("piece", [1, 60])
def test_laws_hold_cut_into_bands(piece):
    """Of one row each, or of some."""
    with mock.patch.object(normalization, "PIECE", piece):
        common.hold("local_response_norm")


def test_small_channels_beside_a_large_one_keep_their_digits():
    """Differences of a running sum would lose the 1 behind 1e6² in float32."""
    x = np.array([1e6, 1, 1, 1], np.float32).reshape(1, 4, 1, 1)
    y = ops.local_response_norm(Tensor(x), 3, alpha=3.0, beta=1.0, k=0.0)
    np.testing.assert_allclose(y.data.ravel()[2:], [1 / 3, 1 / 2], rtol=1e-6)


def test_no_image_gives_none():
    x = Tensor(np.zeros((0, 3, 4, 5), np.float32), requires_grad=True)
    y = ops.local_response_norm(x, 3)
    y.backward(np.zeros(x.shape))
    assert y.shape == x.grad.shape == x.shape
    assert y.dtype == np.float32


# ---- errors


@pytest.mark.parametrize(
    "error, words, arguments",
    [
        (ValueError, r"shape \(3, 4, 5\); local_response_norm", dict(x=(3, 4, 5))),
        (ValueError, r"\(2, 0, 4, 5\); .* 1 or more", dict(x=(2, 0, 4, 5))),
        (ValueError, "size must be at least 1, not 0", dict(size=0)),
        (TypeError, "size must be an integer, not 5.0", dict(size=5.0)),
        (TypeError, "alpha must be a number, not '1'", dict(alpha="1")),
        (TypeError, "k must be a number, not True", dict(k=True)),
        (ValueError, "alpha is -0.1; .* finite number, 0 or more", dict(alpha=-0.1)),
        (ValueError, "k is -1; .* finite number, 0 or more", dict(k=-1)),
        (ValueError, "beta is nan; it must be a finite number", dict(beta=np.nan)),
        (ValueError, "alpha is inf; .* finite", dict(alpha=np.inf)),
        (ValueError, "alpha is 10{400}; it must be a finite", dict(alpha=10**400)),
    ],
)
def test_bad_input_is_refused(error, words, arguments):
    arguments = {"x": (2, 3, 4, 5), "size": 5} | arguments
    x = Tensor(np.ones(arguments.pop("x")))
    with pytest.raises(error, match=words):
        ops.local_response_norm(x, **arguments)


def test_only_tensors_of_floats_are_taken():
    x = np.ones((2, 3, 4, 5))
    with pytest.raises(TypeError, match="local_response_norm takes Tensors, and x is"):
        ops.local_response_norm(x, 5)
    with pytest.raises(TypeError, match="x must be a Tensor of float32 or float64"):
        ops.local_response_norm(Tensor(x.astype(int)), 5)
