"""How nets begin: their score layer, their trunk, their enlargement.

Each variant differs from the ordinary FCN-32s in one beginning:

score layer    at zero, so that all classes are equally likely; or drawn by He's rule
trunk          a classifier's; or drawn by He's rule, with nothing frozen
enlargement    bilinear and fixed; or learned, begun as bilinear or drawn at random

A learned enlargement is a transposed convolution with a kernel for each pair of
channels, so that it may also let classes mix; bilinear weights have zeros there. Those
drawn at random are normal and have the bilinear ones' sum of squares, over all pairs:

    Σ w²  =  C (Σ b²)²      b: the bilinear kernel along one axis, C channels

Source: Long, Shelhamer and Darrell 2015, sections 3.3 and 4.3; of the enlargement, the
notes to the authors' own networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import arrays, nn
from minifcn.data.files import Pixels
from minifcn.models import FCN

from . import seeds
from .drawing import COLOURS, Line, bars, curves, page, smoothed, tiles
from .frame import Column, Outcome, Settings, Verdict
from .lab import MEASURES, Change, Lab, Trained, measured, scores_of

SOURCE = "Long, Shelhamer and Darrell 2015, sections 3.3 and 4.3"
CLAIM = (
    "A net must begin as a trained classifier; its score layer may begin at zero, and "
    "its enlargement be left bilinear."
)
COLUMNS = (Column("net", "net", "word"), *MEASURES)
OVER = 20  # steps over which the drawn losses are means


def draw_score(net: FCN) -> None:
    """Draw the score layer's weights by He's rule."""
    _put(net.score_fr.weight, nn.he_normal(net.score_fr.weight.shape))


def draw_enlargement(net: FCN) -> None:
    """Draw the enlargement's weights, normal, with the bilinear ones' mean square."""
    weight = net.upscore.weight
    # He's rule has the variance 2 / (C·KH·KW): made the mean square instead.
    unit = nn.he_normal(weight.shape) * np.sqrt(np.prod(weight.shape[1:]) / 2)
    scale = np.sqrt(np.mean(arrays.to_numpy(weight.data) ** 2))
    _put(weight, unit * scale)


def _put(weight: nn.Parameter, drawn: NDArray[Any]) -> None:
    device = arrays.device_of(weight.data)
    weight.data[...] = arrays.to_device(drawn.astype(np.float32), device)


class Variant(NamedTuple):
    """A way to begin: the run's name, its settings, what is drawn at random."""

    run: str
    settings: dict[str, Any]
    change: Change | None = None


PLAIN, DRAWN, SCRATCH = "as in the paper", "score layer random", "trunk from scratch"
LEARNED, LEARNED_DRAWN = "enlargement learned", "learned from random"
VARIANTS = {
    PLAIN: Variant("fcn32s", {}),
    DRAWN: Variant("fcn32s-score-random", {}, draw_score),
    SCRATCH: Variant("fcn32s-scratch", {"weights": None, "freeze": ""}),
    LEARNED: Variant("fcn32s-learned", {"learned_upsampling": True}),
    LEARNED_DRAWN: Variant(
        "fcn32s-learned-random", {"learned_upsampling": True}, draw_enlargement
    ),
}


def run(settings: Settings) -> Outcome:
    """Train an FCN-32s from each beginning; compare mean IU."""
    lab = Lab(settings)
    nets = {
        name: lab.train_all(run, lab.recipe("fcn32s", **changes), change)
        for name, (run, changes, change) in VARIANTS.items()
        if name != SCRATCH or is_pretrained(lab)
    }
    draw(settings.out / "init.png", nets)
    rows = [{"net": name, **measured(trained)} for name, trained in nets.items()]
    iu = {name: scores_of(trained) for name, trained in nets.items()}
    return Outcome(COLUMNS, rows, verdicts(iu), remarks(lab, nets))


def is_pretrained(lab: Lab) -> bool:
    """Return whether nets have anything to begin with but random numbers."""
    recipe = lab.recipe()
    return recipe.weights is not None or recipe.init_from is not None


def verdicts(iu: Mapping[str, seeds.Values]) -> list[Verdict]:
    """Hold the mean IU of each seed to the claims."""
    points = f"{100 * seeds.MARGIN:g} points of mean IU"
    plain = iu[PLAIN]
    found = [
        seeds.no_better(
            f"a random score layer is no better than one at zero by more than {points}",
            iu[DRAWN],
            plain,
        ),
        seeds.alike(
            f"a learned enlargement: within {points} of the fixed one",
            iu[LEARNED],
            plain,
        ),
    ]
    if SCRATCH in iu:
        claim = "a trunk that was a classifier: above one from scratch"
        found.insert(1, seeds.higher(claim, plain, iu[SCRATCH]))
    return found


def remarks(lab: Lab, nets: Mapping[str, list[Trained]]) -> list[str]:
    """Say what was trained, and what learning made of the enlargement."""
    begun = "pretrained trunk" if SCRATCH in nets else "random trunk, as none was given"
    return [
        f"FCN-32s; {lab.remark()}",
        f"as in the paper: {begun}, score layer at zero, enlargement bilinear and "
        "fixed; each other net differs in what its name says",
        "the paper says nothing of enlargements learned from random numbers",
        "what learning made of the bilinear enlargement: weights moved by "
        f"{100 * moved(kernels(nets[LEARNED][0])):.1f} per cent of their length",
    ]


# ----------------------------------------------------------------------- enlargements


def kernels(net: Trained) -> NDArray[np.float32]:
    """Return the weights of a net's enlargement, (C, C, KH, KW)."""
    return np.asarray(net.net().upscore.weight.data)


def moved(weight: NDArray[np.float32]) -> float:
    """Return the distance from the bilinear weights, as a share of their length."""
    start = nn.bilinear(weight.shape)
    return float(np.linalg.norm(weight - start) / np.linalg.norm(start))


# ------------------------------------------------------------------------- drawing


def draw(path: Path, nets: Mapping[str, list[Trained]]) -> None:
    """Draw the scores, the losses in training, and the enlargements at its end."""
    shades = COLOURS[: len(nets)]
    with page(path, "How should a net begin?", (15, 9)) as figure:
        halves: Any = figure.subfigures(2, 1, height_ratios=[5, 4], hspace=0.03)
        left, right = halves[0].subplots(1, 2)
        iu = [scores_of(trained) for trained in nets.values()]
        bars(left, list(nets), iu, "mean IU, per cent", shades)
        labels = ("step", "loss in training, first seed")
        curves(right, _losses(nets, shades), labels, "upper right")
        tiles(halves[1], [_tiles(nets)])


def _losses(nets: Mapping[str, list[Trained]], shades: Any) -> list[Line]:
    lines = []
    for (name, trained), colour in zip(nets.items(), shades, strict=True):
        losses = smoothed([row["loss"] for row in trained[0].log], OVER)
        steps = [row["iteration"] for row in trained[0].log]
        lines.append(Line(name, steps, losses, {"color": colour, "lw": 2}))
    return lines


def _tiles(nets: Mapping[str, list[Trained]]) -> list[tuple[str, Pixels]]:
    """Return pictures of a class's kernel onto itself, and onto the next class."""
    shown = []
    for name in (PLAIN, LEARNED, LEARNED_DRAWN):
        weight = kernels(nets[name][0])
        shown.append((f"{name}:\nbackground to itself", _picture(weight[0, 0])))
        shown.append(("background to\nclass 1", _picture(weight[0, 1])))
    return shown


def _picture(kernel: NDArray[np.float32]) -> Pixels:
    """Return a kernel in colours: white 0, red 1 and above, blue -1 and below."""
    share = np.clip(np.abs(kernel), 0, 1)[..., None]
    full = np.where(kernel[..., None] > 0, (200, 30, 30), (30, 60, 200))
    return np.rint(255 + (full - 255) * share).astype(np.uint8)
