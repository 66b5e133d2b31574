"""Mirror, scale and crop against pictures worked out by hand."""

import numpy as np
import pytest
from PIL import Image

from minifcn.data import Augment

FILL = (9, 8, 7)


class Dice:
    """A generator with fixed throws: of random(), uniform() and integers()."""

    def __init__(self, coin=0.9, factor=1.0, integers=()) -> None:
        self.coin, self.factor, self.throws = coin, factor, list(integers)
        self.asked: list[int] = []

    def random(self) -> float:
        return self.coin

    def uniform(self, low, high) -> float:
        assert low <= self.factor <= high
        return self.factor

    def integers(self, high) -> int:
        self.asked.append(high)
        throw = self.throws.pop(0) if self.throws else 0
        assert 0 <= throw < high
        return throw


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose pixels tell their row, column; a label that tells both."""
    row, column = np.mgrid[:height, :width].astype(np.uint8)
    return np.stack([row, column, row + column], axis=2), row * 10 + column


def test_nothing_asked_nothing_done(rng) -> None:
    image, label = pair(4, 6)
    got = Augment()(image, label, rng)
    np.testing.assert_array_equal(got[0], image)
    np.testing.assert_array_equal(got[1], label)


def test_mirror_swaps_columns_of_both() -> None:
    image, label = pair(3, 4)
    got = Augment(mirror=True)(image, label, Dice(coin=0.2))
    for row in range(3):
        for column in range(4):
            assert got[0][row, column].tolist() == image[row, 3 - column].tolist()
            assert got[1][row, column] == label[row, 3 - column]


@pytest.mark.parametrize(("mirror", "coin"), [(True, 0.7), (False, 0.2)])
def test_no_mirror(mirror, coin) -> None:
    image, label = pair(3, 4)
    got = Augment(mirror=mirror)(image, label, Dice(coin=coin))
    np.testing.assert_array_equal(got[0], image)
    np.testing.assert_array_equal(got[1], label)


def test_half_of_all_samples_are_mirrored() -> None:
    image, label = pair(2, 3)
    augment = Augment(mirror=True)
    mirrored = sum(
        bool(augment(image, label, np.random.default_rng(k))[1][0, 0])
        for k in range(400)
    )
    assert 150 < mirrored < 250


def test_crop_content() -> None:
    image, label = pair(6, 9)
    dice = Dice(integers=(2, 3))
    got = Augment(crop=(3, 5))(image, label, dice)
    assert dice.asked == [6 - 3 + 1, 9 - 5 + 1]
    np.testing.assert_array_equal(got[0], image[2:5, 3:8])
    np.testing.assert_array_equal(got[1], label[2:5, 3:8])


def test_crop_reaches_every_place(rng) -> None:
    image, label = pair(4, 6)
    corners = {
        int(Augment(crop=(2, 3))(image, label, rng)[1][0, 0]) for _ in range(300)
    }
    assert corners == {10 * row + column for row in range(3) for column in range(4)}


def test_small_image_is_padded_around() -> None:
    image, label = pair(2, 3)
    dice = Dice(integers=(1, 4))
    got_image, got_label = Augment(crop=(5, 8), fill=FILL)(image, label, dice)
    assert dice.asked == [5 - 2 + 1, 8 - 3 + 1]
    expected_image = np.tile(np.array(FILL, np.uint8), (5, 8, 1))
    expected_image[1:3, 4:7] = image
    expected_label = np.full((5, 8), 255)
    expected_label[1:3, 4:7] = label
    np.testing.assert_array_equal(got_image, expected_image)
    np.testing.assert_array_equal(got_label, expected_label)


def test_padded_along_one_axis_cropped_along_the_other() -> None:
    image, label = pair(7, 2)
    got_image, got_label = Augment(crop=3, fill=FILL)(
        image, label, Dice(integers=(4, 1))
    )
    np.testing.assert_array_equal(got_image[:, 1:], image[4:7])
    np.testing.assert_array_equal(got_label[:, 1:], label[4:7])
    assert got_image[:, 0].tolist() == [list(FILL)] * 3
    assert got_label[:, 0].tolist() == [255] * 3


def test_doubling_repeats_label_pixels() -> None:
    image, label = pair(3, 4)
    augment = Augment(scale=(0.5, 2.0))
    got_image, got_label = augment(image, label, Dice(factor=2.0))
    np.testing.assert_array_equal(got_label, label.repeat(2, 0).repeat(2, 1))
    # half-pixel bilinear of 0, 1, 2, 3: -0.25, .25, .75, 1.25 ... clamped at the ends
    columns = np.clip(np.arange(8) / 2 - 0.25, 0, 3)
    np.testing.assert_allclose(got_image[..., 1], np.tile(columns, (6, 1)), atol=0.51)


@pytest.mark.parametrize(
    "throws, down, right",
    [
        ((5, 2), 2, -1),
        ((3, 3), 0, 0),
        ((0, 6), -3, 3),
        ((6, 0), 3, -3),
        ((1, 3), -2, 0),
    ],
)
def test_jitter_moves_both_and_fills(throws, down, right) -> None:
    image, label = pair(5, 7)
    dice = Dice(integers=(0, 0, *throws))  # 0, 0: of the crop
    got_image, got_label = Augment(jitter=3, fill=FILL)(image, label, dice)
    assert dice.asked == [1, 1, 7, 7]  # -3 .. 3
    for row in range(5):
        for column in range(7):
            y, x = row - down, column - right  # where it was
            inside = 0 <= y < 5 and 0 <= x < 7
            assert got_label[row, column] == (label[y, x] if inside else 255)
            expected = image[y, x].tolist() if inside else list(FILL)
            assert got_image[row, column].tolist() == expected


def test_jitter_moves_what_was_mirrored_and_cropped() -> None:
    image, label = pair(6, 9)
    dice = Dice(coin=0.2, integers=(2, 3, 2, 0))  # from row 2, column 3; by 1, -1
    got_image, got_label = Augment(True, crop=(3, 5), fill=FILL, jitter=1)(
        image, label, dice
    )
    assert dice.asked == [4, 5, 3, 3]
    mirrored = label[2:5, 3:8][:, ::-1]
    expected = np.full((3, 5), 255)
    expected[1:, :4] = mirrored[:2, 1:]
    np.testing.assert_array_equal(got_label, expected)
    np.testing.assert_array_equal(got_image[1:, :4], image[2:5, 3:8][:, ::-1][:2, 1:])


def test_jitter_reaches_every_shift_and_no_other(rng) -> None:
    image, label = pair(9, 9)
    augment = Augment(jitter=2)
    # the pixel in the middle tells where it came from
    middles = {int(augment(image, label, rng)[1][4, 4]) for _ in range(400)}
    assert middles == {
        10 * row + column for row in range(2, 7) for column in range(2, 7)
    }


def test_no_jitter_draws_nothing() -> None:
    image, label = pair(4, 6)
    dice = Dice()
    Augment(jitter=0)(image, label, dice)
    assert dice.asked == [1, 1]


def test_jitter_out_of_sight(rng) -> None:
    image, label = np.full((2, 1, 3), 77, np.uint8), np.ones((2, 1), np.uint8)
    augment = Augment(jitter=32, fill=FILL)
    for _ in range(200):
        got_image, got_label = augment(image, label, rng)
        assert got_label.shape == (2, 1)
        assert (got_image[got_label == 1] == 77).all()
        assert (got_image[got_label == 255] == FILL).all()


def test_bad_jitter() -> None:
    with pytest.raises(ValueError, match="jitter must be at least 0 pixels, not -1"):
        Augment(jitter=-1)


def test_label_values_are_never_mixed(rng) -> None:
    label = rng.choice(np.array([0, 20, 255], np.uint8), size=(31, 47))
    image = np.zeros((31, 47, 3), np.uint8)
    augment = Augment(True, (0.3, 3.0), (24, 40))
    for _ in range(50):
        assert set(np.unique(augment(image, label, rng)[1])) <= {0, 20, 255}


@pytest.mark.parametrize("factor", [0.53, 0.8, 1.37, 2.9])
def test_crop_of_scaled_is_the_crop_of_the_whole_scaled(rng, factor) -> None:
    image = rng.integers(256, size=(53, 71, 3), dtype=np.uint8)
    label = rng.integers(256, size=(53, 71), dtype=np.uint8)
    size = (round(71 * factor), round(53 * factor))
    whole_image = np.asarray(Image.fromarray(image).resize(size, Image.BILINEAR))
    whole_label = np.asarray(Image.fromarray(label).resize(size, Image.NEAREST))
    augment = Augment(scale=(0.5, 3), crop=(20, 30))
    got_image, got_label = augment(image, label, Dice(factor=factor, integers=(6, 5)))
    np.testing.assert_array_equal(got_label, whole_label[6:26, 5:35])
    np.testing.assert_allclose(got_image.astype(int), whole_image[6:26, 5:35], atol=1)


def test_image_and_label_stay_together(rng) -> None:
    """A white square labelled 1 stays on its label through everything."""
    label = np.zeros((60, 80), np.uint8)
    label[20:45, 30:62] = 1
    image = np.repeat(label[..., None] * 255, 3, axis=2)
    augment = Augment(True, (0.5, 2.0), (50, 70), fill=(0, 0, 0))
    for _ in range(50):
        got_image, got_label = augment(image, label, rng)
        assert got_image.shape == (50, 70, 3)
        assert got_label.shape == (50, 70)
        white = got_image[..., 0]
        assert (got_label[white == 255] == 1).all()
        assert (got_label[white == 0] != 1).all()
        differs = (white > 127) != (got_label == 1)
        assert np.mean(differs[got_label != 255]) < 0.015


def test_arguments_are_left_alone(rng) -> None:
    image, label = pair(9, 12)
    image.flags.writeable = label.flags.writeable = False
    for crop in (None, (5, 20)):
        Augment(True, (0.4, 2.0), crop, jitter=3)(image, label, rng)
    np.testing.assert_array_equal(image, pair(9, 12)[0])


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
@pytest.mark.parametrize("crop", [None, (7, 5)])
def test_thin_images(rng, size, crop) -> None:
    image, label = np.full((*size, 3), 77, np.uint8), np.ones(size, np.uint8)
    augment = Augment(True, (0.1, 2.0), crop, fill=FILL)
    for _ in range(20):
        got_image, got_label = augment(image, label, rng)
        assert (got_image[got_label == 1] == 77).all()
        assert (got_image[got_label == 255] == FILL).all()
        assert (got_label == 1).any()


@pytest.mark.parametrize("scale", [(0, 1), (2, 1), (-1, 1), (1, np.inf), (np.nan, 1)])
def test_bad_scale(scale) -> None:
    with pytest.raises(ValueError, match="scale must be"):
        Augment(scale=scale)


@pytest.mark.parametrize("crop", [0, (3, 0), (-1, 4)])
def test_bad_crop(crop) -> None:
    with pytest.raises(ValueError, match="crop must be"):
        Augment(crop=crop)
