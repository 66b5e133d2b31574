"""Pictures of a benchmark: bars of ratios, and growth on two logarithmic axes.

Drawn with matplotlib, which is imported when the first picture is asked for, through
its objects alone: no display is needed and no global state is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifcn.files import replacing

from . import tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE = "#4c78a8", "#f58518", "#54a24b", "#b279a2"
HUES = {
    "forward": BLUE,
    "backward": PURPLE,
    "step": ORANGE,
    "input gradient": ORANGE,
    "weight gradient": GREEN,
}
BAR, PANEL = 0.17, 7.2  # inches: a bar's height, a panel's width
WIDEST = 32  # bars of larger ratios, or of smaller than its inverse, are cut
Ratios = Sequence[tuple[str, str, float]]


def check(path: str | Path | None, what: str, suffix: str = "") -> None:
    """Refuse a file that cannot be written, before anything is measured.

    Args:
        path: the file, or None.
        what: the option that names it.
        suffix: what its name must end in.

    Raises:
        ValueError: another ending; a folder.
        FileNotFoundError: no folder to write in.
    """
    if path is None:
        return
    path = Path(path)
    if not path.name.lower().endswith(suffix) or path.is_dir():
        raise ValueError(f"{what} is {path}; it must name a file {suffix}".rstrip())
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} to write {path.name}"
        )


def ratios(path: str | Path, title: str, bars: Ratios) -> None:
    """Draw a bar for each ratio, from a line at 1: to the left is faster.

    Args:
        path: the PNG to write.
        title: stands above.
        bars: (row, bar, ratio); bars of one row stand together, one below the other.

    Raises:
        ValueError: there are none.
    """
    if not bars:
        raise ValueError("there are no ratios to draw: measure --against torch")
    from matplotlib.figure import Figure

    rows = [(name, list(group)) for name, group in groupby(bars, lambda bar: bar[0])]
    panels = _halves(rows) if len(bars) > 40 else [rows]
    height = max(sum(len(group) + 1 for _, group in panel) for panel in panels)
    figure = Figure((PANEL * len(panels), 1.6 + BAR * height), layout="constrained")
    columns = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for axes, panel in zip(columns, panels, strict=True):
        _bars(axes, panel, height)
    used = [name for name in HUES if name in {bar for _, bar, _ in bars}]
    handles = [_patch(HUES[name], name) for name in used]
    figure.legend(handles=handles, loc="outside upper right", ncols=4, fontsize=11)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _halves(rows: list[Any]) -> list[list[Any]]:
    """Cut the rows in two of about as many bars, the first the longer."""
    total, so_far = sum(len(group) + 1 for _, group in rows), 0
    for i, (_, group) in enumerate(rows):
        so_far += len(group) + 1
        if 2 * so_far >= total:
            return [rows[: i + 1], rows[i + 1 :]]
    return [rows]


def _bars(axes: Axes, rows: list[Any], height: int) -> None:
    """Draw rows from the top; a line is left free after each."""
    top, ticks = 0.0, []
    for _, group in rows:
        for i, (_, bar, ratio) in enumerate(group):
            end = min(max(ratio, 1 / WIDEST), WIDEST)
            axes.barh(top + i, end - 1, 0.92, left=1, color=HUES[bar])
            side: Any = "left" if ratio >= 1 else "right"
            text = f" {ratio:.2f} " if ratio >= 0.095 else f" {ratio:.2g} "
            axes.text(end, top + i, text, ha=side, va="center_baseline", fontsize=9)
        ticks.append(top + (len(group) - 1) / 2)
        top += len(group) + 1
    axes.set_yticks(ticks, [name for name, _ in rows], fontsize=11)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(height - 0.5, -1)  # downwards; panels of one scale
    _logarithmic(axes)


def _logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(2))
    axes.xaxis.set_major_formatter(FuncFormatter(_power_of_two))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.12)  # for the figures at the bars' ends
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xlabel("minifcn / torch (below 1: minifcn is faster)", fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _power_of_two(x: float, _: Any) -> str:
    return f"{x:g}" if x >= 1 else f"1/{1 / x:g}"


def _patch(hue: str, name: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=hue, label=name)


def growth(path: str | Path, title: str, sweeps: Sequence[Mapping[str, Any]]) -> None:
    """Draw time against what was varied, a panel each, with the fitted power laws.

    Args:
        path: the PNG to write.
        title: stands above.
        sweeps: those of `scaling.measure`.
    """
    from matplotlib.figure import Figure

    rows = -(-len(sweeps) // 2)
    figure = Figure((12, 1 + 4.6 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False).flat
    for sweep, axes in zip(sweeps, panels):
        for name in ("minifcn", "torch"):
            if name in sweep["fits"]:
                _lines(axes, sweep, name)
        _label(axes, sweep)
    for axes in panels:  # the last, where their number is odd
        axes.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _lines(axes: Axes, sweep: Mapping[str, Any], name: str) -> None:
    """Draw a contender's points, and through them its fits."""
    for work, fits in sweep["fits"][name].items():
        fit, hue, ours = fits["seconds"], HUES[work], name == "minifcn"
        at = [point["at"] for point in sweep["points"]]
        y = [point[name][work]["seconds"] for point in sweep["points"]]
        mark: dict[str, Any] = dict(color=hue, marker="o" if ours else "x", ls="")
        label = f"{name}, {work}"
        if fit:
            label += f": ∝ {sweep['over'].split()[0]}$^{{{fit['exponent']:.2f}}}$"
            law = [fit["factor"] * x ** fit["exponent"] for x in at]
            axes.plot(at, law, color=hue, ls="-" if ours else ":", lw=1.4)
        axes.plot(at, y, label=label, **mark)


def _label(axes: Axes, sweep: Mapping[str, Any]) -> None:
    """Put ticks where something was measured, and at round times."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(sweep["over"], fontsize=11)
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: tables.seconds(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    # Below: within the axes it would cover points.
    below: dict[str, Any] = dict(loc="upper center", bbox_to_anchor=(0.5, -0.14))
    axes.legend(**below, ncols=2, frameon=False, fontsize=11)
    at = [point["at"] for point in sweep["points"]]
    axes.set_xticks(at, [point["name"] for point in sweep["points"]], fontsize=10)
    axes.xaxis.set_minor_locator(NullLocator())
