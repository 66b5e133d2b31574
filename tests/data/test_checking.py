"""The checker finds each kind of damage, and nothing else, in a copy of a good set."""

import shutil

import numpy as np
import pytest
from PIL import Image

from minifcn.data import scenes, sheet
from minifcn.data.checking import check
from minifcn.data.findings import ERROR, RULES
from minifcn.data.palettes import camvid_palette, voc_palette


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Six scenes to train on, of two sizes, and three to validate on."""
    root = scenes.write(tmp_path_factory.mktemp("good") / "set", 6, 3, (40, 56))
    for name in ("train_0001", "train_0003"):
        for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
            path = root / folder / f"{name}.{suffix}"
            with Image.open(path) as picture:
                cut = picture.crop((0, 0, 48, 40))
                cut.save(path, **({"quality": 95} if suffix == "jpg" else {}))
    return root


@pytest.fixture
def root(good, tmp_path):
    """A copy of the good set, to be damaged."""
    return shutil.copytree(good, tmp_path / "set")


def image(root, name="train_0002"):
    return root / "JPEGImages" / f"{name}.jpg"


def label(root, name="train_0002"):
    return root / "SegmentationClass" / f"{name}.png"


def listed(root, split="train"):
    return root / "ImageSets" / "Segmentation" / f"{split}.txt"


def relabel(root, change, palette=None, name="train_0002", **options):
    """Write a label anew: change(values) → values."""
    with Image.open(label(root, name)) as picture:
        values = change(np.array(picture)).astype(np.uint8)
    new = Image.fromarray(values)
    if values.ndim == 2 and palette is not None:
        new = Image.frombytes("P", values.shape[::-1], values.tobytes())
        new.putpalette(palette.tobytes())
    new.save(label(root, name), **options)


def append(path, line):
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(root):
    """Image and label stand in each other's file."""
    with Image.open(image(root)) as photo, Image.open(label(root)) as values:
        photo.load()
        values = values.convert("RGB")
        photo.save(label(root))
        values.save(image(root), quality=100, subsampling=0, format="PNG")


def coloured(values):
    return voc_palette()[values]


def all_labels(root, change):
    for path in sorted((root / "SegmentationClass").iterdir()):
        relabel(root, change, voc_palette(), path.stem)


def add_one(values):
    return np.where(values == 255, 255, values + 1)


def as_cmyk(root):
    with Image.open(image(root)) as photo:
        photo.convert("CMYK").save(image(root))


def turned(root):
    with Image.open(image(root)) as photo:
        exif = photo.getexif()
        exif[0x0112] = 6
        photo.save(image(root), exif=exif, quality=95)


def rename(path, name):
    path.rename(path.with_name(name))


# What is done to a set, and the rule that must tell of it.
DAMAGE = {
    "missing image": (lambda r: image(r).unlink(), "missing"),
    "missing label": (lambda r: label(r).unlink(), "missing"),
    "truncated image": (lambda r: cut_short(image(r)), "damaged"),
    "truncated label": (lambda r: cut_short(label(r)), "damaged"),
    "text for an image": (lambda r: image(r).write_text("no picture"), "damaged"),
    "empty image": (lambda r: image(r).write_bytes(b""), "empty"),
    "empty label": (lambda r: label(r).write_bytes(b""), "empty"),
    "image and label swapped": (swap, "swapped"),
    "photograph for a label": (
        lambda r: Image.open(image(r)).save(label(r)),
        "photograph",
    ),
    "label of another size": (
        lambda r: relabel(r, lambda v: v[:-1], voc_palette()),
        "size",
    ),
    "label turned": (lambda r: relabel(r, lambda v: v.T.copy(), voc_palette()), "size"),
    "stray value": (
        lambda r: relabel(r, lambda v: np.where(v == 0, 17, v), voc_palette()),
        "stray",
    ),
    "RGB label": (lambda r: relabel(r, coloured), "colours"),
    "JPEG label": (
        lambda r: relabel(r, lambda v: v, format="JPEG", quality=90),
        "jpeg",
    ),
    "palette off by one": (
        lambda r: relabel(r, lambda v: v, np.roll(voc_palette(), -1, axis=0)),
        "shifted",
    ),
    "palette of another set": (
        lambda r: relabel(r, lambda v: v, camvid_palette()),
        "palette",
    ),
    "label all void": (
        lambda r: relabel(r, lambda v: 0 * v + 255, voc_palette()),
        "void",
    ),
    "label all zero": (lambda r: relabel(r, lambda v: 0 * v, voc_palette()), "blank"),
    "label is a GIF": (
        lambda r: relabel(r, lambda v: v, voc_palette(), format="GIF"),
        "gif",
    ),
    "duplicate id": (lambda r: append(listed(r), "train_0002"), "repeated"),
    "path out of the folder": (
        lambda r: append(listed(r), "../../elsewhere/photo"),
        "outside",
    ),
    "absolute path": (lambda r: append(listed(r), "/etc/photo"), "outside"),
    "id with its suffix": (
        lambda r: listed(r).write_text(
            listed(r).read_text().replace("train_0002", "train_0002.jpg")
        ),
        "suffix",
    ),
    "wrong case": (lambda r: rename(label(r), "Train_0002.png"), "case"),
    "names that differ in case": (
        lambda r: shutil.copy(label(r), label(r, "TRAIN_0002")),
        "twins",
    ),
    "two pictures of one id": (
        lambda r: Image.open(image(r)).save(image(r).with_suffix(".png")),
        "ambiguous",
    ),
    "id in both lists": (lambda r: append(listed(r, "val"), "train_0002"), "overlap"),
    "photograph in both lists": (
        lambda r: shutil.copy(image(r), image(r, "val_0001")),
        "across",
    ),
    "photograph twice": (
        lambda r: shutil.copy(image(r), image(r, "train_0004")),
        "copies",
    ),
    "CMYK": (as_cmyk, "depth"),
    "turned by its EXIF mark": (turned, "turned"),
    "unlisted label": (
        lambda r: shutil.copy(label(r), label(r, "nobody")),
        "unlisted",
    ),
    "values one too high": (lambda r: all_labels(r, add_one), "off-by-one"),
    "empty list": (lambda r: listed(r).write_text("\n"), "list"),
    "class names missing": (lambda r: (r / "classes.txt").write_text("a\n"), "list"),
    "no validation list": (lambda r: listed(r, "val").unlink(), "no-list"),
}

# What one kind of damage brings with it.
ALSO = {
    "values one too high": {"stray"},
    "empty list": {"unlisted"},
    "photograph in both lists": {"size"},
    "photograph twice": {"size"},
    "no validation list": {"unlisted"},
    "RGB label": set(),
}


def rules(report):
    return {finding.rule for finding in report.findings}


def test_a_good_set_has_no_findings(good):
    report = check(good)
    assert rules(report) <= {"absent"}  # few scenes need not show all toys
    assert report.layout == "Voc"
    figures = report.parts["train"].figures()
    assert (figures["images"], figures["labels_read"]) == (6, 6)
    assert figures["smallest"] == [40, 48]
    assert figures["largest"] == figures["commonest"] == [40, 56]
    assert figures["commonest_images"] == 4
    assert sum(figures["classes"].values()) == pytest.approx(1)


@pytest.mark.parametrize("name", DAMAGE)
def test_each_kind_of_damage_is_found(root, name):
    damage, rule = DAMAGE[name]
    damage(root)
    report = check(root)
    found = rules(report) - {"absent"}
    assert rule in found
    others = found - {rule} - ALSO.get(name, set())
    assert not {r for r in others if RULES[r].level == ERROR}, report.findings
    assert bool(report.errors) == any(RULES[r].level == ERROR for r in found)


def test_every_rule_but_a_few_is_tried():
    assert set(RULES) - {rule for _, rule in DAMAGE.values()} <= {"absent", "drawing"}


def test_it_goes_on_after_the_first_bad_file(root):
    image(root).unlink()
    cut_short(label(root, "train_0004"))
    relabel(root, coloured, name="val_0001")
    found = [(f.rule, f.id) for f in check(root).errors]
    assert found == [
        ("missing", "train_0002"),
        ("damaged", "train_0004"),
        ("colours", "val_0001"),
    ]


def test_a_class_that_never_occurs(root):
    all_labels(root, lambda v: np.where(v == 3, 0, v))
    absent = [f.what for f in check(root).findings if f.rule == "absent"]
    assert len(absent) == 1
    assert scenes.CLASSES[3] in absent[0]


def test_the_contact_sheet_frames_what_is_bad(root):
    whole = sheet.draw(check(root))
    assert whole.dtype == np.uint8
    assert whole.ndim == 3
    label(root).unlink()
    damaged = sheet.draw(check(root))
    assert not np.array_equal(whole, damaged)
