"""The bilinear kernel and what is enlarged by it."""

import numpy as np
import pytest
from hypothesis import given

from minifcn import Tensor, ops
from minifcn.laws import check_gradients
from minifcn.ops import definitions
from tests.ops import cases


def test_bilinear_kernels_by_hand():
    rows = {1: [1], 2: [0.5, 0.5], 3: [0.5, 1, 0.5]}
    rows[4] = [0.25, 0.75, 0.75, 0.25]
    for k, row in rows.items():
        np.testing.assert_allclose(ops.bilinear_kernel(k), np.outer(row, row))
    np.testing.assert_allclose(ops.bilinear_kernel((4, 3)), np.outer(rows[4], rows[3]))
    assert ops.bilinear_kernel(4, np.float32).dtype == np.float32


@pytest.mark.parametrize("factor, k", [(2, 4), (8, 16), (16, 32), (32, 64), (32, 63)])
def test_bilinear_kernel_sums_to_the_square_of_its_factor(factor, k):
    """So that each output pixel is a mean of inputs: unit gain."""
    assert ops.bilinear_kernel(k).sum() == pytest.approx(factor**2)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_bilinear_enlargement_of_a_plane_is_the_plane(factor):
    """Half-pixel centres: output q lies at (q + ½)/f − ½ of the input."""
    k = 2 * factor - factor % 2
    H, W = 5, 4
    r, q = np.mgrid[:H, :W]
    x = (3.0 * r - 2 * q + 1)[None, None]
    kernel = ops.bilinear_kernel(k)[None, None]
    y = ops.conv_transpose2d(Tensor(x), Tensor(kernel), stride=factor).data[0, 0]
    # output pixel u sits at (u − (k − 1)/2) / f of the input: the map of the crop
    u, v = ((np.arange(n) - (k - 1) / 2) / factor for n in y.shape)
    plane = 3 * u[:, None] - 2 * v + 1
    inside = slice(k - factor, -(k - factor))
    np.testing.assert_allclose(y[inside, inside], plane[inside, inside], atol=1e-12)


@cases.FEW
@given(cases.unequal(1, 9), cases.dtypes)
def test_bilinear_kernel_equals_its_definition(kernel, dtype):
    expected = definitions.bilinear_kernel(kernel)
    cases.close(ops.bilinear_kernel(kernel, dtype), expected, dtype)


# ---- upsample


def test_upsample_by_hand():
    """Half-pixel centres: ¾ of the near pixel, ¼ of the far one; zeros beyond."""
    x = Tensor(np.array([4.0, 8]).reshape(1, 1, 1, 2))
    y = ops.upsample(x, (1, 2))
    np.testing.assert_array_equal(y.data, [[[[3, 0.75 * 4 + 0.25 * 8, 7, 6]]]])
    y = ops.upsample(x, (1, 3))
    expected = [4 * 2 / 3, 4, 4 + 4 / 3, 4 + 8 / 3, 8, 8 * 2 / 3]
    np.testing.assert_allclose(y.data[0, 0, 0], expected, rtol=1e-15)


@cases.FEW
@given(cases.unequal(1, 5), cases.unequal(1, 5), cases.dtypes, cases.layouts)
def test_upsample_equals_its_definition(size, factor, dtype, layout):
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    (leaf,) = cases.tensors([x], dtype, layout)
    y = ops.upsample(leaf, factor)
    cases.close(y.data, definitions.upsample(x, factor), dtype)
    gy = cases.upstream(y)
    y.backward(layout(gy.astype(dtype)))
    # The transpose: ⟨upsample(x), gy⟩ = ⟨x, gx⟩, for each unit image as for x.
    taken, given = cases.inner(y.data, gy), cases.inner(x, leaf.grad)
    norms = np.linalg.norm(y.data) * np.linalg.norm(gy) + 1
    assert abs(taken - given) < cases.TOLERANCE[dtype] * norms


@pytest.mark.parametrize("factor", [1, 2, (3, 2), (1, 4)])
def test_upsample_gradients(rng, factor):
    x = rng.normal(size=(2, 3, 4, 3))
    check_gradients(lambda x: ops.upsample(x, factor), [x])


def test_upsample_by_one_is_the_identity(rng):
    x = rng.normal(size=(2, 3, 5, 4))
    np.testing.assert_array_equal(ops.upsample(Tensor(x), 1).data, x)


@pytest.mark.parametrize("factor", [2, 3, 4, (2, 5)])
def test_a_ramp_stays_a_ramp_inside(factor):
    FH, FW = (factor, factor) if isinstance(factor, int) else factor
    r, q = np.mgrid[:5, :6]
    x = np.stack([3.0 * r - 2 * q + 1, np.ones((5, 6))])[None]
    y = ops.upsample(Tensor(x), factor).data[0]
    u, v = np.mgrid[: 5 * FH, : 6 * FW]
    ramp = 3 * ((u + 0.5) / FH - 0.5) - 2 * ((v + 0.5) / FW - 0.5) + 1
    inside = slice(FH // 2, 5 * FH - FH // 2), slice(FW // 2, 6 * FW - FW // 2)
    np.testing.assert_allclose(y[0][inside], ramp[inside], atol=1e-12)
    np.testing.assert_allclose(y[1][inside], 1, atol=1e-12)
    # Beyond the border lie zeros: it darkens.
    assert y[1][0, 0] < 1
    assert y[1][-1, -1] < 1


def test_channels_do_not_meet(rng):
    x = rng.normal(size=(2, 3, 4, 5))
    each = [ops.upsample(Tensor(x[:, c : c + 1]), 3).data for c in range(3)]
    cases.close(ops.upsample(Tensor(x), 3).data, np.concatenate(each, axis=1))


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
