"""Generated scenes: repeatable, in VOC's layout, with what a comparison needs."""

import numpy as np
import pytest
from PIL import Image

from minifcn.data import DataError, Voc, drawing, open_dataset, scenes, shapes


def test_read_back_by_the_voc_reader(tmp_path) -> None:
    root = scenes.write(tmp_path / "scenes", 3, 2, size=(64, 80), seed=5)
    train, val = open_dataset(root), open_dataset(root, "val")
    assert type(train) is Voc
    assert (len(train), len(val)) == (3, 2)
    assert train.class_names == list(scenes.CLASSES)
    for split, dataset in (("train", train), ("val", val)):
        for index, (image, label) in enumerate(dataset):
            drawn, exact = scenes.draw((64, 80), 5, split, index)
            np.testing.assert_array_equal(label, exact)
            assert image.shape == (64, 80, 3)
            # quality 95 keeps the grain to a few levels
            assert np.abs(image.astype(int) - drawn).mean() < 3


def test_labels_are_palette_pictures(tmp_path) -> None:
    root = scenes.write(tmp_path / "scenes", 1, 1, size=(40, 56))
    with Image.open(root / "SegmentationClass/train_0000.png") as picture:
        assert picture.mode == "P"
        assert picture.getpalette()[:6] == [0, 0, 0, 128, 0, 0]


def test_scene_depends_on_seed_split_and_index_alone() -> None:
    image, label = scenes.draw((48, 60), 3, "train", 4)
    again = scenes.draw((48, 60), 3, "train", 4)
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(label, again[1])
    for other in [(4, "train", 4), (3, "val", 4), (3, "train", 5)]:
        assert (scenes.draw((48, 60), *other)[1] != label).mean() > 0.05


def test_every_class_has_its_share() -> None:
    labels = [scenes.draw((96, 128), 0, "train", k)[1] for k in range(60)]
    share = np.bincount(np.ravel(labels), minlength=6) / np.size(labels)
    assert len(share) == len(scenes.CLASSES) == 6
    assert 0.6 < share[0] < 0.75
    assert (share[1:] > 0.03).all()
    assert all(len(np.unique(label)) >= 3 for label in labels)


def test_colours_do_not_tell_the_class() -> None:
    """The nearest class by mean colour of an object is right no more than by chance."""
    means, classes = [], []
    for k in range(120):
        image, label = scenes.draw((48, 64), 1, "train", k)
        for value in np.unique(label)[1:]:
            means.append(image[label == value].mean(axis=0))
            classes.append(value)
    means, classes = np.array(means), np.array(classes)
    centres = np.stack([means[classes == c].mean(axis=0) for c in range(1, 6)])
    gaps = np.linalg.norm(means[:, None] - centres, axis=2)
    assert np.mean(gaps.argmin(axis=1) + 1 == classes) < 0.4


def add_alone(toy: shapes.Toy, size: tuple[int, int], radius: float) -> np.ndarray:
    """The label of one upright toy in the middle of an empty scene."""
    canvas, label = np.zeros((*size, 3)), np.zeros(size, np.uint8)
    toy = toy._replace(radius=(radius / min(size),) * 2, tilt=0.0)
    middle = np.array(size) / 2
    drawing._add_toy(canvas, label, 3, toy, middle, np.random.default_rng(0))
    return label


def test_label_holds_the_pixels_whose_centres_are_inside() -> None:
    label = add_alone(shapes.TOYS[0], (60, 80), 18.0)
    row, column = np.mgrid[:60, :80] + 0.5
    inside = (row - 30) ** 2 + (column - 40) ** 2 < 18**2
    np.testing.assert_array_equal(label, np.where(inside, 3, 0))


@pytest.mark.parametrize("size", [(64, 80), (96, 128), (128, 112)])
@pytest.mark.parametrize("toy", shapes.TOYS[3:], ids=lambda toy: toy.name)
def test_sticks_are_three_to_four_pixels_wide(size, toy) -> None:
    label = add_alone(toy, size, 0.4 * min(size))
    columns = np.flatnonzero(label[size[0] // 2 + int(0.3 * min(size))])
    assert 3 <= len(columns) <= 4
    assert np.ptp(columns) == len(columns) - 1


def test_later_toys_cover_earlier_ones_and_their_labels() -> None:
    """Where two toys meet, colours and labels tell the same one."""
    canvas, label = np.zeros((60, 80, 3)), np.zeros((60, 80), np.uint8)
    ball = shapes.TOYS[0]._replace(radius=(0.3, 0.3))
    for value, column in ((1, 30.0), (2, 45.0)):
        before = canvas.copy()
        rng = np.random.default_rng(value)
        drawing._add_toy(canvas, label, value, ball, np.array((30.0, column)), rng)
    changed = np.abs(canvas - before).sum(axis=2) > 0
    assert changed[label == 2].mean() > 0.99
    # on black, shadows stay under 20
    assert np.mean(canvas[label > 0].max(axis=1) > 25) > 0.95
    assert (label[:, 45] == np.where(np.abs(np.arange(60) - 29.5) < 18, 2, 0)).all()
    assert (label[30, 12:27] == 1).all()


def test_polygon_distance(rng) -> None:
    """Of a square that is a polygon against the square's own formula."""
    u, v = rng.uniform(-2, 2, (2, 7, 9))
    square = [(-1.0, -0.5), (1.0, -0.5), (1.0, 0.5), (-1.0, 0.5)]
    du, dv = np.abs(u) - 1, np.abs(v) - 0.5
    outside = np.hypot(np.maximum(du, 0), np.maximum(dv, 0))
    expected = outside + np.minimum(np.maximum(du, dv), 0)
    np.testing.assert_allclose(shapes.polygon(u, v, square), expected, atol=1e-12)
    np.testing.assert_allclose(shapes.polygon(u, v, square[::-1]), expected, atol=1e-12)


def test_edges_are_antialiased_and_the_label_is_half_covered() -> None:
    u = np.arange(-4, 5) * 0.25
    covered = shapes.cover(u, 1.0)
    np.testing.assert_allclose(covered, [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0], atol=1e-12)


def test_scenes_are_replaced_and_nothing_else_is(tmp_path) -> None:
    root = scenes.write(tmp_path / "scenes", 2, 1, size=(32, 40))
    scenes.write(root, 1, 1, size=(32, 40))
    assert len(Voc(root)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "photo.jpg").write_text("dear")
    with pytest.raises(DataError, match="holds no generated scenes"):
        scenes.write(mine, 1, 1)
    assert (mine / "photo.jpg").read_text() == "dear"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_train": 0}, "n_train and n_val must be at least 1, not 0 and 1"),
        ({"size": (31, 64)}, "size must be at least 32 x 32, not 31 x 64"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        scenes.write(tmp_path / "s", **{"n_train": 1, "n_val": 1} | arguments)
    assert not list(tmp_path.iterdir())


def test_nothing_but_scenes_is_replaced(tmp_path):
    scenes.write(tmp_path / "sx", 1, 1, (32, 40))
    neighbour = tmp_path / "sx.part" / "mine"
    neighbour.mkdir(parents=True)
    scenes.write(tmp_path / "sx", 1, 1, (32, 40), seed=1)
    assert neighbour.is_dir()
    (tmp_path / "sx" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="no generated scenes"):
        scenes.write(tmp_path / "sx", 1, 1, (32, 40))
    assert (tmp_path / "sx" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sx", "sx.part"]
