"""Which reader a folder needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .ade20k import Ade20k
from .camvid import CamVid
from .cityscapes import Cityscapes
from .context import PascalContext
from .dataset import PairFiles, check_root
from .files import DataError
from .folder import Folder
from .nyud import Nyud
from .sbd import Sbd
from .siftflow import SiftFlow
from .voc import Voc

Reader = Callable[[str | Path, str], PairFiles]


class _Layout(NamedTuple):
    """A layout: its reader, its signs (all of a group must be there), its words."""

    reader: Reader
    signs: tuple[tuple[str, ...], ...]
    words: str


_CAMVID = "CamVid (images, labels and train.txt; or train, trainannot and train.txt)"

# The first that fits is taken: those that contain another layout stand before it.
_LAYOUTS = (
    _Layout(
        PascalContext,
        (("labels.txt", "trainval"),),
        "PASCAL-Context (labels.txt, trainval, VOC2010)",
    ),
    _Layout(
        Sbd,
        (
            ("img", "cls"),
            ("dataset/img", "dataset/cls"),
            ("benchmark_RELEASE/dataset/img", "benchmark_RELEASE/dataset/cls"),
        ),
        "SBD (img, cls and train.txt)",
    ),
    _Layout(
        Voc,
        (("JPEGImages",), ("VOC2*/JPEGImages",), ("VOCdevkit/VOC2*/JPEGImages",)),
        "PASCAL VOC (JPEGImages, SegmentationClass, ImageSets/Segmentation)",
    ),
    _Layout(
        Nyud,
        (("data/images", "segmentation"),),
        "NYUDv2 (data/images, segmentation and train.txt)",
    ),
    _Layout(
        SiftFlow,
        (("SemanticLabels",),),
        "SIFT Flow (Images, SemanticLabels, GeoLabels and trainval.txt)",
    ),
    _Layout(Cityscapes, (("leftImg8bit",),), "Cityscapes (leftImg8bit, gtFine)"),
    _Layout(
        Ade20k,
        (
            ("annotations/training",),
            ("annotations/validation",),
            ("ADEChallengeData2016",),
        ),
        "ADE20K (images and annotations, each with training and validation)",
    ),
    _Layout(CamVid, (("*annot",),), _CAMVID),
    _Layout(
        Folder,
        (("classes.txt",),),
        "a folder of your own (images, labels and classes.txt with one class name a "
        "line)",
    ),
    # CamVid's four sequences, with which all its ids begin
    _Layout(
        CamVid,
        tuple((f"images/{id}_*",) for id in ("0001TP", "0006R0", "0016E5", "Seq05VD")),
        _CAMVID,
    ),
)


def open_dataset(root: str | Path, split: str = "train") -> PairFiles:
    """Open a data set with the reader that fits its layout.

    Args:
        root: a folder in the layout of PASCAL VOC (:class:`Voc`), :class:`Sbd`,
            :class:`PascalContext`, NYUDv2 (:class:`Nyud`), :class:`SiftFlow`,
            :class:`CamVid`, :class:`Cityscapes` or :class:`Ade20k`, or with ``images``,
            ``labels`` and ``classes.txt`` (:class:`Folder`).
        split: which part: "train", "val", or the name of another list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the layout is none of these, or the data set cannot be used.
    """
    return recognise(check_root(root))(root, split)


def recognise(root: Path) -> Reader:
    """Return the reader that fits the folder ``root``.

    Raises:
        DataError: none fits; says what each would need.
    """
    for layout in _LAYOUTS:
        if any(all(_has(root, sign) for sign in signs) for signs in layout.signs):
            return layout.reader
    *known, last = dict.fromkeys(layout.words for layout in _LAYOUTS)
    raise DataError(
        f"{root} is in none of the known layouts: {', '.join(known)}, or {last}"
    )


def _has(root: Path, pattern: str) -> bool:
    return any(root.glob(pattern))
