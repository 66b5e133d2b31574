"""The frame of all experiments: its files, its sentences, the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.cli import main
from minifcn.data import scenes
from minifcn.experiments import bounds, frame
from minifcn.experiments.frame import Column, Outcome, Settings, Verdict
from minifcn.training import TrainingStopped


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "N_SCENES", 3)
    monkeypatch.setattr(bounds, "SIZE", (48, 80))


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    status = main(["experiment", *map(str, argv)])
    return status, *capsys.readouterr()


def test_bounds_on_generated_scenes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = run(capsys, "bounds", "--out", tmp_path, "--seed", 4)
    assert (status, err) == (0, "")
    folder = tmp_path / "bounds"
    result = json.loads(
        (folder / "result.json").read_text(), parse_constant=pytest.fail
    )
    assert result["experiment"] == "bounds"
    assert result["settings"]["seed"] == 4
    assert result["settings"]["data"] is None
    assert set(result["versions"]) == {"minifcn", "numpy", "python"}
    assert result["held"] == all(v["held"] for v in result["verdicts"])
    data = frame.Settings(tmp_path / "again", seed=4)
    data.out.mkdir()
    rows = bounds.measure(data.dataset(3, (48, 80)))
    assert result["rows"] == rows
    with open(folder / "table.csv", newline="") as file:
        written = list(csv.DictReader(file))
    assert [float(r["mean_iu_centre"]) for r in written] == [
        row["mean_iu_centre"] for row in rows
    ]
    page = (folder / "table.md").read_text()
    assert result["table"] in page
    for text in (page, out):
        assert bounds.CLAIM in text
        assert "Appendix A" in text
        assert f"{100 * rows[-1]['mean_iu_centre']:.1f}" in text  # type: ignore[operator]
        for verdict in result["verdicts"]:
            assert frame.judgement(verdict) in text
    with Image.open(folder / "bounds.png") as picture:
        assert picture.size == (1650, 550)
        assert len(np.unique(np.asarray(picture))) > 50


def test_data_split_and_json(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    data = scenes.write(tmp_path / "data", 2, 4, (40, 64), 9)
    options = ("--data", data, "--split", "train", "--out", tmp_path / "out")
    status, out, _ = run(capsys, "bounds", "--json", *options)
    assert status == 0
    result = json.loads(out)
    assert "labels of 2 images" in result["remarks"][0]
    assert result["settings"]["split"] == "train"
    assert result == json.loads((tmp_path / "out/bounds/result.json").read_text())
    assert not (tmp_path / "out/bounds/scenes").exists()
    monkeypatch.setattr(frame, "EXPERIMENTS", ("bounds",))
    status, out, _ = run(capsys, "all", "--json", *options)
    assert json.loads(out)["bounds"] == result
    assert set(json.loads(out)) == {"bounds"}


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys)
    assert status == 0
    assert "bounds" in out
    assert bounds.CLAIM in out
    status, out, _ = run(capsys, "--json")
    assert json.loads(out)["bounds"]["claim"] == bounds.CLAIM


def test_every_experiment_says_what_it_tests() -> None:
    for name in frame.EXPERIMENTS:
        assert "2015" in frame.find(name).SOURCE
        assert frame.find(name).CLAIM.endswith(".")


def test_misuse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def said(*argv: object) -> str:
        status, out, err = run(capsys, *argv, "--out", tmp_path / "out")
        assert (status, out) == (2, "")
        (line,) = err.strip().splitlines()
        return line

    known = ", ".join(frame.EXPERIMENTS)
    assert f"no experiment 'demo'; there are {known}, and all" in said("demo")
    assert not (tmp_path / "out").exists()
    assert "no folder" in said("bounds", "--data", tmp_path / "nowhere")
    assert "splits train and val, not 'test'" in said("bounds", "--split", "test")
    data = scenes.write(tmp_path / "data", 1, 1, (32, 32))
    label = data / "SegmentationClass" / "val_0000.png"
    Image.fromarray(np.full((32, 32), 255, np.uint8)).save(label)
    assert "no pixel of these labels counts" in said("bounds", "--data", data)
    assert not (tmp_path / "out/bounds/result.json").exists()
    (tmp_path / "empty").mkdir()
    assert "none of the known layouts" in said("all", "--data", tmp_path / "empty")
    there = ("--data", scenes.write(tmp_path / "data", 1, 1, (32, 32)))
    assert "no recipe 'mine'" in said("all", *there, "--recipe", "mine")
    for option in ("--recipe", "--weights"):
        sentence = said("bounds", option, "mine")
        assert f"{option} is for nets on a data set: it needs --data" in sentence
    for number in ("0", "-1", "many", "1.5"):
        status, _, err = run(capsys, "bounds", "--seeds", number)
        assert status == 2
        assert f"'{number}' is no whole number of at least 1" in err


def test_all_goes_on_where_one_cannot_be_done(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    data = scenes.write(tmp_path / "data", 2, 2, (32, 48), 9)
    (data / "classes.txt").write_text("sky\nball\nblock\nstar\npennant\nlollipop\n")
    monkeypatch.setattr(frame, "EXPERIMENTS", ("context", "bounds"))
    options = ("--data", data, "--out", tmp_path / "out", "--quick")
    status, out, err = run(capsys, "all", *options)
    assert status == 1
    first, second, last = err.strip().splitlines()
    assert (first, second) == ("1 of 2: context", "2 of 2: bounds")
    assert last.startswith("context was not done: ")
    assert "'sky'" in last
    assert bounds.CLAIM in out
    assert (tmp_path / "out" / "experiments.html").is_file()
    status, out, _ = run(capsys, "all", "--json", *options)
    assert status == 1
    assert set(json.loads(out)) == {"bounds"}


def test_an_interrupted_one_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def stop(settings: Settings) -> Outcome:
        raise TrainingStopped(tmp_path / "nets" / "one")

    monkeypatch.setattr(bounds, "run", stop)
    status, _, err = run(capsys, "bounds", "--out", tmp_path)
    assert status == 1
    assert "the same command goes on where this one stopped" in err
    assert "nets/one" in err


class Made:
    """An experiment with given answers."""

    SOURCE, CLAIM = "a source", "A claim."
    verdicts = (Verdict("up", True, "1, 2"), Verdict("down", False, "2, 1"))

    def run(self, settings: Settings) -> Outcome:
        columns = (
            Column("net", "net", "word"),
            Column("cell", "cell", "number"),
            Column("iu", "mean IU"),
        )
        rows = [
            {"net": "FCN, 8s", "cell": 8, "iu": 0.5, "more": 0.25},
            {"net": "b", "cell": 0.5, "iu": None, "more": None},
        ]
        return Outcome(columns, rows, self.verdicts, ("a remark",))


def test_table_and_verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(frame, "find", lambda name: Made())
    result = frame.conduct("made", Settings(tmp_path))
    assert result["held"] is False
    assert result["table"].splitlines() == [
        "| net     | cell | mean IU |",
        "| ------- | ---: | ------: |",
        "| FCN, 8s |    8 |    50.0 |",
        "| b       |  0.5 |       – |",
    ]
    assert (tmp_path / "made/table.csv").read_text().splitlines() == [
        "net,cell,iu,more",
        '"FCN, 8s",8,0.5,0.25',
        "b,0.5,,",
    ]
    page = (tmp_path / "made/table.md").read_text()
    assert "- held: up (1, 2)\n- did not hold: down (2, 1)\n" in page
    assert "- a source: A claim.\n- a remark\n" in page
    monkeypatch.setattr(Made, "verdicts", Made.verdicts[:1])
    assert frame.conduct("made", Settings(tmp_path))["held"] is True
