"""VOC, CamVid and folders, made small by hand, the published ones, and all layouts."""

import re

import numpy as np
import pytest

from minifcn import data
from minifcn.data import (
    Ade20k,
    CamVid,
    Cityscapes,
    DataError,
    Folder,
    Nyud,
    PascalContext,
    Sbd,
    SiftFlow,
    Voc,
    layouts,
    open_dataset,
)

CAMVID_IDS = ["0001TP_000010", "0016E5_000020", "Seq05VD_f00030"]


def voc_palette_by_bits(index: int) -> tuple[int, int, int]:
    """VOC's colour map, bit by bit as VOCdevkit's MATLAB code has it."""
    colour = [0, 0, 0]
    for shift in range(7, -1, -1):
        for channel in range(3):
            colour[channel] |= (index >> channel & 1) << shift
        index >>= 3
    return tuple(colour)


@pytest.fixture
def voc(disk):
    """Three VOC pairs of unequal sizes; returns (root, images, labels)."""
    images = [disk.image(5, 8), disk.image(6, 4), disk.image(1, 9)]
    labels = [disk.label(*image.shape[:2], 21) for image in images]
    for id, image, label in zip("abc", images, labels, strict=True):
        label[0, 1] = 255
        disk.picture(f"JPEGImages/{id}.png", image)
        disk.palette_label(f"SegmentationClass/{id}.png", label)
    disk.text("ImageSets/Segmentation/train.txt", "b", "a", "")
    disk.text("ImageSets/Segmentation/val.txt", "c")
    return disk.root, images, labels


@pytest.fixture
def camvid(disk):
    """Three pairs in SegNet's own layout with its absolute lists."""
    labels = [disk.label(4 + k, 7, 12) for k in range(3)]
    lines = []
    for id, label in zip(CAMVID_IDS, labels, strict=True):
        label[0, :2] = 11
        disk.picture(f"train/{id}.png", disk.image(*label.shape))
        disk.picture(f"trainannot/{id}.png", label)
        lines.append(
            f"/SegNet/CamVid/train/{id}.png /SegNet/CamVid/trainannot/{id}.png"
        )
    disk.text("train.txt", *lines)
    return disk.root, labels


def assert_pairs(dataset, ids, images, labels) -> None:
    assert dataset.ids == ids
    assert len(dataset) == len(ids)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        got_image, got_label = dataset[index]
        np.testing.assert_array_equal(got_image, image)
        np.testing.assert_array_equal(got_label, label)
        assert got_image.dtype == got_label.dtype == np.uint8


# PASCAL VOC --------------------------------------------------------------------


def test_voc_in_the_order_of_its_list(voc) -> None:
    root, images, labels = voc
    dataset = Voc(root, "train")
    assert_pairs(dataset, ["b", "a"], [images[1], images[0]], [labels[1], labels[0]])
    assert_pairs(Voc(root, "val"), ["c"], images[2:], labels[2:])
    assert dataset.class_names[:3] == ["background", "aeroplane", "bicycle"]
    assert dataset.class_names[20] == "tvmonitor"
    assert dataset.ignore_index == 255
    assert dataset.mean_bgr == (104.00699, 116.66877, 122.67892)


def test_voc_iterates_and_ends(voc) -> None:
    assert len(list(Voc(voc[0]))) == 2
    with pytest.raises(IndexError):
        Voc(voc[0])[2]


@pytest.mark.parametrize("above", ["", "VOC2012", "VOCdevkit/VOC2012"])
def test_voc_is_found_below(disk, voc, tmp_path, above) -> None:
    target = tmp_path / "elsewhere" / above
    target.parent.mkdir(parents=True, exist_ok=True)
    voc[0].rename(target)
    dataset = open_dataset(tmp_path / "elsewhere", "val")
    assert type(dataset) is Voc
    assert dataset.ids == ["c"]


def test_voc_classes_of_ones_own(disk, voc) -> None:
    disk.text("classes.txt", *(f"kind {k}" for k in range(22)))
    dataset = open_dataset(disk.root)
    assert type(dataset) is Voc
    assert dataset.class_names[21] == "kind 21"
    assert dataset.palette.shape == (22, 3)


def test_voc_palette() -> None:
    expected = [voc_palette_by_bits(index) for index in range(256)]
    np.testing.assert_array_equal(data.voc_palette(), expected)
    assert data.voc_palette()[255].tolist() == [224, 224, 192]
    np.testing.assert_array_equal(data.voc_palette(21), expected[:21])


def test_real_voc_pairs(real_data) -> None:
    dataset = open_dataset(real_data / "voc_sample", "val")
    assert type(dataset) is Voc
    counted = {
        id: dict(zip(*np.unique(label, return_counts=True), strict=True))
        for id, (_, label) in zip(dataset.ids, dataset, strict=True)
    }
    assert counted["2007_000063"] == {0: 72224, 9: 78930, 12: 27632, 255: 8714}
    assert counted["2010_005582"] == {0: 99037, 5: 2598, 15: 58474, 255: 6391}
    assert dataset[0][0].shape == (375, 500, 3)
    assert dataset[1][0].shape == (500, 334, 3)


def test_real_voc_list_without_its_files(real_data) -> None:
    with pytest.raises(FileNotFoundError, match=r"^1466 of 1472 files named by"):
        Voc(real_data / "voc_sample", "seg11valid_reference_list")


# CamVid ------------------------------------------------------------------------


def test_camvid_in_segnet_layout(camvid) -> None:
    root, labels = camvid
    dataset = open_dataset(root)
    assert type(dataset) is CamVid
    assert dataset.ids == CAMVID_IDS
    for (_, got), label in zip(dataset, labels, strict=True):
        np.testing.assert_array_equal(got, np.where(label == 11, 255, label))
    assert len(dataset.class_names) == len(dataset.palette) == 11


def test_camvid_in_flat_layout(disk) -> None:
    label = disk.label(4, 7, 12)
    disk.picture("images/0016E5_1.png", disk.image(4, 7))
    disk.picture("labels/0016E5_1.png", label)
    disk.text("val.txt", "0016E5_1")
    dataset = open_dataset(disk.root, "val")
    assert type(dataset) is CamVid
    np.testing.assert_array_equal(dataset[0][1], np.where(label == 11, 255, label))


def test_camvid_label_above_void(disk, camvid) -> None:
    label = np.full((4, 7), 12, np.uint8)
    disk.picture(f"trainannot/{CAMVID_IDS[0]}.png", label)
    with pytest.raises(DataError, match=r"holds the value 12 \(28 pixels"):
        CamVid(disk.root)[0]


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("/SegNet/../x.png /SegNet/trainannot/x.png", DataError, "leaves"),
        ("../x", DataError, "leaves"),
        ("a b c", DataError, "one id or two files"),
        ("/S/train/none.png /S/trainannot/none.png", FileNotFoundError, "2 of 2"),
    ],
)
def test_camvid_bad_line(disk, camvid, line, error, message) -> None:
    disk.text("train.txt", line)
    with pytest.raises(error, match=message):
        CamVid(disk.root)


def test_camvid_id_twice_by_another_path(disk, camvid) -> None:
    listed = disk.root / "train.txt"
    text = listed.read_text()
    listed.write_text(text + text.splitlines()[1].replace("/SegNet", "/home") + "\n")
    with pytest.raises(DataError, match=f"names '{CAMVID_IDS[1]}' 2 times"):
        CamVid(disk.root)


def test_real_camvid(real_data) -> None:
    train, val = (open_dataset(real_data / "camvid", s) for s in ("train", "val"))
    assert type(train) is CamVid
    assert (len(train), len(val)) == (367, 101)
    assert not set(train.ids) & set(val.ids)
    image, label = val[0]
    assert image.shape == (360, 480, 3)
    assert set(np.unique(label)) <= {*range(11), 255}
    # sky is brighter than road
    assert image[label == 0].mean() > image[label == 3].mean() + 50


# a folder of one's own ---------------------------------------------------------


def test_folder_without_lists(disk) -> None:
    root = disk.folder(11)
    train, val = open_dataset(root), open_dataset(root, "val")
    assert type(train) is Folder
    assert val.ids == ["00", "05", "10"]
    assert train.ids == ["01", "02", "03", "04", "06", "07", "08", "09"]
    assert train.class_names == ["ground", "tree", "house"]
    assert train[0][0].shape == (5, 7, 3)
    assert train[0][1].shape == (5, 7)


def test_folder_ignores_what_is_no_picture(disk) -> None:
    root = disk.folder(6)
    disk.text("images/notes.txt", "x")
    disk.text("images/.hidden.png", "x")
    assert len(Folder(root)) + len(Folder(root, "val")) == 6


@pytest.mark.parametrize("entry", ["03", "03.png"])
def test_folder_with_lists(disk, entry) -> None:
    root = disk.folder()
    disk.text("train.txt", entry, "01")
    disk.text("test.txt", "02")
    assert Folder(root).ids == ["03", "01"]
    assert Folder(root, "test").ids == ["02"]
    with pytest.raises(FileNotFoundError, match="split 'val'; there are test, train"):
        Folder(root, "val")


@pytest.mark.parametrize("name", ["my photo", "IMG_1.2", "sub/x"])
@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tiff"])
def test_folder_finds_any_suffix(disk, name, suffix) -> None:
    image = disk.image(3, 5)
    disk.folder()
    disk.picture(f"images/{name}{suffix}", image)
    disk.picture(f"labels/{name}.png", disk.label(3, 5))
    disk.text("val.txt", name)
    np.testing.assert_array_equal(Folder(disk.root, "val")[0][0], image)


def test_folder_too_small(disk) -> None:
    with pytest.raises(DataError, match="holds 1 images: at least 2"):
        Folder(disk.folder(1))
    assert len(Folder(disk.folder(2), "val")) == len(Folder(disk.root)) == 1


def test_folder_with_two_pictures_of_one_id(disk) -> None:
    disk.folder()
    disk.picture("images/03.bmp", disk.image(3, 5))
    with pytest.raises(DataError, match="two pictures with the id '03'"):
        Folder(disk.root)


def test_folder_label_missing(disk) -> None:
    disk.folder()
    (disk.root / "labels/03.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 10 files .*labels/03\.png$"):
        Folder(disk.root)


def test_folder_id_twice_with_and_without_suffix(disk) -> None:
    disk.folder()
    disk.text("train.txt", "01", "02", "01.png")
    with pytest.raises(DataError, match=r"train\.txt names '01' twice"):
        Folder(disk.root)


# bad data sets -----------------------------------------------------------------


def test_image_and_label_of_different_sizes(disk) -> None:
    disk.folder()
    disk.picture("labels/01.png", disk.label(7, 5))
    with pytest.raises(DataError, match=r"01\.png is 7x5 and its label .* is 5x7"):
        Folder(disk.root)[0]


def test_label_value_that_is_no_class(disk) -> None:
    label = np.zeros((5, 7), np.uint8)
    label[3, 4:6] = 3
    disk.folder()
    disk.picture("labels/01.png", label)
    expected = r"labels/01\.png holds the value 3 \(2 pixels, .* row 3, column 4"
    with pytest.raises(DataError, match=expected):
        Folder(disk.root)[0]


def test_rgb_label(disk) -> None:
    disk.folder()
    disk.picture("labels/01.png", disk.image(5, 7))
    with pytest.raises(DataError, match=r"labels/01\.png is a colour picture"):
        Folder(disk.root)[0]


@pytest.mark.parametrize("reader", [Voc, Folder, open_dataset])
def test_missing_file_in_a_list(disk, voc, reader) -> None:
    disk.folder()
    disk.text("train.txt", "01", "gone")
    disk.text("ImageSets/Segmentation/train.txt", "a", "gone")
    with pytest.raises(FileNotFoundError, match=r"2 of 4 files .*gone\.jpg, .*gone"):
        reader(disk.root)


@pytest.mark.parametrize("reader", [Voc, CamVid, Folder])
@pytest.mark.parametrize(
    ("lines", "message"),
    [([], "is empty"), (["a", "a"], "twice"), (["../../etc/a"], "leaves")],
)
def test_bad_lists(disk, voc, reader, lines, message) -> None:
    disk.folder()
    disk.text("train.txt", *lines)
    disk.text("ImageSets/Segmentation/train.txt", *lines)
    with pytest.raises(DataError, match=message):
        reader(disk.root)


@pytest.mark.parametrize("split", ["tset", "../train", ""])
def test_unknown_split(disk, voc, split) -> None:
    disk.text("ImageSets/train.txt", "a")
    with pytest.raises(FileNotFoundError, match=r"there are train, val$"):
        Voc(disk.root, split)


# which layout ------------------------------------------------------------------

VOC_FILES = ["JPEGImages/a.jpg", "SegmentationClass/a.png", "ImageSets/x/train.txt"]
CONTEXT_FILES = ["labels.txt", "trainval/a.mat"]
SBD_FILES = ["img/a.jpg", "cls/a.mat", "inst/a.mat", "train.txt", "val.txt"]
LAYOUTS = [
    (Voc, VOC_FILES),
    (Voc, [*VOC_FILES, "classes.txt"]),
    (Voc, [f"VOCdevkit/VOC2012/{file}" for file in VOC_FILES]),
    (PascalContext, CONTEXT_FILES + [f"VOC2010/{file}" for file in VOC_FILES]),
    (PascalContext, CONTEXT_FILES + VOC_FILES),
    (Sbd, SBD_FILES),
    (Sbd, SBD_FILES + [f"VOC2011/{file}" for file in VOC_FILES]),
    (Sbd, [f"benchmark_RELEASE/dataset/{file}" for file in SBD_FILES]),
    (Nyud, ["data/images/img_1.png", "segmentation/img_1.mat", "train.txt"]),
    (SiftFlow, ["Images/x/a.jpg", "SemanticLabels/x/a.mat", "GeoLabels/x/a.mat"]),
    (Cityscapes, ["leftImg8bit/train/ulm/a.png", "gtFine/train/ulm/a.png"]),
    (Ade20k, ["images/training/a.jpg", "annotations/training/a.png"]),
    (Ade20k, ["images/validation/a.jpg", "annotations/validation/a.png"]),
    (Ade20k, ["ADEChallengeData2016/images/training/a.jpg"]),
    (CamVid, ["train/a.png", "trainannot/a.png", "train.txt"]),
    (CamVid, ["images/0016E5_1.jpg", "labels/0016E5_1.png", "train.txt"]),
    (Folder, ["images/a.jpg", "labels/a.png", "classes.txt"]),
    (Folder, ["images/0016E5_1.jpg", "labels/0016E5_1.png", "classes.txt"]),
]


@pytest.mark.parametrize(("reader", "files"), LAYOUTS)
def test_every_layout_is_recognised(disk, reader, files) -> None:
    for file in files:
        disk.text(file, "x")
    assert layouts.recognise(disk.root) is reader


@pytest.mark.parametrize(
    "file", ["img/a.jpg", "cls/a.mat", "labels.txt", "trainval/a.mat", "data/images/a"]
)
def test_half_a_layout_is_not_recognised(disk, file) -> None:
    disk.text(file, "x")
    with pytest.raises(DataError, match="none of the known layouts"):
        layouts.recognise(disk.root)


def test_sentence_names_every_layout(disk) -> None:
    disk.text("notes.txt", "x")
    with pytest.raises(DataError) as error:
        open_dataset(disk.root)
    said = str(error.value)
    for name in (
        "PASCAL VOC (JPEGImages",
        "SBD (img, cls",
        "PASCAL-Context (labels.txt",
        "NYUDv2 (data/images",
        "SIFT Flow (Images",
        "Cityscapes (leftImg8bit",
        "ADE20K (images and annotations",
        "CamVid (images, labels",
        "or a folder of your own (images, labels and classes.txt",
    ):
        assert said.count(name) == 1


def test_unknown_layout(disk) -> None:
    disk.text("images/x.txt")
    with pytest.raises(DataError, match="none of the known layouts"):
        open_dataset(disk.root)
    with pytest.raises(FileNotFoundError, match="no folder"):
        open_dataset(disk.root / "none")
    with pytest.raises(DataError, match="is a file"):
        open_dataset(disk.root / "images/x.txt")


def test_own_folder_without_class_names_is_not_taken_for_camvid(disk) -> None:
    (disk.folder() / "classes.txt").unlink()
    disk.text("train.txt", "01")
    with pytest.raises(DataError, match=re.escape("classes.txt")):
        open_dataset(disk.root)
