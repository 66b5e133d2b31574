"""Max unpooling: definition, several windows on one pixel, adjointness, faults."""

from importlib.util import find_spec
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from minifcn import Tensor, arrays, ops
from minifcn.laws import check_gradients
from minifcn.ops import definitions, pooling
from tests.ops import cases

QUIET = settings(max_examples=50, phases=[Phase.generate], report_multiple_bugs=False)


@st.composite
def unpoolings(draw):
    """Values and any pixel numbers: several the same, −1 among them."""
    kernel, stride = draw(cases.unequal(1, 4)), draw(cases.unequal(1, 4))
    padding = tuple(draw(st.tuples(*[st.integers(0, k // 2)] * 2)) for k in kernel)
    OH, OW = draw(cases.unequal(2, 5))
    usual = [
        (n - 1) * s - sum(p) + k
        for n, s, p, k in zip((OH, OW), stride, padding, kernel)
    ]
    size = tuple(
        draw(st.integers(max(1, n - s + 1), n + s - 1)) for n, s in zip(usual, stride)
    )
    rng, shape = draw(cases.generators()), (2, 3, OH, OW)
    indices = rng.integers(-1, size[0] * size[1], shape)
    arguments = dict(kernel_size=kernel, stride=stride, padding=padding)
    arguments["output_size"] = draw(st.sampled_from([size, (2, 3, *size)]))
    return cases.Case((rng.standard_normal(shape), indices), arguments)


def equals_its_definition(
    case, op=ops.max_unpool2d, dtype="float64", layout=cases.contiguous
):
    x, indices = case.inputs
    expected = definitions.max_unpool2d(x, indices, **case.arguments)
    (leaf,) = cases.tensors([x], dtype, layout)
    numbers = layout(indices)
    numbers.flags.writeable = False
    y = op(leaf, numbers, **case.arguments)
    cases.close(y.data, expected, dtype)
    gy = cases.upstream(y)
    y.backward(gy)
    cases.close(leaf.grad, gradient_by_definition(indices, gy), dtype)


def gradient_by_definition(indices, gy):
    """A value that nothing overwrites gets its pixel's gradient."""
    N, C, OH, OW = indices.shape
    gx = np.zeros(indices.shape)
    for n, c, r, q in np.ndindex(*indices.shape):
        pixel, own = indices[n, c, r, q], r * OW + q
        later = indices[n, c].reshape(-1)[own + 1 :]
        if pixel >= 0 and pixel not in later:
            gx[n, c, r, q] = gy[n, c].reshape(-1)[pixel]
    return gx


def test_unpooling_by_hand():
    x = Tensor(np.array([[[[7.0, -3], [5, 2]]]]), requires_grad=True)
    indices = np.array([[[[5, 2], [9, 14]]]])
    y = ops.max_unpool2d(x, indices, 2)
    expected = [[[[0, 0, -3, 0], [0, 7, 0, 0], [0, 5, 0, 0], [0, 0, 2, 0]]]]
    np.testing.assert_array_equal(y.data, expected)
    np.testing.assert_array_equal(
        definitions.max_unpool2d(x.data, indices, 2), expected
    )
    y.backward(np.arange(16.0).reshape(1, 1, 4, 4))
    np.testing.assert_array_equal(x.grad, [[[[5, 2], [9, 14]]]])


def test_the_last_of_several_windows_is_kept():
    x = Tensor(np.array([[[[7.0, 8, 9]]]]), requires_grad=True)
    y = ops.max_unpool2d(x, np.array([[[[1, 1, -1]]]]), (1, 2), stride=(1, 1))
    y.backward(np.array([[[[10.0, 20, 30, 40]]]]))
    np.testing.assert_array_equal(y.data, [[[[0, 8, 0, 0]]]])
    np.testing.assert_array_equal(x.grad, [[[[0, 20, 0]]]])


@cases.FEW
@given(st.data())
def test_unpooling_equals_its_definition(data):
    case = data.draw(unpoolings())
    dtype, layout = data.draw(cases.dtypes), data.draw(cases.layouts)
    equals_its_definition(case, dtype=dtype, layout=layout)


@cases.FEWEST
@given(unpoolings())
def test_unpooling_gradient(case):
    x, indices = case.inputs
    check_gradients(lambda x: ops.max_unpool2d(x, indices, **case.arguments), [x])


@pytest.mark.parametrize("kind", ["int32", "uint8", "uint64", "Tensor"])
def test_indices_may_be_of_any_whole_numbers(rng, kind):
    x, indices = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 80, (2, 3, 4, 5))
    given = Tensor(indices) if kind == "Tensor" else indices.astype(kind)
    y = ops.max_unpool2d(Tensor(x), given, 2)
    expected = definitions.max_unpool2d(x, indices, 2)
    np.testing.assert_array_equal(y.data, expected)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cut_into_parts_it_is_the_same(rng, threads):
    x, indices = rng.normal(size=(3, 5, 4, 3)), rng.integers(-1, 48, (3, 5, 4, 3))
    arrays.set_threads(threads)
    try:
        with mock.patch.object(pooling, "PIECE", 100):
            equals_its_definition(cases.Case((x, indices), dict(kernel_size=2)))
    finally:
        arrays.set_threads(0)


def test_an_empty_batch_gives_an_empty_result():
    x = Tensor(np.zeros((0, 3, 2, 4), np.float32), requires_grad=True)
    y = ops.max_unpool2d(x, np.zeros(x.shape, int), 2)
    y.backward(np.zeros(y.shape))
    assert y.shape == (0, 3, 4, 8)
    assert x.grad.shape == x.shape


# ---- with max pooling


@cases.FEW
@given(cases.poolings())
def test_every_pooling_can_be_unpooled(case):
    """Each maximum is back at its pixel, and pooling again finds the same."""
    (x,), a = case.inputs, case.arguments
    y, indices = ops.max_pool2d(Tensor(x), **a, return_indices=True)
    spans = [d * (k - 1) + 1 for k, d in zip(a["kernel_size"], a["dilation"])]
    z = ops.max_unpool2d(y, indices, spans, a["stride"], a["padding"], x.shape)
    maxima = z.data != 0  # all of x is below zero
    np.testing.assert_array_equal(z.data[maxima], x[maxima])
    again = np.where(maxima, z.data, -np.inf)
    np.testing.assert_array_equal(ops.max_pool2d(Tensor(again), **a).data, y.data)


@cases.FEW
@given(cases.poolings())
def test_without_overlap_it_is_max_poolings_backward(case):
    (x,) = cases.tensors(case.inputs)
    spans = [
        d * (k - 1) + 1
        for k, d in zip(case.arguments["kernel_size"], case.arguments["dilation"])
    ]
    a = {**case.arguments, "stride": tuple(spans)}
    y, indices = ops.max_pool2d(x, **a, return_indices=True)
    gy = cases.upstream(y)
    y.backward(gy)
    z = ops.max_unpool2d(Tensor(gy), indices, spans, spans, a["padding"], x.shape)
    np.testing.assert_array_equal(z.data, x.grad)


@cases.FEW
@given(unpoolings())
def test_forward_and_backward_are_adjoint(case):
    x, indices = case.inputs
    (leaf,) = cases.tensors([x])
    y = ops.max_unpool2d(leaf, indices, **case.arguments)
    gy = cases.upstream(y)
    y.backward(gy)
    np.testing.assert_allclose(cases.inner(y.data, gy), cases.inner(x, leaf.grad))


# ---- sizes


@pytest.mark.parametrize("output_size", [(3, 7), [4, 6], (5, 9), (1, 1, 4, 8)])
def test_sizes_within_a_stride_are_taken(output_size):
    # By default (2 − 1)·2 + 2 = 4 rows, (3 − 1)·3 + 2 = 8 columns.
    x, indices = Tensor(np.ones((1, 1, 2, 3))), np.zeros((1, 1, 2, 3), int)
    y = ops.max_unpool2d(x, indices, 2, (2, 3), output_size=output_size)
    assert y.shape == (1, 1, *output_size[-2:])


@pytest.mark.parametrize(
    "words, output_size",
    [
        (r"output_size is \(2, 8\); its height must lie from 3 to 5", (2, 8)),
        (r"output_size is \(6, 8\); its height must lie from 3 to 5", (6, 8)),
        (r"its width must lie from 6 to 10: x has shape \(1, 1, 2, 3\)", (4, 5)),
        (r"its width must lie from 6 to 10: x has shape \(1, 1, 2, 3\)", (4, 11)),
        ("output_size must be at least 1", (4, 0)),
        ("output_size must be an integer or a pair", (4, 8, 1)),
    ],
)
def test_other_sizes_are_refused(words, output_size):
    x, indices = Tensor(np.ones((1, 1, 2, 3))), np.zeros((1, 1, 2, 3), int)
    with pytest.raises(ValueError, match=words):
        ops.max_unpool2d(x, indices, 2, (2, 3), output_size=output_size)


def test_an_output_of_nothing_is_refused():
    x, indices = Tensor(np.ones((1, 1, 1, 3))), np.zeros((1, 1, 1, 3), int)
    with pytest.raises(ValueError, match=r"leaves nothing of the height: x has shape"):
        ops.max_unpool2d(x, indices, (1, 2), 1, (1, 0))
    # with stride 2 the pooled image may have had one row: 1 − 2 + 1 < 1 + 1
    y = ops.max_unpool2d(x, indices, 2, 2, (1, 0), output_size=(1, 6))
    assert y.shape == (1, 1, 1, 6)
    with pytest.raises(ValueError, match=r"output_size is \(0, 6\); its height must"):
        ops.max_unpool2d(x, indices, 2, 2, (1, 0))


# ---- PyTorch


@st.composite
def without_overlap(draw):
    """An image, and kernel, stride and padding of a pooling whose windows are apart.

    Where several windows name one pixel, PyTorch leaves open which is kept."""
    kernel, H, W = draw(cases.unequal(1, 4)), *draw(cases.unequal(4, 9))
    stride = tuple(k + draw(st.integers(0, 2)) for k in kernel)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    x = draw(cases.generators()).standard_normal((2, 3, H, W))
    return x, dict(kernel_size=kernel, stride=stride, padding=padding)


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@cases.FEW
@given(without_overlap(), st.booleans())
def test_unpooling_equals_torch(drawn, ceil_mode):
    from torch import tensor
    from torch.nn import functional

    x, a = drawn
    y, indices = functional.max_pool2d(
        tensor(x), **a, ceil_mode=ceil_mode, return_indices=True
    )
    y.requires_grad_()
    (leaf,) = cases.tensors([y.detach().numpy()])
    z = functional.max_unpool2d(y, indices, **a, output_size=x.shape)
    actual = ops.max_unpool2d(leaf, indices.numpy(), **a, output_size=x.shape)
    cases.close(actual.data, z.detach().numpy())
    gz = cases.upstream(actual)
    z.backward(tensor(gz))
    actual.backward(gz)
    cases.close(leaf.grad, y.grad.numpy())


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("size", [*np.ndindex(9, 12), None])
def test_the_sizes_are_torchs(size):
    from torch import tensor
    from torch.nn import functional

    x, indices = np.ones((1, 1, 3, 4)), np.zeros((1, 1, 3, 4), int)
    a = dict(kernel_size=(2, 3), stride=(3, 2), padding=1, output_size=size)
    try:
        expected = functional.max_unpool2d(tensor(x), tensor(indices), **a)
    except ValueError:
        with pytest.raises(ValueError, match="output_size"):
            ops.max_unpool2d(Tensor(x), indices, **a)
    else:
        assert ops.max_unpool2d(Tensor(x), indices, **a).shape == expected.shape


# ---- planted faults


def first_kept(x, indices, **arguments):
    """A pixel named before is not written again."""
    numbers = indices.reshape(6, -1).copy()
    for plane in numbers:
        _, first = np.unique(plane, return_index=True)
        later = np.setdiff1d(np.arange(plane.size), first)
        plane[later] = -1
    return ops.max_unpool2d(x, numbers.reshape(indices.shape), **arguments)


def indices_transposed(x, indices, output_size, **arguments):
    H, W = output_size[-2:]
    turned = np.where(indices < 0, -1, indices % W * H + indices // W)
    return ops.max_unpool2d(x, turned, **arguments, output_size=output_size)


def minus_one_is_the_last(x, indices, output_size, **arguments):
    last = output_size[-2] * output_size[-1] - 1
    numbers = np.where(indices < 0, last, indices)
    return ops.max_unpool2d(x, numbers, **arguments, output_size=output_size)


def size_ignored(x, indices, output_size, **arguments):
    return ops.max_unpool2d(x, indices, **arguments)


def added(x, indices, output_size, **arguments):
    """Several on one pixel are added, as in max pooling's backward."""
    size = output_size[-2:]
    y = ops.max_unpool2d(x, indices, **arguments, output_size=size)
    sums = np.zeros((6, size[0] * size[1]))
    for plane, numbers, values in zip(
        sums, indices.reshape(6, -1), x.data.reshape(6, -1)
    ):
        np.add.at(plane, numbers[numbers >= 0], values[numbers >= 0])
    return y + Tensor((sums.reshape(y.shape) - y.data).astype(y.dtype))


def gradient_to_all(x, indices, output_size, **arguments):
    """Every window that names a pixel gets its gradient, kept or not."""
    y = ops.max_unpool2d(x, indices, **arguments, output_size=output_size)
    lost = np.where(gradient_by_definition(indices, np.ones(y.shape)) == 0, 1.0, 0.0)
    loose = (x * Tensor(lost)).sum()
    return y + loose - loose.detach()


FAULTS = [
    first_kept,
    indices_transposed,
    minus_one_is_the_last,
    size_ignored,
    added,
    gradient_to_all,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault):
    def law(case):
        equals_its_definition(case, fault)

    with pytest.raises((AssertionError, ValueError)):
        QUIET(given(unpoolings())(law))()


# ---- errors

WIDE = np.ones((2, 3, 2, 3), int)


@pytest.mark.parametrize(
    "error, words, indices",
    [
        (ValueError, r"shape \(2, 3, 2, 3\); .* \(2, 3, 2, 4\)", WIDE),
        (ValueError, r"holds 32; .* \(4, 8\) has pixels from 0 to 31", 32),
        (ValueError, r"holds -2; an output of \(H, W\)", -2),
        (TypeError, "whole numbers; its type is float64", 1.0),
        (TypeError, "whole numbers; its type is bool", True),
        (TypeError, "whole numbers; its type is list", [0]),
    ],
)
def test_bad_indices_are_refused(error, words, indices):
    if isinstance(indices, int | float):
        indices = np.full((2, 3, 2, 4), indices)
    with pytest.raises(error, match=words):
        ops.max_unpool2d(Tensor(np.ones((2, 3, 2, 4))), indices, 2)


def test_bad_arrays_are_refused():
    indices = np.zeros((2, 3, 2, 4), int)
    with pytest.raises(ValueError, match=r"shape \(6, 5\); max_unpool2d needs"):
        ops.max_unpool2d(Tensor(np.ones((6, 5))), indices, 2)
    with pytest.raises(TypeError, match="max_unpool2d takes Tensors, and x is ndarray"):
        ops.max_unpool2d(np.ones((2, 3, 2, 4)), indices, 2)
    with pytest.raises(TypeError, match=r"x must be a Tensor of float32 .* int64"):
        ops.max_unpool2d(Tensor(indices), indices, 2)
