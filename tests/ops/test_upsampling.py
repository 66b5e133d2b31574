"""The bilinear kernel and what is enlarged by it: by hand, bad input."""

import numpy as np
import pytest

from minifcn import Tensor, ops


def test_bilinear_kernels_by_hand():
    rows = {1: [1], 2: [0.5, 0.5], 3: [0.5, 1, 0.5]}
    rows[4] = [0.25, 0.75, 0.75, 0.25]
    for k, row in rows.items():
        np.testing.assert_allclose(ops.bilinear_kernel(k), np.outer(row, row))
    np.testing.assert_allclose(ops.bilinear_kernel((4, 3)), np.outer(rows[4], rows[3]))
    assert ops.bilinear_kernel(4, np.float32).dtype == np.float32


# ---- upsample


def test_upsample_by_hand():
    """Half-pixel centres: ¾ of the near pixel, ¼ of the far one; zeros beyond."""
    x = Tensor(np.array([4.0, 8]).reshape(1, 1, 1, 2))
    y = ops.upsample(x, (1, 2))
    np.testing.assert_array_equal(y.data, [[[[3, 0.75 * 4 + 0.25 * 8, 7, 6]]]])
    y = ops.upsample(x, (1, 3))
    expected = [4 * 2 / 3, 4, 4 + 4 / 3, 4 + 8 / 3, 8, 8 * 2 / 3]
    np.testing.assert_allclose(y.data[0, 0, 0], expected, rtol=1e-15)


def test_upsample_of_an_empty_batch():
    assert ops.upsample(Tensor(np.ones((0, 3, 4, 5))), (2, 3)).shape == (0, 3, 8, 15)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (
            TypeError,
            "upsample takes Tensors, and x is",
            lambda x: ops.upsample(x.data, 2),
        ),
        (TypeError, "factor must be an integer", lambda x: ops.upsample(x, 2.0)),
        (ValueError, "factor must be at least 1", lambda x: ops.upsample(x, (2, 0))),
        (
            ValueError,
            r"\(6, 4, 5\); upsample needs \(N, C, H, W\)",
            lambda x: ops.upsample(x.reshape(6, 4, 5), 2),
        ),
        (
            ValueError,
            r"\(2, 0, 4, 5\); upsample needs .* 1 or more",
            lambda x: ops.upsample(Tensor(np.ones((2, 0, 4, 5))), 2),
        ),
    ],
)
def test_bad_input_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call(Tensor(np.ones((2, 3, 4, 5))))
