"""Local response normalization: by hand, definition, gradient, planted faults."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.laws import check_gradients
from minifcn.ops import definitions, normalization
from tests.ops import cases


@st.composite
def normalizations(draw):
    """Images of unequal sizes; windows odd, even, and larger than all channels."""
    C, (H, W) = draw(st.integers(1, 6)), draw(cases.unequal(1, 4))
    x = 2 * draw(cases.generators()).standard_normal((draw(st.integers(2, 3)), C, H, W))
    arguments = {
        "size": draw(st.integers(1, 2 * C + 2)),
        "alpha": draw(st.sampled_from([0.0, 0.3, 2.0])),
        "beta": draw(st.sampled_from([-0.5, 0.75, 1.0, 2])),
        "k": draw(st.sampled_from([0.5, 1, 2.0])),
    }
    return cases.Case((x,), arguments)


def equals_its_definition(
    case, op=ops.local_response_norm, dtype="float64", layout=cases.contiguous
):
    expected = definitions.local_response_norm(*case.inputs, **case.arguments)
    y = op(*cases.tensors(case.inputs, dtype, layout), **case.arguments)
    cases.close(y.data, expected, dtype)


def by_hand(size):
    """Channels 1, 2, 3, 4 with α = size, β = 1, k = 1: x_c / (1 + Σ of squares)."""
    x = np.arange(1.0, 5).reshape(1, 4, 1, 1)
    arguments = dict(size=size, alpha=size, beta=1.0, k=1.0)
    told = definitions.local_response_norm(x, **arguments)
    y = ops.local_response_norm(Tensor(x), **arguments)
    np.testing.assert_allclose(y.data, told, rtol=1e-15)
    return told.ravel()


def test_windows_by_hand():
    np.testing.assert_allclose(by_hand(1), [1 / 2, 2 / 5, 3 / 10, 4 / 17])
    np.testing.assert_allclose(by_hand(3), [1 / 6, 2 / 15, 3 / 30, 4 / 26])
    # Even: one more channel before than after.
    np.testing.assert_allclose(by_hand(2), [1 / 2, 2 / 6, 3 / 14, 4 / 26])
    np.testing.assert_allclose(by_hand(4), [1 / 6, 2 / 15, 3 / 31, 4 / 30])
    np.testing.assert_allclose(by_hand(99), np.arange(1, 5) / 31)


def test_alexnet_by_hand():
    """Caffe divides α by the size: 1 + 1e-4 / 5 · (100² + 300²) = 3."""
    x = Tensor(np.array([100.0, 300]).reshape(1, 2, 1, 1))
    y = ops.local_response_norm(x, 5)
    np.testing.assert_allclose(y.data.ravel(), [100 / 3**0.75, 300 / 3**0.75])
    # The paper: 2 + 1e-4 · (100² + 300²) = 12.
    y = ops.local_response_norm(x, 5, alpha=5e-4, k=2)
    np.testing.assert_allclose(y.data.ravel(), [100 / 12**0.75, 300 / 12**0.75])


@cases.FEW
@given(normalizations(), cases.dtypes, cases.layouts)
def test_equals_its_definition(case, dtype, layout):
    equals_its_definition(case, dtype=dtype, layout=layout)


@cases.FEW
@given(normalizations())
def test_gradient(case):
    op = ops.local_response_norm
    check_gradients(lambda x: op(x, **case.arguments), case.inputs)


@pytest.mark.parametrize("dtype", cases.TOLERANCE)
@pytest.mark.parametrize("layout", [cases.contiguous, cases.strided])
def test_gradient_in_any_layout_and_cut_into_bands(rng, dtype, layout):
    x, gy = rng.normal(size=(2, 2, 5, 7, 3))
    (plain,), (leaf,) = cases.tensors([x]), cases.tensors([x], dtype, layout)
    ops.local_response_norm(plain, 4, 2.0).backward(gy)
    gradient = layout(gy.astype(dtype))
    gradient.flags.writeable = False
    with mock.patch.object(normalization, "PIECE", 2 * 5 * 3):  # two rows
        y = ops.local_response_norm(leaf, 4, 2.0)
        y.backward(gradient)
    cases.close(y.data, definitions.local_response_norm(x, 4, 2.0), dtype)
    cases.close(leaf.grad, plain.grad, dtype)


def test_small_channels_beside_a_large_one_keep_their_digits():
    """Differences of a running sum would lose the 1 behind 1e6² in float32."""
    x = np.array([1e6, 1, 1, 1], np.float32).reshape(1, 4, 1, 1)
    y = ops.local_response_norm(Tensor(x), 3, alpha=3.0, beta=1.0, k=0.0)
    np.testing.assert_allclose(y.data.ravel()[2:], [1 / 3, 1 / 2], rtol=1e-6)


def test_no_image_gives_none():
    x = Tensor(np.zeros((0, 3, 4, 5), np.float32), requires_grad=True)
    y = ops.local_response_norm(x, 3)
    y.backward(np.zeros(x.shape))
    assert y.shape == x.grad.shape == x.shape
    assert y.dtype == np.float32


# ---- planted faults


def changed(name, change):
    def wrong(x, **arguments):
        value = change(arguments[name], arguments)
        return ops.local_response_norm(x, **{**arguments, name: value})

    return wrong


def window_mirrored(x, **arguments):
    turned = ops.local_response_norm(Tensor(x.data[:, ::-1]), **arguments)
    return Tensor(turned.data[:, ::-1])


def rows_for_channels(x, **arguments):
    turned = Tensor(x.data.swapaxes(1, 2))
    return Tensor(ops.local_response_norm(turned, **arguments).data.swapaxes(1, 2))


FAULTS = {
    "alpha not divided": changed("alpha", lambda alpha, a: alpha * a["size"]),
    "window too large": changed("size", lambda size, a: size + 1),
    "k forgotten": changed("k", lambda k, a: 1.0),
    "beta forgotten": changed("beta", lambda beta, a: 0.75),
    "window mirrored": window_mirrored,
    "rows for channels": rows_for_channels,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(rng, fault):
    arguments = dict(size=4, alpha=0.3, beta=1.0, k=2.0)
    case = cases.Case((rng.normal(size=(2, 5, 3, 4)),), arguments)
    equals_its_definition(case)
    with pytest.raises(AssertionError):
        equals_its_definition(case, FAULTS[fault])


# ---- errors


@pytest.mark.parametrize(
    "error, words, arguments",
    [
        (ValueError, r"shape \(3, 4, 5\); local_response_norm", dict(x=(3, 4, 5))),
        (ValueError, r"\(2, 0, 4, 5\); .* 1 or more", dict(x=(2, 0, 4, 5))),
        (ValueError, "size must be at least 1, not 0", dict(size=0)),
        (TypeError, "size must be an integer, not 5.0", dict(size=5.0)),
        (TypeError, "alpha must be a number, not '1'", dict(alpha="1")),
        (TypeError, "k must be a number, not True", dict(k=True)),
        (ValueError, "alpha is -0.1; .* finite number, 0 or more", dict(alpha=-0.1)),
        (ValueError, "k is -1; .* finite number, 0 or more", dict(k=-1)),
        (ValueError, "beta is nan; it must be a finite number", dict(beta=np.nan)),
        (ValueError, "alpha is inf; .* finite", dict(alpha=np.inf)),
    ],
)
def test_bad_input_is_refused(error, words, arguments):
    arguments = {"x": (2, 3, 4, 5), "size": 5} | arguments
    x = Tensor(np.ones(arguments.pop("x")))
    with pytest.raises(error, match=words):
        ops.local_response_norm(x, **arguments)


def test_only_tensors_of_floats_are_taken():
    x = np.ones((2, 3, 4, 5))
    with pytest.raises(TypeError, match="local_response_norm takes Tensors, and x is"):
        ops.local_response_norm(x, 5)
    with pytest.raises(TypeError, match="x must be a Tensor of float32 or float64"):
        ops.local_response_norm(Tensor(x.astype(int)), 5)
