"""The paper's Appendix A: how good could a net be that answers in coarse cells?

The true labels are made coarse, one class for each cell of f × f pixels, and enlarged
again, each cell in its one class. What mean IU that reaches is about the most that a
net of output stride f could reach without looking any closer. Two rules give a cell
its class, and cells begin at the picture's upper left corner, those at its right and
lower border being cut:

centre      the class of the pixel nearest the cell's middle, of equals the first in
            reading order (for even f: up and left of the middle)
majority    the class of most pixels, of equals the smallest

Pixels to ignore have no say in either: the nearest is the nearest that counts, and a
cell without one may have any class, since none of its pixels is scored. No map in such
cells has a higher pixel accuracy than the majority's; of mean IU both are estimates,
as the paper's is ("approximate"). It does not say which rule it took.

Source: Long, Shelhamer and Darrell 2015, Appendix A, on a subset of VOC 2011's
validation images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import metrics, pictures
from minifcn.data import IGNORE, Dataset
from minifcn.data.files import Pixels
from minifcn.training.progress import bar

from .boundary import Trimap, boundary_accuracy
from .drawing import BLUE, GREEN, GREY, ORANGE, Line, chart_and_tiles
from .frame import Column, Outcome, Row, Settings, Verdict

SOURCE = "Long, Shelhamer and Darrell 2015, Appendix A"
CLAIM = (
    "A coarse map can reach a mean IU far above the best net's, so that mean IU says "
    "little about fine detail."
)
PAPER = {128: 0.509, 64: 0.733, 32: 0.861, 16: 0.928, 8: 0.964, 4: 0.985}
REACHED = {32: 0.594, 16: 0.624, 8: 0.627}  # by FCN-32s, 16s, 8s: Table 2, mean IU
NEAR = 3  # pixels from a boundary that count as fine detail
N_SCENES, SIZE = 60, (384, 512)  # of generated scenes

COLUMNS = (
    Column("factor", "cell", "number"),
    Column("mean_iu_centre", "mean IU"),
    Column("mean_iu_majority", "by majority"),
    Column("paper", "in the paper"),
    Column("pixel_accuracy_centre", "pixel accuracy"),
    Column("pixel_accuracy_majority", "by majority"),
    Column("near_centre", f"within {NEAR} px"),
)


# ------------------------------------------------------------------- coarse and back


def in_cells(label: Pixels, factor: int) -> Pixels:
    """Cut a label into cells, (rows, columns, factor²); beyond it lie ignored pixels.

    A cell's pixels are in reading order.
    """
    H, W = label.shape
    frame = [(0, -n % factor) for n in (H, W)]
    framed = np.pad(label, frame, constant_values=IGNORE)
    rows, columns = (n // factor for n in framed.shape)
    cells = framed.reshape(rows, factor, columns, factor).swapaxes(1, 2)
    return cells.reshape(rows, columns, factor * factor)


def enlarge(coarse: Pixels, factor: int, size: tuple[int, ...]) -> Pixels:
    """Give each pixel of a label (H, W) the class of its cell."""
    H, W = size
    return coarse.repeat(factor, 0).repeat(factor, 1)[:H, :W]


def centre(label: Pixels, factor: int) -> Pixels:
    """Return the class at the middle of each cell, (rows, columns).

    255 stands in cells without a pixel that counts.
    """
    middle = (factor - 1) / 2
    away = (np.arange(factor) - middle) ** 2
    order = np.add.outer(away, away).argsort(axis=None, kind="stable")
    nearest = in_cells(label, factor)[..., order]
    first = (nearest != IGNORE).argmax(axis=2)[..., None]
    return np.take_along_axis(nearest, first, axis=2)[..., 0]


def majority(label: Pixels, factor: int) -> Pixels:
    """Return the class of most of each cell's pixels, (rows, columns).

    255 stands in cells without a pixel that counts.
    """
    cells = in_cells(label, factor)
    most = np.zeros(cells.shape[:2], np.intp)
    winner = np.full(cells.shape[:2], IGNORE, np.uint8)
    for c in np.unique(label[label != IGNORE]):  # from the smallest
        votes = (cells == c).sum(axis=2)
        winner[votes > most] = c
        most = np.maximum(most, votes)
    return winner


RULES = {"centre": centre, "majority": majority}


# ------------------------------------------------------------------------- measuring


class Tally:
    """What was counted of one rule and factor, over all images so far."""

    def __init__(self, n_classes: int) -> None:
        self.hist = np.zeros((n_classes, n_classes), np.int64)
        self.near = np.zeros((2, NEAR), np.int64)

    def add(self, label: Pixels, coarse: Pixels, trimap: Trimap) -> None:
        """Count an image's pixels."""
        self.hist += metrics.confusion_matrix(label, coarse, len(self.hist))
        self.near += trimap.counts(coarse)

    def figures(self) -> dict[str, float | None]:
        """Return the fractions; None where nothing was counted."""
        scores = metrics.scores(self.hist)
        found = {key: scores[key] for key in ("mean_iu", "pixel_accuracy")}
        found["near"] = float(boundary_accuracy(self.near)[-1])
        return {key: None if np.isnan(v) else v for key, v in found.items()}


def measure(dataset: Dataset, factors: Sequence[int] = tuple(PAPER)) -> list[Row]:
    """Measure both rules at every factor; one image is in memory at a time.

    Returns:
        A row per factor: "factor", "paper", and of each rule "mean_iu_…",
        "pixel_accuracy_…" and "near_…", as fractions.
    """
    n = len(dataset.class_names)
    tallies = {(f, rule): Tally(n) for f in factors for rule in RULES}
    for index in bar("bounds")(range(len(dataset))):
        label = dataset[index][1]
        trimap = Trimap(label, NEAR)
        for (f, rule), tally in tallies.items():
            coarse = enlarge(RULES[rule](label, f), f, label.shape)
            tally.add(label, coarse, trimap)
    return [_row(f, {rule: tallies[f, rule] for rule in RULES}) for f in factors]


def _row(factor: int, tallies: dict[str, Tally]) -> Row:
    row: dict[str, Any] = {"factor": factor, "paper": PAPER.get(factor)}
    for rule, tally in tallies.items():
        row |= {f"{key}_{rule}": value for key, value in tally.figures().items()}
    return row


# ------------------------------------------------------------------------- judging


def run(settings: Settings) -> Outcome:
    """Measure the bounds on a data set's labels, draw them, hold them to the claim.

    Raises:
        ValueError: no pixel of the labels counts.
    """
    dataset = settings.dataset(N_SCENES, SIZE)
    rows = measure(dataset)
    if rows[0]["mean_iu_centre"] is None:
        raise ValueError("no pixel of these labels counts: all are to be ignored")
    draw(settings.out / "bounds.png", rows, dataset)
    return Outcome(COLUMNS, rows, verdicts(rows), remarks(len(dataset)))


def remarks(n_images: int) -> list[str]:
    """Say what the columns are."""
    sizes = f"{max(PAPER)} to {min(PAPER)}"
    return [
        f"labels of {n_images} images made coarse, in cells of {sizes} pixels "
        "square, and enlarged again; figures in percent",
        "a cell's class is that at its centre, or by majority that of most pixels",
        f"within {NEAR} px: accuracy of the pixels so near a boundary of the labels",
        "in the paper: on images of VOC 2011",
    ]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Hold the figures to what the appendix says; of the two rules, by the centre."""
    iu: dict[Any, Any] = {row["factor"]: row["mean_iu_centre"] for row in rows}
    near: dict[Any, Any] = {row["factor"]: row["near_centre"] for row in rows}
    found = [
        Verdict(
            "the finer the cells, the higher the mean IU, by either rule",
            all(_rises([row[f"mean_iu_{rule}"] for row in rows]) for rule in RULES),
            "centre: " + ", ".join(_percent(value) for value in iu.values()),
        ),
        Verdict(
            "cells of 32, 16 and 8 pixels can reach more than FCN-32s, 16s and 8s did "
            "on VOC 2011 (Table 2)",
            all(iu[f] > reached for f, reached in REACHED.items()),
            _pairs((iu[f], reached) for f, reached in REACHED.items()),
        ),
    ]
    if None in near.values():  # every label is of one value
        return found
    return [
        *found,
        Verdict(
            "at these cells mean IU loses less than the accuracy within "
            f"{NEAR} pixels of a boundary",
            all(iu[f] > near[f] for f in REACHED),
            "lost: " + _pairs((1 - iu[f], 1 - near[f]) for f in REACHED),
        ),
    ]


def _rises(values: Sequence[Any]) -> bool:
    return all(a < b or a == b == 1 for a, b in pairwise(values))


def _pairs(pairs: Iterable[tuple[float, float]]) -> str:
    return ", ".join(f"{_percent(a)} against {_percent(b)}" for a, b in pairs)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


# ------------------------------------------------------------------------- drawing


def draw(path: Path, rows: Sequence[Row], dataset: Dataset) -> None:
    """Draw mean IU over cell size, and one image's labels at every size."""
    image, label = dataset[_example(dataset)]
    tiles = [("photo", image), ("truth", pictures.colour(label, dataset.palette))]
    for f in PAPER:
        coarse = enlarge(centre(label, f), f, label.shape)
        tiles.append((f"cells of {f}", pictures.colour(coarse, dataset.palette)))
    chart_and_tiles(
        path,
        "How good could coarse maps be? Each cell in the class at its centre",
        _lines(rows),
        ("cell size, pixels", "per cent"),
        (tiles[:4], tiles[4:]),
    )


def _lines(rows: Sequence[Row]) -> list[Line]:
    styles: dict[str, tuple[str, dict[str, Any]]] = {
        "mean_iu_centre": ("mean IU, centre", dict(color=BLUE, marker="o", lw=2.4)),
        "mean_iu_majority": ("mean IU, majority", dict(color=ORANGE, marker="s")),
        "paper": ("mean IU in the paper (VOC)", dict(color=GREY, ls="--", marker="x")),
        "near_centre": (
            f"accuracy within {NEAR} px of a boundary",
            dict(color=GREEN, ls=":", marker="."),
        ),
    }
    x: list[Any] = [row["factor"] for row in rows]
    y: list[list[Any]] = [[row[key] for row in rows] for key in styles]
    named = styles.values()
    return [Line(name, x, points, look) for (name, look), points in zip(named, y)]


def _example(dataset: Dataset) -> int:
    """Return which of the first images shows the most classes."""
    n = min(len(dataset), 24)
    return max(range(n), key=lambda i: len(np.unique(dataset[i][1])))
