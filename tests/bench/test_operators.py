"""The benchmark of operators: that it holds each one, and reckons rightly."""

import json

import numpy as np
import pytest

from minifcn import arrays, ops
from minifcn.bench import operators
from minifcn.cli import main

TINY = dict(size=(9, 12), batch=2, width=1 / 64, repeats=1)


@pytest.fixture(autouse=True)
def _small_ceilings(monkeypatch):
    for table in (operators.COPIED, operators.SIDE):
        for device in arrays.DEVICES:
            monkeypatch.setitem(table, device, 64)


def test_every_operator_has_a_case(rng):
    cases = operators.cases((9, 12), 1, 1 / 64, rng)
    names = set(ops.__all__) - {"bilinear_kernel"}  # which makes weights
    assert {case.operator for case in cases} == names


@pytest.mark.parametrize("device", arrays.DEVICES)
def test_each_is_measured_on_each_device(device):
    try:
        arrays.check_device(device)
    except ValueError as error:
        pytest.skip(str(error))
    figures = operators.measure(device, **TINY)
    assert json.loads(json.dumps(figures)) == figures
    assert min(figures["ceilings"].values()) > 0
    for row in figures["operators"]:
        for side in ("forward", "backward"):
            assert 0 < row[side]["seconds"] < 60
            rate = row[side]["bytes"] / row[side]["seconds"]
            assert row[side]["bytes_per_second"] == pytest.approx(rate)
    lines = operators.render(figures).splitlines()
    assert len(lines) == len(figures["operators"]) + 5 + (device != "cpu")


def test_bytes_and_flops_by_hand():
    figures = operators.measure("cpu", **TINY)
    rows = {(row["operator"], row["at"]): row for row in figures["operators"]}
    # (2, 1, 12, 12) by one kernel of 3 × 3
    conv = rows["conv2d", "conv1_2"]
    x, w, b = 2 * 144, 9, 1
    assert conv["forward"]["flops"] == 2 * x * 9
    assert conv["backward"]["flops"] == 4 * x * 9
    assert conv["forward"]["bytes"] == 4 * (x + w + b + x)
    assert conv["backward"]["bytes"] == 4 * (2 * (x + w + b) + x)
    # (2, 21, 12, 12) scores, labels of 8 bytes, one loss
    loss = rows["cross_entropy", "score"]["forward"]
    assert loss["bytes"] == 4 * 21 * x + 8 * x + 4
    assert loss["flops"] == 0


def test_maxima_lie_in_their_windows(rng):
    cases = operators.cases((9, 12), 1, 1 / 64, rng)
    (indices,) = next(c for c in cases if c.operator == "max_unpool2d").fixed
    r, q = indices // 12, indices % 12
    assert (r // 2 == np.arange(6)[:, None]).all()
    assert (q // 2 == np.arange(6)).all()


def test_command(capsys):
    line = "bench --operators --size 9 12 --width 0.0156 --repeats 1".split()
    assert main(line) == 0
    assert "local_response_norm" in capsys.readouterr().out
    assert main([*line, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["size"] == [9, 12]
    assert main([*line, "--against", "torch"]) == 2
    assert "leave --against out" in capsys.readouterr().err


@pytest.mark.parametrize("change", [dict(repeats=0), dict(batch=0), dict(width=0)])
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError, match="all must be positive"):
        operators.measure(**{**TINY, **change})
