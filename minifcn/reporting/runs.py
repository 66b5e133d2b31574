"""What the folder of a run tells, whole or not: settings, log, where it stands."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.files import BROKEN_NPZ
from minifcn.reporting.scoring import Evaluation, Example
from minifcn.training.journal import COLUMNS

FILES = ("run.json", "log.csv", "last.npz", "best.npz")
"""One of them is in every run's folder."""


@dataclass
class Run:
    """A run, as far as its folder tells of it.

    Attributes:
        folder: where it is.
        name: the folder's name; its path where two runs have the same.
        settings: those of its recipe, by name; {} where unknown.
        rows: of its log, numbers by column; empty cells are left out.
        position: where its last checkpoint stands; {} where there is none.
        missing: a sentence for everything that is not there.
        evaluation: its scores on a list of images, or None.
        worst: images with the lowest scores, the worst first.
        best: those with the highest, the best first.
    """

    folder: Path
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, float]] = field(default_factory=list)
    position: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    evaluation: Evaluation | None = None
    worst: list[Example] = field(default_factory=list)
    best: list[Example] = field(default_factory=list)

    @property
    def validations(self) -> list[dict[str, float]]:
        """The rows of the log with a mean IU."""
        return [row for row in self.rows if "mean_iu" in row]

    @property
    def steps(self) -> int:
        """Steps taken, by the log or by the last checkpoint."""
        logged = max((int(row["iteration"]) for row in self.rows), default=0)
        return max(logged, int(self.position.get("iteration", 0)))


def read_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Read the folders of some runs.

    Raises:
        FileNotFoundError: a folder is not there.
        ValueError: one is no folder, holds no run, or is named twice.
    """
    paths = [Path(folder) for folder in folders]
    for number, path in enumerate(paths):
        _check_folder(path)
        if any(path.samefile(earlier) for earlier in paths[:number]):
            raise ValueError(f"the run {path} is named twice")
    return [read_run(path, name) for path, name in zip(paths, names(paths))]


def names(paths: Sequence[Path]) -> list[str]:
    """Name each run: by its folder, or by the path where that would not tell."""
    short = [path.resolve().name for path in paths]
    return [
        name if short.count(name) == 1 else str(path)
        for name, path in zip(short, paths)
    ]


def read_run(folder: Path, name: str) -> Run:
    """Read what the folder of a run holds; what it lacks is in ``missing``."""
    run = Run(folder, name)
    meta = _read_meta(folder / "last.npz") or _read_meta(folder / "best.npz")
    run.position = _object(meta.get("position"))
    _read_settings(run, _object(meta.get("recipe")))
    _read_log(run)
    _say_where_it_stands(run)
    return run


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"there is no run {path}")
    if not path.is_dir():
        raise ValueError(f"{path} is a file: name the folder of a run")
    if not any((path / file).is_file() for file in FILES):
        raise ValueError(f"{path} holds no run: there is none of {', '.join(FILES)}")


def _read_meta(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself, and none of its arrays."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _object(json.loads(str(archive["meta"])))
    except BROKEN_NPZ:  # it is said when the checkpoint is to be evaluated
        return {}


def _read_settings(run: Run, saved: dict[str, Any]) -> None:
    path = run.folder / "run.json"
    try:
        run.settings = _object(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        found = "there is no run.json"
    except (OSError, ValueError):
        found = "run.json is damaged"
    else:
        return
    run.settings = saved
    comfort = "are those of its checkpoint" if saved else "are not known"
    run.missing.append(f"{found}: its settings {comfort}.")


def _read_log(run: Run) -> None:
    """Read log.csv without its damaged lines (the last may be half written)."""
    path = run.folder / "log.csv"
    if not path.is_file():
        run.missing.append("there is no log.csv: it has no curves.")
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    rows = [_read_row(cells) for cells in csv.reader(lines)]
    run.rows = [row for row in rows if row]
    if len(run.rows) < len(rows):
        count = len(rows) - len(run.rows)
        run.missing.append(f"{count} of {len(rows)} lines of log.csv are damaged.")
    if not run.rows:
        run.missing.append("log.csv holds no step yet: it has no curves.")


def _read_row(cells: list[str]) -> dict[str, float]:
    """Return a line's numbers by column; {} if it is damaged."""
    try:
        row = {c: float(cell) for c, cell in zip(COLUMNS, cells) if cell}
    except ValueError:
        return {}
    whole = len(cells) == len(COLUMNS) and math.isfinite(row.get("iteration", math.nan))
    return {c: v for c, v in row.items() if math.isfinite(v)} if whole else {}


def _say_where_it_stands(run: Run) -> None:
    epochs, iterations = (run.settings.get(k) for k in ("epochs", "iterations"))
    if run.position and iterations:
        if run.steps < iterations:
            run.missing.append(
                f"it is unfinished: {run.steps} of {iterations} steps are taken."
            )
    elif run.position and epochs and run.position.get("epoch", 0) < epochs:
        run.missing.append(
            f"it is unfinished: {run.position['epoch']} of {epochs} epochs are done."
        )
    if run.rows and not run.validations:
        run.missing.append("it was not validated: it has no curve of mean IU.")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
