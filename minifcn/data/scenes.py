"""Generated scenes: toys on a table, for a net to learn from within minutes.

What a toy is shows in its shape and texture: all classes share one set of colours, and
so does the clutter behind them. Where it is shows in fine boundaries, overlaps, and
sticks and poles a few pixels wide.
"""

from __future__ import annotations

import shutil
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
    beside = root.with_name(root.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (beside / folder).mkdir(parents=True)
    (beside / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    for split, n in zip(SPLITS, (n_train, n_val), strict=True):
        _write_split(beside, split, n, size, seed)
    if root.exists():
        shutil.rmtree(root)
    beside.rename(root)
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
    names = root / "classes.txt"
    if not root.is_dir() or not any(root.iterdir()):
        return root.is_dir()
    return names.is_file() and names.read_text(encoding="utf-8").split() == [*CLASSES]
