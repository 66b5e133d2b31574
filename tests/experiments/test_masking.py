"""Masked images and masked copies of data sets."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data import VOC_MEAN_BGR, open_dataset, scenes
from minifcn.experiments import masking

MEAN = (123, 117, 104)  # RGB
LABEL = np.array([[0, 1, 255], [2, 0, 0]], np.uint8)


def image() -> np.ndarray:
    return np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize(
    "mask, kept",
    [
        ("background", [(0, 1), (1, 0)]),
        ("foreground", [(0, 0), (1, 1), (1, 2)]),
        ("both", []),
    ],
)
def test_what_is_masked(mask: str, kept: list[tuple[int, int]]) -> None:
    x = image()
    y = masking.masked(x, LABEL, mask)
    np.testing.assert_array_equal(x, image())  # a copy
    for place in np.ndindex(2, 3):
        thing = LABEL[place] in (1, 2)
        if place in kept:
            expected = x[place]
        elif mask == "both" and thing:
            expected = np.array([255, 255, 255])
        else:  # pixels to ignore, too
            expected = np.array(MEAN)
        np.testing.assert_array_equal(y[place], expected)


def test_another_mean_and_an_unknown_mask() -> None:
    y = masking.masked(image(), LABEL, "both", (1.4, 2.6, 3.5))
    np.testing.assert_array_equal(y[0, 0], [4, 3, 1])  # RGB of a mean in BGR
    with pytest.raises(ValueError, match="mask is 'sky'; it must be one of backgr"):
        masking.masked(image(), LABEL, "sky")


def test_a_copy_is_masked_image_by_image_and_read_back(tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 2, 3, (32, 48), 7)
    splits = {split: open_dataset(data, split) for split in ("train", "val")}
    copy = masking.write(tmp_path / "copy", splits, "background")
    for split, before in splits.items():
        after = open_dataset(copy, split)
        assert after.ids == before.ids
        assert after.class_names == before.class_names
        for (x, label), (y, same) in zip(before, after):
            np.testing.assert_array_equal(same, label)
            expected = masking.masked(x, label, "background", VOC_MEAN_BGR)
            np.testing.assert_array_equal(y, expected)  # lossless
            assert np.any(y != x)


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    assert masking.write(tmp_path / "copy", {}, "both") == tmp_path / "copy"
    assert not any((tmp_path / "copy").iterdir())


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 1, 2, (32, 48), 7)
    val = open_dataset(data, "val")
    Path(data / "JPEGImages" / "val_0001.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="val_0001"):
        masking.write(tmp_path / "copy", {"val": val}, "both")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


def test_labels_are_files_as_they_were(tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 1, 1, (32, 48), 7)
    copy = masking.write(
        tmp_path / "copy", {"val": open_dataset(data, "val")}, "foreground"
    )
    name = "SegmentationClass/val_0000.png"
    with Image.open(data / name) as a, Image.open(copy / name) as b:
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
