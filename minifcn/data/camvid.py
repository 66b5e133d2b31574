"""CamVid road scenes, in SegNet's form: 11 classes, and 11 itself for void."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from .dataset import Pair, PairFiles, check_root, choose_list
from .files import (
    DataError,
    RepeatedError,
    check_inside,
    find_picture,
    read_list,
    refuse,
)
from .palettes import CAMVID_CLASSES, camvid_palette

VOID = 11


class CamVid(PairFiles):
    """CamVid; void is mapped to 255 when a label is read.

    Two layouts: ``images/<id>.jpg`` and ``labels/<id>.png`` with a list of ids, or
    SegNet's ``train/<id>.png`` and ``trainannot/<id>.png`` with lists of lines
    ``/SegNet/CamVid/train/<id>.png /SegNet/CamVid/trainannot/<id>.png``.

    Args:
        root: the folder that holds ``train.txt``.
        split: name of the list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the list is empty, names an id twice, or one outside the folder.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = check_root(root)
        listed = choose_list(home, split)
        pairs = [_pair(home, line, listed) for line in read_list(listed)]
        _check_once([pair.id for pair in pairs], listed)
        super().__init__(pairs, CAMVID_CLASSES, camvid_palette(), listed, void=VOID)


def _pair(home: Path, line: str, listed: Path) -> Pair:
    files = line.split()
    if len(files) == 1:
        id = check_inside(files[0], listed)
        label = home / "labels" / f"{id}.png"
        return Pair(id, find_picture(home / "images", id), label)
    if len(files) == 2:
        image, label = (_last_two(home, file, listed) for file in files)
        return Pair(image.stem, image, label)
    raise DataError(f"{listed} has the line {line!r}: one id or two files are allowed")


def _last_two(home: Path, file: str, listed: Path) -> Path:
    # the folders before the last belong to the machine on which the list was made
    return home / check_inside("/".join(file.split("/")[-2:]), listed)


def _check_once(ids: list[str], listed: Path) -> None:
    id, count = Counter(ids).most_common(1)[0]
    if count > 1:
        refuse(RepeatedError(f"{listed} names {id!r} {count} times"))
