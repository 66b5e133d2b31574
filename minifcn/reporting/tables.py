"""The tables of the page: runs, scores, classes, confusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn import charts, metrics
from minifcn.reporting.layout import table, wide
from minifcn.reporting.markup import Content, Markup, joined, tag
from minifcn.reporting.runs import Run
from minifcn.reporting.scoring import Evaluation

MEASURES = {
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "mean_iu": "mean IU",
    "frequency_weighted_iu": "frequency weighted IU",
}
CLASS_WORDS = (
    "Intersection over union of each class, in per cent. A class that is neither in "
    "the truth nor predicted has none: –."
)
CONFUSION_WORDS = (
    "Rows are true classes, columns predicted ones; a row shows in per cent for what "
    "the pixels of its class were taken."
)
ROOM = 25  # classes whose numbers have room in the cells of a confusion matrix

Numbered = tuple[int, Run]


# ------------------------------------------------------------------------ small parts


def percent(fraction: float) -> str:
    """Write a fraction in per cent; a dash where there is none."""
    return "–" if math.isnan(fraction) else f"{100 * fraction:.1f}"


def run_name(number: int, run: Run) -> Markup:
    """Return a run's name behind its colour."""
    mark = tag("i", class_="mark", style=f"background:{charts.run_colour(number)}")
    return tag("span", mark, run.name, class_="run")


def marked(value: float, best: float, *more: Content) -> Markup:
    """Return a cell with a share in per cent, marked where it is the best."""
    text = percent(value)
    if value == best:
        return tag("td", tag("strong", text), *more, class_="best")
    return tag("td", text, *more)


def scored(run: Run) -> Evaluation:
    """Return the evaluation of a run that has one."""
    assert run.evaluation is not None
    return run.evaluation


# ------------------------------------------------------------------------------- runs


def overview(runs: Sequence[Numbered]) -> Markup:
    """Return what was compared, a row for each run."""
    head = "Run", "Net", "Data", "Epochs", "Steps", "Time", "Parameters", "Scored"
    rows = [_overview_row(*numbered) for numbered in runs]
    return wide(table(head, rows, "overview"))


def _overview_row(number: int, run: Run) -> Markup:
    name = tag("th", run_name(number, run), scope="row", title=run.folder)
    net = " on ".join(str(run.settings[k]) for k in ("net", "trunk") if _has(run, k))
    cells = (
        net or "–",
        _data_name(run),
        _epochs(run),
        f"{run.steps:,}",
        _duration(run.position.get("seconds")),
        f"{run.evaluation.parameters:,}" if run.evaluation else "–",
        _scored_on(run.evaluation) if run.evaluation else "–",
    )
    return tag("tr", name, [tag("td", cell) for cell in cells])


def _has(run: Run, setting: str) -> bool:
    return run.settings.get(setting) is not None


def _data_name(run: Run) -> str:
    return str(run.settings.get("data") or "–").rstrip("/").rpartition("/")[2]


def _epochs(run: Run) -> str:
    done, planned = run.position.get("epoch"), run.settings.get("epochs")
    if done is None:
        return "–"
    return str(done) if run.settings.get("iterations") else f"{done} of {planned}"


def _duration(seconds: Any) -> str:
    """Write a time in the unit that suits it."""
    if not isinstance(seconds, int | float):
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _scored_on(evaluation: Evaluation) -> str:
    step = "" if evaluation.iteration is None else f" (step {evaluation.iteration:,})"
    count = len(evaluation.images)
    plural = "image" if count == 1 else "images"
    return f"{evaluation.checkpoint}{step} on {evaluation.split}, {count} {plural}"


# ----------------------------------------------------------------------------- scores


def comparable(runs: Sequence[Numbered]) -> bool:
    """Whether scored runs, two or more, were scored on the same images and classes."""
    return len(runs) > 1 and len({scored(run).task for _, run in runs}) == 1


def score_words(runs: Sequence[Numbered]) -> str:
    """Say what the scores are, and whether they can be compared."""
    words = "The four measures of the paper over all images, in per cent."
    if comparable(runs):
        return f"{words} The best of each is marked."
    if len(runs) > 1:
        words += (
            " The runs were not scored on the same images and classes: their scores "
            "do not compare, and no best is marked."
        )
    return words


def scores(runs: Sequence[Numbered]) -> Markup:
    """Return the four measures, a row for each run."""
    found = [scored(run).scores for _, run in runs]
    best = {
        key: _highest([s[key] for s in found]) if comparable(runs) else math.nan
        for key in MEASURES
    }
    rows = [
        tag(
            "tr",
            tag("th", run_name(*numbered), scope="row"),
            [marked(own[key], best[key], _bar(numbered[0], own[key])) for key in best],
        )
        for numbered, own in zip(runs, found)
    ]
    return wide(table(["Run", *MEASURES.values()], rows))


def _highest(values: Sequence[float]) -> float:
    """Return the largest of values; nan where none is larger than another."""
    known = [v for v in values if not math.isnan(v)]
    return max(known) if len({*known}) > 1 else math.nan


def _bar(number: int, value: float) -> Markup | None:
    """Return a bar as long as a share, in the run's colour."""
    if math.isnan(value):
        return None
    style = f"width:{100 * value:.1f}%;background:{charts.run_colour(number)}"
    return tag("span", tag("span", style=style), class_="bar")


# ---------------------------------------------------------------------------- classes


def classes(runs: Sequence[Numbered]) -> Markup:
    """Return the IU of every class, for runs that have the same classes."""
    first = scored(runs[0][1])
    columns = [metrics.iu_per_class(scored(run).hist) for _, run in runs]
    truth = first.hist.sum(axis=1)
    shares = truth / max(truth.sum(), 1)
    numbers = [number for number, _ in runs]
    same = comparable(runs)
    rows = [
        tag(
            "tr",
            tag("th", _class_name(name, colour), scope="row"),
            tag("td", percent(share)) if same or len(runs) == 1 else None,
            _class_cells(numbers, ius, same),
        )
        for name, colour, share, ius in zip(
            first.class_names, first.palette, shares, np.transpose(columns).tolist()
        )
    ]
    pixels = ["of pixels"] if same or len(runs) == 1 else []
    head = ["Class", *pixels, *(run_name(*numbered) for numbered in runs)]
    return wide(table(head, rows, "classes"))


def _class_cells(
    numbers: Sequence[int], ius: Sequence[float], same: bool
) -> list[Markup]:
    best = _highest(ius) if same else math.nan
    return [marked(iu, best, _bar(k, iu)) for k, iu in zip(numbers, ius)]


def _class_name(name: str, colour: Sequence[int]) -> Markup:
    return joined(swatch(colour), name)


def swatch(colour: Sequence[int]) -> Markup:
    """Return a small square in a class's colour."""
    red, green, blue = colour
    style = f"background:rgb({red},{green},{blue})"
    return tag("i", class_="swatch", style=style)


# -------------------------------------------------------------------------- confusion


def confusions(runs: Sequence[Numbered]) -> Markup:
    """Return the confusion matrices of scored runs, beside each other."""
    return tag("div", map(confusion, runs), class_="matrices")


def confusion(numbered: Numbered) -> Markup:
    """Return the confusion matrix of a run, each row as shares of the true class."""
    evaluation = scored(numbered[1])
    hist, names = evaluation.hist, evaluation.class_names
    true = hist.sum(axis=1, keepdims=True)
    share = np.divide(hist, true, out=np.full(hist.shape, np.nan), where=true > 0)
    roomy = len(names) <= ROOM
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            [_confused(value, roomy, name, other) for other, value in zip(names, row)],
        )
        for name, row in zip(names, share.tolist())
    ]
    columns = [tag("span", name) for name in names]
    kind = "confusion" if roomy else "confusion many"
    matrix = table(["true ↓ predicted →", *columns], rows, kind)
    return tag("figure", tag("figcaption", run_name(*numbered)), wide(matrix))


def _confused(value: float, roomy: bool, true: str, predicted: str) -> Markup:
    """Return a cell that is the darker the larger its share is."""
    if math.isnan(value):
        return tag("td", "–" if roomy else "", class_="none")
    # The root makes a few per cent visible.
    depth = f"--depth:{100 * math.sqrt(value):.0f}%"
    text = f"{100 * value:.0f}" if value >= 0.005 else ""
    return tag(
        "td",
        text if roomy else "",
        class_="deep" if value > 0.5 else None,
        style=depth,
        title=f"{true} taken for {predicted}: {percent(value)} %",
    )
