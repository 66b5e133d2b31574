"""Training on whole images is training on patches: all that an image has, at once.

The loss of an image is a sum over the net's coarse answers, and each answer sees one
patch, its receptive field. So the gradient is a sum over patches, too:

    gradient of the whole image  =  Σ over its patches of the patch's own gradient

Exactly so in a net without padding, where an answer sees its patch and nothing else.
That is measured here, and how long either side of the equation takes. The same holds
of any choice among the patches, which is what sampling the loss makes: it costs as much
as the whole image whatever the share p, real patches cost p times as much as all.

Source: Long, Shelhamer and Darrell 2015, sections 3, 3.4 and 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import nn
from minifcn.data import IGNORE
from minifcn.data.files import Pixels

from . import drawing, patches, pretraining
from .drawing import BLUE, GREEN, GREY, ORANGE, RED, Line
from .frame import Column, Outcome, Row, Settings, Verdict
from .patches import Cells, Grid, Pair, Source

SOURCE = "Long, Shelhamer and Darrell 2015, sections 3.4 and 4.3"
CLAIM = (
    "Training on a whole image is training on a batch of all the patches that its "
    "answers see, and far cheaper; sampling the loss recovers a random choice of them."
)
PATCH = 214  # pixels that an answer of the unpadded net sees
BATCH = 10  # patches that go through the net together
COUNTS = (0.04, 0.1, 0.2, 0.5)  # shares of an image's patches that are timed
PAPER_SHARE = 0.2  # above it sampling the loss is faster than patches: section 4.3
SHARE = 0.5  # the probability with which an answer counts in the draws
FRAMED = Grid(224)  # patches of the padded net: 7 × 7 cells, its answer in the middle
# In float32 another rounding may let another pixel win a pool: a jump, not an error.
ROUNDING = {"float64": 1e-12, "float32": 1e-2}


class Plan(NamedTuple):
    """How much is measured, for each seed.

    Attributes:
        sizes: of images, in answers.
        exact: images of so many patches are compared in float64, too.
        padded: answers of a padded net's two images: all of the one are compared, and
            those of the other whose patches lie within it.
        drawn: answers of the image whose loss is sampled.
        draws: how often.
        seconds: of timing at each size.
    """

    sizes: Sequence[Cells] = ((2, 3), (3, 5), (6, 8))
    exact: int = 15
    padded: tuple[Cells, Cells] = ((2, 4), (8, 8))
    drawn: Cells = (3, 4)
    draws: int = 32
    seconds: float = 3.0


QUICK = Plan(((1, 2), (2, 2)), 2, ((1, 2), (7, 7)), (1, 2), 4, 0.0)
TURNS = 5

COLUMNS = (
    Column("net", "net and image", "word"),
    Column("patches", "patches", "number"),
    Column("float64", "differs in float64", "number"),
    Column("float32", "in float32", "number"),
    Column("whole", "whole, ms", "number"),
    Column("batches", "in batches, ms", "number"),
    Column("single", "one by one, ms", "number"),
    Column("gain", "batches / whole", "number"),
)


class Compared(NamedTuple):
    """An image of one size: how far the two gradients are apart, and the times."""

    cells: Cells
    float64: float | None
    float32: float
    seconds: dict[str, float]  # "whole", "batches", "single"
    shares: list[tuple[float, float]]  # (share of the patches, their seconds)


class Drawn(NamedTuple):
    """The loss sampled again and again, over the numbers of draws.

    Attributes:
        error: how far the mean of the draws so far is from the gradient of all.
        expected: its standard error. Both as shares of the gradient's length.
        apart: the largest difference between a draw's gradient and the sum of the
            gradients gᵢ of the patches that it chose, as a share of (Σ ‖gᵢ‖²)^½.
    """

    error: list[float]
    expected: list[float]
    apart: float


class Found(NamedTuple):
    """What was measured with one seed; ``padded``: of all answers, of inner ones."""

    sizes: list[Compared]
    padded: tuple[float, float]
    drawn: Drawn

    @property
    def crossing(self) -> float:
        """Of the largest image: the share whose patches take as long as the whole."""
        largest = self.sizes[-1]
        return crossing(largest.shares, largest.seconds["whole"])


# --------------------------------------------------------------------------- measuring


def run(settings: Settings) -> Outcome:
    """Compare gradients and times, draw them, hold them to the paper."""
    plan = QUICK if settings.quick else Plan()
    source = Source(settings)
    seeds = range(settings.seed, settings.seed + settings.seeds)
    found = [measure(source, seed, plan, settings.device) for seed in seeds]
    draw(settings.out / "patchwise.png", found, source, settings.seed, plan)
    told = [*remarks(found, plan), *source.remarks(settings)]
    return Outcome(COLUMNS, table(found, plan), verdicts(found), told)


def measure(source: Source, seed: int, plan: Plan, device: str) -> Found:
    """Measure everything with one seed, of the weights and the images."""
    net = pretraining.classifier(seed, len(source.class_names))
    net.to(device)
    padded = compare_padded(Trial(net.coarse(), FRAMED, source, seed, device), plan)
    grid = patches.seen_by(net)
    trial = Trial(patches.unpadded(net), grid, source, seed, device)
    sizes = [compare(trial, cells, plan) for cells in plan.sizes]
    return Found(sizes, padded, sample(trial, plan.drawn, plan.draws))


class Trial(NamedTuple):
    """A net, the patches that it sees, and where its images come from."""

    chain: nn.Sequential
    grid: Grid
    source: Source
    seed: int
    device: str

    def image(self, grid: Grid, cells: Cells) -> tuple[NDArray[Any], Pixels]:
        """Return an image of so many patches, and the classes at their middles."""
        x, label = self.source.sample(grid.image(cells), self.seed)
        return x, grid.middles(label)

    def pairs(self, x: NDArray[Any], target: Pixels, each: int = 1) -> list[Pair]:
        """Cut into batches, on the device."""
        return patches.pairs(x, target, each, self.device)

    def patches(self, x: NDArray[Any], target: Pixels, each: int) -> list[Pair]:
        """Return an image's patches in batches."""
        return self.pairs(self.grid.cut(x), target.reshape(-1, 1, 1), each)

    def gradient(self, given: Sequence[Pair]) -> dict[str, NDArray[Any]]:
        """Return the gradients of the loss, summed over all that is given."""
        patches.passes(self.chain, given, self.device)
        return patches.gradients(self.chain)

    def row(self, given: Sequence[Pair]) -> NDArray[np.float64]:
        """Return the gradients of all parameters, one after the other."""
        found = self.gradient(given).values()
        return np.concatenate([np.ravel(g) for g in found]).astype(np.float64)


def compare(trial: Trial, cells: Cells, plan: Plan) -> Compared:
    """Take an image as a whole and as patches: gradients and times."""
    x, target = trial.image(trial.grid, cells)
    float32, float64 = differs(trial, x, target), None
    if target.size <= plan.exact:
        trial.chain.to(dtype=np.float64)
        float64 = differs(trial, x.astype(np.float64), target)
        trial.chain.to(dtype=np.float32)
    taken = patches.race(_ways(trial, x, target), plan.seconds, TURNS)
    times = {name: taken[name].both for name in ("whole", "batches", "single")}
    shares = [(int(n) / target.size, taken[n].both) for n in taken if n.isdecimal()]
    shares.append((1.0, times["batches"]))
    return Compared(cells, float64, float32, times, shares)


def differs(trial: Trial, x: NDArray[Any], target: Pixels) -> float:
    """Return how far a whole image's gradient is from the sum of its patches'."""
    whole = trial.gradient(trial.pairs(x, target))
    return patches.apart(whole, trial.gradient(trial.patches(x, target, BATCH)))


def _ways(trial: Trial, x: NDArray[Any], target: Pixels) -> dict[str, patches.Way]:
    """Return what is timed: the whole, its patches, and so many of them."""
    batches = trial.patches(x, target, BATCH)
    given = {
        "whole": trial.pairs(x, target),
        "batches": batches,
        "single": trial.patches(x, target, 1),
    }
    for n in sorted({max(1, round(share * target.size)) for share in COUNTS}):
        given[str(n)] = _first(batches, n)
    return {
        name: partial(patches.passes, trial.chain, some, trial.device)
        for name, some in given.items()
    }


def _first(batches: Sequence[Pair], n: int) -> list[Pair]:
    """Return the first n patches of batches."""
    left = [n - BATCH * i for i in range(len(batches))]
    return [Pair(x[:k], t[:k]) for (x, t), k in zip(batches, left) if k > 0]


def crossing(shares: Sequence[tuple[float, float]], whole: float) -> float:
    """Return the share of patches that takes as long as the whole image, at most 1."""
    share, seconds = zip((0.0, 0.0), *shares)
    return float(np.interp(whole, np.maximum.accumulate(seconds), share))


# ----------------------------------------------------------------------------- padding


def compare_padded(trial: Trial, plan: Plan) -> tuple[float, float]:
    """Return how far gradients are apart in a net that pads: of all, of inner answers.

    Its answer at a cell sees 214 pixels, and the patch of 7 × 7 cells around it holds
    them; beyond the image that patch is black (0, the mean), and not padding.
    """
    margin = FRAMED.size // FRAMED.stride // 2
    trial.chain.to(dtype=np.float64)
    all_answers, inner = (
        _differs_padded(trial, cells, margin)
        for cells, margin in zip(plan.padded, (0, margin))
    )
    trial.chain.to(dtype=np.float32)
    return all_answers, inner


def _differs_padded(trial: Trial, cells: Cells, margin: int) -> float:
    """Compare the gradients of answers at least ``margin`` cells from the border."""
    x, target = trial.image(Grid(FRAMED.stride), cells)
    counts = np.zeros(target.shape, bool)
    rows, columns = (slice(margin, n - margin) for n in cells)
    counts[:, rows, columns] = True
    asked = np.where(counts, target, np.uint8(IGNORE))
    whole = trial.pairs(x.astype(np.float64), asked)
    parts = trial.pairs(*_framed(x.astype(np.float64), asked, counts), BATCH)
    return patches.apart(trial.gradient(whole), trial.gradient(parts))


def _framed(
    x: NDArray[Any], asked: Pixels, counts: NDArray[np.bool_]
) -> tuple[NDArray[Any], Pixels]:
    """Cut the patches of the answers that count; each is asked in its middle alone."""
    around, side = (FRAMED.size - FRAMED.stride) // 2, FRAMED.size // FRAMED.stride
    frame = [(0, 0), (0, 0), (around, around), (around, around)]
    cut = FRAMED.cut(np.pad(x, frame))[counts.ravel()]
    target = np.full((len(cut), side, side), IGNORE, np.uint8)
    target[:, side // 2, side // 2] = asked[counts]
    return cut, target


# ---------------------------------------------------------------------------- sampling


def sample(trial: Trial, cells: Cells, draws: int) -> Drawn:
    """Sample an image's loss again and again, and hold the mean to the whole.

    With gᵢ the patches' gradients, each counted with probability p, a draw's gradient
    divided by p has the mean Σ gᵢ and the variance (1 − p)/p · Σ ‖gᵢ‖².
    """
    x, target = trial.image(trial.grid, cells)
    # In float32 another rounding may let another pixel win a pool.
    x = x.astype(np.float64)
    trial.chain.to(dtype=np.float64)
    each = np.stack([trial.row([one]) for one in trial.patches(x, target, 1)])
    full = trial.row(trial.pairs(x, target))
    length = float(np.linalg.norm(full)) + 1e-300  # no 0 / 0
    rng = np.random.default_rng((trial.seed, 5))
    # What cancels among the patches leaves its rounding: hold that to all of them.
    lengths = float((each**2).sum()) ** 0.5 or 1.0
    total, error, apart = np.zeros_like(full), [], 0.0
    for n in range(1, draws + 1):
        chosen = rng.random(target.shape) < SHARE
        asked = np.where(chosen, target, np.uint8(IGNORE))
        drawn = trial.row(trial.pairs(x, asked))
        off = np.linalg.norm(drawn - chosen.ravel() @ each)
        apart = max(apart, float(off) / lengths)
        total += drawn
        error.append(float(np.linalg.norm(total / (n * SHARE) - full)) / length)
    trial.chain.to(dtype=np.float32)
    deviation = ((1 - SHARE) / SHARE) ** 0.5 * lengths / length
    return Drawn(error, [deviation / n**0.5 for n in range(1, draws + 1)], apart)


# ----------------------------------------------------------------------------- judging


def table(found: Sequence[Found], plan: Plan) -> list[Row]:
    """Return a row per size, and two of nets with padding; medians over the seeds."""
    rows: list[Row] = [
        _row([one.sizes[i] for one in found], cells)
        for i, cells in enumerate(plan.sizes)
    ]
    grid = Grid(FRAMED.stride)
    inner = tuple(n - 2 * (FRAMED.size // FRAMED.stride // 2) for n in plan.padded[1])
    for name, cells, asked, which in (
        ("padding inside, all answers", plan.padded[0], plan.padded[0], 0),
        ("padding inside, inner answers", plan.padded[1], inner, 1),
    ):
        blank: dict[str, Any] = {column.key: None for column in COLUMNS}
        blank["net"] = f"{name}, {_size(grid.image(cells))}"
        blank["patches"] = asked[0] * asked[1]
        blank["float64"] = _worst([one.padded[which] for one in found])
        rows.append(blank)
    return rows


def _row(found: Sequence[Compared], cells: Cells) -> dict[str, Any]:
    times = {
        name: patches.median([1000 * one.seconds[name] for one in found])
        for name in ("whole", "batches", "single")
    }
    exact = [one.float64 for one in found if one.float64 is not None]
    return {
        "net": f"no padding, {_size(Grid(PATCH).image(cells))}",
        "patches": cells[0] * cells[1],
        "float64": _worst(exact) if exact else None,
        "float32": _worst([one.float32 for one in found]),
        **times,
        "gain": patches.median([_gain(one) for one in found]),
    }


def _gain(one: Compared) -> float:
    return one.seconds["batches"] / one.seconds["whole"]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _worst(values: Sequence[float]) -> float:
    return float(f"{max(values):.1e}")


def verdicts(found: Sequence[Found]) -> list[Verdict]:
    """Hold what was measured to what the paper says; in every single seed."""
    sizes = [size for one in found for size in one.sizes]
    exact = [size.float64 for size in sizes if size.float64 is not None]
    exact += [one.drawn.apart for one in found]
    single = [size.float32 for size in sizes]
    inner = [one.padded[1] for one in found]
    gains = [_gain(size) for size in sizes]
    shares = [one.crossing for one in found]
    errors = [one.drawn.error[-1] / one.drawn.expected[-1] for one in found]
    return [
        Verdict(
            "the gradient of a whole image is the sum of its patches' gradients, "
            f"within {ROUNDING['float64']:g} in float64 and {ROUNDING['float32']:g} in "
            "float32",
            max(exact) < ROUNDING["float64"] and max(single) < ROUNDING["float32"],
            f"{max(exact):.1e} and {max(single):.1e}, of the parameter's gradient that "
            "is furthest off",
        ),
        Verdict(
            "with padding inside the net it is so for answers whose patches lie within "
            "the image",
            max(inner) < ROUNDING["float64"],
            f"{max(inner):.1e} in float64",
        ),
        Verdict(
            "a whole image takes less time than its patches in batches, at every size",
            min(gains) > 1,
            f"the patches take {min(gains):.1f} to {max(gains):.1f} times as long",
        ),
        Verdict(
            f"sampling the loss with a share above {PAPER_SHARE:g} is faster than "
            "training on so many real patches",
            max(shares) <= PAPER_SHARE,
            "of the largest image, equally fast at "
            + ", ".join(f"{share:.3f}" for share in shares),
        ),
        Verdict(
            "the gradient of a sampled loss, divided by the share, is on average that "
            "of the whole image, within 3 standard errors",
            max(errors) < 3,
            f"after {len(found[0].drawn.error)} draws off by "
            + ", ".join(f"{error:.1f}" for error in errors)
            + " standard errors",
        ),
    ]


def remarks(found: Sequence[Found], plan: Plan) -> list[str]:
    """Say what was run, and what the columns are."""
    cells = " × ".join(map(str, plan.sizes[-1]))
    return [
        "a VGG-11 of few channels, He's weights, the loss summed over its coarse "
        f"answers; a patch is the {PATCH} × {PATCH} pixels that an answer sees, and "
        "the next one begins 32 pixels on",
        "differs: ‖a − b‖ / ‖b‖ of whole image and patches, of the parameter where it "
        "is largest",
        f"times of forward and backward together; batches of {BATCH} patches; medians "
        "of turns taken one after the other, and of "
        f"{len(found)} {'seed' if len(found) == 1 else 'seeds'}; patches were cut "
        "before",
        f"equally fast: patches in batches against the whole image of {cells} answers, "
        "whose time does not depend on the share",
        "padding inside: patches of all answers reach beyond the image, and find black "
        "there where the whole image is padded anew before each convolution",
    ]


# ----------------------------------------------------------------------------- drawing


def draw(
    path: Path, found: Sequence[Found], source: Source, seed: int, plan: Plan
) -> None:
    """Draw two patches of an image, the times, and the mean of sampled gradients."""
    title = "Whole images are batches of patches: the same gradient, in less time"
    with drawing.page(path, title, (13, 9)) as figure:
        axes: Any = figure.subplots(2, 2)
        _draw_patches(axes[0, 0], source, seed, plan.sizes[-1])
        _draw_times(axes[0, 1], found, plan)
        _draw_shares(axes[1, 0], found, plan)
        _draw_errors(axes[1, 1], found)


def _draw_patches(axes: Any, source: Source, seed: int, cells: Cells) -> None:
    from matplotlib.patches import Rectangle

    grid = Grid(PATCH)
    axes.imshow(source.picture(grid.image(cells), seed)[0])
    rows, columns = (grid.size // 2 + grid.stride * np.arange(n) for n in cells)
    x, y = np.meshgrid(columns, rows)
    axes.plot(x.ravel(), y.ravel(), "o", color="white", mec="black", ms=5)
    middle = cells[0] // 2
    for column, colour in ((cells[1] // 2 - 1, BLUE), (cells[1] // 2, ORANGE)):
        corner = (grid.stride * column, grid.stride * middle)
        box: Any = dict(fill=False, edgecolor=colour, lw=3)
        axes.add_patch(Rectangle(corner, grid.size, grid.size, **box))
        at = (corner[0] + grid.size // 2, corner[1] + grid.size // 2)
        axes.plot(*at, "o", color=colour, mec="white", ms=9)
    axes.set_title(
        f"{x.size} answers, and what two neighbours see: {PATCH} pixels square",
        fontsize=12,
    )
    axes.set_axis_off()


def _draw_times(axes: Any, found: Sequence[Found], plan: Plan) -> None:
    styles = {
        "single": ("patches, one by one", RED, "^"),
        "batches": (f"patches, {BATCH} at once", ORANGE, "s"),
        "whole": ("whole image", BLUE, "o"),
    }
    n = [rows * columns for rows, columns in plan.sizes]
    lines = []
    for key, (name, colour, marker) in styles.items():
        each = [
            patches.median([one.sizes[i].seconds[key] for one in found])
            for i in range(len(n))
        ]
        lines.append(Line(name, n, each, dict(color=colour, marker=marker, lw=2.2)))
    drawing.curves(axes, lines, ("answers of the image", "forward and backward, s"))
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(n, [str(k) for k in n])
    axes.minorticks_off()


def _draw_shares(axes: Any, found: Sequence[Found], plan: Plan) -> None:
    largest = [one.sizes[-1] for one in found]
    points = list(zip(*(size.shares for size in largest)))  # of each share, by seed
    share = [0.0, *(seeds[0][0] for seeds in points)]
    seconds = [0.0, *(patches.median([s for _, s in seeds]) for seeds in points)]
    whole = patches.median([size.seconds["whole"] for size in largest])
    lines = [
        Line(
            f"patches, {BATCH} at once", share, seconds, dict(color=ORANGE, marker="s")
        ),
        Line(
            "whole image, its loss sampled",
            (0, 1),
            (whole, whole),
            dict(color=BLUE, lw=2.2),
        ),
    ]
    labels = ("share of the patches that count", "forward and backward, s")
    at = patches.median([one.crossing for one in found])
    axes.axvline(PAPER_SHARE, color=GREY, ls="--", label="the paper's bound, 0.2")
    axes.axvline(at, color=GREEN, ls=":", lw=2, label=f"equally fast: {at:.2g}")
    drawing.curves(axes, lines, labels)
    axes.set(xlim=(0, 1), ylim=(0, None))


def _draw_errors(axes: Any, found: Sequence[Found]) -> None:
    lines = []
    for number, one in enumerate(found):
        draws = list(range(1, len(one.drawn.error) + 1))
        colour = drawing.COLOURS[number % len(drawing.COLOURS)]
        error = [100 * value for value in one.drawn.error]
        expected = [100 * value for value in one.drawn.expected]
        name = f"seed {number + 1}" if len(found) > 1 else "measured"
        lines += [
            Line(name, draws, error, dict(color=colour, lw=2.2)),
            Line("", draws, expected, dict(color=colour, ls="--", lw=1.2)),
        ]
    lines[1] = lines[1]._replace(name="its standard error")
    labels = (f"draws, each of about {100 * SHARE:g} % of the patches", "per cent")
    drawing.curves(axes, lines, labels)
    axes.set(xscale="log", yscale="log")
    axes.set_title("how far the mean gradient is from the whole image's", fontsize=12)
