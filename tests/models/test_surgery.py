"""Warm starts, and classifiers made convolutional."""

from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, models, nn, no_grad, ops
from minifcn.models import warm_start

SETTINGS = dict(width=(3, 4, 3, 5, 4), fc_channels=(6, 5))
STAGES = [("fcn32s", "fcn16s"), ("fcn16s", "fcn8s")]
NEW = {"fcn16s": "score_pool4", "fcn8s": "score_pool3"}


def trained(name, geometry, seed=1):
    """A network all of whose layers hold something, as after training."""
    nn.seed(seed)
    net = models.NETWORKS[name](4, geometry=geometry, **SETTINGS)
    rng = np.random.default_rng(seed)
    for path, parameter in net.named_parameters():
        if path.startswith("score") or path.endswith("bias"):
            parameter.data[...] = rng.normal(size=parameter.shape) * 0.5
    return net.to(dtype=np.float64).eval()


def warm(name, coarse, geometry):
    nn.seed(9)
    net = models.NETWORKS[name](4, geometry=geometry, **SETTINGS)
    return net.to(dtype=np.float64).eval(), coarse.state_dict()


@pytest.mark.parametrize("coarse, fine", STAGES)
def test_warm_start_copies_all_but_the_new_score_layer(coarse, fine):
    source = trained(coarse, "same")
    net, state = warm(fine, source, "same")
    before = {name: array.copy() for name, array in net.state_dict().items()}
    report = warm_start(net, state)
    new = [f"{NEW[fine]}.weight", f"{NEW[fine]}.bias"]
    assert report.left == new
    assert all("upscore" in name for name in report.unused)
    assert set(report.copied) == {n for n in state if not n.startswith("upscore")}
    assert {"conv1_1.weight", "fc7.bias", "score_fr.weight"} <= set(report.copied)
    for name, array in net.state_dict().items():
        if name in report.copied:
            np.testing.assert_array_equal(array, state[name])
            assert not np.may_share_memory(array, state[name])
        else:
            np.testing.assert_array_equal(array, before[name])
    for name in new:
        assert (net.state_dict()[name] == 0).all()
    sentence = f"{len(report.copied)} arrays copied; left as initialised: "
    assert str(report).startswith(sentence + ", ".join(new) + "; not used: upscore")


@pytest.mark.parametrize("name, blocks", [("fcn_pool4", "1234"), ("fcn_pool3", "123")])
def test_warm_start_of_a_pool_alone_copies_the_trunk_up_to_there(name, blocks):
    source = trained("fcn32s", "same")
    net, state = warm(name, source, "same")
    report = warm_start(net, state)
    below = tuple(f"conv{b}_" for b in blocks)
    assert set(report.copied) == {path for path in state if path.startswith(below)}
    assert report.left == [f"{net.score_layer}.weight", f"{net.score_layer}.bias"]
    assert {"conv5_1.weight", "fc7.bias", "score_fr.weight"} <= set(report.unused)
    for path in report.copied:
        np.testing.assert_array_equal(net.state_dict()[path], state[path])


def fused_scores(net, x):
    """What the network enlarges last: the sum of its streams before `upscore…`."""
    last = net.streams[-1][0]
    with no_grad(), mock.patch.object(net, last, wraps=getattr(net, last)) as up:
        y = net(Tensor(x)).data
    return up.call_args.args[0].data, y


def two_step_bound(scores):
    """How far two enlargements by 2 and f may lie from one by 2f: the corner they cut.

    At a knot k of the linear interpolant, the middle of its values at k ± ¼ differs
    from s_k by an eighth of the second difference; in two dimensions once for each
    axis, and once for both together.
    """
    padded = np.pad(scores, ((0, 0), (0, 0), (2, 2), (2, 2)))
    rows = abs(np.diff(padded, 2, axis=2)).max()
    cols = abs(np.diff(padded, 2, axis=3)).max()
    both = abs(np.diff(np.diff(padded, 2, axis=2), 2, axis=3)).max()
    return (rows + cols) / 8 + both / 64


@pytest.mark.parametrize("geometry", ["caffe", "same"])
@pytest.mark.parametrize("coarse, fine", STAGES)
def test_first_prediction_is_the_coarser_networks(rng, coarse, fine, geometry):
    """Exactly: the fused map is the coarser one, enlarged by 2 (and cropped).

    The full-size scores are enlarged in two steps instead of one. That is no longer the
    same to the bit, but nearly, and most labels agree.
    """
    source = trained(coarse, geometry)
    net, state = warm(fine, source, geometry)
    warm_start(net, state)
    x = rng.normal(size=(2, 3, 130, 99)) * 50
    before, coarse_scores = fused_scores(source, x)
    after, fine_scores = fused_scores(net, x)
    up = net.streams[-2][0]
    enlarged = ops.conv_transpose2d(Tensor(before), getattr(net, up).weight, stride=2)
    offset = net.crops.get(up, 0)
    expected = ops.crop(enlarged, offset, after.shape[2:]).data
    np.testing.assert_array_equal(after, expected)
    assert after.std() > 0.01

    border = 0 if geometry == "caffe" else 32  # the crop of `same` cuts into the ramp
    inner = (..., slice(border, 130 - border), slice(border, 99 - border))
    difference = abs(fine_scores - coarse_scores)[inner].max()
    assert 0 < difference <= two_step_bound(before)
    same = fine_scores.argmax(axis=1) == coarse_scores.argmax(axis=1)
    assert same[inner].mean() > 0.95


def test_two_enlargements_of_a_plane_are_one(rng):
    """Without second differences the two ways agree, away from the border."""
    r, q = np.mgrid[:9, :8]
    plane = Tensor((2.0 * r - q + 3)[None, None])
    once = nn.Upsample(1, 32).to(dtype=np.float64)(plane).data
    twice = nn.Upsample(1, 2).to(dtype=np.float64)(plane)
    twice = nn.Upsample(1, 16).to(dtype=np.float64)(twice).data
    # one lies at (u − 31.5) / 32, the other at (v − 15.5 − 16·1.5) / 32: u = v − 8
    inside = (..., slice(96, 192), slice(96, 160))
    shifted = twice[..., 8:, 8:]
    np.testing.assert_allclose(shifted[inside], once[inside], rtol=1e-12)


def test_arrays_of_another_shape_are_refused_and_nothing_copied():
    source = trained("fcn32s", "same").state_dict()
    net, _ = warm("fcn16s", trained("fcn32s", "same"), "same")
    before = {name: array.copy() for name, array in net.state_dict().items()}
    source["fc7.weight"] = source["fc7.weight"][:-1]
    with pytest.raises(
        ValueError, match=r"fc7.weight has shape \(4, 6, 1, 1\) .* and "
    ):
        warm_start(net, source)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_arrays_of_another_network_are_refused():
    net, _ = warm("fcn16s", trained("fcn32s", "same"), "same")
    with pytest.raises(
        ValueError, match=r"begin with features\.0\.weight, the network"
    ):
        warm_start(net, {"features.0.weight": np.ones((3, 3, 3, 3))})
    with pytest.raises(ValueError, match="no name of the given arrays"):
        warm_start(net, {"upscore.weight": np.ones((4, 4, 64, 64))})


def test_part_of_a_state_is_enough():
    net, _ = warm("fcn16s", trained("fcn32s", "same"), "same")
    report = warm_start(net, {"conv1_1.bias": np.full(3, 7.0)})
    assert report.copied == ["conv1_1.bias"]
    np.testing.assert_array_equal(net.conv1_1.bias.data, [7, 7, 7])
    assert str(report).startswith(
        "1 arrays copied; left as initialised: conv1_1.weight"
    )


# ---- classifiers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fully_connected_layer_is_a_convolution(rng, dtype):
    """Over one window they give the same; over a larger map, one result per window."""
    C, K, O = 3, 4, 5
    matrix = rng.normal(size=(O, C * K * K)).astype(dtype)
    kernel = models.fully_connected_to_convolution(matrix, C, K)
    assert (kernel.shape, kernel.dtype) == ((O, C, K, K), dtype)
    x = rng.normal(size=(2, C, K + 2, K + 1)).astype(dtype)
    y = ops.conv2d(Tensor(x), Tensor(kernel)).data
    for r in range(3):
        for q in range(2):
            window = x[:, :, r : r + K, q : q + K].reshape(2, -1)
            np.testing.assert_allclose(
                y[:, :, r, q], window @ matrix.T, rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("shape", [(5, 47), (5, 49), (48,), (5, 3, 16), (5, 3, 4, 4)])
def test_matrices_of_another_size_are_refused(shape):
    with pytest.raises(ValueError, match=r"3 channels of 4 × 4 it must be \(O, 48\)"):
        models.fully_connected_to_convolution(np.ones(shape), 3, 4)


def classifier(net, rng):
    """The state of a classifier with this trunk: fc6, fc7 and fc8 as matrices."""
    state = {
        name: rng.normal(size=p.shape).astype(np.float32)
        for name, p in net.named_parameters()
        if name.startswith(("conv", "fc"))
    }
    for name in ("fc6.weight", "fc7.weight"):
        state[name] = state[name].reshape(len(state[name]), -1)
    return state | {"fc8.weight": np.ones((10, 5)), "fc8.bias": np.ones(10)}


def test_classifier_becomes_an_fcn(rng):
    """On an image of one window, fc7's features are those of the classifier."""
    net = models.fcn32s(4, **SETTINGS).eval()
    state = classifier(net, rng)
    converted = models.classifier_to_fcn(state, net)
    assert "fc8.weight" not in converted
    assert converted["fc6.weight"].shape == net.fc6.weight.shape
    np.testing.assert_array_equal(
        converted["fc6.weight"].reshape(6, -1), state["fc6.weight"]
    )
    np.testing.assert_array_equal(converted["conv3_2.bias"], state["conv3_2.bias"])
    report = warm_start(net, converted)
    assert report.left == ["score_fr.weight", "score_fr.bias"]

    pool5 = rng.normal(size=(2, 4, 7, 7)).astype(np.float32)
    hidden = np.maximum(
        pool5.reshape(2, -1) @ state["fc6.weight"].T + state["fc6.bias"], 0
    )
    expected = hidden @ state["fc7.weight"].T + state["fc7.bias"]
    y = net.fc7(ops.relu(net.fc6(Tensor(pool5)))).data
    assert y.shape == (2, 5, 1, 1)
    np.testing.assert_allclose(y[:, :, 0, 0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name, shape, words",
    [
        ("fc6.weight", (6, 4 * 48), r"fc6.weight: weight has shape .* \(O, 196\)"),
        (
            "fc6.weight",
            (7, 4 * 49),
            r"fc6.weight has shape \(7, 4, 7, 7\) in the class",
        ),
        ("fc7.weight", (5, 7), r"fc7.weight: weight has shape \(5, 7\)"),
        ("conv2_1.weight", (4, 3, 3, 2), "conv2_1.weight has shape"),
        ("conv2_1.bias", (5,), r"conv2_1.bias has shape \(5,\) in the classifier and"),
    ],
)
def test_every_shape_of_a_classifier_is_checked(rng, name, shape, words):
    net = models.fcn32s(4, **SETTINGS)
    state = classifier(net, rng)
    state[name] = np.ones(shape)
    with pytest.raises(ValueError, match=words):
        models.classifier_to_fcn(state, net)
