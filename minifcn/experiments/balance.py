"""Class weights in the loss: does a net need them where most pixels are background?

A class that is rare counts more, by its frequency f among the images that show it
(`training.balance`):

    w[c] = (median(f) / f[c])^power    power 0: no weights; 1: balanced; 1/2: halfway

What that buys is mean accuracy, in which each class counts alike however rare; what it
costs is pixels of the common classes, taken for rare ones, and IU with them.

Source: Long, Shelhamer and Darrell 2015, section 4.3, "Class balancing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import metrics
from minifcn.data import PairFiles, open_dataset
from minifcn.training import checkpoint
from minifcn.training.progress import bar

from . import seeds
from .confusion import confusions
from .drawing import BLUE, GREEN, ORANGE, bars, page
from .frame import Column, Outcome, Settings, Verdict
from .lab import MEASURES, Lab, Trained, measured, scores_of

SOURCE = "Long, Shelhamer and Darrell 2015, section 4.3"
CLAIM = (
    "Balancing the classes by weights in the loss is unnecessary, though about three "
    "quarters of the pixels are background."
)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {  # the run's name, its settings
    "no weights": ("fcn32s", {}),
    "half balanced": (
        "fcn32s-half-balanced",
        {"class_weights": "balanced", "weight_power": 0.5},
    ),
    "balanced": ("fcn32s-balanced", {"class_weights": "balanced"}),
}
COLOURS = (BLUE, GREEN, ORANGE)
MOST = 12  # classes in the picture and in a remark
SHOWN = {"mean_iu": "mean IU", "mean_accuracy": "mean accuracy"}
COLUMNS = (Column("weights", "weights", "word"), *MEASURES)


class Classes(NamedTuple):
    """What was found of the single classes.

    Attributes:
        names: of the classes.
        shares: (n_classes,), of the pixels learned from.
        iu: {variant: (seeds, n_classes)}; nan where there was none.
    """

    names: list[str]
    shares: NDArray[np.float64]
    iu: dict[str, NDArray[np.float64]]


def run(settings: Settings) -> Outcome:
    """Train an FCN-32s with each set of weights; compare mean IU, class by class too.

    Raises:
        ValueError: the recipe has class weights of its own.
    """
    lab = Lab(settings)
    if lab.recipe().class_weights != "none":
        raise ValueError(
            "balance compares class weights with none, and the recipe has "
            f"class_weights {lab.recipe().class_weights!r}"
        )
    nets = {
        name: lab.train_all(run, lab.recipe("fcn32s", **changes))
        for name, (run, changes) in VARIANTS.items()
    }
    classes = look_closer(lab, nets)
    rows = [
        {"weights": name, **measured(trained), **_cells(classes, name)}
        for name, trained in nets.items()
    ]
    iu = {name: scores_of(trained) for name, trained in nets.items()}
    draw(settings.out / "balance.png", nets, classes)
    return Outcome(COLUMNS, rows, verdicts(iu), remarks(lab, nets, classes))


def look_closer(lab: Lab, nets: Mapping[str, Sequence[Trained]]) -> Classes:
    """Measure the IU of single classes, and their shares of pixels."""
    iu = {}
    for name, trained in nets.items():
        hists = confusions(trained, lab.val, lab.settings.device)
        iu[name] = np.array([metrics.iu_per_class(hist) for hist in hists])
    recipe = lab.recipe()
    learned = open_dataset(recipe.data, recipe.train_split)
    return Classes(lab.val.class_names, shares_of(learned), iu)


def shares_of(dataset: PairFiles) -> NDArray[np.float64]:
    """Return each class's share of the pixels that count, (n_classes,)."""
    counts = np.zeros(256, np.int64)
    for index in bar("reading labels")(range(len(dataset))):
        label = dataset.read_label(dataset.pairs[index].label)
        counts += np.bincount(label.ravel(), minlength=256)
    counts = counts[: len(dataset.class_names)]
    return counts / counts.sum()


def verdicts(iu: Mapping[str, seeds.Values]) -> list[Verdict]:
    """Hold the mean IU of each seed to the claim."""
    plain, *weighted = iu
    points = f"{100 * seeds.MARGIN:g} points of mean IU"
    return [
        seeds.no_better(
            f"{name}: no better than {plain} by more than {points}", iu[name], iu[plain]
        )
        for name in weighted
    ]


def remarks(
    lab: Lab, nets: Mapping[str, Sequence[Trained]], classes: Classes
) -> list[str]:
    """Say what was trained, how unequal the classes are, and what they weigh."""
    found = [f"FCN-32s; {lab.remark()}", f"pixels learned from: {_shares(classes)}"]
    for name, trained in nets.items():
        weights = checkpoint.load(trained[0].last).meta["class_weights"]
        if weights is not None:
            found.append(f"{name}: {_range_of(weights, classes.names)}")
    return found


def _shares(classes: Classes) -> str:
    """List the shares of all classes, or of the most and the least common."""
    order = _by_share(classes)
    chosen = order if len(order) <= MOST else [order[0], order[-1]]
    of_each = (f"{classes.names[c]} {100 * classes.shares[c]:.1f}" for c in chosen)
    return ", ".join(of_each) + " per cent"


def _range_of(weights: Sequence[float], names: Sequence[str]) -> str:
    low, high = int(np.argmin(weights)), int(np.argmax(weights))
    return (
        f"weights from {weights[low]:.2f} ({names[low]}) to {weights[high]:.2f} "
        f"({names[high]})"
    )


def _by_share(classes: Classes) -> list[int]:
    """Return the classes that occur, the most common first."""
    order = np.argsort(-classes.shares, kind="stable")
    return [int(c) for c in order if classes.shares[c] > 0]


def _cells(classes: Classes, name: str) -> dict[str, float | None]:
    """Return each class's IU, the mean of the seeds; None where a seed has none."""
    iu = classes.iu[name].mean(axis=0)
    known = [None if np.isnan(value) else float(value) for value in iu]
    return {f"iu_{c}": value for c, value in zip(classes.names, known, strict=True)}


# ------------------------------------------------------------------------- drawing


def draw(path: Path, nets: Mapping[str, list[Trained]], classes: Classes) -> None:
    """Draw mean IU, mean accuracy, and the IU of single classes."""
    with page(path, "Does it help to balance the classes?", (15, 6)) as figure:
        parts: Any = figure.subfigures(1, 2, width_ratios=[2, 3], wspace=0.02)
        charts: Any = parts[0].subplots(2, 1)
        for axes, (measure, title) in zip(charts, SHOWN.items(), strict=True):
            values = [scores_of(trained, measure) for trained in nets.values()]
            bars(axes, list(nets), values, f"{title}, per cent", COLOURS)
        _groups(parts[1].add_subplot(), classes)


def _groups(axes: Any, classes: Classes) -> None:
    """Draw a group of bars per class, the most common first, a bar per variant."""
    order = _by_share(classes)[-MOST:]  # those that weights are meant to help
    middles, width = np.arange(len(order)), 0.8 / len(classes.iu)
    for i, (name, iu) in enumerate(classes.iu.items()):
        heights = 100 * iu.mean(axis=0)[order]
        places = middles + (i - (len(classes.iu) - 1) / 2) * width
        axes.bar(places, heights, width, color=COLOURS[i], label=name)
    names = [f"{classes.names[c]}\n{100 * classes.shares[c]:.1f} %" for c in order]
    axes.set_xticks(middles, names, fontsize=12 if len(order) < 8 else 9)
    axes.set_ylabel("IU, per cent", fontsize=12)
    axes.set_xlabel("class, and its share of the pixels learned from", fontsize=12)
    axes.set_ylim(0, 118)  # room for the legend
    axes.legend(loc="upper right", ncols=len(classes.iu), fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
