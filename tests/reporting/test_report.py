"""The page that compares runs: its numbers, order, words for what is missing."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from minifcn import metrics, reporting, training
from minifcn.cli import main
from minifcn.data import open_dataset
from minifcn.reporting import scoring
from minifcn.training import checkpoint
from tests.reporting.reading import Page
from tests.training.runs import run

WILD = "<i>\"st&ar'</i>"


def percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{100 * value:.1f}"


def predicted_by_itself(folder: Path, data: Path):
    """Labels and predictions of the validation images, without the room's code."""
    saved = checkpoint.load(folder / "best.npz")
    net, images = checkpoint.restore_model(saved), open_dataset(data, "val")
    labels = [label for _, label in images]
    found = [training.predict(net, image) for image, _ in images]
    return images.ids, labels, found


def hist_of(labels, found, n: int = 6):
    counts = np.zeros((n, n), int)
    for label, prediction in zip(labels, found):
        np.add.at(counts, (label[label != 255], prediction[label != 255]), 1)
    return counts


@pytest.fixture
def copies(trained: list[Path], tmp_path: Path) -> list[Path]:
    """The two runs, to be written to."""
    return [Path(shutil.copytree(f, tmp_path / f.name)) for f in trained]


@pytest.fixture(scope="module")
def text(trained: list[Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert (
        main(["report", *map(str, trained), "--out", str(path), "--images", "2"]) == 0
    )
    return path.read_text(encoding="utf-8")


def read(folders: list[Path], **options) -> Page:
    return Page(reporting.page(reporting.compare(folders, **options)))


# ----------------------------------------------------------------- one whole file


def test_page_is_well_formed_and_refers_to_nothing_outside(text: str) -> None:
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>\n<html")
    assert len(page.addresses) > 20
    assert all(value.startswith(("#", "data:image/")) for _, value in page.addresses)
    assert not {"script", "link", "iframe", "object", "i>"} & {*page.tags}
    assert not re.search(r"@import|url\((?!['\"]?#)", text)
    sections = "runs settings scores curves classes confusion images".split()
    assert [s for s in page.texts if s] == sections


def test_targets_of_links_are_there(text: str) -> None:
    ids = re.findall(r' id="([^"]*)"', text)
    links = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text)
    assert {a or b for a, b in links} <= {*ids}
    assert len(ids) == len({*ids})


def test_names_are_text(text: str) -> None:
    page = Page(text)
    assert "quick &amp; &lt;b&gt;" in text
    assert "<b>" not in text.replace("<b>val_", "")
    assert "<i>" not in text
    assert [row[0] for row in page.tables["runs"][0][1:]] == ["quick & <b>", "slow"]
    assert WILD in [row[0] for row in page.tables["classes"][0]]


# ------------------------------------------------------------------------------ numbers


def test_scores_are_those_of_the_nets(
    text: str, trained: list[Path], data: Path
) -> None:
    page = Page(text)
    hists = [hist_of(*predicted_by_itself(folder, data)[1:]) for folder in trained]
    assert (hists[0] != hists[1]).any()
    measures = [list(metrics.scores(hist).values()) for hist in hists]
    shown = [row[1:] for row in page.tables["scores"][0][1:]]
    assert shown == [[percent(v) for v in row] for row in measures]
    best = [max(pair) for pair in zip(*measures) if pair[0] != pair[1]]
    assert sorted(page.marked["scores"]) == sorted(map(percent, best))
    ius = np.transpose([metrics.iu_per_class(hist) for hist in hists])
    share = hists[0].sum(axis=1) / hists[0].sum()
    classes = [row[1:] for row in page.tables["classes"][0][1:]]
    assert classes == [
        [percent(s), *map(percent, row)] for s, row in zip(share, ius.tolist())
    ]


def test_confusion_has_rows_of_truth(
    text: str, trained: list[Path], data: Path
) -> None:
    page = Page(text)
    for folder, table in zip(trained, page.tables["confusion"], strict=True):
        hist = hist_of(*predicted_by_itself(folder, data)[1:])
        assert (hist.sum(axis=0) > 0).sum() >= 2  # not one class alone is predicted
        for counts, row in zip(hist, table[1:], strict=True):
            if not counts.any():
                assert row[1:] == ["–"] * len(counts)
                continue
            shares = [100 * count / sum(counts) for count in counts]
            assert row[1:] == [f"{s:.0f}" if s >= 0.5 else "" for s in shares]


def test_worst_and_best_images_are_in_order(
    text: str, trained: list[Path], data: Path
) -> None:
    expected = []
    for folder in trained:
        own = []
        for id, label, found in zip(*predicted_by_itself(folder, data)):
            scores = metrics.scores(hist_of([label], [found]))
            own.append((scores["mean_iu"], scores["pixel_accuracy"], id))
        ranked = sorted(own, key=lambda score: score[:2])
        expected += [*ranked[:2], *ranked[:1:-1]]
    assert Page(text).captions["images"] == [
        f"{id} mean IU {percent(iu)}, pixel accuracy {percent(accuracy)}"
        for iu, accuracy, id in expected
    ]


def test_curves_end_as_the_log_does(text: str, trained: list[Path]) -> None:
    page = Page(text)
    for folder, cells in zip(trained, page.tables["curves"][0][1:], strict=True):
        lines = (folder / "log.csv").read_text().splitlines()[1:]
        rows = [line.split(",") for line in lines]
        losses = [row[3] for row in rows if row[3]]
        ius = [(float(row[6]), -int(row[0])) for row in rows if row[6]]
        best, step = max(ius)
        assert cells[1:] == [
            f"{float(losses[-1]):.4g}", percent(best), str(-step), percent(ius[-1][0])
        ]  # fmt: skip
    assert text.count("<svg") == 1


def test_settings_that_differ_and_all(text: str, trained: list[Path]) -> None:
    few, everything = Page(text).tables["settings"]
    assert [row[0] for row in few[1:]] == ["net", "epochs", "lr", "seed"]
    assert few[1:][0] == ["net", "fcn8s", "fcn16s"]
    settings = json.loads((trained[0] / "run.json").read_text())
    assert [row[0] for row in everything[1:]] == list(settings)


def test_settings_of_one_run_are_held_against_the_defaults(trained: list[Path]) -> None:
    page = read(trained[1:], images=0)
    names = [row[0] for row in page.tables["settings"][0][1:]]
    assert "fc_channels" in names
    assert "momentum" not in names
    assert "images" not in page.texts
    assert "scores" not in page.marked


def test_json_has_the_same_figures(
    capsys: pytest.CaptureFixture[str], trained: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "r.html"
    assert main(["report", str(trained[0]), "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(trained[0]), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    (about,) = report["runs"]
    assert {key: about[key] for key in scores} == scores
    assert (about["split"], about["images"], about["missing"]) == ("val", 4, [])


# --------------------------------------------------------------------- what is kept


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lists that nets were scored on, one after the other."""
    lists, evaluate = [], scoring.evaluate

    def noted(net, dataset, split, wrap):
        lists.append(split)
        return evaluate(net, dataset, split, wrap)

    monkeypatch.setattr(scoring, "evaluate", noted)
    return lists


def test_scores_are_kept_until_something_changes(
    copies: list[Path], evaluated: list[str]
) -> None:
    folder = copies[0]
    (folder / "evaluation.json").unlink(missing_ok=True)
    (first,) = reporting.compare([folder])
    (second,) = reporting.compare([folder])
    assert evaluated == ["val"]
    assert first.evaluation == second.evaluation
    reporting.compare([folder], split="train")
    reporting.compare([folder], split="train")
    assert evaluated == ["val", "train"]
    best = folder / "best.npz"
    os.utime(best, ns=(0, best.stat().st_mtime_ns + 1))
    reporting.compare([folder], split="train")
    assert evaluated == ["val", "train", "train"]
    (folder / "evaluation.json").write_text("{")
    (third,) = reporting.compare([folder])
    assert evaluated[3:] == ["val"]
    assert third.evaluation.confusion == first.evaluation.confusion


def test_images_that_cannot_be_scored_are_kept_and_left_out(
    copies: list[Path],
) -> None:
    (run,) = reporting.compare(copies[:1])
    nothing = scoring.ImageScore("void", float("nan"), float("nan"))
    images = [nothing, *run.evaluation.images[1:]]
    scoring.keep(
        copies[0], reporting.Evaluation(**{**vars(run.evaluation), "images": images})
    )
    kept = scoring.kept(copies[0])
    assert np.isnan(kept.images[0].mean_iu)
    assert sorted(kept.ranked()) == [1, 2, 3]


# ------------------------------------------------------------------ what is missing


def missing(folder: Path) -> tuple[str, Page]:
    page = read([folder])
    return page.texts["runs"], page


def test_data_that_has_gone(copies: list[Path], data: Path, tmp_path: Path) -> None:
    folder = copies[0]
    reporting.compare([folder])
    settings = json.loads((folder / "run.json").read_text())
    settings["data"] = str(tmp_path / "gone")
    (folder / "run.json").write_text(json.dumps(settings))
    said, page = missing(folder)
    assert f"its images cannot be read: there is no folder {tmp_path / 'gone'}." in said
    assert page.tables["scores"]
    assert "images" not in page.texts
    best = folder / "best.npz"
    os.utime(best, ns=(0, best.stat().st_mtime_ns + 1))
    said, page = missing(folder)
    assert "those of an earlier best.npz, as kept in evaluation.json." in said
    assert page.tables["scores"]
    (folder / "evaluation.json").unlink()
    said, page = missing(folder)
    assert "it has no scores, no confusion and no images here." in said
    assert "scores" not in page.texts


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("run.json", None, "there is no run.json: its settings are those of its"),
        ("run.json", "[", "run.json is damaged: its settings are those of its"),
        ("log.csv", None, "there is no log.csv: it has no curves."),
        ("log.csv", "", "log.csv holds no step yet: it has no curves."),
        ("log.csv", "x\n1,1,0.1,2.5,,,,\n2,1,0.1,2.", "1 of 2 lines of log.csv are"),
        ("log.csv", "x\n1,1,0.1,2.5,,,,\n", "it was not validated"),
        ("best.npz", "PK", "is not a minifcn checkpoint."),
    ],
)
def test_files_that_are_not_there(
    copies: list[Path], file: str, content: str | None, sentence: str
) -> None:
    (copies[0] / file).unlink()
    if content is not None:
        (copies[0] / file).write_text(content)
    said, page = missing(copies[0])
    assert sentence in said
    assert page.tables["settings"]
    assert ("scores" in page.texts) == (file != "best.npz")


def test_a_run_that_has_only_begun(tmp_path: Path, trained: list[Path]) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()
    shutil.copy(trained[0] / "run.json", folder)
    said, page = missing(folder)
    assert "holds no checkpoint (best.npz or last.npz)." in said
    assert "there are no curves to draw" in page.texts["curves"]
    both = read([folder, trained[1]])
    assert len(both.tables["scores"][0]) == 2


def test_a_run_that_stopped_is_said_to_be_unfinished(copies: list[Path]) -> None:
    settings = json.loads((copies[0] / "run.json").read_text())
    for more, sentence in (
        ({"epochs": 50}, "it is unfinished: 3 of 50 epochs are done."),
        ({"iterations": 99}, "it is unfinished: 12 of 99 steps are taken."),
    ):
        (copies[0] / "run.json").write_text(json.dumps({**settings, **more}))
        assert sentence in missing(copies[0])[0]


def test_runs_of_other_classes_stand_apart(
    data: Path, trained: list[Path], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(data, tmp_path / "other"))
    names = (other / "classes.txt").read_text().replace("ball", "globe")
    (other / "classes.txt").write_text(names)
    run(other, tmp_path / "third", epochs=1)
    page = read([*trained, tmp_path / "third"])
    assert "The runs have different classes" in page.texts["classes"]
    assert [len(table[0]) for table in page.tables["classes"]] == [4, 3]
    assert "do not compare, and no best is marked" in page.texts["scores"]
    assert "scores" not in page.marked


def test_runs_that_were_not_validated(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "blind", epochs=1, val_split="none")
    said, page = missing(tmp_path / "blind")
    assert "it was not validated: it has no curve of mean IU." in said
    assert page.tables["runs"][0][1][-1] == "last.npz (step 4) on val, 4 images"


# ---------------------------------------------------------------------------- misuse


def test_misuse(
    capsys: pytest.CaptureFixture[str], trained: list[Path], tmp_path: Path
) -> None:
    one, out = str(trained[0]), str(tmp_path / "r.html")
    (tmp_path / "empty").mkdir()
    for argv, sentence in (
        ([one, one, "--out", out], "is named twice"),
        ([str(tmp_path / "no")], "there is no run"),
        ([str(tmp_path / "empty"), "--out", out], "holds no run: there is none of"),
        ([one + "/log.csv", "--out", out], "is a file: name the folder of a run"),
        ([one, "--out", str(tmp_path / "no" / "r.html")], "in a folder there is"),
        ([one, "--out", str(tmp_path / "r.txt")], "it must be a file .html"),
        ([one, "--images", "21"], "it must be 0 to 20"),
    ):
        assert main(["report", *argv]) == 2
        assert sentence in capsys.readouterr().err
    assert not Path(out).exists()


def test_runs_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "c"]
    names = reporting.runs.names(paths)
    assert names == [str(paths[0]), str(paths[1]), "c"]
