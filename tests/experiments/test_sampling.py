"""Figure 5: what is trained, what losses are compared, and what is concluded."""

import json
from pathlib import Path

import numpy as np
import pytest

from minifcn.data import scenes
from minifcn.experiments import frame, losses, sampling
from minifcn.experiments.frame import Settings
from minifcn.experiments.lab import Trained
from minifcn.experiments.sampling import SHARES, WHOLE
from tests.experiments.conftest import Quick

HALF, QUARTER = list(SHARES)[1:]


def net(values: list[float], seconds: float, iu: float = 0.5) -> Trained:
    log = [{"iteration": i + 1.0, "loss": v} for i, v in enumerate(values)]
    return Trained(Path(), {"mean_iu": iu, "pixel_accuracy": iu}, seconds, log)


def test_as_many_cells_of_more_images(quick: Quick, shared: Path) -> None:
    result = quick("sampling")
    recipes = [
        json.loads((shared / f"nets/fcn32s-cells{p}-3/run.json").read_text())
        for p in (100, 50, 25)
    ]
    chosen = [(r.pop("sample"), r.pop("batch_size")) for r in recipes]
    assert chosen == [(1.0, 8), (0.5, 16), (0.25, 32)]
    assert all(recipe == recipes[0] for recipe in recipes)
    assert recipes[0]["schedule"] == "constant"
    assert [row["images_per_step"] for row in result["rows"]] == [8, 16, 32]
    for row in result["rows"]:
        assert row["images"] == row["images_per_step"] * recipes[0]["iterations"]


def test_late_is_the_last_quarter_of_what_is_seen() -> None:
    table = losses.table([net([8, 6, 4, 2, 1, 3, 5, 7], 1), net([1] * 8, 1)])
    assert losses.late(table) == [6, 1]
    assert losses.late(table, 4) == [2, 1]
    assert losses.late(table, 1) == [8, 1]


def test_steps_in_the_time_of_whole_images() -> None:
    nets = {WHOLE: [net([1] * 8, 2.0)], HALF: [net([1] * 8, 4.0)]}
    assert sampling.steps_in_time(nets, WHOLE) == 8
    assert sampling.steps_in_time(nets, HALF) == 4
    nets[HALF] = [net([1] * 8, 0.5)]
    assert sampling.steps_in_time(nets, HALF) == 8  # no more than there are
    nets[HALF] = [net([1] * 8, 1e6)]
    assert sampling.steps_in_time(nets, HALF) == 1


def test_both_shares_must_agree_with_the_claim() -> None:
    falling = [8.0, 7, 6, 5, 4, 3, 2, 1]
    nets = {
        WHOLE: [net(falling, 2.0)],
        HALF: [net(falling, 4.0)],
        QUARTER: [net(falling, 8.0)],
    }
    assert [v.held for v in sampling.verdicts(nets)] == [True] * 4
    nets[QUARTER] = [net([x + 1 for x in falling], 1.0, iu=0.6)]
    # another loss, another score, faster: only the last figure still agrees
    assert [v.held for v in sampling.verdicts(nets)] == [False, False, False, True]


def test_losses_alike_is_a_share_of_the_loss() -> None:
    assert sampling.losses_alike([1.04], [1.0]).held
    assert not sampling.losses_alike([1.06], [1.0]).held
    assert not sampling.losses_alike([0.94], [1.0]).held


def test_a_loss_that_grows_with_the_batch_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "batch.toml"
    recipe.write_text('loss = "batch"\n')
    data = scenes.write(tmp_path / "data", 2, 1, (32, 48), 0)
    with pytest.raises(ValueError, match="mean or sum; the recipe's is 'batch'"):
        frame.conduct("sampling", Settings(tmp_path / "out", data, recipe=str(recipe)))


def test_curves_are_means_and_begin_when_there_are_enough() -> None:
    curve = losses.Curve(
        "", [10, 20, 30], np.array([[1.0, 3, 5], [3, 5, 7]]), 2, "black"
    )
    x, y = losses._smooth(curve)
    assert x == [20, 30]
    np.testing.assert_array_equal(y, [[2, 4], [4, 6]])
