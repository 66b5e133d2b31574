"""PASCAL-Context: VOC 2010's photographs with every pixel labelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .classes import CONTEXT_CLASSES, CONTEXT_RENAMES
from .dataset import Pair, PairFiles, check_root, choose_list, look_up
from .files import DataError, Pixels, check_inside, find_picture, read_lines, read_list
from .matlab import read_matrix
from .palettes import voc_palette
from .voc import find_home

NAMES = "labels.txt"


class PascalContext(PairFiles):
    """PASCAL-Context in its 59 classes and the background, which counts.

    ``trainval/<id>.mat`` (``LabelMap``, numbers of the several hundred classes that
    ``labels.txt`` names in lines like ``2: aeroplane``) with VOC 2010 beside them:
    ``VOC2010/JPEGImages`` and the lists of ``VOC2010/ImageSets/Main``, ``train`` and
    ``val`` (5,105 images). A list in the root itself goes before. The 59 are found by
    name; whatever else is labelled, and what is not, is background, class 0.

    Args:
        root: the folder that holds ``labels.txt``.
        split: name of the list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the list is empty, names an id twice, or one outside the folder; or
            ``labels.txt`` lacks one of the 59.
    """

    mean_bgr = (104.007, 116.669, 122.679)

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = check_root(root)
        self._table = _read_table(home / NAMES)
        voc = find_home(home)
        own = (home / f"{split}.txt").is_file() and f"{split}.txt" != NAMES
        listed = choose_list(home if own else voc / "ImageSets" / "Main", split)
        pairs = [_pair(home, voc, check_inside(id, listed)) for id in read_list(listed)]
        palette = voc_palette(len(CONTEXT_CLASSES))
        super().__init__(pairs, CONTEXT_CLASSES, palette, listed)

    def read_label(self, path: Path) -> Pixels:
        """Read ``LabelMap`` and translate it to the 60 classes: (H, W) uint8.

        Raises:
            DataError: a damaged file, or a number that ``labels.txt`` does not have.
        """
        return look_up(read_matrix(path, "LabelMap"), self._table, path)


def _read_table(path: Path) -> Pixels:
    """Return the class, 0 to 59, of every number in the full list."""
    numbers: dict[str, int] = {}
    for line in read_lines(path):
        number, colon, name = line.partition(":")
        if not (colon and number.strip().isdecimal() and len(number.strip()) < 5):
            raise DataError(f"{path} has the line {line!r}: a line is '2: aeroplane'")
        numbers[name.strip()] = int(number)
    table = np.zeros(max(numbers.values()) + 1, np.uint8)
    for index, name in enumerate(CONTEXT_CLASSES[1:], 1):
        full_name = CONTEXT_RENAMES.get(name, name)
        if full_name not in numbers:
            raise DataError(f"{path} has no class {full_name!r}")
        table[numbers[full_name]] = index
    return table


def _pair(home: Path, voc: Path, id: str) -> Pair:
    label = home / "trainval" / f"{id}.mat"
    return Pair(id, find_picture(voc / "JPEGImages", id), label)
