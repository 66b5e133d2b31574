"""The benchmark: what it measures and prints, and that both sides do the same work."""

import importlib.util
import json

import numpy as np
import pytest

from minifcn import Tensor, models, nn, ops
from minifcn.bench import contest, network, network_worker

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
TINY = dict(size=(9, 12), repeats=2, width=1 / 64)


def check_contender(figures):
    for work in ("forward", "step"):
        assert len(figures[work]["all_seconds"]) == 2
        assert 0 < min(figures[work]["all_seconds"]) <= figures[work]["seconds"] < 60
        assert 10e6 < figures[work]["peak_bytes"] < 10e9


def test_minifcn_alone():
    figures = network.measure(None, **TINY)
    check_contender(figures["minifcn"])
    assert figures["size"] == [9, 12]
    assert "ratio" not in figures
    assert json.loads(json.dumps(figures)) == figures
    lines = network.render(figures).splitlines()
    assert lines[0] == "# FCN-8s"
    assert "width 0.015625, one image of 9×12, float32; median of 2" in lines[4]
    (row,) = (line for line in lines if line.startswith("| minifcn"))
    assert row.count("|") == 6


def test_a_device_does_the_same_work(device):
    figures = network.measure(None, **TINY, device=device, batch=2)
    check_contender(figures["minifcn"])
    assert figures["device"] == device
    lines = network.render(figures).splitlines()
    assert lines[3].startswith(f"- device {device}: ")
    assert "2 images of 9×12" in lines[5]


def test_device_that_cannot_be_had_is_refused():
    with pytest.raises(ValueError, match="device is 'tpu'"):
        network.measure(None, **TINY, device="tpu")


@needs_torch
def test_against_torch():
    figures = network.measure("torch", **TINY)
    for name in ("minifcn", "torch", "torch channels_last"):
        check_contender(figures[name])
    assert 0 <= figures["difference"] < 1e-3  # all three computed the same
    peers = [figures[name]["step"]["seconds"] for name in contest.PEERS]
    ratio = figures["ratio"]["step"]["time"]
    assert ratio == pytest.approx(figures["minifcn"]["step"]["seconds"] / min(peers))
    assert "minifcn / best torch" in network.render(figures)


@needs_torch
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("geometry", ["caffe", "same"])
@pytest.mark.parametrize(
    "name, fusion", [*((n, "sum") for n in models.NETWORKS), ("fcn8s", "max")]
)
def test_twin_computes_the_same(rng, name, fusion, geometry, channels_last):
    import torch

    from minifcn.bench.twin import Twin

    nn.seed(1)
    net = models.NETWORKS[name](
        4,
        width=(3, 4, 3, 5, 4),
        fc_channels=(6, 5),
        geometry=geometry,
        fusion=fusion,
    )
    for path, parameter in net.named_parameters():
        if path.startswith("score") or path.endswith("bias"):
            parameter.data[...] = rng.normal(size=parameter.shape)
    net.to(dtype=np.float64).eval()
    x = rng.normal(size=(2, 3, 37, 50))
    y = Twin(net, channels_last)(torch.from_numpy(x), training=False)
    expected = net(Tensor(x)).data
    np.testing.assert_allclose(
        y.detach().numpy(), expected, rtol=0, atol=1e-11 * abs(expected).max()
    )


@needs_torch
def test_twin_drops_what_the_network_drops(rng):
    import torch

    from minifcn.bench.twin import Twin

    net = models.fcn32s(3, width=1 / 64, fc_channels=8, geometry="same")
    net.score_fr.weight.data[...] = rng.normal(size=net.score_fr.weight.shape)
    net.drop.p = 1.0  # nothing is left of a photograph
    twin = Twin(net, channels_last=False)
    one, other = (
        torch.from_numpy(rng.normal(0, 100, (1, 3, 64, 96)).astype("f4"))
        for _ in range(2)
    )
    assert (twin(one) == twin(other)).all()
    assert (twin(one, training=False) != twin(other, training=False)).any()


@needs_torch
def test_twin_learns_what_the_network_learns():
    from minifcn.bench.twin import Twin

    net = models.fcn8s(2, width=(1, 1, 1, 1, 1), fc_channels=1)
    twin = Twin(net, channels_last=False)
    for name, parameter in net.named_parameters():
        assert twin.weights[name].requires_grad == parameter.requires_grad
        twin.weights[name].data += 1
        assert (parameter.data != twin.weights[name].detach().numpy()).all()


def test_a_step_is_that_of_training(monkeypatch):
    """A check of the labels would have a GPU waited for in the middle."""
    given = []
    cross_entropy = ops.cross_entropy

    def noting(*arguments, **options):
        given.append(options)
        return cross_entropy(*arguments, **options)

    monkeypatch.setattr(ops, "cross_entropy", noting)
    net = {"name": "fcn8s", "n_classes": 2, "width": 1 / 64, "geometry": "same"}
    settings = {"net": net, "size": [9, 12], "batch": 1, "image": None, "seed": 0}
    work = network_worker._minifcn(settings | {"device": "cpu"})
    assert work["step"]() > 0
    assert given == [{"reduction": "sum", "check": False}]


def test_ratio_is_to_the_better_peer_in_each():
    def figures(seconds, size):
        return {"step": {"seconds": seconds, "peak_bytes": size}}

    ratio = network._ratio(figures(6, 30), [figures(3, 60), figures(4, 20)], "step")
    assert ratio == {"time": 2, "memory": 1.5}


@pytest.mark.parametrize(
    "change",
    [dict(repeats=0), dict(batch=0), dict(size=(0, 5)), dict(width=0), dict(width=-1)],
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError, match="must be positive"):
        network.measure(None, **{**TINY, **change})
