"""Cityscapes: streets of 50 cities, in folders of its own form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .classes import CITYSCAPES_CLASSES, CITYSCAPES_IDS
from .dataset import Pair, PairFiles, check_root, look_up
from .files import IGNORE, DataError, Pixels, read_label
from .palettes import cityscapes_palette

_N_IDS = 34  # 0 to 33; -1, the number plates, is never drawn


class Cityscapes(PairFiles):
    """Cityscapes in the 19 classes that are scored; the other ids read as 255.

    ``leftImg8bit/<split>/<city>/<id>_leftImg8bit.png`` and
    ``gtFine/<split>/<city>/<id>_gtFine_labelIds.png``. There are no lists: what is in
    the folder of a split belongs to it.

    Args:
        root: the folder that holds ``leftImg8bit`` and ``gtFine``.
        split: a folder in these, as "train" or "val".

    Raises:
        FileNotFoundError: the folder, that of the split or a label is missing.
        DataError: the folder of the split holds no images.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = check_root(root)
        folder = choose_folder(home / "leftImg8bit", split)
        images = sorted(folder.glob("*/*_leftImg8bit.png"))
        if not images:
            raise DataError(f"{folder} holds no images <city>/<id>_leftImg8bit.png")
        pairs = [_pair(home / "gtFine" / split, image) for image in images]
        super().__init__(pairs, CITYSCAPES_CLASSES, cityscapes_palette(), folder)
        self._table = np.full(_N_IDS, IGNORE, np.uint8)
        self._table[list(CITYSCAPES_IDS)] = range(len(CITYSCAPES_IDS))

    def read_label(self, path: Path) -> Pixels:
        """Read label ids and translate them to train ids: (H, W) uint8.

        Raises:
            DataError: a damaged file, or a value that is no label id.
        """
        return look_up(read_label(path), self._table, path)


def choose_folder(parent: Path, split: str) -> Path:
    """Return the folder ``parent/split``.

    Raises:
        FileNotFoundError: there is none; says which there are.
    """
    inside = parent.iterdir() if parent.is_dir() else ()
    present = sorted(path.name for path in inside if path.is_dir())
    if split in present:
        return parent / split
    raise FileNotFoundError(
        f"there is no folder {parent / split} for split {split!r}; "
        f"there are {', '.join(present) or 'none'}"
    )


def _pair(labels: Path, image: Path) -> Pair:
    id = image.name.removesuffix("_leftImg8bit.png")
    return Pair(id, image, labels / image.parent.name / f"{id}_gtFine_labelIds.png")
