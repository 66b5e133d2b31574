"""Table 2: which nets are compared, how they begin, and what is concluded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minifcn import models, nn, weights
from minifcn.data import IGNORE
from minifcn.data.files import Pixels
from minifcn.data.palettes import voc_palette
from minifcn.experiments import lab, skips
from minifcn.experiments.frame import Outcome, Settings
from minifcn.experiments.skips import (
    AT_ONCE,
    COARSE,
    FINE,
    FIXED,
    LARGER,
    LONGER,
    MIDDLE,
    PLANS,
    POOL3,
    POOL4,
)
from minifcn.training import checkpoint

SEED = 5


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def outcome(out: Path) -> Iterator[Outcome]:
    """What a quick run says, of two seeds and small scenes."""
    (out / "skips").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "SIZE", (48, 80))
        yield skips.run(Settings(out / "skips", seed=SEED, seeds=2, quick=True))


def recipe(out: Path, name: str, seed: int) -> dict[str, Any]:
    folder = out / "nets" / f"{PLANS[name].run}-{seed}"
    return json.loads((folder / "run.json").read_text())


# ----------------------------------------------------------------------- what is run


@pytest.mark.usefixtures("outcome")
@pytest.mark.parametrize("seed", [SEED, SEED + 1])
def test_each_stage_goes_on_from_the_one_before_it(out: Path, seed: int) -> None:
    stages = {MIDDLE: COARSE, FINE: MIDDLE, LARGER: COARSE, LONGER: COARSE}
    for name in PLANS:
        begun = recipe(out, name, seed)["init_from"]
        if name in stages:
            before = f"{PLANS[stages[name]].run}-{seed}"
            assert Path(begun) == out / "nets" / before / "last.npz"
            assert recipe(out, name, seed)["weights"] is None
        else:
            assert begun is None
            assert "classifier" in recipe(out, name, seed)["weights"]


@pytest.mark.usefixtures("outcome")
def test_nets_differ_in_what_their_names_say_alone(out: Path) -> None:
    coarse = recipe(out, COARSE, SEED)
    own = {"init_from", "weights", "iterations"}
    expected: dict[str, dict[str, Any]] = {
        FIXED: {"freeze": "conv,fc"},
        COARSE: {},
        MIDDLE: {"net": "fcn16s"},
        FINE: {"net": "fcn8s"},
        AT_ONCE: {"net": "fcn8s_at_once", "skip_scales": ...},
        LARGER: {"net": "fcn16s", "fusion": "max"},
        POOL4: {"net": "fcn_pool4"},
        POOL3: {"net": "fcn_pool3"},
        LONGER: {},
    }
    assert list(PLANS) == list(expected)
    for name, changes in expected.items():
        found = recipe(out, name, SEED)
        changed = {k: v for k, v in found.items() if v != coarse[k] and k not in own}
        assert changed.keys() == changes.keys()
        for key, value in changes.items():
            assert value is ... or changed[key] == value


def test_steps_are_those_of_all_stages(outcome: Outcome) -> None:
    steps = {row["net"]: row["steps"] for row in outcome.rows}
    base = max(2, lab.STEPS // lab.QUICK)
    shares = [1, 1, 1.5, 2, 2, 1.5, 1.5, 2, 1.5]
    assert steps == dict(zip(PLANS, [base * share for share in shares], strict=True))


@pytest.mark.usefixtures("outcome")
def test_of_the_fixed_net_the_score_layer_alone_learns(out: Path) -> None:
    folder = out / "nets" / f"{PLANS[FIXED].run}-{SEED}"
    learned = checkpoint.load(folder / "last.npz").model
    begun = weights.load(recipe(out, FIXED, SEED)["weights"])
    trunk = [name for name in learned if name.startswith(("conv", "fc"))]
    assert len(trunk) == 2 * 10
    for name in trunk:
        np.testing.assert_array_equal(learned[name], begun[name])
    assert learned["score_fr.weight"].any()
    tuned = out / "nets" / f"{PLANS[COARSE].run}-{SEED}" / "last.npz"
    assert (checkpoint.load(tuned).model["fc7.weight"] != begun["fc7.weight"]).any()


def test_table_and_picture(out: Path, outcome: Outcome) -> None:
    paper = [0.454, 0.594, 0.624, 0.627] + 5 * [None]
    assert [row["paper"] for row in outcome.rows] == paper
    for row in outcome.rows:
        log = out / "nets" / f"{PLANS[str(row['net'])].run}-{SEED}" / "log.csv"
        assert log.is_file()
        assert 0 < row["mean_iu_low"] <= row["mean_iu"] <= row["mean_iu_high"] < 1  # type: ignore[operator]
    with Image.open(out / "skips" / "skips.png") as picture:
        assert len(np.unique(np.asarray(picture))) > 50
    factors = recipe(out, AT_ONCE, SEED)["skip_scales"]
    said = "pool4 is multiplied by {:g} and pool3 by {:g}".format(*factors)
    assert any(said in remark for remark in outcome.remarks)
    # VGG-11 by hand: 3, 4 | 8, 10 | 18, 26, 30 | 46, 62, 70 | 102, 134, 150 | 214
    (sight,) = (remark for remark in outcome.remarks if "sees" in remark)
    assert "sees 70 pixels" in sight
    assert "30 in pool3 alone, and 214 in FCN-32s" in sight


# ----------------------------------------------------------------------------- norms


class Noise:
    """A data set of unequal images of noise, whose labels show given classes."""

    ignore_index = IGNORE
    mean_bgr = (100.0, 110.0, 120.0)
    palette = voc_palette(5)

    def __init__(self, sizes: list[tuple[int, int]], classes: list[list[int]]) -> None:
        rng = np.random.default_rng(3)
        self.images = [rng.integers(0, 256, (*s, 3)).astype(np.uint8) for s in sizes]
        self.labels = [
            np.resize(np.array(c, np.uint8), s)
            for c, s in zip(classes, sizes, strict=True)
        ]
        self.class_names = [f"class {c}" for c in range(5)]
        self.ids = [str(i) for i in range(len(sizes))]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        return self.images[index], self.labels[index]


def test_norms_are_means_over_all_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    nn.seed(2)
    shape: dict[str, Any] = dict(width=(3, 4, 5, 6, 4), fc_channels=7, fc_kernel=3)
    net = models.fcn32s(5, trunk="vgg11", geometry="same", dropout=0.0, **shape)
    data = Noise([(40, 70), (97, 33), (16, 16)], 3 * [[0]])
    seen: dict[str, list[np.ndarray]] = {"fc7": [], "pool4": [], "pool3": []}
    layers = list(net.coarse().children())
    ends = {"fc7": "relu_fc7", "pool4": "pool4", "pool3": "pool3"}
    for index in range(2):  # as many as are measured
        for name, end in ends.items():
            height = [layer for layer, _ in layers].index(end) + 1
            chain = nn.Sequential(**dict(layers[:height]))
            image = data.images[index][..., ::-1] - np.array(data.mean_bgr)  # BGR
            x = image.transpose(2, 0, 1)[None].astype(np.float32)
            y = chain(models.fcn.Tensor(x)).data[0]
            seen[name] += [y[:, r, q] for r, q in np.ndindex(*y.shape[1:])]
    monkeypatch.setattr(skips, "N_MEASURED", 2)
    monkeypatch.setattr(skips, "open_dataset", lambda *_: data)
    monkeypatch.setattr(skips, "build_model", lambda *_: net)
    monkeypatch.setattr(
        lab.Lab, "recipe", lambda *_: lab.Recipe(data="x", train_split="train")
    )
    norms = skips.feature_norms(lab.Lab(Settings(Path("x"))))
    for name, pixels in seen.items():
        expected = np.mean([np.sqrt((v**2).sum()) for v in pixels])
        assert expected > 0
        assert norms[name] == pytest.approx(expected, rel=1e-5)


def test_scaled_pools_are_as_long_as_fc7() -> None:
    norms = {"fc7": 2.0, "pool4": 173.0, "pool3": 0.031}
    assert skips.scales(norms) == (0.012, 65)
    for pool, factor in zip(("pool4", "pool3"), skips.scales(norms), strict=True):
        assert norms[pool] * factor == pytest.approx(2, rel=0.05)


# -------------------------------------------------------------------------- verdicts

GOOD = {
    FIXED: [0.454, 0.44],
    COARSE: [0.594, 0.6],
    MIDDLE: [0.624, 0.63],
    FINE: [0.627, 0.633],
    AT_ONCE: [0.615, 0.64],
    LARGER: [0.59, 0.61],
    POOL4: [0.3, 0.32],
    POOL3: [0.2, 0.21],
    LONGER: [0.6, 0.61],
}


def held(**changes: list[float]) -> list[bool]:
    return [verdict.held for verdict in skips.verdicts(GOOD | changes)]


def test_the_paper_s_own_figures_hold() -> None:
    assert held() == 10 * [True]
    figures = skips.verdicts(GOOD)[4].figures
    assert figures.endswith("it reaches 75% of it, in the paper 76%")


@pytest.mark.parametrize(
    "name, values, failing",
    [
        (COARSE, [0.594, 0.631], [0]),
        (LONGER, [0.62, 0.63], [2, 3]),
        (FINE, [0.63, 0.63], [1]),
        (FIXED, [0.4, 0.6], [4]),
        (POOL4, [0.3, 0.631], [5]),
        (POOL3, [0.631, 0.3], [6, 7]),
        (LARGER, [0.624, 0.5], [8]),
        (AT_ONCE, [0.6, 0.6], [9]),
        (AT_ONCE, [0.65, 0.66], [9]),
        (AT_ONCE, [0.19, 0.2], [7, 9]),
    ],
)
def test_each_claim_can_fail(
    name: str, values: list[float], failing: list[int]
) -> None:
    assert [i for i, good in enumerate(held(**{name: values})) if not good] == failing


def test_what_the_control_gains_is_said_if_it_is_much() -> None:
    assert skips.of_steps(GOOD) == []
    (remark,) = skips.of_steps(GOOD | {LONGER: [0.7, 0.7]})
    assert remark.startswith("FCN-32s gains 10.3 points by going on")


# -------------------------------------------------------------------------- pictures


def test_of_each_part_the_image_of_most_classes_is_shown() -> None:
    shown = [[0, 1], [0, 1, 2, 4], [3], [0, 1, 2], [2], [0, 3], [0, 1]]
    data = Noise(7 * [(6, 9)], shown)
    assert skips.busiest(data, 3) == [1, 3, 5]  # of 0 to 2, 3 and 4, 5 and 6
    assert skips.busiest(data, 1) == [1]
    assert skips.busiest(data, 9) == [0, 1, 2, 3, 4, 5, 6]


def test_images_that_are_looked_at_are_spread_over_the_set() -> None:
    shown = [[0, 1, 2] if i in (1, 30) else [0] for i in range(48)]
    assert skips.busiest(Noise(48 * [(4, 5)], shown), 2) == [0, 30]  # every second
