"""Pictures pixel by pixel, against loops and what other readers see in them."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from minifcn import arrays, pictures
from minifcn.data import VOC_CLASSES, read_image, read_label
from minifcn.files import replacing
from minifcn.pictures import (
    colour,
    grid,
    legend,
    overlay,
    save_image,
    save_label,
    voc_palette,
)

VOC_COLOURS = """
    0,0,0 128,0,0 0,128,0 128,128,0 0,0,128 128,0,128 0,128,128 128,128,128 64,0,0
    192,0,0 64,128,0 192,128,0 64,0,128 192,0,128 64,128,128 192,128,128 0,64,0
    128,64,0 0,192,0 128,192,0 0,64,128
"""
PALETTE = np.array([[0, 0, 0], [250, 10, 20], [30, 200, 40]], np.uint8)
CREAM, WHITE = (224, 224, 192), (255, 255, 255)


def noise(rng, h, w):
    return rng.integers(0, 256, (h, w, 3), dtype=np.uint8)


def colours_in(image):
    return set(map(tuple, image.reshape(-1, 3).tolist()))


# ------------------------------------------------------------------ labels in colour


def test_voc_palette_is_the_published_one():
    known = [tuple(map(int, c.split(","))) for c in VOC_COLOURS.split()]
    assert list(map(tuple, voc_palette(21).tolist())) == known
    assert tuple(voc_palette()[255].tolist()) == CREAM
    assert len(colours_in(voc_palette())) == 256


@pytest.mark.parametrize("kind", ["u1", "i4", "i8"])
def test_colour_paints_every_pixel(rng, kind):
    label = rng.choice([0, 1, 2, 255], (5, 7)).astype(kind)
    painted = colour(label, PALETTE)
    for y in range(5):
        for x in range(7):
            value = label[y, x]
            wanted = CREAM if value == 255 else tuple(PALETTE[value].tolist())
            assert tuple(painted[y, x].tolist()) == wanted


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_colour_paints_on_a_device(rng, device, kind):
    label = rng.integers(0, 4, (5, 7)).astype(kind)
    label[label == 3] = 255
    there = arrays.to_device(label, device)
    for ours, theirs in ((label, there), (label.T, there.T)):
        y = colour(theirs, PALETTE)
        assert arrays.device_of(y) == device
        np.testing.assert_array_equal(arrays.to_numpy(y), colour(ours, PALETTE))
    with pytest.raises(ValueError, match=r"holds 7, .* palette of 3 has no colour"):
        colour(arrays.to_device(np.array([[0, 7]]), device), PALETTE)


def test_what_does_not_count_is_cream_in_every_palette():
    crowded = np.full((256, 3), 9, np.uint8)
    assert colour([[254, 255]], crowded).tolist() == [[[9, 9, 9], list(CREAM)]]


def test_overlay_mixes_inside_and_outlines_the_edges(rng):
    """Classes 0 0 1 1 1 2 2 in every row: pixels 2 and 4, 5 lie at an edge."""
    image = noise(rng, 4, 7)
    label = np.tile(np.array([0, 0, 1, 1, 1, 2, 2], np.uint8), (4, 1))
    weights = [0, 0, 0.85, 0.25, 0.85, 0.85, 0.25]
    got = overlay(image, label, PALETTE, alpha=0.25)
    for y in range(4):
        for x, weight in enumerate(weights):
            wanted = (1 - weight) * image[y, x] + weight * PALETTE[label[y, x]]
            assert got[y, x] == pytest.approx(wanted, abs=0.51)
    turned = overlay(image.swapaxes(0, 1), label.T, PALETTE, alpha=0.25)
    assert (turned.swapaxes(0, 1) == got).all()


def test_overlay_shows_what_does_not_count(rng):
    image = noise(rng, 3, 5)
    got = overlay(image, np.full((3, 5), 255), PALETTE, alpha=1)
    assert colours_in(got) == {CREAM}
    assert (overlay(image, np.zeros((3, 5), int), PALETTE) == image).all()


def test_saved_label_has_its_values_and_its_colours(tmp_path, rng):
    label = rng.choice([0, 1, 2, 255], (6, 9))
    save_label(tmp_path / "label.png", label, PALETTE)
    assert (read_label(tmp_path / "label.png") == label).all()
    with Image.open(tmp_path / "label.png") as picture:
        assert picture.mode == "P"
        shown = np.asarray(picture.convert("RGB"))
    assert (shown == colour(label, PALETTE)).all()


def test_labels_of_pascal_voc_have_the_same_colours(real_data, tmp_path):
    folder = real_data / "voc_sample" / "SegmentationClass"
    for path in sorted(folder.glob("*.png"))[:4]:
        with Image.open(path) as picture:
            theirs = np.asarray(picture.convert("RGB"))
        label = read_label(path)
        assert (colour(label, voc_palette(21)) == theirs).all()
        save_label(tmp_path / path.name, label, voc_palette(21))
        assert (read_label(tmp_path / path.name) == label).all()


def test_saved_image_is_read_back(tmp_path, rng):
    image = noise(rng, 8, 11)
    save_image(tmp_path / "a.png", image)
    assert (read_image(tmp_path / "a.png") == image).all()
    flat = np.full((16, 24, 3), (40, 90, 200), np.uint8)
    save_image(tmp_path / "b.JPG", flat)
    assert np.abs(read_image(tmp_path / "b.JPG").astype(int) - flat).max() <= 3


def test_a_file_is_never_half_written(tmp_path, rng, monkeypatch):
    path = tmp_path / "a.png"
    save_image(path, noise(rng, 4, 6))
    before = path.read_bytes()

    def stop_halfway(self, file, *args, **kwargs):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stop_halfway)
    with pytest.raises(KeyboardInterrupt):
        save_image(path, noise(rng, 4, 6))
    with pytest.raises(KeyboardInterrupt):
        save_label(path, np.zeros((2, 3), int), PALETTE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_names_the_missing_folder(tmp_path):
    path, sentence = (
        tmp_path / "absent" / "a.png",
        r"no folder .*absent to write a\.png",
    )
    with pytest.raises(FileNotFoundError, match=sentence), replacing(path):
        pass


# ------------------------------------------------------------------- rows to compare


def test_legend_shows_the_classes_that_are_present():
    palette = voc_palette(21)
    shown = colours_in(legend(VOC_CLASSES, palette, present=[5, 12, 255]))
    wanted = {tuple(palette[5].tolist()), tuple(palette[12].tolist()), CREAM}
    assert wanted <= shown
    assert not colours_in(palette[[1, 2, 3, 15, 20]]) & shown
    full = colours_in(legend(VOC_CLASSES, palette))
    assert colours_in(palette) <= full
    assert CREAM not in full


def test_legend_stands_in_columns_of_equal_width():
    """Five names in two columns: three rows, read from top to bottom."""
    palette = voc_palette(6)[1:]
    image = legend(["a", "b", "c", "d", "e"], palette, width=80, text_size=10)
    places = [np.argwhere((image == c).all(axis=2)).min(axis=0) for c in palette]
    rows, columns = np.array(places).T
    assert rows[0] < rows[1] < rows[2]
    assert rows[:2].tolist() == rows[3:].tolist()
    assert columns[0] == columns[1] == columns[2] < columns[3] == columns[4]
    assert image.shape[1] == 80


def test_a_long_name_widens_the_legend_and_is_written_whole():
    name = "a very long name of a class, longer than the picture is wide"
    image = legend(["a", name], PALETTE, width=100, text_size=12)
    assert image.shape[1] > 200
    assert (image[:, -6:] == 255).all()


def test_grid_sets_pictures_unchanged_where_they_fit(rng):
    """Cells of 40 and gaps of 2: columns start at 2, 44, 86; no titles, no legend."""
    wide, tall, small = noise(rng, 30, 40), noise(rng, 40, 20), noise(rng, 10, 20)
    got = grid([[wide, None, tall], [small, wide]], cell=40)
    assert got.shape == (2 + 40 + 2 + 30 + 2, 2 + 3 * 42, 3)
    assert (got[7:37, 2:42] == wide).all()
    assert (got[2:42, 96:116] == tall).all()
    assert (got[2:42, 43:86] == 255).all()
    assert (got[49:69, 2:42] == small.repeat(2, 0).repeat(2, 1)).all()
    assert (got[44:74, 44:84] == wide).all()
    assert (got[44:, 86:] == 255).all()


def test_grid_scales_photographs_smoothly():
    stripes = np.zeros((60, 120, 3), np.uint8)
    stripes[:, ::2] = 200
    got = grid([[stripes]], cell=30)[5:-5, 5:-5]
    assert np.abs(got.astype(int) - 100).max() < 12


def test_grid_writes_titles_over_their_columns():
    """Cells of 200 and gaps of 5; the long title is written smaller, to fit."""
    image = np.full((150, 200, 3), 90, np.uint8)
    rows = [[image, image, image]]
    got = grid(rows, ["photo", "", "FCN-8s"], cell=200)
    above = got[: len(got) - len(grid(rows, cell=200))]
    written = [(above[:, x : x + 200] < 128).any() for x in (5, 210, 415)]
    assert written == [True, False, True]
    long = grid(rows, ["photo", "", "a title a good deal wider than this"], cell=200)
    assert (long[:, :415] == got[:, :415]).all()
    assert (long[: len(above), -5:] == 255).all()
    assert (long != got).any()


def test_grid_ends_with_a_legend():
    image = np.full((30, 40, 3), 90, np.uint8)
    rows = [[image] * 4]
    got = grid(rows, (), ["sky", "tree"], PALETTE[1:], cell=40)
    below = got[len(grid(rows, cell=40)) :]
    assert colours_in(PALETTE[1:]) <= colours_in(below)
    assert colours_in(voc_palette(2)[1:]) <= colours_in(
        grid(rows, (), ["sky", "tree"], cell=40)
    )


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3), (900, 700, 3)])
def test_grid_takes_pictures_of_any_shape(shape):
    image = np.full(shape, 7, np.uint8)
    got = grid([[image]], cell=50)
    assert 7 in got
    assert got.shape[1] == 54


# -------------------------------------------------------------------------- arguments


IMAGE, LABEL = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: colour([[0, 3]], PALETTE), "holds 3, .* palette of 3 has no colour"),
        (lambda: colour([[0, -1]], PALETTE), "holds -1, "),
        (lambda: colour([[0.5]], PALETTE), r"\(H, W\) integers, not \(1, 1\) float64"),
        (lambda: colour(IMAGE, PALETTE), r"integers, not \(4, 6, 3\) uint8"),
        (lambda: colour(LABEL, PALETTE[:, :2]), r"palette must be .* not \(3, 2\)"),
        (
            lambda: overlay(IMAGE, LABEL[:, :5], PALETTE),
            r"one size, not 6x4 and 5x4 \(width x height\)",
        ),
        (lambda: overlay(IMAGE, LABEL.T, PALETTE), "one size, not 6x4 and 4x6"),
        (lambda: overlay(IMAGE, LABEL, PALETTE, 1.5), "alpha must be 0 to 1, not 1.5"),
        (lambda: overlay(LABEL, LABEL, PALETTE), r"uint8, not \(4, 6\) uint8"),
        (lambda: save_image("a.gif", IMAGE), r"as \.png or \.jpg, not as a\.gif"),
        (lambda: save_image("a.png", IMAGE / 2), r"not \(4, 6, 3\) float64"),
        (lambda: save_label("a.jpg", LABEL, PALETTE), r"keeps its values: a\.jpg"),
        (
            lambda: legend(["a", "b"], PALETTE, [0, 2]),
            "class 2 has no name: there are 2",
        ),
        (lambda: grid([]), "at least one picture"),
        (lambda: grid([[IMAGE, IMAGE]], ["a"]), "of 2 columns .* titles, not 1"),
    ],
)
def test_bad_input_is_named(call, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=sentence):
        call()
    assert list(tmp_path.iterdir()) == []


def test_importing_pictures_does_not_import_matplotlib():
    code = "import sys, minifcn.pictures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert set(pictures.__all__) <= set(dir(pictures))
