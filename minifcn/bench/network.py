"""The whole FCN-8s, forward and in training: seconds and peak memory."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minifcn.data import read_image

from . import contest, drawing, machine, tables
from .contest import PEERS, Contender

WORK = ("forward", "step")


def measure(
    against: str | None,
    size: tuple[int, int] = (375, 500),
    repeats: int = 3,
    width: float | Sequence[int] = 1.0,
    seed: int = 0,
    image: str | None = None,
    device: str = "cpu",
    tf32: bool = False,
    batch: int = 1,
    fc_channels: int | None = None,
    classes: int = 21,
) -> dict[str, Any]:
    """Time FCN-8s (Caffe's geometry) forward and in training.

    Args:
        against: "torch", or None for minifcn alone.
        size: (height, width) of the image, pixels.
        repeats: counted runs of each, after one that is not.
        width: a factor for the channels of VGG-16, or those of its five blocks.
        seed: of weights, labels, and of the image where none is given.
        image: a photograph to use, at its own size.
        device: one of `arrays.DEVICES`. PyTorch runs on "cuda" there, else on the CPU.
        tf32: whether both may use TF32 on "cuda".
        batch: how many images at once.
        fc_channels: of fc6 and fc7, if others than `width` gives.
        classes: that it tells apart, background included.

    Returns:
        {"machine": …, "device": …, "size": …, "difference": of the forward results,
        "minifcn": {work: {"seconds", "all_seconds", "peak_bytes"}}, "torch": …,
        "ratio": {work: {"time", "memory"}}}; a work is "forward" or "step".

    Raises:
        ValueError: PyTorch is asked for and not installed; a device that cannot be had;
            a size or count below 1.
    """
    if image:
        size = read_image(image).shape[:2]
    H, W = size
    contest.check(
        against,
        device,
        size=(H, W),
        batch=batch,
        repeats=repeats,
        width=width,
        classes=classes,
    )
    settings = {
        "net": {
            "name": "fcn8s",
            "n_classes": classes,
            "width": width,
            "fc_channels": fc_channels,
        },
        "size": [H, W],
        "batch": batch,
        "seed": seed,
        "image": image,
        "device": device,
        "tf32": tf32,
    }
    return compete(against, settings, repeats)


def compete(
    against: str | None, settings: dict[str, Any], repeats: int
) -> dict[str, Any]:
    """Let the contenders run one network in turn; see `measure` for the figures.

    Args:
        against: "torch", or None.
        settings: {"net": as of `models.create`, "size", "batch", "seed", "image",
            "device", "tf32"}, and "threads" if not all.
        repeats: counted runs of each work.
    """
    figures: dict[str, Any] = {}
    for work in WORK:
        # Processes of its own for each, as memory is told at its highest so far.
        with contest.contest(against, "network_worker", settings) as contenders:
            if not figures:
                figures = {
                    **contest.described(contenders),
                    **settings,
                    "repeats": repeats,
                    "difference": _warm_up(contenders),
                }
            for name, measured in _take_turns(contenders, work, repeats).items():
                figures.setdefault(name, {})[work] = measured
    peers = [figures[name] for name in PEERS if name in figures]
    if peers:
        figures["ratio"] = {
            work: _ratio(figures["minifcn"], peers, work) for work in WORK
        }
    return figures


def _warm_up(contenders: list[Contender]) -> float:
    """Run once forward; return how far the contenders' results differ, relatively."""
    sums = [contender.ask({"do": "forward"})["result"] for contender in contenders]
    return max(abs(total - sums[0]) / max(abs(sums[0]), 1e-30) for total in sums)


def _take_turns(
    contenders: list[Contender], work: str, repeats: int
) -> dict[str, dict[str, Any]]:
    """Return {contender: its times and memory}."""
    figures: dict[str, dict[str, Any]] = {}
    rounds = [
        [contender.ask({"do": work}) for contender in contenders]
        for _ in range(repeats + 1)
    ]
    for contender, answers in zip(contenders, zip(*rounds), strict=True):
        # The first round does not count: it makes plans and fills pools.
        times = [answer["seconds"] for answer in answers[1:]]
        figures[contender.name] = {
            "seconds": statistics.median(times),
            "all_seconds": times,
            "peak_bytes": answers[-1]["peak_bytes"],
        }
    return figures


def _ratio(ours: Any, peers: list[Any], work: str) -> dict[str, float]:
    """Return our time and memory over those of the better peer in each."""
    return {
        name: ours[work][key] / min(peer[work][key] for peer in peers)
        for name, key in (("time", "seconds"), ("memory", "peak_bytes"))
    }


def render(figures: dict[str, Any]) -> str:
    """Lay the figures out in Markdown, for a person."""
    H, W = figures["size"]
    images = "one image" if figures["batch"] == 1 else f"{figures['batch']} images"
    lines = [
        *machine.lines(figures),
        f"FCN-8s, width {figures['net']['width']}, {images} of {H}×{W}, float32; "
        f"median of {figures['repeats']}; memory at its peak",
    ]
    if "ratio" in figures:
        lines.append(f"results differ by {figures['difference']:.1e} (relative)")
    titles = ["", "forward", "memory", "step", "memory"]
    rows = [
        [name, *(cell for work in WORK for cell in cells(figures[name][work]))]
        for name in ("minifcn", *PEERS)
        if name in figures
    ]
    if "ratio" in figures:
        ratios = [value for r in figures["ratio"].values() for value in r.values()]
        rows.append(["minifcn / best torch", *map(tables.ratio, ratios)])
    return tables.document("FCN-8s", lines, tables.table(titles, rows))


def cells(figures: dict[str, Any]) -> list[str]:
    """Write seconds and memory of one piece of work."""
    memory = f"{figures['peak_bytes'] / 1e9:.2f} GB"
    return [tables.seconds(figures["seconds"]), memory]


def draw(path: str | Path, figures: dict[str, Any]) -> None:
    """Draw a bar for each ratio, as a PNG.

    Raises:
        ValueError: nothing was compared.
    """
    bars = [
        (what, work, ratio[what])
        for what in ("time", "memory")
        for work, ratio in figures.get("ratio", {}).items()
    ]
    drawing.ratios(path, f"FCN-8s: {machine.short(figures)}", bars)
