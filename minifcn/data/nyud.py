"""NYUDv2: rooms in colour and depth, 40 classes, as Gupta et al. prepared them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classes import NYUD_CLASSES
from .dataset import (
    Pair,
    PairFiles,
    check_root,
    check_size,
    choose_list,
    look_up,
    void_first,
)
from .files import (
    DataError,
    Pixels,
    check_files,
    check_inside,
    open_picture,
    read_image,
    read_list,
)
from .matlab import read_matrix
from .palettes import voc_palette

# What Long et al. subtract: from HHA, whose channels stay in the order of the file, and
# from the natural logarithm of the depth.
MEAN_HHA = (132.431, 94.076, 118.477)
MEAN_LOG_DEPTH = 7.844
EXTRAS = ("hha", "depth")


class Nyud(PairFiles):
    """NYUDv2 in 40 classes, with HHA and depth as further inputs where they are there.

    ``data/images/img_<id>.png``, ``segmentation/img_<id>.mat`` (``segmentation``, 0 for
    void and 1 to 40), ``data/hha/img_<id>.png``, ``data/depth/img_<id>.png`` (16 bits)
    and lists ``train.txt`` (381), ``val.txt`` (414), ``test.txt`` (654). ``extra``
    gives what of these folders is there:

    - "hha": (H, W, 3) uint8, horizontal disparity, height above ground and angle with
      gravity (Gupta et al. 2014), as it stands in the file; a net takes
      hha - ``MEAN_HHA``.
    - "depth": (H, W) float32, as it stands in the file; a net takes
      log(depth) - ``MEAN_LOG_DEPTH``.

    Args:
        root: the folder that holds ``segmentation``.
        split: name of the list.

    Raises:
        FileNotFoundError: the folder, the list or a file that it names is missing.
        DataError: the list is empty, names an id twice, or one outside the folder.
    """

    mean_bgr = (116.190, 97.203, 92.318)

    def __init__(self, root: str | Path, split: str = "train") -> None:
        self._home = check_root(root)
        listed = choose_list(self._home, split)
        ids = [check_inside(id, listed) for id in read_list(listed)]
        labels = [self._home / "segmentation" / f"img_{id}.mat" for id in ids]
        pairs = [
            Pair(id, self._picture("images", id), label)
            for id, label in zip(ids, labels, strict=True)
        ]
        super().__init__(pairs, NYUD_CLASSES, voc_palette(len(NYUD_CLASSES)), listed)
        here = [name for name in EXTRAS if (self._home / "data" / name).is_dir()]
        check_files([self._picture(name, id) for name in here for id in ids], listed)
        self.extras = tuple(here)

    def read_label(self, path: Path) -> Pixels:
        """Read ``segmentation``; 0 is void and reads as 255: (H, W) uint8.

        Raises:
            DataError: a damaged file, or a value above 40.
        """
        values = read_matrix(path, "segmentation")
        return look_up(values, void_first(len(NYUD_CLASSES)), path)

    def extra(self, index: int) -> dict[str, NDArray[Any]]:
        """Read "hha" (H, W, 3) uint8 and "depth" (H, W) float32 of pair ``index``.

        Raises:
            DataError: a damaged file, or a size that is not the photograph's.
        """
        id, image_path, _ = self.pairs[index]
        arrays: dict[str, NDArray[Any]] = {}
        for name in self.extras:
            path = self._picture(name, id)
            arrays[name] = read_image(path) if name == "hha" else read_depth(path)
            check_size(arrays[name], path, image_path)
        return arrays

    def _picture(self, kind: str, id: str) -> Path:
        return self._home / "data" / kind / f"img_{id}.png"


def read_depth(path: Path) -> NDArray[np.float32]:
    """Read a depth picture, grey of 8 or 16 bits: (H, W) float32.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: no picture, a damaged one, one in colours, or too large.
    """
    with open_picture(path) as picture:
        if picture.format == "JPEG" or picture.mode not in ("L", "I", "I;16", "I;16B"):
            found = f"{picture.format}, {picture.mode}"
            raise DataError(f"depth {path} is no PNG of one grey channel ({found})")
        try:
            return np.array(picture).astype(np.float32)
        except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
            raise DataError(f"{path} is damaged or cut short: {error}") from None
