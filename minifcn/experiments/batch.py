"""Accumulated, online, heavy learning: how many images a step, and how much momentum.

A step of SGD on the gradients g of k images, with momentum p and learning rate η, is

    v ← p · v + η · (g₁ + … + g_k),    w ← w − v

accumulated  k = 20, p = 0.9     few steps, of much
online       k = 1,  p = 0.9     many steps, of little
heavy        k = 1,  p = 0.99    many steps, each of about the last 100 images

The loss is summed over pixels, and so are the gradients over images: every pixel counts
the same in all three. (`optim` divides by k; the learning rate is k times as large to
make up for that. Where a data set's images are no multiple of k, an epoch's last step
has fewer, and each counts for more.) In v stands an image seen j images ago with about
the weight p^(j/k), so that k images with momentum p forget as k' with p' do if

    p^(1/k) = p'^(1/k')

An image moves the weights by η g / (1 − p) in all: at one rate, ten times as far in
heavy learning as online. Whether it is that, and not the longer memory, is seen by
learning online at ten times the rate.

Source: Shelhamer, Long and Darrell 2017, sections on optimisation, momentum and batch
size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from minifcn.data import open_dataset
from minifcn.training import Recipe

from . import losses, seeds
from .drawing import BLUE, GREEN, OCHRE, ORANGE, bars, page
from .frame import Cell, Column, Outcome, Settings, Verdict
from .lab import MEASURES, Lab, Trained, measured, scores_of
from .losses import Curve

SOURCE = (
    "Shelhamer, Long and Darrell 2017 (the paper of 2015, extended), momentum and "
    "batch size"
)
CLAIM = (
    "Of as many images, a net learns more by a step for each image than by one for "
    "every 20, and most with a momentum of 0.99 in place of 0.9."
)


class Way(NamedTuple):
    """A way to learn.

    Attributes:
        images: k, of a step.
        momentum: p.
        paper: the paper's mean IU by it.
        faster: how many times the common learning rate.
    """

    images: int
    momentum: float
    paper: float | None
    faster: int = 1

    @property
    def kept(self) -> float:
        """What a momentum of one image a step would be that forgets as slowly."""
        return float(self.momentum ** (1 / self.images))


FASTER = "online, faster"
WAYS = {
    "accumulated": Way(20, 0.9, 0.519),
    "online": Way(1, 0.9, 0.607),
    "heavy": Way(1, 0.99, 0.636),
    FASTER: Way(1, 0.9, None, 10),
}
RUNS = {FASTER: "online10"}  # names of runs that differ from the ways'

MOST = max(way.images for way in WAYS.values())
COLOURS = (BLUE, ORANGE, GREEN, OCHRE)
SHARE = 0.5  # of the images of a whole training
RATE = 1 / 60  # η · pixels of an image, as a share of a recipe's rate for a mean loss
SEEN = 100_000  # images in the paper
OVER = 100  # images over which the drawn losses are means

COLUMNS = (
    Column("learning", "learning", "word"),
    Column("images_per_step", "images a step", "number"),
    Column("momentum", "momentum", "number"),
    Column("steps", "steps", "number"),
    Column("seconds", "seconds", "number"),
    *MEASURES[:2],
    Column("paper", "mean IU in the paper"),
)

Nets = Mapping[str, Sequence[Trained]]


def run(settings: Settings) -> Outcome:
    """Train an FCN-32s in each way; compare mean IU."""
    lab = Lab(settings)
    images, rate = images_seen(lab), rate_of(lab)
    nets = {
        name: lab.train_all(
            f"fcn32s-{RUNS.get(name, name)}", recipe_of(lab, way, images, rate)
        )
        for name, way in WAYS.items()
    }
    draw(settings.out / "batch.png", nets)
    rows = [_row(name, nets[name]) for name in nets]
    iu = {name: scores_of(trained) for name, trained in nets.items()}
    return Outcome(COLUMNS, rows, verdicts(iu), remarks(lab, images, rate))


# -------------------------------------------------------------------------- training


def images_seen(lab: Lab) -> int:
    """Return how many images each net sees: a multiple of those of any step."""
    whole = lab.recipe("fcn32s", SHARE)
    images = (whole.iterations or 0) * whole.batch_size * whole.iter_size
    return MOST * max(1, round(images / MOST))


def rate_of(lab: Lab) -> float:
    """Return η, the learning rate of a loss summed over pixels and images.

    A recipe's own where it has such a loss; RATE of it, over the pixels of an image,
    where its loss is their mean.
    """
    whole = lab.recipe()
    if whole.loss != "mean":
        return whole.lr
    return RATE * whole.lr / lab.val[0][1].size


def recipe_of(lab: Lab, way: Way, images: int, rate: float) -> Recipe:
    """Return the recipe of one way to learn, of so many images."""
    whole = lab.recipe()
    learned = len(open_dataset(whole.data, whole.train_split))
    return lab.recipe(
        "fcn32s",
        iterations=steps(images, learned, way.images),
        batch_size=1,
        iter_size=way.images,
        loss="sum",
        momentum=way.momentum,
        lr=way.images * way.faster * rate,
        schedule="constant",
        warm_up=0,
    )


def steps(images: int, epoch: int, size: int) -> int:
    """Return how many steps see so many images, in epochs that begin a new step each.

    Args:
        images: to be seen.
        epoch: images in an epoch.
        size: images in a step, the last of an epoch excepted.
    """
    epochs, rest = divmod(images, epoch)
    return epochs * -(-epoch // size) + -(-rest // size)


def _row(name: str, nets: Sequence[Trained]) -> dict[str, Cell]:
    way = WAYS[name]
    seconds = seeds.spread("seconds", [net.seconds for net in nets])
    return {
        "learning": name,
        "images_per_step": way.images,
        "momentum": way.momentum,
        "steps": len(nets[0].log),
        **{key: round(value, 1) for key, value in seconds.items()},
        **measured(nets),
        "paper": way.paper,
    }


# -------------------------------------------------------------------------- judging


def verdicts(iu: Mapping[str, seeds.Values]) -> list[Verdict]:
    """Hold the mean IU of each seed to the paper's order."""
    return [
        *(
            seeds.higher(f"{more}: above {less} learning", iu[more], iu[less])
            for more, less in (("online", "accumulated"), ("heavy", "online"))
        ),
        seeds.higher(
            "it is the momentum: heavy learning is above online learning at ten times "
            "the rate",
            iu["heavy"],
            iu[FASTER],
        ),
    ]


def remarks(lab: Lab, images: int, rate: float) -> list[str]:
    """Say what was trained, at what rate, and what differs from the paper."""
    kept = {name: f"{way.kept:.3f}" for name, way in WAYS.items()}
    faster = WAYS[FASTER].faster
    last = 1 / (1 - WAYS["heavy"].momentum)
    return [
        f"FCN-32s; {lab.remark()}",
        f"here each net sees the same {images} images in the same order, {MOST} a step "
        "or one",
        f"one learning rate for all, {rate:.2g}, never lowered, of a loss summed over "
        f"the pixels of a step's images ({FASTER}: {faster} times that); on generated "
        "scenes heavy learning did about as well at 0.6 to 1.5 times this rate, and "
        "worse at 0.3 times (seed 100)",
        "momentum^(1/images), by which the paper compares them: accumulated "
        f"{kept['accumulated']}, heavy {kept['heavy']}, online {kept['online']}",
        "an image moves the weights by its gradient times rate / (1 - momentum) in "
        "all: ten times as far with 0.99 as with 0.9",
        f"momentum 0.99 spreads that over {last:.0f} images or more: "
        f"{_per_cent(last / images)} of what these nets see, {_per_cent(last / SEEN)} "
        f"of the paper's {SEEN:,}",
        "in the paper: on VOC 2011; the authors' code confirms the figure of heavy "
        "learning, the other two are from memory",
    ]


def _per_cent(share: float) -> str:
    return f"{100 * share:.2g} per cent"


# -------------------------------------------------------------------------- drawing


def draw(path: Path, nets: Nets) -> None:
    """Draw the losses over the images seen, and the scores."""
    title = "How many images a step, how much momentum?"
    with page(path, title, (14, 5)) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[5, 4])
        labels = ("images seen", "loss of an image, summed over its pixels")
        losses.draw(left, _curves(nets), labels)
        iu = [scores_of(trained) for trained in nets.values()]
        bars(right, [_label(name) for name in nets], iu, "mean IU, per cent", COLOURS)


def _curves(nets: Nets) -> list[Curve]:
    found = []
    for (name, trained), colour in zip(nets.items(), COLOURS, strict=True):
        size = WAYS[name].images
        x = [row["iteration"] * size for row in trained[0].log]
        over = max(1, OVER // size)
        found.append(Curve(name, x, losses.table(trained), over, colour))
    return found


def _label(name: str) -> str:
    way = WAYS[name]
    images = "1 image" if way.images == 1 else f"{way.images} images"
    rate = "" if way.faster == 1 else f", rate × {way.faster}"
    return f"{name.partition(',')[0]}\n{images}, {way.momentum:g}{rate}"
