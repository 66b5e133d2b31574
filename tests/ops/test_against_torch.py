"""Values and gradients of every operator against PyTorch's.

The stored cases (see tests/fixtures/make_fixtures.py) need no PyTorch; where it is
installed, hypothesis draws more.
"""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minifcn import Tensor, ops
from tests.fixtures import make_fixtures as fixtures

CASES = fixtures.load(fixtures.FILE)
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


def contiguous(array):
    return np.ascontiguousarray(array)


def strided(array):
    """The same values, every other one of a larger array, axes in reverse order."""
    wide = np.full([2 * n for n in array.T.shape], 77, array.dtype)
    view = wide[tuple([slice(1, None, 2)] * array.ndim)].T
    view[...] = array
    return view


def close(actual, expected, dtype):
    """Equal to a part of the largest value; same shape, and the dtype asked for."""
    tolerance = TOLERANCE[dtype] * np.abs(expected).max(initial=0)
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE[dtype], atol=tolerance)


def prepare(arrays, dtype, layout):
    """Arrays in that dtype (labels stay uint8) and memory layout, read-only."""
    ready = {
        name: layout(array if array.dtype == np.uint8 else array.astype(dtype))
        for name, array in arrays.items()
    }
    for array in ready.values():
        array.flags.writeable = False
    return ready


def check(case, op=None, dtype="float64", layout=contiguous):
    """Run forward and backward; compare y and all gradients with case.results."""
    op = op or getattr(ops, case.op)
    arrays = prepare(case.inputs, dtype, layout)
    leaves = {name: Tensor(arrays[name], requires_grad=True) for name in case.leaves}
    inputs = arrays | leaves
    y = op(*inputs.values(), **prepare(case.constants, dtype, layout), **case.arguments)
    close(y.data, case.results["y"], dtype)
    y.backward(case.results["gy"].astype(dtype))
    for name, leaf in leaves.items():
        assert leaf.grad is not None, f"{name} got no gradient"
        close(leaf.grad, case.results["g" + name], dtype)


@pytest.mark.parametrize("layout", [contiguous, strided])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_stored_case(name, dtype, layout):
    check(CASES[name], dtype=dtype, layout=layout)


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].op == "max_pool2d"])
def test_pool_indices(name):
    case = CASES[name]
    x = Tensor(case.inputs["x"])
    y, indices = ops.max_pool2d(x, **case.arguments, return_indices=True)
    np.testing.assert_array_equal(y.data, case.results["y"])
    np.testing.assert_array_equal(indices, case.results["indices"])


# ---- the check itself: wrong operators must not pass it


def ignoring(argument):
    def wrong(op, *inputs, **arguments):
        arguments.pop(argument, None)
        return op(*inputs, **arguments)

    return wrong


def ignoring_input(index):
    return lambda op, *inputs, **arguments: op(*inputs[:index], **arguments)


def reversing(argument):
    def wrong(op, *inputs, **arguments):
        value = arguments.get(argument, 0)
        flipped = value[::-1] if isinstance(value, tuple) else value
        return op(*inputs, **{**arguments, argument: flipped})

    return wrong


def flipped_kernel(op, x, weight, *bias, **arguments):
    return op(x, Tensor(weight.data[:, :, ::-1, ::-1]), *bias, **arguments)


def detached(index):
    """The right value, but one input gets no gradient."""

    def wrong(op, *inputs, **arguments):
        inputs = [x.detach() if i == index else x for i, x in enumerate(inputs)]
        y = op(*inputs, **arguments)
        return y if y.requires_grad else y + Tensor(np.zeros(y.shape), True)

    return wrong


def doubled_gradient(op, *inputs, **arguments):
    y = op(*inputs, **arguments)
    return y + y - y.detach()


def reversed_factors(op, x, factors):
    return op(x, Tensor(factors.data[::-1]))


def taps_reversed(cols, arguments):
    return cols[:, ::-1]


def channels_last(cols, arguments):
    N, taps = len(cols), np.prod(arguments["kernel_size"])
    return cols.reshape(N, -1, taps, cols.shape[2]).swapaxes(1, 2).reshape(cols.shape)


def windows_shifted(cols, arguments):
    return np.roll(cols, 1, axis=2)


def reordered(order):
    """The right sums over columns in a wrong order."""

    def wrong(op, cols, **arguments):
        return op(Tensor(order(cols.data, arguments)), **arguments)

    return wrong


def zero_padded_pool(op, x, kernel_size, padding=0, **arguments):
    top, left = padding if isinstance(padding, tuple) else (padding, padding)
    x = ops.pad(x, ((top, top), (left, left)))
    return op(x, kernel_size, **arguments)


def mean_of_all(op, x, target, **arguments):
    total = op(x, target, **{**arguments, "reduction": "sum"})
    return total * (1 / target.size)


MUTANTS = {
    "conv2d": [
        *map(ignoring, ["stride", "padding", "dilation"]),
        *map(reversing, ["stride", "padding", "dilation"]),
        ignoring_input(2),
        flipped_kernel,
        *map(detached, range(3)),
    ],
    "conv_transpose2d": [
        *map(ignoring, ["stride", "padding", "output_padding", "dilation"]),
        *map(reversing, ["stride", "padding", "output_padding", "dilation"]),
        ignoring_input(2),
        flipped_kernel,
        *map(detached, range(3)),
    ],
    "max_pool2d": [
        *map(ignoring, ["stride", "padding", "dilation", "ceil_mode"]),
        reversing("kernel_size"),
        zero_padded_pool,
    ],
    "relu": [lambda op, x: x * 1, lambda op, x: op(x) + 0.01 * x, doubled_gradient],
    "pad": [reversing("padding"), lambda op, x, padding: op(x, padding) + 1],
    "crop": [reversing("offset"), reversing("size"), doubled_gradient],
    "add": [lambda op, x, z: x - z, lambda op, x, z: op(x, x), detached(1)],
    "scale": [reversed_factors, detached(1), doubled_gradient],
    "cross_entropy": [
        *map(ignoring, ["weight", "reduction", "ignore_index"]),
        mean_of_all,
        doubled_gradient,
    ],
    "im2col": [
        *map(ignoring, ["stride", "padding", "dilation"]),
        reversing("kernel_size"),
        doubled_gradient,
    ],
    "col2im": [
        *map(reordered, [taps_reversed, channels_last, windows_shifted]),
        doubled_gradient,
    ],
}


def verdict(case, wrong):
    """How it ends: "refused" where the operator will not take the arguments at all."""
    right = getattr(ops, case.op)
    try:
        check(case, lambda *inputs, **arguments: wrong(right, *inputs, **arguments))
    except AssertionError:
        return "caught"
    except ValueError:
        return "refused"
    return "passed"


@pytest.mark.parametrize(
    "name, wrong",
    [(name, wrong) for name, mutants in MUTANTS.items() for wrong in mutants],
)
def test_wrong_operator_is_caught(name, wrong):
    cases = [case for case in CASES.values() if case.op == name]
    assert "caught" in [verdict(case, wrong) for case in cases]


# ---- PyTorch itself, where it is installed


def unequal(low, high):
    """A pair of two different whole numbers."""
    whole = st.integers(low, high)
    return st.tuples(whole, whole).filter(lambda pair: pair[0] != pair[1])


@st.composite
def windows(draw, max_stride=4):
    """Kernel, stride, padding and dilation, each unequal, and a size that fits them."""
    kernel, stride = draw(unequal(1, 4)), draw(unequal(1, max_stride))
    padding, dilation = draw(unequal(0, 3)), draw(unequal(1, 3))
    least = [
        max(1, d * (k - 1) + 1 - 2 * p)
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    ]
    size = tuple(n + draw(st.integers(0, 6)) for n in least)
    assume(size[0] != size[1])
    return (
        size,
        kernel,
        {"stride": stride, "padding": padding, "dilation": dilation},
    )


@st.composite
def channels(draw):
    """Input channels, output channels (unequal) and groups."""
    groups = draw(st.integers(1, 3))
    n_in, n_out = draw(unequal(1, 3))
    return groups * n_in, groups * n_out, groups


@st.composite
def convolutions(draw):
    (size, kernel, arguments), (C, O, groups) = draw(windows()), draw(channels())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(2, 3)), C, *size)
    bias = draw(st.booleans())
    return rng, fixtures.convolution(
        rng, shape, O, kernel, bias, groups=groups, **arguments
    )


@st.composite
def transposed_convolutions(draw):
    (_, kernel, arguments), (C, O, groups) = draw(windows()), draw(channels())
    shape = (draw(st.integers(2, 3)), C, *draw(unequal(1, 6)))
    steps = zip(arguments["stride"], arguments["dilation"], strict=True)
    extra = tuple(draw(st.integers(0, max(pair) - 1)) for pair in steps)
    for i in range(2):
        full = (shape[2 + i] - 1) * arguments["stride"][i] + extra[i] + 1
        reach = arguments["dilation"][i] * (kernel[i] - 1)
        assume(full + reach > 2 * arguments["padding"][i])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bias, arguments["output_padding"] = draw(st.booleans()), extra
    return rng, fixtures.transposed(
        rng, shape, O, kernel, bias, groups=groups, **arguments
    )


@st.composite
def poolings(draw):
    size, kernel, arguments = draw(windows())
    assume(all(2 * p <= k for p, k in zip(arguments["padding"], kernel, strict=True)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (2, draw(st.integers(1, 3)), *size)
    ceil_mode = draw(st.booleans())
    return rng, fixtures.pooling(
        rng, shape, kernel_size=kernel, ceil_mode=ceil_mode, **arguments
    )


@st.composite
def unfoldings(draw):
    size, kernel, arguments = draw(windows())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (2, draw(st.integers(1, 3)), *size)
    return rng, fixtures.unary("im2col", rng, shape, kernel_size=kernel, **arguments)


@st.composite
def classifications(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(2, 3)), draw(st.integers(2, 6)), *draw(unequal(1, 6)))
    weighted = draw(st.booleans())
    reduction = draw(st.sampled_from(["mean", "sum", "none", "batch"]))
    case = fixtures.classification(
        rng, shape, draw(st.sampled_from([1.0, 30.0])), weighted, reduction=reduction
    )
    assume((case.inputs["target"] != 255).any())
    return rng, case


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("dtype", TOLERANCE)
@given(
    st.one_of(
        convolutions(),
        transposed_convolutions(),
        poolings(),
        unfoldings(),
        classifications(),
    )
)
def test_drawn_case(dtype, drawn):
    rng, case = drawn
    fixtures.solve(case, rng)
    # a pooling window may lie in the padding alone; where its gradient goes is no law
    assume(np.isfinite(case.results["y"]).all())
    check(case, dtype=dtype)
