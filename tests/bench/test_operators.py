"""The benchmark of operators: what it measures, and that both sides do the same."""

import importlib.util
import json

import numpy as np
import pytest

from minifcn import arrays, metrics, ops, pictures
from minifcn.bench import (
    cases,
    ceilings,
    operator_worker,
    operators,
    runner,
    worker,
)

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
TINY = dict(size=(9, 12), batch=2, width=1 / 64, repeats=1)
SOME = ["conv2d", "rarefy", "dropout", "sgd"]
SETTINGS = {"contender": "minifcn", "device": "cpu", "tf32": False, "seed": 0}


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch):
    monkeypatch.setattr(runner, "TURN", 0.0)


def check(figures):
    assert json.loads(json.dumps(figures)) == figures
    assert min(figures["ceilings"].values()) > 0
    for row in figures["operators"]:
        assert 0 < row["minifcn"] < 60
        for quantity in ("bytes", "flops"):
            rate = row[quantity] / row["minifcn"]
            assert row[f"{quantity}_per_second"] == pytest.approx(rate)


def test_alone():
    figures = operators.measure(**TINY, only=SOME)
    check(figures)
    rows = figures["operators"]
    assert {row["operator"] for row in rows} == set(SOME)
    assert {row["ratio"] for row in rows} == {None}
    convolution = [row["direction"] for row in rows if row["at"] == "conv3_2"]
    assert convolution == ["forward", "input gradient", "weight gradient"]
    lines = operators.render(figures).splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(rows) + 2
    assert "torch" not in operators.render(figures)


@pytest.mark.parametrize("device", arrays.DEVICES)
def test_every_case_runs_on_each_device(device):
    try:
        arrays.check_device(device)
    except ValueError as error:
        pytest.skip(str(error))
    ours = runner.OfMinifcn(SETTINGS | {"device": device})
    here = runner.OfMinifcn(SETTINGS)
    for case in cases.cases((5, 7), 1, 1 / 64):
        assert ours.load(case)
        assert here.load(case)
        for direction in case.directions:
            if case.operator not in operators.DRAWN:
                _check_same(ours, here, direction)
            assert len(ours.times(direction)) == 1


def _check_same(ours, theirs, direction):
    results = zip(theirs.results(direction), ours.results(direction), strict=True)
    for a, b in results:
        where = f"{ours.case.operator} {ours.case.at}, {direction}"
        assert operator_worker.difference(a, b) < 2e-5, where


@needs_torch
@pytest.mark.parametrize("layout", ["torch", "torch channels_last"])
def test_peers_compute_the_same(layout):
    from minifcn.bench import peers

    ours = runner.OfMinifcn(SETTINGS)
    theirs = peers.OfTorch(SETTINGS | {"contender": layout})
    missing = {"rarefy"} | (peers.PLAIN_ONLY if theirs.last else set())
    for case in cases.cases((9, 12), 2, 1 / 64):
        assert ours.load(case)
        assert theirs.load(case) == (case.operator not in missing), case.operator
        if case.operator not in missing | operators.DRAWN:
            for direction in case.directions:
                _check_same(ours, theirs, direction)


@needs_torch
@pytest.mark.parametrize("direction", ["forward", "input gradient", "weight gradient"])
def test_a_wrong_peer_would_be_seen(monkeypatch, direction):
    import torch.nn.functional as F

    from minifcn.bench import peers

    def flipped(x, weight, bias, padding):
        return F.conv2d(x, weight.flip(3), bias, padding=padding)

    monkeypatch.setitem(peers.PEERS, "conv2d", flipped)
    case = cases.Case(
        "conv2d", "here", ((2, 3, 5, 7), (4, 3, 3, 3), (4,)), {"padding": 1}
    )
    ours, theirs = (
        runner.OfMinifcn(SETTINGS),
        peers.OfTorch(SETTINGS | {"contender": "torch"}),
    )
    ours.load(case)
    theirs.load(case)
    a, b = ours.results(direction)[0], theirs.results(direction)[0]
    assert operator_worker.difference(a, b) > 0.1


@needs_torch
def test_against_torch():
    figures = operators.measure("torch", **TINY, only=SOME)
    check(figures)
    for row in figures["operators"]:
        if row["operator"] == "rarefy":  # which PyTorch has not
            assert (row["torch"], row["ratio"], row["difference"]) == (None,) * 3
            continue
        best = min(row["torch"], row["torch channels_last"])
        assert row["ratio"] == pytest.approx(row["minifcn"] / best)
        if row["operator"] == "dropout":  # random
            assert row["difference"] is None
        else:
            assert 0 <= row["difference"] < 2e-5
    text = operators.render(figures)
    assert "torch: PyTorch 2." in text
    assert "of the convolutions: ratio" in text
    for line in text.splitlines():
        if line.startswith("| rarefy"):
            assert [cell.strip() for cell in line.split("|")[5:8]] == ["–"] * 3


def test_kernels_do_what_they_are_named_for():
    ours = runner.OfMinifcn(SETTINGS)
    by_name = {case.operator: case for case in cases.cases((5, 7), 1, 1 / 64)}

    def result(name):
        ours.load(by_name[name])
        return ours.results("forward")[0], by_name[name].draw(0)

    classes, ((scores,), _) = result("most_likely")
    assert (classes == metrics.most_likely(scores)).all()
    counts, (_, (target, prediction)) = result("confusion_matrix")
    assert counts.sum() == target.size
    assert counts[target[0, 0, 0], prediction[0, 0, 0]] >= 1
    painted, (_, (label,)) = result("colour")
    assert painted.shape == (5, 7, 3)
    assert (painted == pictures.colour(label, runner.voc_palette())).all()
    moved, ((weight, gradient), _) = result("sgd")
    rate, decay = runner.DESCENT["lr"], runner.DESCENT["weight_decay"]
    np.testing.assert_allclose(
        moved, weight - rate * (gradient + decay * weight), rtol=1e-5, atol=1e-7
    )


def test_difference():
    a, b = np.array([1.0, -4.0]), np.array([1.5, -5.0])
    assert operator_worker.difference(a, b) == 0.2
    small = np.array([3], np.uint8), np.array([4], np.uint8)  # 3 − 4 wraps around
    assert operator_worker.difference(*small) == 0.25
    assert operator_worker.difference(np.zeros(2), np.zeros(2)) == 0
    assert np.isnan(operator_worker.difference(np.array([np.nan]), np.ones(1)))
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        operator_worker.difference(np.zeros(2), np.zeros(1))


def test_ceilings(monkeypatch):
    for table in (ceilings.COPIED, ceilings.SIDE):
        monkeypatch.setitem(table, "cpu", 64)
    figures = ceilings.measure("cpu")
    assert set(figures) == {"bytes_per_second", "flops_per_second"}
    assert min(figures.values()) > 0


def test_a_copy_is_read_and_written_and_a_product_adds_too(monkeypatch):
    for table in (ceilings.COPIED, ceilings.SIDE):
        monkeypatch.setitem(table, "cpu", 64)
    monkeypatch.setattr(ceilings, "_least", lambda work, device: 0.5)  # seconds
    assert ceilings.measure("cpu") == {
        "bytes_per_second": 1024,  # 64 numbers of 4 bytes, twice
        "flops_per_second": 1048576,  # 64³ products, as many sums
    }


class Device:
    """Takes orders at once, and works them off while somebody waits; its own clock."""

    def __init__(self):
        self.clock, self.orders = 100.0, 0.0

    def order(self, seconds):
        self.orders += seconds
        return "result"

    def wait(self):
        self.clock, self.orders = self.clock + self.orders, 0.0


def test_work_is_timed_and_not_the_giving_of_orders(monkeypatch):
    device = Device()
    monkeypatch.setattr(worker.time, "perf_counter", lambda: device.clock)
    device.order(5.0)  # is still under way, and none of ours
    assert worker.timed(lambda: device.order(3.0), device.wait) == (3.0, "result")


@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
def test_losses_are_measured_as_training_calls_them(monkeypatch, name):
    given, loss = [], getattr(ops, name)

    def noting(*arguments, **options):
        given.append(options)
        return loss(*arguments, **options)

    monkeypatch.setattr(ops, name, noting)
    ours = runner.OfMinifcn(SETTINGS)
    ours.load(next(c for c in cases.cases((5, 7), 1, 1 / 64) if c.operator == name))
    ours.run("backward")
    assert given == [{"check": False}]


@pytest.mark.parametrize("change", [dict(repeats=0), dict(batch=0), dict(width=0)])
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError, match="must be positive"):
        operators.measure(**{**TINY, **change})


def test_unknown_operator_is_refused():
    with pytest.raises(ValueError, match="no operator 'conv3d' to measure"):
        operators.measure(**TINY, only=["conv2d", "conv3d"])
