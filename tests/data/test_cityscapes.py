"""Cityscapes: folders of cities, and ids translated to train ids."""

import numpy as np
import pytest

from minifcn.data import Cityscapes, DataError, open_dataset

# id: train id, name, colour of cityscapesScripts; the others are not scored
SCORED = {
    7: (0, "road", (128, 64, 128)),
    8: (1, "sidewalk", (244, 35, 232)),
    11: (2, "building", (70, 70, 70)),
    12: (3, "wall", (102, 102, 156)),
    13: (4, "fence", (190, 153, 153)),
    17: (5, "pole", (153, 153, 153)),
    19: (6, "traffic light", (250, 170, 30)),
    20: (7, "traffic sign", (220, 220, 0)),
    21: (8, "vegetation", (107, 142, 35)),
    22: (9, "terrain", (152, 251, 152)),
    23: (10, "sky", (70, 130, 180)),
    24: (11, "person", (220, 20, 60)),
    25: (12, "rider", (255, 0, 0)),
    26: (13, "car", (0, 0, 142)),
    27: (14, "truck", (0, 0, 70)),
    28: (15, "bus", (0, 60, 100)),
    31: (16, "train", (0, 80, 100)),
    32: (17, "motorcycle", (0, 0, 230)),
    33: (18, "bicycle", (119, 11, 32)),
}


@pytest.fixture
def streets(disk):
    """Three streets in two cities, two to train on; returns (images, ids)."""
    images = [disk.image(5, 8), disk.image(4, 9), disk.image(7, 6)]
    ids = [disk.label(*image.shape[:2], 34) for image in images]
    ids[0].flat[:34] = range(34)
    names = ["train/aachen/aachen_1", "train/bonn/bonn_0", "val/ulm/ulm_2"]
    for name, image, label in zip(names, images, ids, strict=True):
        disk.picture(f"leftImg8bit/{name}_leftImg8bit.png", image)
        disk.picture(f"gtFine/{name}_gtFine_labelIds.png", label)
        disk.picture(f"gtFine/{name}_gtFine_instanceIds.png", label[::-1] // 2)
    return images, ids


def test_train_ids(disk, streets) -> None:
    dataset = open_dataset(disk.root)
    assert type(dataset) is Cityscapes
    assert dataset.ids == ["aachen_1", "bonn_0"]
    for (image, label), given, ids in zip(
        dataset, *(x[:2] for x in streets), strict=True
    ):
        np.testing.assert_array_equal(image, given)
        wanted = [[SCORED.get(int(id), (255,))[0] for id in row] for row in ids]
        np.testing.assert_array_equal(label, wanted)
        assert label.dtype == np.uint8
    assert open_dataset(disk.root, "val").ids == ["ulm_2"]


def test_names_and_colours(disk, streets) -> None:
    dataset = Cityscapes(disk.root)
    assert dataset.class_names == [name for _, name, _ in SCORED.values()]
    assert dataset.palette.tolist() == [list(colour) for *_, colour in SCORED.values()]


def test_value_that_is_no_id(disk, streets) -> None:
    ids = np.zeros((7, 6), np.uint8)
    ids[6, 2:4] = 34
    disk.picture("gtFine/val/ulm/ulm_2_gtFine_labelIds.png", ids)
    expected = r"ulm_2_.*\.png holds the value 34 \(2 pixels, .* row 6, column 2.*33$"
    with pytest.raises(DataError, match=expected):
        Cityscapes(disk.root, "val")[0]


@pytest.mark.parametrize("split", ["test", "..", "train/bonn"])
def test_unknown_split(disk, streets, split) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*; there are train, val$"):
        Cityscapes(disk.root, split)


def test_missing(disk, streets) -> None:
    (disk.root / "gtFine/val/ulm/ulm_2_gtFine_labelIds.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"1 of 2 .*ulm_2_gtFine_labelIds\.png$"
    ):
        Cityscapes(disk.root, "val")
    (disk.root / "leftImg8bit/val/ulm/ulm_2_leftImg8bit.png").unlink()
    with pytest.raises(DataError, match="leftImg8bit/val holds no images"):
        Cityscapes(disk.root, "val")
    with pytest.raises(FileNotFoundError, match=r"there are none$"):
        Cityscapes(disk.root / "gtFine")
