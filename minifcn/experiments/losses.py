"""Losses in training of several seeds: their tables, figures and curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .drawing import Line, curves, smoothed
from .lab import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Losses = NDArray[np.float64]  # (seeds, steps)


class Curve(NamedTuple):
    """What one way of training did: losses (seeds, steps) over x (steps,).

    They are drawn as means over ``over`` steps.
    """

    name: str
    x: Sequence[float]
    losses: Losses
    over: int
    colour: str


def table(nets: Sequence[Trained]) -> Losses:
    """Return the loss of every step of equally long trainings, (seeds, steps)."""
    return np.array([[row["loss"] for row in net.log] for net in nets])


def late(losses: Losses, end: int | None = None) -> list[float]:
    """Return the mean loss over the last quarter of the first ``end`` steps, by seed.

    Args:
        losses: (seeds, steps).
        end: at least 1; all steps if None.
    """
    seen = losses[:, :end]
    quarter = max(1, seen.shape[1] // 4)
    return [float(mean) for mean in seen[:, -quarter:].mean(axis=1)]


def draw(axes: Axes, found: Sequence[Curve], labels: tuple[str, str]) -> None:
    """Draw each curve's mean over the seeds, and the range of the seeds behind it."""
    lines = []
    for curve in found:
        x, y = _smooth(curve)
        axes.fill_between(
            x, y.min(axis=0), y.max(axis=0), color=curve.colour, alpha=0.2, lw=0
        )
        style = {"color": curve.colour, "lw": 2}
        lines.append(Line(curve.name, x, y.mean(axis=0).tolist(), style))
    curves(axes, lines, labels, "upper right")


def _smooth(curve: Curve) -> tuple[Sequence[float], Losses]:
    """Return means over ``over`` steps (seeds, …), and the x at which each ends."""
    over = min(curve.over, len(curve.x))
    means = [smoothed(losses.tolist(), over)[over - 1 :] for losses in curve.losses]
    return curve.x[over - 1 :], np.array(means)
