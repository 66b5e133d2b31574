"""SGD against Caffe's update rule written out, and the schedules by hand."""

import numpy as np
import pytest

from minifcn import Tensor, arrays, nn, optim
from tests.ops.common import peak_of


class Caffe:
    """sgd_solver.cpp in its order: normalise, regularise, momentum, update."""

    def __init__(self, weights, lr, momentum, decay, iter_size):
        self.weights = [w.copy() for w in weights]
        self.history = [np.zeros_like(w) for w in weights]
        self.lr, self.momentum, self.decay = lr, momentum, decay
        self.iter_size = iter_size

    def step(self, gradients, lr_mults, decay_mults):
        for i, gradient in enumerate(gradients):
            diff = gradient / self.iter_size
            diff = diff + self.decay * decay_mults[i] * self.weights[i]
            local_rate = self.lr * lr_mults[i]
            self.history[i] = local_rate * diff + self.momentum * self.history[i]
            self.weights[i] = self.weights[i] - self.history[i]


SHAPES = [(4, 3, 2), (5,), (2, 7)]
LR_MULTS, DECAY_MULTS = [1.0, 2.0, 0.5], [1.0, 0.0, 3.0]


def parameters(rng, dtype=np.float64):
    return [
        nn.Parameter(rng.normal(size=shape).astype(dtype), lr_mult, decay_mult)
        for shape, lr_mult, decay_mult in zip(SHAPES, LR_MULTS, DECAY_MULTS)
    ]


def gradients(rng):
    return [rng.normal(size=shape) for shape in SHAPES]


@pytest.mark.parametrize("momentum, decay", [(0, 0), (0.9, 0), (0, 0.1), (0.99, 0.05)])
@pytest.mark.parametrize("iter_size", [1, 5])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sgd_is_caffes(rng, momentum, decay, iter_size, dtype):
    params = parameters(rng, dtype)
    sgd = optim.SGD(params, 0.1, momentum, decay)
    caffe = Caffe([p.data for p in params], 0.1, momentum, decay, iter_size)
    for iteration in range(6):
        sgd.lr = caffe.lr = 0.1 / (1 + iteration)
        drawn = gradients(rng)
        for parameter, gradient in zip(params, drawn):
            parameter.grad = gradient.astype(dtype)
        sgd.step(iter_size)
        caffe.step(drawn, LR_MULTS, DECAY_MULTS)
        tolerance = 1e-13 if dtype == "float64" else 1e-5
        for parameter, weight in zip(params, caffe.weights):
            assert parameter.dtype == dtype
            np.testing.assert_allclose(
                parameter.data, weight, rtol=tolerance, atol=tolerance
            )


def test_wrong_rules_are_told_apart(rng):
    """Rate outside of the velocity, decoupled decay: other weights than Caffe's."""
    params = parameters(rng)
    start = [p.data.copy() for p in params]
    sgd = optim.SGD(params, 0.1, 0.9, 0.05)
    drawn = [gradients(rng) for _ in range(2)]
    for rate, gradient in zip((0.1, 0.01), drawn):
        sgd.lr = rate
        for parameter, g in zip(params, gradient):
            parameter.grad = g
        sgd.step()
    w, g = start[0], [d[0] for d in drawn]
    v = 0.1 * (g[0] + 0.05 * w)
    w1 = w - v
    caffe = w1 - (0.9 * v + 0.01 * (g[1] + 0.05 * w1))
    rate_outside = w1 - 0.01 * (0.9 * v / 0.1 + g[1] + 0.05 * w1)
    np.testing.assert_allclose(params[0].data, caffe, rtol=1e-13)
    assert abs(caffe - rate_outside).max() > 0.01


def test_step_in_pieces_is_the_same(rng, monkeypatch):
    monkeypatch.setattr(arrays, "PIECE", 5)
    test_sgd_is_caffes(rng, 0.9, 0.05, 2, "float64")


def test_step_takes_no_memory_but_pieces(rng, monkeypatch):
    monkeypatch.setattr(arrays, "threads", lambda: 2)
    weight = nn.Parameter(rng.normal(size=1 << 21).astype(np.float32))
    weight.grad = weight.data.copy()
    sgd = optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.01)
    sgd.step()  # makes the velocity
    _, peak = peak_of(sgd.step)
    assert peak < weight.data.nbytes / 3  # a piece for each thread


@pytest.mark.parametrize("batches", [1, 3])
def test_descend_is_backward_step_and_zero_grad(rng, batches):
    """Bit for bit; with a parameter read twice, and one that the loss leaves out."""
    arrays = [rng.normal(size=(3, 4)) for _ in range(4)]
    inputs = rng.normal(size=(2, batches, 3, 4))

    def trained(last):
        params = [
            nn.Parameter(array.copy(), mult)
            for array, mult in zip(arrays, [1, 2, 0, 1])
        ]
        sgd = optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01)
        a, b, frozen, apart = params
        for xs in inputs:
            apart.grad = np.ones((3, 4))
            losses = [((a * x * b + frozen) * a).sum() for x in xs]
            for loss in losses[:-1]:
                loss.backward()
            last(sgd, losses[-1])
        assert all(parameter.grad is None for parameter in params)
        return [parameter.data for parameter in params]

    def apart(sgd, loss):
        loss.backward()
        sgd.step(divide_by=batches)
        sgd.zero_grad()

    together = trained(lambda sgd, loss: sgd.descend(loss, divide_by=batches))
    np.testing.assert_array_equal(together, trained(apart))
    moved = [(w != first).any() for w, first in zip(together, arrays, strict=True)]
    assert moved == [True, True, False, True]


def test_descend_never_holds_all_gradients(rng):
    weights = [nn.Parameter(rng.normal(size=(1, 1 << 17))) for _ in range(8)]
    sgd = optim.SGD(weights, lr=0.1)
    sgd.velocity = {name: np.zeros((1, 1 << 17)) for name in sgd.params}

    def loss():  # a sum of eight products, one after the other
        total = Tensor(np.zeros(()))
        for weight in weights:
            total = total + (weight * 2.0).sum()
        return total

    at_once, apart = loss(), loss()
    _, all_of_them = peak_of(apart.backward)
    sgd.zero_grad()
    _, peak = peak_of(lambda: sgd.descend(at_once))
    size = weights[0].data.nbytes
    assert all_of_them >= 8 * size
    assert peak <= 5 * size


def test_gradient_of_any_layout_is_taken(rng):
    results = []
    for order in ("C", "F"):
        p = nn.Parameter(np.arange(12.0).reshape(3, 4))
        p.grad = np.asarray(np.arange(12.0).reshape(3, 4) ** 2, order=order)
        optim.SGD([p], 0.1).step()
        results.append(p.data)
    np.testing.assert_array_equal(*results)


def test_gradients_are_read_only_and_forgotten_on_request(rng):
    params = parameters(rng)
    sgd = optim.SGD(params, 0.1, 0.9, 0.1)
    for parameter, gradient in zip(params, gradients(rng)):
        parameter.grad = gradient
        parameter.grad.flags.writeable = False
    sgd.step()
    sgd.zero_grad()
    assert all(p.grad is None for p in params)


def test_frozen_parameters_and_those_without_gradient_stay(rng):
    moved, frozen, unused = parameters(rng)
    frozen.freeze()
    before = [p.data.copy() for p in (frozen, unused)]
    sgd = optim.SGD([moved, frozen, unused], 0.1, 0.9, 0.1)
    for _ in range(3):
        moved.grad = np.ones_like(moved.data)
        frozen.grad = np.ones_like(frozen.data)
        sgd.step()
    np.testing.assert_array_equal(frozen.data, before[0])
    np.testing.assert_array_equal(unused.data, before[1])
    assert list(sgd.state_dict()) == ["0"]


def test_rate_zero_changes_nothing_but_moves_on(rng):
    params = parameters(rng)
    before = [p.data.copy() for p in params]
    for p in params:
        p.grad = np.ones_like(p.data)
    optim.SGD(params, 0.0, 0.9, 0.1).step()
    for p, b in zip(params, before):
        np.testing.assert_array_equal(p.data, b)


def run(sgd, params, drawn):
    for gradient in drawn:
        for parameter, g in zip(params, gradient):
            parameter.grad = g
        sgd.step()


def test_state_round_trip_goes_on_bit_for_bit(rng):
    params, drawn = parameters(rng), [gradients(rng) for _ in range(6)]
    named = list(zip(["a.weight", "a.bias", "b.weight"], params))
    sgd = optim.SGD(named, 0.1, 0.9, 0.05)
    run(sgd, params, drawn[:3])
    state = {name: array.copy() for name, array in sgd.state_dict().items()}
    copies = [nn.Parameter(p.data.copy(), p.lr_mult, p.decay_mult) for p in params]
    run(sgd, params, drawn[3:])
    assert list(state) == ["a.weight", "a.bias", "b.weight"]

    resumed = optim.SGD(zip(state, copies), 0.1, 0.9, 0.05)
    resumed.load_state_dict(state)
    run(resumed, copies, drawn[3:])
    for p, q in zip(params, copies):
        np.testing.assert_array_equal(q.data, p.data)

    fresh = [nn.Parameter(q.data.copy()) for q in copies]
    forgotten = optim.SGD(zip(state, fresh), 0.1, 0.9, 0.05)
    before = {name: array.copy() for name, array in state.items()}
    forgotten.load_state_dict(state)
    run(forgotten, fresh, drawn[:1])
    for name, array in state.items():  # what was loaded is a copy
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernel_is_the_step_of_the_cpu(rng, device, dtype):
    ours = parameters(rng, dtype)
    theirs = [nn.Parameter(p.data.copy(), p.lr_mult, p.decay_mult) for p in ours]
    for p in theirs:
        p.data = arrays.to_device(p.data, device)
    one, other = (optim.SGD(params, 0.1, 0.9, 0.05) for params in (ours, theirs))
    for iteration in range(4):
        one.lr = other.lr = 0.1 / (1 + iteration)
        for p, q, gradient in zip(ours, theirs, gradients(rng)):
            p.grad = gradient.astype(dtype)
            q.grad = arrays.to_device(p.grad, device)
        one.step(divide_by=3)
        other.step(divide_by=3)
        if iteration == 1:  # as after a checkpoint, which holds arrays of NumPy
            state = {n: arrays.to_numpy(v) for n, v in other.state_dict().items()}
            other.load_state_dict(state)
    for p, q in zip(ours, theirs):
        assert arrays.device_of(q.data) == device
        np.testing.assert_array_equal(arrays.to_numpy(q.grad), p.grad)
        tolerance = 1e-14 if dtype == "float64" else 1e-6
        np.testing.assert_allclose(
            arrays.to_numpy(q.data), p.data, rtol=tolerance, atol=tolerance
        )


def test_state_on_a_device_is_a_copy(rng, device):
    parameter = nn.Parameter(arrays.to_device(np.ones(3), device))
    parameter.grad = arrays.to_device(np.ones(3), device)
    sgd = optim.SGD([parameter], 0.5, 0.9)
    sgd.step()
    state = sgd.state_dict()
    before = arrays.to_numpy(state["0"]).copy()
    other = optim.SGD([parameter], 0.5, 0.9)
    other.load_state_dict(state)
    other.step()
    np.testing.assert_array_equal(arrays.to_numpy(state["0"]), before)
    np.testing.assert_array_equal(before, [0.5, 0.5, 0.5])
    np.testing.assert_allclose(arrays.to_numpy(other.velocity["0"]), 0.95)


def test_state_of_other_parameters_is_refused(rng):
    sgd = optim.SGD(parameters(rng), 0.1)
    for state in ({"9": np.ones(2)}, {"1": np.ones(6)}):
        with pytest.raises(ValueError, match="belongs to no parameter"):
            sgd.load_state_dict(state)
    assert sgd.state_dict() == {}


@pytest.mark.parametrize(
    "settings",
    [
        dict(lr=-0.1),
        dict(lr=float("nan")),
        dict(lr=0.1, momentum=1),
        dict(lr=0.1, momentum=-0.1),
        dict(lr=0.1, weight_decay=-1),
    ],
)
def test_settings_out_of_range_are_refused(rng, settings):
    with pytest.raises(ValueError, match=r"they must be ≥ 0, in \[0, 1\) and ≥ 0"):
        optim.SGD(parameters(rng), **settings)


def test_no_parameters_are_refused():
    with pytest.raises(ValueError, match="params is empty"):
        optim.SGD([], 0.1)


# ---- schedules


def test_schedules_by_hand():
    constant = optim.constant(0.3)
    assert [constant(i) for i in (0, 7, 10**6)] == [0.3] * 3
    step = optim.step(0.8, every=3, gamma=0.5)
    assert [step(i) for i in range(8)] == pytest.approx(
        [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]
    )
    assert optim.step(1, 10)(25) == pytest.approx(0.01)
    poly = optim.poly(2, total=4, power=2)
    assert [poly(i) for i in range(6)] == pytest.approx(
        [2, 2 * 9 / 16, 0.5, 2 / 16, 0, 0]
    )
    assert optim.poly(1, 100)(50) == pytest.approx(0.5**0.9)
    warm = optim.warm_up(optim.constant(0.4), 4)
    assert [warm(i) for i in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert optim.warm_up(optim.constant(0.4), 0)(0) == 0.4


def test_impossible_schedules_are_refused():
    with pytest.raises(ValueError, match="every is 0; it must be 1"):
        optim.step(0.1, 0)
    with pytest.raises(ValueError, match="total is 0; it must be 1"):
        optim.poly(0.1, 0)


def test_a_parameter_or_a_name_given_twice_is_refused():
    one, other = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))
    with pytest.raises(ValueError, match="same parameter twice"):
        optim.SGD([one, other, one], 0.1)
    with pytest.raises(ValueError, match="the same name"):
        optim.SGD([("a", one), ("a", other)], 0.1)
