"""The experiments' pictures: charts, and rows of small pictures.

`page` opens a figure and writes it; the others draw into axes of it.
Drawn with matplotlib, which is imported when the first picture is asked for, through
its objects alone: no display is needed and no global state is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minifcn.data.files import Pixels
from minifcn.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#4c78a8", "#f58518", "#54a24b", "#777777"
RED, VIOLET, TEAL, OCHRE = "#e45756", "#8a6fc8", "#1f9e9e", "#b8860b"
COLOURS = (BLUE, ORANGE, GREEN, RED, VIOLET, TEAL, OCHRE, GREY)


class Line(NamedTuple):
    """A line of a chart: (x, y) points (without those whose y is None), its style."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    style: dict[str, Any]


@contextmanager
def page(path: str | Path, title: str, size: tuple[float, float]) -> Iterator[Figure]:
    """Open a figure of (width, height) inches; write it as a PNG when all is drawn."""
    from matplotlib.figure import Figure

    figure = Figure(size, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=14)
    yield figure
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)


def bars(
    axes: Axes,
    names: Sequence[str],
    values: Sequence[Sequence[float]],
    label: str,
    colours: Sequence[str] = (BLUE,),
) -> None:
    """Draw a bar per name, of the mean of its seeds, and a dot per seed.

    Args:
        axes: where.
        names: from top to bottom.
        values: of each name, one per seed, as fractions; drawn in percent.
        label: of the x axis.
        colours: of the bars, in turn.
    """
    places = range(len(names))
    means = [100 * sum(v) / len(v) for v in values]
    shades = [colours[i % len(colours)] for i in places]
    axes.barh(places, means, color=shades, height=0.65)
    for place, mean, seeds in zip(places, means, values, strict=True):
        points = [100 * v for v in seeds]
        axes.plot(points, [place] * len(points), "o", color="black", ms=3.5)
        axes.annotate(
            f"{mean:.1f}",
            (max([mean, *points]), place),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=11,
        )
    axes.set_yticks(places, list(names), fontsize=12)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(1e-9, *means, *(100 * v for s in values for v in s)))
    axes.set_xlabel(label, fontsize=12)
    _tidy(axes, "x")


def curves(
    axes: Axes, lines: Sequence[Line], labels: tuple[str, str], legend: Any = "best"
) -> None:
    """Draw lines over numbers as they are; ``legend`` says where that stands."""
    _plot(axes, lines, 1)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.xaxis.label.set_fontsize(12)
    axes.yaxis.label.set_fontsize(12)
    _tidy(axes, "both")
    axes.legend(loc=legend, fontsize=11)


def smoothed(values: Sequence[float], over: int) -> list[float]:
    """Return the mean of each value and up to ``over`` - 1 before it."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    firsts = [max(0, i + 1 - over) for i in range(len(values))]
    return [(sums[i + 1] - sums[k]) / (i + 1 - k) for i, k in enumerate(firsts)]


def tiles(part: Any, rows: Sequence[Sequence[tuple[str, Pixels]]]) -> None:
    """Draw rows of (title, (H, W, 3) RGB) into a figure, or a part of one."""
    grid = part.subplots(len(rows), len(rows[0]), squeeze=False)
    for row, places in zip(rows, grid, strict=True):
        for (name, pixels), axes in zip(row, places, strict=True):
            axes.imshow(pixels, interpolation="nearest")
            axes.set_title(name, fontsize=11)
            axes.set_axis_off()


def chart_and_tiles(
    path: str | Path,
    title: str,
    lines: Sequence[Line],
    labels: tuple[str, str],
    pictures: Sequence[Sequence[tuple[str, Pixels]]],
) -> None:
    """Draw lines over powers of two, falling to the right, beside rows of pictures.

    Args:
        path: the PNG to write.
        title: above everything.
        lines: y as fractions, drawn in percent.
        labels: of the x and the y axis.
        pictures: rows of (title, (H, W, 3) RGB).
    """
    with page(path, title, (15, 5)) as figure:
        halves: Any = figure.subfigures(1, 2, width_ratios=[5, 8], wspace=0.03)
        left, right = halves
        powers(left.add_subplot(), lines, labels)
        tiles(right, pictures)


def powers(axes: Axes, lines: Sequence[Line], labels: tuple[str, str]) -> None:
    """Draw fractions in percent over powers of two that fall to the right."""
    _plot(axes, lines, 100)
    ticks = lines[0].x
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.invert_xaxis()
    axes.set_ylim(0, 100)
    axes.set_xlabel(labels[0], fontsize=12)
    axes.set_ylabel(labels[1], fontsize=12)
    _tidy(axes, "both")
    axes.legend(loc="lower right", fontsize=11)


def _plot(axes: Axes, lines: Sequence[Line], factor: float) -> None:
    for line in lines:
        points = [(x, factor * y) for x, y in zip(line.x, line.y) if y is not None]
        if points:
            axes.plot(*zip(*points), label=line.name, **line.style)


def _tidy(axes: Axes, grid: Any) -> None:
    axes.tick_params(labelsize=11)
    axes.grid(alpha=0.3, axis=grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
