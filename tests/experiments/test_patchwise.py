"""Whole images and patches: what is compared, and what is concluded."""

import numpy as np
import pytest

from minifcn.experiments import patches, patchwise, pretraining
from minifcn.experiments.frame import Settings
from minifcn.experiments.patches import Pair, Source
from minifcn.experiments.patchwise import Compared, Drawn, Found, Plan, Trial
from tests.experiments.conftest import Quick


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    source = Source(Settings(tmp_path_factory.mktemp("trial")))
    net = pretraining.classifier(2, 6)
    return Trial(patches.unpadded(net), patches.seen_by(net), source, 2, "cpu")


def test_quick_run_holds_to_rounding(quick: Quick) -> None:
    result = quick("patchwise")
    held = {v["claim"][:30]: v["held"] for v in result["verdicts"]}
    assert held["the gradient of a whole image "]
    assert held["with padding inside the net it"]
    names = [row["net"] for row in result["rows"]]
    assert names[0] == "no padding, 214 × 246"
    assert names[-1].startswith("padding inside, inner answers")
    assert result["rows"][0]["float64"] < 1e-12 < result["rows"][-2]["float64"]


def test_a_patch_that_is_wrong_is_seen(trial: Trial) -> None:
    """The check of the check: one patch moved by a pixel, or left out."""
    x, target = trial.image(trial.grid, (1, 2))
    assert patchwise.differs(trial, x, target) < 1e-4
    whole = trial.gradient(trial.pairs(x, target))
    cut = trial.grid.cut(x)
    moved = np.concatenate([cut[:1], np.roll(cut[1:], 1, axis=3)])
    classes = target.reshape(-1, 1, 1)
    for wrong in (moved, cut[:1]):
        given = trial.pairs(wrong, classes[: len(wrong)], 2)
        assert patches.apart(whole, trial.gradient(given)) > 1e-2


def test_first_takes_so_many_of_batches() -> None:
    batches = [Pair(np.arange(10), np.arange(10)), Pair(np.arange(10, 14), None)]
    found = patchwise._first(batches[:1], 4)
    np.testing.assert_array_equal(found[0].x, range(4))
    both = [Pair(p.x, p.x) for p in batches]
    counts = [sum(len(p.x) for p in patchwise._first(both, n)) for n in (1, 10, 11, 14)]
    assert counts == [1, 10, 11, 14]


def test_crossing_is_where_the_patches_take_as_long() -> None:
    shares = [(0.25, 1.0), (0.5, 2.0), (1.0, 6.0)]
    assert patchwise.crossing(shares, 1.5) == 0.375
    assert patchwise.crossing(shares, 0.5) == 0.125
    assert patchwise.crossing(shares, 4.0) == 0.75
    assert patchwise.crossing(shares, 9.0) == 1.0


def test_sampling_is_held_to_the_patches_that_were_chosen(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = patchwise.sample(trial, (1, 3), 6)
    assert found.apart < 1e-12
    assert len(found.error) == len(found.expected) == 6
    assert found.expected[3] == pytest.approx(found.expected[0] / 2)
    # By the definition: the deviation of sums over Bernoulli draws, divided by p.
    rows = [
        trial.row([one]) for one in trial.patches(*trial.image(trial.grid, (1, 3)), 1)
    ]
    p, full = patchwise.SHARE, sum(rows)
    variance = sum((1 - p) / p * float(g @ g) for g in rows)
    expected = variance**0.5 / float(np.linalg.norm(full))
    assert found.expected[0] == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr(patchwise, "SHARE", 1.0)  # all count: nothing is random
    assert max(patchwise.sample(trial, (1, 2), 2).error) < 1e-4


SLOW = {"whole": 4.0, "batches": 3.0, "single": 4.0}
GOOD = Found(
    [Compared((2, 3), 1e-15, 1e-6, {"whole": 1, "batches": 3, "single": 4}, [])],
    (0.5, 1e-15),
    Drawn([0.5, 0.1], [0.4, 0.2], 1e-15),
)


@pytest.mark.parametrize(
    "broken, change",
    [
        (None, {}),
        (0, {"sizes": [GOOD.sizes[0]._replace(float64=1e-9)]}),
        (0, {"drawn": GOOD.drawn._replace(apart=0.1)}),
        (1, {"padded": (0.5, 1e-3)}),
        (2, {"sizes": [GOOD.sizes[0]._replace(seconds=SLOW)]}),
        (4, {"drawn": GOOD.drawn._replace(error=[0.5, 0.7])}),
    ],
)  # fmt: skip
def test_verdicts(broken: int | None, change: dict) -> None:
    held = [v.held for v in patchwise.verdicts([_with_shares(GOOD._replace(**change))])]
    expected = [n != broken for n in range(5)]
    if broken == 2:
        expected[3] = False  # whole images that are slow cross later, too
    assert held == expected


def _with_shares(found: Found) -> Found:
    """Give the sizes shares that cross at a tenth of the time of a whole image of 1."""
    sizes = [one._replace(shares=[(0.1, 1.0), (1.0, 10.0)]) for one in found.sizes]
    return found._replace(sizes=sizes)


def test_plans_are_legal() -> None:
    for plan in (Plan(), patchwise.QUICK):
        margin = patchwise.FRAMED.size // patchwise.FRAMED.stride // 2
        assert all(n > 2 * margin for n in plan.padded[1])
        assert min(r * c for r, c in plan.sizes) <= plan.exact
