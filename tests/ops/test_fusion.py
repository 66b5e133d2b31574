"""Sums and scales of streams."""

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.laws import GradientError, check_gradients
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


def test_add_does_not_broadcast():
    x, z = Tensor(np.ones((2, 3, 5, 4))), Tensor(np.ones((2, 3, 1, 1)))
    with pytest.raises(ValueError, match=r"x has shape \(2, 3, 5, 4\) and y"):
        ops.add(x, z)


@pytest.mark.parametrize("shape", [(4,), (1,), (2, 3), (3, 1, 1)])
def test_factors_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"factors have shape .* one for each channel"):
        ops.scale(Tensor(np.ones((2, 3, 5, 4))), np.ones(shape))
    with pytest.raises(ValueError, match="factors have shape"):
        ops.scale(Tensor(np.ones((5, 4))), np.ones(4))
