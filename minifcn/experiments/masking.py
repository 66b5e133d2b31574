"""Images whose things, or whose ground, are masked; and copies of data sets of such.

Class 0 is the ground, every other class a thing. What is masked has the mean colour,
which is 0 once a net's input has the mean subtracted:

background    the things stand on plain ground
foreground    things are plain shapes; what is around them is as it was
both          a silhouette: things are white, all the rest has the mean colour

Pixels to ignore, which VOC has all around its objects, belong to neither and may show
both: they are masked in all three. Labels stay as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from minifcn.data import IGNORE, VOC_MEAN_BGR, PairFiles
from minifcn.data.files import Pixels
from minifcn.training.progress import bar

MASKS = ("background", "foreground", "both")
GROUND = 0
WHITE = 255
_FAST = 1  # of zlib's levels: files a tenth larger, written in a third of the time


def things_of(label: Pixels) -> NDArray[np.bool_]:
    """Mark the pixels of things, (H, W)."""
    return (label != GROUND) & (label != IGNORE)


def masked(
    image: Pixels,
    label: Pixels,
    mask: str,
    mean_bgr: tuple[float, float, float] = VOC_MEAN_BGR,
) -> Pixels:
    """Return an image (H, W, 3) with what ``mask`` names masked, as its label says.

    Raises:
        ValueError: ``mask`` is none of MASKS.
    """
    things, ground = things_of(label), label == GROUND
    all_of_it = np.ones_like(things)
    hidden = {"background": ~things, "foreground": ~ground, "both": all_of_it}
    if mask not in hidden:
        raise ValueError(f"mask is {mask!r}; it must be one of {', '.join(MASKS)}")
    y = image.copy()
    y[hidden[mask]] = np.rint(mean_bgr[::-1])  # RGB
    if mask == "both":
        y[things] = WHITE
    return y


def write(path: Path, splits: Mapping[str, PairFiles], mask: str) -> Path:
    """Write masked copies in VOC's layout, unless the folder is there.

    Args:
        path: the folder; one that is there is whole, and is left as it is.
        splits: the data sets by the names that their lists shall have. An id that
            stands in two of them is one image.
        mask: one of MASKS.

    Returns:
        ``path``.
    """
    if path.is_dir():
        return path
    with tempfile.TemporaryDirectory(prefix=".masked-", dir=path.parent) as new:
        home = Path(new) / "masked"
        lists = home / "ImageSets" / "Segmentation"
        lists.mkdir(parents=True)
        for split, dataset in splits.items():
            _write_split(home, dataset, mask)
            _write_lines(lists / f"{split}.txt", dataset.ids)
            _write_lines(home / "classes.txt", dataset.class_names)
        home.rename(path)
    return path


def _write_split(home: Path, dataset: PairFiles, mask: str) -> None:
    for index in bar(f"masking {mask}")(range(len(dataset))):
        image, label = dataset[index]
        hidden = masked(image, label, mask, dataset.mean_bgr)
        name = f"{dataset.ids[index]}.png"
        _save(home / "JPEGImages" / name, hidden)  # PNG, which keeps masks sharp
        _save(home / "SegmentationClass" / name, label)


def _save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)  # an id may hold folders
    Image.fromarray(pixels).save(path, compress_level=_FAST)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
