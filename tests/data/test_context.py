"""PASCAL-Context: hundreds of labels, translated by name to 59 and a background."""

import numpy as np
import pytest

from minifcn.data import CONTEXT_CLASSES, DataError, PascalContext, Voc, open_dataset

RENAMED = {"table": "diningtable", "bedclothes": "bedcloth", "cloth": "clothes"}


@pytest.fixture
def names(disk):
    """Names of the full list in an order drawn, with some that are not of the 59."""
    full = {v: k for k, v in RENAMED.items()}
    known = [full.get(name, name) for name in CONTEXT_CLASSES[1:]]
    others = ["accordion", "clothes tree", "stone", "unknown"]
    return [str(name) for name in disk.rng.permutation(known + others)]


@pytest.fixture
def context(disk, names):
    """Two pairs; returns (images, label maps)."""
    disk.text("labels.txt", *(f"{k}: {name}" for k, name in enumerate(names, 1)))
    images = [disk.image(5, 8), disk.image(9, 11)]
    maps = [disk.rng.integers(0, 64, image.shape[:2]).astype("u2") for image in images]
    maps[1].flat[:64] = range(64)  # each number, and 0
    for id, image, numbers in zip("ab", images, maps, strict=True):
        disk.picture(f"VOC2010/JPEGImages/{id}.png", image)
        disk.mat(f"trainval/{id}.mat", LabelMap=numbers)
    disk.text("VOC2010/ImageSets/Main/train.txt", "a")
    disk.text("VOC2010/ImageSets/Main/val.txt", "b")
    return images, maps


@pytest.mark.parametrize(("split", "k"), [("train", 0), ("val", 1)])
def test_classes_by_name(disk, names, context, split, k) -> None:
    images, maps = context
    dataset = open_dataset(disk.root, split)
    assert type(dataset) is PascalContext
    image, label = dataset[0]
    np.testing.assert_array_equal(image, images[k])
    assert label.dtype == np.uint8
    for number, index in zip(maps[k].flat, label.flat, strict=True):
        name = names[number - 1] if number else "not labelled"
        name = RENAMED.get(name, name)
        assert CONTEXT_CLASSES[index] == (
            name if name in CONTEXT_CLASSES else "background"
        )
    if split == "val":
        assert set(label.flat) == set(range(60))


def test_attributes(disk, context) -> None:
    dataset = PascalContext(disk.root)
    assert len(dataset.class_names) == len(dataset.palette) == 60
    assert dataset.class_names[0] == "background"
    assert dataset.class_names[11] == "diningtable"
    assert dataset.class_names[52] == "bedcloth"
    assert dataset.class_names[59] == "wood"
    assert dataset.mean_bgr == (104.007, 116.669, 122.679)


def test_list_in_the_root_goes_before(disk, context) -> None:
    disk.text("train.txt", "b")
    assert PascalContext(disk.root).ids == ["b"]
    with pytest.raises(FileNotFoundError, match=r"there are train, val$"):
        PascalContext(disk.root, "labels")


def test_voc_beneath_is_read_as_voc(disk, context) -> None:
    disk.palette_label("VOC2010/SegmentationClass/a.png", disk.label(5, 8))
    disk.text("VOC2010/ImageSets/Segmentation/train.txt", "a")
    assert type(open_dataset(disk.root / "VOC2010")) is Voc


def test_number_without_a_name(disk, context) -> None:
    numbers = np.zeros((5, 8), np.uint16)
    numbers[4, 6:] = 459
    disk.mat("trainval/a.mat", LabelMap=numbers)
    expected = r"a\.mat holds the value 459 \(2 pixels, .* row 4, column 6.* 0 to 63$"
    with pytest.raises(DataError, match=expected):
        PascalContext(disk.root)[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1: aeroplane", "bicycle"], r"labels\.txt has the line 'bicycle'"),
        (["1: aeroplane", "-2: bicycle"], "has the line '-2: bicycle'"),
        (["1: aeroplane", "99999999: bicycle"], "has the line '99999999: bicycle'"),
        (["1: aeroplane"], r"labels\.txt has no class 'bicycle'$"),
    ],
)
def test_bad_names(disk, context, lines, message) -> None:
    disk.text("labels.txt", *lines)
    with pytest.raises(DataError, match=message):
        PascalContext(disk.root)


@pytest.mark.parametrize("name", ["table", "bedclothes", "cloth"])
def test_renamed_class_that_is_missing(disk, context, names, name) -> None:
    wrong = [RENAMED[name] if n == name else n for n in names]
    disk.text("labels.txt", *(f"{k}: {n}" for k, n in enumerate(wrong, 1)))
    with pytest.raises(DataError, match=f"has no class '{name}'$"):
        PascalContext(disk.root)


def test_missing(disk, context) -> None:
    (disk.root / "trainval/a.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 .*trainval/a\.mat$"):
        PascalContext(disk.root)
    (disk.root / "labels.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*labels\.txt"):
        PascalContext(disk.root)
