"""ReLU, what it may overwrite, and dropout's random numbers."""

import json

import numpy as np
import pytest

from minifcn import Tensor, arrays, nn, no_grad, ops
from minifcn.ops.activation import relu_definition
from tests.ops import common


@pytest.fixture(autouse=True)
def random_numbers():
    state = nn.random_state()
    yield
    nn.set_random_state(state)


def test_relu_by_hand():
    x = np.array([[-2.0, -0.5, 0.0], [0.5, 3.0, -np.inf], [-0.0, 1e-30, np.inf]])
    expected = [[0, 0, 0], [0.5, 3, 0], [0, 1e-30, np.inf]]
    np.testing.assert_array_equal(ops.relu(Tensor(x)).data, expected)
    np.testing.assert_array_equal(relu_definition(x), expected)
    np.testing.assert_array_equal(relu_definition(x, inplace=True), expected)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("x", [np.ones((2, 3)), [1.0], Tensor(np.ones((2, 3), int))])
@pytest.mark.parametrize("operator", [ops.relu, ops.dropout])
def test_what_is_no_tensor_of_floats_is_refused(operator, x):
    with pytest.raises(
        TypeError, match=f"{operator.__name__} takes|x must be a Tensor"
    ):
        operator(x)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_relu_in_pieces(monkeypatch, rng, threads):
    monkeypatch.setattr(arrays, "PIECE", 50)
    arrays.set_threads(threads)
    try:
        x = Tensor(rng.normal(size=(3, 7, 11)), requires_grad=True)
        y = ops.relu(x)
        gy = common.upstream(y)
        y.backward(gy)
    finally:
        arrays.set_threads(0)
    np.testing.assert_array_equal(y.data, np.maximum(x.data, 0))
    np.testing.assert_array_equal(x.grad, gy * (x.data > 0))


@pytest.mark.parametrize("device", arrays.DEVICES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_nothing_passed_an_infinite_gradient_does_not_either(device, dtype):
    try:
        arrays.check_device(device)
    except ValueError as error:
        pytest.skip(str(error))
    x = np.array([[-1, 2, 0], [3, -4, 5]], dtype)
    x = Tensor(arrays.to_device(x, device), requires_grad=True)
    gy = np.array([[np.inf, -np.inf, np.nan], [7, np.nan, np.nan]], dtype)
    ops.relu(x).backward(arrays.to_device(gy, device))
    expected = [[0, -np.inf, 0], [7, 0, np.nan]]
    np.testing.assert_array_equal(arrays.to_numpy(x.grad), expected)


@pytest.mark.parametrize("device", arrays.DEVICES)
def test_what_is_dropped_is_0_even_where_it_was_infinite(device):
    try:
        arrays.check_device(device)
    except ValueError as error:
        pytest.skip(str(error))
    endless = np.full((1, 2, 30, 31), np.inf)
    x = Tensor(arrays.to_device(endless, device), requires_grad=True)
    ones = Tensor(arrays.to_device(np.ones((1, 2, 1, 1)), device))
    y = ops.conv2d_relu(x, ones, p=0.5)
    assert set(np.unique(arrays.to_numpy(y.data))) == {0, np.inf}
    y = ops.dropout(x, 0.5)
    assert set(np.unique(arrays.to_numpy(y.data))) == {0, np.inf}
    y.backward(arrays.to_device(endless, device))
    np.testing.assert_array_equal(arrays.to_numpy(x.grad), arrays.to_numpy(y.data))


# ---- in place


def test_relu_in_place_overwrites_and_has_the_same_gradient(rng):
    x = rng.normal(size=(2, 3, 4))
    results = []
    for inplace in (False, True):
        leaf = Tensor(x.copy(), requires_grad=True)
        h = leaf * 2.0
        y = ops.relu(h, inplace=inplace)
        assert (y.data is h.data) is inplace
        y.backward(common.upstream(y))
        results.append((y.data, leaf.grad))
        np.testing.assert_array_equal(leaf.data, x)
    for plain, in_place in zip(*results):
        np.testing.assert_array_equal(in_place, plain)


def test_reading_what_was_overwritten_reads_the_result(rng):
    """h after relu(h, inplace=True) is y, in value and in gradient."""
    leaf = Tensor(np.array([-1.0, 2.0]), requires_grad=True)
    h = leaf * 1.0
    ops.relu(h, inplace=True)
    z = h * 3.0
    np.testing.assert_array_equal(z.data, [0, 6])
    z.backward(np.ones(2))
    np.testing.assert_array_equal(leaf.grad, [0, 3])


def test_constant_may_be_overwritten():
    x = Tensor(np.array([-1.0, 2.0]))
    ops.relu(x, inplace=True)
    np.testing.assert_array_equal(x.data, [0, 2])


def leaf():
    return Tensor(np.array([[-1.0, 2.0]]), requires_grad=True)


def read_before():
    h = leaf() * 2.0
    h * h
    return h


def detached_before():
    h = leaf() * 2.0
    h.detach()
    return h


REFUSED = {
    "a leaf that requires a gradient": leaf,
    "another operation has read it": read_before,
    "another .* has read it": detached_before,
    "ReLU keeps it for its backward pass": lambda: ops.relu(leaf()),
    "Reshape keeps it": lambda: leaf().reshape(2, 1),
    "Crop keeps it": lambda: ops.crop(leaf(), 0, (1, 2)),
    "MaxPool2d keeps it": lambda: ops.max_pool2d(leaf().reshape(1, 1, 1, 2) * 1.0, 1),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_somebody_needs_is_not_overwritten(reason):
    x = REFUSED[reason]()
    before = x.data.copy()
    with pytest.raises(ValueError, match=f"cannot overwrite x: .*{reason}"):
        ops.relu(x, inplace=True)
    np.testing.assert_array_equal(x.data, before)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.detach(),
        lambda x: x.reshape(2, 1),
        lambda x: ops.crop(x, 0, (1, 2)),
        lambda x: ops.pad(x, 0),
    ],
)
def test_views_of_an_array_are_not_overwritten_off_the_tape(view):
    x = leaf()
    with no_grad(), pytest.raises(ValueError, match="cannot overwrite"):
        ops.relu(view(x), inplace=True)
    np.testing.assert_array_equal(x.data, [[-1, 2]])


def test_layers_outputs_are_overwritten_off_the_tape(rng):
    x = Tensor(rng.normal(size=(2, 3, 5, 4)))
    with no_grad():
        h = ops.conv2d(x, Tensor(rng.normal(size=(4, 3, 2, 3))))
        assert ops.relu(h, inplace=True).data is h.data


# ---- dropout


def test_seed_repeats_and_state_goes_on():
    x = Tensor(np.ones((4, 5)))
    nn.seed(7)
    first, second = ops.dropout(x).data, ops.dropout(x).data
    assert (first != second).any()
    nn.seed(7)
    np.testing.assert_array_equal(ops.dropout(x).data, first)
    state = json.loads(json.dumps(nn.random_state()))
    np.testing.assert_array_equal(ops.dropout(x).data, second)
    nn.seed(8)
    assert (ops.dropout(x).data != first).any()
    nn.set_random_state(state)
    np.testing.assert_array_equal(ops.dropout(x).data, second)


def test_state_is_a_copy():
    state = nn.random_state()
    before = json.dumps(state)
    ops.dropout(Tensor(np.ones((40, 50))))
    assert json.dumps(state) == before


def test_outside_of_training_no_random_number_is_drawn():
    x = Tensor(np.ones((4, 5)))
    before = nn.random_state()
    ops.dropout(x, 0.5, training=False)
    ops.dropout(x, 0.0)
    assert nn.random_state() == before


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_impossible_probability_is_refused(p):
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\)"):
        ops.dropout(Tensor(np.ones(3)), p)


@pytest.mark.parametrize("p", ["0.5", None, True, np.ones(2)])
def test_probability_that_is_no_number_is_refused(p):
    with pytest.raises(TypeError, match=r"p is .* must be a number"):
        ops.dropout(Tensor(np.ones(3)), p)
