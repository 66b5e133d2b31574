"""What the tests of operators share: drawn cases whose sizes are all unequal."""

from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from hypothesis import assume, settings
from hypothesis import strategies as st

from minifcn import Tensor
from minifcn.ops import convolution

FEW, FEWEST = settings(max_examples=25), settings(max_examples=5)

TOLERANCE = {"float64": 1e-11, "float32": 2e-5}  # of the largest value


class Case(NamedTuple):
    """Inputs of float64 and keyword arguments of an operator."""

    inputs: tuple[np.ndarray, ...]
    arguments: dict[str, Any]


def contiguous(array):
    return np.ascontiguousarray(array)


def strided(array):
    """The same values, every other one of a larger array, axes in reverse order."""
    wide = np.full([2 * n for n in array.T.shape], 77, array.dtype)
    view = wide[tuple([slice(1, None, 2)] * array.ndim)].T
    view[...] = array
    return view


layouts = st.sampled_from([contiguous, strided])
dtypes = st.sampled_from(list(TOLERANCE))


def tensors(arrays, dtype="float64", layout=contiguous):
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


def unequal(low, high):
    """Two different whole numbers."""
    whole = st.integers(low, high)
    return st.tuples(whole, whole).filter(lambda pair: pair[0] != pair[1])


def generators():
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def windows(draw, most_padding=3):
    """Size of an image, kernel, and stride, padding, dilation: no two alike.

    But for stride 1, which has a way of its own."""
    kernel = draw(unequal(1, 4))
    stride = draw(st.one_of(st.just((1, 1)), unequal(1, 5)))
    dilation = draw(unequal(1, 3))
    padding = draw(unequal(0, most_padding)), draw(unequal(0, most_padding))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    least = [max(1, span - sum(p)) for span, p in zip(spans, padding)]
    H, W = (n + draw(st.integers(0, 5)) for n in least)
    size = (H, W + (H == W))
    return size, kernel, dict(stride=stride, padding=padding, dilation=dilation)


@st.composite
def channels(draw):
    """Input channels, output channels (unequal) and groups."""
    groups, (C, O) = draw(st.integers(1, 3)), draw(unequal(1, 3))
    return groups * C, groups * O, groups


@st.composite
def convolutions(draw):
    (size, kernel, arguments), (C, O, groups) = draw(windows()), draw(channels())
    rng, N = draw(generators()), draw(st.integers(2, 3))
    x = rng.standard_normal((N, C, *size))
    w = rng.standard_normal((O, C // groups, *kernel))
    bias = [rng.standard_normal(O)] if draw(st.booleans()) else []
    return Case((x, w, *bias), {**arguments, "groups": groups})


@st.composite
def transposed_convolutions(draw):
    (size, kernel, arguments), (C, O, groups) = draw(windows()), draw(channels())
    geometry = convolution.Geometry.of(**arguments, groups=groups)
    rng, N = draw(generators()), draw(st.integers(2, 3))
    small = geometry.output_size(size, kernel)
    most = [max(pair) - 1 for pair in zip(arguments["stride"], arguments["dilation"])]
    extra = tuple(draw(st.integers(0, n)) for n in most)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, arguments["dilation"])]
    for i, (n, stride, padding) in enumerate(
        zip(small, arguments["stride"], arguments["padding"])
    ):
        assume((n - 1) * stride + spans[i] + extra[i] > sum(padding))
    x = rng.standard_normal((N, C, *small))
    w = rng.standard_normal((C, O // groups, *kernel))
    bias = [rng.standard_normal(O)] if draw(st.booleans()) else []
    arguments = {**arguments, "groups": groups, "output_padding": extra}
    return Case((x, w, *bias), arguments)


@st.composite
def poolings(draw, ties=False):
    """Images without a tie (or full of them), all of them below zero."""
    (H, W), kernel, arguments = draw(windows(most_padding=2))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, arguments["dilation"])]
    arguments["padding"] = tuple(
        (min(a, span // 2), min(b, span // 2))
        for (a, b), span in zip(arguments["padding"], spans)
    )
    size = max(H, spans[0]), max(W, spans[1])
    size = size[0], size[1] + (size[0] == size[1])
    rng = draw(generators())
    shape = (2, 3, *size)
    x = rng.permutation(np.prod(shape)).reshape(shape) - float(np.prod(shape)) - 1
    x = x % 3 - 5 if ties else x
    arguments |= {"kernel_size": kernel, "ceil_mode": draw(st.booleans())}
    return Case((x,), arguments)


def using(way):
    """Let convolutions go by `bands` or `windows` alone, or choose for themselves."""
    if way == "own choice":
        return mock.patch.object(convolution, "_way", convolution._way)
    module = getattr(convolution, way)
    return mock.patch.object(convolution, "_way", return_value=module)


def upstream(y, seed=1):
    return np.random.default_rng(seed).standard_normal(y.shape)


def inner(a, b):
    """⟨a, b⟩."""
    return float(np.vdot(a, b))
