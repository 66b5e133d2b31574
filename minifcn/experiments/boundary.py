"""How right a prediction is near the boundaries of the truth: accuracy in a trimap.

Mean IU counts a pixel in the middle of a bus as much as one on its outline. Here only
pixels near a boundary count, band by band:

    distance(p)   the smallest r for which the window of (2r + 1) × (2r + 1) pixels
                  around p holds another value than p's own
    accuracy(r)   of the pixels with distance ≤ r that count, the share that is right

so r = 1 are the pixels that touch another value, by a side or a corner. The distance is
the chessboard's, max(|Δy|, |Δx|): a window is constant where its smallest value is its
largest, and the extremes of a wider window are those of its neighbours' windows.

Pixels to ignore are a value like any other where distances are measured: PASCAL VOC
draws them on its objects' outlines, and that is where its boundaries are. They do not
count themselves. The picture's own border is no boundary.

Source: Kohli, Ladický and Torr 2009, section 5.2 (trimaps around the ignored outlines).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.data.files import IGNORE
from minifcn.geometry import whole

REACH = 16


def boundary_distance(label: ArrayLike, reach: int = REACH) -> NDArray[np.intp]:
    """Return how far the nearest pixel of another value is, (H, W), in pixels.

    Args:
        label: (H, W) integers.
        reach: how far to look, at least 1; reach + 1 stands for "farther".

    Raises:
        ValueError: a label that is no (H, W), or a reach below 1.
    """
    values, reach = np.asarray(label), whole(reach, "reach", 1)
    if values.ndim != 2:
        raise ValueError(f"label must be (H, W), not of shape {values.shape}")
    low = high = values
    distance = np.ones(values.shape, np.intp)
    for _ in range(reach):
        low, high = _spread(low, np.minimum), _spread(high, np.maximum)
        distance += low == high  # the window of radius 1, 2, … is constant still
    return distance


def _spread(values: NDArray, extreme: Callable[..., Any]) -> NDArray:
    """Take the extreme of each 3 × 3 window, cut at the border."""
    for _ in range(2):  # along the rows, then along the columns
        wide = values.copy()
        extreme(wide[1:], values[:-1], out=wide[1:])
        extreme(wide[:-1], values[1:], out=wide[:-1])
        values = wide.T
    return values


class Trimap:
    """The bands around one label's boundaries; counts what predictions do in them.

    Args:
        target: (H, W), true classes; 255 does not count.
        reach: the widest band, in pixels, at least 1.
    """

    def __init__(self, target: ArrayLike, reach: int = REACH) -> None:
        self.target, self.reach = np.asarray(target), reach
        self.distance = boundary_distance(target, reach)

    def counts(self, prediction: ArrayLike) -> NDArray[np.int64]:
        """Count the pixels near boundaries, and those of them that are right.

        Args:
            prediction: (H, W), predicted classes.

        Returns:
            (2, reach): right pixels, then all, within r = 1 … reach pixels. Add up
            those of all images.

        Raises:
            ValueError: unequal shapes.
        """
        predicted = np.asarray(prediction)
        if predicted.shape != self.target.shape:
            raise ValueError(
                "target and prediction must have one shape, not "
                f"{self.target.shape} and {predicted.shape}"
            )
        counted = self.target != IGNORE
        right = counted & (self.target == predicted)
        return np.array([self._within(right), self._within(counted)])

    def _within(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count a mask's pixels within r = 1 … reach, (reach,)."""
        # bin r is the ring at distance r exactly; the last one is what lies farther
        rings = np.bincount(self.distance[mask], minlength=self.reach + 2)
        return rings[1:-1].cumsum()


def boundary_accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share that is right within r = 1 … pixels; nan where nothing is."""
    right, total = counts
    with np.errstate(invalid="ignore"):
        return np.true_divide(right, total)
