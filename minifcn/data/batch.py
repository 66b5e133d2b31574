"""From pictures to what a net takes: float32, blue first, mean at zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .dataset import VOC_MEAN_BGR
from .files import IGNORE, Pixels


class Batch(NamedTuple):
    """Samples side by side.

    Attributes:
        x: (N, 3, H, W) float32, blue first, mean subtracted; padding is 0, the mean.
        target: (N, H, W) uint8 class indices; padding is the ignore value.
        ids: N names.
        sizes: (height, width) of each sample before padding.
    """

    x: NDArray[np.float32]
    target: NDArray[np.uint8]
    ids: list[str]
    sizes: list[tuple[int, int]]


def to_input(
    image: Pixels,
    mean_bgr: tuple[float, float, float] = VOC_MEAN_BGR,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return an image as a net takes it: x[c] = image[:, :, 2 - c] - mean_bgr[c].

    Args:
        image: (H, W, 3) uint8, red first.
        mean_bgr: subtracted, blue first, in 0 .. 255.
        out: written to and returned where given.

    Returns:
        (3, H, W) float32.
    """
    if out is None:
        out = np.empty((3, *image.shape[:2]), np.float32)
    for channel, mean in enumerate(mean_bgr):
        # Converted while it is subtracted: no float copy of the image in between.
        np.subtract(image[:, :, 2 - channel], np.float32(mean), out=out[channel])
    return out


def collate(
    samples: Sequence[tuple[Pixels, Pixels]],
    mean_bgr: tuple[float, float, float] = VOC_MEAN_BGR,
    ignore_index: int = IGNORE,
    ids: Sequence[str] = (),
) -> Batch:
    """Put samples into one batch, padded at the bottom and right to the largest.

    Args:
        samples: images (h, w, 3) and labels (h, w); sizes may differ.
        mean_bgr: as for :func:`to_input`.
        ignore_index: label of the padding.
        ids: names of the samples.

    Raises:
        ValueError: no samples.
    """
    if not samples:
        raise ValueError("a batch needs at least one sample")
    sizes = [label.shape for _, label in samples]
    height, width = (max(axis) for axis in zip(*sizes, strict=True))
    x = np.zeros((len(samples), 3, height, width), np.float32)  # 0: the mean
    target = np.full((len(samples), height, width), ignore_index, np.uint8)
    for n, (image, label) in enumerate(samples):
        h, w = label.shape
        to_input(image, mean_bgr, out=x[n, :, :h, :w])
        target[n, :h, :w] = label
    return Batch(x, target, list(ids), sizes)
