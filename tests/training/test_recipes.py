"""The packaged recipes against the authors' solvers, and files that are no recipes."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn.cli import main
from minifcn.data import scenes
from minifcn.training import Recipe, Trainer, recipes, start
from minifcn.training.multipliers import multipliers
from minifcn.training.setup import build_model
from tests.training.runs import TINY, same_arrays

# net, learning rate, momentum, images a step, loss, iterations, begins with: from
# solver.prototxt and solve.py of the authors' Caffe code; of the two last, from Long et
# al. 2015, section 4.3, and Shelhamer et al. 2016 (100,000 images each).
SOLVERS = {
    "fcn32s-heavy": ("fcn32s", 1e-10, 0.99, 1, "sum", 100_000, "weights"),
    "fcn16s-heavy": ("fcn16s", 1e-12, 0.99, 1, "sum", 100_000, "fcn32s-heavy"),
    "fcn8s-heavy": ("fcn8s", 1e-14, 0.99, 1, "sum", 100_000, "fcn16s-heavy"),
    "fcn8s-at-once": ("fcn8s_at_once", 1e-10, 0.99, 1, "sum", 300_000, "weights"),
    "context-fcn32s": ("fcn32s", 1e-10, 0.99, 1, "sum", 400_000, "weights"),
    "context-fcn16s": ("fcn16s", 1e-12, 0.99, 1, "sum", 400_000, "context-fcn32s"),
    "context-fcn8s": ("fcn8s", 1e-14, 0.99, 1, "sum", 400_000, "context-fcn16s"),
    "fcn32s-accumulated": ("fcn32s", 1e-4, 0.9, 20, "mean", 5_000, "weights"),
    "fcn32s-online": ("fcn32s", 1e-10, 0.9, 1, "sum", 100_000, "weights"),
}
OURS = ("slim", "camvid")  # of no paper


# -------------------------------------------------------------------------- packaged


def test_all_packaged_recipes_are_tested() -> None:
    assert recipes.names() == sorted([*SOLVERS, *OURS])


@pytest.mark.parametrize("name", SOLVERS)
def test_recipe_is_the_authors_solver(name: str) -> None:
    net, lr, momentum, images, loss, iterations, begin = SOLVERS[name]
    expected: dict[str, Any] = {
        "net": net,
        "lr": lr,
        "momentum": momentum,
        "batch_size": 1,
        "iter_size": images,
        "loss": loss,
        "iterations": iterations,
        "weight_decay": 5e-4,
        "schedule": "constant",
        "warm_up": 0,
        "order": "replacement",
        # neither augmented nor resized, nor balanced
        "mirror": False,
        "jitter": 0,
        "scale": (1.0, 1.0),
        "crop": None,
        "class_weights": "none",
        "sample": 1.0,
        # the paper's net
        "trunk": "vgg16",
        "width": 1.0,
        "geometry": "caffe",
        "fc_channels": 4096,
        "fc_kernel": 7,
        "dropout": 0.5,
        "skip_scales": (0.01, 0.0001) if name == "fcn8s-at-once" else None,
        "trunk_lr": 1.0,
        "freeze": "",
    }
    recipe = Recipe.read(name).as_dict()
    assert {key: recipe[key] for key in expected} == expected
    from_vgg = begin == "weights"
    assert recipe["weights"] == ("vgg16.npz" if from_vgg else None)
    assert recipe["init_from"] == (None if from_vgg else f"runs/{begin}")


def test_slim_recipe_is_what_train_does_anyway() -> None:
    assert Recipe.read("slim") == Recipe()


@pytest.mark.parametrize("name", [*SOLVERS, *OURS])
def test_recipe_says_every_setting_that_it_changes(name: str) -> None:
    settings = recipes.read(recipes.find(name))
    shown = ("lr", "momentum", "weight_decay", "batch_size", "iter_size", "loss")
    assert set(shown) <= settings.keys()
    head = recipes.find(name).read_text().split("\n\n")[0].splitlines()
    assert all(line.startswith("# ") for line in head)
    assert head[1].startswith("# Begins")
    assert head[2].startswith("# Source: ")


@pytest.mark.parametrize("name", SOLVERS)
def test_recipe_builds_its_net(name: str) -> None:
    """Made slim; with the multiples of rate and decay that the authors' nets have."""
    slim = dict(width=(4, 6, 8, 8, 8), fc_channels=8, weights=None, init_from=None)
    n_classes = 60 if name.startswith("context") else 21
    recipe = dataclasses.replace(Recipe.read(name), **slim)  # type: ignore[arg-type]
    model = build_model(recipe, n_classes)
    assert model.config["name"] == recipe.net
    assert model.state_dict()["score_fr.weight"].shape == (n_classes, 8, 1, 1)
    assert model.skip_scales == (
        {"pool4": 0.01, "pool3": 0.0001} if name == "fcn8s-at-once" else {}
    )
    paces = multipliers(model)
    for layer in ("conv1_2", "conv5_3", "fc6", "score_fr"):
        assert paces[f"{layer}.weight"] == [1, 1]
        assert paces[f"{layer}.bias"] == [2, 0]
    last = model.streams[-1][0]
    assert paces.get(f"{last}.weight", [0])[0] == 0  # bilinear, and stays so


# ----------------------------------------------------------------------------- files


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_toml_holds_what_json_holds(tmp_path: Path) -> None:
    text = """
        data = "photos"        # a comment
        width = [2, 3, 4, 5, 6]
        class_weights = [1, 0.5]
        crop = [32, 48]
        lr = 1e-3
        jitter = 32
        mirror = false
    """
    recipe = Recipe.read(write(tmp_path / "own.toml", text))
    assert recipe == Recipe(
        data="photos",
        width=(2, 3, 4, 5, 6),
        class_weights=(1, 0.5),
        crop=(32, 48),
        lr=1e-3,
        jitter=32,
        mirror=False,
    )
    saved = write(tmp_path / "run.json", json.dumps(recipe.as_dict()))
    assert Recipe.read(saved) == recipe


def test_unknown_recipe_names_all_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no recipe 'fcn64s'") as error:
        Recipe.read("fcn64s")
    for name in recipes.names():
        assert name in str(error.value)
    with pytest.raises(FileNotFoundError, match="no such file"):
        Recipe.read(tmp_path)  # a folder


@pytest.mark.parametrize(
    "text, said",
    [
        ("lr = 1\nnet = fcn8s\n", r"not a recipe in TOML: .*line 2"),
        ("lr = 1\n\nlr = 2\n", r"not a recipe in TOML: .*line 3"),
        ("lr = \n", r"not a recipe in TOML: .*line 1"),
        ("width = [16, 32", r"not a recipe in TOML"),
        ("width = " + 5000 * "[", r"not a recipe in TOML"),
        ('{"lr": 1}', r"not a recipe in TOML: .*line 1"),
        ("rate = 0.1", r"'rate' is no setting of a recipe; it must be one of data"),
        ("[solver]\nlr = 0.1", r"'solver' is no setting"),
        ('lr = "fast"', r"lr is 'fast'; it must be a number"),
        ("net = 8", r"net is 8; it must be one of fcn32s"),
        ('net = ["fcn8s"]', r"net is \('fcn8s',\); it must be one of"),
        ("mirror = 1", r"mirror is 1; it must be true or false"),
        ("batch_size = 2.0", r"batch_size is 2.0; it must be a whole number"),
        ("jitter = -1", r"jitter is -1; it must be a whole number of at least 0"),
        ("sample = 0", r"sample is 0; it must be a share above 0 and at most 1"),
        ("sample = 1.25", r"sample is 1.25; it must be a share"),
        ("sample = true", r"sample is True; it must be a share"),
        ('order = "random"', r"order is 'random'; .* shuffle, sequential, replacement"),
        ("lr = 1979-05-27", r"lr is datetime.date.*; it must be a number"),
        ("lr = 1" + 400 * "0", r"lr is 10+; it must be a number"),
        ("lr = inf", r"lr is inf; it must be a number"),
        ("crop = [[1], [2]]", r"crop is .*; it must be two whole numbers"),
        ("width = {a = 1}", r"width is .*; it must be a factor"),
        ("class_weights = {}", r"class_weights is .*; it must be 'none'"),
    ],
)
def test_file_that_is_no_recipe(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path / "own.toml", text)
    with pytest.raises(ValueError, match=said) as error:
        Recipe.read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["own.toml", "run.json"])
def test_file_that_is_no_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"lr = 1 # \xff\xfe")
    with pytest.raises(ValueError, match=f"{name} is not a recipe in"):
        Recipe.read(tmp_path / name)


def test_wrong_setting_in_json_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "run.json", '{"lr": -1}')
    with pytest.raises(ValueError, match=r"run.json: lr is -1; it must be"):
        Recipe.read(path)


# ------------------------------------------------------------------ the command line


def train(*argv: object) -> int:
    slim = ["--width=4,6,8,8,8", "--fc-channels=8", "--geometry=same"]
    return main(["train", *map(str, argv), *slim])


def test_options_override_the_recipe_and_both_are_kept(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, again = tmp_path / "run", tmp_path / "again"
    options = ("--net=fcn32s", "--iterations=2", "--batch-size=3", "--no-mirror")
    assert train(data, "--recipe", "slim", "--out", run, *options) == 0
    kept = json.loads((run / "run.json").read_text())
    expected = Recipe.read("slim").as_dict() | dict(
        data=str(data.resolve()),
        net="fcn32s",
        iterations=2,
        batch_size=3,
        mirror=False,
        width=[4, 6, 8, 8, 8],
        fc_channels=8,
        scale=[1.0, 1.0],
    )
    assert kept == expected
    # a heavier stage begins as the run ended: its own weights are not asked for
    heavy = ("--recipe", "fcn32s-heavy", "--init-from", run, "--epochs=1")
    assert train(data, *heavy, "--out", again) == 0
    kept = json.loads((again / "run.json").read_text())
    assert (kept["lr"], kept["momentum"], kept["order"]) == (1e-10, 0.99, "replacement")
    assert (kept["weights"], kept["init_from"]) == (None, str(run))
    assert (kept["epochs"], kept["iterations"]) == (1, None)  # epochs were asked for


def test_recipe_without_what_it_begins_with(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, said in [
        (["fcn8s-at-once"], "there is no weight file vgg16.npz"),
        (["context-fcn8s"], "there is no checkpoint runs/context-fcn16s"),
        # asked for in the place of the recipe's checkpoint
        (["fcn8s-heavy", "--weights=my.npz"], "there is no weight file my.npz"),
    ]:
        assert train(data, "--out", tmp_path / "run", "--recipe", *options) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_help_and_misuse_name_the_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    listed = capsys.readouterr().out.split("recipes (")[1]
    assert main(["train", "photos", "--recipe", "list"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minifcn: there is no recipe 'list'")
    for name in recipes.names():
        assert f"\n  {name} " in listed
        assert recipes.title(name) in listed
        assert name in said


# ------------------------------------------------------------------ what they ask for


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_accumulated_step_is_that_of_a_large_batch(tmp_path: Path, loss: str) -> None:
    """Two steps of 20 images by momentum 0.9, one by one and side by side."""
    root = scenes.write(tmp_path / "scenes", 20, 1, (32, 40), 2)
    recipe = dataclasses.replace(
        Recipe.read("fcn32s-accumulated"),
        data=str(root),
        val_split="none",
        width=TINY["width"],
        fc_channels=8,
        geometry="same",
        weights=None,
        dropout=0.0,  # would drop others
        order="sequential",
        iterations=2,
        loss=loss,
        lr=0.1 if loss == "mean" else 1e-4,
    )
    assert (recipe.batch_size, recipe.iter_size, recipe.momentum) == (1, 20, 0.9)
    # the sum over 20 images is 20 times the mean of their sums, which a step takes
    lr = recipe.lr if loss == "mean" else recipe.lr / 20
    whole = dataclasses.replace(recipe, batch_size=20, iter_size=1, lr=lr)

    def train(recipe: Recipe, folder: Path) -> Trainer:
        trainer = start(recipe, folder, talk=False)
        trainer.train()
        assert trainer.at.iteration == 2
        return trainer

    one, other = train(recipe, tmp_path / "one"), train(whole, tmp_path / "other")
    begun = build_model(recipe, 6).state_dict()
    ours, theirs = one.model.state_dict(), other.model.state_dict()
    assert not same_arrays(ours, begun)
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-4, atol=2e-7)
        if name.startswith("score"):
            assert np.abs(array - begun[name]).max() > 1e-3
