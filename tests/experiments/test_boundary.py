"""Accuracy near boundaries, against its definition pixel by pixel."""

import numpy as np
import pytest

from minifcn.data import IGNORE
from minifcn.experiments.boundary import Trimap, boundary_accuracy, boundary_distance


def distance_by_definition(label: np.ndarray, reach: int) -> np.ndarray:
    H, W = label.shape
    distance = np.full((H, W), reach + 1)
    for y in range(H):
        for x in range(W):
            for v in range(H):
                for u in range(W):
                    d = max(abs(y - v), abs(x - u))
                    if label[v, u] != label[y, x] and d < distance[y, x]:
                        distance[y, x] = d
    return distance


def blobs(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A label with regions several pixels wide, single pixels, and some to ignore."""
    coarse = rng.choice([0, 1, 4, IGNORE], (size[0] // 4 + 1, size[1] // 5 + 1))
    label = coarse.repeat(4, 0).repeat(5, 1)[: size[0], : size[1]].astype(np.uint8)
    label[rng.integers(size[0]), rng.integers(size[1])] = 2
    return label


def test_distances_by_hand() -> None:
    label = [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 7],
    ]
    assert boundary_distance(label, 3).tolist() == [
        [4, 4, 3, 2, 2, 2],
        [4, 4, 3, 2, 1, 1],
        [4, 4, 3, 2, 1, 1],
    ]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (13, 22), (22, 13)])
@pytest.mark.parametrize("reach", [1, 2, 5, 30])
def test_distances_are_those_of_the_definition(
    rng: np.random.Generator, size: tuple[int, int], reach: int
) -> None:
    label = blobs(rng, size)
    expected = distance_by_definition(label, reach)
    np.testing.assert_array_equal(boundary_distance(label, reach), expected)


def test_label_of_one_value_has_no_boundary() -> None:
    assert (boundary_distance(np.full((5, 8), 3), 4) == 5).all()


def test_label_is_left_as_it_was(rng: np.random.Generator) -> None:
    label = blobs(rng, (12, 17))
    before = label.copy()
    label.setflags(write=False)
    boundary_distance(label)
    np.testing.assert_array_equal(label, before)


def test_counts_by_hand() -> None:
    target = np.array([[0, 0, 0, 0, 1, 1, IGNORE]])
    predicted = np.array([[1, 0, 0, 1, 1, 0, 0]])
    # distances 4 3 2 1 1 1 1; the last does not count
    counts = Trimap(target, 5).counts(predicted)
    assert counts.tolist() == [[1, 2, 3, 3, 3], [3, 4, 5, 6, 6]]
    expected = [1 / 3, 2 / 4, 3 / 5, 3 / 6, 3 / 6]
    np.testing.assert_array_equal(boundary_accuracy(counts), expected)


@pytest.mark.parametrize("reach", [1, 3, 16])
def test_counts_are_those_of_the_definition(
    rng: np.random.Generator, reach: int
) -> None:
    target = blobs(rng, (19, 26))
    predicted = np.where(rng.random(target.shape) < 0.7, target, 1)
    distance = distance_by_definition(target, 20)
    counts = Trimap(target, reach).counts(predicted)
    for r in range(1, reach + 1):
        near = (distance <= r) & (target != IGNORE)
        assert counts[1, r - 1] == near.sum()
        assert counts[0, r - 1] == (near & (predicted == target)).sum()
    assert counts.shape == (2, reach)


def test_accuracy_where_nothing_counts_is_nan() -> None:
    target = np.full((4, 6), 2)
    counts = Trimap(target, 3).counts(target)
    assert np.isnan(boundary_accuracy(counts)).all()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"must be \(H, W\), not of shape \(4,\)"):
        boundary_distance([1, 2, 3, 4])
    with pytest.raises(ValueError, match="reach"):
        boundary_distance([[1, 2]], 0)
    label = np.zeros((2, 3), int)
    with pytest.raises(ValueError, match=r"one shape, not \(2, 3\) and \(3, 2\)"):
        Trimap(label).counts(label.T)
