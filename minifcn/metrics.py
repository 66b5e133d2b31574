"""How good a segmentation is: the four measures of the paper, from one table of counts.

The table (confusion matrix) counts pixels over a whole set of images, hist[t, p] for
true class t and predicted class p; the measures are taken once, of the sum:

>>> hist = confusion_matrix([[0, 0, 1], [1, 1, 255]], [[0, 1, 1], [1, 0, 0]], 2)
>>> hist.tolist()
[[1, 1], [1, 2]]
>>> round(scores(hist)["mean_iu"], 4)
0.4167

Means of per-image scores are another quantity: they count a class in a picture where
it is rare as much as in one that it fills.

Source: Long, Shelhamer and Darrell (2015), section 5; for absent classes, score.py of
the authors' Caffe repository.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.arrays import (
    Array,
    array_module,
    contiguous,
    device_of,
    on_cpu,
    to_device,
    to_numpy,
)
from minifcn.cuda import Kernels
from minifcn.geometry import whole

KERNELS = Kernels(__file__)

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

CHUNK = 1 << 20
"""Pixels that are counted at a time, so that a large picture costs no memory."""


def most_likely(scores: Array) -> Array:
    """Return the class of the largest score of each pixel, the first of equals.

    Args:
        scores: (N, C, …), of float32 or float64, on any device; C at least 1.

    Returns:
        (N, …) int64, on the device of the scores: `scores.argmax(axis=1)`.
    """
    if on_cpu(scores):
        return scores.argmax(axis=1)
    N, C, *size = scores.shape
    y = array_module(scores).empty((N, *size), np.int64)
    pixels = math.prod(size)
    KERNELS.most_likely(y.size, contiguous(scores), y, N, C, pixels)
    return y


def confusion_matrix(
    target: ArrayLike, prediction: ArrayLike, n_classes: int
) -> Counts:
    """Count the pixels of true class t that were taken for class p.

    Where the prediction lies on a device they are counted there, and the table alone is
    brought back.

    Args:
        target: true classes, any shape and integer type; values outside
            0 .. n_classes - 1 (255, the ignore label) are not counted.
        prediction: predicted classes, of the same shape.
        n_classes: how many classes there are, at least 1.

    Returns:
        hist[t, p], (n_classes, n_classes) int64: add up those of all images.

    Raises:
        TypeError: values that are no integers (scores want an argmax first).
        ValueError: unequal shapes, or a prediction outside 0 .. n_classes - 1 where
            the target counts.
    """
    n = whole(n_classes, "n_classes", 1)
    p = _classes(prediction, "prediction")
    t = to_device(_classes(target, "target"), device_of(p))
    if t.shape != p.shape:
        raise ValueError(
            f"target and prediction must have one shape, not {t.shape} and {p.shape}"
        )
    if not on_cpu(p):
        return _count_on_device(t.ravel(), p.ravel(), n)
    hist = np.zeros((n, n), np.int64)
    for t_chunk, p_chunk in _chunks(t.ravel(), p.ravel()):
        hist += _count(t_chunk, p_chunk, n)
    return hist


def iu_per_class(hist: ArrayLike) -> Floats:
    """Intersection over union of each class, (n,) as fractions.

        IU_i = n_ii / (t_i + sum_j n_ji - n_ii)

    A class that is neither in the truth nor predicted has none: nan. One that is
    predicted and not in the truth has 0.
    """
    counts = _table(hist)
    right = counts.diagonal()  # n_ii, (n,)
    # Row sums are t_i, the true pixels; column sums the predicted ones.
    return _ratio(right, counts.sum(axis=1) + counts.sum(axis=0) - right)


def accuracy_per_class(hist: ArrayLike) -> Floats:
    """Share of each class's true pixels that were found, n_ii / t_i, (n,).

    It is nan for a class that is not in the truth.
    """
    counts = _table(hist)
    return _ratio(counts.diagonal(), counts.sum(axis=1))


def scores(hist: ArrayLike) -> dict[str, float]:
    """Give the four measures of the paper as fractions of 1.

        pixel_accuracy          sum_i n_ii / sum_i t_i
        mean_accuracy           mean_i n_ii / t_i
        mean_iu                 mean_i IU_i
        frequency_weighted_iu   sum_i t_i IU_i / sum_i t_i

    Both means leave out the classes for which the quotient is 0 / 0, as the authors'
    score.py does (the paper divides by all classes). All four are nan where nothing
    was counted.
    """
    counts = _table(hist)
    true, iu = counts.sum(axis=1), iu_per_class(counts)  # t_i and IU_i, (n,)
    total = true.sum()
    return {
        "pixel_accuracy": float(_ratio(counts.trace(), total)),
        "mean_accuracy": _mean(accuracy_per_class(counts)),
        "mean_iu": _mean(iu),
        # 0 · nan is nan: classes that are not in the truth must be left out.
        "frequency_weighted_iu": float(_ratio((true * iu)[true > 0].sum(), total)),
    }


def _classes(values: Any, name: str) -> Array:
    """Return `values` as an array of integers, where they are."""
    array = np.asarray(values) if on_cpu(values) else values
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"{name} must hold class numbers, which are integers, not {array.dtype}"
        )
    return array


def _chunks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Walk along flat arrays of one length, CHUNK values at a time."""
    for start in range(0, arrays[0].size, CHUNK):
        yield tuple(array[start : start + CHUNK] for array in arrays)


def _count(target: NDArray, prediction: NDArray, n: int) -> Counts:
    """Confusion matrix of two flat arrays, (n, n)."""
    counted = (target >= 0) & (target < n)  # 255 is not
    t, p = target[counted], prediction[counted]
    wrong = (p < 0) | (p >= n)
    if wrong.any():
        raise ValueError(
            f"prediction must be 0 to {n - 1} for {n} classes, not {p[wrong][0]}"
        )
    # one number for each (t, p): cell t n + p of the table, row by row
    cell = t.astype(np.int64) * n + p.astype(np.int64)
    return np.bincount(cell, minlength=n * n).reshape(n, n)


def _count_on_device(target: Array, prediction: Array, n: int) -> Counts:
    """Confusion matrix of two flat arrays of one device, (n, n), on the CPU."""
    # One place more: for predictions that are no class.
    counts = array_module(prediction).zeros(n * n + 1, np.uint64)
    for chunk in _chunks(target, prediction):
        t, p = (part.astype(np.int64) for part in chunk)
        KERNELS.count_pairs(t.size, t, p, counts, t.size, n)
    *cells, wrong = to_numpy(counts).astype(np.int64)
    if wrong:  # say which: count again where the values can be looked at
        _count(to_numpy(target), to_numpy(prediction), n)
    return np.reshape(cells, (n, n))


def _table(hist: ArrayLike) -> NDArray:
    """Return `hist` as an array, if it can be a confusion matrix."""
    counts = np.asarray(hist)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"hist must be a confusion matrix (n, n), not of shape {counts.shape}"
        )
    return counts


def _ratio(above: NDArray, below: NDArray) -> Floats:
    """Divide, with nan for 0 / 0 and no warning."""
    with np.errstate(invalid="ignore"):
        return np.true_divide(above, below)


def _mean(values: Floats) -> float:
    """Mean of those that are not nan; nan where all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
