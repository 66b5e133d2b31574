"""ADE20K: labels that count from 1, with 0 for other objects."""

import numpy as np
import pytest

from minifcn.data import Ade20k, DataError, open_dataset


@pytest.fixture
def places(disk):
    """Three images, two to train on; returns their labels as in the files."""
    labels = []
    for name in ("training/ADE_t_2", "training/ADE_t_1", "validation/ADE_v_1"):
        values = disk.label(11 + len(labels), 15, 151)
        values.flat[:151] = range(151)
        disk.picture(f"images/{name}.jpg", disk.image(*values.shape))
        disk.picture(f"annotations/{name}.png", values)
        labels.append(values)
    return labels


def test_other_objects_are_ignored(disk, places) -> None:
    train, val = open_dataset(disk.root), open_dataset(disk.root, "val")
    assert type(train) is type(val) is Ade20k
    assert train.ids == ["ADE_t_1", "ADE_t_2"]
    assert val.ids == Ade20k(disk.root, "validation").ids == ["ADE_v_1"]
    for dataset, index, k in ((train, 0, 1), (train, 1, 0), (val, 0, 2)):
        image, label = dataset[index]
        assert image.shape == (*places[k].shape, 3)
        wanted = np.where(places[k] == 0, 255, places[k].astype(int) - 1)
        np.testing.assert_array_equal(label, wanted)
        assert label.dtype == np.uint8


def test_found_below(disk, places, tmp_path) -> None:
    disk.root.rename(tmp_path / "ADEChallengeData2016")
    assert len(open_dataset(tmp_path)) == 2


def test_names_and_colours(disk, places) -> None:
    dataset = Ade20k(disk.root)
    names = dataset.class_names
    assert len(names) == len(set(names)) == len(dataset.palette) == 150
    numbered = {1: "wall", 13: "person", 21: "car", 54: "stairs", 90: "television"}
    numbered |= {117: "minibike", 131: "screen", 142: "crt screen", 150: "flag"}
    assert all(names[number - 1] == name for number, name in numbered.items())
    assert dataset.palette[[0, 1, 149]].tolist() == [
        [120, 120, 120],
        [180, 120, 120],
        [92, 0, 255],
    ]


@pytest.mark.parametrize("value", [151, 255])
def test_value_that_is_no_class(disk, places, value) -> None:
    values = np.zeros((12, 15), np.uint8)
    values[9, 14] = value
    disk.picture("annotations/training/ADE_t_1.png", values)
    expected = rf"ADE_t_1\.png holds the value {value} \(1 .* row 9, column 14.* 150$"
    with pytest.raises(DataError, match=expected):
        Ade20k(disk.root)[0]


def test_missing(disk, places) -> None:
    with pytest.raises(FileNotFoundError, match=r"there are training, validation$"):
        Ade20k(disk.root, "test")
    (disk.root / "annotations/validation/ADE_v_1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 .*validation/ADE_v_1\.png$"):
        Ade20k(disk.root, "val")
    (disk.root / "images/validation/ADE_v_1.jpg").unlink()
    with pytest.raises(DataError, match="images/validation holds no images"):
        Ade20k(disk.root, "val")
