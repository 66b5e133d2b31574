"""What a data set is, and the base of those whose pairs are files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .files import (
    IGNORE,
    DataError,
    Pixels,
    check_files,
    check_label,
    check_pair,
    open_picture,
    read_image,
    read_label,
)

VOC_MEAN_BGR = (104.00699, 116.66877, 122.67892)


class Dataset(Protocol):
    """Pairs of an image and its label, by number.

    Attributes:
        ids: one name per pair, for lists, messages and file names.
        class_names: one name per class.
        palette: (n_classes, 3) uint8, a colour per class.
        ignore_index: the label value of pixels that do not count.
        mean_bgr: what a net's input has subtracted, blue first, in 0 .. 255.
    """

    ids: list[str]
    class_names: list[str]
    palette: Pixels
    ignore_index: int
    mean_bgr: tuple[float, float, float]

    def __len__(self) -> int:
        """Return the number of pairs."""
        ...

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        """Return image (H, W, 3) RGB and label (H, W), both uint8."""
        ...


class Pair(NamedTuple):
    """The files of one sample."""

    id: str
    image: Path
    label: Path


class PairFiles:
    """A data set whose images and labels are files; pairs are read on demand.

    Args:
        pairs: the files.
        class_names: one name per class.
        palette: (n_classes, 3) uint8.
        source: what named the files, for messages.
        void: a label value that means "ignore" in these files and reads as 255.

    Attributes:
        extras: the names of what :meth:`extra` reads beside image and label.

    Raises:
        FileNotFoundError: files are missing (they are looked for, not read).
    """

    ignore_index = IGNORE
    mean_bgr: tuple[float, float, float] = VOC_MEAN_BGR
    extras: tuple[str, ...] = ()

    def __init__(
        self,
        pairs: Sequence[Pair],
        class_names: Sequence[str],
        palette: Pixels,
        source: object,
        void: int | None = None,
    ) -> None:
        check_files([path for pair in pairs for path in pair[1:]], source)
        self.pairs = list(pairs)
        self.source = source
        self.ids = [pair.id for pair in pairs]
        self.class_names = list(class_names)
        self.palette = palette
        self._void = void

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        """Read pair ``index``: image (H, W, 3) RGB and label (H, W), both uint8.

        Raises:
            DataError: a damaged file, unequal sizes, or a label value that is neither
                a class nor the ignore value.
        """
        _, image_path, label_path = self.pairs[index]
        image, label = read_image(image_path), self.read_label(label_path)
        check_pair(image, label, (image_path, label_path))
        return image, label

    def read_label(self, path: Path) -> Pixels:
        """Read a label file: class indices and 255, (H, W) uint8.

        A data set whose labels are no pictures of class indices overrides this.

        Raises:
            DataError: a damaged file, or a value that is neither class nor "ignore".
        """
        label = read_label(path)
        if self._void is not None:
            label[label == self._void] = IGNORE
        check_label(label, len(self.class_names), path)
        return label

    def extra(self, index: int) -> dict[str, NDArray[Any]]:
        """Read what pair ``index`` has beside image and label, of the same (H, W).

        Returns:
            An array for each name in ``extras``; none where a data set has no more.
        """
        return {}


def look_up(values: NDArray[Any], table: NDArray[np.uint8], name: object) -> Pixels:
    """Return ``table[values]``: the classes for the values that stand in a file.

    Args:
        values: (H, W) integers.
        table: a class, or 255 for "ignore", per value from 0 on.
        name: of the label, for the message.

    Raises:
        DataError: a value for which the table has none; says how often and where first.
    """
    bad = (values < 0) | (values >= len(table))
    if bad.any():
        row, column = np.unravel_index(bad.argmax(), bad.shape)
        value = values[row, column]
        raise DataError(
            f"label {name} holds the value {value} ({np.sum(values == value)} pixels, "
            f"the first in row {row}, column {column}, counted from 0): allowed are "
            f"0 to {len(table) - 1}"
        )
    return table[values]


def void_first(n_classes: int) -> Pixels:
    """Return the table for labels whose 0 is void and whose classes start at 1."""
    return np.array([IGNORE, *range(n_classes)], np.uint8)


def check_size(extra: NDArray[Any], path: Path, image: Path) -> None:
    """Check that what was read from ``path`` has the height and width of ``image``.

    Raises:
        DataError: it has not; names both files and both sizes.
    """
    with open_picture(image) as picture:  # the header alone
        width, height = picture.size
    if extra.shape[:2] != (height, width):
        raise DataError(
            f"image {image} is {width}x{height} and {path} is {extra.shape[1]}x"
            f"{extra.shape[0]} (width x height): they must be equal"
        )


def choose_list(folder: Path, split: str) -> Path:
    """Return the list ``folder/split.txt``.

    Raises:
        FileNotFoundError: there is none; says which there are.
    """
    path = folder / f"{split}.txt"
    if path.is_file() and Path(split).name == split:
        return path
    present = sorted(p.stem for p in folder.glob("*.txt") if p.stem != "classes")
    raise FileNotFoundError(
        f"there is no list {path} for split {split!r}; "
        f"there are {', '.join(present) or 'none'}"
    )


def check_root(root: str | Path) -> Path:
    """Return ``root`` as a path.

    Raises:
        FileNotFoundError: it does not exist.
        DataError: it is not a folder.
    """
    root = Path(root)
    if not root.exists():
        raise FileNotFoundError(f"there is no folder {root}")
    if not root.is_dir():
        raise DataError(f"{root} is a file: the folder of a data set is needed")
    return root
