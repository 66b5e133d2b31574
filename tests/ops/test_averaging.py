"""Average pooling: definition, divisors, gradients, planted faults."""

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

QUIET = settings(max_examples=200, phases=[Phase.generate], report_multiple_bugs=False)


@st.composite
def averages(draw):
    """As max poolings, with a divisor."""
    case = draw(cases.poolings())
    x = draw(cases.generators()).standard_normal(case.inputs[0].shape)
    case.arguments["count_include_pad"] = draw(st.booleans())
    divisors = [None, None, None, None, -3, 7]
    case.arguments["divisor_override"] = draw(st.sampled_from(divisors))
    return cases.Case((x,), case.arguments)


def equals_its_definition(
    case, op=ops.avg_pool2d, dtype="float64", layout=cases.contiguous
):
    (leaf,) = cases.tensors(case.inputs, dtype, layout)
    y = op(leaf, **case.arguments)
    cases.close(y.data, definitions.avg_pool2d(*case.inputs, **case.arguments), dtype)
    gy = cases.upstream(y)
    y.backward(gy)
    cases.close(leaf.grad, gradient_by_definition(case, gy), dtype)


def gradient_by_definition(case, gy):
    """⟨∂L/∂x, e⟩ = ⟨gy, f(e)⟩ for each single pixel e, as f is linear."""
    _, _, H, W = case.inputs[0].shape
    gx = np.empty(case.inputs[0].shape)
    for h, w in np.ndindex(H, W):
        e = np.zeros((1, 1, H, W))
        e[..., h, w] = 1
        y = definitions.avg_pool2d(e, **case.arguments)  # (1, 1, OH, OW)
        gx[:, :, h, w] = (gy * y).sum(axis=(2, 3))
    return gx


X = np.array([[[[4.0, -8, 12], [2, 6, -20]]]])


@pytest.mark.parametrize(
    "expected, arguments",
    [
        ([[1]], dict(kernel_size=2)),  # (4 − 8 + 2 + 6) / 4
        ([[1, -4]], dict(kernel_size=2, ceil_mode=True)),  # (12 − 20) / 2
        # Rows −1, 0 and 1, 2; columns −1, 0 and 1, 2: one or two pixels each.
        ([[1, 1], [0.5, -3.5]], dict(kernel_size=2, padding=1)),
        ([[4, 2], [2, -7]], dict(kernel_size=2, padding=1, count_include_pad=False)),
        # (4 + 2) / −2, (12 − 20) / −2
        ([[-3, 4]], dict(kernel_size=(2, 1), stride=(1, 2), divisor_override=-2)),
        # (4 + 12) / 2, (2 − 20) / 2
        ([[8], [-9]], dict(kernel_size=(1, 2), stride=1, dilation=2)),
    ],
)
def test_averages_by_hand(expected, arguments):
    y = ops.avg_pool2d(Tensor(X), **arguments)
    np.testing.assert_array_equal(y.data, [[expected]])
    np.testing.assert_array_equal(definitions.avg_pool2d(X, **arguments), [[expected]])


@settings(max_examples=100)
@given(st.data())
def test_average_equals_its_definition(data):
    case = data.draw(averages())
    dtype, layout = data.draw(cases.dtypes), data.draw(cases.layouts)
    equals_its_definition(case, dtype=dtype, layout=layout)


@cases.FEWEST
@given(averages())
def test_average_gradient(case):
    check_gradients(lambda x: ops.avg_pool2d(x, **case.arguments), case.inputs)


def test_what_hangs_over_the_padding_does_not_count():
    x = Tensor(np.full((1, 1, 1, 4), 6.0))
    a = dict(kernel_size=(1, 4), stride=(1, 3), padding=(0, 1), ceil_mode=True)
    # Columns −1 … 2, and 2 … 5, of which 5 lies beyond the padding: 18 / 4, 12 / 3.
    np.testing.assert_array_equal(ops.avg_pool2d(x, **a).data, [[[[4.5, 4]]]])
    y = ops.avg_pool2d(x, **a, count_include_pad=False)
    np.testing.assert_array_equal(y.data, [[[[6, 6]]]])


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_a_window_that_sees_nothing_gives_zero(count_include_pad):
    x = Tensor(np.ones((1, 1, 1, 1)), requires_grad=True)
    a = dict(kernel_size=2, stride=1, padding=1, dilation=2)  # taps at −1 and 1
    a["count_include_pad"] = count_include_pad
    with np.errstate(all="raise"):
        y = ops.avg_pool2d(x, **a)
        y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(y.data, [[[[0]]]])
    np.testing.assert_array_equal(definitions.avg_pool2d(x.data, **a), [[[[0]]]])
    np.testing.assert_array_equal(x.grad, [[[[0]]]])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cut_into_parts_it_is_the_same(rng, threads):
    a = dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    case = cases.Case((rng.normal(size=(3, 5, 9, 8)),), a)
    arrays.set_threads(threads)
    try:
        with mock.patch.object(pooling, "PIECE", 100):
            equals_its_definition(case)
    finally:
        arrays.set_threads(0)


def test_an_empty_batch_gives_an_empty_result():
    x = Tensor(np.zeros((0, 3, 6, 5), np.float32), requires_grad=True)
    y = ops.avg_pool2d(x, 2)
    y.backward(np.zeros(y.shape))
    assert y.shape == (0, 3, 3, 2)
    assert x.grad.shape == x.shape


@st.composite
def without_dilation(draw):
    """PyTorch pads both ends alike and knows no dilation."""
    kernel, stride = draw(cases.unequal(1, 5)), draw(cases.unequal(1, 6))
    H, W = (k + n for k, n in zip(kernel, draw(cases.unequal(0, 9))))
    return draw(cases.generators()).standard_normal((2, 3, H, W)), dict(
        kernel_size=kernel,
        stride=draw(st.sampled_from([None, stride])),
        padding=tuple(draw(st.integers(0, k // 2)) for k in kernel),
        ceil_mode=draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
        divisor_override=draw(st.sampled_from([None, None, -3, 5])),
    )


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@settings(max_examples=200)
@given(without_dilation())
def test_average_equals_torch(drawn):
    from torch import tensor
    from torch.nn import functional

    x, a = drawn
    (leaf,), theirs = cases.tensors([x]), tensor(x, requires_grad=True)
    y, expected = ops.avg_pool2d(leaf, **a), functional.avg_pool2d(theirs, **a)
    cases.close(y.data, expected.detach().numpy())
    gy = cases.upstream(y)
    y.backward(gy)
    expected.backward(tensor(gy))
    cases.close(leaf.grad, theirs.grad.numpy())


# ---- planted faults


def changed(name, change):
    def wrong(x, **arguments):
        return ops.avg_pool2d(x, **{**arguments, name: change(arguments[name])})

    return wrong


def summed(x, **arguments):
    return ops.avg_pool2d(x, **{**arguments, "divisor_override": 1})


def overhang_counted(x, **arguments):
    """As some do: the divisor is always the kernel's size."""
    KH, KW = arguments["kernel_size"]
    if arguments["count_include_pad"] and arguments["divisor_override"] is None:
        arguments["divisor_override"] = KH * KW
    return ops.avg_pool2d(x, **arguments)


def padded_gradient_lost(x, **arguments):
    """The right value, but no gradient from windows that see padding."""
    y, bare = ops.avg_pool2d(x, **arguments), {**arguments, "padding": 0}
    z = ops.avg_pool2d(x, **bare)
    return y.detach() + z - z.detach() if z.shape == y.shape else y


FAULTS = {
    "stride ignored": changed("stride", lambda s: None),
    "stride transposed": changed("stride", lambda s: s[::-1]),
    "kernel transposed": changed("kernel_size", lambda k: k[::-1]),
    "dilation ignored": changed("dilation", lambda d: 1),
    "padding reversed": changed("padding", lambda p: tuple(q[::-1] for q in p)),
    "ceil for floor": changed("ceil_mode", lambda c: not c),
    "padding counted and not": changed("count_include_pad", lambda c: not c),
    "divisor ignored": changed("divisor_override", lambda d: None),
    "sum for mean": summed,
    "overhang counted": overhang_counted,
    "gradient lost at the border": padded_gradient_lost,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault):
    def wrong(x, **arguments):
        try:
            return FAULTS[fault](x, **arguments)
        except ValueError:  # the fault does not fit this case
            return ops.avg_pool2d(x, **arguments)

    def law(case):
        equals_its_definition(case, wrong)

    with pytest.raises(AssertionError):
        QUIET(given(averages())(law))()


# ---- errors


@pytest.mark.parametrize(
    "error, words, arguments",
    [
        (ValueError, "kernel is larger than the padded width", dict(kernel_size=6)),
        (ValueError, "padding must be at most half", dict(kernel_size=2, padding=2)),
        (ValueError, "stride must be at least 1", dict(kernel_size=2, stride=0)),
        (ValueError, "dilation must be at least 1", dict(kernel_size=2, dilation=0)),
        (ValueError, "divisor_override is 0", dict(kernel_size=2, divisor_override=0)),
        (
            TypeError,
            "divisor_override must be an integer, not 2.0",
            dict(kernel_size=2, divisor_override=2.0),
        ),
    ],
)
def test_bad_arguments_are_refused(error, words, arguments):
    with pytest.raises(error, match=words):
        ops.avg_pool2d(Tensor(np.ones((2, 3, 6, 5))), **arguments)


def test_bad_arrays_are_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 5\); avg_pool2d needs"):
        ops.avg_pool2d(Tensor(np.ones((6, 5))), 2)
    with pytest.raises(TypeError, match=r"avg_pool2d takes Tensors, and x is ndarray"):
        ops.avg_pool2d(np.ones((2, 3, 6, 5)), 2)
    with pytest.raises(TypeError, match=r"x must be a Tensor of float32 .* int64"):
        ops.avg_pool2d(Tensor(np.ones((2, 3, 6, 5), int)), 2)
