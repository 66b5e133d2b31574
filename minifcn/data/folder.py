"""A folder of one's own photographs and labels."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from .dataset import Pair, PairFiles, check_root, choose_list
from .files import (
    SUFFIXES,
    DataError,
    RepeatedError,
    check_inside,
    find_picture,
    read_class_names,
    read_list,
    refuse,
)
from .palettes import voc_palette


class Folder(PairFiles):
    """``images/<id>.<any>``, ``labels/<id>.png`` and ``classes.txt``.

    ``classes.txt`` has one class name a line: line 1 is value 0 of the labels, which
    are palette or grey PNGs; 255 is ignored. Where neither ``train.txt`` nor
    ``val.txt`` lists ids, every fifth image in sorted order is for validation.

    Args:
        root: the folder.
        split: "train", "val", or the name of a list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: a list or ``classes.txt`` that cannot be used.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        home = check_root(root)
        classes = read_class_names(home / "classes.txt")
        source, ids = _choose_ids(home, split)
        pairs = [
            Pair(id, find_picture(home / "images", id), home / "labels" / f"{id}.png")
            for id in ids
        ]
        super().__init__(pairs, classes, voc_palette(len(classes)), source)


def _choose_ids(home: Path, split: str) -> tuple[Path, list[str]]:
    lists = [home / "train.txt", home / "val.txt", home / f"{split}.txt"]
    if any(path.is_file() for path in lists) or split not in ("train", "val"):
        listed = choose_list(home, split)
        return listed, _read_ids(listed)
    return home / "images", _every_fifth(_list_images(home / "images"), home, split)


def _read_ids(listed: Path) -> list[str]:
    ids = [_without_suffix(check_inside(id, listed)) for id in read_list(listed)]
    if len(set(ids)) < len(ids):
        twice = next(id for id in ids if ids.count(id) > 1)
        refuse(RepeatedError(f"{listed} names {twice!r} twice"))
    return ids


def _every_fifth(ids: list[str], home: Path, split: str) -> list[str]:
    if len(ids) < 2:
        raise DataError(
            f"{home / 'images'} holds {len(ids)} images: at least 2 are needed, one "
            "to train on and one to validate"
        )
    return ids[::5] if split == "val" else [id for k, id in enumerate(ids) if k % 5]


def _list_images(folder: Path) -> list[str]:
    names = [path.name for path in check_root(folder).iterdir()]
    ids = sorted(_without_suffix(name) for name in names if _is_picture(name))
    for id, following in pairwise(ids):
        if id == following:
            refuse(RepeatedError(f"{folder} holds two pictures with the id {id!r}"))
    return ids


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _without_suffix(name: str) -> str:
    return name[: name.rindex(".")] if name.lower().endswith(SUFFIXES) else name
