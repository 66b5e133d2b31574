"""Generated scenes: toys on a table, for a net to learn from within minutes.

What a toy is shows in its shape and texture: all classes share one set of colours, and
so does the clutter behind them. Where it is shows in fine boundaries, overlaps, and
sticks and poles a few pixels wide.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from PIL import Image

from .drawing import SPLITS, draw
from .files import DataError, Pixels
from .palettes import voc_palette
from .shapes import TOYS

__all__ = ["CLASSES", "draw", "write"]

CLASSES = ("background", *(toy.name for toy in TOYS))


def write(
    root: str | Path,
    n_train: int,
    n_val: int,
    size: tuple[int, int] = (96, 128),
    seed: int = 0,
) -> Path:
    """Draw scenes and write them in PASCAL VOC's layout, for :class:`Voc` to read.

    Args:
        root: the folder to write; scenes that are there already are replaced.
        n_train: scenes in ``train.txt``.
        n_val: scenes in ``val.txt``.
        size: (height, width) in pixels, at least 32 each.
        seed: scene i of a split depends on (seed, split, i) alone.

    Returns:
        ``root`` as a path.

    Raises:
        ValueError: a number is out of range.
        DataError: ``root`` holds something else than scenes.
    """
    root = Path(root)
    _check(root, n_train, n_val, size, seed)
    root.parent.mkdir(parents=True, exist_ok=True)
    # drawn in a new folder beside it, so that the root is there whole or not at all
    with tempfile.TemporaryDirectory(prefix=".scenes-", dir=root.parent) as new:
        drawn = Path(new) / "drawn"
        for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (drawn / folder).mkdir(parents=True)
        names = "\n".join(CLASSES) + "\n"
        (drawn / "classes.txt").write_text(names, encoding="utf-8")
        for split, n in zip(SPLITS, (n_train, n_val), strict=True):
            _write_split(drawn, split, n, size, seed)
        if root.exists():
            shutil.rmtree(root)
        drawn.rename(root)
    return root


def _write_split(
    root: Path, split: str, n: int, size: tuple[int, int], seed: int
) -> None:
    ids = [f"{split}_{index:04d}" for index in range(n)]
    for index, id in enumerate(ids):
        image, label = draw(size, seed, split, index)
        Image.fromarray(image).save(
            root / "JPEGImages" / f"{id}.jpg", quality=95, subsampling=0
        )
        _to_palette(label).save(root / "SegmentationClass" / f"{id}.png")
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    listed.write_text("\n".join(ids) + "\n", encoding="utf-8")


def _to_palette(label: Pixels) -> Image.Image:
    picture = Image.frombytes("P", label.shape[::-1], label.tobytes())
    picture.putpalette(voc_palette().tobytes())
    return picture


def _check(
    root: Path, n_train: int, n_val: int, size: tuple[int, int], seed: int
) -> None:
    if min(n_train, n_val) < 1:
        raise ValueError(
            f"n_train and n_val must be at least 1, not {n_train} and {n_val}"
        )
    if min(size) < 32:
        raise ValueError(f"size must be at least 32 x 32, not {size[0]} x {size[1]}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    if root.exists() and not _is_scenes(root):
        raise DataError(f"{root} exists and holds no generated scenes: name another")


def _is_scenes(root: Path) -> bool:
    if not root.is_dir():
        return False
    found, names = {path.name for path in root.iterdir()}, root / "classes.txt"
    if not found:
        return True
    if not found <= {"JPEGImages", "SegmentationClass", "ImageSets", names.name}:
        return False  # something of the user's own is in there too
    return names.is_file() and names.read_text(encoding="utf-8").split() == [*CLASSES]
