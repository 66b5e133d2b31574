"""The page that compares runs, section by section."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from minifcn import charts
from minifcn.reporting import settings, tables
from minifcn.reporting.images import examples, legend
from minifcn.reporting.layout import document, section, table, wide
from minifcn.reporting.markup import Markup, joined, tag
from minifcn.reporting.runs import Run
from minifcn.reporting.tables import run_name

Numbered = tuple[int, Run]


def page(runs: Sequence[Run]) -> str:
    """Return the page that compares some runs."""
    title = "minifcn: " + ", ".join(run.name for run in runs)
    parts = [*_sections(list(enumerate(runs)))]
    header = _header(runs, [heading for heading, _, _ in parts])
    return document(title, header, [section(h.lower(), h, *rest) for h, *rest in parts])


def _sections(runs: list[Numbered]) -> Iterator[tuple[str, str, Markup]]:
    """Yield heading, what it means, and content of each part that there is."""
    yield "Runs", "", joined(tables.overview(runs), _missing(runs))
    yield "Settings", settings.words(runs), settings.differing(runs)
    scored = [(k, run) for k, run in runs if run.evaluation]
    if scored:
        yield "Scores", tables.score_words(scored), tables.scores(scored)
    yield "Curves", *_curves(runs)
    if not scored:
        return
    groups = by_classes(scored)
    apart = "The runs have different classes: each list stands apart. " * (
        len(groups) > 1
    )
    yield "Classes", apart + tables.CLASS_WORDS, joined(map(tables.classes, groups))
    yield "Confusion", tables.CONFUSION_WORDS, tables.confusions(scored)
    if any(run.worst for _, run in scored):
        words = (
            "By the mean IU over the classes that are in an image or were seen in it, "
            "which is that image's own and no part of the mean above. From left to "
            "right: photograph, truth, prediction."
        )
        sheets = [joined(map(examples, group), legend(group)) for group in groups]
        yield "Images", words, joined(sheets)


def by_classes(runs: Sequence[Numbered]) -> list[list[Numbered]]:
    """Group scored runs by their lists of classes, in order."""
    groups: dict[tuple[str, ...], list[Numbered]] = {}
    for number, run in runs:
        assert run.evaluation is not None
        groups.setdefault(tuple(run.evaluation.class_names), []).append((number, run))
    return list(groups.values())


def _header(runs: Sequence[Run], headings: Sequence[str]) -> Markup:
    count = "One run" if len(runs) == 1 else f"{len(runs)} runs compared"
    links = [tag("a", text, href=f"#{text.lower()}") for text in headings]
    return tag("header", tag("h1", count), tag("nav", links))


def _missing(runs: Sequence[Numbered]) -> Markup | None:
    """List what could not be had of the runs."""
    points = [
        tag("li", run_name(k, run), ": ", sentence)
        for k, run in runs
        for sentence in run.missing
    ]
    return joined(tag("h3", "What is missing"), tag("ul", points)) if points else None


def _curves(runs: Sequence[Numbered]) -> tuple[str, Markup]:
    """Return what the curves mean, and their picture with its key."""
    logged = [(k, run) for k, run in runs if run.rows]
    if not any(row.get("iteration") for _, run in logged for row in run.rows):
        return "No run has a log: there are no curves to draw.", Markup()
    drawing = Markup(charts.comparison([run.rows for _, run in runs]))
    key = tag("p", [run_name(k, run) for k, run in logged], class_="key")
    latest = [
        tag("tr", tag("th", run_name(k, run), scope="row"), _latest(run))
        for k, run in logged
    ]
    heads = "loss at the end", "best mean IU", "at step", "last mean IU"
    ends = wide(table(["Run", *heads], latest))
    words = (
        "A step takes one batch, whose size may differ between runs; the loss is the "
        "running mean over a 25th of the run. Mean IU is that of the validations "
        "during training."
    )
    return words, joined(tag("figure", drawing, key), ends)


def _latest(run: Run) -> list[Markup]:
    """Cells: the last 25th's mean loss, the best mean IU and its step, the last."""
    losses = [row["loss"] for row in run.rows if "loss" in row]
    tail = losses[-max(len(losses) // 25, 1) :]
    loss = f"{sum(tail) / len(tail):.4g}" if tail else "–"
    best = max(run.validations, key=lambda row: row["mean_iu"], default={})
    last = run.validations[-1] if run.validations else {}
    step = f"{best['iteration']:.0f}" if best else "–"
    ius = [tables.percent(row.get("mean_iu", math.nan)) for row in (best, last)]
    return [tag("td", text) for text in (loss, ius[0], step, ius[1])]
