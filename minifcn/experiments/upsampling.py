"""Shift-and-stitch against learned upsampling, from the same coarse net.

`ways` says what is compared, (a) to (g), and `contenders` what is measured of it; here
that becomes a table, and is held to what the paper says.

Source: Long, Shelhamer and Darrell 2015, sections 3.2, 3.3 and 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from minifcn.arrays import threads
from minifcn.bench import devices, machine

from . import seeds, upsampling_picture, ways
from .agreement import Agreement
from .contenders import Limits, Measured, measure
from .frame import Cell, Column, Outcome, Row, Settings, Verdict
from .lab import QUICK, Lab
from .ways import OWN, STRIDES

SOURCE = "Long, Shelhamer and Darrell 2015, sections 3.2, 3.3 and 4.2"
CLAIM = (
    "Shift-and-stitch makes a net dense without enlarging its answers, but costs more "
    "and brings less than skips; to learn the last enlargement changes little."
)
NEAR = (1, 3, 16)  # pixels from a boundary, in the table
ROUNDING = 1e-12  # of the largest score, in float64
TIES = 1e-4  # share of pixels at which float32 may choose between two equal scores

COLUMNS = (
    Column("way", "way", "word"),
    Column("stride", "output stride", "number"),
    Column("mean_iu", "mean IU", "spread"),
    *(Column(f"near_{r}", f"within {r} px") for r in NEAR),
    Column("million_adds", "million multiply-adds", "number"),
    Column("ms", "time, ms", "number"),
    Column("mib", "memory, MiB", "number"),
    Column("learned", "parameters, thousand", "number"),
    Column("anew", "of these new", "number"),
)

Values = Mapping[str, Sequence[float]]  # mean IU of each way, by seed


def run(settings: Settings) -> Outcome:
    """Train, score, time and compare; draw; hold the figures to the claims."""
    lab = Lab(settings)
    limits = Limits().divided(QUICK if settings.quick else 1)
    found = measure(ways.of_seeds(lab), lab.val, settings.device, limits)
    picture = settings.out / "upsampling.png"
    upsampling_picture.draw(picture, found, lab.val.palette)
    return Outcome(COLUMNS, table(found), verdicts(found), remarks(lab, found))


# -------------------------------------------------------------------------- the table


def table(found: Measured) -> list[Row]:
    """Return a row per way."""
    return [row(found, key) for key in found.ways]


def row(found: Measured, key: str) -> Row:
    """Return the cells of a way; None where it was not scored, or not timed."""
    way, timing, peak = found.ways[key], found.timings.get(key), found.peaks.get(key)
    return {
        "way": way.name,
        "stride": way.stride,
        **scored(found, key),
        "million_adds": _millions(found.adds(key)),
        "ms": None if timing is None else _digits(1e3 * timing.seconds),
        "runs": None if timing is None else timing.runs,
        "mib": None if peak is None else _digits(peak / 2**20),
        "learned": round(way.learned / 1e3, 1),
        "anew": round(way.anew / 1e3, 1),
    }


def scored(found: Measured, key: str) -> dict[str, Cell]:
    """Return mean IU and accuracy near boundaries; of (e) those of (f), if equal."""
    if key.startswith("e") and agrees(together(found)):
        key = "f" + key[1:]
    cells: dict[str, Cell] = dict.fromkeys(seeds.spread("mean_iu", [0.0]))
    cells |= dict.fromkeys(f"near_{r}" for r in NEAR)
    if key in found.tallies[0]:
        cells |= seeds.spread("mean_iu", found.mean_iu()[key])
        near = found.near(key)
        cells |= {f"near_{r}": float(near[r - 1]) for r in NEAR if near[r - 1] >= 0}
    return cells


def together(found: Measured) -> Agreement:
    """Return how nearly (e) and (f) agree wherever both ran in float32."""
    return reduce(Agreement.and_also, found.agreements.values(), found.compared)


def agrees(both: Agreement) -> bool:
    """Whether two ways give pixels the same class, but for ties."""
    return both.pixels - both.same <= TIES * both.pixels


def _millions(count: int) -> float:
    """Count in millions, with a digit after the point where there are few."""
    millions = count / 1e6
    return round(millions, 1) if millions < 1000 else round(millions)


def _digits(value: float) -> float:
    """Keep three digits of a measured number."""
    return float(f"{value:.3g}")


# -------------------------------------------------------------------------- the claims


def verdicts(found: Measured) -> list[Verdict]:
    """Hold the figures to what the paper says."""
    iu = found.mean_iu()
    skips = iu["g8"]
    coarse = _best(
        iu, [key for key in iu if not key.startswith("g") and key[-1] != "+"]
    )
    return [
        equal(found),
        cheaper(found),
        seeds.alike(
            "learning the last enlargement, (c), changes little: within "
            f"{100 * seeds.MARGIN:g} points of mean IU of the fixed one, (b)",
            iu["c"],
            iu["b"],
        ),
        seeds.higher(
            "skips, (g) FCN-8s, score above all ways to enlarge the coarse net, (a) to "
            "(f)",
            skips,
            coarse,
        ),
        seeds.higher(
            "skips score above (b) and (f) of a net that learned for as long without "
            "them",
            skips,
            _best(iu, ["b+", "f+"]),
        ),
        worth(found, iu),
    ]


def _best(iu: Values, keys: Sequence[str]) -> list[float]:
    return [max(values) for values in zip(*(iu[key] for key in keys), strict=True)]


def equal(found: Measured) -> Verdict:
    """Judge whether (e) gives what (f) gives."""
    stride, rounded, exact = found.doubles
    both = together(found)
    return Verdict(
        "shift-and-stitch, (e), gives what à trous, (f), gives: exactly where sums are "
        f"exact, else within {ROUNDING:g} of the largest score in float64, and in "
        f"float32 the same class to within {100 * TIES:g} % of pixels",
        exact.difference == 0 and rounded.difference <= ROUNDING and agrees(both),
        f"at stride {stride} in whole numbers {exact.difference:g} apart, in float64 "
        f"{rounded.difference:.0e}; in float32 {both.same:,} of {both.pixels:,} pixels "
        "of one class",
    )


def cheaper(found: Measured) -> Verdict:
    """Judge whether (f) takes less than (e) to the same answers."""
    pairs = {s: (found.adds(f"e{s}"), found.adds(f"f{s}")) for s in STRIDES}
    return Verdict(
        "at every output stride (e) takes more multiply-adds than (f)",
        all(e > f for e, f in pairs.values()),
        "times as many: "
        + ", ".join(f"{e / f:.1f} at {s}" for s, (e, f) in pairs.items()),
    )


def worth(found: Measured, iu: Values) -> Verdict:
    """Judge whether skips bring more than shift-and-stitch, for less."""
    skips, stitched = found.adds("g8"), found.adds(f"e{OWN}")
    better = seeds.higher("", iu["g8"], iu[f"f{OWN}"])
    return Verdict(
        f"at the same output stride, {OWN}, skips score above shift-and-stitch, and "
        "take fewer multiply-adds",
        better.held and skips < stitched,
        f"mean IU {better.figures}; {skips / 1e6:.0f} million multiply-adds against "
        f"{stitched / 1e6:.0f}",
    )


# -------------------------------------------------------------------------- the remarks


def remarks(lab: Lab, found: Measured) -> list[str]:
    """Say what was trained and how it was measured."""
    H, W = found.size
    whole, half = lab.steps, max(1, round(ways.SHARE * lab.steps))
    return [
        lab.remark(),
        f"(c) and (d) learned for {half} more steps while the trunk stayed as it was; "
        f"(g) for {whole} with all of the net, as did what learned for longer",
        *_left_out(lab, found),
        f"multiply-adds, time and memory: one image, {W} pixels wide and {H} high; "
        "fixed enlargements are counted channel by channel",
        _of_time(found, lab.settings.device),
        *_of_memory(found),
        f"(e) has the accuracy of (f): in float32 they chose the same class at "
        f"{together(found).same:,} of {together(found).pixels:,} pixels",
    ]


def _of_time(found: Measured, device: str) -> str:
    runs = [timing.runs for timing in found.timings.values()]
    about = machine.describe()
    where = f"{about['processor']}, {about['usable_cores']} cores, {threads()} threads"
    if device != "cpu":
        where = devices.name("minifcn", device)
    return (
        f"time: median of {max(runs)} runs in turn ({min(runs)} of the slowest), on "
        f"{where}"
    )


def _of_memory(found: Measured) -> list[str]:
    if not found.peaks:
        return []
    return [
        "memory: the most that NumPy's arrays took at the same time, without the image "
        "and the parameters; (a) to (d) and (g) run their first layers in strips"
    ]


def _left_out(lab: Lab, found: Measured) -> list[str]:
    """Say what would have taken too long."""
    said = []
    if found.scored < len(lab.val):
        said.append(f"scored on {found.scored} images of {len(lab.val)}, evenly spread")
    if len(found.timings) < len(found.ways):
        said.append("–: not measured, as it would take too long")
    return said
