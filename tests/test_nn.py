"""Modules: their parameters, names, states and initialisers."""

import math
from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, arrays, nn, ops


class Block(nn.Module):
    """Two convolutions and a dropout."""

    def __init__(self):
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 2, 1, stride=2)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.second(self.drop(ops.relu(self.first(x))))


class Net(nn.Module):
    """A block within a network, and a parameter of its own."""

    def __init__(self):
        self.block = Block()
        self.gain = nn.Parameter(np.full((), 2.0, np.float32))
        self.note = "no parameter"

    def forward(self, x):
        return self.block(x) * self.gain


NAMES = [
    "block.first.weight",
    "block.first.bias",
    "block.second.weight",
    "block.second.bias",
    "gain",
]


def copies(module):
    return {name: array.copy() for name, array in module.state_dict().items()}


def test_parameters_are_found_by_their_paths():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert list(net.parameters()) == [p for _, p in net.named_parameters()]
    assert dict(net.named_parameters())["block.second.bias"] is net.block.second.bias
    assert [name for name, _ in net.children()] == ["block"]
    assert nn.count_parameters(net) == 4 * 3 * 9 + 4 + 2 * 4 + 2 + 1


def test_forward_is_that_of_the_operators(rng):
    nn.seed(1)
    net = Net().eval()
    x = Tensor(rng.normal(size=(2, 3, 5, 4)).astype(np.float32))
    net.block.first.bias.data[:] = rng.normal(size=4)
    h = ops.conv2d(x, net.block.first.weight, net.block.first.bias, padding=1)
    y = ops.conv2d(
        ops.relu(h), net.block.second.weight, net.block.second.bias, stride=2
    )
    np.testing.assert_array_equal(net(x).data, 2 * y.data)
    assert net(x).shape == (2, 2, 3, 2)


def test_all_arguments_of_a_convolution_arrive(rng):
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=3, dilation=2, groups=2)
    x = Tensor(rng.normal(size=(2, 4, 9, 8)).astype(np.float32))
    expected = ops.conv2d(x, layer.weight, layer.bias, 2, 3, 2, 2)
    assert layer.weight.shape == (6, 2, 3, 3)
    np.testing.assert_array_equal(layer(x).data, expected.data)


def test_train_and_eval_reach_all_layers_and_switch_dropout(rng):
    net = Net()
    x = Tensor(rng.normal(size=(2, 3, 15, 14)).astype(np.float32))
    assert net.training
    assert net.block.drop.training
    assert (net(x).data != net(x).data).any()
    assert net.eval() is net
    modules = net, net.block, net.block.first, net.block.drop
    assert not any(module.training for module in modules)
    np.testing.assert_array_equal(net(x).data, net(x).data)
    assert net.train() is net
    assert net.block.drop.training


def test_zero_grad_forgets_all_gradients(rng):
    net = Net()
    net(Tensor(rng.normal(size=(2, 3, 5, 4)).astype(np.float32))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_to_changes_the_type_and_forgets_gradients(rng):
    net = Net()
    net.gain.grad = np.ones((), np.float32)
    before = copies(net)
    assert net.to(dtype=np.float64) is net
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.gain.grad is None
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert net.to("cpu").eval()(Tensor(rng.normal(size=(1, 3, 4, 5)))).dtype == "f8"
    with pytest.raises(ValueError, match="must be 'cpu' or 'cuda'"):
        net.to("tpu")


# ---- states


def test_state_round_trip():
    nn.seed(1)
    source = Net()
    nn.seed(2)
    target = Net()
    state = copies(source)
    assert (target.block.first.weight.data != state["block.first.weight"]).any()
    target.load_state_dict(state)
    for name, array in target.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    state["gain"][...] = 77  # what was loaded is a copy
    assert target.gain.item() == 2


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda s: s.pop("gain"), "gain missing, no names unknown"),
        (lambda s: s.update(extra=np.ones(1)), "no names missing, extra unknown"),
        (
            lambda s: s.update(gain=np.ones(2)),
            r"gain has shape \(2,\) in the state; this network's is \(\)",
        ),
        (
            lambda s: s.clear(),
            r"block.first.bias, block.first.weight, .* and 1 more missing",
        ),
    ],
)
def test_state_of_another_network_is_refused_and_nothing_copied(change, sentence):
    net = Net()
    before = copies(net)
    state = {name: array + 1 for name, array in before.items()}
    change(state)
    with pytest.raises(ValueError, match=sentence):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# ---- parameters and initialisers


def test_biases_learn_twice_as_fast_and_do_not_decay():
    layer = nn.Conv2d(3, 4, 3)
    assert (layer.weight.lr_mult, layer.weight.decay_mult) == (1, 1)
    assert (layer.bias.lr_mult, layer.bias.decay_mult) == (2, 0)
    np.testing.assert_array_equal(layer.bias.data, np.zeros(4))


def test_frozen_parameters_require_no_gradient(rng):
    layer = nn.Conv2d(3, 4, 3)
    layer.weight.freeze()
    assert layer.weight.lr_mult == 0
    layer(Tensor(rng.normal(size=(1, 3, 5, 4)).astype(np.float32))).sum().backward()
    assert layer.weight.grad is None
    np.testing.assert_array_equal(layer.bias.grad, np.full(4, 3 * 2))
    assert not nn.Parameter(np.ones(2), lr_mult=0).requires_grad


@pytest.mark.parametrize(
    "initialiser, variance",
    [
        (nn.he_normal, 2 / (50 * 3 * 4)),
        (nn.xavier_normal, 1 / (50 * 3 * 4)),
    ],
)
def test_variance_of_normal_initialisers(initialiser, variance):
    nn.seed(3)
    weight = initialiser((80, 50, 3, 4))
    assert weight.dtype == np.float32
    n = weight.size
    assert abs(weight.mean()) < 4 * math.sqrt(variance / n)
    assert weight.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / n))


def test_he_weights_keep_the_scale_through_relu_layers(rng):
    nn.seed(4)
    x = Tensor(rng.normal(size=(2, 64, 12, 13)).astype(np.float32))
    scales = []
    for _ in range(8):
        x = ops.relu(nn.Conv2d(64, 64, 3, padding=1)(x))
        scales.append(float((x.data[:, :, 2:-2, 2:-2] ** 2).mean()))
    assert 0.2 < scales[-1] / scales[0] < 2


def test_bilinear_weights_stand_on_the_diagonal():
    weight = nn.bilinear((3, 3, 4, 6))
    assert weight.dtype == np.float32
    kernel = ops.bilinear_kernel((4, 6))
    for i in range(3):
        for j in range(3):
            expected = kernel if i == j else np.zeros((4, 6))
            np.testing.assert_allclose(weight[i, j], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="as many channels in as out"):
        nn.bilinear((3, 4, 4, 4))


def test_upsample_enlarges_and_is_frozen_unless_learned(rng):
    x = Tensor(rng.normal(size=(2, 3, 4, 5)).astype(np.float32))
    up = nn.Upsample(3, 2)
    assert up(x).shape == (2, 3, 3 * 2 + 4, 4 * 2 + 4)
    np.testing.assert_array_equal(
        up(x).data, ops.conv_transpose2d(x, up.weight, stride=2).data
    )
    assert not up.weight.requires_grad
    learned = nn.Upsample(3, 2, learned=True)
    assert learned.weight.requires_grad
    np.testing.assert_array_equal(learned.weight.data, up.weight.data)
    # 2f for even factors, 2f − 1 for odd ones (f = 32: 64), unless told otherwise
    sizes = [nn.Upsample(1, f).kernel_size for f in (2, 3, 8, 32)]
    assert sizes == [4, 5, 16, 64]
    assert nn.Upsample(1, 32, kernel_size=63).weight.shape == (1, 1, 63, 63)


def test_seed_repeats_the_initial_weights():
    def weights(seed):
        nn.seed(seed)
        return copies(Net())

    first, again, other = weights(5), weights(5), weights(6)
    for name in NAMES:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["block.first.weight"] != other["block.first.weight"]).any()
    assert (first["block.first.weight"][:2] != first["block.first.weight"][2:]).any()


def test_gradients_are_clipped_by_their_common_norm():
    a, b, c = (nn.Parameter(np.zeros(n)) for n in (2, 1, 3))
    a.grad, b.grad = np.array([3.0, 0]), np.array([4.0])
    assert nn.clip_gradients(iter([a, b, c]), 10) == 5
    np.testing.assert_array_equal(a.grad, [3, 0])
    assert nn.clip_gradients(iter([a, b, c]), 1) == 5
    np.testing.assert_allclose(a.grad, [0.6, 0])
    np.testing.assert_allclose(b.grad, [0.8])
    assert c.grad is None


@pytest.mark.parametrize("largest", [10, 5, 1, 0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_clipped_on_a_device(device, largest, dtype):
    shapes = ((2, 3), (1,))
    ours, theirs = ([nn.Parameter(np.zeros(s, dtype)) for s in shapes] for _ in "ab")
    for p, q, value in zip(ours, theirs, (3 / 6**0.5, 4)):
        p.grad = np.full(p.shape, value, dtype)
        q.grad = arrays.to_device(p.grad, device)
    norm = nn.clip_gradients(iter(theirs), largest)
    assert float(norm) == pytest.approx(nn.clip_gradients(iter(ours), largest))
    for p, q in zip(ours, theirs):
        assert q.grad.dtype == dtype
        np.testing.assert_allclose(arrays.to_numpy(q.grad), p.grad, rtol=1e-6)


def test_net_is_moved_whatever_the_order_of_its_arrays(device):
    layer = nn.Conv2d(2, 3, (2, 5))
    layer.weight.data = np.asfortranarray(layer.weight.data)
    before = layer.weight.data.copy()
    layer.to(device, "float64")
    for p in layer.parameters():
        assert p.data.flags.c_contiguous
        assert arrays.device_of(p.data) == device
        assert p.dtype == "float64"
    np.testing.assert_array_equal(layer.to("cpu").weight.data, before)


def test_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(Tensor(np.ones(1)))


def test_layers_in_a_list_have_names_and_parameters():
    class Chain(nn.Module):
        def __init__(self):
            self.layers = [nn.Conv2d(2, 3, 1), nn.Dropout(), nn.Conv2d(3, 4, 3)]

    chain = Chain()
    names = [name for name, _ in chain.named_parameters()]
    assert names == [
        "layers.0.weight",
        "layers.0.bias",
        "layers.2.weight",
        "layers.2.bias",
    ]
    chain.eval()
    assert not chain.layers[1].training


# ---- layers and containers


@pytest.mark.parametrize(
    "layer, operator",
    [
        (nn.ReLU(), ops.relu),
        (
            nn.MaxPool2d((2, 3), (1, 2), 1, 2, True),
            lambda x: ops.max_pool2d(x, (2, 3), (1, 2), 1, 2, True),
        ),
        (nn.MaxPool2d((2, 3)), lambda x: ops.max_pool2d(x, (2, 3), (2, 3))),
        (
            nn.AvgPool2d((2, 3), (1, 2), 1, True, False, None, (2, 1)),
            lambda x: ops.avg_pool2d(x, (2, 3), (1, 2), 1, True, False, None, (2, 1)),
        ),
        (
            nn.AvgPool2d((2, 3), divisor_override=5),
            lambda x: ops.avg_pool2d(x, (2, 3), divisor_override=5),
        ),
        (
            nn.LocalResponseNorm(3, 0.1, 0.5, 2.0),
            lambda x: ops.local_response_norm(x, 3, 0.1, 0.5, 2.0),
        ),
        (nn.Pad(((1, 0), (2, 3)), -1.0), lambda x: ops.pad(x, ((1, 0), (2, 3)), -1.0)),
    ],
)
def test_all_arguments_of_a_layer_arrive(rng, layer, operator):
    x = rng.normal(size=(2, 4, 9, 8))
    expected = operator(Tensor(x)).data
    assert expected.size
    np.testing.assert_array_equal(layer(Tensor(x)).data, expected, strict=True)
    assert list(layer.parameters()) == []


def names_of(*layers):
    return [name for name, _ in nn.fused(nn.Sequential(*layers).children())]


def test_a_convolution_its_relu_and_its_dropout_are_one_step():
    conv, relu, drop = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Dropout()
    assert names_of(conv, relu, drop, conv) == ["2", "3"]
    assert names_of(relu, conv, drop, relu) == ["0", "1", "2", "3"]
    assert names_of(conv, conv, relu, relu, drop) == ["0", "2", "3", "4"]
    assert names_of(conv, relu) == ["1"]
    assert names_of() == []


def test_a_layer_with_a_forward_of_its_own_is_a_step_of_its_own():
    class Doubled(nn.ReLU):
        def forward(self, *inputs):
            return super().forward(*inputs) * 2.0

    class Named(nn.Conv2d):
        """Another name, the same forward."""

    conv, relu, drop = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Dropout()
    assert names_of(conv, Doubled(), drop) == ["0", "1", "2"]
    assert names_of(Named(3, 3, 1), relu, drop) == ["2"]


def test_a_layer_that_somebody_watches_is_a_step_of_its_own():
    class Watched(nn.Conv2d):
        def __call__(self, *inputs):
            return super().__call__(*inputs)

    relu = nn.ReLU()
    assert names_of(Watched(3, 3, 1), relu) == ["0", "1"]
    relu.forward = lambda x: x * 2.0
    assert names_of(nn.Conv2d(3, 3, 1), relu) == ["0", "1"]


def test_a_dropout_is_asked_itself_whether_it_drops(rng):
    x = Tensor(rng.normal(size=(1, 3, 4, 5)).astype("f"))
    conv, drop = nn.Conv2d(3, 3, 1), nn.Dropout(0.999)
    net = nn.Sequential(conv, nn.ReLU(), drop)
    drop.eval()
    np.testing.assert_array_equal(net(x).data, ops.relu(conv(x)).data)
    with pytest.raises(ValueError, match=r"p is 1\.5; the probability of dropout"):
        nn.Sequential(conv, nn.ReLU(), nn.Dropout(1.5)).eval()(x)


def test_a_second_relu_may_write_over_the_first(rng):
    x = Tensor(rng.normal(size=(1, 3, 4, 5)).astype("f"), requires_grad=True)
    layers = [nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Dropout(0.5), nn.ReLU(inplace=True)]
    grads = []
    for run in (nn.Sequential(*layers), nn.Sequential(*layers[:3])):
        nn.seed(0)
        x.grad = None
        y = run(x)
        y.backward(np.ones(y.shape))
        grads.append(x.grad)
    np.testing.assert_array_equal(*grads)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_fused_or_not_the_numbers_are_the_same(rng, training, inplace):
    conv = nn.Conv2d(3, 4, (2, 3), stride=(2, 1), padding=((1, 0), (2, 1)))
    net = nn.Sequential(conv, nn.ReLU(inplace), nn.Dropout(0.3), nn.Conv2d(4, 2, 1))
    net.to(dtype=np.float64).train(training)
    conv.bias.data = rng.normal(size=4)
    image = rng.normal(size=(2, 3, 7, 5))

    def run(forward):
        nn.seed(3)
        net.zero_grad()
        x = Tensor(image, requires_grad=True)
        y = forward(x)
        y.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        return [y.data, x.grad, *(p.grad for p in net.parameters())]

    def one_by_one(x):
        for layer in net.layers:
            x = layer(x)
        return x

    calls = []
    real = ops.conv2d_relu
    with mock.patch.object(
        ops, "conv2d_relu", lambda *given: calls.append(given) or real(*given)
    ):
        fused = run(net)
    assert [given[-2] for given in calls] == [0.3 if training else 0.0]
    for ours, plain in zip(fused, run(one_by_one)):
        np.testing.assert_array_equal(ours, plain)


def test_relu_in_place_writes_over_its_input(rng):
    x = Tensor(rng.normal(size=(2, 3)))
    y = nn.ReLU(inplace=True)(x)
    assert y.data is x.data
    assert x.data.min() == 0


def test_kernels_may_be_oblong_and_padding_have_four_sides(rng):
    sides = ((2, 0), (1, 3))
    layer = nn.Conv2d(4, 6, (3, 2), (2, 1), sides, (1, 2), groups=2)
    assert layer.kernel_size == (3, 2)
    assert layer.weight.shape == (6, 2, 3, 2)
    x = Tensor(rng.normal(size=(2, 4, 9, 8)).astype(np.float32))
    expected = ops.conv2d(x, layer.weight, layer.bias, (2, 1), sides, (1, 2), 2)
    np.testing.assert_array_equal(layer(x).data, expected.data)


def test_layers_run_one_after_the_other_under_their_names(rng):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), score=nn.Conv2d(4, 2, 1))
    names = ["0.weight", "0.bias", "score.weight", "score.bias"]
    assert [name for name, _ in net.named_parameters()] == names
    assert [type(layer) for layer in net.layers] == [nn.Conv2d, nn.ReLU, nn.Conv2d]
    x = Tensor(rng.normal(size=(2, 3, 9, 8)).astype(np.float32))
    first, relu, score = net.layers
    np.testing.assert_array_equal(net(x).data, score(relu(first(x))).data)
    assert nn.Sequential()(x) is x


def test_branches_see_one_input_and_are_joined(rng):
    net = nn.Branches(nn.Conv2d(3, 2, 1), wide=nn.Sequential(nn.Conv2d(3, 4, 1)))
    names = ["0.weight", "0.bias", "wide.0.weight", "wide.0.bias"]
    assert [name for name, _ in net.named_parameters()] == names
    x = Tensor(rng.normal(size=(2, 3, 5, 4)).astype(np.float32), requires_grad=True)
    y = net(x)
    assert y.shape == (2, 6, 5, 4)
    np.testing.assert_array_equal(y.data[:, :2], net.layers[0](x).data)
    np.testing.assert_array_equal(y.data[:, 2:], net.layers[1](x).data)
    y.backward(np.ones(y.shape, np.float32))
    both = [layer.weight.data for layer in (net.layers[0], net.wide.layers[0])]
    expected = sum(w.sum(axis=0) for w in both)[None]  # (1, 3, 1, 1)
    np.testing.assert_allclose(x.grad, np.broadcast_to(expected, x.shape), rtol=1e-5)


def test_what_is_no_layer_or_has_no_free_name_is_refused():
    with pytest.raises(TypeError, match="layer 1 is no Module but"):
        nn.Sequential(nn.ReLU(), ops.relu)
    with pytest.raises(ValueError, match="cannot be called 'train': Branches has"):
        nn.Branches(train=nn.ReLU())


# ---- printed


def test_a_layer_is_printed_with_what_is_not_its_default():
    assert repr(nn.Conv2d(3, 16, 3)) == "Conv2d(3, 16, kernel_size=(3, 3))"
    conv = nn.Conv2d(4, 6, (3, 2), stride=2, padding=((1, 0), (2, 2)), groups=2)
    assert repr(conv) == (
        "Conv2d(4, 6, kernel_size=(3, 2), stride=2, padding=((1, 0), (2, 2)), groups=2)"
    )
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25)"
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2)"
    assert repr(nn.LocalResponseNorm(5, k=2)) == "LocalResponseNorm(size=5, k=2)"
    assert repr(nn.Upsample(21, 2)) == "Upsample(21, factor=2, kernel_size=4)"
    learned = "Upsample(21, factor=2, kernel_size=3, learned=True)"
    assert repr(nn.Upsample(21, 2, 3, learned=True)) == learned


def test_a_net_is_printed_one_line_a_layer():
    net = nn.Sequential(
        conv1=nn.Conv2d(3, 4, 1),
        both=nn.Branches(nn.ReLU(), nn.Sequential(nn.Pad(1), nn.AvgPool2d(3, 1))),
    )
    assert (
        repr(net.eval())
        == """\
Sequential(
  conv1: Conv2d(3, 4, kernel_size=(1, 1))
  both: Branches(
    0: ReLU()
    1: Sequential(
      0: Pad(padding=1)
      1: AvgPool2d(kernel_size=3, stride=1)
    )
  )
)"""
    )


def test_modules_of_ones_own_are_printed_without_their_arrays():
    class Own(nn.Module):
        def __init__(self, size, weight, mode="fast"):
            self.size, self.weight, self.mode = size, nn.Parameter(weight), mode

    assert repr(Own(3, np.ones(2))) == "Own(size=3)"
    assert repr(Own(3, np.ones(2), mode="slow")) == "Own(size=3, mode='slow')"
    assert repr(nn.Module()) == "Module()"
