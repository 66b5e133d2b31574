"""What the tests of operators share. What they all obey is in `minifcn.laws`."""

import tracemalloc
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from minifcn import Tensor, arrays
from minifcn.laws import Implementation, laws_of
from minifcn.laws.general import strided
from minifcn.ops import algorithms, convolution, winograd

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
    """What work() returns, and the bytes of NumPy arrays that it holds at its worst.

    Those that threads keep for their next call count too.
    """
    arrays._local.__dict__.clear()  # this thread's
    tracemalloc.start()
    try:
        with mock.patch.object(arrays, "_pages", lambda size: np.empty(size, "u1")):
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
    """Let convolutions go by one of the algorithms alone, or choose for themselves.

    By "winograd" go all whose kernel finds room in 3 × 3 taps, by "products" those of
    one tap.
    """
    own = convolution.algorithm_for

    def chosen(y, w, dilation, geometry):
        if way == "own choice":
            return own(y, w, dilation, geometry)
        if way == "products" and w.shape[2:] != (1, 1):
            return own(y, w, dilation, geometry)
        if way != "winograd":
            return algorithms.ON_CPU[way]
        spans = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation)]
        return Embedded if max(spans) <= 3 else own(y, w, dilation, geometry)

    return mock.patch.object(convolution, "algorithm_for", chosen)


class Embedded:
    """Winograd's algorithm by a kernel of up to 3 × 3 taps, zeros in its gaps.

    Where other ways give exact zeros, which laws look for, its own are rounded.
    """

    @staticmethod
    def correlate(x, w, start, dilation, epilogue):
        snapping = Snapping(epilogue)
        winograd.correlate(x, _embedded(w, dilation), start, (1, 1), snapping)

    @staticmethod
    def input_gradient(gy, w, start, dilation, gx):
        winograd.input_gradient(gy, _embedded(w, dilation), start, (1, 1), gx)
        gx[...] = _snapped(gx)

    @staticmethod
    def weight_gradient(x, gy, start, dilation, gw):
        whole = np.empty((*gw.shape[:2], 3, 3), gw.dtype)
        winograd.weight_gradient(x, gy, start, (1, 1), whole)
        gw[...] = _snapped(_taps(whole, gw.shape, dilation))


class Snapping:
    """An epilogue that takes the rounding off what it is given."""

    def __init__(self, epilogue):
        self.epilogue, self.out = epilogue, epilogue.out

    def fill(self, total, *place):
        self.epilogue.fill(_snapped(total), *place)


def _snapped(a):
    """Round to some 1e-11, or 1e-6 in float32: more than the noise of small numbers."""
    step = 2.0**-36 if a.dtype == np.float64 else 2.0**-20
    return np.round(a / step) * a.dtype.type(step)


def _embedded(w, dilation):
    whole = np.zeros((*w.shape[:2], 3, 3), w.dtype)
    _taps(whole, w.shape, dilation)[...] = w
    return whole


def _taps(whole, shape, dilation):
    (KH, KW), (DH, DW) = shape[2:], dilation
    return whole[:, :, : DH * (KH - 1) + 1 : DH, : DW * (KW - 1) + 1 : DW]
