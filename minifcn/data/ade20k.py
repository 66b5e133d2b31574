"""ADE20K in the form of its scene parsing benchmark, ADEChallengeData2016."""

from __future__ import annotations

from pathlib import Path

from .cityscapes import choose_folder
from .classes import ADE20K_CLASSES
from .dataset import Pair, PairFiles, check_root, look_up, void_first
from .files import DataError, Pixels, read_label
from .palettes import ade20k_palette

SPLITS = {"train": "training", "val": "validation"}


class Ade20k(PairFiles):
    """ADE20K in 150 classes; 0 in its files is "other objects" and reads as 255.

    ``images/training/<id>.jpg`` and ``annotations/training/<id>.png``, and the same
    under ``validation``. There are no lists: what is in the folder of a split belongs
    to it.

    Args:
        root: the folder that holds ``images`` and ``annotations``, or the one above it.
        split: "train", "val", or the name of a folder.

    Raises:
        FileNotFoundError: the folder, that of the split or a label is missing.
        DataError: the folder of the split holds no images.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = check_root(root)
        if (home / "ADEChallengeData2016").is_dir():
            home = home / "ADEChallengeData2016"
        split = SPLITS.get(split, split)
        folder = choose_folder(home / "images", split)
        images = sorted(folder.glob("*.jpg"))
        if not images:
            raise DataError(f"{folder} holds no images <id>.jpg")
        labels = home / "annotations" / split
        pairs = [
            Pair(image.stem, image, labels / f"{image.stem}.png") for image in images
        ]
        super().__init__(pairs, ADE20K_CLASSES, ade20k_palette(), folder)

    def read_label(self, path: Path) -> Pixels:
        """Read a label; 0 reads as 255 and k as k - 1: (H, W) uint8.

        Raises:
            DataError: a damaged file, or a value above 150.
        """
        return look_up(read_label(path), void_first(len(ADE20K_CLASSES)), path)
