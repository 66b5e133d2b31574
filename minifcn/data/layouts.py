"""Which reader a folder needs."""

from __future__ import annotations

import re
from pathlib import Path

from .camvid import CamVid
from .dataset import PairFiles, check_root
from .files import DataError
from .folder import Folder
from .voc import Voc

# CamVid's four sequences, with which all its ids begin.
_CAMVID_ID = re.compile(r"(0001TP|0006R0|0016E5|Seq05VD)_")


def open_dataset(root: str | Path, split: str = "train") -> PairFiles:
    """Open a data set with the reader that fits its layout.

    Args:
        root: a folder in the layout of PASCAL VOC (:class:`Voc`), CamVid
            (:class:`CamVid`) or with ``images``, ``labels`` and ``classes.txt``
            (:class:`Folder`).
        split: which part: "train", "val", or the name of another list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the layout is none of these, or the data set cannot be used.
    """
    return recognise(check_root(root))(root, split)


def recognise(root: Path) -> type[Voc] | type[CamVid] | type[Folder]:
    """Return the reader that fits the folder ``root``.

    Raises:
        DataError: none fits; says what each would need.
    """
    if any(
        _has(root, f"{top}JPEGImages") for top in ("", "VOC2*/", "VOCdevkit/VOC2*/")
    ):
        return Voc
    if _has(root, "*annot"):
        return CamVid
    if _has(root, "classes.txt"):
        return Folder
    if _has(root, "images") and _has_camvid_ids(root / "images"):
        return CamVid
    raise DataError(
        f"{root} is in none of the known layouts: PASCAL VOC (JPEGImages, "
        "SegmentationClass, ImageSets/Segmentation), CamVid (images, labels and "
        "train.txt; or train, trainannot and train.txt), or a folder of your own "
        "(images, labels and classes.txt with one class name a line)"
    )


def _has(root: Path, pattern: str) -> bool:
    return any(root.glob(pattern))


def _has_camvid_ids(images: Path) -> bool:
    return any(_CAMVID_ID.match(path.name) for path in images.iterdir())
