"""The best and the worst images of a run: photograph, truth, prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minifcn.data.files import IGNORE
from minifcn.pictures import full_palette
from minifcn.reporting import thumbnails
from minifcn.reporting.markup import Markup, joined, tag
from minifcn.reporting.runs import Run
from minifcn.reporting.scoring import Example
from minifcn.reporting.tables import percent, run_name, scored, swatch

Numbered = tuple[int, Run]


def examples(numbered: Numbered) -> Markup:
    """Return a run's worst images beside its best."""
    number, run = numbered
    groups = [
        tag("div", tag("h4", title), [_example(example, run) for example in group])
        for title, group in (("Worst", run.worst), ("Best", run.best))
        if group
    ]
    if not groups:
        return Markup()
    heading = tag("h3", run_name(number, run))
    return joined(heading, tag("div", groups, class_="examples"))


def legend(runs: Sequence[Numbered]) -> Markup | None:
    """Return the colours of the classes in the images of runs with the same classes."""
    shown = [example for _, run in runs for example in (*run.worst, *run.best)]
    if not shown:
        return None
    pixels = [array for e in shown for array in (e.label, e.predicted)]
    present = np.unique(np.concatenate([array.ravel() for array in pixels]))
    evaluation = scored(runs[0][1])
    names = [*evaluation.class_names, *[""] * 256][:256]
    names[IGNORE] = "not counted"
    colours = full_palette(evaluation.palette).tolist()
    entries = [tag("span", swatch(colours[c]), names[c]) for c in present.tolist()]
    return tag("p", entries, class_="legend")


def _example(example: Example, run: Run) -> Markup:
    score, palette = example.score, scored(run).palette
    views = {
        "photograph": thumbnails.photograph(example.image),
        "truth": thumbnails.label(example.label, palette),
        "prediction": thumbnails.label(example.predicted, palette),
    }
    pictures = [
        tag("img", src=address, alt=f"{score.id}: {view}", title=view)
        for view, address in views.items()
    ]
    caption = tag(
        "figcaption",
        tag("b", score.id),
        f" mean IU {percent(score.mean_iu)}, "
        f"pixel accuracy {percent(score.pixel_accuracy)}",
    )
    return tag("figure", tag("div", pictures, class_="views"), caption)
