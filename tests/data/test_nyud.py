"""NYUDv2: labels that count from 1, and two further inputs."""

import shutil

import numpy as np
import pytest

from minifcn.data import DataError, Nyud, nyud, open_dataset


@pytest.fixture
def rooms(disk):
    """Two rooms of unequal sizes; returns a list of (image, values, hha, depth)."""
    found = []
    for id, size in (("5001", (5, 8)), ("5002", (7, 3))):
        image, hha = disk.image(*size), disk.image(*size)
        values = disk.rng.integers(0, 41, size)
        values.flat[:2] = 0, 40
        depth = disk.rng.integers(500, 9000, size).astype("u2")
        disk.picture(f"data/images/img_{id}.png", image)
        disk.picture(f"data/hha/img_{id}.png", hha)
        disk.picture(f"data/depth/img_{id}.png", depth)
        disk.mat(f"segmentation/img_{id}.mat", segmentation=values.astype("f8"))
        found.append((image, values, hha, depth))
    disk.text("train.txt", "5002", "5001")
    return found


def test_zero_is_void_and_one_is_wall(disk, rooms) -> None:
    dataset = open_dataset(disk.root)
    assert type(dataset) is Nyud
    for (image, label), (given, values, *_) in zip(dataset, rooms[::-1], strict=True):
        np.testing.assert_array_equal(image, given)
        np.testing.assert_array_equal(label, np.where(values == 0, 255, values - 1))
        assert label.dtype == np.uint8
        assert label.flat[0] == 255
        assert label.flat[1] == 39
    assert len(dataset.class_names) == len(dataset.palette) == 40
    assert dataset.class_names[::39] == ["wall", "otherprop"]
    assert dataset.class_names[31] == "night stand"
    assert dataset.mean_bgr == (116.190, 97.203, 92.318)
    assert nyud.MEAN_HHA == (132.431, 94.076, 118.477)
    assert nyud.MEAN_LOG_DEPTH == 7.844


def test_further_inputs(disk, rooms) -> None:
    dataset = Nyud(disk.root)
    assert dataset.extras == ("hha", "depth")
    for index, (_, _, hha, depth) in enumerate(rooms[::-1]):
        extra = dataset.extra(index)
        assert list(extra) == ["hha", "depth"]
        np.testing.assert_array_equal(extra["hha"], hha)
        np.testing.assert_array_equal(extra["depth"], depth)
        assert extra["hha"].dtype == np.uint8
        assert extra["depth"].dtype == np.float32


@pytest.mark.parametrize("gone", ["hha", "depth"])
def test_without_one_of_them(disk, rooms, gone) -> None:
    shutil.rmtree(disk.root / "data" / gone)
    dataset = Nyud(disk.root)
    (other,) = {"hha", "depth"} - {gone}
    assert dataset.extras == (other,)
    assert list(dataset.extra(0)) == [other]
    (disk.root / f"data/{other}/img_5001.png").unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of 2 .*{other}/img_5001\.png$"):
        Nyud(disk.root)


@pytest.mark.parametrize("kind", ["hha", "depth"])
def test_further_input_of_another_size(disk, rooms, kind) -> None:
    pixels = disk.image(6, 9) if kind == "hha" else disk.label(6, 9)
    disk.picture(f"data/{kind}/img_5001.png", pixels)
    expected = rf"images/img_5001\.png is 8x5 and .*{kind}/img_5001\.png is 9x6"
    with pytest.raises(DataError, match=expected):
        Nyud(disk.root).extra(1)


def test_depth_that_is_none(disk, rooms) -> None:
    path = disk.picture("data/depth/img_5001.png", disk.image(5, 8))
    with pytest.raises(DataError, match=r"depth .*img_5001\.png is no PNG of one grey"):
        Nyud(disk.root).extra(1)
    depth = disk.rng.integers(0, 9000, (50, 80)).astype("u2")
    disk.picture("data/depth/img_5001.png", depth)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"img_5001\.png is damaged or cut short"):
        Nyud(disk.root).extra(1)


@pytest.mark.parametrize("value", [41, 255, -1])
def test_value_that_is_no_class(disk, rooms, value) -> None:
    values = np.ones((5, 8))
    values[2, 7] = value
    disk.mat("segmentation/img_5001.mat", segmentation=values)
    expected = rf"img_5001\.mat holds the value {value} \(1 pixels, .* row 2, column 7"
    with pytest.raises(DataError, match=expected):
        Nyud(disk.root)[1]


def test_missing(disk, rooms) -> None:
    with pytest.raises(FileNotFoundError, match=r"split 'val'; there are train$"):
        Nyud(disk.root, "val")
    disk.text("train.txt", "5003")
    expected = r"2 of 2 .*images/img_5003\.png, .*segmentation/img_5003\.mat$"
    with pytest.raises(FileNotFoundError, match=expected):
        Nyud(disk.root)
