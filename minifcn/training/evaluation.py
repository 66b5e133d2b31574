"""Predicting label maps at an image's own size, and scoring them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import arrays, metrics
from minifcn.autograd import Tensor, no_grad
from minifcn.data.batch import to_input
from minifcn.data.dataset import VOC_MEAN_BGR, Dataset
from minifcn.data.files import IGNORE, Pixels
from minifcn.nn import Module

Wrapper = Callable[[Iterable[int]], Iterable[int]]


class Prediction(NamedTuple):
    """One sample of a data set and what a net makes of it.

    ``number`` is its place, ``image`` is (H, W, 3) uint8 RGB, ``label`` and
    ``predicted`` are (H, W) uint8, ``predicted`` on the net's device or not.
    """

    number: int
    image: Pixels
    label: Pixels
    predicted: Pixels


def predict(
    model: Module,
    image: Pixels,
    mean_bgr: tuple[float, float, float] = VOC_MEAN_BGR,
    device: str = "cpu",
) -> Pixels:
    """Return the class of every pixel: the argmax of the scores.

    Args:
        model: a net, on ``device``; dropout is off while it predicts.
        image: (H, W, 3) uint8 RGB of any size.
        mean_bgr: what its training subtracted.
        device: one of `arrays.DEVICES`.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: the net has more classes than a label picture can hold, 255.
    """
    return arrays.to_numpy(_classify(model, image, mean_bgr, device))


def _classify(
    model: Module, image: Pixels, mean_bgr: tuple[float, float, float], device: str
) -> Any:
    """Predict as `predict`; the answer stays on the device."""
    # A batch of one: (1, 3, H, W).
    x = Tensor(arrays.to_device(to_input(image, mean_bgr)[None], device))
    with evaluating(model), no_grad():
        scores = model(x).data  # (1, n_classes, H, W)
    if scores.shape[1] > IGNORE:
        raise ValueError(
            f"the net has {scores.shape[1]} classes; a label picture holds {IGNORE}"
        )
    return metrics.most_likely(scores)[0].astype(np.uint8)


def predictions(
    model: Module,
    dataset: Dataset,
    device: str = "cpu",
    wrap: Wrapper = iter,
) -> Iterator[Prediction]:
    """Predict every image of a data set, in its order; ``wrap`` may show progress."""
    return map(brought_back, predictions_on(device, model, dataset, wrap))


def predictions_on(
    device: str, model: Module, dataset: Dataset, wrap: Wrapper = iter
) -> Iterator[Prediction]:
    """Predict as `predictions`, but leave what is predicted on the device."""
    for index in wrap(range(len(dataset))):
        image, label = dataset[index]
        predicted = _classify(model, image, dataset.mean_bgr, device)
        yield Prediction(index, image, label, predicted)


def brought_back(sample: Prediction) -> Prediction:
    """Return a prediction that lies in the computer's own memory."""
    return sample._replace(predicted=arrays.to_numpy(sample.predicted))


def evaluate(
    model: Module,
    dataset: Dataset,
    device: str = "cpu",
    wrap: Wrapper = iter,
) -> NDArray[np.int64]:
    """Return the confusion matrix hist[truth, prediction] over a whole data set.

    Pixels whose label is the ignore value do not count. ``minifcn.metrics.scores``
    makes the four figures of it. On a device pixels are counted there: of each image
    the table alone comes back.
    """
    n = len(dataset.class_names)
    hist = np.zeros((n, n), np.int64)
    for sample in predictions_on(device, model, dataset, wrap):
        hist += metrics.confusion_matrix(sample.label, sample.predicted, n)
    return hist


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Put a net in evaluation mode for a block, then back in the mode it was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        if training:
            model.train()
