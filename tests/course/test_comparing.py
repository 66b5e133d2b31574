"""What is said of two values that differ, and that nothing is said of equal ones."""

import numpy as np
import pytest

from minifcn.course.comparing import WIDTH, beside, compare, labelled, shown
from tests.course.common import mistake_in

EQUAL = [
    (3, 3),
    (np.int64(3), 3),
    (3, 3.0),
    (0.1 + 0.2, 0.3),
    (np.array(3), 3),
    (2.5, np.array(2.5)),
    (np.float32(0.1), np.float32(0.1 + 1e-8)),
    (float("nan"), float("nan")),
    ("conv1", "conv1"),
    ([2, 4], (2, 4)),
    ((2, 4), [2, 4]),
    ((np.ones(2), 3), (np.ones(2), 3)),
    (np.array([0.1 + 0.2, np.nan, np.inf]), np.array([0.3, np.nan, np.inf])),
    (np.array([1, 2]), np.array([1, 2])),
    (np.array([True]), np.array([True])),
    (np.zeros((0, 2)), np.zeros((0, 2))),
    (np.array([1e9, 0.1]), np.array([1e9, 0])),  # next to the largest it is nothing
]


@pytest.mark.parametrize("came, expected", EQUAL)
def test_equal(came, expected) -> None:
    compare(came, expected)


DIFFERENT = [
    (None, 3, "None: is there a return at its end?"),
    (4, 3, "yours     4\nexpected  3"),
    (3.0, 3, "returned 3.0, expected the whole number 3: // divides whole numbers"),
    (np.float64(3), 3, "returned 3.0, expected the whole"),
    (3.5, 3, "yours     3.5\nexpected  3"),
    (0.3001, 0.3, "yours     0.3001\nexpected  0.3"),
    (float("nan"), 3.0, "yours     nan"),
    ([3], 3, "returned a list; expected the number 3"),
    ("3", 3, "returned a str; expected the number 3"),
    (np.ones(2), 3, "returned an array of shape (2,); expected the number 3"),
    (np.ones(2), "sum", "yours     [1 1]\nexpected  'sum'"),
    (3, (2, 4), "returned the number 3; expected 2 values: (2, 4)"),
    ((2, 4, 6), (2, 4), "returned 3 values, expected 2\nyours     (2, 4, 6)"),
    ((2, 5), (2, 4), "of what was returned, value 1: yours     5\nexpected  4"),
    ((2, None), (2, 4), "value 1: your function returned None"),
    (3, np.ones(2), "returned the number 3; expected an array of shape (2,)"),
    (np.ones((2, 1)), np.ones(2), "yours has shape (2, 1), expected (2,)"),
    (np.ones(2, np.float32), np.ones(2), "the dtype float32, expected float64"),
    (
        np.array([1, 2]),
        np.array([1, 3]),
        "first difference at [1]: yours 2, expected 3",
    ),
    (np.array([1.0, np.nan]), np.array([1.0, 2]), "(1 of 2 numbers differ)"),
    (np.array([1.0, 2]), np.array([np.inf, 2]), "at [0]: yours 1, expected inf"),
    (np.array([-np.inf]), np.array([np.inf]), "yours     [-inf]"),
    (np.array([True]), np.array([False]), "yours     [ True]"),
]


@pytest.mark.parametrize("came, expected, said", DIFFERENT)
def test_different(came, expected, said: str) -> None:
    assert said in str(mistake_in(lambda: compare(came, expected)))


def test_the_tolerance_is_that_of_the_type() -> None:
    single = np.array([1, 3], np.float32)
    compare(single * np.float32(1 + 2e-6), single)
    mistake_in(lambda: compare(single * np.float32(1 + 1e-4), single))
    mistake_in(lambda: compare(np.array([1.0, 3]) * (1 + 1e-7), np.array([1.0, 3])))


@pytest.mark.parametrize(
    "value, text",
    [
        (3, "3"),
        (2.50, "2.5"),
        (np.float32(2.5), "2.5"),
        ((2,), "(2,)"),
        ((2, (3, 4)), "(2, (3, 4))"),
        ([1, None], "[1, None]"),
        ("a", "'a'"),
        (np.array([1.0, 2.5]), "[1 2.5]"),
        (np.arange(4).reshape(2, 2), "[[0 1]\n [2 3]]"),
        (np.arange(2).reshape(2, 1, 1), "[[[0]]\n [[1]]]"),
        (np.zeros((20, 11)), "an array of shape (20, 11)"),
    ],
)
def test_values_are_written_short(value, text: str) -> None:
    assert shown(value) == text


def test_arrays_stand_below_each_other() -> None:
    assert beside(np.eye(2), np.ones((2, 2))) == (
        "yours     [[1 0]\n           [0 1]]\nexpected  [[1 1]\n           [1 1]]"
    )


@pytest.mark.parametrize("value", [np.arange(150) * 7, list(range(100)), np.eye(14)])
def test_nothing_is_too_wide(value) -> None:
    lines = labelled("yours", value).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= WIDTH
