"""SIFT Flow: outdoor scenes with two labels a pixel, what it is and how it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classes import SIFTFLOW_CLASSES, SIFTFLOW_GEOMETRY
from .dataset import (
    Pair,
    PairFiles,
    check_root,
    check_size,
    choose_list,
    look_up,
    void_first,
)
from .files import Pixels, check_files, check_inside, find_picture, read_list
from .matlab import read_matrix
from .palettes import voc_palette

# the folder within each of Images, SemanticLabels and GeoLabels
SCENES = "spatial_envelope_256x256_static_8outdoorcategories"


class SiftFlow(PairFiles):
    """SIFT Flow: 33 semantic classes, and 3 geometric ones as a further label.

    ``Images/spatial_envelope_256x256_static_8outdoorcategories/<id>.jpg``,
    ``SemanticLabels/…/<id>.mat`` (``S``: 0 for void and 1 to 33) and
    ``GeoLabels/…/<id>.mat`` (``S``: -1 for void and 1 to 3), with lists
    ``trainval.txt`` (2,486) and ``test.txt`` (200) in the root. ``extra`` gives
    "geometric", (H, W) uint8 with 255 for void; its classes are ``geometric_names``.

    Args:
        root: the folder that holds ``SemanticLabels``.
        split: name of the list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the list is empty, names an id twice, or one outside the folder.
    """

    mean_bgr = (114.578, 115.294, 108.353)
    extras = ("geometric",)
    geometric_names = tuple(SIFTFLOW_GEOMETRY)

    def __init__(self, root: str | Path, split: str = "trainval") -> None:
        home = check_root(root)
        listed = choose_list(home, split)
        ids = [check_inside(id, listed) for id in read_list(listed)]
        images, labels = home / "Images" / SCENES, home / "SemanticLabels" / SCENES
        pairs = [Pair(id, find_picture(images, id), labels / f"{id}.mat") for id in ids]
        palette = voc_palette(len(SIFTFLOW_CLASSES))
        super().__init__(pairs, SIFTFLOW_CLASSES, palette, listed)
        self._geometric = [home / "GeoLabels" / SCENES / f"{id}.mat" for id in ids]
        check_files(self._geometric, listed)

    def read_label(self, path: Path) -> Pixels:
        """Read the semantic label; void, 0 or -1, reads as 255: (H, W) uint8.

        Raises:
            DataError: a damaged file, or a value above 33.
        """
        return _read(path, len(SIFTFLOW_CLASSES))

    def extra(self, index: int) -> dict[str, NDArray[Any]]:
        """Read "geometric", (H, W) uint8: 0 to 2, and 255 for void.

        Raises:
            DataError: a damaged file, a value above 3, or a size that is not the
                photograph's.
        """
        path = self._geometric[index]
        label = _read(path, len(SIFTFLOW_GEOMETRY))
        check_size(label, path, self.pairs[index].image)
        return {"geometric": label}


def _read(path: Path, n_classes: int) -> Pixels:
    values = read_matrix(path, "S")
    return look_up(np.where(values == -1, 0, values), void_first(n_classes), path)
