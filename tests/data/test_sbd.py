"""SBD: labels in .mat files, and VOC's for the list that lies with VOC."""

import numpy as np
import pytest

from minifcn.data import DataError, Sbd, open_dataset


@pytest.fixture
def sbd(disk):
    """Three pairs of unequal sizes; returns (images, labels)."""
    images = [disk.image(5, 8), disk.image(6, 4), disk.image(1, 9)]
    labels = [disk.label(*image.shape[:2], 21) for image in images]
    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        disk.picture(f"img/2008_{k}.png", image)
        struct = {"Boundaries": label[:1], "Segmentation": label}
        write = disk.mat73 if k == 2 else disk.mat
        write(f"cls/2008_{k}.mat", GTcls=struct)
    disk.text("train.txt", "2008_2", "2008_0")
    disk.text("val.txt", "2008_1")
    return images, labels


def test_pairs_in_the_order_of_the_list(disk, sbd) -> None:
    images, labels = sbd
    dataset = open_dataset(disk.root)
    assert type(dataset) is Sbd
    assert dataset.ids == ["2008_2", "2008_0"]
    for (image, label), k in zip(dataset, (2, 0), strict=True):
        np.testing.assert_array_equal(image, images[k])
        np.testing.assert_array_equal(label, labels[k])
        assert image.dtype == label.dtype == np.uint8
    assert open_dataset(disk.root, "val").ids == ["2008_1"]
    assert dataset.class_names[15] == "person"
    assert dataset.palette.shape == (21, 3)
    assert dataset.mean_bgr == (104.00699, 116.66877, 122.67892)
    assert dataset.extras == ()
    assert dataset.extra(0) == {}


@pytest.mark.parametrize("above", ["dataset", "benchmark_RELEASE/dataset"])
def test_found_below(disk, sbd, tmp_path, above) -> None:
    target = tmp_path / "elsewhere" / above
    target.parent.mkdir(parents=True)
    disk.root.rename(target)
    assert len(open_dataset(tmp_path / "elsewhere")) == 2
    assert type(open_dataset(tmp_path / "elsewhere", "val")) is Sbd
    with pytest.raises(FileNotFoundError, match="no folders img and cls in"):
        Sbd(tmp_path)


@pytest.mark.parametrize("voc", ["VOC2011", "VOCdevkit/VOC2011"])
def test_seg11valid_has_the_labels_of_voc(disk, sbd, voc) -> None:
    image, label = disk.image(4, 7), disk.label(4, 7, 21)
    label[2, 3:] = 255
    disk.picture(f"{voc}/JPEGImages/2008_1.png", image)
    disk.palette_label(f"{voc}/SegmentationClass/2008_1.png", label)
    disk.text(f"{voc}/ImageSets/Segmentation/seg11valid.txt", "2008_1")
    disk.text(f"{voc}/ImageSets/Segmentation/val.txt", "gone")
    dataset = open_dataset(disk.root, "seg11valid")
    assert type(dataset) is Sbd
    np.testing.assert_array_equal(dataset[0][0], image)
    np.testing.assert_array_equal(dataset[0][1], label)
    # a list of SBD's own goes before
    np.testing.assert_array_equal(Sbd(disk.root, "val")[0][1], sbd[1][1])


def test_value_that_is_no_class(disk, sbd) -> None:
    label = np.zeros((5, 8), np.uint8)
    label[3, 4:7] = 255
    disk.mat("cls/2008_0.mat", GTcls={"Segmentation": label})
    expected = (
        r"cls/2008_0\.mat holds the value 255 \(3 pixels, .* row 3, column 4.*20$"
    )
    with pytest.raises(DataError, match=expected):
        Sbd(disk.root)[1]


def test_size_that_is_not_the_images(disk, sbd) -> None:
    disk.mat("cls/2008_0.mat", GTcls={"Segmentation": disk.label(8, 5)})
    with pytest.raises(DataError, match=r"is 8x5 and its label .*mat is 5x8"):
        Sbd(disk.root)[1]


def test_missing(disk, sbd) -> None:
    with pytest.raises(FileNotFoundError, match=r"no list .*; there are train, val$"):
        Sbd(disk.root, "seg11valid")
    (disk.root / "cls/2008_0.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 .*cls/2008_0\.mat$"):
        Sbd(disk.root)
    disk.text("train.txt", "../x")
    with pytest.raises(DataError, match="leaves the data set's folder"):
        Sbd(disk.root)
