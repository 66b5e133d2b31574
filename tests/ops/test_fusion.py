"""Sums, maxima, scales and concatenations: by hand, one stream twice, bad input."""

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.laws import check_gradients
from minifcn.ops import definitions
from tests.ops import common


def test_add_and_scale_by_hand():
    x, y, f = common.tensors([[[[[1, 2]], [[3, 4]]]], [[[[8, 0]], [[0, 5]]]], [2, -1]])
    np.testing.assert_array_equal(ops.add(x, y).data, [[[[9, 2]], [[3, 9]]]])
    for factors in (f, f.data, [2, -1], (2.0, -1.0)):
        scaled = ops.scale(x, factors)
        np.testing.assert_array_equal(scaled.data, [[[[2, 4]], [[-3, -4]]]])


@pytest.mark.parametrize("factors", [0.1, 3, np.float64(0.1), [0.1, 3]])
def test_plain_factors_keep_the_type(factors):
    x = Tensor(np.ones((2, 2, 5, 4), np.float32), requires_grad=True)
    y = ops.scale(x, factors)
    y.backward(np.ones(y.shape, np.float32))
    assert y.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize("operator", [ops.add, ops.maximum])
def test_fusing_does_not_broadcast(operator):
    x, z = Tensor(np.ones((2, 3, 5, 4))), Tensor(np.ones((2, 3, 1, 1)))
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 4\) and y \(2, 3, 1, 1\)"):
        operator(x, z)


@pytest.mark.parametrize("operator", [ops.add, ops.maximum])
@pytest.mark.parametrize(
    "y, words",
    [
        (np.ones((2, 3)), r"takes Tensors, and y is ndarray of shape \(2, 3\)"),
        (
            Tensor(np.ones((2, 3), np.float32)),
            r"x \(.*\) is float64 and y \(.*\) is float32",
        ),
        (Tensor(np.ones((2, 3), int)), "y must be a Tensor of float32 or float64"),
    ],
)
def test_other_types_are_refused(operator, y, words):
    with pytest.raises(TypeError, match=words):
        operator(Tensor(np.ones((2, 3))), y)


@pytest.mark.parametrize("shape", [(4,), (1,), (2, 3), (3, 1, 1)])
def test_factors_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"factors have shape .* one for each channel"):
        ops.scale(Tensor(np.ones((2, 3, 5, 4))), np.ones(shape))
    with pytest.raises(ValueError, match="factors have shape"):
        ops.scale(Tensor(np.ones((5, 4))), np.ones(4))


def test_factors_that_are_no_array_are_refused_in_our_words():
    x = Tensor(np.ones((2, 3, 5, 4)))
    with pytest.raises(ValueError, match=r"factors is \[\[1\], \[2, 3\]\]; .* \(2, 3,"):
        ops.scale(x, [[1], [2, 3]])


@pytest.mark.parametrize("a, b", [(np.nan, 1), (1, np.nan), (np.nan, np.nan)])
def test_the_maximum_with_what_is_no_number_is_none(a, b):
    x, y = np.array([float(a)]), np.array([float(b)])
    np.testing.assert_array_equal(definitions.maximum(x, y), [np.nan])
    np.testing.assert_array_equal(ops.maximum(Tensor(x), Tensor(y)).data, [np.nan])


@pytest.mark.parametrize(
    "x, factors, words",
    [
        (np.ones((2, 3, 5, 4)), 2.0, "scale takes Tensors, and x is ndarray"),
        (Tensor(np.ones((2, 3, 5, 4))), None, "factors is None; scale needs numbers"),
        (Tensor(np.ones((2, 3, 5, 4))), "ab", "factors is 'ab'; scale needs numbers"),
        (Tensor(np.ones((2, 3, 5, 4))), 1j, "scale needs numbers"),
        (
            Tensor(np.ones((2, 3, 5, 4))),
            Tensor(np.ones(3, np.float32)),
            r"x .* is float64 and factors .* is float32",
        ),
    ],
)
def test_factors_that_are_no_numbers_are_refused(x, factors, words):
    with pytest.raises(TypeError, match=words):
        ops.scale(x, factors)


# ---- maximum


def test_maximum_by_hand_and_its_gradient_switching():
    """The gradient goes to the larger; half to each where they are equal."""
    x = Tensor(np.array([1.0, 5, 2, -0.0]), requires_grad=True)
    y = Tensor(np.array([3.0, 4, 2, 0.0]), requires_grad=True)
    z = ops.maximum(x, y)
    np.testing.assert_array_equal(z.data, [3, 5, 2, 0])
    z.backward(np.array([10.0, 20, 30, 40]))
    np.testing.assert_array_equal(x.grad, [0, 20, 15, 20])
    np.testing.assert_array_equal(y.grad, [10, 0, 15, 20])


def test_maximum_of_one_stream_twice(rng):
    check_gradients(lambda x: ops.maximum(x, x), [rng.normal(size=(2, 3, 5))])


# ---- concat


def test_concat_by_hand():
    x, y = Tensor(np.array([[1.0, 2]])), Tensor(np.array([[3.0]]))
    np.testing.assert_array_equal(ops.concat([x, y]).data, [[1, 2, 3]])
    np.testing.assert_array_equal(ops.concat((y, x), dim=-1).data, [[3, 1, 2]])


def test_concat_of_one_stream_twice(rng):
    x, y = rng.normal(size=(2, 1, 3, 4)), rng.normal(size=(2, 3, 3, 4))
    check_gradients(lambda x, y: ops.concat([x, y, x]), [x, y])


def test_concat_of_empty_batches():
    x, y = Tensor(np.ones((0, 2, 5, 4))), Tensor(np.ones((0, 1, 5, 4)))
    assert ops.concat([x, y]).shape == (0, 3, 5, 4)
    assert ops.concat([x, Tensor(np.ones((3, 2, 5, 4)))], dim=0).shape == (3, 2, 5, 4)


def ones(*shape, dtype=float):
    return Tensor(np.ones(shape, dtype))


@pytest.mark.parametrize(
    "error, words, tensors, dim",
    [
        (TypeError, "tensors is Tensor; .* a list or tuple", ones(2, 3), 0),
        (TypeError, r"tensors\[1\] is None", [ones(2, 3), None], 0),
        (TypeError, r"tensors\[1\] is ndarray", [ones(2, 3), np.ones((2, 3))], 1),
        (TypeError, "all of one type", [ones(2, 3), ones(2, 3, dtype="f")], 1),
        (TypeError, r"tensors\[0\] must be a Tensor of", [ones(2, 3, dtype=int)], 1),
        (TypeError, "dim must be an integer", [ones(2, 3)], 1.0),
        (ValueError, "tensors is empty", [], 1),
        (ValueError, r"dim is 2, .* \[\(2, 3\)\]", [ones(2, 3)], 2),
        (ValueError, "dim is -3, .* no such axis", [ones(2, 3)], -3),
        (ValueError, "dim is 0, .* no such axis", [ones()], 0),
        (
            ValueError,
            r"along dim 1 .* \[\(2, 3, 4\), \(2, 1, 5\)\]",
            [ones(2, 3, 4), ones(2, 1, 5)],
            1,
        ),
        (ValueError, "the same sizes", [ones(2, 3, 4), ones(2, 4)], 1),
        (ValueError, r"1 or more; .*\(2, 0\)", [ones(2, 3), ones(2, 0)], 1),
    ],
)
def test_what_does_not_fit_together_is_refused(error, words, tensors, dim):
    with pytest.raises(error, match=words):
        ops.concat(tensors, dim)
