"""Figures of several seeds: their mean and range, and what may be concluded.

A net's score depends on the seed of everything random in its training by a point of
mean IU or two. Nets that are compared share their seeds, and three rules decide:

higher     held if it is so in every single seed
alike      held if the means differ by no more than a given margin
no_better  held if the first mean is above the second by no more than a given margin
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .frame import Verdict

MARGIN = 0.02  # of mean IU, as a fraction: what seeds do by themselves

Values = Sequence[float]  # one per seed, in the seeds' order


def spread(key: str, values: Values) -> dict[str, float]:
    """Return the cells of a "spread" column: mean, lowest and highest of the seeds."""
    return {
        key: float(np.mean(values)),
        f"{key}_low": float(min(values)),
        f"{key}_high": float(max(values)),
    }


def higher(claim: str, more: Values, less: Values) -> Verdict:
    """Judge a claim that the first is higher; figures are fractions, shown in percent.

    Raises:
        ValueError: unequal numbers of seeds.
    """
    wins = int((_differences(more, less) > 0).sum())
    figures = f"{_mean(more)} against {_mean(less)}; in {wins} of {len(more)} seeds"
    return Verdict(claim, wins == len(more), figures)


def alike(claim: str, a: Values, b: Values, margin: float = MARGIN) -> Verdict:
    """Judge a claim that two are alike; the claim is to name the margin.

    Raises:
        ValueError: unequal numbers of seeds.
    """
    gap = _differences(a, b)
    return Verdict(claim, abs(float(gap.mean())) <= margin, _compared(a, b))


def no_better(claim: str, a: Values, b: Values, margin: float = MARGIN) -> Verdict:
    """Judge a claim that a is not above b; the claim is to name the margin.

    Raises:
        ValueError: unequal numbers of seeds.
    """
    gap = _differences(a, b)
    return Verdict(claim, float(gap.mean()) <= margin, _compared(a, b))


def _compared(a: Values, b: Values) -> str:
    by_seed = ", ".join(f"{100 * d:+.1f}" for d in _differences(a, b))
    return f"{_mean(a)} against {_mean(b)}; by seed they differ by {by_seed}"


def _differences(a: Values, b: Values) -> np.ndarray:
    if len(a) != len(b) or not len(a):
        raise ValueError(f"{len(a)} seeds cannot be compared with {len(b)}")
    return np.asarray(a, float) - np.asarray(b, float)


def _mean(values: Values) -> str:
    return f"{100 * float(np.mean(values)):.1f}"
