"""Class weights from how often classes occur."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from minifcn.data.dataset import Dataset

Wrapper = Callable[[Iterable[int]], Iterable[int]]


def median_frequency(
    dataset: Dataset, power: float = 1.0, limit: float = 10.0, wrap: Wrapper = iter
) -> NDArray[np.float32]:
    """Return weights by median frequency balancing (Eigen and Fergus 2015).

    w[c] = (median(f) / f[c])^power with f[c] = pixels of c / valid pixels of the
    images in which c occurs; the median is over the classes that occur.

    Args:
        dataset: its labels are read once.
        power: 0.5 balances half as strongly (in the logarithm) as 1.
        limit: weights are kept within 1/limit .. limit.
        wrap: goes around the indices, to show progress.

    Returns:
        (n_classes,) float32; 1 for a class that never occurs.
    """
    n = len(dataset.class_names)
    pixels, seen = np.zeros(n), np.zeros(n)
    for index in wrap(range(len(dataset))):
        label = dataset[index][1]
        counts = np.bincount(label[label < n], minlength=n)
        pixels += counts
        seen += np.where(counts > 0, counts.sum(), 0)
    return _balance(pixels, seen, power, limit)


def _balance(
    pixels: NDArray[np.float64], seen: NDArray[np.float64], power: float, limit: float
) -> NDArray[np.float32]:
    weights = np.ones(len(pixels))
    occurs = pixels > 0
    frequency = pixels[occurs] / seen[occurs]
    if occurs.any():
        weights[occurs] = (np.median(frequency) / frequency) ** power
    return np.clip(weights, 1 / limit, limit).astype(np.float32)
