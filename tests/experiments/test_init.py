"""How nets begin: what differs between them, and what is concluded."""

import json
from pathlib import Path

import numpy as np
import pytest

from minifcn import models, nn
from minifcn.data import scenes
from minifcn.experiments import init
from minifcn.experiments.init import DRAWN, LEARNED, LEARNED_DRAWN, PLAIN, SCRATCH
from minifcn.training import checkpoint
from tests.experiments.conftest import Quick


def test_each_net_differs_in_one_beginning(quick: Quick, shared: Path) -> None:
    result = quick("init")
    assert [row["net"] for row in result["rows"]] == list(init.VARIANTS)
    recipes = {
        name: json.loads((shared / "nets" / f"{one.run}-3/run.json").read_text())
        for name, one in init.VARIANTS.items()
    }
    plain = recipes[PLAIN]
    differ = {
        name: {key for key in plain if recipe[key] != plain[key]}
        for name, recipe in recipes.items()
    }
    assert differ[PLAIN] == differ[DRAWN] == set()
    assert differ[SCRATCH] == {"weights", "freeze"}
    assert differ[LEARNED] == differ[LEARNED_DRAWN] == {"learned_upsampling"}


def tiny(learned: bool = False) -> models.FCN:
    nn.seed(0)
    return models.fcn32s(
        3, width=1 / 16, fc_channels=4, learned_upsampling=learned, geometry="same"
    )


def test_a_drawn_score_layer_has_hes_deviation() -> None:
    net = models.fcn32s(21, width=1 / 16, fc_channels=400, geometry="same")
    before = net.upscore.weight.data.copy()
    init.draw_score(net)
    assert net.score_fr.weight.data.std() == pytest.approx((2 / 400) ** 0.5, rel=0.1)
    assert not net.score_fr.bias.data.any()
    np.testing.assert_array_equal(net.upscore.weight.data, before)


def test_a_drawn_enlargement_has_the_mean_square_of_the_bilinear_one() -> None:
    net = tiny(learned=True)
    before = float((net.upscore.weight.data**2).mean())
    init.draw_enlargement(net)
    drawn = net.upscore.weight.data
    assert float((drawn**2).mean()) == pytest.approx(before, rel=0.1)
    assert np.abs(drawn[0, 1]).max() > 0  # classes mix
    assert abs(float(drawn.mean())) < 0.1 * before**0.5


def test_fixed_enlargements_stay_bilinear_and_learned_ones_move(
    quick: Quick, shared: Path
) -> None:
    quick("init")

    def moved(name: str) -> float:
        path = shared / "nets" / f"{init.VARIANTS[name].run}-3" / "last.npz"
        return init.moved(checkpoint.load(path).model["upscore.weight"])

    assert moved(PLAIN) == 0
    assert 0 < moved(LEARNED) < 0.5 < moved(LEARNED_DRAWN)


def test_moved_is_the_distance_as_a_share() -> None:
    weight = nn.bilinear((2, 2, 4, 4))
    assert init.moved(weight) == 0
    assert init.moved(1.5 * weight) == pytest.approx(0.5)


def test_verdicts() -> None:
    iu = {PLAIN: [0.5], DRAWN: [0.515], SCRATCH: [0.2], LEARNED: [0.53]}
    found = init.verdicts(iu)
    assert [verdict.held for verdict in found] == [True, True, False]
    del iu[SCRATCH]
    assert len(init.verdicts(iu)) == 2
    iu[DRAWN] = [0.6]
    assert not init.verdicts(iu)[0].held


def test_without_pretrained_weights_nothing_is_from_scratch(
    quick: Quick, tmp_path: Path
) -> None:
    data = scenes.write(tmp_path / "data", 3, 1, (32, 48), 0)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text("width = [4, 6, 8, 8, 8]\nfc_channels = 8\nnet = 'fcn32s'\n")
    out = tmp_path / "out"
    result = quick("init", out=out, data=data, recipe=str(recipe), seeds=1)
    assert SCRATCH not in [row["net"] for row in result["rows"]]
    assert "random trunk, as none was given" in result["remarks"][1]
