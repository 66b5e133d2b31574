"""The pictures of a run: what the net makes of some images, and the curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from minifcn import pictures
from minifcn.data.files import Pixels
from minifcn.training.evaluation import Prediction


class Classes(Protocol):
    """What has names and colours of classes: a data set, a checkpoint."""

    @property
    def class_names(self) -> list[str]:
        """One name per class."""
        ...

    @property
    def palette(self) -> Pixels:
        """(n_classes, 3) uint8."""
        ...


def draw_samples(path: Path, samples: Sequence[Prediction], classes: Classes) -> None:
    """Write photo, truth and prediction of each sample, a row each."""
    rows = [
        (
            sample.image,
            pictures.colour(sample.label, classes.palette),
            pictures.colour(sample.predicted, classes.palette),
        )
        for sample in samples
    ]
    if rows:
        write_grid(path, rows, ("photo", "truth", "prediction"), classes)


def write_grid(
    path: Path,
    rows: Sequence[Sequence[Pixels]],
    titles: Sequence[str],
    classes: Classes,
) -> None:
    """Write rows of pictures with titles above and a legend below."""
    names, palette = classes.class_names, classes.palette
    pictures.save_image(path, pictures.grid(rows, titles, names, palette))


def draw_curves(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write loss, scores and learning rate over the iterations."""
    pictures.curves(path, rows)


def save_prediction(base: Path, image: Pixels, label: Pixels, classes: Classes) -> None:
    """Write ``base.png``, a label, and ``base_overlay.png``, with the legend below."""
    h, w = label.shape
    pictures.save_label(f"{base}.png", label, classes.palette)
    sheet = pictures.grid(
        [[pictures.overlay(image, label, classes.palette)]],
        class_names=classes.class_names,
        palette=classes.palette,
        present=np.unique(label).tolist(),
        cell=max(h, w, 320),  # small photographs are enlarged, to be seen
    )
    pictures.save_image(f"{base}_overlay.png", sheet)
