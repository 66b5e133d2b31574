"""Table 8: which net is scored on which images, how, and what is concluded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn import metrics, training
from minifcn.data import PairFiles, open_dataset, scenes
from minifcn.experiments import context, frame
from minifcn.experiments.context import CASES
from minifcn.experiments.frame import Settings
from minifcn.experiments.lab import Trained
from minifcn.training import checkpoint
from tests.experiments.conftest import Quick


def test_rows_are_scored_by_their_nets_on_their_images(
    quick: Quick, shared: Path
) -> None:
    rows = {row["case"]: row for row in quick("context")["rows"]}
    assert list(rows) == list(CASES)
    for name, case in CASES.items():
        run = context.RUNS.get(case.learned, "fcn32s")
        found = []
        for seed in (3, 4):
            folder = shared / "nets" / f"{run}-{seed}"
            data = json.loads((folder / "run.json").read_text())["data"]
            learned = case.learned or "scenes"
            assert learned in Path(data).name
            net = checkpoint.restore_model(checkpoint.load(folder / "last.npz"))
            val = open_dataset(_folder(shared, case.tested), "val")
            iu = metrics.iu_per_class(training.evaluate(net, val))
            found.append(np.nanmean(iu[1:]))
        assert rows[name]["things_iu"] == pytest.approx(np.mean(found))
        assert rows[name]["paper"] == case.paper


def test_which_nets_are_tested_on_which_images(
    shared: Path, quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After few steps all nets may answer alike: who is asked what, told apart."""
    asked = []

    def confusions(nets: list[Trained], dataset: PairFiles, device: str) -> list[Any]:
        (run,) = {net.folder.name.rpartition("-")[0] for net in nets}
        asked.append((run, str(dataset.source)))
        return [np.eye(6)] * len(nets)

    monkeypatch.setattr(context, "confusions", confusions)
    quick("context")
    expected = [
        (context.RUNS.get(case.learned, "fcn32s"), _folder(shared, case.tested))
        for case in CASES.values()
    ]
    assert [run for run, _ in asked] == [run for run, _ in expected]
    for (_, source), (_, folder) in zip(asked, expected):
        assert source.startswith(f"{folder}/")


def _folder(shared: Path, mask: str) -> Path:
    if not mask:
        return next(shared.glob("scenes-8-4-48x80-3"))
    (found,) = shared.glob(f"masked-{mask}-scenes*")
    return found


def test_background_does_not_count() -> None:
    # class 0 all right; class 1: 3 of 4 with one taken for 2; class 2: 2, one too many
    hist = np.array([[90, 0, 0], [0, 3, 1], [0, 0, 2]])
    assert context.things_iu(hist) == pytest.approx((3 / 4 + 2 / 3) / 2)
    absent = np.array([[90, 0, 0], [0, 3, 1], [0, 0, 0]])  # class 2 predicted alone
    assert context.things_iu(absent) == pytest.approx((3 / 4 + 0) / 2)
    neither = np.array([[90, 0, 0], [0, 4, 0], [0, 0, 0]])
    assert context.things_iu(neither) == 1


@pytest.mark.parametrize(
    "figures, held",
    [
        ((0.8, 0.75, 0.2, 0.7, 0.4, 0.3), (True,) * 5),
        ((0.8, 0.70, 0.2, 0.7, 0.4, 0.3), (True, True, False, True, True)),
        ((0.8, 0.75, 0.41, 0.7, 0.4, 0.3), (False, False, True, True, True)),
        ((0.8, 0.75, 0.2, 0.3, 0.4, 0.5), (True, True, True, False, False)),
    ],
)
def test_verdicts(figures: tuple[float, ...], held: tuple[bool, ...]) -> None:
    iu = {name: [value] for name, value in zip(CASES, figures)}
    assert tuple(verdict.held for verdict in context.verdicts(iu)) == held


def test_without_a_background_nothing_is_trained(tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 2, 2, (32, 48), 0)
    (data / "classes.txt").write_text("sky\nball\nblock\nstar\npennant\nlollipop\n")
    with pytest.raises(ValueError, match="is 'sky': it cannot be done without a backg"):
        frame.conduct("context", Settings(tmp_path / "out", data, quick=True))
    assert not (tmp_path / "out" / "nets").exists()
