"""crop and pad, interleaving, rarefying."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.laws import GradientError, check_gradients
from minifcn.ops import definitions
from minifcn.ops.resampling import deinterleave_array, interleave_array
from tests.ops import cases

ends = st.tuples(cases.unequal(0, 4), cases.unequal(0, 4))


values = st.sampled_from([0.0, -1.5, 7, -np.inf])


def test_pad_and_crop_by_hand():
    x = Tensor(np.array([[1.0, 2], [3, 4]]))
    y = ops.pad(x, ((1, 0), (0, 2)), value=9)
    np.testing.assert_array_equal(y.data, [[9] * 4, [1, 2, 9, 9], [3, 4, 9, 9]])
    np.testing.assert_array_equal(ops.crop(y, (1, 1), (2, 2)).data, [[2, 9], [4, 9]])


@cases.FEW
@given(cases.unequal(1, 6), ends, values, cases.dtypes, cases.layouts)
def test_pad_as_numpys(size, padding, value, dtype, layout):
    x = np.random.default_rng(0).standard_normal((2, 3, *size))
    (leaf,) = cases.tensors([x], dtype, layout)
    y = ops.pad(leaf, padding, value)
    expected = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)
    np.testing.assert_array_equal(y.data, expected.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_array_equal(definitions.pad(x, padding, value), expected)


@cases.FEW
@given(cases.unequal(1, 6), ends, cases.dtypes, cases.layouts)
def test_crop_as_a_slice(size, margins, dtype, layout):
    (top, bottom), (left, right) = margins
    full = top + size[0] + bottom, left + size[1] + right
    x = np.random.default_rng(0).standard_normal((2, 3, *full))
    (leaf,) = cases.tensors([x], dtype, layout)
    y = ops.crop(leaf, (top, left), size)
    cases.close(y.data, x[..., top : top + size[0], left : left + size[1]], dtype)
    cases.close(y.data, definitions.crop(x, (top, left), size), dtype)


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
    check_gradients(lambda x: ops.pad(x, ((1, 2), (0, 3)), value=-5.5), [x])
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
        (TypeError, "padding must be an integer", lambda x: ops.pad(x, 0.5)),
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


def test_interleave_by_hand():
    """Four maps of one pixel: the four corners of one map."""
    x = Tensor(np.array([1.0, 2, 3, 4]).reshape(1, 4, 1, 1))
    y = ops.interleave(x, 2)
    np.testing.assert_array_equal(y.data, [[[[1, 2], [3, 4]]]])
    np.testing.assert_array_equal(ops.deinterleave(y, 2).data, x.data)
    # with a factor of 1 × 2 they lie side by side, two by two
    beside = [[[[1, 2]], [[3, 4]]]]
    np.testing.assert_array_equal(ops.interleave(x, (1, 2)).data, beside)


factors = st.one_of(cases.unequal(1, 4), st.just((1, 1)))


@cases.FEW
@given(cases.unequal(1, 4), factors, cases.dtypes, cases.layouts)
def test_interleaving_equals_its_definition_and_undoes_itself(
    size, factor, dtype, layout
):
    x = np.random.default_rng(0).standard_normal((2, 3 * factor[0] * factor[1], *size))
    (maps,) = cases.tensors([x], dtype, layout)
    y = ops.interleave(maps, factor)
    cases.close(y.data, definitions.interleave(x, factor), dtype)
    (dense,) = cases.tensors([y.data], dtype, layout)
    back = ops.deinterleave(dense, factor)
    cases.close(back.data, definitions.deinterleave(y.data, factor), dtype)
    np.testing.assert_array_equal(back.data, maps.data)


@cases.FEW
@given(cases.unequal(1, 4), factors)
def test_the_gradient_of_one_is_the_other(size, factor):
    x = np.random.default_rng(0).standard_normal((2, 3 * factor[0] * factor[1], *size))
    (maps,) = cases.tensors([x])
    y = ops.interleave(maps, factor)
    gy = cases.upstream(y)
    y.backward(gy)
    np.testing.assert_array_equal(maps.grad, definitions.deinterleave(gy, factor))
    (dense,) = cases.tensors([gy])
    ops.deinterleave(dense, factor).backward(x)
    np.testing.assert_array_equal(dense.grad, definitions.interleave(x, factor))


def test_interleaving_gradients(rng):
    x = rng.normal(size=(2, 12, 3, 2))
    check_gradients(lambda x: ops.interleave(x, (2, 3)), [x])
    check_gradients(lambda x: ops.deinterleave(x, (3, 2)), [x])
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


@cases.FEW
@given(cases.unequal(1, 4), factors, cases.dtypes, cases.layouts)
def test_rarefy_equals_its_definition(kernel, factor, dtype, layout):
    w = np.random.default_rng(0).standard_normal((2, 3, *kernel))
    (leaf,) = cases.tensors([w], dtype, layout)
    y = ops.rarefy(leaf, factor)
    cases.close(y.data, definitions.rarefy(w, factor), dtype)
    gy = cases.upstream(y)
    y.backward(layout(gy.astype(dtype)))
    cases.close(leaf.grad, gy[..., :: factor[0], :: factor[1]], dtype)


@cases.FEW
@given(cases.unequal(1, 3), factors)
def test_a_rarefied_convolution_is_a_dilated_one(kernel, factor):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 9, 11)), rng.standard_normal((4, 3, *kernel))
    dilated = ops.conv2d(Tensor(x), Tensor(w), dilation=factor)
    rarefied = ops.conv2d(Tensor(x), ops.rarefy(Tensor(w), factor))
    cases.close(rarefied.data, dilated.data)


def test_rarefy_gradients(rng):
    w = rng.normal(size=(2, 3, 2, 4))
    check_gradients(lambda w: ops.rarefy(w, (2, 3)), [w])
    check_gradients(lambda w: ops.rarefy(w, 1), [w])


@pytest.mark.parametrize("shape", [(4,), (2, 3, 0, 2), (2, 0, 3, 3)])
def test_weight_without_taps_is_refused(shape):
    with pytest.raises(ValueError, match=r"weight has shape .*; rarefy needs two axes"):
        ops.rarefy(Tensor(np.ones(shape)), 2)
    with pytest.raises(ValueError, match="factor must be at least 1"):
        ops.rarefy(Tensor(np.ones((2, 3))), 0)
