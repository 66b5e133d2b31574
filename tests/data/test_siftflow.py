"""SIFT Flow: two labels for each image."""

import numpy as np
import pytest

from minifcn.data import DataError, SiftFlow, open_dataset

SCENES = "spatial_envelope_256x256_static_8outdoorcategories"


@pytest.fixture
def scenes(disk):
    """Two scenes of unequal sizes; returns a list of (image, semantic, geometric)."""
    found = []
    for id, size in (("coast_1", (5, 8)), ("street_2", (7, 3))):
        image, semantic = disk.image(*size), disk.rng.integers(0, 34, size)
        geometric = disk.rng.choice([-1, 1, 2, 3], size)
        semantic.flat[:2], geometric.flat[:2] = (0, 33), (-1, 3)
        disk.picture(f"Images/{SCENES}/{id}.jpg", image)
        disk.mat(f"SemanticLabels/{SCENES}/{id}.mat", S=semantic.astype("u1"))
        disk.mat(f"GeoLabels/{SCENES}/{id}.mat", S=geometric.astype("i2"))
        found.append((image, semantic, geometric))
    disk.text("trainval.txt", "street_2", "coast_1")
    disk.text("test.txt", "coast_1")
    return found


def expected(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0, 255, values - 1)


def test_semantic_and_geometric(disk, scenes) -> None:
    dataset = open_dataset(disk.root, "trainval")
    assert type(dataset) is SiftFlow
    assert dataset.ids == ["street_2", "coast_1"]
    assert dataset.extras == ("geometric",)
    for index, (image, semantic, geometric) in enumerate(scenes[::-1]):
        got, label = dataset[index]
        extra = dataset.extra(index)
        assert got.shape == image.shape
        np.testing.assert_array_equal(label, expected(semantic))
        np.testing.assert_array_equal(extra["geometric"], expected(geometric))
        assert label.dtype == extra["geometric"].dtype == np.uint8
        assert label.flat[1] == 32
        assert extra["geometric"].flat[1] == 2


def test_attributes(disk, scenes) -> None:
    dataset = SiftFlow(disk.root)
    assert len(dataset.class_names) == len(dataset.palette) == 33
    assert dataset.class_names[::32] == ["awning", "window"]
    assert dataset.class_names[27] == "sky"
    assert dataset.geometric_names == ("sky", "horizontal", "vertical")
    assert dataset.mean_bgr == (114.578, 115.294, 108.353)


@pytest.mark.parametrize(
    ("kind", "value"), [("Semantic", 34), ("Semantic", -2), ("Geo", 4), ("Geo", 255)]
)
def test_value_that_is_no_class(disk, scenes, kind, value) -> None:
    values = np.ones((5, 8), np.int16)
    values[4, 1] = value
    disk.mat(f"{kind}Labels/{SCENES}/coast_1.mat", S=values)
    dataset = SiftFlow(disk.root, "test")
    said = (
        rf"{kind}Labels/.*coast_1\.mat holds the value {value} \(1 pixels.*row 4, col"
    )
    with pytest.raises(DataError, match=said):
        dataset[0] if kind == "Semantic" else dataset.extra(0)


def test_size_that_is_not_the_images(disk, scenes) -> None:
    disk.mat(f"GeoLabels/{SCENES}/coast_1.mat", S=np.ones((5, 9)))
    with pytest.raises(DataError, match=r"coast_1\.jpg is 8x5 and .*\.mat is 9x5"):
        SiftFlow(disk.root, "test").extra(0)


def test_missing(disk, scenes) -> None:
    with pytest.raises(FileNotFoundError, match=r"there are test, trainval$"):
        open_dataset(disk.root)
    (disk.root / f"GeoLabels/{SCENES}/coast_1.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 .*GeoLabels/.*coast_1\.mat$"):
        SiftFlow(disk.root, "test")
