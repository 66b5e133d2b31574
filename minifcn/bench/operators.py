"""How fast each operator is, in each direction: beside PyTorch's, and beside ceilings.

Two ceilings are measured first: how fast a large array is copied, and how fast two
large matrices are multiplied. Of each operator bytes count as the least it must move
(inputs, output and gradients once), and of operations only those of convolutions as
products, with all numbers of their weights, zeros too. A time includes the call from
Python; small arrays may come from a cache, and so faster than the copy. nll_loss is
charged for all scores, though it reads one of each pixel.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from . import contest, drawing, machine, tables
from .cases import CONVOLUTIONS, Case, cases, names
from .contest import PEERS, Contender

DRAWN = {"dropout"}  # each library draws its own numbers


def measure(
    against: str | None = None,
    size: tuple[int, int] = (375, 500),
    repeats: int = 3,
    width: float = 1.0,
    seed: int = 0,
    device: str = "cpu",
    tf32: bool = False,
    batch: int = 1,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Time every operator at the shapes that FCN-8s gives it (`cases`).

    Args:
        against: "torch", or None for minifcn alone.
        size: (height, width) of the image, pixels.
        repeats: counted turns of each, after one that is not.
        width: a factor for VGG's channels.
        seed: of all numbers.
        device: one of `arrays.DEVICES`. PyTorch runs on "cuda" there, else on the CPU.
        tf32: whether both may use TF32 on "cuda".
        batch: images at once.
        only: operators, if not all.

    Returns:
        {"machine": …, "ceilings": {"bytes_per_second", "flops_per_second"},
        "operators": [{"operator", "at", "direction", "shapes", "minifcn": seconds,
        "torch": seconds or None, "torch channels_last", "ratio" to the faster of
        these, "difference": the largest of the results, relative, "bytes", "flops",
        "bytes_per_second", "flops_per_second"}, …]}.

    Raises:
        ValueError: PyTorch is asked for and not installed; a device that cannot be had;
            a size or count below 1; an operator that there is not.
    """
    H, W = size
    contest.check(
        against, device, size=(H, W), batch=batch, repeats=repeats, width=width
    )
    _check_names(only)
    settings = {"device": device, "tf32": tf32, "seed": seed}
    chosen = [c for c in cases(size, batch, width) if not only or c.operator in only]
    with contest.contest(against, "operator_worker", settings) as contenders:
        figures: dict[str, Any] = {
            **contest.described(contenders),
            **settings,
            "size": [H, W],
            "batch": batch,
            "width": width,
            "repeats": repeats,
            "ceilings": contenders[0].ask({"do": "ceilings"}),
            "operators": [],
        }
        bar = tqdm(chosen, unit="case", leave=False, disable=None, dynamic_ncols=True)
        for case in bar:
            bar.set_description(f"{case.operator} {case.at}")
            figures["operators"] += _measure_case(case, contenders, repeats)
    return figures


def _check_names(only: Sequence[str]) -> None:
    unknown = [name for name in only if name not in names()]
    if unknown:
        raise ValueError(
            f"there is no operator {unknown[0]!r} to measure; there are "
            f"{', '.join(names())}"
        )


def _measure_case(
    case: Case, contenders: list[Contender], repeats: int
) -> list[dict[str, Any]]:
    """Return a row for each direction."""
    load = {"do": "load", "case": asdict(case)}
    able = [contender for contender in contenders if contender.ask(load)["has"]]
    return [_row(case, direction, able, repeats) for direction in case.directions]


def _row(
    case: Case, direction: str, able: list[Contender], repeats: int
) -> dict[str, Any]:
    n_bytes, difference = _warm_up(case, direction, able)
    medians = _take_turns(direction, able, repeats)
    ours, peers = medians["minifcn"], [medians[n] for n in PEERS if n in medians]
    return {
        "operator": case.operator,
        "at": case.at,
        "direction": direction,
        "shapes": [list(shape) for shape in case.shapes],
        "minifcn": ours,
        **{name: medians.get(name) for name in PEERS},
        "ratio": ours / min(peers) if peers else None,
        "difference": difference,
        "bytes": n_bytes,
        "flops": case.flops,
        "bytes_per_second": n_bytes / ours,
        "flops_per_second": case.flops / ours,
    }


def _warm_up(
    case: Case, direction: str, able: list[Contender]
) -> tuple[int, float | None]:
    """Run each once; return the bytes moved, and how far peers' results lie off."""
    ours, *peers = able
    with tempfile.TemporaryDirectory() as folder:
        where = {"direction": direction, "path": folder}
        n_bytes = ours.ask({"do": "save", **where})["bytes"]
        found = [peer.ask({"do": "compare", **where})["difference"] for peer in peers]
    return n_bytes, max(found) if found and case.operator not in DRAWN else None


def _take_turns(
    direction: str, able: list[Contender], repeats: int
) -> dict[str, float]:
    """Return {contender: the median of its seconds}."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in able}
    for _ in range(repeats):
        for contender in able:
            answer = contender.ask({"do": "time", "direction": direction})
            seconds[contender.name] += answer["seconds"]
    return {name: statistics.median(times) for name, times in seconds.items()}


def render(figures: dict[str, Any]) -> str:
    """Lay the figures out in Markdown: times, ratios, shares of the two ceilings."""
    (H, W), most = figures["size"], figures["ceilings"]
    beside = "torch" in figures["machine"]["libraries"]
    lines = [
        *machine.lines(figures),
        f"ceilings: copy {most['bytes_per_second'] / 1e9:.1f} GB/s, product "
        f"{most['flops_per_second'] / 1e9:.1f} GFLOP/s",
        f"shapes of FCN-8s over {figures['batch']} × {H}×{W}, width "
        f"{figures['width']}, float32; median of {figures['repeats']} turns",
        *(_summary(figures["operators"]) if beside else []),
    ]
    titles = ["operator", "at", "direction", "minifcn"]
    titles += ["torch", "ratio", "differ by"] if beside else []
    titles += ["GB/s", "of copy", "GFLOP/s", "of product"]
    rows = [_cells(row, most, beside) for row in figures["operators"]]
    return tables.document("Operators", lines, tables.table(titles, rows, words=3))


def _cells(row: dict[str, Any], most: dict[str, float], beside: bool) -> list[str]:
    peers = [row[name] for name in PEERS if row[name] is not None]
    compared = [
        tables.seconds(min(peers, default=None)),
        tables.ratio(row["ratio"]),
        tables.difference(row["difference"]),
    ]
    flops = row["flops_per_second"]
    return [
        *(row["operator"], row["at"], row["direction"]),
        tables.seconds(row["minifcn"]),
        *(compared if beside else []),
        f"{row['bytes_per_second'] / 1e9:.1f}",
        tables.share(row, most, "bytes_per_second"),
        f"{flops / 1e9:.1f}" if flops else "–",
        tables.share(row, most, "flops_per_second"),
    ]


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    """Say what a reader looks for first: the worst ratios and differences."""
    lines = ["torch: the faster of its two memory layouts; ratio: minifcn / torch"]
    compared = [row for row in rows if row["ratio"] is not None]
    groups = {
        "of the convolutions": [r for r in compared if r["operator"] in CONVOLUTIONS],
        "of the others": [r for r in compared if r["operator"] not in CONVOLUTIONS],
    }
    for name, group in groups.items():
        if group:
            ratios = [row["ratio"] for row in group]
            worst = max(group, key=lambda row: row["ratio"])
            lines.append(
                f"{name}: ratio {statistics.geometric_mean(ratios):.2f} in geometric "
                f"mean, at most {worst['ratio']:.2f} ({worst['operator']} "
                f"{worst['at']}, {worst['direction']})"
            )
    known = [row["difference"] for row in rows if row["difference"] is not None]
    if known:
        lines.append(f"results differ by at most {max(known):.1e} (relative)")
    return lines


def draw(path: str | Path, figures: dict[str, Any]) -> None:
    """Draw a bar for each ratio, as a PNG.

    Raises:
        ValueError: nothing was compared.
    """
    bars = [
        (f"{row['operator']} {row['at']}", row["direction"], row["ratio"])
        for row in figures["operators"]
        if row["ratio"] is not None
    ]
    drawing.ratios(path, f"Operators: {machine.short(figures)}", bars)
