"""Upsampling: what is compared, what the table says, and what is concluded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minifcn import Tensor, metrics, no_grad
from minifcn.experiments import contenders, costs, lab, upsampling, upsampling_picture
from minifcn.experiments.agreement import Agreement
from minifcn.experiments.boundary import Trimap, boundary_accuracy
from minifcn.experiments.contenders import Doubles, Limits, Measured, Tally
from minifcn.experiments.frame import Outcome, Settings
from minifcn.experiments.lab import Lab
from minifcn.training import Recipe
from minifcn.training.evaluation import predict

SEED, SIZE = 5, (48, 80)
DENSE = [f"{key}{s}" for key in "ef" for s in (16, 8, 4, 2, 1)]
KEYS = ["a", "b", "c", "d", *DENSE, "g16", "g8", "b+", "f+"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def settings(out: Path) -> Settings:
    (out / "upsampling").mkdir()
    return Settings(out / "upsampling", seed=SEED, seeds=2, quick=True)


@pytest.fixture(scope="module")
def kept(settings: Settings) -> Iterator[dict[str, Any]]:
    """A quick run of two seeds and small scenes: its outcome, and all else it had."""
    found: dict[str, Any] = {}

    def measure(*given: Any) -> Measured:
        found["seeds"], found["measured"] = given[0], contenders.measure(*given)
        return found["measured"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "SIZE", SIZE)
        patch.setattr(costs, "ROUNDS", 1)
        patch.setattr(upsampling, "measure", measure)
        found["outcome"] = upsampling.run(settings)
        found["lab"] = Lab(settings)
        yield found


@pytest.fixture
def measured(kept: dict[str, Any]) -> Measured:
    return kept["measured"]


@pytest.fixture
def outcome(kept: dict[str, Any]) -> Outcome:
    return kept["outcome"]


# ----------------------------------------------------------------------- what is run


def test_stages_begin_as_the_nets_before_them(out: Path, outcome: Outcome) -> None:
    stages = {
        "fcn16s": ("fcn16s", "fcn32s"),
        "fcn8s": ("fcn8s", "fcn16s"),
        "fcn32s-longer": ("fcn32s", "fcn32s"),
        "fcn32s-longest": ("fcn32s", "fcn32s-longer"),
    }
    for seed in (SEED, SEED + 1):
        whole = Recipe.read(out / f"nets/fcn32s-{seed}/run.json").iterations
        for name, (net, before) in stages.items():
            recipe = Recipe.read(out / f"nets/{name}-{seed}/run.json")
            start = out / f"nets/{before}-{seed}/last.npz"
            assert (recipe.net, recipe.init_from) == (net, str(start))
            assert recipe.iterations == round(0.5 * whole)  # type: ignore[operator]


def test_rows_are_the_ways(measured: Measured, outcome: Outcome) -> None:
    assert list(measured.ways) == KEYS
    rows = dict(zip(KEYS, outcome.rows, strict=True))
    assert {key: rows[key]["stride"] for key in ("b", "e4", "f1", "g8", "f+")} == {
        "b": 32,
        "e4": 4,
        "f1": 1,
        "g8": 8,
        "f+": 8,
    }
    classes, channels = 6, (64, 96)  # of scenes; of pool3 and pool4
    new = {key: rows[key]["anew"] for key in KEYS if rows[key]["anew"]}
    skip4, skip3 = (classes * (c + 1) for c in reversed(channels))
    assert new == {
        "c": round(64 * 64 * classes**2 / 1e3, 1),
        # kernels of 4 × 4 between 1, 2, 2, 2, 2, 1 times as many channels
        "d": round(16 * classes**2 * (2 + 4 + 4 + 4 + 2) / 1e3, 1),
        "g16": round(skip4 / 1e3, 1),
        "g8": round((skip4 + skip3) / 1e3, 1),
    }
    own = rows["b"]["learned"]
    assert rows["f1"]["learned"] == rows["e8"]["learned"] == own
    assert rows["c"]["learned"] == pytest.approx(own + new["c"], abs=0.11)  # type: ignore[operator]


def test_scores_are_those_of_all_images_together(kept: dict[str, Any]) -> None:
    dataset, found = kept["lab"].val, kept["measured"]
    assert found.scored == len(dataset)
    for key in ("a", "d", "f8", "g8"):
        for way, tally in zip(kept["seeds"], found.tallies, strict=True):
            predicted = [predict(way[key].net, image) for image, _ in dataset]
            labels = [label for _, label in dataset]
            hist = metrics.confusion_matrix(np.array(labels), np.array(predicted), 6)
            assert tally[key].mean_iu == metrics.scores(hist)["mean_iu"]
            near = sum(
                Trimap(a).counts(b) for a, b in zip(labels, predicted, strict=True)
            )
            np.testing.assert_array_equal(tally[key].near, near)


def test_each_seed_is_scored_by_its_own_nets(kept: dict[str, Any]) -> None:
    dataset, seeds = kept["lab"].val, kept["seeds"]
    bias = seeds[1]["b"].net.score_fr.bias  # what (a) to (f) of a seed share
    bias.data[3] += 100  # now all is of class 3
    try:
        found = contenders.measure(seeds, dataset, "cpu", Limits(1e8, 1e9, 1, 1))
    finally:
        bias.data[3] -= 100
    for key in ("a", "d", "f8"):
        one, other = (tally[key].hist for tally in found.tallies)
        assert other[:, 3].sum() == other.sum() == one.sum() > one[:, 3].sum()


def test_table_holds_what_was_measured(measured: Measured, outcome: Outcome) -> None:
    rows = dict(zip(KEYS, outcome.rows, strict=True))
    iu = measured.mean_iu()
    assert len(iu["c"]) == 2
    assert rows["c"]["mean_iu"] == pytest.approx(np.mean(iu["c"]))
    assert rows["c"]["mean_iu_low"] == min(iu["c"])
    both = sum(tally["c"].near for tally in measured.tallies)
    assert rows["c"]["near_3"] == boundary_accuracy(both)[2]  # type: ignore[arg-type]
    assert rows["e8"]["mean_iu"] == rows["f8"]["mean_iu"]
    assert rows["e8"]["million_adds"] == round(measured.adds("e8") / 1e6, 1)
    assert upsampling._millions(1_215_006_400_000) == 1215006
    for key in KEYS:
        there = key in measured.timings
        assert (rows[key]["ms"] is not None) == there == (rows[key]["mib"] is not None)
    assert rows["e1"]["ms"] is None  # 1,024 runs are too many for a quick look
    assert any("too long" in remark for remark in outcome.remarks)


@pytest.mark.usefixtures("outcome")
def test_picture(out: Path) -> None:
    with Image.open(out / "upsampling/upsampling.png") as picture:
        assert picture.width == 1870
        assert len(np.unique(np.asarray(picture))) > 50


def test_cells_share_their_class_by_nearest_alone(measured: Measured) -> None:
    def distinct(key: str) -> int:
        scores = measured.timings[key].answer.data[0, :, :32, :32]
        return len(np.unique(scores[0]))

    assert distinct("a") == 1
    assert distinct("b") > 100


def test_same_net_stitched_and_with_holes(measured: Measured) -> None:
    x = Tensor(np.random.default_rng(1).uniform(-99, 99, (1, 3, 37, 50)).astype("f"))
    with no_grad():
        for s in (16, 8, 4):
            e, f = (measured.ways[f"{key}{s}"].net(x).data for key in "ef")
            assert e.shape == (1, 6, 37, 50)
            np.testing.assert_allclose(e, f, rtol=1e-4, atol=1e-5 * abs(f).max())
        other = measured.ways["f8"].net(x).data
        assert abs(other - measured.ways["f16"].net(x).data).max() > 0


# ---------------------------------------------------------------------------- limits


def test_only_what_is_affordable_is_run(kept: dict[str, Any]) -> None:
    dataset, each = kept["lab"].val, kept["seeds"][0]
    adds = {key: way.count(SIZE) for key, way in each.items()}
    limits = Limits(adds["f8"] * 2.5, adds["f8"] * 2.5, adds["f2"], adds["e8"] * 1.5)
    found = contenders.measure([each], dataset, "cpu", limits)
    assert found.scored == 2 < len(dataset)
    assert set(found.tallies[0]) == {
        key for key in KEYS if adds[key] <= adds["f8"] * 1.25 and key[0] != "e"
    }
    assert set(found.timings) == {key for key in KEYS if adds[key] <= adds["f2"]}
    assert found.compared.pixels == SIZE[0] * SIZE[1]  # one image
    assert {"f2", "e16"} <= set(found.timings)
    assert "f1" not in found.timings
    remarks = upsampling.remarks(kept["lab"], found)
    assert any("2 images of 4, evenly spread" in remark for remark in remarks)
    assert upsampling.row(found, "f1")["mean_iu"] is None
    assert upsampling.row(found, "e1")["near_3"] is None


def test_large_images_leave_little(kept: dict[str, Any], tmp_path: Path) -> None:
    seeds, dataset = kept["seeds"], kept["lab"].val
    found = contenders.measure(seeds, dataset, "cpu", Limits(1, 1, 1, 1))
    assert found.scored == 1
    assert set(found.timings) == set(found.peaks) == {"b"}
    assert "f8" in found.tallies[0]
    assert "f4" not in found.tallies[0]
    assert len(upsampling.verdicts(found)) == 6
    assert any("runs in turn" in one for one in upsampling.remarks(kept["lab"], found))
    upsampling_picture.draw(tmp_path / "few.png", found, dataset.palette)
    with Image.open(tmp_path / "few.png") as picture:
        assert len(np.unique(np.asarray(picture))) > 50


def test_limits_fall_with_a_quick_look() -> None:
    assert Limits(100, 200, 300, 400).divided(100) == (1, 2, 3, 4)


# -------------------------------------------------------------------------- verdicts


def tallies(**iu: float) -> dict[str, Tally]:
    """Tallies of two classes, each of the IU that is given, 0.5 if none is."""
    found = {}
    for key in [k for k in KEYS if not k.startswith("e")]:
        wanted = iu.get(key.replace("+", "_more"), 0.5)
        right = round(10**6 * wanted)
        wrong = (10**6 - right) // 2  # missed, and as many found that are not
        hist = np.array([[right, wrong], [wrong, right]])
        found[key] = Tally(hist, np.ones((2, 16), np.int64))
    return found


def judged(measured: Measured, **iu: float) -> list[bool]:
    found = measured._replace(tallies=[tallies(**iu)] * 2)
    return [verdict.held for verdict in upsampling.verdicts(found)]


def test_the_paper_s_order_holds(measured: Measured) -> None:
    assert judged(measured, b=0.59, c=0.6, g8=0.63) == [True] * 6


@pytest.mark.parametrize(
    ("iu", "fails"),
    [
        ({"c": 0.53, "g8": 0.6}, {2}),
        ({"c": 0.47, "g8": 0.6}, {2}),
        ({"g8": 0.6, "d": 0.61}, {3}),
        ({"g8": 0.6, "f1": 0.61}, {3}),
        ({"g8": 0.6, "f8": 0.61}, {3, 5}),
        ({"g8": 0.6, "b_more": 0.61}, {4}),
        ({"g8": 0.6, "f_more": 0.61}, {4}),
        ({"g8": 0.6, "g16": 0.61}, set()),
    ],
)
def test_each_claim_can_fail(
    measured: Measured, iu: dict[str, float], fails: set[int]
) -> None:
    held = judged(measured, **iu)
    assert {i for i, one in enumerate(held) if not one} == fails


@pytest.mark.parametrize(
    ("rounded", "exact", "same", "holds"),
    [
        (1e-15, 0.0, 10**6, True),
        (1e-15, 0.0, 10**6 - 100, True),  # ties
        (1e-15, 0.0, 10**6 - 5000, False),
        (1e-15, 1e-18, 10**6, False),
        (1e-9, 0.0, 10**6, False),
    ],
)
def test_equality_is_judged_by_all_three(
    measured: Measured, rounded: float, exact: float, same: int, holds: bool
) -> None:
    doubles = Doubles(1, Agreement(rounded, 5, 5), Agreement(exact, 5, 5))
    found = measured._replace(
        agreements={8: Agreement(1e-7, same, 10**6)}, doubles=doubles
    )
    assert upsampling.equal(found).held is holds
    # (e) is given the accuracy of (f) only where they agree
    assert (upsampling.row(found, "e8")["mean_iu"] is not None) == (same > 999000)


def test_quick_run_finds_the_ways_equal(measured: Measured) -> None:
    assert upsampling.equal(measured).held
    assert measured.doubles.exact.difference == 0
    assert set(measured.agreements) >= {16, 8}
    assert all(one.difference < 1e-5 for one in measured.agreements.values())
