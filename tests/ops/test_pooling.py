"""Max pooling: definition, the first of equals, NaN, gradients, planted faults."""

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


def definition(x, kernel_size, **arguments):
    return definitions.max_pool2d(x, kernel_size, **arguments, return_indices=True)


def equals_its_definition(
    case, op=ops.max_pool2d, dtype="float64", layout=cases.contiguous
):
    """Maxima, indices and gradient, all of which the definition's indices tell."""
    (x,) = case.inputs
    expected, where = definition(x, **case.arguments)
    seen = where >= 0  # a window may lie in the padding alone
    np.testing.assert_array_equal(seen, np.isfinite(expected))
    (leaf,) = cases.tensors([x], dtype, layout)
    y, indices = op(leaf, **case.arguments, return_indices=True)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.data, expected)
    np.testing.assert_array_equal(indices, where)
    gy = cases.upstream(y) * seen
    y.backward(gy)
    cases.close(leaf.grad, scattered(gy, where, seen, x.shape), dtype)


def scattered(gy, where, seen, shape):
    """Each gradient at its pixel number h·W + w."""
    gx = np.zeros(shape)
    for n, c, r, q in zip(*np.nonzero(seen)):
        gx[n, c].reshape(-1)[where[n, c, r, q]] += gy[n, c, r, q]
    return gx


def test_pooling_by_hand():
    x = np.array([[[[-5.0, -2, -9], [-4, -3, -1]]]])
    y, indices = ops.max_pool2d(Tensor(x), 2, ceil_mode=True, return_indices=True)
    np.testing.assert_array_equal(y.data, [[[[-2, -1]]]])
    np.testing.assert_array_equal(indices, [[[[1, 5]]]])
    y = ops.max_pool2d(Tensor(x), 2)
    np.testing.assert_array_equal(y.data, [[[[-2]]]])
    # zeros in the padding would win: all of x is negative
    y = ops.max_pool2d(Tensor(x), (2, 3), stride=(1, 2), padding=(1, 1))
    expected = [[[[-2, -2], [-2, -1], [-3, -1]]]]
    np.testing.assert_array_equal(y.data, expected)
    by_definition = definitions.max_pool2d(x, (2, 3), stride=(1, 2), padding=(1, 1))
    np.testing.assert_array_equal(by_definition, expected)


@pytest.mark.parametrize("ties", [False, True])
@cases.FEW
@given(st.data())
def test_pooling_equals_its_definition(ties, data):
    case = data.draw(cases.poolings(ties))
    dtype, layout = data.draw(cases.dtypes), data.draw(cases.layouts)
    equals_its_definition(case, dtype=dtype, layout=layout)


def test_the_first_of_equals_gets_the_gradient():
    x = Tensor(np.zeros((1, 1, 4, 6)), requires_grad=True)
    y, indices = ops.max_pool2d(x, (2, 3), return_indices=True)
    np.testing.assert_array_equal(indices, [[[[0, 3], [12, 15]]]])
    y.backward(np.array([[[[1.0, 2], [3, 4]]]]))
    np.testing.assert_array_equal(x.grad.ravel()[[0, 3, 12, 15]], [1, 2, 3, 4])
    assert x.grad.sum() == 10


def test_overlapping_windows_add_their_gradients():
    x = Tensor(np.array([[[[1.0, 9, 2, 3]]]]), requires_grad=True)
    ops.max_pool2d(x, (1, 2), stride=1).backward(np.array([[[[1.0, 10, 100]]]]))
    np.testing.assert_array_equal(x.grad, [[[[0, 11, 0, 100]]]])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cut_into_parts_it_is_the_same(rng, threads):
    x = rng.normal(size=(3, 5, 9, 8))
    case = cases.Case(
        (x,), dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    )
    case.arguments["ceil_mode"] = True
    arrays.set_threads(threads)
    try:
        with mock.patch.object(pooling, "PIECE", 100):
            equals_its_definition(case)
    finally:
        arrays.set_threads(0)


def test_a_window_of_nothing_but_padding_has_no_pixel():
    x = Tensor(np.array([[[[-3.0]]]]), requires_grad=True)
    a = dict(kernel_size=2, stride=1, padding=((1, 1), (0, 1)), dilation=(2, 1))
    y, indices = ops.max_pool2d(x, **a, return_indices=True)
    np.testing.assert_array_equal(y.data, [[[[-np.inf]]]])  # taps at rows −1 and 1
    np.testing.assert_array_equal(indices, [[[[-1]]]])
    for actual, expected in zip(definition(x.data, **a), (y.data, indices)):
        np.testing.assert_array_equal(actual, expected)
    y.backward(np.ones(y.shape))
    np.testing.assert_array_equal(x.grad, [[[[0]]]])


def test_minus_infinity_is_a_pixel_like_any_other():
    x = Tensor(np.full((1, 1, 2, 2), -np.inf), requires_grad=True)
    y, indices = ops.max_pool2d(x, 2, return_indices=True)
    y.backward(np.array([[[[5.0]]]]))
    np.testing.assert_array_equal(indices, definition(x.data, kernel_size=2)[1])
    np.testing.assert_array_equal(x.grad, [[[[5, 0], [0, 0]]]])


def test_a_window_with_nan_is_nan_and_passes_no_gradient():
    x = Tensor(np.array([[[[1.0, np.nan, 3, 4]]]]), requires_grad=True)
    y, indices = ops.max_pool2d(x, (1, 2), return_indices=True)
    y.backward(np.array([[[[10.0, 20]]]]))
    np.testing.assert_array_equal(y.data, [[[[np.nan, 4]]]])
    np.testing.assert_array_equal(indices, [[[[-1, 3]]]])
    np.testing.assert_array_equal(x.grad, [[[[0, 0, 0, 20]]]])
    for actual, expected in zip(definition(x.data, (1, 2)), (y.data, indices)):
        np.testing.assert_array_equal(actual, expected)


def test_an_empty_batch_gives_an_empty_result():
    x = Tensor(np.zeros((0, 3, 6, 5)), requires_grad=True)
    y, indices = ops.max_pool2d(x, 2, return_indices=True)
    y.backward(np.zeros(y.shape))
    assert y.shape == indices.shape == (0, 3, 3, 2)
    assert x.grad.shape == x.shape


@cases.FEWEST
@given(cases.poolings())
def test_pooling_gradient(case):
    expected = definitions.max_pool2d(case.inputs[0], **case.arguments)
    if np.isfinite(expected).all():  # else the loss is infinite
        check_gradients(
            lambda x: ops.max_pool2d(x, **case.arguments),
            case.inputs,
            step=1e-3,
            full_size=200,
        )


# ---- planted faults


def changed(name, change):
    def wrong(op, x, **arguments):
        return op(x, **{**arguments, name: change(arguments[name])})

    return wrong


def zero_padded(op, x, padding, **arguments):
    return op(ops.pad(x, padding), padding=0, **arguments)


def last_of_equals(op, x, **arguments):
    """Turned by 180°, the last tap is the first."""
    _, _, H, W = x.shape
    a = {**arguments, "padding": tuple(p[::-1] for p in arguments["padding"])}
    if a["ceil_mode"] or not exact(a, (H, W)):
        return op(x, **arguments)
    turned = Tensor(x.data[:, :, ::-1, ::-1].copy(), requires_grad=True)
    y, indices = op(turned, **a)
    return Tensor(y.data[:, :, ::-1, ::-1]), H * W - 1 - indices[:, :, ::-1, ::-1]


def exact(a, size):
    """Whether the last window ends at the border, so that turning changes nothing."""
    return all(
        (n + sum(p) - d * (k - 1) - 1) % s == 0
        for n, p, d, k, s in zip(
            size, a["padding"], a["dilation"], a["kernel_size"], a["stride"]
        )
    )


def average(op, x, **arguments):
    y, indices = op(x, **arguments)
    return y * 0.5 + y.detach() * 0.5 + 0.1, indices


def gradient_doubled(op, x, **arguments):
    y, indices = op(x, **arguments)
    return y * 2.0 - y.detach(), indices


FAULTS = {
    "stride ignored": changed("stride", lambda s: None),
    "stride transposed": changed("stride", lambda s: s[::-1]),
    "kernel transposed": changed("kernel_size", lambda k: k[::-1]),
    "dilation ignored": changed("dilation", lambda d: 1),
    "padding ignored": changed("padding", lambda p: 0),
    "padding off by one": changed("padding", lambda p: (p[0][::-1], p[1])),
    "ceil for floor": changed("ceil_mode", lambda c: not c),
    "zero-padded": zero_padded,
    "last of equals": last_of_equals,
    "average": average,
    "gradient doubled": gradient_doubled,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault):
    def wrong(x, **arguments):
        try:
            return FAULTS[fault](ops.max_pool2d, x, **arguments)
        except ValueError:  # the fault does not fit this case
            return ops.max_pool2d(x, **arguments)

    def law(case):
        equals_its_definition(case, wrong)

    drawn = cases.poolings(ties=fault == "last of equals")
    with pytest.raises((AssertionError, IndexError)):
        QUIET(given(drawn)(law))()


# ---- errors


@pytest.mark.parametrize(
    "words, arguments",
    [
        ("kernel is larger than the padded height", dict(kernel_size=(7, 2))),
        ("padding must be at most half", dict(kernel_size=2, padding=2)),
        ("stride must be at least 1", dict(kernel_size=2, stride=0)),
        ("kernel_size must be at least 1", dict(kernel_size=(0, 2))),
        ("dilation must be at least 1", dict(kernel_size=2, dilation=(1, 0))),
    ],
)
def test_bad_arguments_are_refused(words, arguments):
    with pytest.raises(ValueError, match=words):
        ops.max_pool2d(Tensor(np.ones((2, 3, 6, 5))), **arguments)


def test_bad_arrays_are_refused():
    with pytest.raises(ValueError, match=r"shape \(6, 5\); max_pool2d needs"):
        ops.max_pool2d(Tensor(np.ones((6, 5))), 2)
    with pytest.raises(TypeError, match=r"x must be a Tensor of float32 .* int64"):
        ops.max_pool2d(Tensor(np.ones((2, 3, 6, 5), int)), 2)
    with pytest.raises(TypeError, match=r"max_pool2d takes Tensors, and x is ndarray"):
        ops.max_pool2d(np.ones((2, 3, 6, 5)), 2)
    with pytest.raises(ValueError, match=r"x has shape \(2, 0, 6, 5\); .* C, H and W"):
        ops.max_pool2d(Tensor(np.ones((2, 0, 6, 5))), 2)
