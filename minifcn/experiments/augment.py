"""Mirroring and jittering the images that a net learns from.

Source: Long, Shelhamer and Darrell 2015, section 4.3, "Augmentation".
"""

from __future__ import annotations

from typing import Any

from . import seeds
from .drawing import bars, page
from .frame import Column, Outcome, Settings, Verdict
from .lab import MEASURES, Lab, measured, scores_of

SOURCE = "Long, Shelhamer and Darrell 2015, section 4.3"
CLAIM = (
    "Mirroring the images at random, and shifting them by up to 32 pixels, brings no "
    "noticeable improvement."
)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {  # the run's name, its settings
    "as they are": ("fcn32s-plain", {"mirror": False}),
    "mirrored": ("fcn32s", {}),  # as all nets of these experiments learn
    "and shifted by up to 8": ("fcn32s-jitter8", {"jitter": 8}),
    "and shifted by up to 32": ("fcn32s-jitter32", {"jitter": 32}),
}

COLUMNS = (Column("images", "images", "word"), *MEASURES)


def run(settings: Settings) -> Outcome:
    """Train an FCN-32s for each way to vary the images; compare mean IU."""
    lab = Lab(settings)
    nets = {
        name: lab.train_all(run, lab.recipe("fcn32s", **changes))
        for name, (run, changes) in VARIANTS.items()
    }
    iu = {name: scores_of(trained) for name, trained in nets.items()}
    rows = [{"images": name, **measured(trained)} for name, trained in nets.items()]
    title = "Mirrored, shifted at random: does it help?"
    with page(settings.out / "augment.png", title, (9, 3)) as figure:
        bars(figure.add_subplot(), list(iu), list(iu.values()), "mean IU, per cent")
    return Outcome(COLUMNS, rows, verdicts(iu), remarks(lab))


def verdicts(iu: dict[str, list[float]]) -> list[Verdict]:
    """Hold the mean IU of each seed to the claim."""
    plain, *varied = iu
    points = f"{100 * seeds.MARGIN:g} points of mean IU"
    return [
        seeds.alike(f"{name}: within {points} of {plain}", iu[name], iu[plain])
        for name in varied
    ]


def remarks(lab: Lab) -> list[str]:
    """Say what was trained."""
    said = [f"FCN-32s; {lab.remark()}"]
    if lab.settings.data is None:
        height, width = lab.val[0][1].shape
        said.append(
            f"an image here is {width} pixels wide and {height} high, the paper's "
            "about 500 and 375: a shift by 8 here is one by 32 there"
        )
    return said
