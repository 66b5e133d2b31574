"""PASCAL VOC: VOCdevkit's layout, as VOC2012 unpacks."""

from __future__ import annotations

from pathlib import Path

from .dataset import Pair, PairFiles, check_root, choose_list
from .files import check_inside, find_picture, read_class_names, read_list
from .palettes import VOC_CLASSES, voc_palette


class Voc(PairFiles):
    """PASCAL VOC segmentation, or any data set in its layout.

    ``JPEGImages/<id>.jpg``, ``SegmentationClass/<id>.png`` (a palette PNG whose 255 is
    the border between objects) and ``ImageSets/Segmentation/<split>.txt``. A
    ``classes.txt`` beside them replaces VOC's 21 class names.

    Args:
        root: the folder that holds ``JPEGImages``, or the ``VOCdevkit`` above it.
        split: name of the list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the list is empty, names an id twice, or one outside the folder.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = find_home(check_root(root))
        listed = choose_list(home / "ImageSets" / "Segmentation", split)
        names = home / "classes.txt"
        classes = read_class_names(names) if names.is_file() else VOC_CLASSES
        pairs = [_pair(home, check_inside(id, listed)) for id in read_list(listed)]
        super().__init__(pairs, classes, voc_palette(len(classes)), listed)


def find_home(root: Path) -> Path:
    """Return the folder with ``JPEGImages``: ``root`` or the last VOC year below it.

    Raises:
        FileNotFoundError: there is none.
    """
    below = sorted([*root.glob("VOC2*"), *root.glob("VOCdevkit/VOC2*")])
    for home in [root, *reversed(below)]:
        if (home / "JPEGImages").is_dir():
            return home
    raise FileNotFoundError(f"there is no folder JPEGImages in {root}")


def _pair(home: Path, id: str) -> Pair:
    label = home / "SegmentationClass" / f"{id}.png"
    return Pair(id, find_picture(home / "JPEGImages", id), label)
