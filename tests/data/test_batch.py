"""Batches: what a net gets, and how unequal sizes are padded."""

import numpy as np
import pytest

from minifcn.data import VOC_MEAN_BGR, collate, to_input

MEAN = (10.5, 20.25, 30.75)


def test_input_is_blue_first_minus_mean(rng) -> None:
    image = rng.integers(256, size=(5, 7, 3), dtype=np.uint8)
    x = to_input(image, MEAN)
    assert x.dtype == np.float32
    assert x.shape == (3, 5, 7)
    for row in range(5):
        for column in range(7):
            red, green, blue = (int(value) for value in image[row, column])
            expected = (blue - 10.5, green - 20.25, red - 30.75)
            assert tuple(x[:, row, column].tolist()) == expected


def test_default_mean_is_that_of_voc() -> None:
    x = to_input(np.zeros((1, 1, 3), np.uint8))
    np.testing.assert_allclose(-x[:, 0, 0], (104.00699, 116.66877, 122.67892))


def test_mirrored_views_are_taken_as_they_are(rng) -> None:
    image = rng.integers(256, size=(5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        to_input(image[:, ::-1], MEAN), to_input(image, MEAN)[:, :, ::-1]
    )


def test_unequal_sizes_are_padded_below_and_right(rng) -> None:
    sizes = [(4, 9), (6, 5), (1, 1)]
    samples = [
        (
            rng.integers(256, size=(*size, 3), dtype=np.uint8),
            rng.integers(5, size=size, dtype=np.uint8),
        )
        for size in sizes
    ]
    batch = collate(samples, MEAN, ignore_index=250, ids=["a", "b", "c"])
    assert batch.sizes == sizes
    assert batch.ids == ["a", "b", "c"]
    assert batch.x.shape == (3, 3, 6, 9)
    assert (batch.x.dtype, batch.target.dtype) == (np.float32, np.uint8)
    for n, ((image, label), (h, w)) in enumerate(zip(samples, sizes, strict=True)):
        expected_x = np.zeros((3, 6, 9), np.float32)
        expected_x[:, :h, :w] = to_input(image, MEAN)
        expected_target = np.full((6, 9), 250)
        expected_target[:h, :w] = label
        np.testing.assert_array_equal(batch.x[n], expected_x)
        np.testing.assert_array_equal(batch.target[n], expected_target)


def test_padding_is_ignored_by_default() -> None:
    samples = [
        (np.ones((h, 3, 3), np.uint8), np.zeros((h, 3), np.uint8)) for h in (1, 2)
    ]
    batch = collate(samples, VOC_MEAN_BGR)
    assert batch.target.tolist() == [[[0] * 3, [255] * 3], [[0] * 3] * 2]


def test_no_samples() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        collate([])
