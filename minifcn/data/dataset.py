"""What a data set is, and the base of those whose pairs are files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from .files import (
    IGNORE,
    DataError,
    Pixels,
    check_files,
    check_label,
    check_pair,
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

    Raises:
        FileNotFoundError: files are missing (they are looked for, not read).
    """

    ignore_index = IGNORE
    mean_bgr: tuple[float, float, float] = VOC_MEAN_BGR

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

        Raises:
            DataError: a damaged file, or a value that is neither class nor "ignore".
        """
        label = read_label(path)
        if self._void is not None:
            label[label == self._void] = IGNORE
        check_label(label, len(self.class_names), path)
        return label


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
