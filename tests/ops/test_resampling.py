"""crop and pad, the bilinear kernel, interleaving."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.laws import GradientError, check_gradients
from minifcn.ops.resampling import deinterleave_array, interleave_array
from tests.ops import cases

ends = st.tuples(cases.unequal(0, 4), cases.unequal(0, 4))


@cases.FEW
@given(cases.unequal(1, 6), ends, cases.dtypes, cases.layouts)
def test_pad_as_numpys(size, padding, dtype, layout):
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    (leaf,) = cases.tensors([x], dtype, layout)
    y = ops.pad(leaf, padding)
    cases.close(y.data, np.pad(x, ((0, 0), (0, 0), *padding)), dtype)


@cases.FEW
@given(cases.unequal(1, 6), ends, cases.dtypes, cases.layouts)
def test_crop_as_a_slice(size, margins, dtype, layout):
    (top, bottom), (left, right) = margins
    full = top + size[0] + bottom, left + size[1] + right
    x = np.random.default_rng(0).standard_normal((2, 3, *full))
    (leaf,) = cases.tensors([x], dtype, layout)
    y = ops.crop(leaf, (top, left), size)
    cases.close(y.data, x[..., top : top + size[0], left : left + size[1]], dtype)


@cases.FEW
@given(cases.unequal(1, 6), ends)
def test_crop_and_pad_are_adjoint(size, padding):
    """⟨pad(x), y⟩ = ⟨x, crop(y)⟩, and crop undoes pad."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, *size))
    padded = ops.pad(Tensor(x), padding).data
    y = cases.upstream(padded)
    offset = padding[0][0], padding[1][0]
    cropped = ops.crop(Tensor(y), offset, size).data
    assert cases.inner(padded, y) == pytest.approx(cases.inner(x, cropped), abs=1e-12)
    np.testing.assert_array_equal(ops.crop(Tensor(padded), offset, size).data, x)


def test_gradients(rng):
    x = rng.normal(size=(2, 3, 5, 4))
    check_gradients(lambda x: ops.pad(x, ((1, 2), (0, 3))), [x])
    check_gradients(lambda x: ops.crop(x, (2, 1), (3, 2)), [x])
    check_gradients(lambda x: ops.crop(x, 0, (5, 4)) * ops.pad(x, 0), [x])


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, 0), (1, 1)])
def test_wrong_adjoint_is_caught(rng, shift):
    def moved(x):
        y = ops.crop(x, (1, 1), (3, 2))
        if y.maker:
            top, left = y.maker.offset
            y.maker.offset = top + shift[0], left + shift[1]
        return y

    with pytest.raises(GradientError):
        check_gradients(moved, [rng.normal(size=(2, 3, 5, 4))])


@pytest.mark.parametrize(
    "error, words, call",
    [
        (
            ValueError,
            r"crop of 3×2 at offset \(2, 1\) does not fit into 4×5",
            lambda x: ops.crop(x, (2, 1), (3, 2)),
        ),
        (ValueError, "does not fit", lambda x: ops.crop(x, (0, 4), (1, 2))),
        (ValueError, "offset must be at least 0", lambda x: ops.crop(x, -1, 2)),
        (ValueError, "size must be at least 1", lambda x: ops.crop(x, 0, (0, 2))),
        (
            ValueError,
            "padding must be at least 0",
            lambda x: ops.pad(x, ((0, -1), (0, 0))),
        ),
        (TypeError, "padding must be an integer", lambda x: ops.pad(x, 0.5)),
        (ValueError, "two axes or more", lambda x: ops.pad(x.reshape(-1), 1)),
        (ValueError, "two axes or more", lambda x: ops.crop(x.reshape(-1), 0, 1)),
    ],
)
def test_bad_input_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call(Tensor(np.ones((4, 5))))


# ---- bilinear interpolation


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


# ---- interleaving


@cases.FEW
@given(cases.unequal(2, 9), cases.unequal(-3, 3), cases.unequal(1, 4))
def test_deinterleaving_gathers_grids_and_interleaving_is_its_adjoint(
    size, start, stride
):
    phases, out = (2, 1) if stride[0] > 1 else (1, stride[1]), (4, 3)
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    parts = deinterleave_array(x, start, phases, stride, out)
    assert parts.shape == (2, 3 * phases[0] * phases[1], *out)
    six = parts.reshape(2, 3, *phases, *out)
    for a, b, r, q in np.ndindex(*phases, *out):
        h, w = start[0] + a + r * stride[0], start[1] + b + q * stride[1]
        inside = 0 <= h < size[0] and 0 <= w < size[1]
        np.testing.assert_array_equal(
            six[:, :, a, b, r, q], x[:, :, h, w] if inside else 0
        )
    other = cases.upstream(parts)
    back = interleave_array(other, start, phases, stride, size)
    assert cases.inner(parts, other) == pytest.approx(cases.inner(x, back), abs=1e-11)
