"""Ctrl-C, as the process of a user gets it."""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minifcn.training import checkpoint
from minifcn.training.stop import StopRequest
from tests.training.runs import TINY, run, same_arrays

STEPS = 40


def test_first_signal_asks_and_second_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def options() -> list[str]:
    names = ("net", "batch_size", "lr", "pictures", "cache", "fc_channels")
    given = [f"--{name.replace('_', '-')}={TINY[name]}" for name in names]
    return [*given, "--width=4,6,8,8,8", f"--iterations={STEPS}", "--scale=0.8,1.2"]


def begin(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "minifcn", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_rows(log: Path, rows: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if log.is_file() and log.read_text().count("\n") > rows:
            return
        time.sleep(0.005)
    pytest.fail(f"{log} did not get {rows} rows within a minute")


def interrupt(data: Path, folder: Path, number: signal.Signals) -> str:
    """Start a run, stop it by a signal after a few steps; return what it says."""
    process = begin(data, "--out", folder, *options())
    wait_for_rows(folder / "log.csv", 6)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert checkpoint.load(folder / "last.npz").meta["position"]["iteration"] < STEPS
    return said


def test_sigterm_saves(data: Path, tmp_path: Path) -> None:
    said = interrupt(data, tmp_path / "run", signal.SIGTERM)
    assert "finishing this step" in said


def test_ctrl_c_saves_and_the_printed_command_goes_on(
    data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a run"  # the space must be quoted
    said = interrupt(data, folder, signal.SIGINT)
    command = next(line for line in said.splitlines() if "--resume" in line)
    again = subprocess.run(shlex.split(command), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr

    whole = run(data, tmp_path / "whole", iterations=STEPS, scale=(0.8, 1.2))
    log = (folder / "log.csv").read_bytes()
    assert log == (whole.folder / "log.csv").read_bytes()
    ours, theirs = (
        checkpoint.load(f / "last.npz") for f in (folder, tmp_path / "whole")
    )
    assert same_arrays(ours.model, theirs.model)
    assert same_arrays(ours.velocity, theirs.velocity)
