"""Class weights: what is trained, shares of pixels, and what is concluded."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn import metrics, training
from minifcn.data import open_dataset, scenes
from minifcn.experiments import balance, frame
from minifcn.experiments.balance import Classes
from minifcn.experiments.frame import Settings
from minifcn.training import checkpoint
from tests.experiments.conftest import Quick


def test_nets_differ_in_their_weights_alone(quick: Quick, shared: Path) -> None:
    result = quick("balance")
    runs = [shared / "nets" / f"{run}-3" for run, _ in balance.VARIANTS.values()]
    recipes = [json.loads((run / "run.json").read_text()) for run in runs]
    chosen = [(r.pop("class_weights"), r.pop("weight_power")) for r in recipes]
    assert chosen == [("none", 1.0), ("balanced", 0.5), ("balanced", 1.0)]
    assert all(recipe == recipes[0] for recipe in recipes)
    assert [row["weights"] for row in result["rows"]] == list(balance.VARIANTS)
    # The IU of single classes, from the nets themselves.
    val = open_dataset(recipes[0]["data"], "val")
    for row, (run, _) in zip(result["rows"], balance.VARIANTS.values()):
        found = [
            metrics.iu_per_class(training.evaluate(_net(shared, run, seed), val))
            for seed in (3, 4)
        ]
        for c, name in enumerate(val.class_names):
            mean = np.mean([iu[c] for iu in found])
            assert (row[f"iu_{name}"] is None) == bool(np.isnan(mean))
            assert row[f"iu_{name}"] is None or row[f"iu_{name}"] == pytest.approx(mean)


def _net(shared: Path, run: str, seed: int):  # type: ignore[no-untyped-def]
    path = shared / "nets" / f"{run}-{seed}" / "last.npz"
    return checkpoint.restore_model(checkpoint.load(path))


def test_shares_are_of_pixels_that_count(tmp_path: Path) -> None:
    root = scenes.write(tmp_path / "data", 2, 1, (32, 40), 0)
    labels = [np.full((32, 40), 255, np.uint8) for _ in range(2)]
    labels[0][:, :10], labels[1][:8, :20] = 1, 3  # 320 and 160 pixels
    for number, label in enumerate(labels):
        path = root / "SegmentationClass" / f"train_000{number}.png"
        Image.fromarray(label).save(path)
    found = balance.shares_of(open_dataset(root, "train"))
    np.testing.assert_allclose(found, [0, 320 / 480, 0, 160 / 480, 0, 0])


def test_no_weights_is_held_to_be_as_good() -> None:
    iu = dict(zip(balance.VARIANTS, ([0.5, 0.6], [0.51, 0.62], [0.6, 0.6])))
    assert [verdict.held for verdict in balance.verdicts(iu)] == [True, False]
    worse = dict(zip(balance.VARIANTS, ([0.5], [0.1], [0.0])))
    assert all(verdict.held for verdict in balance.verdicts(worse))


def test_a_recipe_with_weights_of_its_own_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "weighted.toml"
    recipe.write_text('class_weights = "balanced"\n')
    data = scenes.write(tmp_path / "data", 2, 1, (32, 40), 0)
    settings = Settings(tmp_path / "out", data, recipe=str(recipe), quick=True)
    with pytest.raises(ValueError, match="class_weights 'balanced'"):
        frame.conduct("balance", settings)
    assert not (tmp_path / "out" / "nets").exists()


def test_shares_of_many_classes_are_not_all_listed() -> None:
    names = [f"c{i}" for i in range(20)]
    shares = np.arange(1.0, 21) / 210
    told = balance._shares(Classes(names, shares, {}))
    assert told == "c19 9.5, c0 0.5 per cent"
    assert balance._shares(Classes(names[:2], np.array([0.25, 0.75]), {})) == (
        "c1 75.0, c0 25.0 per cent"
    )
