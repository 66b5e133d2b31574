"""crop and pad, interleaving, rarefying: by hand, what moves nothing, bad input."""

import numpy as np
import pytest
from hypothesis import given

from minifcn import Tensor, ops
from minifcn.laws import check_gradients
from minifcn.laws.cases import unequal
from minifcn.ops.resampling import deinterleave_array, interleave_array
from tests.ops import common


def test_pad_and_crop_by_hand():
    x = Tensor(np.array([[1.0, 2], [3, 4]]))
    y = ops.pad(x, ((1, 0), (0, 2)), value=9)
    np.testing.assert_array_equal(y.data, [[9] * 4, [1, 2, 9, 9], [3, 4, 9, 9]])
    np.testing.assert_array_equal(ops.crop(y, (1, 1), (2, 2)).data, [[2, 9], [4, 9]])


@pytest.mark.parametrize("dtype", common.TOLERANCE)
@pytest.mark.parametrize("value", [-1.5, 7, -np.inf])
def test_any_number_may_be_the_value(dtype, value):
    (x,) = common.tensors([[[1.0, 2]]], dtype)
    y = ops.pad(x, ((1, 0), (0, 1)), value)
    np.testing.assert_array_equal(y.data, [[value] * 3, [1, 2, value]])
    assert y.dtype == dtype


def test_gradients_of_what_moves_nothing(rng):
    x = rng.normal(size=(2, 3, 5, 4))
    check_gradients(lambda x: ops.crop(x, 0, (5, 4)) * ops.pad(x, 0), [x])


def empty():
    return Tensor(np.ones((2, 0, 3)))


def whole():
    return Tensor(np.ones((2, 4, 3), int))


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
        (TypeError, "padding must be p, ", lambda x: ops.pad(x, 0.5)),
        (ValueError, "two axes or more", lambda x: ops.pad(x.reshape(-1), 1)),
        (ValueError, "two axes or more", lambda x: ops.crop(x.reshape(-1), 0, 1)),
        (ValueError, r"shape \(2, 0, 3\); pad needs", lambda x: ops.pad(empty(), 1)),
        (TypeError, "value is None; pad needs", lambda x: ops.pad(x, 1, None)),
        (TypeError, "value is '0'; pad needs", lambda x: ops.pad(x, 1, "0")),
        (TypeError, "pad takes Tensors, and x is", lambda x: ops.pad(x.data, 1)),
        (TypeError, "crop takes Tensors, and x is", lambda x: ops.crop(x.data, 0, 1)),
        (TypeError, "x must be a Tensor of", lambda x: ops.pad(whole(), 1)),
    ],
)
def test_bad_input_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call(Tensor(np.ones((4, 5))))


# ---- interleaving


@common.FEW
@given(unequal(2, 9), unequal(-3, 3), unequal(1, 4))
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
    other = common.upstream(parts)
    back = interleave_array(other, start, phases, stride, size)
    assert np.vdot(parts, other) == pytest.approx(np.vdot(x, back), abs=1e-11)


def test_interleave_by_hand():
    """Four maps of one pixel: the four corners of one map."""
    x = Tensor(np.array([1.0, 2, 3, 4]).reshape(1, 4, 1, 1))
    y = ops.interleave(x, 2)
    np.testing.assert_array_equal(y.data, [[[[1, 2], [3, 4]]]])
    np.testing.assert_array_equal(ops.deinterleave(y, 2).data, x.data)
    # with a factor of 1 × 2 they lie side by side, two by two
    beside = [[[[1, 2]], [[3, 4]]]]
    np.testing.assert_array_equal(ops.interleave(x, (1, 2)).data, beside)


def test_gradients_of_what_is_not_interleaved(rng):
    x = rng.normal(size=(2, 12, 3, 2))
    check_gradients(lambda x: ops.interleave(x, 1) * ops.deinterleave(x, 1), [x])


def test_interleaving_empty_batches():
    y = ops.interleave(Tensor(np.ones((0, 6, 3, 4))), (2, 3))
    assert y.shape == (0, 1, 6, 12)
    assert ops.deinterleave(y, (2, 3)).shape == (0, 6, 3, 4)


@pytest.mark.parametrize("operator", [ops.interleave, ops.deinterleave])
def test_map_that_is_not_moved_may_not_be_written_over(operator):
    x = Tensor(np.ones((1, 2, 3, 4)), requires_grad=True)
    with pytest.raises(ValueError, match="cannot overwrite"):
        ops.relu(operator(x, 1), inplace=True)


@pytest.mark.parametrize(
    "words, call",
    [
        (
            r"x has 4 channels; interleave by factor \(2, 3\) needs a multiple of 6 "
            r"\(x has shape \(2, 4, 5, 6\)\)",
            lambda x: ops.interleave(x, (2, 3)),
        ),
        (
            r"x has 5×6 pixels; deinterleave by factor \(2, 3\) needs multiples of 2 "
            r"and 3 \(x has shape \(2, 4, 5, 6\)\)",
            lambda x: ops.deinterleave(x, (2, 3)),
        ),
        ("needs multiples of 5 and 4", lambda x: ops.deinterleave(x, (5, 4))),
        ("factor must be at least 1", lambda x: ops.interleave(x, 0)),
        ("factor must be at least 1", lambda x: ops.deinterleave(x, (1, -1))),
        ("needs .N, C, H, W.", lambda x: ops.interleave(x.reshape(8, 5, 6), 2)),
        ("needs .N, C, H, W.", lambda x: ops.deinterleave(x.reshape(8, 5, 6), 1)),
    ],
)
def test_maps_that_do_not_fit_are_refused(words, call):
    with pytest.raises(ValueError, match=words):
        call(Tensor(np.ones((2, 4, 5, 6))))


@pytest.mark.parametrize("operator", [ops.interleave, ops.deinterleave, ops.rarefy])
def test_what_is_no_tensor_of_floats_is_refused(operator):
    with pytest.raises(TypeError, match=f"{operator.__name__} takes Tensors"):
        operator(np.ones((2, 4, 6, 6)), 2)
    with pytest.raises(TypeError, match="must be a Tensor of float32 or float64"):
        operator(Tensor(np.ones((2, 4, 6, 6), int)), 2)
    with pytest.raises(TypeError, match="factor must be an integer"):
        operator(Tensor(np.ones((2, 4, 6, 6))), 2.0)


# ---- rarefying


def test_rarefy_by_hand():
    w = Tensor(np.array([[1.0, 2], [3, 4]]))
    expected = [[1, 0, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]]
    np.testing.assert_array_equal(ops.rarefy(w, (2, 3)).data, expected)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 0, 2), (2, 0, 3, 3)])
def test_weight_without_taps_is_refused(shape):
    with pytest.raises(ValueError, match=r"weight has shape .*; rarefy needs two axes"):
        ops.rarefy(Tensor(np.ones(shape)), 2)
    with pytest.raises(ValueError, match="factor must be at least 1"):
        ops.rarefy(Tensor(np.ones((2, 3))), 0)
