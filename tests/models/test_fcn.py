"""The networks: crops, sizes, parameters, alignment, gradients."""

import json
from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, models, nn, no_grad, ops
from minifcn.laws import check_module

THIN = dict(width=(1, 1, 1, 1, 1), fc_channels=1)
NETS = list(models.NETWORKS)
GEOMETRIES = ["caffe", "same"]
CROPS = {
    # the authors' prototxt files
    ("fcn32s", "caffe"): {"upscore": 19},
    ("fcn16s", "caffe"): {"score_pool4": 5, "upscore16": 27},
    ("fcn8s", "caffe"): {"score_pool4": 5, "score_pool3": 9, "upscore8": 31},
    # centred maps: half of what a kernel of 2f adds, f / 2
    ("fcn32s", "same"): {"upscore": 16},
    ("fcn16s", "same"): {"upscore2": 1, "upscore16": 8},
    ("fcn8s", "same"): {"upscore2": 1, "upscore_pool4": 1, "upscore8": 4},
}
CROPS |= {("fcn8s_at_once", g): CROPS["fcn8s", g] for g in GEOMETRIES}
CROPS |= {
    # what is cropped of the pool's scores, and then of their enlargement
    ("fcn_pool4", "caffe"): {"upscore16": 5 * 16 + 27},
    ("fcn_pool3", "caffe"): {"upscore8": 9 * 8 + 31},
    ("fcn_pool4", "same"): {"upscore16": 8},
    ("fcn_pool3", "same"): {"upscore8": 4},
}


def network(name, seed=1, n_classes=3, dtype=np.float64, **settings):
    """A network whose score layers are not zero."""
    nn.seed(seed)
    net = models.NETWORKS[name](n_classes, **{**THIN, **settings})
    rng = np.random.default_rng(seed)
    for path, parameter in net.named_parameters():
        if path.startswith("score"):
            parameter.data[...] = rng.normal(size=parameter.shape)
    return net.to(dtype=dtype).eval()


def scores(net, x):
    with no_grad():
        return net(Tensor(x)).data


# ---- geometry


@pytest.mark.parametrize("trunk", ["vgg11", "vgg13", "vgg16", "vgg19"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", NETS)
def test_crops_are_those_of_the_authors(name, geometry, trunk):
    net = models.NETWORKS[name](**THIN, trunk=trunk, geometry=geometry)
    assert net.crops == CROPS[name, geometry]


@pytest.mark.parametrize("fc_kernel", [1, 3, 5])
@pytest.mark.parametrize("name", NETS)
def test_crops_of_same_do_not_depend_on_fc6(name, fc_kernel):
    net = models.NETWORKS[name](**THIN, geometry="same", fc_kernel=fc_kernel)
    assert net.crops == CROPS[name, "same"]


SIZES = [(1, 1), (1, 500), (3, 2), (31, 33), (64, 65), (97, 1)]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", NETS)
def test_scores_have_the_size_of_the_image(rng, name, geometry):
    net = network(name, geometry=geometry, dtype=np.float32)
    for H, W in SIZES:
        y = scores(net, rng.normal(size=(2, 3, H, W)).astype(np.float32))
        assert y.shape == (2, 3, H, W)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()


@pytest.mark.parametrize("name", [n for n in NETS if n != "fcn8s_at_once"])
def test_same_geometry_takes_every_width(name):
    net = network(name, geometry="same", dtype=np.float32)
    for W in range(1, 131):
        assert scores(net, np.ones((1, 3, 2, W), np.float32)).shape == (1, 3, 2, W)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 8, 8, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"the network needs \(N, 3, H, W\)"):
        network("fcn8s")(Tensor(np.ones(shape)))


# ---- alignment

STREAMS = {
    "fcn32s": ["score_fr"],
    "fcn16s": ["score_fr", "score_pool4"],
    "fcn8s": ["score_fr", "score_pool4", "score_pool3"],
    "fcn8s_at_once": ["score_fr", "score_pool4", "score_pool3"],
    "fcn_pool4": ["score_pool4"],
    "fcn_pool3": ["score_pool3"],
}
ONE_STREAM = [(name, stream) for name in STREAMS for stream in STREAMS[name]]


def blurring(name, geometry, stream):
    """A network of one stream in which every kernel is 1 everywhere, and no bias."""
    net = network(name, n_classes=1, geometry=geometry)
    for path, parameter in net.named_parameters():
        if not path.startswith("up"):
            on = path.endswith("weight") and not path.startswith("score")
            parameter.data[...] = float(on)
    getattr(net, stream).weight.data[...] = 1
    return net


def mean_shift(net, W=640):
    """How far on average the answer to a single pixel lies from it, in pixels.

    Symmetric kernels answer symmetrically but for the grid of the pools; over all 32
    phases of that grid the shifts cancel, if the scores lie where the image does.
    """
    places = np.arange(304, 336)
    x = np.zeros((len(places), 3, 1, W))
    x[np.arange(len(places)), :, 0, places] = 1
    y = scores(net, x)[:, 0, 0]
    assert (y[:, [0, -1]] == 0).all()  # all of the answer is in the picture
    return float(((y @ np.arange(W)) / y.sum(axis=1) - places).mean())


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name, stream", ONE_STREAM)
def test_scores_lie_where_the_image_does(name, stream, geometry):
    assert abs(mean_shift(blurring(name, geometry, stream))) < 1e-6


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", [n for n in NETS if n != "fcn8s_at_once"])
def test_a_crop_that_is_off_by_one_is_noticed(name, geometry):
    for layer in CROPS[name, geometry]:
        shifts = []
        for stream in STREAMS[name]:
            net = blurring(name, geometry, stream)
            net.crops[layer] -= 1
            shifts.append(abs(mean_shift(net)))
        assert max(shifts) > 0.9


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["fcn32s", "fcn8s"])
def test_moving_the_image_by_32_pixels_moves_the_scores(rng, name, geometry):
    """On an empty background: nothing but the patch is moved."""
    net = network(name, geometry=geometry, width=(2, 2, 3, 3, 2), fc_channels=(3, 2))
    H, W = 352, 416
    x, moved = np.zeros((1, 3, H, W)), np.zeros((1, 3, H, W))
    patch = rng.normal(size=(3, 24, 17))
    x[0, :, 150:174, 160:177] = patch
    moved[0, :, 182:206, 224:241] = patch  # 32 further down, 64 further right
    y, z = scores(net, x), scores(net, moved)
    assert y.std() > 1e-3
    inner = 200  # where borders of the map do not reach
    np.testing.assert_allclose(
        z[..., 100 + 32 : inner + 32, 100 + 64 : inner + 64],
        y[..., 100:inner, 100:inner],
        atol=1e-9 * abs(y).max(),
    )
    assert abs(z - y).max() > 1e-2 * abs(y).max()


# ---- pools alone, and how streams are fused

WIDE = dict(width=(3, 4, 3, 5, 4), fc_channels=(6, 5))


def silent(net, *layers):
    """The network, with score layers that say 0 everywhere."""
    for layer in layers:
        for parameter in getattr(net, layer).parameters():
            parameter.data[...] = 0
    return net


def with_arrays_of(net, other):
    """The network with those of the other's arrays that it has."""
    state = other.state_dict()
    net.load_state_dict({name: state[name] for name in net.state_dict()})
    return net


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize(
    "name, whole, others",
    [
        ("fcn_pool4", "fcn16s", ["score_fr"]),
        ("fcn_pool3", "fcn8s", ["score_fr", "score_pool4"]),
    ],
)
def test_a_pool_alone_says_what_it_adds_as_a_skip(rng, name, whole, others, geometry):
    """At every pixel of images of any size, borders included."""
    skips = silent(alive(whole, geometry=geometry, **WIDE), *others).eval()
    alone = network(name, geometry=geometry, **WIDE)
    with_arrays_of(alone, skips)
    for H, W in [*SIZES, (17, 15), (16, 47), (48, 129), (7, 98)]:
        x = rng.normal(size=(2, 3, H, W))
        y = scores(skips, x)
        assert y.std() > 0 or (H, W) == (1, 1)
        np.testing.assert_allclose(scores(alone, x), y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name, above", [("fcn_pool4", 5), ("fcn_pool3", 4)])
def test_a_pool_alone_has_nothing_above(name, above):
    net = network(name, **WIDE)
    blocks = {path[:5] for path, _ in net.named_parameters() if path[:4] == "conv"}
    assert blocks == {f"conv{b}" for b in range(1, above)}
    assert net.table[-1].name == f"pool{above - 1}"
    assert net.beyond[0] == f"conv{above}_1"
    assert net.beyond[-2:] == ("fc6", "fc7")
    assert not hasattr(net, "fc6")
    assert not hasattr(net, "score_fr")


def last_input(net, x):
    """What the network enlarges last: its streams, fused."""
    last = net.streams[-1][0]
    with mock.patch.object(net, last, wraps=getattr(net, last)) as up:
        scores(net, x)
    return up.call_args.args[0].data


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_maximum_is_the_larger_of_what_a_sum_adds(rng, geometry):
    settings = dict(geometry=geometry, **WIDE)
    net = alive("fcn16s", **settings, fusion="max").eval()
    sums = [alive("fcn16s", **settings).eval() for _ in range(3)]
    coarse, skip = silent(sums[0], "score_pool4"), silent(sums[1], "score_fr")
    x = rng.normal(size=(2, 3, 150, 99))
    a, b, both = (last_input(n, x) for n in (coarse, skip, sums[2]))
    np.testing.assert_allclose(a + b, both, rtol=1e-10, atol=1e-12)
    assert 0.02 < (a > b).mean() < 0.98
    np.testing.assert_array_equal(last_input(net, x), np.maximum(a, b))


# ---- parameters

COUNTS = {  # learned, frozen
    "fcn32s": (134_346_581, 1_806_336),
    "fcn16s": (134_357_354, 21 * 21 * (16 + 1024)),
    "fcn8s": (134_362_751, 127_008),
    "fcn8s_at_once": (134_362_751, 127_008),
    # VGG-16's blocks up to there, and a score layer
    "fcn_pool4": (7_635_264 + 21 * 513, 21 * 21 * 1024),
    "fcn_pool3": (1_735_488 + 21 * 257, 21 * 21 * 256),
}


def without_memory(shape):
    return np.broadcast_to(np.float32(0), shape)


@pytest.mark.parametrize("name", NETS)
def test_parameters_at_full_size(name):
    with (
        mock.patch.dict(nn.INITIALISERS, he=without_memory),
        mock.patch.object(nn, "zeros", without_memory),
        mock.patch.object(nn, "bilinear", without_memory),
    ):
        net = models.NETWORKS[name]()
    learned = sum(p.size for p in net.parameters() if p.requires_grad)
    frozen = nn.count_parameters(net) - learned
    assert (learned, frozen) == COUNTS[name]
    shapes = {path: p.shape for path, p in net.named_parameters()}
    assert shapes["conv1_1.weight"] == (64, 3, 3, 3)
    if "score_fr.weight" in shapes:
        assert shapes["fc6.weight"] == (4096, 512, 7, 7)
        assert shapes["score_fr.weight"] == (21, 4096, 1, 1)


def test_names_are_the_authors():
    net = models.fcn8s(**THIN)
    layers = [
        path[:-7] for path, _ in net.named_parameters() if path.endswith("weight")
    ]
    blocks = [
        f"conv{b}_{i}"
        for b, n in enumerate((2, 2, 3, 3, 3), 1)
        for i in range(1, n + 1)
    ]
    head = ["score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3"]
    assert layers == [*blocks, "fc6", "fc7", *head, "upscore8"]
    deeper = dict(models.fcn8s(**THIN, trunk="vgg19").named_parameters())
    assert deeper.keys() - dict(net.named_parameters()) == {
        f"conv{b}_4.{kind}" for b in (3, 4, 5) for kind in ("weight", "bias")
    }


def test_paces_are_the_authors():
    for path, p in models.fcn8s(**THIN).named_parameters():
        if path.startswith("upscore"):
            assert not p.requires_grad
        elif path.endswith("bias"):
            assert (p.lr_mult, p.decay_mult) == (2, 0)
        else:
            assert (p.lr_mult, p.decay_mult) == (1, 1)
    learned = models.fcn8s(**THIN, learned_upsampling=True)
    assert all(p.requires_grad for p in learned.parameters())


def test_score_layers_begin_at_zero_and_so_do_the_scores(rng):
    net = models.fcn8s(4, width=(2, 3, 2, 3, 2), fc_channels=3, geometry="same")
    assert (net(Tensor(rng.normal(size=(1, 3, 9, 8)).astype("f4"))).data == 0).all()


# ---- settings


def test_widths_and_fc_channels():
    net = models.fcn32s(2, width=1 / 32, geometry="same")
    shapes = {path: p.shape for path, p in net.named_parameters()}
    widths = [shapes[f"conv{b}_1.weight"][0] for b in range(1, 6)]
    assert widths == [2, 4, 8, 16, 16]
    assert shapes["fc6.weight"] == (128, 16, 7, 7)
    net = models.fcn32s(2, width=(1, 2, 3, 4, 5), fc_channels=(6, 7), fc_kernel=3)
    assert net.fc6.weight.shape == (6, 5, 3, 3)
    assert net.fc7.weight.shape == (7, 6, 1, 1)


def test_at_once_scales_the_pools(rng):
    x, wide = rng.normal(size=(2, 3, 21, 34)), (4, 5, 6, 7, 8)
    for own, factors in (
        ({}, (0.01, 0.0001)),
        ({"pool4": 0.5, "pool3": 3.0}, (0.5, 3)),
    ):
        settings = {"skip_scales": own} if own else {}
        at_once = alive("fcn8s_at_once", width=wide, geometry="same", **settings)
        staged = alive("fcn8s", width=wide, geometry="same")
        for pool, factor in zip(("pool4", "pool3"), factors):
            before = scores(staged, x)
            getattr(staged, f"score_{pool}").weight.data *= factor
            assert abs(scores(staged, x) - before).max() > 1e-3
        np.testing.assert_allclose(scores(at_once, x), scores(staged, x), rtol=1e-11)


def test_dropout_follows_fc6_and_fc7_in_training_alone(rng):
    x = Tensor(rng.normal(size=(1, 3, 40, 33)))
    net = network("fcn32s", geometry="same", width=(4, 4, 4, 4, 4), fc_channels=32)
    with mock.patch.object(ops, "conv2d_relu", wraps=ops.conv2d_relu) as conv:
        first, again = net(x).data, net(x).data
        np.testing.assert_array_equal(again, first)
        assert not any(call.args[7] for call in conv.call_args_list)
        conv.reset_mock()
        net.train()
        assert (net(x).data != first).any()
    dropped = [call.args for call in conv.call_args_list if call.args[7]]
    assert [weight.shape[0] for _, weight, *_ in dropped] == [32, 32]
    assert [args[7] for args in dropped] == [0.5, 0.5]
    nothing = network(
        "fcn32s", geometry="same", width=(4, 4, 4, 4, 4), fc_channels=32, dropout=0.0
    ).train()
    np.testing.assert_array_equal(nothing(x).data, first)


@pytest.mark.parametrize("name", NETS)
def test_config_builds_the_same_network_again(rng, name):
    settings = dict(trunk="vgg19", width=(1, 2, 1, 3, 2), fc_channels=(2, 3))
    settings |= dict(
        geometry="same",
        dropout=0.25,
        learned_upsampling=True,
        fc_kernel=3,
        fusion="max",
    )
    net = network(name, n_classes=4, **settings)
    config = json.loads(json.dumps(net.config))
    again = models.create(config)
    assert again.config == config
    assert config["name"] == name
    assert (again.drop.p, again.fusion) == (0.25, "max")
    again.to(dtype=np.float64).eval().load_state_dict(net.state_dict())
    x = rng.normal(size=(1, 3, 17, 40))
    np.testing.assert_array_equal(scores(again, x), scores(net, x))


@pytest.mark.parametrize(
    "config, words",
    [
        ({}, "net is None; it must be one of fcn32s, fcn16s, fcn8s"),
        ({"name": "fcn4s"}, "net is 'fcn4s'; it must be one of"),
        ({"name": "fcn8s", "colour": 3}, "settings of fcn8s are wrong: .*colour"),
        ({"name": "fcn8s", "n_classes": 0}, "n_classes is 0; it must be 1 or more"),
        ({"name": "fcn8s", "trunk": "vgg12"}, "trunk is 'vgg12'; it must be one of"),
        ({"name": "fcn8s", "geometry": "full"}, "must be 'caffe' or 'same'"),
        ({"name": "fcn8s", "width": 0}, "width is 0; a factor must be greater"),
        ({"name": "fcn8s", "width": [1, 2]}, "a factor, or 5 numbers of channels"),
        ({"name": "fcn8s", "width": [1, 2, 0, 4, 5]}, "or 5 numbers of channels"),
        ({"name": "fcn8s", **THIN, "fc_channels": 0}, "fc_channels is 0; it must be"),
        ({"name": "fcn8s", "fc_kernel": 4}, "fc_kernel is 4; it must be odd"),
        ({"name": "fcn8s", "initialiser": "one"}, "initialiser is 'one'; it must be"),
        ({"name": "fcn8s", "fusion": "mean"}, "fusion is 'mean'; it must be 'sum' or"),
    ],
)
def test_wrong_settings_are_refused(config, words):
    with pytest.raises(ValueError, match=words):
        models.create(config)


# ---- gradients


def alive(name, **settings):
    """A small network with random scores and biases, so that no unit is dead."""
    settings = {"learned_upsampling": True, "dropout": 0.0, "n_classes": 3, **settings}
    net = network(name, **settings).train()
    rng = np.random.default_rng(2)
    for path, parameter in net.named_parameters():
        if path.endswith("bias"):
            parameter.data[...] = rng.uniform(0.1, 0.6, parameter.shape)
        if path.startswith("up"):
            parameter.data += rng.normal(size=parameter.shape) * 0.05
    return net


def check_everything(net, x):
    """Every parameter and the input, each with a gradient that is not zero."""
    coverage = check_module(
        net, [x], step=1e-6, tolerance=1e-5, full_size=4, directions=2
    )
    parameters = dict(net.named_parameters())
    least = sum(p.size if p.size <= 4 else 2 for p in parameters.values()) + 2
    assert coverage.compared + coverage.kinks >= least
    y = net(Tensor(x))
    y.backward(np.random.default_rng(3).normal(size=y.shape))
    assert [n for n, p in parameters.items() if abs(p.grad).max() < 1e-9] == []


def test_gradients_of_a_whole_fcn8s(rng):
    net = alive("fcn8s", geometry="same", width=(3, 4, 3, 4, 5), fc_channels=(3, 4))
    check_everything(net, rng.normal(size=(2, 3, 35, 52)))


def test_gradients_of_fcn8s_at_once_with_caffes_geometry(rng):
    net = alive(
        "fcn8s_at_once",
        width=(2, 3, 2, 3, 4),
        fc_channels=(3, 4),
        skip_scales={"pool4": 0.5, "pool3": 0.25},
    )
    check_everything(net, rng.normal(size=(1, 3, 2, 5)))


def test_gradients_of_streams_fused_by_their_maximum(rng):
    net = alive(
        "fcn8s",
        geometry="same",
        width=(3, 4, 3, 4, 5),
        fc_channels=(3, 4),
        fusion="max",
    )
    check_everything(net, rng.normal(size=(2, 3, 35, 52)))


@pytest.mark.parametrize("name", ["fcn_pool4", "fcn_pool3"])
def test_gradients_of_a_pool_alone(rng, name):
    net = alive(name, geometry="same", width=(3, 4, 3, 4, 5))
    check_everything(net, rng.normal(size=(2, 3, 21, 34)))
