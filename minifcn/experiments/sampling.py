"""Patch sampling: is a loss over a random part of each image the better one?

A whole image is a batch of overlapping patches, one for each cell of the coarsest score
map, and they are much alike. Counting each cell with probability p (see
`training.sampling`), of 1/p times as many images in the batch, leaves as many patches,
of more images and thus less alike:

    whole images       n images, every cell
    half of the cells  2n images, p = 1/2
    a quarter          4n images, p = 1/4

If that made a step better, it would pay for the additional images; if not, whole images
are as good for less work. The learning rate stays as it is, so that losses may be
compared at any time, not only at the end.

Source: Long, Shelhamer and Darrell 2015, sections 3.4 and 4.3, Figure 5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.training import Recipe

from . import losses, seeds
from .drawing import BLUE, GREEN, ORANGE, bars, page
from .frame import Cell, Column, Outcome, Settings, Verdict
from .lab import MEASURES, Lab, Trained, measured, scores_of
from .losses import Curve

SOURCE = "Long, Shelhamer and Darrell 2015, sections 3.4 and 4.3, Figure 5"
CLAIM = (
    "Counting the loss of a random part of each image only, of more images a step, "
    "does not noticeably change what a step brings, and takes longer: whole images "
    "learn faster."
)
WHOLE = "whole images"
SHARES = {WHOLE: 1.0, "half of the cells": 0.5, "a quarter of the cells": 0.25}
COLOURS = (BLUE, ORANGE, GREEN)
SHARE = 0.5  # of the images of a whole training
BATCH = 8  # whole scenes a step; the paper's steps have 20 images
RATE = 0.5  # of a falling learning rate's start: about its mean, and kept
LIKE = 0.05  # share by which losses may differ and still be alike
OVER = 10  # steps over which the drawn losses are means

COLUMNS = (
    Column("counted", "the loss counts", "word"),
    Column("images_per_step", "images a step", "number"),
    Column("seconds", "seconds", "number"),
    Column("loss", "loss", "number"),
    Column("loss_in_time", "in the same time", "number"),
    *MEASURES[:2],
)

Nets = Mapping[str, Sequence[Trained]]


def run(settings: Settings) -> Outcome:
    """Train an FCN-32s with each share of the cells; compare losses, time, mean IU.

    Raises:
        ValueError: the recipe's loss depends on the number of images in a batch.
    """
    lab = Lab(settings)
    recipes = {name: recipe_of(lab, share) for name, share in SHARES.items()}
    nets = {
        name: lab.train_all(f"fcn32s-cells{100 * recipe.sample:.0f}", recipe)
        for name, recipe in recipes.items()
    }
    rows = [_row(nets, name, recipes[name]) for name in nets]
    draw(settings.out / "sampling.png", nets)
    return Outcome(COLUMNS, rows, verdicts(nets), remarks(lab, recipes[WHOLE]))


def recipe_of(lab: Lab, share: float) -> Recipe:
    """Return the recipe that counts a share of the cells, of more images a step.

    Raises:
        ValueError: its loss is "batch".
    """
    base = lab.recipe("fcn32s", SHARE)
    if base.loss == "batch":
        raise ValueError(
            "sampling needs a loss that stays as large when a batch has more images, "
            f"mean or sum; the recipe's is {base.loss!r}"
        )
    batch, steps = _batches(lab, base)
    rate = base.lr if base.schedule == "constant" else RATE * base.lr
    return dataclasses.replace(
        base,
        sample=share,
        batch_size=round(batch / share),
        iterations=steps,
        lr=rate,
        schedule="constant",
    )


def _batches(lab: Lab, base: Recipe) -> tuple[int, int]:
    """Return how many whole images a batch has, and how many steps there are.

    On a data set they are the recipe's own, to which its learning rate is fitted.
    """
    steps = base.iterations or 1
    if lab.settings.data is not None:
        return base.batch_size, steps
    return BATCH, max(1, round(steps * base.batch_size / BATCH))


# ------------------------------------------------------------------------- measuring


def steps_in_time(nets: Nets, name: str) -> int:
    """Return how many steps are done by when whole images have taken all theirs."""
    steps = len(nets[name][0].log)
    ratio = _mean_seconds(nets[WHOLE]) / _mean_seconds(nets[name])
    return min(steps, max(1, round(steps * ratio)))


def _seconds(nets: Sequence[Trained]) -> list[float]:
    return [net.seconds for net in nets]


def _mean_seconds(nets: Sequence[Trained]) -> float:
    return float(np.mean(_seconds(nets)))


def losses_of(nets: Nets, name: str) -> tuple[list[float], list[float]]:
    """Return the late losses by seed: after all steps, and in whole images' time."""
    found = losses.table(nets[name])
    return losses.late(found), losses.late(found, steps_in_time(nets, name))


def _row(nets: Nets, name: str, recipe: Recipe) -> dict[str, Cell]:
    trained = nets[name]
    loss, in_time = losses_of(nets, name)
    images = recipe.batch_size * recipe.iter_size
    return {
        "counted": name,
        "share": recipe.sample,
        "images_per_step": images,
        "images": images * len(trained[0].log),
        **_rounded("seconds", _seconds(trained), 1),
        **_rounded("loss", loss, 3),
        **_rounded("loss_in_time", in_time, 3),
        **measured(trained),
    }


def _rounded(key: str, values: Sequence[float], digits: int) -> dict[str, Cell]:
    return {k: round(v, digits) for k, v in seeds.spread(key, values).items()}


# -------------------------------------------------------------------------- judging


def verdicts(nets: Nets) -> list[Verdict]:
    """Hold losses, mean IU and time to the claim; both shares must agree with it."""

    def both(claim: str, judge: Callable[[str], Verdict]) -> Verdict:
        found = {name: judge(name) for name in SHARES if name != WHOLE}
        figures = "; ".join(f"{name}: {one.figures}" for name, one in found.items())
        return Verdict(claim, all(one.held for one in found.values()), figures)

    def loss(name: str) -> Verdict:
        return losses_alike(losses_of(nets, name)[0], losses_of(nets, WHOLE)[0])

    def score(name: str) -> Verdict:
        return seeds.alike("", scores_of(nets[name]), scores_of(nets[WHOLE]))

    def time(name: str) -> Verdict:
        return above(_seconds(nets[name]), _seconds(nets[WHOLE]))

    def in_time(name: str) -> Verdict:
        return above(losses_of(nets, name)[1], losses_of(nets, WHOLE)[1], 3)

    points = f"{100 * seeds.MARGIN:g} points of mean IU"
    return [
        both(f"after as many steps, losses within {100 * LIKE:g} per cent", loss),
        both(f"after as many steps, within {points} of whole images", score),
        both("as many steps take longer than with whole images, in seconds", time),
        both("after as long a time, the loss is above that of whole images", in_time),
    ]


def losses_alike(a: Sequence[float], b: Sequence[float]) -> Verdict:
    """Judge whether the means of two sets of losses differ by no more than LIKE."""
    mean_a, mean_b = float(np.mean(a)), float(np.mean(b))
    gap = mean_a / mean_b - 1
    by_seed = ", ".join(f"{100 * (x / y - 1):+.1f}" for x, y in zip(a, b, strict=True))
    figures = f"{mean_a:.3f} against {mean_b:.3f}, by seed {by_seed} per cent"
    return Verdict("", abs(gap) <= LIKE, figures)


def above(a: Sequence[float], b: Sequence[float], digits: int = 1) -> Verdict:
    """Judge whether a is above b in every seed."""
    wins = sum(x > y for x, y in zip(a, b, strict=True))
    means = (f"{np.mean(values):.{digits}f}" for values in (a, b))
    figures = f"{' against '.join(means)}, in {wins} of {len(a)} seeds"
    return Verdict("", wins == len(a), figures)


def remarks(lab: Lab, recipe: Recipe) -> list[str]:
    """Say what was trained, and what the columns are."""
    return [
        f"FCN-32s; {lab.remark()}",
        f"here {recipe.iterations} steps each, all at the learning rate {recipe.lr:g}; "
        "1/p times as many images go through the net together where each cell counts "
        "with probability p",
        "loss: mean over the pixels that counted in the last quarter of the steps, and "
        "over the seeds; each step's was measured before it learned from these images",
        "in the same time: likewise, over the last quarter of the steps that were "
        "taken by when whole images had taken all theirs",
        "seconds are of steps alone, and depend on what else the computer did "
        "meanwhile; images a step do not",
    ]


# -------------------------------------------------------------------------- drawing


def draw(path: Path, nets: Nets) -> None:
    """Draw the losses over steps and over seconds, and the scores."""
    with page(path, "Is it better to count a part of each image?", (16, 5)) as figure:
        panels: Any = figure.subplots(1, 3, width_ratios=[5, 5, 4])
        losses.draw(panels[0], _curves(nets, False), ("step", "loss in training"))
        losses.draw(panels[1], _curves(nets, True), ("seconds", "loss in training"))
        panels[1].sharey(panels[0])
        names = [name.replace(" of the", "\nof the") for name in nets]
        iu = [scores_of(trained) for trained in nets.values()]
        bars(panels[2], names, iu, "mean IU, per cent", COLOURS)


def _curves(nets: Nets, by_time: bool) -> list[Curve]:
    found = []
    for (name, trained), colour in zip(nets.items(), COLOURS, strict=True):
        steps = len(trained[0].log)
        unit = _mean_seconds(trained) / steps if by_time else 1
        x = [unit * (i + 1) for i in range(steps)]
        found.append(Curve(name, x, losses.table(trained), OVER, colour))
    return found
