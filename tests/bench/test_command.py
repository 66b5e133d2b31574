"""The command: what it prints and writes, and what it refuses, with exit status 2."""

import importlib.util
import json
import re

import pytest

from minifcn.cli import main
from minifcn.data import read_image

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
SMALL = "--size 9 12 --width 0.0156 --repeats 1".split()
ONLY = ["--only", "relu,sgd"]


def test_network(capsys, tmp_path):
    path = tmp_path / "table.md"
    assert main(["bench", *SMALL, "--output", str(path)]) == 0
    printed = capsys.readouterr()
    assert "| minifcn |" in printed.out
    assert path.read_text(encoding="utf-8") == printed.out
    assert f"written: {path}" in printed.err


def test_network_of_given_widths(capsys):
    slim = "--width 2,3,4,5,6 --fc-channels 7 --classes 3".split()
    slim += "--size 9 12 --repeats 1 --json".split()
    assert main(["bench", *slim]) == 0
    net = json.loads(capsys.readouterr().out)["net"]
    assert (net["width"], net["fc_channels"]) == ([2, 3, 4, 5, 6], 7)
    assert net["n_classes"] == 3
    assert main(["bench", "--operators", *slim]) == 2
    assert "take one --width, no --fc-channels or --classes" in capsys.readouterr().err


def test_operators(capsys):
    assert main(["bench", "--operators", *SMALL, *ONLY]) == 0
    assert "| sgd " in capsys.readouterr().out
    assert main(["bench", "--operators", *SMALL, *ONLY, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["size"] == [9, 12]
    assert [row["operator"] for row in figures["operators"]] == ["relu", "relu", "sgd"]
    assert figures["machine"]["libraries"]["minifcn"]["numpy"]


def test_scaling(capsys, tmp_path):
    path = tmp_path / "growth.png"
    few = "--sides 8,16 --batches 1 --widths 0.0156 --threads 1".split()
    line = ["bench", "--scaling", *SMALL, *few, "--picture", str(path), "--json"]
    assert main(line) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [len(sweep["points"]) for sweep in figures["sweeps"]] == [2, 1, 1, 1]
    assert read_image(path).shape[2] == 3


def test_names_may_stand_apart(capsys):
    line = ["bench", "--operators", *SMALL, "--json", "--only", " relu, sgd,"]
    assert main(line) == 0
    figures = json.loads(capsys.readouterr().out)
    assert {row["operator"] for row in figures["operators"]} == {"relu", "sgd"}
    assert main(["verify", "--list", "--only", "relu, add"]) == 0
    assert "\nadd\n" in capsys.readouterr().out
    assert main(["verify", "--list", "--only", ","]) == 2
    assert "--only ',' names nothing" in capsys.readouterr().err


@needs_torch
def test_picture_of_ratios(capsys, tmp_path):
    path = tmp_path / "ratios.png"
    line = [
        "bench",
        "--operators",
        *ONLY,
        *SMALL,
        "--against",
        "torch",
        "--picture",
        str(path),
    ]
    assert main(line) == 0
    assert "torch: PyTorch" in capsys.readouterr().out
    assert read_image(path).shape[2] == 3


@pytest.mark.parametrize(
    "options, sentence",
    [
        ("--repeats 0", "repeats is 0; it must be positive"),
        ("--width inf", "width is inf; it must be finite"),
        ("--scaling --widths 0.5,inf", r"widths is \(0.5, inf\); it must be finite"),
        ("--scaling --sides 1e400", r"sides is \(inf,\); it must be finite"),
        ("--operators --width nan", "width is nan; it must be positive"),
        ("--seed -1", "argument --seed: it is -1; it must be 0 or more"),
        ("--seed x", "argument --seed: 'x' is no whole number"),
        ("--tf32", "--tf32 goes with --device cuda"),
        ("--tf32 --device emulated", "--tf32 goes with --device cuda"),
        ("--operators --only ,", "--only ',' names nothing"),
        ("--operators --repeats 0", "must be positive"),
        ("--scaling --repeats 0", "must be positive"),
        ("--scaling --operators", "not allowed with argument"),
        ("--operators --image photo.jpg", "--operators measures on noise"),
        ("--scaling --image photo.jpg", "--scaling measures on noise"),
        ("--image none.jpg", "none.jpg"),
        ("--sides 64", "--sides says what --scaling tries"),
        ("--operators --threads 1", "--threads says what --scaling tries"),
        ("--scaling --sides 64,x", "'x' is no number"),
        ("--scaling --sides 64.5", "whole numbers"),
        ("--only relu", "--only chooses among --operators"),
        ("--operators --only conv3d", "no operator 'conv3d'"),
        ("--picture a.png", "add --against torch"),
        ("--scaling --picture a.jpg", "must name a file .png"),
        ("--output nowhere/a.md", "no folder nowhere"),
    ],
)
def test_misuse(capsys, options, sentence):
    assert main(["bench", *options.split()]) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert re.search(sentence, captured.err)


@pytest.mark.parametrize("mode", ["", "--operators", "--scaling"])
def test_against_torch_without_it(capsys, monkeypatch, mode):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["bench", "--against", "torch", *mode.split()]) == 2
    assert "pip install torch" in capsys.readouterr().err
