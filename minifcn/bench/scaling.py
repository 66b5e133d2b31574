"""How time and memory grow: with the image's area, batch, width and threads.

Each is varied alone, the others stay. The network is FCN-8s in "same" geometry: with
Caffe's border of 100 pixels a small image would cost as much as a large one. Through
the points goes a power law, y = factor · x^exponent, fitted by least squares to the
logarithms: time that is proportional to x has the exponent 1, a time that does not care
has 0. What a call costs however small it is, and the memory of Python and the libraries
themselves, are among what is fitted, and lower it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from minifcn.arrays import usable_processors

from . import contest, drawing, machine, network, tables
from .contest import PEERS
from .network import WORK

SIDES = (64, 128, 256, 512, 1024)
BATCHES = (1, 2, 4, 8)
WIDTHS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
QUANTITIES = ("seconds", "peak_bytes")
# {what grows: [(to what, how that is written, the settings that change)]}
Plans = dict[str, list[tuple[float, str, dict[str, Any]]]]


def measure(
    against: str | None = None,
    size: tuple[int, int] = (256, 256),
    repeats: int = 3,
    width: float = 1 / 8,
    seed: int = 0,
    device: str = "cpu",
    tf32: bool = False,
    batch: int = 1,
    sides: Sequence[int] = SIDES,
    batches: Sequence[int] = BATCHES,
    widths: Sequence[float] = WIDTHS,
    threads: Sequence[int] = (),
) -> dict[str, Any]:
    """Time FCN-8s forward and in training while one thing grows.

    Args:
        against: "torch", or None for minifcn alone.
        size: (height, width) of the images where their area does not grow.
        repeats: counted runs of each, after one that is not.
        width: a factor for VGG's channels where they do not grow.
        seed: of all numbers.
        device: one of `arrays.DEVICES`.
        tf32: whether TF32 may be used on "cuda".
        batch: images at once where they do not grow.
        sides: of square images, pixels.
        batches: of images.
        widths: factors for VGG's channels.
        threads: of the CPU; if none are given, powers of two up to its cores.

    Returns:
        {"machine": …, "sweeps": [{"over", "points": [{"at", "name", contender: {work:
        {"seconds", "peak_bytes"}}}], "fits": {contender: {work: {"seconds": `fit`,
        "peak_bytes": `fit`}}}}]}. "torch" is the better of its layouts at each point.

    Raises:
        ValueError: PyTorch is asked for and not installed; a device that cannot be had;
            a number that is not positive, or not whole where it must be.
    """
    if not threads and device == "cpu":  # elsewhere they have little to do
        threads = doubling(usable_processors())
    one = dict(size=tuple(size), batch=batch, repeats=repeats, width=width)
    grown: dict[str, Any] = dict(
        sides=sides, batches=batches, widths=widths, threads=threads
    )
    contest.check(against, device, **one, **grown)
    base = {
        "net": net(width),
        "size": list(size),
        "batch": batch,
        "seed": seed,
        "image": None,
        "device": device,
        "tf32": tf32,
    }
    return _measure_all(against, base, _plans(**grown), repeats)


def _plans(
    sides: Sequence[int],
    batches: Sequence[int],
    widths: Sequence[float],
    threads: Sequence[int],
) -> Plans:
    if any(n != int(n) for n in (*sides, *batches, *threads)):
        raise ValueError("sides, batches and threads must be whole numbers")
    return {
        "area (pixels)": [(s * s, f"{s}²", {"size": [s, s]}) for s in sides],
        "batch (images)": [(n, f"{n}", {"batch": n}) for n in batches],
        "width (of VGG's)": [(w, f"{w:g}", {"net": net(w)}) for w in widths],
        "threads": [(n, f"{n}", {"threads": n}) for n in threads],
    }


def net(width: float) -> dict[str, Any]:
    """Return the network's `config`."""
    return {"name": "fcn8s", "n_classes": 21, "width": width, "geometry": "same"}


def doubling(most: int) -> list[int]:
    """Return 1, 2, 4, … up to `most`, and `most` itself."""
    powers = [1 << i for i in range(most.bit_length())]
    return powers + ([most] if powers[-1] != most else [])


def _measure_all(
    against: str | None, base: dict[str, Any], plans: Plans, repeats: int
) -> dict[str, Any]:
    about: dict[str, Any] = {}
    swept: dict[str, list[dict[str, Any]]] = {over: [] for over in plans}
    places = [(over, *point) for over, points in plans.items() for point in points]
    bar = tqdm(places, unit="point", leave=False, disable=None, dynamic_ncols=True)
    for over, at, name, change in bar:
        bar.set_description(f"{over} {name}")
        figures = network.compete(against, base | change, repeats)
        about = about or {key: figures[key] for key in ("machine", "device_name")}
        swept[over].append({"at": at, "name": name, **_contenders(figures)})
    sweeps = [
        {"over": over, "points": points, "fits": _fits(points)}
        for over, points in swept.items()
        if points
    ]
    return {**about, **base, "repeats": repeats, "sweeps": sweeps}


def _contenders(figures: dict[str, Any]) -> dict[str, Any]:
    """Return our figures, and the better of the peers' in each."""
    groups = {"minifcn": ["minifcn"], "torch": [n for n in PEERS if n in figures]}
    return {
        name: {
            work: {q: min(figures[n][work][q] for n in members) for q in QUANTITIES}
            for work in WORK
        }
        for name, members in groups.items()
        if members
    }


def _fits(points: list[dict[str, Any]]) -> dict[str, Any]:
    at = [point["at"] for point in points]
    return {
        name: {
            work: {q: fit(at, [p[name][work][q] for p in points]) for q in QUANTITIES}
            for work in WORK
        }
        for name in ("minifcn", "torch")
        if name in points[0]
    }


def fit(x: Iterable[float], y: Iterable[float]) -> dict[str, float] | None:
    """Fit y = factor · x^exponent by least squares of the logarithms.

    Returns:
        {"exponent", "factor", "off": the largest ratio between a point and the line, 1
        or more}; None where there are fewer than two different x.
    """
    u, v = np.log(list(x)), np.log(list(y))
    if len(set(u.tolist())) < 2:
        return None
    exponent, constant = np.polyfit(u, v, 1)
    off = abs(v - (exponent * u + constant)).max()
    return {
        "exponent": float(exponent),
        "factor": float(np.exp(constant)),
        "off": float(np.exp(off)),
    }


def render(figures: dict[str, Any]) -> str:
    """Lay the figures out in Markdown: the exponents, and below them the points."""
    H, W = figures["size"]
    lines = [
        *machine.lines(figures),
        f'FCN-8s in "same" geometry; where not varied {figures["batch"]} × {H}×{W}, '
        f"width {figures['net']['width']:g}, all threads; float32; median of "
        f"{figures['repeats']}",
        "time = factor · x^exponent; off: the most by which a point misses the line",
    ]
    titles = ["growing", "", "of", "exponent", "off", "exponent of memory"]
    fits = tables.table(titles, _fit_rows(figures["sweeps"]), words=3)
    titles = ["growing", "to", "of", "forward", "memory", "step", "memory"]
    points = tables.table(titles, _point_rows(figures["sweeps"]), words=3)
    return tables.document("Scaling", lines, fits, points)


def draw(path: str | Path, figures: dict[str, Any]) -> None:
    """Draw the points of each sweep and the power laws through them, as a PNG."""
    title = f"FCN-8s, time: {machine.short(figures)}"
    drawing.growth(path, title, figures["sweeps"])


def _fit_rows(sweeps: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [sweep["over"], work, name, *_fit_cells(fits)]
        for sweep in sweeps
        for name, of_work in sweep["fits"].items()
        for work, fits in of_work.items()
    ]


def _fit_cells(fits: dict[str, Any]) -> list[str]:
    time, memory = fits["seconds"], fits["peak_bytes"]
    if not time:
        return ["–"] * 3
    return [
        f"{time['exponent']:.2f}",
        f"{100 * (time['off'] - 1):.0f} %",
        f"{memory['exponent']:.2f}",
    ]


def _point_rows(sweeps: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            sweep["over"],
            point["name"],
            name,
            *(cell for work in WORK for cell in network.cells(point[name][work])),
        ]
        for sweep in sweeps
        for point in sweep["points"]
        for name in sweep["fits"]
    ]
