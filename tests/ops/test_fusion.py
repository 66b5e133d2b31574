"""Sums, maxima and scales of streams, and one beside the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.laws import GradientError, check_gradients
from minifcn.ops import definitions
from tests.ops import cases


@pytest.mark.parametrize("layout", [cases.contiguous, cases.strided])
@pytest.mark.parametrize("dtype", cases.TOLERANCE)
def test_add_and_scale(rng, dtype, layout):
    x, z, f = (rng.normal(size=s) for s in [(2, 3, 5, 4), (2, 3, 5, 4), (3,)])
    a, b, c = cases.tensors([x, z, f], dtype, layout)
    cases.close(ops.add(a, b).data, x + z, dtype)
    cases.close(ops.scale(a, 0.01).data, 0.01 * x, dtype)
    for factors in (c, f, list(f)):
        cases.close(ops.scale(a, factors).data, x * f[None, :, None, None], dtype)
    cases.close(definitions.add(x, z), x + z)
    cases.close(definitions.scale(x, 3), 3 * x)
    cases.close(definitions.scale(x, f), x * f[None, :, None, None])


def test_gradients(rng):
    x, z, f = (rng.normal(size=s) for s in [(2, 3, 5, 4), (2, 3, 5, 4), (3,)])
    check_gradients(ops.add, [x, z])
    check_gradients(ops.scale, [x, f])
    check_gradients(ops.scale, [x, np.array(2.5)])
    check_gradients(lambda x: ops.scale(x, 1e-4), [x])
    for wrong in (
        lambda x, f: ops.scale(x, Tensor(f.data)),
        lambda x, f: ops.scale(x, f) + ops.scale(x, f).detach() * 0.5,
        lambda x, f: ops.scale(x.detach(), f),
    ):
        with pytest.raises(GradientError):
            check_gradients(wrong, [x, f])


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
        (Tensor(np.ones((2, 3), np.float32)), "x is float64 and y is float32"),
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
            "x is float64 and factors is float32",
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


@cases.FEW
@given(cases.unequal(1, 5), cases.generators(), cases.dtypes, cases.layouts)
def test_maximum_equals_its_definition(size, rng, dtype, layout):
    x, y = rng.integers(-3, 3, (2, 2, 3, *size)).astype(float)  # full of ties
    a, b = cases.tensors([x, y], dtype, layout)
    z = ops.maximum(a, b)
    cases.close(z.data, definitions.maximum(x, y), dtype)
    gz = cases.upstream(z)
    z.backward(layout(gz.astype(dtype)))
    cases.close(a.grad, gz * ((x > y) + 0.5 * (x == y)), dtype)
    cases.close(b.grad, gz * ((y > x) + 0.5 * (x == y)), dtype)


def test_maximum_gradients(rng):
    x, y = rng.permutation(60).reshape(2, 2, 3, 5) - 30.0  # no two alike
    check_gradients(ops.maximum, [x, y])
    check_gradients(lambda x: ops.maximum(x, x), [x])


# ---- concat


def test_concat_by_hand():
    x, y = Tensor(np.array([[1.0, 2]])), Tensor(np.array([[3.0]]))
    np.testing.assert_array_equal(ops.concat([x, y]).data, [[1, 2, 3]])
    np.testing.assert_array_equal(ops.concat((y, x), dim=-1).data, [[3, 1, 2]])


@cases.FEW
@given(st.integers(-4, 3), st.data(), cases.generators(), cases.dtypes, cases.layouts)
def test_concat_equals_its_definition(dim, data, rng, dtype, layout):
    shapes = [[2, 3, 5, 4] for _ in range(data.draw(st.integers(1, 4)))]
    for shape in shapes:
        shape[dim] = data.draw(st.integers(1, 4))
    arrays = [rng.standard_normal(shape) for shape in shapes]
    leaves = cases.tensors(arrays, dtype, layout)
    y = ops.concat(leaves, dim)
    cases.close(y.data, definitions.concat(arrays, dim), dtype)
    gy = cases.upstream(y)
    y.backward(layout(gy.astype(dtype)))
    # Concatenated again, the gradients are the gradient.
    gathered = np.concatenate([leaf.grad for leaf in leaves], axis=dim)
    cases.close(gathered, gy, dtype)
    assert [list(leaf.grad.shape) for leaf in leaves] == shapes


def test_concat_gradients(rng):
    x, y, z = (rng.normal(size=(2, C, 3, 4)) for C in (1, 3, 2))
    check_gradients(lambda *all: ops.concat(all), [x, y, z])
    check_gradients(lambda x, y: ops.concat([x, y, x]), [x, y])
    check_gradients(lambda x, y: ops.concat([x, y], dim=3), [x, x + 1])


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
