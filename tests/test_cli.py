"""The command line: what it prints, what it writes, and what it says to misuse."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minifcn import arrays, metrics, training
from minifcn.cli import COMMANDS, main
from minifcn.data import open_dataset, scenes
from minifcn.training import checkpoint
from tests.training.runs import run, tiny

SCORES = ["pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.write(tmp_path_factory.mktemp("data") / "scenes", 5, 3, (32, 48), 1)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    arrays.set_threads(1)
    yield
    arrays.set_threads(0)


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose net predicts several classes."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    trainer = run(data, folder, epochs=1)
    rng = np.random.default_rng(5)
    for name, p in trainer.model.named_parameters():
        if name.startswith("score"):
            p.data[...] = rng.normal(size=p.shape)
    trainer.save("last.npz")
    trainer.save("best.npz")
    return folder


class Ran:
    """What a command returned and printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *argv: object) -> None:
        self.status = main([str(argument) for argument in argv])
        self.out, self.err = capsys.readouterr()

    @property
    def sentence(self) -> str:
        """What misuse is answered with: one line, no traceback, status 2."""
        assert self.status == 2, self.err
        assert self.out == ""
        assert "Traceback" not in self.err
        (line,) = self.err.strip().splitlines()
        assert line.startswith("minifcn: ")
        return line


def photo(path: Path, size: tuple[int, int], mode: str = "RGB") -> Path:
    """Write noise of size (height, width)."""
    rng = np.random.default_rng(size)
    noise = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
    Image.fromarray(noise, "RGBA").convert(mode).save(path)
    return path


# ------------------------------------------------------------------------------- help


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "--help")
    assert ran.status == 0
    assert all(f"    {command} " in ran.out for command in COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS, "data draw", "data check"])
def test_every_command_has_an_example(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    ran = Ran(capsys, *command.split(), "--help")
    assert ran.status == 0
    assert f"example:\n  minifcn {command}" in ran.out


@pytest.mark.parametrize(
    "argv", [[], ["paint"], ["train", "--epochs", "many"], ["predict"], ["data"]]
)
def test_misuse_of_options(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    ran = Ran(capsys, *argv)
    assert ran.status == 2
    assert "usage: minifcn" in ran.err


def test_module_is_a_program() -> None:
    command = [sys.executable, "-m", "minifcn", "evaluate", "nowhere.npz", "nothing"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "minifcn: there is no checkpoint nowhere.npz\n"


def test_debug_shows_where_it_came_from(model: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(["evaluate", str(model), "nowhere", "--debug"])


# ------------------------------------------------------------------------------ train


def test_train_prints_the_last_scores(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    options = ["--width=4,6,8,8,8", "--fc-channels=8", "--epochs=1", "--no-mirror"]
    ran = Ran(capsys, "train", data, "--out", tmp_path / "run", "--json", *options)
    assert ran.status == 0
    assert list(json.loads(ran.out)) == SCORES
    assert "epoch   1" in ran.err
    recipe = training.Recipe.read(tmp_path / "run" / "run.json")
    assert (recipe.width, recipe.fc_channels) == ((4, 6, 8, 8, 8), 8)
    assert (recipe.mirror, recipe.epochs, recipe.lr) == (False, 1, 0.01)
    again = Ran(
        capsys, "train", "--recipe", tmp_path / "run" / "run.json", "--epochs=2",
        "--out", tmp_path / "again",
    )  # fmt: skip
    assert again.status == 0
    assert training.Recipe.read(tmp_path / "again" / "run.json").width == recipe.width
    assert "mean IU" in again.out


def test_resume_of_a_complete_run(
    capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    ran = Ran(capsys, "train", "--resume", model)
    assert ran.status == 0
    assert "is complete" in ran.err


def test_train_on_what_does_not_fit(
    capsys: pytest.CaptureFixture[str], data: Path, model: Path, tmp_path: Path
) -> None:
    def said(*argv: object) -> str:
        return Ran(capsys, "train", *argv).sentence

    assert "needs the folder of a data set" in said()
    assert "leave out 'lr'" in said("--resume", model, "--lr=1")
    assert "leave out 'data'" in said(data, "--resume", model)
    assert "no checkpoint" in said("--resume", tmp_path)
    assert "no folder nowhere" in said("nowhere").replace(str(Path.cwd()) + "/", "")
    assert "momentum is 1.5; it must be" in said(data, "--momentum=1.5")
    assert "holds a run already" in said(data, "--out", model)


def test_loss_that_is_not_finite_ends_with_1(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    command = ["train", data, "--out", tmp_path / "run", "--lr=1e30", "--epochs=2"]
    ran = Ran(capsys, *command, "--width=4,6,8,8,8", "--fc-channels=8")
    assert ran.status == 1
    assert len(ran.err.strip().splitlines()) == 1
    assert "at iteration 1 (images train_000" in ran.err
    assert "learning rate " in ran.err
    assert not (tmp_path / "run" / "last.npz").exists()


# --------------------------------------------------------------------------- evaluate


def test_evaluate_prints_what_it_counted(
    capsys: pytest.CaptureFixture[str], data: Path, model: Path, tmp_path: Path
) -> None:
    net = checkpoint.restore_model(checkpoint.load(model))
    dataset = open_dataset(data, "val")
    hist = np.zeros((6, 6), int)
    for i in range(len(dataset)):
        image, label = dataset[i]
        predicted = training.predict(net, image)
        np.add.at(hist, (label[label < 6], predicted[label < 6]), 1)
    ran = Ran(
        capsys, "evaluate", model, data, "--json", "--picture", tmp_path / "c.png"
    )
    figures = json.loads(ran.out, parse_constant=pytest.fail)  # NaN is no JSON
    assert list(figures)[:4] == SCORES
    assert {k: figures[k] for k in SCORES} == metrics.scores(hist)
    iu = [float("nan") if v is None else v for v in figures["iu"].values()]
    np.testing.assert_array_equal(iu, metrics.iu_per_class(hist))
    assert list(figures["iu"]) == dataset.class_names
    with Image.open(tmp_path / "c.png") as picture:
        assert min(picture.size) > 200

    table = Ran(capsys, "evaluate", model, data).out
    assert f"{100 * figures['mean_iu']:.1f}" in table
    assert all(name in table for name in dataset.class_names)


def test_evaluate_on_the_run_s_own_data(
    capsys: pytest.CaptureFixture[str], data: Path, model: Path
) -> None:
    assert (
        Ran(capsys, "evaluate", model).out == Ran(capsys, "evaluate", model, data).out
    )


def test_evaluate_with_what_does_not_fit(
    capsys: pytest.CaptureFixture[str], data: Path, model: Path, tmp_path: Path
) -> None:
    def said(*argv: object) -> str:
        return Ran(capsys, "evaluate", *argv).sentence

    cut = tmp_path / "cut.npz"
    cut.write_bytes((model / "last.npz").read_bytes()[:5000])
    assert "cut.npz is damaged or cut short" in said(cut, data)
    (tmp_path / "text.npz").write_text("hello")
    assert "is not a minifcn checkpoint" in said(tmp_path / "text.npz", data)
    saved = checkpoint.load(model)
    saved.model["conv1_1.weight"] = saved.model["conv1_1.weight"][:2]
    checkpoint.save(tmp_path / "other.npz", saved)
    assert "checkpoint of another model" in said(tmp_path / "other.npz", data)
    two = scenes.write(tmp_path / "two", 1, 1, (32, 32))
    (two / "classes.txt").write_text("background\nball\n")
    assert "knows 6 classes" in said(model, two)
    assert "there is no list" in said(model, data, "--split", "test")


def test_device_that_is_not_there(
    capsys: pytest.CaptureFixture[str], model: Path, data: Path
) -> None:
    try:
        arrays.cupy()
    except ValueError:
        said = Ran(capsys, "evaluate", model, data, "--device=cuda").sentence
        assert "cuda" in said
    else:
        pytest.skip("this machine has a GPU")


@pytest.mark.parametrize("name", ["missing/c.png", "c.jpg", ".png"])
def test_evaluate_looks_at_its_picture_first(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    tmp_path: Path,
    name: str,
) -> None:
    monkeypatch.setattr("minifcn.cli.evaluate.evaluate", pytest.fail)
    ran = Ran(capsys, "evaluate", model, "--picture", tmp_path / name)
    assert "must be a file .png in a folder that exists" in ran.sentence


# ---------------------------------------------------------------------------- predict


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "I;16"])
def test_predict_photographs_of_every_kind(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, mode: str
) -> None:
    name = tmp_path / "photo.v1.png"
    if mode == "I;16":
        grey = np.arange(37 * 50, dtype=np.uint16).reshape(37, 50) * 30
        Image.fromarray(grey).save(name)
    else:
        photo(name, (37, 50), mode)
    assert Ran(capsys, "predict", model, name, "--out", tmp_path / "out").status == 0
    check_prediction(model, name, tmp_path / "out", (37, 50))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_predict_extreme_sizes(
    capsys: pytest.CaptureFixture[str],
    model: Path,
    tmp_path: Path,
    size: tuple[int, int],
) -> None:
    name = photo(tmp_path / "thin.png", size)
    assert Ran(capsys, "predict", model, name, "--out", tmp_path / "out").status == 0
    check_prediction(model, name, tmp_path / "out", size)


def test_predict_a_large_photograph(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    name = photo(tmp_path / "large.jpg", (2000, 3000))
    assert Ran(capsys, "predict", model, name, "--out", tmp_path / "out").status == 0
    with Image.open(tmp_path / "out" / "large.png") as picture:
        assert (picture.size, picture.mode) == ((3000, 2000), "P")


def check_prediction(model: Path, name: Path, out: Path, size: tuple[int, int]) -> None:
    from minifcn.data import read_image

    saved = checkpoint.load(model)
    expected = training.predict(checkpoint.restore_model(saved), read_image(name))
    with Image.open(out / f"{name.stem}.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), expected)
        assert expected.shape == size
        colours = np.reshape(picture.getpalette(), (-1, 3))
    np.testing.assert_array_equal(colours[:6], saved.palette)
    with Image.open(out / f"{name.stem}_overlay.png") as picture:
        assert max(picture.size) >= 320


def test_predict_a_folder(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("b.png", "a.JPG", "c.bmp"):
        photo(tmp_path / "photos" / name, (20, 30))
    (tmp_path / "photos" / "notes.txt").write_text("not a photograph")
    ran = Ran(capsys, "predict", model, tmp_path / "photos", "--out", tmp_path / "out")
    assert "3 label maps and overlays" in ran.out
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"{s}{e}.png" for s in "abc" for e in ("", "_overlay")}


def test_predict_what_does_not_fit(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    def said(*argv: object) -> str:
        sentence = Ran(
            capsys, "predict", model, *argv, "--out", tmp_path / "out"
        ).sentence
        assert not (tmp_path / "out").exists()
        return sentence

    well = photo(tmp_path / "a.png", (20, 30))
    assert "no file" in said(well, tmp_path / "missing.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    assert "text.jpg is not a readable picture" in said(well, tmp_path / "text.jpg")
    (tmp_path / "empty").mkdir()
    assert "holds no photographs" in said(tmp_path / "empty")
    assert "would both be written to a.png" in said(
        well, photo(tmp_path / "a.bmp", (9, 9))
    )
    assert "would both be written to a_overlay.png" in said(
        well, photo(tmp_path / "a_overlay.jpg", (9, 9))
    )
    same = Ran(capsys, "predict", model, well, "--out", tmp_path).sentence
    assert "would replace it" in same


def test_predict_a_truncated_photograph(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    whole = photo(tmp_path / "whole.jpg", (200, 300)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    command = ["predict", model, tmp_path / "cut.jpg", "--out", tmp_path / "out"]
    assert "cut.jpg is damaged or cut short" in Ran(capsys, *command).sentence
    assert not list((tmp_path / "out").iterdir())


# ------------------------------------------------------------------- data, doctor


def test_data_is_drawn_and_checked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "drawn"
    sizes: list[Any] = ["--train", 3, "--val", 2, "--size", 40, 56, "--seed", 4]
    assert "3 scenes" in Ran(capsys, "data", "draw", folder, *sizes).out
    report = json.loads(Ran(capsys, "data", "check", folder, "--json").out)
    both = report["splits"]
    assert report["layout"] == "Voc"
    assert report["errors"] == []
    assert [both[split]["images"] for split in both] == [3, 2]
    figures = both["train"]
    labels = np.stack([open_dataset(folder)[i][1] for i in range(3)])
    assert figures["images"] == 3
    assert figures["smallest"] == figures["largest"] == [40, 56]
    shares = np.bincount(labels.ravel(), minlength=6) / labels.size
    assert list(figures["classes"].values()) == pytest.approx(shares.tolist())
    picture = tmp_path / "sheet.png"
    ran = Ran(capsys, "data", "check", folder, "--split", "val", "--sheet", picture)
    assert ran.out.startswith("layout Voc\nval: 2 images, 40x56 (height x width)")
    assert f"the contact sheet is {picture}" in ran.err
    with Image.open(picture) as drawn:
        assert drawn.size > (300, 100)
    assert (
        "writes .png or .jpg"
        in Ran(
            capsys, "data", "check", folder, "--sheet", tmp_path / "sheet.txt"
        ).sentence
    )


def test_bad_data_is_named(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    assert (
        "none of the known layouts" in Ran(capsys, "data", "check", tmp_path).sentence
    )
    folder = scenes.write(tmp_path / "drawn", 2, 1, (32, 40))
    label = folder / "SegmentationClass" / "val_0000.png"
    right = label.read_bytes()
    Image.fromarray(np.full((32, 40), 7, np.uint8)).save(label)
    ran = Ran(capsys, "data", "check", folder)
    assert ran.status == 1
    assert "error: a label holds values that are no class (1)" in ran.out
    assert "val_0000.png: holds the value 7" in ran.out
    label.write_bytes(right)
    label = folder / "SegmentationClass" / "train_0001.png"
    Image.fromarray(np.full((32, 40), 9, np.uint8)).save(label)
    assert (
        "train_0001.png: holds the value 9" in Ran(capsys, "data", "check", folder).out
    )
    said = Ran(capsys, "train", folder, "--out", tmp_path / "run").sentence
    assert "train_0001.png holds the value 9" in said


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "doctor", "--json")
    report = json.loads(ran.out)
    assert ran.status == report["exit_status"]
    assert any("numpy" in finding["name"] for finding in report["findings"])


def test_tiny_recipe_is_accepted(data: Path) -> None:
    assert tiny(data).data == str(data)
