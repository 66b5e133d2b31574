"""The checker's contact sheet: small pictures of the pairs, the bad ones framed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from minifcn.pictures import INK, RIM, WHITE, _font, colour, overlay

from .checking import Part, Report, Watch
from .dataset import Pair
from .files import IGNORE, DataError, Pixels, read_image, read_label
from .findings import ERROR, RULES, Finding

THUMB, GAP, TEXT = 160, 6, 13
ACROSS, PAIRS = 3, 36  # pairs side by side, pairs in all
RED, AMBER, PAPER = (200, 30, 30), (230, 150, 0), (238, 238, 238)
STRANGE = (255, 0, 255)  # magenta: a value that is no class


class Shown(NamedTuple):
    """A pair on the sheet, and the worst that was found of it."""

    part: Part
    pair: Pair
    finding: Finding | None


def draw(
    report: Report,
    watch: Callable[[str], Watch] = lambda title: iter,
    most: int = PAIRS,
) -> Pixels:
    """Draw pairs as image and label, at most ``most``, the bad ones first.

    A label lies over its image in colours. A red frame is an error, an amber one a
    warning; magenta is a value that is no class.

    Returns:
        (H, W, 3) uint8: at most ``ACROSS`` pairs wide, ``most / ACROSS`` high.

    Raises:
        DataError: no list could be opened, or all are empty.
    """
    shown = choose(report, most)
    if not shown:
        raise DataError(f"{report.root} has no pair to show on a contact sheet")
    width, height = 2 * THUMB + 3 * GAP, THUMB + 2 * TEXT + 3 * GAP
    columns, rows = min(ACROSS, len(shown)), -(-len(shown) // ACROSS)
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), WHITE)
    for k in watch("drawing")(range(len(shown))):
        corner = (GAP + k % ACROSS * width, GAP + k // ACROSS * height)
        _draw_pair(sheet, corner, shown[k])
    return np.asarray(sheet)


def choose(report: Report, most: int) -> list[Shown]:
    """Choose pairs: those with findings, errors first, then good ones evenly."""
    worst: dict[tuple[str | None, str | None], Finding] = {}
    for finding in sorted(report.findings, key=lambda f: f.level != ERROR):
        worst.setdefault((finding.split, finding.id), finding)
    pairs = [
        Shown(part, pair, worst.get((part.split, pair.id)))
        for part in report.parts.values()
        for pair in part.pairs
    ]
    bad = [pair for pair in pairs if pair.finding]
    bad.sort(key=lambda pair: pair.finding is None or pair.finding.level != ERROR)
    good = [pair for pair in pairs if not pair.finding]
    return bad[:most] + _evenly(good, max(most - len(bad), 0))


def _evenly(items: list[Shown], n: int) -> list[Shown]:
    if len(items) <= n:
        return items
    return [items[k * len(items) // n] for k in range(n)]


def _draw_pair(sheet: Image.Image, corner: tuple[int, int], shown: Shown) -> None:
    """Draw image, label, id and finding, with a frame round what is bad."""
    (x, y), line = corner, TEXT + 3
    pen = ImageDraw.Draw(sheet)
    for k, picture in enumerate(pictures(shown)):
        left = x + GAP // 2 + k * (THUMB + GAP)
        _place(sheet, (left, y + GAP // 2), picture)
    under = y + THUMB + GAP
    pen.text((x + GAP // 2, under), _fit(shown.pair.id), INK, _font(TEXT))
    if shown.finding:
        tone = RED if shown.finding.level == ERROR else AMBER
        title = _fit(RULES[shown.finding.rule].title)
        pen.text((x + GAP // 2, under + line), title, tone, _font(TEXT))
        end = (x + 2 * (THUMB + GAP), under + 2 * line)
        pen.rectangle((x - 2, y - 2, *end), None, tone, 3)


def _fit(text: str) -> str:
    """Cut a text to the width of a pair."""
    room, font = 2 * THUMB - GAP, _font(TEXT)
    if font.getlength(text) <= room:
        return text
    while font.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _place(sheet: Image.Image, corner: tuple[int, int], picture: Pixels | str) -> None:
    """Put a thumbnail, or a word where there is none, into its square."""
    x, y = corner
    square = (x, y, x + THUMB - 1, y + THUMB - 1)
    pen = ImageDraw.Draw(sheet)
    pen.rectangle(square, PAPER)
    if isinstance(picture, str):
        middle = (x + THUMB // 2, y + THUMB // 2)
        pen.text(middle, picture, RIM, _font(TEXT), "mm")
        return
    h, w, _ = picture.shape
    sheet.paste(Image.fromarray(picture), (x + (THUMB - w) // 2, y + (THUMB - h) // 2))


def pictures(shown: Shown) -> tuple[Pixels | str, Pixels | str]:
    """Return a pair's two thumbnails: the image, and its label on it."""
    image = _read(shown.pair.image)
    return (
        image if isinstance(image, str) else _thumb(image, Image.Resampling.BOX),
        _show_label(shown, None if isinstance(image, str) else image),
    )


def _read(path: Path) -> Pixels | str:
    try:
        return read_image(path)
    except FileNotFoundError:
        return "missing"
    except DataError:
        return "unreadable" if path.stat().st_size else "empty"


def _show_label(shown: Shown, image: Pixels | None) -> Pixels | str:
    """Lay the label over its image; show what there is where it is no label."""
    path, dataset = shown.pair.label, shown.part.dataset
    label = _read_any_label(shown)
    if label is None:
        picture = _read(path)
        return picture if isinstance(picture, str) else _thumb(picture)
    palette = np.full((IGNORE, 3), STRANGE, np.uint8)
    palette[: len(dataset.palette)] = dataset.palette
    small = _thumb(label)
    if image is None or image.shape[:2] != label.shape:
        return colour(small, palette)
    return overlay(_thumb(image, Image.Resampling.BOX), small, palette)


def _read_any_label(shown: Shown) -> Pixels | None:
    """Read a label, with values that are no class, too; None where there is none."""
    readers = (shown.part.dataset.read_label, read_label)
    for read in readers:
        try:
            return read(shown.pair.label)
        except (DataError, FileNotFoundError):
            continue
    return None


def _thumb(picture: Pixels, way: Image.Resampling = Image.Resampling.NEAREST) -> Pixels:
    """Scale a picture or label until it fills a thumbnail."""
    h, w = picture.shape[:2]
    factor = THUMB / max(h, w)
    size = max(round(w * factor), 1), max(round(h * factor), 1)
    if factor > 1:
        way = Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(picture).resize(size, way))
