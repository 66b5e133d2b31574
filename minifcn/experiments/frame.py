"""What every experiment has in common: what it is given, what it answers, its files.

An experiment is a module of this room with three names:

    SOURCE     where the paper says it: a section, a table
    CLAIM      what the paper says there, in a sentence
    run        (Settings) -> Outcome: measures, and says whether that held

and a line in EXPERIMENTS. `conduct` runs one and writes what came out.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from minifcn import __version__
from minifcn.bench import tables
from minifcn.data import PairFiles, open_dataset, scenes
from minifcn.files import replacing

EXPERIMENTS = (
    "upsampling",
    "skips",
    "sampling",
    "batch",
    "bounds",
    "context",
    "init",
    "augment",
    "balance",
    "patchwise",
    "convolutionalise",
)

Cell = str | float | None  # None: not known
Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Settings:
    """What an experiment is given.

    Attributes:
        out: its own folder, which exists.
        data: the folder of a data set; None for generated scenes.
        split: which list of the data set is scored.
        seed: of everything random; the first of the seeds.
        seeds: how often nets are trained, with seed, seed + 1, …
        quick: a hundredth of the images and steps, to see that all goes well.
        device: one of `arrays.DEVICES`.
        recipe: by which nets learn a data set: a packaged one's name, or a file.
        weights: a file of pretrained weights for the trunk of nets on a data set.
    """

    out: Path
    data: Path | None = None
    split: str = "val"
    seed: int = 0
    seeds: int = 3
    quick: bool = False
    device: str = "cpu"
    recipe: str | None = None
    weights: Path | None = None

    def __post_init__(self) -> None:
        """Raise ValueError where scenes are asked for in a split that they lack."""
        if self.data is None and self.split not in scenes.SPLITS:
            raise ValueError(
                f"generated scenes have the splits {' and '.join(scenes.SPLITS)}, not "
                f"{self.split!r}"
            )

    @property
    def shared(self) -> Path:
        """The folder above: what experiments have in common is kept there."""
        return self.out.parent

    def dataset(self, n_val: int, size: tuple[int, int], n_train: int = 1) -> PairFiles:
        """Open the split of the data set; without one, draw scenes and open theirs.

        Args:
            n_val: scenes to be scored on.
            size: of a scene, (height, width).
            n_train: scenes to learn from.

        Raises:
            FileNotFoundError, DataError: as of `open_dataset`.
        """
        if self.data is not None:
            return open_dataset(self.data, self.split)
        drawn = scenes.write(self.out / "scenes", n_train, n_val, size, self.seed)
        return open_dataset(drawn, self.split)


class Column(NamedTuple):
    """A column of the table: its key in every row, its title, and how to write it.

    ``form`` is "word", "number" (as it is), "percent" (of a fraction) or "spread":
    percent of the mean, and in brackets of the lowest and the highest seed, which stand
    under the key with ``_low`` and ``_high`` behind it (see `seeds.spread`).
    """

    key: str
    title: str
    form: str = "percent"


class Verdict(NamedTuple):
    """One thing that the paper claims, whether it held, and the figures for that."""

    claim: str
    held: bool
    figures: str


class Outcome(NamedTuple):
    """What an experiment measured.

    Attributes:
        columns: of the table that people read.
        rows: {key: value}, fractions where the table has percent; all of one set of
            keys, which may be more than the columns.
        verdicts: one per claim.
        remarks: what a reader must know to read the table, a sentence each.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    verdicts: Sequence[Verdict]
    remarks: Sequence[str] = ()


class Experiment(Protocol):
    """A module that is an experiment; it also draws OUT/<its name>.png."""

    SOURCE: str
    CLAIM: str

    def run(self, settings: Settings) -> Outcome:
        """Measure, draw the picture, and say whether the claim held."""
        ...


def find(name: str) -> Experiment:
    """Return the experiment of a name.

    Raises:
        ValueError: there is none; names those that there are.
    """
    if name not in EXPERIMENTS:
        raise ValueError(
            f"there is no experiment {name!r}; there are {', '.join(EXPERIMENTS)}, "
            "and all for one after the other"
        )
    module: Any = importlib.import_module(f"minifcn.experiments.{name}")
    return module


def conduct(name: str, settings: Settings) -> dict[str, Any]:
    """Run an experiment in OUT/NAME; write its table, picture and result there.

    Args:
        name: one of EXPERIMENTS.
        settings: ``out`` is the folder above the experiment's own.

    Returns:
        What result.json says: experiment, source, claim, held, verdicts, table,
        columns, rows, remarks, settings, versions.
    """
    experiment = find(name)
    folder = settings.out / name
    folder.mkdir(parents=True, exist_ok=True)
    given = replace(settings, out=folder)
    outcome = experiment.run(given)
    result = _result(name, experiment, given, outcome)
    _write(folder / "table.csv", _csv(outcome.rows))
    _write(folder / "table.md", _document(result, outcome))
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    _write(folder / "result.json", text + "\n")
    return result


def markdown(outcome: Outcome) -> str:
    """Lay out the table in Markdown, fractions in percent."""
    rows = [
        [written(row, column) for column in outcome.columns] for row in outcome.rows
    ]
    words = sum(column.form == "word" for column in outcome.columns)
    return tables.table([column.title for column in outcome.columns], rows, words)


def judgement(verdict: Mapping[str, Any]) -> str:
    """Say in a line whether a claim held, and by which figures."""
    word = "held" if verdict["held"] else "did not hold"
    return f"{word}: {verdict['claim']} ({verdict['figures']})"


def _result(
    name: str, experiment: Experiment, settings: Settings, outcome: Outcome
) -> dict[str, Any]:
    given = asdict(settings).items()
    shown = {key: str(v) if isinstance(v, Path) else v for key, v in given}
    return {
        "experiment": name,
        "source": experiment.SOURCE,
        "claim": experiment.CLAIM,
        "held": all(verdict.held for verdict in outcome.verdicts),
        "verdicts": [verdict._asdict() for verdict in outcome.verdicts],
        "table": markdown(outcome),
        "columns": [column._asdict() for column in outcome.columns],
        "rows": [dict(row) for row in outcome.rows],
        "remarks": list(outcome.remarks),
        "settings": shown,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what computed."""
    return {
        "minifcn": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def written(row: Row, column: Column) -> str:
    """Write a cell of the table that people read."""
    value, form = row[column.key], column.form
    if value is None:
        return "–"
    if form == "spread":
        ends = (row[f"{column.key}_{end}"] for end in ("low", "high"))
        return "{} ({} to {})".format(*map(_percent, (value, *ends)))
    if form == "percent":
        return _percent(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percent(value: Any) -> str:
    return f"{100 * float(value):.1f}"


def _csv(rows: Sequence[Row]) -> str:
    """Return all that the rows hold; what is not known stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _document(result: Mapping[str, Any], outcome: Outcome) -> str:
    """Return the Markdown page: claim, table, verdicts, remarks."""
    claim = f"{result['source']}: {result['claim']}"
    verdicts = "\n".join(f"- {judgement(v)}" for v in result["verdicts"])
    lines = [claim, *outcome.remarks]
    title = f"minifcn experiment {result['experiment']}"
    return tables.document(title, lines, result["table"], verdicts) + "\n"


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
