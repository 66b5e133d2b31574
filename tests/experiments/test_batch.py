"""Accumulated, online and heavy learning: the same images, pixel for pixel alike."""

import json
from pathlib import Path

import pytest

from minifcn.experiments import batch
from minifcn.experiments.batch import FASTER, WAYS
from tests.experiments.conftest import Quick


def test_equal_numbers_of_images_at_one_rate(quick: Quick, shared: Path) -> None:
    result = quick("batch")
    recipes = {
        name: json.loads(
            (
                shared / f"nets/fcn32s-{batch.RUNS.get(name, name)}-3/run.json"
            ).read_text()
        )
        for name in WAYS
    }
    per_image = {name: r["lr"] / r["iter_size"] for name, r in recipes.items()}
    slow = per_image.pop(FASTER) / 10
    assert all(rate == pytest.approx(slow) for rate in per_image.values())
    for name, recipe in recipes.items():
        way = WAYS[name]
        assert (recipe["batch_size"], recipe["loss"]) == (1, "sum")
        assert (recipe["schedule"], recipe["warm_up"]) == ("constant", 0)
        assert (recipe["iter_size"], recipe["momentum"]) == (way.images, way.momentum)
    rows = {row["learning"]: row for row in result["rows"]}
    assert [rows[name]["steps"] for name in WAYS] == [
        3,
        20,
        20,
        20,
    ]  # 8 images: 3 times


@pytest.mark.parametrize(
    "images, epoch, size, expected",
    [
        (20, 20, 1, 20),
        (20, 20, 20, 1),
        (40, 8, 20, 5),  # a step an epoch, of 8 images
        (20, 8, 20, 3),  # 8 and 8 and 4
        (600, 840, 20, 30),
        (60, 25, 10, 7),  # 3 and 3 and 1
    ],
)
def test_steps_that_see_so_many_images(
    images: int, epoch: int, size: int, expected: int
) -> None:
    seen, count, left = 0, 0, epoch
    while seen < images:  # an epoch's last step is smaller
        step = min(size, left)
        seen, count, left = seen + step, count + 1, left - step or epoch
    assert count == expected
    assert batch.steps(images, epoch, size) == expected


def test_the_papers_equivalence() -> None:
    assert WAYS["accumulated"].kept == pytest.approx(0.9947, abs=1e-4)
    assert WAYS["heavy"].kept == 0.99
    assert WAYS["online"].kept == 0.9


def test_verdicts() -> None:
    iu = {"accumulated": [0.1], "online": [0.2], "heavy": [0.3], FASTER: [0.4]}
    assert [v.held for v in batch.verdicts(iu)] == [True, True, False]
    iu["accumulated"] = [0.25]
    assert [v.held for v in batch.verdicts(iu)] == [False, True, False]
