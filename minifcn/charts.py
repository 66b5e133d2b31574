"""Charts of a training run and of its mistakes: curves and confusion.

Drawn with matplotlib, which is imported when the first chart is asked for, and through
its objects alone: no display is needed and no global state is touched.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.files import replacing
from minifcn.metrics import iu_per_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCORE_LINES = {
    "pixel_accuracy": ("pixel accuracy", "#4c78a8"),
    "mean_accuracy": ("mean accuracy", "#f58518"),
    "mean_iu": ("mean IU", "#54a24b"),
    "frequency_weighted_iu": ("frequency weighted IU", "#b279a2"),
}

RUN_COLOURS = "#4c78a8 #f58518 #54a24b #e45756 #8a6fc8 #1f9e9e #b8860b #d6649f".split()
"""Colours that runs have, one after the other, to be seen on white and on black."""

SVG_INK = "#010203"  # stands for the colour of the page's text


def curves(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Draw the course of a training run: loss, scores, learning rate; write a PNG.

    Args:
        path: the picture to write.
        rows: those of log.csv, as strings or numbers: ``iteration``, ``loss``, ``lr``
            and the four scores as fractions. A cell that is empty or missing is not
            drawn.

    Raises:
        ValueError: no row has an iteration.
    """
    log = [row for row in rows if _number(row.get("iteration")) is not None]
    if not log:
        raise ValueError("there are no curves to draw: the log has no iterations yet")
    figure = _figure(8.0, 7.2)
    loss, score, lr = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 1])
    _draw_loss(loss, *_series(log, "loss"))
    _draw_scores(score, log)
    lr.plot(*_series(log, "lr"), color="#555555", marker=_marker(len(log)), ms=4)
    lr.set(ylabel="learning rate", xlabel="iteration")
    lr.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    for axes in (loss, score, lr):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    _save_figure(path, figure, dpi=110)


def comparison(logs: Sequence[Iterable[Mapping[str, Any]]]) -> str:
    """Draw the courses of several runs over each other, as SVG to stand in a page.

    Loss (its running mean), mean IU of the validations and learning rate, a line per
    run, in `run_colour`. Axes and letters have the page's own colour and font.

    Args:
        logs: of each run the rows of log.csv, as for `curves`; may be empty.

    Raises:
        ValueError: no row has an iteration.
    """
    import matplotlib

    known = [[row for row in log if _number(row.get("iteration"))] for log in logs]
    if not any(known):
        raise ValueError("there are no curves to draw: the logs have no iterations yet")
    inks = "text.color axes.labelcolor axes.edgecolor xtick.color ytick.color".split()
    style: dict[Any, Any] = dict.fromkeys(inks, SVG_INK)
    # Letters stay letters; the ids are the same each time.
    style |= {"svg.fonttype": "none", "svg.hashsalt": "minifcn", "font.size": 11}
    with matplotlib.rc_context(style):
        figure = _figure(9.0, 6.6)
        _draw_comparison(figure, known)
        return _svg(figure)


def run_colour(number: int) -> str:
    """Return the colour of a run by its place, ``#rrggbb``; they come round again."""
    return RUN_COLOURS[number % len(RUN_COLOURS)]


def confusion_picture(
    path: str | Path, hist: ArrayLike, class_names: Sequence[str]
) -> None:
    """Draw a confusion matrix, each row as shares of the true class; write a PNG.

    Shares of half a per cent and more stand in the cells, and each class's
    intersection over union at the right. A class that is not in the truth has an
    empty row.

    Args:
        path: the picture to write.
        hist: counts, (n, n), as of `minifcn.metrics.confusion_matrix`.
        class_names: n of them.

    Raises:
        ValueError: a table that is not (n, n), or another number of names.
    """
    from matplotlib.colors import PowerNorm

    counts, n = np.asarray(hist), len(class_names)
    if counts.shape != (n, n):
        raise ValueError(
            f"hist must be ({n}, {n}) for {n} class names, not {counts.shape}"
        )
    true = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, true, out=np.full((n, n), np.nan), where=true > 0)
    side = max(3.2, n * (0.42 if n <= 25 else 0.24))  # inches
    figure = _figure(side + 2.4, side + 1.8)
    axes = figure.add_subplot()
    # the root makes a few per cent visible
    axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    _name_classes(axes, class_names, iu_per_class(counts))
    _write_shares(axes, share, size=8 if n <= 25 else 6)
    _save_figure(path, figure, dpi=110)


def _figure(width: float, height: float) -> Figure:
    """Make a figure, in inches, that belongs to no window and no global list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save_figure(path: str | Path, figure: Figure, dpi: int) -> None:
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=dpi)


def _svg(figure: Figure) -> str:
    """Return a figure as an <svg> element without metadata or a background."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    return text[text.index("<svg") :].replace(SVG_INK, "currentColor")


def _draw_comparison(
    figure: Figure, logs: Sequence[Sequence[Mapping[str, Any]]]
) -> None:
    """Plot loss, mean IU and learning rate of all runs below each other."""
    loss, score, lr = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 1.4])
    for number, log in enumerate(logs):
        # Runs of the same colour differ in their dashes.
        dashes = ("-", "--", ":", "-.")[number // len(RUN_COLOURS) % 4]
        line: dict[str, Any] = dict(color=run_colour(number), ls=dashes, lw=1.8)
        x, y = _thinned(*_smoothed(*_series(log, "loss")))
        loss.plot(x, y, marker=_marker(len(x)), ms=3.5, **line)
        x, y = _series(log, "mean_iu")
        score.plot(x, [100 * v for v in y], marker=_marker(len(x)), ms=4, **line)
        lr.plot(*_thinned(*_series(log, "lr")), **line)
    values = np.concatenate([line.get_ydata() for line in loss.lines])
    _choose_scale(loss, values)
    loss.set_ylabel("loss")
    score.set(ylabel="mean IU, per cent")
    top = max(max(line.get_ydata(), default=0) for line in score.lines)
    score.set_ylim(0, 1.08 * top or 100)
    lr.set(ylabel="learning rate", xlabel="iteration")
    lr.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    for axes in (loss, score, lr):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()


def _number(cell: Any) -> float | None:
    """Read a cell of the log; None where it is empty or no finite number."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _series(
    log: Sequence[Mapping[str, Any]], column: str
) -> tuple[list[float], list[float]]:
    """Return the iterations and values of a column's filled cells."""
    points = [(_number(row["iteration"]), _number(row.get(column))) for row in log]
    filled = [(x, y) for x, y in points if x is not None and y is not None]
    return [x for x, _ in filled], [y for _, y in filled]


def _draw_loss(axes: Axes, x: list[float], y: list[float]) -> None:
    """Plot the loss, and its running mean where it is long enough to need one."""
    middle, smooth = _smoothed(x, y)
    if len(smooth) == len(y):
        axes.plot(x, y, color="#e45756", marker=_marker(len(x)), ms=4)
    else:
        axes.plot(x, y, color="#e45756", alpha=0.3, linewidth=0.8)
        axes.plot(middle, smooth, color="#e45756", linewidth=2)
    _choose_scale(axes, y)
    axes.set_ylabel("loss")


def _smoothed(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """Return the running mean over a 25th of a line; a short one as it is."""
    window = len(x) // 25
    if window < 2:
        return x, y
    smooth = np.convolve(y, np.ones(window) / window, "valid")
    return x[window // 2 :][: len(smooth)], smooth.tolist()


def _thinned(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """Return at most 400 points of a line, evenly spread, with both of its ends."""
    kept = np.linspace(0, len(x) - 1, min(len(x), 400)).round().astype(int)
    return [x[k] for k in kept], [y[k] for k in kept]


def _choose_scale(axes: Axes, y: ArrayLike) -> None:
    """Make the scale logarithmic where the values fall far."""
    values = np.asarray(y)
    if values.size and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")


def _marker(n_points: int) -> str | None:
    """Dots where there are too few points to see a line."""
    return "o" if n_points < 40 else None


def _draw_scores(axes: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    """Plot the four scores in per cent, each named with its latest value."""
    for column, (name, hue) in SCORE_LINES.items():
        x, y = _series(log, column)
        if x:
            wide = 2.4 if column == "mean_iu" else 1.4
            text = f"{name}  {100 * y[-1]:.1f} %"
            percent = [100 * value for value in y]
            axes.plot(x, percent, "o-", c=hue, lw=wide, ms=3.5, label=text)
    axes.set(ylabel="validation, per cent", ylim=(0, 100))
    if axes.lines:
        axes.legend(loc="lower right", framealpha=0.9, fontsize=9)
    else:
        middle: dict[str, Any] = dict(
            ha="center", va="center", transform=axes.transAxes
        )
        axes.text(0.5, 0.5, "not validated yet", color="#888888", **middle)


def _name_classes(axes: Axes, names: Sequence[str], iu: NDArray) -> None:
    """Write names at the left and below, and each class's IU at the right."""
    place, size = range(len(names)), 9 if len(names) <= 25 else 8
    plain: dict[str, Any] = dict(fontsize=size, parse_math=False)
    axes.set_xticks(place, names, rotation=90, **plain)
    axes.set_yticks(place, names, **plain)
    axes.tick_params(length=0)
    axes.set(xlabel="predicted", ylabel="true", title="share of each true class, %")
    shares = ["–" if np.isnan(v) else f"{100 * v:.0f}" for v in iu]
    right = axes.secondary_yaxis("right")
    right.set_yticks(place, shares, fontsize=size)
    right.tick_params(length=0)
    right.set_ylabel("intersection over union, %")


def _write_shares(axes: Axes, share: NDArray, size: float) -> None:
    """Write every share of at least half a per cent into its cell."""
    for (t, p), value in np.ndenumerate(share):
        if value >= 0.005:
            ink = "white" if value > 0.3 else "black"
            middle: dict[str, Any] = dict(ha="center", va="center", in_layout=False)
            axes.text(p, t, f"{100 * value:.0f}", color=ink, size=size, **middle)
