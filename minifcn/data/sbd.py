"""SBD, the Semantic Boundaries Dataset: VOC's photographs with many more labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .dataset import Pair, PairFiles, check_root, choose_list, look_up
from .files import Pixels, check_inside, find_picture, read_list
from .matlab import read_matrix
from .palettes import VOC_CLASSES, voc_palette


class Sbd(PairFiles):
    """SBD (Hariharan et al. 2011), with VOC's 21 classes.

    ``img/<id>.jpg``, ``cls/<id>.mat`` (``GTcls.Segmentation``, 0 to 20; nothing is
    ignored) and lists beside them: ``train.txt`` names 8,498 images. Long et al. train
    on these and validate on ``seg11valid``, the 736 of VOC 2011's ``val`` that are not
    among them. VOC's own labels are the truth for these: a list that lies in a VOC
    folder beneath the root, as in ``VOC2011/ImageSets/Segmentation/seg11valid.txt``,
    takes images and labels from that folder.

    Args:
        root: the folder that holds ``img`` and ``cls``, or the ``benchmark_RELEASE``
            above it.
        split: name of the list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the list is empty, names an id twice, or one outside the folder.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = find_home(check_root(root))
        listed = _find_list(home, Path(root), split)
        ids = [check_inside(id, listed) for id in read_list(listed)]
        if listed.parent == home:
            pairs = [_pair(home, id) for id in ids]
        else:  # VOC2011/ImageSets/Segmentation/seg11valid.txt: three folders above
            pairs = [_voc_pair(listed.parents[2], id) for id in ids]
        super().__init__(pairs, VOC_CLASSES, voc_palette(len(VOC_CLASSES)), listed)

    def read_label(self, path: Path) -> Pixels:
        """Read ``GTcls.Segmentation``, or a picture of VOC: (H, W) uint8.

        Raises:
            DataError: a damaged file, or a value that is neither class nor "ignore".
        """
        if path.suffix != ".mat":
            return super().read_label(path)
        values = read_matrix(path, "GTcls", "Segmentation")
        return look_up(values, np.arange(len(VOC_CLASSES), dtype=np.uint8), path)


def find_home(root: Path) -> Path:
    """Return the folder with ``img`` and ``cls``: ``root`` or one below it.

    Raises:
        FileNotFoundError: there is none.
    """
    for home in (root, root / "dataset", root / "benchmark_RELEASE" / "dataset"):
        if (home / "img").is_dir() and (home / "cls").is_dir():
            return home
    raise FileNotFoundError(f"there are no folders img and cls in {root}")


def _find_list(home: Path, root: Path, split: str) -> Path:
    if not (home / f"{split}.txt").is_file() and Path(split).name == split:
        lists = f"VOC2*/ImageSets/Segmentation/{split}.txt"
        found = sorted([*root.glob(lists), *root.glob(f"VOCdevkit/{lists}")])
        if found:
            return found[-1]
    return choose_list(home, split)


def _pair(home: Path, id: str) -> Pair:
    return Pair(id, find_picture(home / "img", id), home / "cls" / f"{id}.mat")


def _voc_pair(voc: Path, id: str) -> Pair:
    label = voc / "SegmentationClass" / f"{id}.png"
    return Pair(id, find_picture(voc / "JPEGImages", id), label)
