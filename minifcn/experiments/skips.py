"""Skips: what earlier, finer pools add to a coarse prediction, stage by stage.

Table 2 of the paper, and what its section 4.2 says beside it:

    FCN-32s-fixed     only the score layer learns, on the pretrained trunk
    FCN-32s           all layers learn
    FCN-16s           FCN-32s, and on from there with pool4's scores added
    FCN-8s            FCN-16s, and on from there with pool3's scores added
    FCN-8s at once    all three streams from the start, the pools scaled down
    16s by maximum    FCN-16s, the larger of two scores in place of their sum
    pool4, pool3      what is added, alone: a trunk cut short
    32s for longer    FCN-32s, and on from there without a skip: the control

Nets that are compared took the same number of steps in all, but where a stage is held
to the one before it, and to its control.

Source: Long, Shelhamer and Darrell 2015, section 4.2 and Table 2; at once: the authors'
Caffe code (voc-fcn8s-atonce) and Shelhamer, Long and Darrell 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import Tensor, models, no_grad, pictures
from minifcn.arrays import to_device
from minifcn.data import Dataset, open_dataset
from minifcn.data.batch import to_input
from minifcn.data.files import Pixels
from minifcn.geometry import chain_receptive_field
from minifcn.training.evaluation import predict
from minifcn.training.setup import build_model

from . import seeds
from .drawing import BLUE, GREEN, GREY, ORANGE, RED, VIOLET, bars, page, tiles
from .frame import Column, Outcome, Row, Settings, Verdict
from .lab import MEASURES, Lab, Trained, measured, scores_of

SOURCE = "Long, Shelhamer and Darrell 2015, section 4.2 and Table 2"
CLAIM = (
    "Adding the scores of pool4, then of pool3, to the coarse prediction refines it: "
    "FCN-8s scores above FCN-16s, and that above FCN-32s."
)
N_MEASURED = 24  # training images on which features are measured
N_SHOWN = 3  # images in the picture


@dataclass(frozen=True)
class Plan:
    """How a net is trained.

    Attributes:
        run: the name of its run.
        net: one of `models.NETWORKS`.
        share: of the steps of a whole training, after those of the net it begins as.
        begins: the net that it goes on from; None: the pretrained trunk.
        changes: settings of the recipe that differ.
        paper: mean IU in the paper, as a fraction.
        colour: of its bar.
    """

    run: str
    net: str
    share: float = 1.0
    begins: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    paper: float | None = None
    colour: str = GREY


FIXED, COARSE, MIDDLE, FINE = "FCN-32s-fixed", "FCN-32s", "FCN-16s", "FCN-8s"
AT_ONCE, LARGER = "FCN-8s at once", "16s by maximum"
POOL4, POOL3, LONGER = "pool4 alone", "pool3 alone", "32s for longer"
PLANS = {
    FIXED: Plan("fcn32s-fixed", "fcn32s", changes={"freeze": "conv,fc"}, paper=0.454),
    COARSE: Plan("fcn32s", "fcn32s", paper=0.594, colour=BLUE),
    MIDDLE: Plan("fcn16s", "fcn16s", 0.5, COARSE, paper=0.624, colour=BLUE),
    FINE: Plan("fcn8s", "fcn8s", 0.5, MIDDLE, paper=0.627, colour=BLUE),
    AT_ONCE: Plan("fcn8s-at-once", "fcn8s_at_once", 2.0, colour=GREEN),
    LARGER: Plan("fcn16s-max", "fcn16s", 0.5, COARSE, {"fusion": "max"}, colour=VIOLET),
    POOL4: Plan("fcn-pool4", "fcn_pool4", 1.5, colour=ORANGE),
    POOL3: Plan("fcn-pool3", "fcn_pool3", 2.0, colour=RED),
    LONGER: Plan("fcn32s-longer", "fcn32s", 0.5, COARSE),
}

COLUMNS = (
    Column("net", "net", "word"),
    Column("steps", "steps", "number"),
    *MEASURES,
    Column("paper", "mean IU in the paper"),
)

Values = Mapping[str, Sequence[float]]  # of each net, mean IU by seed


def run(settings: Settings) -> Outcome:
    """Train the nets of `PLANS`; hold their mean IU to the paper's sentences."""
    lab = Lab(settings)
    norms = feature_norms(lab)
    nets = train_all(lab, scales(norms))
    iu = {name: scores_of(trained) for name, trained in nets.items()}
    draw(settings.out / "skips.png", lab, iu, nets)
    remarks = [*of_training(lab, norms), of_sight(nets), *of_steps(iu)]
    return Outcome(COLUMNS, table(nets), verdicts(iu), remarks)


# -------------------------------------------------------------------------- training


def train_all(lab: Lab, skip_scales: tuple[float, float]) -> dict[str, list[Trained]]:
    """Train each net with every seed, after the net that it goes on from."""
    nets: dict[str, list[Trained]] = {}
    for name, plan in PLANS.items():
        changes = dict(plan.changes)
        if plan.net == "fcn8s_at_once":
            changes["skip_scales"] = skip_scales
        recipe = lab.recipe(plan.net, plan.share, **changes)
        if plan.begins is None:
            nets[name] = lab.train_all(plan.run, recipe)
            continue
        stages = [
            lab.recipe(plan.net, plan.share, init_from=str(coarser.last), **changes)
            for coarser in nets[plan.begins]
        ]
        nets[name] = lab.train_all(plan.run, stages)
    return nets


def feature_norms(lab: Lab) -> dict[str, float]:
    """Return the mean norm of a pixel's features in fc7, pool4 and pool3.

    Those of the trunk before it learns to segment, on some training images.
    """
    recipe = replace(lab.recipe("fcn32s"), seed=lab.settings.seed)
    images = open_dataset(recipe.data, recipe.train_split)
    net = build_model(recipe, len(images.class_names))
    net.to(lab.settings.device).eval()
    sums = dict.fromkeys(("fc7", "pool4", "pool3"), 0.0)
    pixels = dict.fromkeys(sums, 0)
    for index in range(min(N_MEASURED, len(images))):
        for name, norms in norms_of(net, images, index, lab.settings.device):
            sums[name] += float(norms.sum())
            pixels[name] += norms.size
    return {name: sums[name] / pixels[name] for name in sums}


def norms_of(
    net: models.FCN, images: Dataset, index: int, device: str
) -> Iterator[tuple[str, Any]]:
    """Yield of each stream that is scored its name and the norms, (1, h, w)."""
    image, _ = images[index]
    x = Tensor(to_device(to_input(image, images.mean_bgr)[None], device))
    with no_grad():
        for name, layer in net.coarse().children():
            x = layer(x)
            if name in ("pool3", "pool4", "relu_fc7"):
                yield name.removeprefix("relu_"), (x.data**2).sum(axis=1) ** 0.5


def scales(norms: Mapping[str, float]) -> tuple[float, float]:
    """Return the factors that bring pool4 and pool3 to the norm of fc7.

    To two digits: the same on every machine.
    """
    four, three = (norms["fc7"] / norms[pool] for pool in ("pool4", "pool3"))
    return float(f"{four:.2g}"), float(f"{three:.2g}")


# -------------------------------------------------------------------------- judging


def table(nets: Mapping[str, Sequence[Trained]]) -> list[Row]:
    """Return a row per net: the steps behind it in all, and its scores."""
    return [
        {
            "net": name,
            "steps": steps_of(name, nets),
            **measured(trained),
            "paper": PLANS[name].paper,
        }
        for name, trained in nets.items()
    ]


def steps_of(name: str, nets: Mapping[str, Sequence[Trained]]) -> int:
    """Return the steps of a net and of those that it goes on from."""
    begins = PLANS[name].begins
    own = len(nets[name][0].log)
    return own if begins is None else own + steps_of(begins, nets)


def verdicts(iu: Values) -> list[Verdict]:
    """Hold the mean IU of each seed to the paper's sentences."""
    higher, points = seeds.higher, f"{100 * seeds.MARGIN:g} points of mean IU"
    return [
        higher("pool4's scores help: FCN-16s is above 32s", iu[MIDDLE], iu[COARSE]),
        higher("pool3's help further: FCN-8s is above 16s", iu[FINE], iu[MIDDLE]),
        higher(
            "the skip brings it: FCN-16s is above 32s trained for as long",
            iu[MIDDLE],
            iu[LONGER],
        ),
        seeds.alike(
            f"without the skip further steps change little: within {points}",
            iu[LONGER],
            iu[COARSE],
        ),
        fixed_trunk(iu),
        higher("pool4 alone is poorer than FCN-16s", iu[MIDDLE], iu[POOL4]),
        higher("pool3 alone is poorer than FCN-8s", iu[FINE], iu[POOL3]),
        higher("pool3 alone is poorer than FCN-8s at once", iu[AT_ONCE], iu[POOL3]),
        higher("a sum fuses better than a maximum", iu[MIDDLE], iu[LARGER]),
        seeds.alike(
            f"FCN-8s at once is within {points} of the staged one",
            iu[AT_ONCE],
            iu[FINE],
        ),
    ]


def fixed_trunk(iu: Values) -> Verdict:
    """Judge whether learning must reach the trunk; say how far it goes without."""
    claim = "FCN-32s falls short if only its score layer learns"
    verdict = seeds.higher(claim, iu[COARSE], iu[FIXED])
    share = np.mean(iu[FIXED]) / np.mean(iu[COARSE])
    theirs = PLANS[FIXED].paper / PLANS[COARSE].paper  # type: ignore[operator]
    shares = f"it reaches {share:.0%} of it, in the paper {theirs:.0%}"
    return verdict._replace(figures=f"{verdict.figures}; {shares}")


def of_training(lab: Lab, norms: Mapping[str, float]) -> list[str]:
    """Say what was trained, and the paper's reasons."""
    four, three = scales(norms)
    lengths = ", ".join(f"{name} {norm:.3g}" for name, norm in norms.items())
    return [
        lab.remark(),
        "steps are all that a net took, with those of the net that it goes on from; "
        "in the paper: on images of VOC 2011",
        "FCN-16s goes on from 32s and 8s from 16s with a new score layer at zero, so "
        "that each begins with what the coarser one predicts; the learning rate begins "
        "anew each time, while the paper divides it by 100",
        f"at once: pool4 is multiplied by {four:g} and pool3 by {three:g}, so that all "
        f"features have the mean norm of fc7's (before: {lengths}) and all streams "
        "learn at a like pace; the authors took 0.01 and 0.0001 for VGG-16",
        "by maximum: the gradient goes to the larger score alone, and switches from "
        "one stream to the other, which the paper blames for its failing",
    ]


def of_sight(nets: Mapping[str, Sequence[Trained]]) -> str:
    """Say how much of the image a score sees."""
    four, three, whole = (
        chain_receptive_field([layer.geometry for layer in nets[name][0].net().table])
        for name in (POOL4, POOL3, COARSE)
    )
    return (
        f"a score sees {four.size} pixels along either axis in pool4 alone, "
        f"{three.size} in pool3 alone, and {whole.size} in FCN-32s"
    )


def of_steps(iu: Values) -> list[str]:
    """Say what the control shows, if a longer training helps by itself."""
    gain = float(np.mean(iu[LONGER]) - np.mean(iu[COARSE]))
    if gain <= seeds.MARGIN:
        return []
    return [
        f"FCN-32s gains {100 * gain:.1f} points by going on without a skip: stages "
        "here are too short to converge, which favours nets that learn from fine pools "
        "from their first step on"
    ]


# -------------------------------------------------------------------------- drawing


def draw(
    path: Path, lab: Lab, iu: Values, nets: Mapping[str, Sequence[Trained]]
) -> None:
    """Draw mean IU of all nets, beside what the staged ones say of some images."""
    colours = [PLANS[name].colour for name in iu]
    title = "What skips add: FCN-32s, 16s and 8s, and other ways to use the pools"
    with page(path, title, (16, 5.6)) as figure:
        halves: Any = figure.subfigures(1, 2, width_ratios=[6, 10], wspace=0.03)
        left, right = halves
        axes = left.add_subplot()
        bars(axes, list(iu), list(iu.values()), "mean IU, per cent", colours)
        tiles(right, rows_of_pictures(lab, nets))


def rows_of_pictures(
    lab: Lab, nets: Mapping[str, Sequence[Trained]]
) -> list[list[tuple[str, Pixels]]]:
    """Return a row per image: photo, truth, and what the first seed's nets predict."""
    device, palette = lab.settings.device, lab.val.palette
    staged = {name: nets[name][0].net().to(device) for name in (COARSE, MIDDLE, FINE)}
    rows: list[list[tuple[str, Pixels]]] = []
    for index in busiest(lab.val, N_SHOWN):
        image, label = lab.val[index]
        row = [("photo", image), ("truth", pictures.colour(label, palette))]
        for name, net in staged.items():
            found = predict(net, image, lab.val.mean_bgr, device)
            row.append((name, pictures.colour(found, palette)))
        # Titles above the first row alone.
        rows.append([("" if rows else title, pixels) for title, pixels in row])
    return rows


def busiest(images: Dataset, count: int) -> list[int]:
    """Return of each part of a data set the image that shows the most classes.

    Of 24 images, spread over the set: neighbours may be frames of one film.
    """
    some = min(len(images), 24)
    looked_at = [k * len(images) // some for k in range(some)]
    parts = np.array_split(looked_at, min(count, some))
    return [
        max(map(int, part), key=lambda i: _n_classes(images[i][1])) for part in parts
    ]


def _n_classes(label: Pixels) -> int:
    return len(np.unique(label))
