"""What is measured of the ways to dense scores: right pixels, time, memory, agreement.

Scores are of every seed's nets, on the same images for all ways; what they cost, and
how nearly shift-and-stitch and à trous agree, of the first seed's on one image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import Tensor, metrics, no_grad
from minifcn.arrays import to_device
from minifcn.data import Dataset, to_input
from minifcn.data.files import Pixels
from minifcn.training.evaluation import predict
from minifcn.training.progress import bar

from . import agreement, costs
from .agreement import Agreement
from .boundary import REACH, Trimap, boundary_accuracy
from .costs import Size, Timing
from .ways import OWN, STRIDES, Ways

CROP = (40, 56)  # pixels of an image on which (e) and (f) are compared in float64


class Limits(NamedTuple):
    """The most multiply-adds that a way may take; it is left out where it takes more.

    But (b) is always timed, and what answers every 8 pixels or less often is scored, on
    one image at least.

    Attributes:
        images: over all images that are scored, of (f) at stride 8; else fewer are.
        scored: over these.
        timed: over the one that is timed.
        compared: over the images on which (e) is compared with (f), and over the crop.
    """

    images: float = 4e11
    scored: float = 1e12
    timed: float = 2e11
    compared: float = 5e10

    def divided(self, by: float) -> Limits:
        """Return limits so many times lower."""
        return Limits(*(limit / by for limit in self))


@dataclass
class Tally:
    """What was counted of one way over all images so far.

    Attributes:
        hist: (n, n), the confusion matrix.
        near: (2, 16), pixels near boundaries that are right, and all.
    """

    hist: NDArray[np.int64]
    near: NDArray[np.int64]

    def add(self, label: Pixels, predicted: Pixels, trimap: Trimap) -> None:
        """Count an image's pixels."""
        self.hist += metrics.confusion_matrix(label, predicted, len(self.hist))
        self.near += trimap.counts(predicted)

    @property
    def mean_iu(self) -> float:
        """Mean IU, as a fraction."""
        return metrics.scores(self.hist)["mean_iu"]


class Doubles(NamedTuple):
    """How nearly (e) and (f) agree in float64, at an output stride, on a crop.

    Attributes:
        rounded: the trained net's scores.
        exact: those of the net in whole numbers, whose sums are exact.
    """

    stride: int
    rounded: Agreement
    exact: Agreement


class Measured(NamedTuple):
    """All that was measured.

    Attributes:
        ways: of the first seed.
        tallies: of each seed, by the keys of the ways that were scored.
        scored: on how many images.
        image, label: what was timed.
        timings, peaks: by the keys of the ways that were timed; peaks in bytes, on the
            CPU alone.
        agreements: of (e) and (f) on that image, by output stride.
        compared: of both at stride 8, on the first images.
        doubles: of both in float64.
    """

    ways: Ways
    tallies: Sequence[Mapping[str, Tally]]
    scored: int
    image: Pixels
    label: Pixels
    timings: Mapping[str, Timing]
    peaks: Mapping[str, int]
    agreements: Mapping[int, Agreement]
    compared: Agreement
    doubles: Doubles

    @property
    def size(self) -> Size:
        """Height and width of the image that was timed."""
        H, W = self.label.shape
        return H, W

    def adds(self, key: str) -> int:
        """Count the multiply-adds of a way on that image."""
        return self.ways[key].count(self.size)

    def mean_iu(self) -> dict[str, list[float]]:
        """Return the mean IU of each way that was scored, by seed, as fractions."""
        keys = self.tallies[0]
        return {key: [tally[key].mean_iu for tally in self.tallies] for key in keys}

    def means(self) -> dict[str, float]:
        """Return the mean of these over the seeds."""
        return {key: sum(iu) / len(iu) for key, iu in self.mean_iu().items()}

    def near(self, key: str) -> NDArray[np.float64]:
        """Return a way's accuracy within 1 to 16 pixels of a boundary, all seeds'."""
        counts = np.sum([tally[key].near for tally in self.tallies], axis=0)
        return boundary_accuracy(counts)


def measure(
    seeds: Sequence[Ways], dataset: Dataset, device: str, limits: Limits
) -> Measured:
    """Measure the ways of each seed on a data set, on a device."""
    ways = seeds[0]
    image, label = dataset[example(dataset)]
    size = label.shape[0], label.shape[1]
    x = _input(image, dataset, device)
    timed = {
        key: way
        for key, way in ways.items()
        if key == "b" or way.count(size) <= limits.timed
    }
    taken = peaks(timed, x)  # and now each has run once, before it is timed
    timings = costs.race({key: way.net for key, way in timed.items()}, x, device)
    chosen = images_for(ways, dataset, limits.images, size)
    most = limits.scored / len(chosen)
    keys = [key for key in ways if to_score(ways, key, most, size)]
    return Measured(
        ways,
        [score({k: each[k] for k in keys}, dataset, chosen, device) for each in seeds],
        len(chosen),
        image,
        label,
        timings,
        taken if device == "cpu" else {},
        by_stride(timings),
        compare(ways, dataset, device, limits.compared),
        doubles(ways, x, limits.compared),
    )


def by_stride(timings: Mapping[str, Timing]) -> dict[int, Agreement]:
    """Compare the answers of (e) and (f) at each stride at which both were timed."""
    pairs = {s: [timings.get(f"{key}{s}") for key in "ef"] for s in STRIDES}
    return {
        s: agreement.agreement(e.answer, f.answer)
        for s, (e, f) in pairs.items()
        if e and f
    }


def example(dataset: Dataset) -> int:
    """Return which of the first images shows the most classes."""
    n = min(len(dataset), 24)
    return max(range(n), key=lambda i: len(np.unique(dataset[i][1])))


def _input(image: Pixels, dataset: Dataset, device: str) -> Tensor:
    return Tensor(to_device(to_input(image, dataset.mean_bgr)[None], device))


def images_for(ways: Ways, dataset: Dataset, limit: float, size: Size) -> list[int]:
    """Return which images are scored: all, or as many as (f) at stride 8 allows."""
    most = int(limit // ways[f"f{OWN}"].count(size))
    n = min(len(dataset), max(1, most))
    return [i * len(dataset) // n for i in range(n)]  # evenly spread


def to_score(ways: Ways, key: str, most: float, size: Size) -> bool:
    """Whether a way is scored; (e) is not, since (f) is."""
    affordable = ways[key].stride >= OWN or ways[key].count(size) <= most
    return affordable and not key.startswith("e")


def score(
    ways: Ways, dataset: Dataset, chosen: Sequence[int], device: str
) -> dict[str, Tally]:
    """Count what each way gets right on the same images."""
    n = len(dataset.class_names)
    found = {
        key: Tally(np.zeros((n, n), np.int64), np.zeros((2, REACH), np.int64))
        for key in ways
    }
    for index in bar("scoring")(chosen):
        image, label = dataset[index]
        trimap = Trimap(label)
        for key, way in ways.items():
            predicted = predict(way.net, image, dataset.mean_bgr, device)
            found[key].add(label, predicted, trimap)
    return found


def peaks(ways: Ways, x: Tensor) -> dict[str, int]:
    """Return the most bytes of arrays that each way makes of one image."""
    found = {}
    with no_grad():
        for key, way in ways.items():
            found[key] = costs.peak_bytes(partial(way.net, x))
    return found


def compare(ways: Ways, dataset: Dataset, device: str, limit: float) -> Agreement:
    """Compare (e) and (f) at stride 8 on the first images, as many as may be."""
    e, f = ways[f"e{OWN}"], ways[f"f{OWN}"]
    found, left = Agreement(0.0, 0, 0), limit
    with no_grad():
        for image, label in (dataset[i] for i in range(len(dataset))):
            left -= e.count((label.shape[0], label.shape[1]))
            if left < 0 and found.pixels:
                break
            x = _input(image, dataset, device)
            found = found.and_also(agreement.agreement(e.net(x), f.net(x)))
    return found


def doubles(ways: Ways, x: Tensor, limit: float) -> Doubles:
    """Compare (e) and (f) in float64 on a crop of an image, on the CPU.

    At the smallest output stride at which that is affordable.
    """
    net: Any = ways["b"].net
    crop = x.data[:, :, : CROP[0], : CROP[1]]
    size = crop.shape[2], crop.shape[3]
    affordable = [s for s in STRIDES if ways[f"e{s}"].count(size) <= limit]
    stride = min(affordable, default=STRIDES[0])
    chain = net.coarse()
    rounded = agreement.compared(*agreement.in_float64(chain, crop), stride)
    exact = agreement.compared(*agreement.in_whole_numbers(chain, crop), stride)
    return Doubles(stride, rounded, exact)
