"""Mirroring and jittering: what is trained, and what is concluded."""

import json
from pathlib import Path

from minifcn.data import scenes
from minifcn.experiments import augment
from minifcn.experiments.frame import Settings
from minifcn.experiments.lab import Lab
from tests.experiments.conftest import Quick


def test_nets_differ_in_how_images_vary_alone(quick: Quick, shared: Path) -> None:
    result = quick("augment")
    assert [row["images"] for row in result["rows"]] == list(augment.VARIANTS)
    recipes = [
        json.loads((shared / "nets" / f"{run}-4" / "run.json").read_text())
        for run, _ in augment.VARIANTS.values()
    ]
    varied = [(recipe.pop("mirror"), recipe.pop("jitter")) for recipe in recipes]
    assert varied == [(False, 0), (True, 0), (True, 8), (True, 32)]
    assert all(recipe == recipes[0] for recipe in recipes)
    assert "80 pixels wide and 48 high" in result["remarks"][1]


def test_a_shift_is_compared_with_the_paper_s_on_scenes_alone(tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 1, 1, (32, 48))
    (remark,) = augment.remarks(Lab(Settings(tmp_path / "out", data)))
    assert remark.startswith("FCN-32s; ")


def test_each_way_is_held_to_images_as_they_are() -> None:
    iu = dict(zip(augment.VARIANTS, ([0.5], [0.515], [0.53], [0.4])))
    verdicts = augment.verdicts(iu)
    assert [verdict.held for verdict in verdicts] == [True, False, False]
    assert all("within 2 points" in verdict.claim for verdict in verdicts)
