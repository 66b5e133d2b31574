"""The scores of a run's net, over a list of images and of every one of them.

They are kept in the run's folder as ``evaluation.json``, so that a second report need
not compute them again.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minifcn import metrics
from minifcn.data import PairFiles
from minifcn.data.files import Pixels
from minifcn.files import replacing
from minifcn.models import FCN
from minifcn.training import checkpoint
from minifcn.training.checkpoint import Checkpoint
from minifcn.training.evaluation import Wrapper, predict, predictions_on
from minifcn.training.setup import check_sizes

KEPT = "evaluation.json"
FORMAT, VERSION = "minifcn evaluation", 1


class ImageScore(NamedTuple):
    """One image's own scores, as fractions; nan where none of its pixels counts."""

    id: str
    pixel_accuracy: float
    mean_iu: float


class Example(NamedTuple):
    """An image, what is true of it, what was predicted, and how good that is.

    ``image`` is (H, W, 3) uint8 RGB, ``label`` and ``predicted`` are (H, W) uint8.
    """

    score: ImageScore
    image: Pixels
    label: Pixels
    predicted: Pixels


@dataclass(frozen=True)
class Evaluation:
    """What a checkpoint scored on a list of images. All of it is JSON.

    Attributes:
        checkpoint: the file's name in the run's folder.
        stamp: its size in bytes and its time in nanoseconds.
        iteration: steps that it had taken; None where it does not say.
        parameters: numbers in its net.
        split: list of images.
        fingerprint: of that list, as `checkpoint.fingerprint` makes it.
        class_names: one name per class.
        palette: a colour per class.
        confusion: pixels hist[truth, prediction] over all images.
        images: the scores of each image, in the order of the list.
    """

    checkpoint: str
    stamp: list[int]
    iteration: int | None
    parameters: int
    split: str
    fingerprint: dict[str, Any]
    class_names: list[str]
    palette: list[list[int]]
    confusion: list[list[int]]
    images: list[ImageScore]

    @property
    def hist(self) -> metrics.Counts:
        """The confusion matrix as an array, (n, n) int64."""
        return np.array(self.confusion, np.int64)

    @property
    def scores(self) -> dict[str, float]:
        """The four measures, as fractions."""
        return metrics.scores(self.hist)

    def holds(self, net: Net, dataset: PairFiles | None) -> bool:
        """Whether net and images are still those that were scored."""
        if (self.checkpoint, self.stamp) != (net.path.name, net.stamp):
            return False
        return dataset is None or self.fingerprint == checkpoint.fingerprint(dataset)

    @property
    def task(self) -> tuple[object, ...]:
        """What two evaluations must share to be compared: images, classes, truth."""
        truth = self.hist.sum(axis=1).tolist()  # pixels of each class
        return self.fingerprint["sha256"], *self.class_names, *truth

    def ranked(self) -> list[int]:
        """Numbers of the images by mean IU, then pixel accuracy; the worst first.

        Images of which no pixel counts are left out.
        """
        scored = [k for k, s in enumerate(self.images) if not math.isnan(s.mean_iu)]
        return sorted(
            scored,
            key=lambda k: (self.images[k].mean_iu, self.images[k].pixel_accuracy),
        )


@dataclass
class Net:
    """A run's checkpoint, read when its net is first asked for."""

    path: Path
    device: str = "cpu"

    @property
    def stamp(self) -> list[int]:
        """Size in bytes and time in nanoseconds: what changes with the file."""
        about = self.path.stat()
        return [about.st_size, about.st_mtime_ns]

    @cached_property
    def saved(self) -> Checkpoint:
        """The checkpoint."""
        return checkpoint.load(self.path)

    @cached_property
    def model(self) -> FCN:
        """The net, on its device."""
        model = checkpoint.restore_model(self.saved)
        model.to(self.device)
        return model


def evaluate(net: Net, dataset: PairFiles, split: str, wrap: Wrapper) -> Evaluation:
    """Score a net on every image of a data set.

    Raises:
        ValueError: the checkpoint or a file of the data set cannot be used.
    """
    stamp = net.stamp  # before it is read: should it change, it counts as changed
    checkpoint.check_classes(net.saved, dataset, dataset.pairs[0].image.parent)
    check_sizes(dataset)
    n = len(dataset.class_names)
    total, images = np.zeros((n, n), np.int64), []
    for sample in predictions_on(net.device, net.model, dataset, wrap):
        hist = metrics.confusion_matrix(sample.label, sample.predicted, n)
        own = metrics.scores(hist)
        name = dataset.ids[sample.number]
        images.append(ImageScore(name, own["pixel_accuracy"], own["mean_iu"]))
        total += hist
    return Evaluation(
        checkpoint=net.path.name,
        stamp=stamp,
        iteration=net.saved.meta.get("position", {}).get("iteration"),
        parameters=sum(array.size for array in net.saved.model.values()),
        split=split,
        fingerprint=checkpoint.fingerprint(dataset),
        class_names=list(dataset.class_names),
        palette=np.asarray(dataset.palette).tolist(),
        confusion=total.tolist(),
        images=images,
    )


def examples(
    net: Net, dataset: PairFiles, evaluation: Evaluation, numbers: Iterable[int]
) -> list[Example]:
    """Predict some images of a data set once more, to be looked at."""
    shown = []
    for number in numbers:
        image, label = dataset[number]
        predicted = predict(net.model, image, dataset.mean_bgr, net.device)
        shown.append(Example(evaluation.images[number], image, label, predicted))
    return shown


def ends(ranked: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Return at most ``count`` from each end, none twice: first to, and last back.

    >>> ends([7, 3, 5, 9, 1], 2)
    ([7, 3], [1, 9])
    >>> ends([7, 3, 5], 2)
    ([7, 3], [5])
    """
    middle = min(count, (len(ranked) + 1) // 2)
    rest = ranked[middle:]
    return list(ranked[:middle]), list(reversed(rest[max(len(rest) - count, 0) :]))


def keep(folder: Path, evaluation: Evaluation) -> None:
    """Write an evaluation into the folder of its run."""
    content = dataclasses.asdict(evaluation)
    content["images"] = [
        [s.id, *(None if math.isnan(v) else v for v in s[1:])]
        for s in evaluation.images
    ]
    text = json.dumps({"format": FORMAT, "version": VERSION, **content})
    with replacing(folder / KEPT) as file:
        file.write((text + "\n").encode())


def kept(folder: Path) -> Evaluation | None:
    """Read the evaluation that is kept in a run's folder; None without a good one."""
    try:
        content = json.loads((folder / KEPT).read_text(encoding="utf-8"))
        if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
            return None
        content["images"] = [_image_score(*cells) for cells in content["images"]]
        evaluation = Evaluation(**content)
        return evaluation if _fits_together(evaluation) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _image_score(id: str, *values: float | None) -> ImageScore:
    accuracy, iu = (math.nan if value is None else float(value) for value in values)
    return ImageScore(str(id), accuracy, iu)


def _fits_together(evaluation: Evaluation) -> bool:
    n = len(evaluation.class_names)
    shapes = evaluation.hist.shape, np.shape(evaluation.palette)
    count = evaluation.fingerprint["count"]
    return shapes == ((n, n), (n, 3)) and count == len(evaluation.images)
