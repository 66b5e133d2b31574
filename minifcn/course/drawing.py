"""What lessons draw: small matrices number by number, windows on them, photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER = "#222222", "#ffffff"
BLUE, ORANGE, GREEN, RED = "#4c78a8", "#f58518", "#54a24b", "#e45756"


def canvas(
    columns: int, rows: int = 1, width: float = 3.2, height: float = 3.2
) -> tuple[Figure, list[Axes]]:
    """Return a figure with columns × rows axes of so many inches, row after row."""
    from matplotlib.figure import Figure

    figure = Figure((columns * width, rows * height), layout="constrained")
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.ravel())


def matrices(
    arrays: Sequence[ArrayLike],
    titles: Sequence[str],
    colours: Sequence[str] = ("Blues",),
    square: float = 0.55,
) -> tuple[Figure, list[Axes]]:
    """Draw small matrices side by side, all squares of one size.

    Args:
        arrays: (rows, columns) each.
        titles: one for each.
        colours: their colour maps, in turn.
        square: the side of a square, in inches.
    """
    from matplotlib.figure import Figure

    shapes = [np.shape(array) for array in arrays]
    # A title of n letters is about n / 5.5 squares wide.
    widths = [max(w, len(t) / 5.5) for (_, w), t in zip(shapes, titles)]
    rows = max(h for h, _ in shapes)
    size = (square * (sum(widths) + len(widths)), square * (rows + 1.5))
    figure = Figure(size, layout="constrained")
    grid: Any = figure.subplots(1, len(shapes), squeeze=False, width_ratios=widths)
    for number, axes in enumerate(grid[0]):
        matrix(axes, arrays[number], titles[number], colours[number % len(colours)])
        axes.set_ylim(rows - 0.5, -0.5)  # as high as the highest
        middle = (shapes[number][1] - 1) / 2
        axes.set_xlim(middle - widths[number] / 2, middle + widths[number] / 2)
    return figure, list(grid[0])


def matrix(
    axes: Axes,
    values: ArrayLike,
    title: str = "",
    colours: str = "Blues",
    size: float = 12,
) -> None:
    """Draw a small matrix: a square for each number, with the number in it.

    Args:
        axes: where.
        values: (rows, columns); nan is drawn as an empty square.
        title: above it.
        colours: a colour map of matplotlib's; the largest number is the darkest.
        size: of the numbers, in points.
    """
    array = np.asarray(values, float)
    low, high = np.nanmin(array), np.nanmax(array)
    room = (high - low) or 1
    # Neither white nor dark: squares are seen, and black numbers read, on every one.
    axes.imshow(array, cmap=colours, vmin=low - 0.25 * room, vmax=high + room)
    for (row, column), value in np.ndenumerate(array):
        if not np.isnan(value):
            axes.text(column, row, f"{value:.4g}", ha="center", va="center", size=size)
    for side, n in ((axes.vlines, 1), (axes.hlines, 0)):  # between the squares
        edges = np.arange(array.shape[n] + 1) - 0.5
        side(edges, -0.5, array.shape[1 - n] - 0.5, color=PAPER, lw=2)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=12)


def frame(
    axes: Axes,
    row: float,
    column: float,
    height: float,
    width: float,
    colour: str = ORANGE,
    inset: float = 0.07,
) -> None:
    """Draw a frame around squares of a matrix, or pixels of a picture.

    ``inset`` is the part of a square by which it lies inside: frames that share a side
    are seen beside each other if theirs differ.
    """
    from matplotlib.patches import Rectangle

    corner = column - 0.5 + inset, row - 0.5 + inset
    size = width - 2 * inset, height - 2 * inset
    axes.add_patch(
        Rectangle(corner, *size, fill=False, ec=colour, lw=2.5, zorder=5, clip_on=False)
    )


def photo(axes: Axes, image: ArrayLike, title: str = "", **options: Any) -> None:
    """Draw a picture, (H, W, 3) in colour or (H, W) in grey, without ticks."""
    array = np.asarray(image)
    options = {"cmap": "gray", "interpolation": "nearest"} | options
    axes.imshow(array, **options)
    axes.set_title(title, fontsize=12)
    axes.set_axis_off()


def chart(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    labels: tuple[str, str],
    name: str | None = None,
    **style: Any,
) -> None:
    """Draw a line of a chart with the names of its axes."""
    axes.plot(x, y, label=name, **style)
    axes.set_xlabel(labels[0], fontsize=12)
    axes.set_ylabel(labels[1], fontsize=12)
    axes.tick_params(labelsize=11)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if name:
        axes.legend(fontsize=11)
