"""The experiments' pictures: a chart at the left, small pictures at the right.

Drawn with matplotlib, which is imported when the first picture is asked for, through
its objects alone: no display is needed and no global state is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minifcn.data.files import Pixels
from minifcn.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, GREY = "#4c78a8", "#f58518", "#54a24b", "#777777"


class Line(NamedTuple):
    """A line of a chart: (x, y) points (without those whose y is None), its style."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    style: dict[str, Any]


def chart_and_tiles(
    path: str | Path,
    title: str,
    lines: Sequence[Line],
    labels: tuple[str, str],
    tiles: Sequence[Sequence[tuple[str, Pixels]]],
) -> None:
    """Draw lines over powers of two, falling to the right, beside rows of pictures.

    Args:
        path: the PNG to write.
        title: above everything.
        lines: y as fractions, drawn in percent.
        labels: of the x and the y axis.
        tiles: rows of (title, (H, W, 3) RGB).
    """
    from matplotlib.figure import Figure

    figure = Figure((15, 5), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=[5, 8], wspace=0.03)
    left, right = halves
    _chart(left.add_subplot(), lines, labels)
    grid = right.subplots(len(tiles), len(tiles[0]), squeeze=False)
    for row, places in zip(tiles, grid, strict=True):
        for (name, pixels), axes in zip(row, places, strict=True):
            _tile(axes, name, pixels)
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _chart(axes: Axes, lines: Sequence[Line], labels: tuple[str, str]) -> None:
    for line in lines:
        points = [(x, 100 * y) for x, y in zip(line.x, line.y) if y is not None]
        if points:
            axes.plot(*zip(*points), label=line.name, **line.style)
    ticks = lines[0].x
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.invert_xaxis()
    axes.set_ylim(0, 100)
    axes.set_xlabel(labels[0], fontsize=12)
    axes.set_ylabel(labels[1], fontsize=12)
    axes.tick_params(labelsize=11)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", fontsize=11)


def _tile(axes: Axes, title: str, pixels: Pixels) -> None:
    axes.imshow(pixels, interpolation="nearest")
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()
