"""Pictures small enough to stand in a page, as ``data:`` addresses."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from numpy.typing import ArrayLike
from PIL import Image

from minifcn import pictures
from minifcn.data.files import Pixels, read_image

SIDE = 320
"""The longer side of a thumbnail, at most, in pixels."""

CHART_SIDE = 2000
"""The same of a chart, whose letters are to be read."""


def chart(path: Path) -> tuple[str, int]:
    """Return a chart that lies in a file, made smaller where it is huge, as PNG.

    Returns:
        Its address, and its width in pixels.

    Raises:
        FileNotFoundError, DataError: as of `read_image`.
    """
    picture = Image.fromarray(read_image(path))
    smaller = picture.resize(_size(picture, CHART_SIDE), Image.Resampling.LANCZOS)
    return _address(smaller, "PNG", optimize=True), smaller.width


def photograph(image: Pixels) -> str:
    """Return a photograph (H, W, 3), made smaller where it is larger, as JPEG."""
    picture = Image.fromarray(image)
    smaller = picture.resize(_size(picture), Image.Resampling.LANCZOS)
    return _address(smaller, "JPEG", quality=85)


def label(classes: Pixels, palette: ArrayLike) -> str:
    """Return a label (H, W) in its classes' colours, as PNG."""
    picture = Image.fromarray(classes)  # no class is mixed with another
    smaller = picture.resize(_size(picture), Image.Resampling.NEAREST)
    smaller.putpalette(pictures.full_palette(palette).tobytes())
    return _address(smaller, "PNG", optimize=True)


def _size(picture: Image.Image, longest: int = SIDE) -> tuple[int, int]:
    """Return width and height when the longer side is at most ``longest``."""
    factor = min(longest / max(picture.size), 1)
    width, height = (max(round(side * factor), 1) for side in picture.size)
    return width, height


def _address(picture: Image.Image, form: str, **options: int) -> str:
    file = io.BytesIO()
    picture.save(file, form, **options)
    text = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{form.lower()};base64,{text}"
