import json
from pathlib import Path
from typing import Any

import pytest

from minifcn.training import Recipe


def test_recipe_survives_json() -> None:
    recipe = Recipe(
        data="x", width=(2, 3, 4, 5, 6), class_weights=(1.0, 0.5), crop=(32, 48)
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("net", "fcn4s", "fcn32s, fcn16s, fcn8s"),
        ("epochs", 0, "at least 1"),
        ("epochs", 2.5, "whole number"),
        ("batch_size", True, "whole number"),
        ("seed", -1, "at least 0"),
        ("lr", float("nan"), "at least 0"),
        ("momentum", 1.0, "below 1"),
        ("dropout", -0.1, "at least 0"),
        ("scale", (1.5, 0.5), "lowest and highest"),
        ("scale", 1.0, "two numbers"),
        ("crop", (32,), "height and width"),
        ("width", (16, 32), "five whole numbers"),
        ("width", 0.0, "above 0"),
        ("fc_channels", (8, 8, 8), "or two"),
        ("class_weights", "heavy", "'balanced'"),
        ("class_weights", (1.0, -1.0), "none below 0"),
        ("class_weights", (1.0, float("inf")), "one number per class"),
        ("class_weights", ("a", "b"), "one number per class"),
        ("iterations", 0, "at least 1"),
        ("freeze", None, "text"),
        ("val_split", False, "text"),
        ("weights", 5, "name of a file"),
        ("mirror", "no", "true or false"),
        ("fusion", "mean", "sum, max"),
    ],
)
def test_setting_out_of_range_is_named(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=name) as error:
        Recipe(**{name: value})
    assert said in str(error.value)
    assert repr(value) in str(error.value)


def test_unknown_setting_is_named() -> None:
    with pytest.raises(ValueError, match=r"'learning_rate' is no setting"):
        Recipe.from_dict({"learning_rate": 1})


@pytest.mark.parametrize("text", ["{", "[]", "12"])
def test_file_that_is_no_recipe(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run.json is not a recipe"):
        Recipe.read(tmp_path / "run.json")


def test_schedules() -> None:
    poly = Recipe(lr=0.1, schedule="poly", power=0.9).lr_schedule(200)
    assert [poly(0), poly(50)] == pytest.approx([0.1, 0.1 * 0.75**0.9])
    step = Recipe(lr=0.1, schedule="step", step_every=30, gamma=0.5).lr_schedule(200)
    assert [step(29), step(30), step(95)] == pytest.approx([0.1, 0.05, 0.0125])
    assert Recipe(lr=0.3, schedule="constant").lr_schedule(200)(199) == 0.3
