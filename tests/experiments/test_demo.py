"""The demo, made small: what it writes and prints. (Its scores: .ci/run.)"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn import arrays, metrics, training
from minifcn.cli import main
from minifcn.data import open_dataset
from minifcn.experiments import demo
from minifcn.training import checkpoint


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    arrays.set_threads(1)
    monkeypatch.setattr(demo, "STEPS", dict.fromkeys(demo.NETS, 3))
    monkeypatch.setattr(demo, "SIZE", (32, 48))
    monkeypatch.setattr(demo, "N_TRAIN", 5)
    monkeypatch.setattr(demo, "N_VAL", 4)
    yield
    arrays.set_threads(0)


def test_demo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--json", "--out", str(out), "--seed", "3"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert list(figures) == ["fcn32s", "fcn16s", "fcn8s"]
    val = open_dataset(out / "scenes", "val")
    for net, scores in figures.items():
        saved = checkpoint.load(out / net / "last.npz")
        assert saved.meta["model"]["name"] == net
        hist = training.evaluate(checkpoint.restore_model(saved), val)
        assert scores == metrics.scores(hist)
    recipes = [training.Recipe.read(out / net / "run.json") for net in figures]
    assert [r.init_from for r in recipes] == [
        None,
        str(out / "fcn32s" / "last.npz"),
        str(out / "fcn16s" / "last.npz"),
    ]
    with Image.open(out / "demo.png") as picture:
        width, height = picture.size
        assert width > 5 * 256
        assert height > 4 * 256 * 32 // 48

    # again, over what is there: the same figures, as a table
    assert main(["demo", "--out", str(out), "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert "FCN-32s" in printed
    assert f"{100 * figures['fcn8s']['pixel_accuracy']:.1f}" in printed


def test_finer_net_begins_where_the_coarser_ended(tmp_path: Path) -> None:
    demo.run(tmp_path, seed=1, talk=False)
    coarse = checkpoint.load(tmp_path / "fcn16s" / "last.npz").model
    fine = checkpoint.load(tmp_path / "fcn8s" / "last.npz").model
    ours, theirs = fine["conv3_1.weight"], coarse["conv3_1.weight"]
    assert np.any(ours != theirs)
    assert np.abs(ours - theirs).max() < 0.1 * np.abs(theirs).max()


def test_other_files_are_not_removed(tmp_path: Path) -> None:
    (tmp_path / "fcn32s").mkdir()
    (tmp_path / "fcn32s" / "last.npz").write_text("mine")
    with pytest.raises(ValueError, match="holds a run already"):
        demo.run(tmp_path, talk=False)
    assert (tmp_path / "fcn32s" / "last.npz").read_text() == "mine"
