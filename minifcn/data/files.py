"""Photographs, labels and lists on disk: read whole and checked, or refused."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

IGNORE = 255
MAX_PIXELS = 1 << 26
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm")
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "GIF")

# What Pillow raises for files that end early or hold something else.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_LABEL_FORM = (
    "a label is a one-channel PNG (palette or grey) whose pixel values are class "
    f"indices, with {IGNORE} for pixels to ignore"
)


class DataError(ValueError):
    """A data set, list or picture that cannot be used; says which and why."""


class RepeatedError(DataError):
    """An entry that stands twice where each may stand once."""


class OutsideError(DataError):
    """An entry that leads out of the data set's folder."""


_noted: ContextVar[list[Exception] | None] = ContextVar("noted", default=None)


def refuse(error: DataError | FileNotFoundError) -> None:
    """Raise ``error``; within :func:`forgiving`, note it and go on."""
    noted = _noted.get()
    if noted is None:
        raise error
    noted.append(error)


@contextmanager
def forgiving() -> Iterator[list[Exception]]:
    """Give a list in which :func:`refuse` notes errors while the block runs."""
    noted: list[Exception] = []
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


def read_image(path: str | Path) -> Pixels:
    """Read a photograph as RGB.

    Grey, palette, 16-bit grey and CMYK pictures are converted; transparency is
    dropped; the EXIF orientation is left alone, so that labels keep fitting.

    Args:
        path: a JPEG, PNG, BMP, TIFF, WebP, PPM or GIF file.

    Returns:
        (H, W, 3) uint8, red first.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: no picture, a damaged one, or one of over ``MAX_PIXELS`` pixels.
    """
    with open_picture(path) as picture:
        return _decode(path, lambda: np.array(_to_rgb(picture)))


def read_label(path: str | Path) -> Pixels:
    """Read a label picture as class indices, palette or grey.

    Returns:
        (H, W) uint8, the values as they stand in the file.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: as for :func:`read_image`, or the picture has colours for classes,
            is a JPEG (whose compression changes values), or exceeds 255.
    """
    with open_picture(path) as picture:
        _check_label_form(path, picture)
        values = _decode(path, lambda: np.array(picture))
    if values.size and not 0 <= values.min() <= values.max() <= IGNORE:
        bad = values.max() if values.max() > IGNORE else values.min()
        raise DataError(f"label {path} holds the value {bad}: {_LABEL_FORM}")
    return values.astype(np.uint8, copy=False)


def open_picture(path: str | Path) -> Image.Image:
    """Open a picture, reading its header only; size ``.size`` is (width, height).

    Raises:
        FileNotFoundError: there is no such file.
        DataError: no picture, or one of over ``MAX_PIXELS`` pixels.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        picture = Image.open(path, formats=FORMATS)
    except _BOMB as error:
        raise _too_large(path, str(error)) from None
    except _BROKEN as error:
        raise DataError(f"{path} is not a readable picture: {error}") from None
    width, height = picture.size
    if width * height > MAX_PIXELS:
        picture.close()
        raise _too_large(path, f"its header says {width}x{height}")
    return picture


def check_pair(image: Pixels, label: Pixels, names: tuple[object, object]) -> None:
    """Check that an image and its label have the same height and width.

    Raises:
        DataError: they have not; names both files and both sizes.
    """
    if image.shape[:2] == label.shape:
        return
    sizes = [f"{a.shape[1]}x{a.shape[0]}" for a in (image, label)]
    raise DataError(
        f"image {names[0]} is {sizes[0]} and its label {names[1]} is {sizes[1]} "
        "(width x height): they must be equal"
    )


def check_label(label: Pixels, n_values: int, name: object) -> None:
    """Check that a label holds nothing but 0 .. ``n_values`` - 1 and 255.

    Raises:
        DataError: another value; names it, how often and where first.
    """
    bad = (label >= n_values) & (label != IGNORE)
    if not bad.any():
        return
    row, column = np.unravel_index(bad.argmax(), bad.shape)
    value = label[row, column]
    raise DataError(
        f"label {name} holds the value {value} ({np.sum(label == value)} pixels, the "
        f"first in row {row}, column {column}, counted from 0): allowed are "
        f"0 to {n_values - 1} and {IGNORE} (ignore)"
    )


def read_lines(path: str | Path) -> list[str]:
    """Read a text file's lines, stripped, without the blank ones at its end.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: not UTF-8 text, or nothing in it.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        text = Path(path).read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file in UTF-8") from None
    if not text:
        raise DataError(f"{path} is empty: it needs one entry a line")
    return [line.strip() for line in text.splitlines()]


def read_list(path: str | Path) -> list[str]:
    """Read a list of entries, one a line; blank lines do not count.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: an empty list, or an entry that stands in it twice.
    """
    first: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        if line in first:
            lines = f"lines {first[line]} and {number}"
            refuse(RepeatedError(f"{path} names {line!r} twice ({lines})"))
        elif line:
            first[line] = number
    return list(first)


def read_class_names(path: str | Path) -> list[str]:
    """Read class names, one a line: line 1 is class 0.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: fewer than 2 or more than 255 names, a blank line between them,
            or a name that stands there twice.
    """
    lines = read_lines(path)
    if "" in lines:
        raise DataError(f"{path} has no class name on line {lines.index('') + 1}")
    names = read_list(path)
    if not 2 <= len(names) <= IGNORE:
        raise DataError(
            f"{path} has {len(names)} class names: 2 to {IGNORE} are allowed "
            "(the background counts as a class)"
        )
    return names


def check_inside(entry: str, source: object) -> str:
    """Return ``entry``, a relative path, if it stays in its folder.

    Raises:
        DataError: an absolute path or one with ``..``; names ``source``.
    """
    rooted = PurePosixPath(entry).is_absolute() or re.match(r"[A-Za-z]:|\\", entry)
    if rooted or ".." in re.split(r"[/\\]", entry):
        reason = "which leaves the data set's folder"
        refuse(OutsideError(f"{source} names {entry!r}, {reason}"))
    return entry


def check_files(paths: Sequence[Path], source: object) -> None:
    """Check that all files exist, without reading them.

    Raises:
        FileNotFoundError: names the first three that do not, and how many.
    """
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        more = ", ..." if len(missing) > 3 else ""
        found = f"{len(missing)} of {len(paths)} files named by {source} are missing: "
        refuse(FileNotFoundError(found + ", ".join(missing[:3]) + more))


def find_picture(folder: Path, stem: str) -> Path:
    """Return the picture ``stem`` with whichever suffix it has in ``folder``.

    Returns ``folder/stem.jpg`` when there is none, for the message that it is missing.
    """
    endings = [*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)]
    candidates = (folder / (stem + ending) for ending in endings)
    return next((c for c in candidates if c.is_file()), folder / (stem + ".jpg"))


def _decode(path: str | Path, produce: Callable[[], NDArray]) -> NDArray:
    try:
        return produce()
    except _BROKEN as error:
        raise DataError(f"{path} is damaged or cut short: {error}") from None


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16-bit grey: the high byte is the brightness
        high = np.clip(np.asarray(picture) >> 8, 0, 255).astype(np.uint8)
        picture = Image.fromarray(high)
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def _check_label_form(path: str | Path, picture: Image.Image) -> None:
    if picture.format == "JPEG":
        found = "is a JPEG, whose compression changes values"
    elif picture.mode not in ("P", "L", "1", "I", "I;16", "I;16B"):
        found = f"is a colour picture ({picture.mode})"
    else:
        return
    raise DataError(f"label {path} {found}: {_LABEL_FORM}")


def _too_large(path: str | Path, found: str) -> DataError:
    return DataError(
        f"{path} is too large to decode safely ({found}): at most "
        f"{MAX_PIXELS / 1e6:.0f} million pixels are allowed"
    )
