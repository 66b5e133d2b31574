"""The picture of `upsampling`: one image by all ways, and what they bring and cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minifcn import metrics, pictures
from minifcn.arrays import to_numpy
from minifcn.data.files import Pixels

from .boundary import REACH
from .contenders import Measured
from .drawing import (
    BLUE,
    GREEN,
    GREY,
    OCHRE,
    ORANGE,
    RED,
    TEAL,
    VIOLET,
    Line,
    curves,
    page,
    tiles,
)
from .ways import OWN, STRIDES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "a": GREY,
    "b": BLUE,
    "c": ORANGE,
    "d": OCHRE,
    "e": RED,
    "f": VIOLET,
    "g16": "#93c98b",  # a lighter green
    "g8": GREEN,
    "g": GREEN,
    "b+": TEAL,
    "f+": TEAL,
}
MARKERS = {"a": "v", "b": "s", "c": "P", "d": "X", "g": "D"}
STRIDED = {"e": "(e) shift-and-stitch", "f": "(f) à trous"}
SHORT = {
    "a": "(a) nearest",
    "b": "(b) bilinear",
    "c": "(c) transposed",
    "d": "(d) stack",
    "b+": "(b) for longer",
    "f+": "(f) for longer",
    "g16": "(g) FCN-16s",
    "g8": "(g) FCN-8s",
}


def draw(path: Path, found: Measured, palette: Any) -> None:
    """Draw the picture; `palette` is the data set's."""
    H, W = found.size
    width = 17.0
    tall = 2 * (width / 6 * H / W + 0.3)
    with page(path, "The same coarse net, made dense", (width, tall + 9.6)) as figure:
        parts: Any = figure.subfigures(3, 1, height_ratios=[tall, 4.5, 4.5])
        top, middle, bottom = parts
        tiles(top, shown(found, palette))
        left, centre, right = middle.subplots(1, 3)
        near_boundaries(left, found)
        against_cost(centre, found)
        over_stride(right, found)
        adds, time, memory = bottom.subplots(1, 3)
        million = {key: found.adds(key) / 1e6 for key in found.ways}
        growth(adds, found, million, "multiply-adds, million")
        ms = {key: 1e3 * timing.seconds for key, timing in found.timings.items()}
        growth(time, found, ms, "time, ms")
        mib = {key: peak / 2**20 for key, peak in found.peaks.items()}
        growth(memory, found, mib, "memory, MiB", 2)


def shown(found: Measured, palette: Any) -> list[list[tuple[str, Pixels]]]:
    """Return two rows of titled pictures: photo, truth, and one per way."""
    timed = [s for s in STRIDES if f"f{s}" in found.timings]
    finest = min(timed, default=OWN)
    keys = ["a", "b", "c", "d", f"e{OWN}", f"f{OWN}", f"f{finest}", "b+", "g16", "g8"]
    named = [
        ("photo", found.image),
        ("truth", pictures.colour(found.label, palette)),
    ]
    for key in keys:
        if key in found.timings:
            scores = found.timings[key].answer.data
            label = to_numpy(metrics.most_likely(scores)[0])
            named.append((title(found, key), pictures.colour(label, palette)))
    if len(named) % 2:
        named.append(("", np.full_like(found.image, 255)))
    half = len(named) // 2
    return [named[:half], named[half:]]


def title(found: Measured, key: str) -> str:
    """Name a way in few words."""
    if key in SHORT:
        return SHORT[key]
    what = "shift-and-stitch" if key[0] == "e" else "à trous"
    return f"({key[0]}) {what}, stride {found.ways[key].stride}"


def near_boundaries(axes: Axes, found: Measured) -> None:
    """Draw the accuracy within 1 to 16 pixels of a boundary, of all seeds together."""
    keys = ["a", "b", "c", "d", f"f{OWN}", "b+", "f+", "g16", "g8"]
    lines, lowest = [], 100.0
    for key in keys:
        style = {"color": COLOURS.get(key, COLOURS[key[0]]), "lw": 2.0}
        style |= {"ls": "--"} if key in ("f+", "g16") else {}
        near = (100 * found.near(key)).tolist()
        lowest = min(lowest, *near)
        lines.append(Line(title(found, key), range(1, REACH + 1), near, style))
    labels = "pixels from a boundary, at most", "right pixels, per cent"
    curves(axes, lines, labels, "lower right")
    axes.set_ylim(bottom=lowest - 22)  # room for the names


def against_cost(axes: Axes, found: Measured) -> None:
    """Draw mean IU over multiply-adds: what is higher and further left is better."""
    iu = {key: 100 * mean for key, mean in found.means().items()}
    lines = []
    for letter, name in STRIDED.items():
        scored = [s for s in STRIDES if f"f{s}" in iu]
        x = [found.adds(f"{letter}{s}") / 1e6 for s in scored]
        y = [iu[f"f{s}"] for s in scored]  # (e) answers as (f) does
        lines.append(Line(name, x, y, style_of(letter, "o")))
    for key in (*"abcd", "b+", "g16", "g8"):
        style = style_of(key, MARKERS[key[0]]) | {"ls": "", "ms": 10}
        lines.append(Line(SHORT[key], [found.adds(key) / 1e6], [iu[key]], style))
    curves(axes, lines, ("multiply-adds, million", "mean IU, per cent"))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("")


def over_stride(axes: Axes, found: Measured) -> None:
    """Draw mean IU over the output stride."""
    iu = {key: 100 * mean for key, mean in found.means().items()}
    x = [found.ways["b"].stride, *STRIDES]
    y = [iu["b"], *(iu.get(f"f{s}") for s in STRIDES)]
    lines = [Line("(e), (f): strides removed", x, y, style_of("f", "o"))]
    keys = ["g16", "g8"]
    x, y = [found.ways[key].stride for key in keys], [iu[key] for key in keys]
    lines.append(Line("(g) skips", x, y, style_of("g", "D")))
    keys = ["b+", "f+"]
    x, y = [found.ways[key].stride for key in keys], [iu.get(key) for key in keys]
    lines.append(Line("(b), (f) for longer", x, y, style_of("b+", "s")))
    curves(axes, lines, ("output stride, pixels", "mean IU, per cent"))
    _falling(axes)


def growth(
    axes: Axes, found: Measured, values: Mapping[str, float], label: str, base: int = 10
) -> None:
    """Draw a cost over the output stride, on logarithmic axes."""
    lines = []
    for letter, name in STRIDED.items():
        keys = [f"{letter}{s}" for s in STRIDES]
        x, y = list(STRIDES), [values.get(key) for key in keys]
        lines.append(Line(name, x, y, style_of(letter, "o")))
    for key in ("b", "g16", "g8"):
        style = style_of(key, MARKERS[key[0]]) | {"ls": "", "ms": 10}
        place = [found.ways[key].stride]
        lines.append(Line(SHORT[key], place, [values.get(key)], style))
    curves(axes, lines, ("output stride, pixels", label))
    axes.set_yscale("log", base=base)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter("")
    _falling(axes)


def style_of(key: str, marker: str) -> dict[str, Any]:
    """Return how a way is drawn."""
    return {"color": COLOURS[key], "marker": marker, "lw": 2.0}


def _falling(axes: Axes) -> None:
    """Let powers of two fall to the right, from 32 to 1."""
    ticks = (2 * STRIDES[0], *STRIDES)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.invert_xaxis()
