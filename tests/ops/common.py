"""What the tests of operators share. What they all obey is in `minifcn.laws`."""

import tracemalloc
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from minifcn import Tensor
from minifcn.laws import Implementation, laws_of
from minifcn.laws.general import strided
from minifcn.ops import convolution

FEW = settings(max_examples=25)

TOLERANCE = {"float64": 1e-11, "float32": 2e-5}  # of the largest value


layouts = st.sampled_from([np.ascontiguousarray, strided])
dtypes = st.sampled_from(list(TOLERANCE))


def tensors(arrays, dtype="float64", layout=np.ascontiguousarray):
    """Read-only Tensors: an operator that writes to its inputs raises."""
    ready = [layout(np.asarray(array, dtype)) for array in arrays]
    for array in ready:
        array.flags.writeable = False
    return [Tensor(array, requires_grad=True) for array in ready]


def close(actual, expected, dtype="float64"):
    """Same shape, that dtype, and equal to a part of the largest value."""
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    tolerance = TOLERANCE[dtype] * max(1, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def peak_of(work):
    """What work() returns, and the bytes of NumPy arrays that it holds at its worst."""
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def upstream(y, seed=1):
    return np.random.default_rng(seed).standard_normal(y.shape)


def hold(subject, cases=6):
    """Try all laws of an operator, as it is patched just now.

    Raises:
        LawError: one is broken.
    """
    for law in laws_of(subject):
        law.hold(Implementation(), cases, shrink=False)


def using(way):
    """Let convolutions go by `bands` or `windows` alone, or choose for themselves."""
    if way == "own choice":
        return mock.patch.object(convolution, "_way", convolution._way)
    module = getattr(convolution, way)
    return mock.patch.object(convolution, "_way", return_value=module)
