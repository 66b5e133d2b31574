"""Nets of experiments: trained once, kept, gone on with, and told apart."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data import scenes
from minifcn.experiments import lab as rooms
from minifcn.experiments.frame import Settings
from minifcn.experiments.lab import Lab, Trained, measured, scores_of
from minifcn.models import FCN
from minifcn.training import Recipe, Trainer, TrainingStopped, checkpoint
from tests.training.runs import TINY, same_arrays


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return scenes.write(tmp_path / "data", 5, 2, (32, 48), 1)


@pytest.fixture
def lab(tmp_path: Path, data: Path) -> Lab:
    """A lab on a data set, with a tiny recipe of 6 steps."""
    recipe = tmp_path / "tiny.json"
    settings = Recipe(data="", **{**TINY, "net": "fcn32s", "iterations": 6}).as_dict()
    recipe.write_text(json.dumps(settings))
    out = tmp_path / "out" / "one"
    out.mkdir(parents=True)
    return Lab(Settings(out, data, seeds=2, recipe=str(recipe)))


def arrays_of(net: Trained) -> dict[str, np.ndarray]:
    return checkpoint.load(net.last).model


def test_a_net_is_trained_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lab.train("net", lab.recipe(), 0)
    assert first.folder == lab.settings.shared / "nets" / "net-0"
    assert [row["iteration"] for row in first.log] == [1, 2, 3, 4, 5, 6]
    monkeypatch.setattr(Trainer, "step", pytest.fail)
    again = lab.train("net", lab.recipe(), 0)
    assert again == first
    assert set(first.scores) >= {"mean_iu", "pixel_accuracy"}
    assert first.seconds > 0


def test_another_recipe_trains_anew(lab: Lab) -> None:
    first = arrays_of(lab.train("net", lab.recipe(), 0))
    other = arrays_of(lab.train("net", lab.recipe(lr=0.5), 0))
    assert not same_arrays(first, other)
    back = arrays_of(lab.train("net", lab.recipe(), 0))
    assert same_arrays(first, back)


def test_seeds_differ_and_have_folders_of_their_own(lab: Lab) -> None:
    nets = lab.coarse_nets()
    assert [net.folder.name for net in nets] == ["fcn32s-0", "fcn32s-1"]
    assert not same_arrays(*map(arrays_of, nets))
    assert Recipe.read(nets[1].folder / "run.json").seed == 1


def interrupt(patch: pytest.MonkeyPatch, after: int) -> None:
    """Ask every training to stop after some steps."""
    step, steps = Trainer.step, 0

    def interrupted(self: Trainer, group: list) -> None:
        nonlocal steps
        step(self, group)
        steps += 1
        self.stop.requested = steps == after

    patch.setattr(Trainer, "step", interrupted)


def test_an_interrupted_training_goes_on_to_the_same_bits(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = arrays_of(lab.train("whole", lab.recipe(), 0))
    with monkeypatch.context() as patch:
        interrupt(patch, after=4)
        with pytest.raises(TrainingStopped):
            lab.train("part", lab.recipe(), 0)
    part = lab.train("part", lab.recipe(), 0)
    assert len(part.log) == 6
    assert same_arrays(arrays_of(part), whole)
    assert capsys.readouterr() == ("", "")


def test_a_net_is_trained_anew_when_the_one_it_began_with_was(lab: Lab) -> None:
    coarse = lab.train("coarse", lab.recipe(), 0)
    finer = lab.recipe("fcn16s", init_from=str(coarse.last))
    first = arrays_of(lab.train("finer", finer, 0))
    assert same_arrays(first, arrays_of(lab.train("finer", finer, 0)))
    lab.train("coarse", lab.recipe(lr=0.5), 0)
    assert not same_arrays(first, arrays_of(lab.train("finer", finer, 0)))


def test_other_images_and_damage_train_anew(lab: Lab, data: Path) -> None:
    first = lab.train("net", lab.recipe(), 0)
    before = arrays_of(first)
    scenes.write(data, 6, 2, (32, 48), 1)
    assert not same_arrays(before, arrays_of(lab.train("net", lab.recipe(), 0)))
    scenes.write(data, 5, 2, (32, 48), 1)
    first.last.write_bytes(b"PK")
    assert same_arrays(before, arrays_of(lab.train("net", lab.recipe(), 0)))


def test_change_is_made_before_the_first_step(lab: Lab) -> None:
    seen = []

    def change(net: FCN) -> None:
        seen.append(float(np.abs(net.score_fr.weight.data).max()))
        net.score_fr.weight.data += 1
        net.score_fr.weight.lr_mult = 0

    changed = lab.train("changed", lab.recipe(weight_decay=0.0), 0, change)
    assert seen == [0.0]
    np.testing.assert_array_equal(arrays_of(changed)["score_fr.weight"], 1)


def test_recipes_by_share_and_from_a_coarser_net(lab: Lab) -> None:
    assert lab.steps == 6
    assert lab.recipe(share=0.5).iterations == 3
    assert lab.recipe("fcn8s", share=0.01).iterations == 1
    begun = dataclasses.replace(lab.recipe(), weights="trunk.npz")
    lab.__dict__["_base"] = begun
    assert lab.recipe().weights == "trunk.npz"
    finer = lab.recipe("fcn16s", init_from="last.npz")
    assert (finer.net, finer.init_from, finer.weights) == ("fcn16s", "last.npz", None)


def test_epochs_of_a_recipe_become_steps(tmp_path: Path, data: Path) -> None:
    recipe = tmp_path / "epochs.toml"
    recipe.write_text("epochs = 3\nbatch_size = 2\niter_size = 2\n")
    lab = Lab(Settings(tmp_path / "x", data, recipe=str(recipe)))
    assert lab.steps == 3 * 2  # 5 images: 4 and 1


def test_weights_of_the_command_line_win(tmp_path: Path, data: Path) -> None:
    settings = Settings(tmp_path / "x", data, weights=Path("mine.npz"))
    assert Lab(settings).recipe().weights == "mine.npz"
    assert Lab(dataclasses.replace(settings, quick=True)).steps == 4


def test_scenes_and_classifier_are_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "SIZE", (32, 48))
    out = tmp_path / "out"
    out.mkdir()
    lab = Lab(Settings(out, seed=2, quick=True))
    assert lab.data == tmp_path / "scenes-8-4-32x48-2"
    assert lab.classifier == tmp_path / "classifier-4-2.npz"
    recipe = lab.recipe()
    assert (recipe.weights, recipe.freeze) == (str(lab.classifier), "conv1_1")
    monkeypatch.setattr(scenes, "write", pytest.fail)
    monkeypatch.setattr(rooms.pretraining, "train", pytest.fail)
    again = Lab(Settings(out, seed=2, quick=True))
    assert (again.data, again.classifier) == (lab.data, lab.classifier)
    assert len(again.val) == 4


def test_measured_are_the_four_measures_over_the_seeds() -> None:
    nets = [
        Trained(Path(), {"mean_iu": a, "pixel_accuracy": b, **more}, 1.0, [])
        for a, b in ((0.25, 0.5), (0.75, 1.0))
        for more in [{"mean_accuracy": 0.5, "frequency_weighted_iu": 0.125}]
    ]
    assert scores_of(nets, "pixel_accuracy") == [0.5, 1.0]
    cells = measured(nets)
    assert (cells["mean_iu"], cells["mean_iu_low"], cells["mean_iu_high"]) == (
        0.5,
        0.25,
        0.75,
    )
    assert cells["frequency_weighted_iu"] == 0.125


def test_labels_that_are_all_ignored_are_told(lab: Lab, data: Path) -> None:
    for path in data.glob("SegmentationClass/val_*.png"):
        Image.fromarray(np.full((32, 48), 255, np.uint8)).save(path)
    with pytest.raises(ValueError, match=r"\(val\) counts, all are to be ignored"):
        lab.train("net", lab.recipe(), 0)


def test_a_remark_says_how_much_was_trained_and_scored(lab: Lab) -> None:
    assert lab.remark() == (
        "6 steps in a whole training; scored on 2 images; per cent, mean of 2 seeds "
        "(lowest to highest)"
    )
    one = Lab(dataclasses.replace(lab.settings, seeds=1))
    assert one.remark().endswith("per cent, one seed")
