"""What a net saw, made visible: labels in colour, rows to compare, curves, confusion.

Pixels are RGB, (H, W, 3) uint8; labels are class indices, (H, W), with 255 for pixels
that do not count. Everything is put together with Pillow; charts, which matplotlib
draws, come from charts.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from minifcn.arrays import Array, array_module, contiguous, on_cpu
from minifcn.charts import confusion_picture, curves
from minifcn.cuda import Kernels
from minifcn.data.files import IGNORE, Pixels
from minifcn.data.palettes import voc_palette
from minifcn.files import replacing

__all__ = [
    "colour",
    "confusion_picture",
    "curves",
    "grid",
    "legend",
    "overlay",
    "save_image",
    "save_label",
    "voc_palette",
]

KERNELS = Kernels(__file__)

WHITE, INK, RIM = (255, 255, 255), (32, 33, 36), (160, 160, 160)
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


# ------------------------------------------------------------------ labels in colour


def full_palette(palette: ArrayLike) -> Pixels:
    """All 256 colours, (256, 3): the palette's own first, PASCAL VOC's behind them.

    The last, of pixels that do not count, is VOC's cream, (224, 224, 192).
    Raises ValueError for what is no palette (n, 3).
    """
    own = np.asarray(palette)
    if own.ndim != 2 or own.shape[1] != 3 or not 1 <= len(own) <= 256:
        raise ValueError(f"palette must be (n, 3), n up to 256, not {own.shape}")
    full = voc_palette()
    full[: len(own)] = own
    full[IGNORE] = voc_palette()[IGNORE]
    return full


def colour(label: ArrayLike, palette: ArrayLike) -> Pixels:
    """Paint a label (H, W) in its classes' colours, (H, W, 3).

    A label on a device is painted there, and so is the answer.

    Raises:
        ValueError: a label that is no (H, W), or has a value that is neither a colour
            of the palette nor 255.
    """
    full, values = full_palette(palette), _label(label, len(np.asarray(palette)))
    return full[values] if on_cpu(values) else _paint(values, full)


def _paint(label: Array, palette: Pixels) -> Array:
    """Paint a label on its device."""
    xp = array_module(label)
    y = xp.empty((*label.shape, 3), np.uint8)
    KERNELS.paint(y.size, label, xp.asarray(palette), y, label.size)
    return y


def overlay(
    image: ArrayLike, label: ArrayLike, palette: ArrayLike, alpha: float = 0.5
) -> Pixels:
    """Lay a label's colours over its photograph, (H, W, 3).

        y = (1 - alpha) image + alpha colour

    A class whose colour is black (VOC's background) leaves the photograph as it is.
    Regions are outlined, a pixel wide, in nearly their full colour (0.85 of it).

    Raises:
        ValueError: sizes that differ, an alpha outside 0 .. 1, or as for `colour`.
    """
    photo, colours = _image(image), colour(label, palette)
    if photo.shape != colours.shape:
        raise ValueError(
            f"image and label must have one size, not {photo.shape[1]}x"
            f"{photo.shape[0]} and {colours.shape[1]}x{colours.shape[0]} "
            "(width x height)"
        )
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be 0 to 1, not {alpha}")
    weight = np.where(_outline(np.asarray(label)), max(alpha, 0.85), alpha)
    weight *= colours.any(axis=2)
    step = weight.astype(np.float32)[..., None] * (colours - photo.astype(np.float32))
    return np.rint(photo + step).astype(np.uint8)


def save_label(path: str | Path, label: ArrayLike, palette: ArrayLike) -> None:
    """Write a label as a palette PNG, as PASCAL VOC's are: values and colours.

    Raises:
        ValueError: as for `colour`, or a path that does not end in .png.
    """
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"a label is written as .png, which keeps its values: {path}")
    values = _label(label, len(np.asarray(palette)))
    picture = Image.fromarray(values)
    picture.putpalette(full_palette(palette).tobytes())
    with replacing(path) as file:
        picture.save(file, "PNG", optimize=True)


def save_image(path: str | Path, image: ArrayLike) -> None:
    """Write RGB pixels (H, W, 3) as .png or .jpg, by the path's ending.

    Raises:
        ValueError: another ending, or no RGB picture.
    """
    form = FORMATS.get(Path(path).suffix.lower())
    if form is None:
        raise ValueError(f"pictures are written as .png or .jpg, not as {path}")
    with replacing(path) as file:
        Image.fromarray(_image(image)).save(file, form, quality=95)


def _image(image: ArrayLike) -> Pixels:
    """Return `image` as an array, if it is RGB."""
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"an image must be (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}"
        )
    return pixels


def _label(label: Any, n_colours: int) -> Pixels:
    """Return `label` as (H, W) uint8, if there is a colour for each of its values."""
    values = np.asarray(label) if on_cpu(label) else label
    if values.ndim != 2 or values.dtype.kind not in "iu":
        raise ValueError(
            f"a label must be (H, W) integers, not {values.shape} {values.dtype}"
        )
    strange = ((values < 0) | (values >= n_colours)) & (values != IGNORE)
    if strange.any():
        raise ValueError(
            f"the label holds {values[strange][0]}, for which the palette of "
            f"{n_colours} has no colour"
        )
    return contiguous(values.astype(np.uint8, copy=False))


def _outline(label: NDArray) -> NDArray[np.bool_]:
    """Mark the pixels that have a neighbour (of four) of another class, (H, W)."""
    edge = np.zeros(label.shape, bool)
    down, right = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


# ----------------------------------------------------------------- rows to compare


def legend(
    class_names: Sequence[str],
    palette: ArrayLike,
    present: Iterable[int] | None = None,
    width: int = 640,
    text_size: int = 16,
) -> Pixels:
    """Draw the classes' colours and names in columns, (H, width, 3).

    Args:
        class_names: one name per class.
        palette: (n, 3), a colour per class.
        present: the classes to show, such as ``np.unique(label)``; 255 shows as
            "not counted". All classes if None.
        width: in pixels; grows where one long name needs more.
        text_size: height of the letters' line, in pixels.

    Raises:
        ValueError: a class in `present` that has no name.
    """
    shown = _shown(class_names, present)
    colours, font = full_palette(palette), _font(text_size)
    line, gap = round(1.6 * text_size), text_size // 2
    longest = max((font.getlength(name) for _, name in shown), default=0)
    column = math.ceil(longest) + line + 3 * gap
    columns = min(max(width // column, 1), max(len(shown), 1))
    depth = math.ceil(len(shown) / columns)
    sheet = Image.new("RGB", (max(width, column), max(depth, 1) * line), WHITE)
    draw = ImageDraw.Draw(sheet)
    for k, (index, name) in enumerate(shown):
        x, y = k // depth * column, k % depth * line
        box = (x, y + gap // 2, x + line, y + line - gap // 2)
        draw.rectangle(box, tuple(colours[index].tolist()), RIM)
        draw.text((x + line + gap, y + line / 2), name, INK, font, "lm")
    return np.asarray(sheet)


def grid(
    rows: Sequence[Sequence[ArrayLike | None]],
    titles: Sequence[str] = (),
    class_names: Sequence[str] = (),
    palette: ArrayLike | None = None,
    present: Iterable[int] | None = None,
    cell: int = 320,
) -> Pixels:
    """Set pictures in rows and columns, with a title over each column.

    Args:
        rows: RGB pictures of any sizes, or None for an empty place.
        titles: one per column, or none at all.
        class_names: with them, a legend stands below; see `legend`.
        palette: (n, 3), the legend's colours (VOC's if None).
        present: the classes in the legend.
        cell: the longer side of every picture in pixels: photographs are scaled
            smoothly, smaller pictures enlarged pixel by pixel.

    Returns:
        (H, W, 3) uint8, on white.

    Raises:
        ValueError: no picture, or titles that are not as many as the columns.
    """
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise ValueError("a grid needs at least one picture")
    if titles and len(titles) != columns:
        raise ValueError(
            f"a grid of {columns} columns needs as many titles, not {len(titles)}"
        )
    gap, text = max(cell // 40, 2), max(cell // 14, 9)
    bands = [_title_band(titles, cell, gap, text)] if titles else []
    bands += [_picture_band(row, columns, cell, gap) for row in rows]
    if class_names:
        colours = voc_palette() if palette is None else palette
        width = columns * (cell + gap) - gap
        bands.append(legend(class_names, colours, present, width, round(0.8 * text)))
    return _stack(bands, gap)


def _shown(
    class_names: Sequence[str], present: Iterable[int] | None
) -> list[tuple[int, str]]:
    """List the (index, name) pairs of a legend, in the order of the classes."""
    names = dict(enumerate(class_names))
    wanted = list(names) if present is None else sorted({int(c) for c in present})
    names.setdefault(IGNORE, "not counted")
    unknown = [c for c in wanted if c not in names]
    if unknown:
        raise ValueError(
            f"class {unknown[0]} has no name: there are {len(class_names)} class names"
        )
    return [(c, names[c]) for c in wanted]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Load the letters that matplotlib brings along, `size` pixels high."""
    import matplotlib

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(str(path), size)


def _title_band(titles: Sequence[str], cell: int, gap: int, text: int) -> Pixels:
    """Write titles side by side, each over the middle of its column."""
    width = len(titles) * (cell + gap) - gap
    sheet = Image.new("RGB", (width, round(1.3 * text)), WHITE)
    draw = ImageDraw.Draw(sheet)
    for k, title in enumerate(titles):
        size = text
        while size > 6 and _font(size).getlength(title) > cell:
            size -= 1
        middle = (k * (cell + gap) + cell / 2, sheet.height / 2)
        draw.text(middle, title, INK, _font(size), "mm")
    return np.asarray(sheet)


def _picture_band(
    row: Sequence[ArrayLike | None], columns: int, cell: int, gap: int
) -> Pixels:
    """Set one row's pictures side by side, each in the middle of its place."""
    fitted = [None if image is None else _fit(_image(image), cell) for image in row]
    height = max((f.shape[0] for f in fitted if f is not None), default=cell)
    band = np.full((height, columns * (cell + gap) - gap, 3), WHITE, np.uint8)
    for k, picture in enumerate(fitted):
        if picture is not None:
            h, w, _ = picture.shape
            y, x = (height - h) // 2, k * (cell + gap) + (cell - w) // 2
            band[y : y + h, x : x + w] = picture
    return band


def _fit(image: Pixels, cell: int) -> Pixels:
    """Scale a picture until its longer side is `cell`."""
    h, w, _ = image.shape
    factor = cell / max(h, w)
    size = max(round(w * factor), 1), max(round(h * factor), 1)
    way = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image).resize(size, way))


def _stack(bands: Sequence[Pixels], gap: int) -> Pixels:
    """Set bands of pixels below each other, flush left, with a margin all around."""
    width = max(band.shape[1] for band in bands) + 2 * gap
    height = sum(len(band) + gap for band in bands) + gap
    sheet = np.full((height, width, 3), WHITE, np.uint8)
    y = gap
    for band in bands:
        sheet[y : y + len(band), gap : gap + band.shape[1]] = band
        y += len(band) + gap
    return sheet
