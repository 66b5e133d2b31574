"""Random mirror, scale, crop and shift of an image together with its label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from .files import IGNORE, Pixels

VOC_MEAN_RGB = (123, 117, 104)


class _Window(NamedTuple):
    """One axis of a crop.

    ``start`` and ``size`` are the part of the scaled image that is seen, of ``full``
    pixels in all; ``before`` is how much padding precedes it in the ``out`` pixels.
    """

    full: int
    start: int
    size: int
    before: int
    out: int

    def source(self, n: int) -> tuple[float, float]:
        """Return where the window begins and ends in the unscaled ``n`` pixels."""
        return self.start * n / self.full, (self.start + self.size) * n / self.full


class Augment:
    """Random mirror, scale, crop and shift, the same for image and label.

    Args:
        mirror: swap left and right of every second sample.
        scale: lowest and highest factor, drawn uniformly. Images are resized
            bilinearly (with antialiasing when shrinking), labels by nearest
            neighbour.
        crop: (height, width) or one int of a crop at a random place, the size of what
            is returned. A smaller image is placed at random in it, padded with
            ``fill``, its label with 255. None keeps the whole image.
        fill: the RGB colour of padding; the default is VOC's mean.
        jitter: shift what came out by up to so many pixels down or up, and right or
            left; what moves in is padding. Long et al. 2015, section 4.3: up to 32.

    Raises:
        ValueError: a scale that is not 0 < lowest <= highest, a crop below 1, or a
            jitter below 0.
    """

    def __init__(
        self,
        mirror: bool = False,
        scale: tuple[float, float] = (1.0, 1.0),
        crop: int | tuple[int, int] | None = None,
        fill: tuple[int, int, int] = VOC_MEAN_RGB,
        jitter: int = 0,
    ) -> None:
        if not 0 < scale[0] <= scale[1] < np.inf:
            raise ValueError(f"scale must be (low, high) with 0 < low <= high: {scale}")
        self.mirror = mirror
        self.scale = scale
        self.crop = (crop, crop) if isinstance(crop, int) else crop
        self.fill = fill
        self.jitter = jitter
        if self.crop is not None and min(self.crop) < 1:
            raise ValueError(f"crop must be at least 1 x 1, not {crop}")
        if jitter < 0:
            raise ValueError(f"jitter must be at least 0 pixels, not {jitter}")

    def __call__(
        self, image: Pixels, label: Pixels, rng: np.random.Generator
    ) -> tuple[Pixels, Pixels]:
        """Return an augmented image and label; those given stay as they are.

        Args:
            image: (H, W, 3) uint8.
            label: (H, W) uint8.
            rng: everything random comes from it: the mirror, the factor, the crop's
                row, the crop's column, the shift down, the shift right, in this order.
        """
        step = -1 if self.mirror and rng.random() < 0.5 else 1  # −1: mirrored
        factor = rng.uniform(*self.scale)
        windows = [
            _choose(n, factor, self.crop and self.crop[axis], rng)
            for axis, n in enumerate(label.shape)
        ]
        image = _view(image, windows, Image.Resampling.BILINEAR, self.fill)
        label = _view(label, windows, Image.Resampling.NEAREST, IGNORE)
        image, label = image[:, ::step], label[:, ::step]
        if not self.jitter:
            return image, label
        # integers(2n + 1): 0 .. 2n
        by = [int(rng.integers(2 * self.jitter + 1)) - self.jitter for _ in range(2)]
        return _shift(image, by, self.fill), _shift(label, by, IGNORE)


def _choose(
    n: int, factor: float, crop: int | None, rng: np.random.Generator
) -> _Window:
    full = max(1, round(n * factor))
    out = full if crop is None else crop
    # One draw for both: where to cut a larger image, or to lay a smaller one.
    slack = int(rng.integers(abs(full - out) + 1))
    if full < out:
        return _Window(full, 0, full, slack, out)
    return _Window(full, slack, out, 0, out)


def _view(
    pixels: Pixels,
    windows: list[_Window],
    resampling: Image.Resampling,
    fill: int | tuple[int, int, int],
) -> Pixels:
    seen = _resize(pixels, windows, resampling)
    rows, columns = windows
    if (rows.out, columns.out) == seen.shape[:2]:  # nothing to pad
        return seen
    view = np.empty((rows.out, columns.out, *pixels.shape[2:]), np.uint8)
    view[:] = fill
    view[
        rows.before : rows.before + rows.size,
        columns.before : columns.before + columns.size,
    ] = seen
    return view


def _shift(pixels: Pixels, by: list[int], fill: int | tuple[int, int, int]) -> Pixels:
    """Move pixels down and right by `by`; where none come from, put `fill`."""
    shifted = np.empty_like(pixels)
    shifted[:] = fill
    (to_rows, rows), (to_columns, columns) = map(_overlap, pixels.shape, by)
    shifted[to_rows, to_columns] = pixels[rows, columns]
    return shifted


def _overlap(n: int, by: int) -> tuple[slice, slice]:
    """Return where of n pixels those stay that do not move out, and where they were."""
    by = max(-n, min(by, n))  # further than out nothing moves
    return slice(max(by, 0), n + min(by, 0)), slice(max(-by, 0), n - max(by, 0))


def _resize(
    pixels: Pixels, windows: list[_Window], resampling: Image.Resampling
) -> Pixels:
    # Unscaled pixels are cut as they are, not resampled.
    if all(w.full == n for w, n in zip(windows, pixels.shape, strict=False)):
        rows, columns = (slice(w.start, w.start + w.size) for w in windows)
        return pixels[rows, columns]
    top, bottom = windows[0].source(pixels.shape[0])
    left, right = windows[1].source(pixels.shape[1])
    size = (windows[1].size, windows[0].size)  # Pillow's order: width first
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    # box: only what is seen is scaled.
    return np.asarray(picture.resize(size, resampling, box=(left, top, right, bottom)))
