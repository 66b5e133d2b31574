"""A classifier run over a large image at once, against the same classifier on crops.

A fully-connected layer over a map of C × K × K numbers is a convolution with a kernel
of K × K: the matrix (O, C·K·K) takes another shape, (O, C, K, K), and nothing else. As
a convolution it fits on maps of any size, and a classifier of portraits, 96 pixels
square, answers for every 32nd pixel of an image of any size in one pass:

    answers  =  ((side − 96) / 32 + 1)²        as many crops would give, one by one

Neighbouring crops share most of their pixels, and a pass over the whole image computes
each of their maps once. A crop's own padding hides what the image shows there, so that
the answers differ; of the classifier without padding they are the same.

Source: Long, Shelhamer and Darrell 2015, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import Tensor, metrics, models, nn, no_grad, ops
from minifcn.arrays import to_device, to_numpy
from minifcn.data.batch import to_input
from minifcn.data.drawing import portrait
from minifcn.data.files import Pixels
from minifcn.models import FCN, multiply_adds

from . import drawing, patches, pretraining
from .drawing import BLUE, ORANGE, RED, Line
from .frame import Cell, Column, Outcome, Row, Settings, Verdict
from .lab import Lab
from .patches import Cells, Grid, Seconds, Source

SOURCE = "Long, Shelhamer and Darrell 2015, section 3.1"
CLAIM = (
    "A classifier made of convolutions alone answers for all crops of an image in one "
    "pass, more than 5 times as fast as crop by crop in batches."
)
PORTRAIT = Grid(96)  # crops: 3 × 3 cells of 32 pixels
BATCH = 10  # crops that go through the net together
FASTER = 5  # times, as the paper says
PAPER = {  # seconds on a K40 for 10 × 10 answers of AlexNet: whole, batches, single
    "forward": (0.022, 0.12, 0.54),
    "backward": (0.037, 0.24, None),
}
WAYS = ("whole", "batches", "single")
ROUNDING = 1e-12  # of the largest score, in float64
TURNS = 5


class Plan(NamedTuple):
    """How much is measured, for each seed.

    Attributes:
        sizes: of images, in answers; the paper's is among them.
        exact: answers of the image on which scores are compared.
        seconds: of timing at each size.
    """

    sizes: Sequence[Cells] = ((2, 3), (4, 6), (10, 10), (12, 17))
    exact: Cells = (3, 5)
    seconds: float = 3.0


QUICK = Plan(((1, 2), (3, 2)), (2, 3), 0.0)

COLUMNS = (
    Column("image", "image", "word"),
    Column("answers", "answers", "number"),
    *(
        Column(f"{way}_{key}", f"{way}{name}, ms", "number")
        for key, name in (("forward", ""), ("backward", " back"))
        for way in WAYS
    ),
    Column("gain_forward", "batches / whole", "number"),
    Column("gain_backward", "of the way back", "number"),
    Column("gain_single", "single / whole", "number"),
    Column("saved", "in multiply-adds", "number"),
)


class Timed(NamedTuple):
    """An image of one size, and the seconds that each of WAYS took.

    ``saved`` is how many times as many multiply-adds its crops take as the whole.
    """

    cells: Cells
    seconds: dict[str, Seconds]
    saved: float = 1.0

    @property
    def answers(self) -> int:
        """How many crops the image has."""
        return self.cells[0] * self.cells[1]

    def gain(self, key: str, way: str = "batches") -> float:
        """Return how many times as long a way takes as the whole image."""
        taken = (getattr(self.seconds[name], key) for name in (way, "whole"))
        return float(np.divide(*taken))


class Scores(NamedTuple):
    """How far scores of the whole image are from those of its crops.

    Shares of the largest score, but `same`, of the answers.

    Attributes:
        matrix: of a crop, by a matrix and by a convolution.
        unpadded: of the classifier without padding.
        padded: of the classifier as it is.
        same: with the same most likely class, of the classifier as it is.
    """

    matrix: float
    unpadded: float
    padded: float
    same: float


class Found(NamedTuple):
    """What was measured with one seed."""

    sizes: list[Timed]
    scores: Scores


# --------------------------------------------------------------------------- measuring


def run(settings: Settings) -> Outcome:
    """Compare scores and times, draw them, hold them to the paper."""
    plan = QUICK if settings.quick else Plan()
    source, lab = Source(settings), Lab(settings)
    found = [measure(source, lab, seed, plan) for seed in lab.seeds]
    draw(settings.out / "convolutionalise.png", found, source, lab)
    told = [*remarks(found), *source.remarks(settings)]
    return Outcome(COLUMNS, table(found), verdicts(found), told)


def measure(source: Source, lab: Lab, seed: int, plan: Plan) -> Found:
    """Measure everything on the images of one seed."""
    device = lab.settings.device
    net = net_of(source, lab, seed)
    scores = compare(net, source, seed, plan.exact, device)
    net = net_of(source, lab, seed).to(device)
    sizes = [time(net, source, seed, cells, plan, device) for cells in plan.sizes]
    return Found(sizes, scores)


def net_of(source: Source, lab: Lab, seed: int) -> Any:
    """Return the classifier of portraits; on a data set one of random weights."""
    if source.pairs is not None:
        return pretraining.classifier(seed, len(source.class_names))
    return pretraining.restored(lab.classifier)


class OverAll(nn.Module):
    """The answers of a classifier for all crops of an image: the inner cells."""

    def __init__(self, net: FCN) -> None:
        self.chain = net.coarse()

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, classes, rows, columns), a crop's at its middle cell."""
        y = self.chain(*inputs)
        rows, columns = (n - 2 * pretraining.MIDDLE for n in y.shape[2:])
        return ops.crop(y, pretraining.MIDDLE, (rows, columns))


def time(
    net: FCN, source: Source, seed: int, cells: Cells, plan: Plan, device: str
) -> Timed:
    """Run an image of so many answers in each of WAYS, in turn."""
    x, label = source.sample(PORTRAIT.image(cells), seed)
    # A classifier has a class for each portrait: which one makes no odds here.
    target = (PORTRAIT.middles(label) % net.config["n_classes"]).astype(np.uint8)
    crops, classes = PORTRAIT.cut(x), target.reshape(-1, 1, 1)
    given = {
        "whole": patches.pairs(x, target, 1, device),
        "batches": patches.pairs(crops, classes, BATCH, device),
        "single": patches.pairs(crops, classes, 1, device),
    }
    over_all = OverAll(net)
    ways = {
        name: partial(patches.passes, over_all, some, device)
        for name, some in given.items()
    }
    return Timed(cells, patches.race(ways, plan.seconds, TURNS), saved(net, cells))


def saved(net: FCN, cells: Cells) -> float:
    """Return the multiply-adds of an image's crops, as a multiple of the image's."""
    one, whole = (
        multiply_adds(net.coarse(), size)
        for size in (pretraining.SIZE, PORTRAIT.image(cells))
    )
    return cells[0] * cells[1] * one / whole


def compare(
    net: FCN, source: Source, seed: int, cells: Cells, device: str = "cpu"
) -> Scores:
    """Compare the scores of a whole image with those of its crops, in float64.

    The net is of no other use after that.
    """
    net.to(device, np.float64).eval()
    padded = of_both(OverAll(net), PORTRAIT, source, seed, cells, device)
    matrix = by_matrix(net, source, seed, device)
    grid = patches.seen_by(net)
    unpadded = of_both(patches.unpadded(net), grid, source, seed, cells, device)
    same = metrics.most_likely(padded[0]) == metrics.most_likely(padded[1])
    return Scores(apart(*matrix), apart(*unpadded), apart(*padded), float(same.mean()))


def of_both(
    net: nn.Module, grid: Grid, source: Source, seed: int, cells: Cells, device: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return scores (1, classes, rows, columns) of the whole, and by its crops."""
    x = source.sample(grid.image(cells), seed)[0].astype(np.float64)
    whole = scores_of(net, x, device)
    crops = scores_of(net, grid.cut(x), device)  # (n, classes, 1, 1)
    return whole, crops[:, :, 0, 0].T.reshape(whole.shape)


def scores_of(net: nn.Module, x: NDArray[Any], device: str) -> NDArray[Any]:
    """Run a net forward, a batch at a time."""
    batches = [x[i : i + BATCH] for i in range(0, len(x), BATCH)]
    with no_grad():
        return np.concatenate(
            [to_numpy(net(Tensor(to_device(part, device))).data) for part in batches]
        )


def by_matrix(
    net: FCN, source: Source, seed: int, device: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Score a crop with fc6 as a matrix, and as the convolution that this becomes.

    Returns:
        What fc6 gives, (O,), by the product and by the convolution.
    """
    x = source.sample(PORTRAIT.image((1, 1)), seed)[0].astype(np.float64)
    pool5 = _up_to(net, "pool5", x, device)  # (1, C, 3, 3)
    fc6: Any = dict(net.coarse().children())["fc6"]
    weight, bias = (to_numpy(getattr(fc6, name).data) for name in ("weight", "bias"))
    matrix = weight.reshape(len(weight), -1)  # (O, C·3·3)
    product = matrix @ pool5.ravel() + bias
    kernel = models.fully_connected_to_convolution(matrix, *pool5.shape[1:3])
    y = ops.conv2d(Tensor(pool5), Tensor(kernel), Tensor(bias))  # (1, O, 1, 1)
    return product, y.data.ravel()


def _up_to(net: FCN, last: str, x: NDArray[Any], device: str) -> NDArray[Any]:
    """Return the map of a layer of the trunk."""
    y = Tensor(to_device(x, device))
    with no_grad():
        for name, layer in net.coarse().children():
            y = layer(y)
            if name == last:
                break
    return to_numpy(y.data)


def apart(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest difference as a share of the largest of b."""
    return float(np.abs(a - b).max() / (np.abs(b).max() or 1.0))


# ----------------------------------------------------------------------------- judging


def table(found: Sequence[Found]) -> list[Row]:
    """Return a row per size, medians over the seeds; and the paper's."""
    rows = [_row([one.sizes[i] for one in found]) for i in range(len(found[0].sizes))]
    return [*rows, _paper_row()]


def _row(found: Sequence[Timed]) -> dict[str, Cell]:
    height, width = PORTRAIT.image(found[0].cells)
    row: dict[str, Cell] = {
        "image": f"{height} × {width}",
        "answers": found[0].answers,
    }
    for key in ("forward", "backward"):
        for way in WAYS:
            taken = [1000 * getattr(one.seconds[way], key) for one in found]
            row[f"{way}_{key}"] = patches.median(taken)
        row[f"gain_{key}"] = patches.median([one.gain(key) for one in found])
    single = [one.gain("forward", "single") for one in found]
    row["gain_single"] = patches.median(single)
    return {**row, "saved": round(found[0].saved, 2)}


def _paper_row() -> dict[str, Cell]:
    row: dict[str, Cell] = {"image": "the paper, AlexNet", "answers": 100}
    for key, (whole, batches, single) in PAPER.items():
        for way, seconds in zip(WAYS, (whole, batches, single), strict=True):
            row[f"{way}_{key}"] = None if seconds is None else 1000 * seconds
        row[f"gain_{key}"] = round(batches / whole, 1)  # type: ignore[operator]
    return {**row, "gain_single": 24.5, "saved": None}


def verdicts(found: Sequence[Found]) -> list[Verdict]:
    """Hold what was measured to what the paper says; in every single seed."""
    matrix = max(one.scores.matrix for one in found)
    unpadded = max(one.scores.unpadded for one in found)
    compared = [size for one in found for size in one.sizes if size.answers == 100]
    compared = compared or [one.sizes[-1] for one in found]
    return [
        Verdict(
            "a fully-connected layer's matrix as a convolution gives the same scores, "
            f"within {ROUNDING:g} of the largest",
            matrix < ROUNDING,
            f"{matrix:.0e}, in float64",
        ),
        Verdict(
            "a net without padding gives the same scores for the whole image as for "
            f"its crops, within {ROUNDING:g} of the largest",
            unpadded < ROUNDING,
            f"{unpadded:.0e}, in float64",
        ),
        *(_faster(compared, key) for key in ("forward", "backward")),
    ]


def _faster(compared: Sequence[Timed], key: str) -> Verdict:
    gains = [one.gain(key) for one in compared]
    return Verdict(
        f"{key}, {compared[0].answers} answers in one pass are more than {FASTER} "
        f"times as fast as by crops, {BATCH} at once",
        min(gains) > FASTER,
        ", ".join(f"{gain:.1f}" for gain in gains) + " times as fast",
    )


def remarks(found: Sequence[Found]) -> list[str]:
    """Say what was run, and what the columns are."""
    differ = 100 * max(one.scores.padded for one in found)
    same = ", ".join(f"{100 * one.scores.same:.0f}" for one in found)
    many = f"{len(found)} seed{'' if len(found) == 1 else 's'}"
    return [
        "a classifier of portraits 96 pixels square, fc6 over 3 × 3 cells; crops begin "
        "32 pixels apart; forward, and the way back after that: in one pass (whole), "
        f"{BATCH} crops at once (batches), one by one (single)",
        f"medians of turns taken one after the other, and of {many}; crops were cut "
        "before",
        "in multiply-adds: of all crops, as a multiple of the whole image's; the rest "
        "of what is won is that one large pass runs better than many small ones",
        "crops that are padded, as this classifier's are, see black where the whole "
        f"image goes on: scores differ by up to {differ:.0f} per cent of the largest, "
        f"and {same} per cent of the answers name the same class",
        "the paper's times: on a K40, the image 500 pixels square",
    ]


# ----------------------------------------------------------------------------- drawing


def draw(path: Path, found: Sequence[Found], source: Source, lab: Lab) -> None:
    """Draw the times over the number of answers, and a heatmap over an image."""
    title = "One pass over the whole image, or a pass for every crop?"
    with drawing.page(path, title, (15, 5)) as figure:
        halves: Any = figure.subfigures(1, 2, width_ratios=[5, 8], wspace=0.03)
        left, right = halves
        _draw_times(left.add_subplot(), found)
        net = net_of(source, lab, lab.settings.seed)
        drawing.tiles(right, [_heatmaps(net, source, lab.settings.seed)])


def _draw_times(axes: Any, found: Sequence[Found]) -> None:
    styles = {
        "single": ("crops, one by one", RED, "^"),
        "batches": (f"crops, {BATCH} at once", ORANGE, "s"),
        "whole": ("the whole image", BLUE, "o"),
    }
    sizes = range(len(found[0].sizes))
    answers = [found[0].sizes[i].answers for i in sizes]
    lines = []
    for way, (name, colour, marker) in styles.items():
        each = [
            patches.median([one.sizes[i].seconds[way].forward for one in found])
            for i in sizes
        ]
        lines.append(
            Line(name, answers, each, dict(color=colour, marker=marker, lw=2.2))
        )
    drawing.curves(axes, lines, ("answers", "seconds, forward"))
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(answers, [str(n) for n in answers])
    axes.minorticks_off()


def _heatmaps(net: FCN, source: Source, seed: int) -> list[tuple[str, Pixels]]:
    """Return an image, and over it the probability of its two likeliest classes."""
    image = _shown(source, seed)
    net.eval()
    with no_grad():
        scores = OverAll(net)(Tensor(to_input(image, source.mean)[None]))
        shares = ops.softmax(scores).data[0]  # (classes, rows, columns)
    names = _names(source, len(shares))
    answers = " × ".join(map(str, shares.shape[1:]))
    likeliest = np.argsort(-shares.sum(axis=(1, 2)))[:2]
    return [
        ("image", image),
        *(
            (f"{names[c]}: {answers} answers", _glow(image, shares[c]))
            for c in likeliest
        ),
    ]


def _shown(source: Source, seed: int) -> Pixels:
    """Return an image of a data set, or 3 × 4 portraits of toys side by side."""
    if source.pairs is not None:
        return source.picture(PORTRAIT.image((7, 10)), seed)[0]
    # Portraits that no classifier has seen.
    drawn = [portrait(pretraining.SIZE, seed + 1, n)[0] for n in range(12)]
    return np.vstack([np.hstack(drawn[i : i + 4]) for i in range(0, 12, 4)])


def _names(source: Source, count: int) -> list[str]:
    """Return the classes' names; a classifier of portraits has no background."""
    return list(source.class_names)[len(source.class_names) - count :]


def _glow(image: Pixels, share: NDArray[Any]) -> Pixels:
    """Darken an image where the share is small; each answer on its 32 × 32 cell."""
    light = np.full(image.shape[:2], 0.25)
    cells = 0.25 + 0.75 * share.repeat(32, axis=0).repeat(32, axis=1)
    margin = (PORTRAIT.size - PORTRAIT.stride) // 2  # to the middle cell of a crop
    rows, columns = (slice(margin, margin + n) for n in cells.shape)
    light[rows, columns] = cells
    return np.rint(image * light[..., None]).astype(np.uint8)
