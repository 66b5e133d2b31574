"""The checker: reads a whole data set, goes on after each bad file, and tells all.

One pair at a time is in memory; of the others it keeps ids, sizes and fingerprints.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .dataset import Pair, PairFiles, check_root
from .files import (
    IGNORE,
    SUFFIXES,
    DataError,
    OutsideError,
    Pixels,
    RepeatedError,
    forgiving,
    open_picture,
    read_image,
    read_label,
)
from .findings import ERROR, WARNING, Finding
from .layouts import open_dataset, recognise
from .palettes import CAMVID_CLASSES, VOC_CLASSES, camvid_palette, voc_palette
from .voc import Voc

__all__ = ["Part", "Report", "check"]

Watch = Callable[[Iterable[int]], Iterable[int]]

UPRIGHT, ORIENTATION = 1, 0x0112  # EXIF
LOSSY = {
    "CMYK": "is CMYK, made for printing",
    "YCbCr": "is YCbCr",
    "LAB": "is Lab",
    "HSV": "is HSV",
    "RGBA": "has transparency",
    "LA": "has transparency",
    "F": "has floating-point values",
}
# Distinct values from which a one-channel "label" is rather a photograph.
MANY_VALUES = 32


@dataclass
class Part:
    """What was found in one list.

    Attributes:
        split: its name.
        dataset: the reader, opened although files may be missing.
        pairs: the pairs that it lists, each once.
        sizes: how many images have which (height, width).
        pixels: (256,) how many pixels have which value; 255 is "ignore".
        read: labels that could be read.
        strays: values that are no class.
    """

    split: str
    dataset: PairFiles
    pairs: list[Pair]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    pixels: Any = field(default_factory=lambda: np.zeros(256, np.int64))
    read: int = 0
    strays: set[int] = field(default_factory=set)

    def figures(self) -> dict[str, Any]:
        """Counts, sizes (height, width) by area, and shares of the pixels."""
        n, by_area = len(self.dataset.class_names), sorted(self.sizes, key=np.prod)
        common, count = self.sizes.most_common(1)[0] if by_area else ((), 0)
        shares = self.pixels[:n] / max(self.pixels[:n].sum(), 1)
        return {
            "images": len(self.pairs),
            "labels_read": self.read,
            "smallest": list(by_area[0]) if by_area else None,
            "largest": list(by_area[-1]) if by_area else None,
            "commonest": list(common) or None,
            "commonest_images": count,
            "ignored": float(self.pixels[IGNORE] / max(self.pixels.sum(), 1)),
            "classes": dict(zip(self.dataset.class_names, shares.tolist())),
        }


@dataclass
class Report:
    """All that the checker found.

    Attributes:
        root: the data set's folder.
        layout: name of the reader that fits it.
        parts: what each list holds, by its name.
        findings: what is wrong, or may be, in the order of the search.
    """

    root: Path
    layout: str
    parts: dict[str, Part] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def of_level(self, level: str) -> list[Finding]:
        """Return the errors, or the warnings."""
        return [finding for finding in self.findings if finding.level == level]

    @property
    def errors(self) -> list[Finding]:
        """What keeps the data set from being read."""
        return self.of_level(ERROR)

    @property
    def warnings(self) -> list[Finding]:
        """What can be read, and should be looked at."""
        return self.of_level(WARNING)

    def add(
        self, rule: str, file: object, what: object, split: Any = None, id: Any = None
    ) -> None:
        """Note a finding, once."""
        finding = Finding(rule, self.below(file), str(what), split, id)
        if finding not in self.findings[-8:]:
            self.findings.append(finding)

    def below(self, file: object) -> str:
        """Return a path as seen from the data set's folder."""
        path = Path(str(file))
        inside = path.is_relative_to(self.root)
        return (path.relative_to(self.root) if inside else path).as_posix()


def check(
    root: str | Path,
    split: str | None = None,
    watch: Callable[[str], Watch] = lambda title: iter,
) -> Report:
    """Read every image and label, and return what is wrong with them.

    Args:
        root: the data set's folder.
        split: which list; both train and val if None.
        watch: gives for a title what wraps a loop, such as a progress bar.

    Raises:
        FileNotFoundError: there is no such folder or list.
        DataError: the layout is none of the known.
    """
    home = check_root(root)
    recognise(home)
    report = Report(home, "")
    splits = [split] if split else ["train", "val"]
    absent = [error for name in splits if (error := _open(report, name))]
    if len(absent) == len(splits):
        raise absent[0]
    for part in report.parts.values():
        for index in watch(f"reading {part.split}")(range(len(part.pairs))):
            PairCheck(report, part, part.pairs[index]).run()
    for rule in (_meet, _miss_classes, _count_from_one, _compare_names, _leave_out):
        rule(report)
    return report


# ---------------------------------------------------------------------------- lists


def _open(report: Report, split: str) -> FileNotFoundError | None:
    """Open a list in spite of what is wrong with it; return why there is none."""
    try:
        with forgiving() as noted:
            dataset = open_dataset(report.root, split)
    except FileNotFoundError as error:
        report.add("no-list", f"{split}.txt", _without(error, report.root), split)
        return error
    except DataError as error:
        report.add("list", ".", _without(error, report.root), None)
        return None
    report.layout = type(dataset).__name__
    pairs = {pair.id: pair for pair in reversed(dataset.pairs)}
    for refused in noted:
        if isinstance(refused, RepeatedError | OutsideError):
            rule = "outside" if isinstance(refused, OutsideError) else "repeated"
            what = _without(refused, report.root, dataset.source)
            report.add(rule, dataset.source, what, split)
    if any(isinstance(refused, OutsideError) for refused in noted):
        pairs = {k: pair for k, pair in pairs.items() if _is_inside(report.root, pair)}
    listed = [pairs[id] for id in dict.fromkeys(dataset.ids) if id in pairs]
    report.parts[split] = Part(split, dataset, listed)
    return None


def _is_inside(root: Path, pair: Pair) -> bool:
    home = os.path.abspath(root)
    return all(Path(os.path.abspath(p)).is_relative_to(home) for p in pair[1:])


def _without(error: Exception, root: Path, *files: object) -> str:
    """Return what an error says, without the paths that are said anyway."""
    text = str(error)
    for file in files:
        text = text.replace(f"label {file} ", "").replace(f"{file} ", "")
    return text.replace(f"{root}{os.sep}", "")


# ---------------------------------------------------------------------------- pairs


class Look(NamedTuple):
    """What a picture's header says."""

    format: str | None
    mode: str
    orientation: int
    palette: Pixels | None


def _look(path: Path) -> Look:
    """Read a picture's header.

    Raises:
        DataError: no picture.
    """
    with open_picture(path) as picture:
        colours = picture.getpalette() if picture.mode == "P" else None
        palette = None if colours is None else np.array(colours, np.uint8)
        turned = _orientation(picture)
        rows = None if palette is None else palette.reshape(-1, 3)
        return Look(picture.format, picture.mode, turned, rows)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ORIENTATION, UPRIGHT))
    except Exception:  # a damaged mark turns nothing
        return UPRIGHT


class PairCheck:
    """The rules for one image and its label."""

    def __init__(self, report: Report, part: Part, pair: Pair) -> None:
        self.report, self.part, self.pair = report, part, pair
        self.n = len(part.dataset.class_names)
        # whether a value in the file is the class itself
        self.is_plain = type(part.dataset).read_label is PairFiles.read_label

    def run(self) -> None:
        """Read both files as far as they can be read, and note what is wrong."""
        if not self.are_there():
            return
        image = None if self.is_empty(self.pair.image) else self.read_image()
        label = None if self.is_empty(self.pair.label) else self.read_label(image)
        if image is not None:
            self.part.sizes[image.shape[:2]] += 1
        if label is not None:
            self.count(label)
            if image is not None:
                self.compare(image, label)

    def add(self, rule: str, path: Path, what: object) -> None:
        """Note a finding of this pair."""
        self.report.add(rule, path, what, self.part.split, self.pair.id)

    def are_there(self) -> bool:
        """Look for both files, and for what may stand in their place."""
        absent = [path for path in self.pair[1:] if not path.is_file()]
        if len(absent) == 2 and self.pair.id.lower().endswith(SUFFIXES):
            self.add("suffix", Path(str(self.part.dataset.source)), self.pair.id)
            return False
        for path in absent:
            near = _nearest(path)
            if near and Path(near).stem != path.stem:
                self.add("case", path, f"the file is called {near}")
            else:
                self.add("missing", path, f"there is {near}" if near else "not there")
        return not absent

    def is_empty(self, path: Path) -> bool:
        """Say whether a file has no bytes."""
        if path.stat().st_size:
            return False
        self.add("empty", path, "0 bytes")
        return True

    def read_image(self) -> Pixels | None:
        """Read the photograph, and see whether it is what it should be."""
        path = self.pair.image
        try:
            look, image = _look(path), read_image(path)
        except DataError as error:
            self.add("damaged", path, _without(error, self.report.root, path))
            return None
        if look.orientation != UPRIGHT:
            self.add("turned", path, f"orientation {look.orientation}, upright is 1")
        if look.mode in LOSSY or look.mode.startswith("I"):
            self.add("depth", path, LOSSY.get(look.mode, "has more than 8 bits"))
        return image

    def read_label(self, image: Pixels | None) -> Pixels | None:
        """Read the label, or say why it is none."""
        path = self.pair.label
        try:
            label = self.part.dataset.read_label(path)
        except DataError as error:
            what = _without(error, self.report.root, path).partition(": a label")[0]
            self.explain(path, what, image)
            return None
        self.judge_header(path, _look_or_none(path))
        return label

    def explain(self, path: Path, what: str, image: Pixels | None) -> None:
        """Find which rule an unreadable label breaks."""
        try:
            look, picture = _look(path), read_image(path)
        except DataError:
            return self.add("damaged", path, what)
        one_channel = look.mode in ("P", "L", "1") and look.format != "JPEG"
        photograph = (
            self.are_strays_many(path) if one_channel else _is_photograph(picture)
        )
        if photograph and image is not None and self.is_drawing(image):
            self.add("swapped", path, f"{self.report.below(self.pair.image)} and it")
        elif photograph:
            self.add("photograph", path, what)
        elif look.format == "JPEG":
            self.add("jpeg", path, what)
        elif one_channel or look.mode.startswith("I"):
            self.add("stray", path, what)
        else:
            self.add("colours", path, f"{what} of {_colours(picture)} colours")

    def are_strays_many(self, path: Path) -> bool:
        """Note the values of a label with strays; say whether it is a photograph."""
        values = np.bincount(read_label(path).ravel(), minlength=256)
        strays = {int(v) for v in np.flatnonzero(values[self.n : IGNORE]) + self.n}
        if len(strays) > MANY_VALUES:
            return True
        if self.is_plain:
            self.part.strays |= strays
            self.part.pixels += values
        return False

    def judge_header(self, path: Path, look: Look | None) -> None:
        """See whether a label's palette and format are its set's own."""
        if look is None:
            return
        if look.format == "GIF":
            self.add("gif", path, "a GIF, whatever its name says")
        if look.palette is not None and self.is_plain:
            rule, what = _judge_palette(look.palette, self.part.dataset)
            if rule:
                self.add(rule, path, what)

    def count(self, label: Pixels) -> None:
        """Count a good label's values."""
        values = np.bincount(label.ravel(), minlength=256)
        self.part.pixels += values
        self.part.read += 1
        if values[IGNORE] == label.size:
            self.add("void", self.pair.label, f"{label.size} pixels of the value 255")
        elif values[0] == label.size:
            self.add("blank", self.pair.label, f"{label.size} pixels of the value 0")

    def compare(self, image: Pixels, label: Pixels) -> None:
        """Compare an image with its label."""
        (h, w), (lh, lw) = image.shape[:2], label.shape
        if (h, w) != (lh, lw):
            turned = ", turned by a quarter" if (h, w) == (lw, lh) else ""
            what = f"{lw}x{lh} (width x height), and its image is {w}x{h}{turned}"
            self.add("size", self.pair.label, what)
        elif self.is_drawing(image):
            self.add("drawing", self.pair.image, f"{_colours(image)} colours")

    def is_drawing(self, image: Pixels) -> bool:
        """Say whether an image has as few colours as a label has values."""
        step = max(int(np.sqrt(image.shape[0] * image.shape[1] / 4096)), 1)
        few = self.n + 1
        if _colours(image[::step, ::step]) > few or image.size // 3 <= few:
            return False
        return 1 < _colours(image) <= few


def _look_or_none(path: Path) -> Look | None:
    try:
        return _look(path)
    except DataError:  # a label of another kind, which its reader understood
        return None


def _colours(image: Pixels) -> int:
    """Count an image's distinct colours."""
    red, green, blue = np.moveaxis(image.astype(np.uint32), 2, 0)
    return len(np.unique(red << 16 | green << 8 | blue))


def _is_photograph(image: Pixels) -> bool:
    # compressed labels have a few hundred colours, photographs tens of thousands
    return _colours(image) > 256 + image.shape[0] * image.shape[1] // 20


def _judge_palette(found: Pixels, dataset: PairFiles) -> tuple[str, str]:
    """Compare a label's palette with its set's, shifted, and with those of others."""
    own = dataset.palette
    n = min(len(own), len(found))
    if n < 3 or np.array_equal(found[:n], own[:n]):
        return "", ""
    if np.array_equal(found[: n - 1], own[1:n]):
        return "shifted", "each index has the colour of the class behind it"
    if np.array_equal(found[1:n], own[: n - 1]):
        return "shifted", "each index has the colour of the class before it"
    for name, classes, colours in _published():
        other = classes != dataset.class_names
        if other and np.array_equal(found[: len(colours)], colours):
            return "palette", f"its colours are those of {name}"
    return "", ""


@lru_cache
def _published() -> list[tuple[str, list[str], Pixels]]:
    return [
        ("PASCAL VOC", VOC_CLASSES, voc_palette(len(VOC_CLASSES))),
        ("CamVid", CAMVID_CLASSES, camvid_palette()),
    ]


def _nearest(path: Path) -> str | None:
    """Return the file that differs from ``path`` in case or suffix alone."""
    names = _names(path.parent)
    low = path.name.lower()
    same = [name for name in names if name.lower() == low]
    stem = path.stem.lower()
    near = [n for n in names if n.lower().endswith(SUFFIXES)]
    same += [name for name in near if Path(name).stem.lower() == stem]
    return same[0] if same else None


def _names(folder: Path) -> list[str]:
    """List a folder's files by name; none where there is no folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.is_dir()]
    return sorted(name for name in names if not name.startswith("."))


# -------------------------------------------------------------------- the whole set


def _meet(report: Report) -> None:
    """Find photographs that stand in two lists, or twice in one."""
    first: dict[str, tuple[str, Pair]] = {}
    prints: dict[bytes, tuple[str, Pair]] = {}
    for part in report.parts.values():
        for pair in part.pairs:
            here = (part.split, pair)
            there = first.setdefault(pair.id, here)
            if there is not here:
                what = f"in {there[0]} and in {part.split}"
                report.add("overlap", pair.image, what, part.split, pair.id)
                continue
            there = prints.setdefault(_fingerprint(pair.image), here)
            if there is not here:
                rule = "copies" if there[0] == part.split else "across"
                what = f"as {report.below(there[1].image)} in {there[0]}"
                report.add(rule, pair.image, what, part.split, pair.id)


def _fingerprint(path: Path) -> bytes:
    """Return a short sum of a file's bytes; of its name where it has none."""
    if not path.is_file() or not path.stat().st_size:
        return str(path).encode()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _miss_classes(report: Report) -> None:
    """Find classes without a pixel, where every label could be read."""
    parts = list(report.parts.values())
    if not parts or any(part.read < len(part.pairs) for part in parts):
        return
    names = parts[0].dataset.class_names
    counted = sum(part.pixels for part in parts)[: len(names)]
    absent = [name for name, pixels in zip(names, counted) if not pixels]
    if absent:
        what = f"{len(absent)} of {len(names)} classes: {', '.join(absent)}"
        report.add("absent", ".", what)


def _count_from_one(report: Report) -> None:
    """Find labels whose first class is 1."""
    for part in report.parts.values():
        n = len(part.dataset.class_names)
        if part.strays and not part.pixels[0] and max(part.strays) <= n + 1:
            what = f"value 0 in no label of {part.split}, value {n} in some"
            report.add("off-by-one", ".", what, part.split)


def _folders(report: Report, k: int) -> dict[Path, list[Pair]]:
    """Group all pairs by the folder of their image (k = 1) or label (k = 2)."""
    groups: dict[Path, list[Pair]] = {}
    for part in report.parts.values():
        for pair in part.pairs:
            groups.setdefault(pair[k].parent, []).append(pair)  # type: ignore[union-attr]
    return groups


def _compare_names(report: Report) -> None:
    """Find names that are one but for their case, or but for their suffix."""
    labels = {pair.label for part in report.parts.values() for pair in part.pairs}
    images = _folders(report, 1)
    for folder in dict.fromkeys([*images, *_folders(report, 2)]):
        by_name: dict[str, str] = {}
        by_stem: dict[str, str] = {}
        for name in _names(folder):
            twin = by_name.setdefault(name.lower(), name)
            if twin != name:
                report.add("twins", folder / name, f"and {twin}")
            elif folder in images and folder / name not in labels:
                other = by_stem.setdefault(Path(name).stem, name)
                if other != name and name.lower().endswith(SUFFIXES):
                    report.add("ambiguous", folder / name, f"and {other}")


def _leave_out(report: Report) -> None:
    """Find pictures and labels that no list names."""
    if any(f.rule in ("list", "outside") for f in report.findings):
        return
    listed = _listed(report)
    for k in (1, 2):
        if k == 1 and report.layout == Voc.__name__:
            continue  # most of VOC's photographs have no label
        for folder, pairs in _folders(report, k).items():
            tails = tuple({_tail(pair[k], pair.image.stem) for pair in pairs})  # type: ignore[arg-type]
            ends = SUFFIXES if k == 1 else tails
            names = [n for n in _names(folder) if n.lower().endswith(ends)]
            alone = [n for n in names if folder / n not in listed]
            if alone:
                more = ", ..." if len(alone) > 3 else ""
                what = f"{len(alone)} of {len(names)}: {', '.join(alone[:3])}{more}"
                report.add("unlisted", folder, what)


def _tail(label: Path, stem: str) -> str:
    """Return what a label's name has behind its image's: ".png", "_seg.png"."""
    name = label.name
    return (name[len(stem) :] if name.startswith(stem) else label.suffix).lower()


def _listed(report: Report) -> set[Path]:
    """Return the files that any list names, those included that were not checked."""
    files: set[Path] = set()
    for split in _all_splits(report):
        try:
            with forgiving():
                pairs = open_dataset(report.root, split).pairs
        except (DataError, FileNotFoundError):
            continue
        for pair in pairs:
            files |= {_as_it_is(pair.image, pair.id), _as_it_is(pair.label, pair.id)}
    return files


def _all_splits(report: Report) -> list[str]:
    found = {"train", "val", *report.parts}
    for part in report.parts.values():
        source = Path(str(part.dataset.source))
        if source.suffix == ".txt":
            found |= {path.stem for path in source.parent.glob("*.txt")}
    return sorted(found - {"classes"})


def _as_it_is(path: Path, id: str) -> Path:
    """Return the file that a list means, if it is there by nearly that name."""
    if path.is_file():
        return path
    if id.lower().endswith(SUFFIXES):
        path = path.with_name(Path(path.stem).stem + path.suffix)
    near = _nearest(path)
    return path.with_name(near) if near else path
