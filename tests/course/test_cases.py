"""The cases that claims are tried on: small whole numbers, sizes unlike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minifcn.course import cases


@given(st.data())
def test_arrays_hold_small_whole_numbers(data) -> None:
    x = data.draw(cases.arrays((2, 3), low=-2, high=5))
    assert x.shape == (2, 3)
    assert x.dtype == np.float64
    assert ((x == x.round()) & (x >= -2) & (x <= 5)).all()


@given(cases.distinct((3, 2), low=-4))
def test_distinct_numbers(x) -> None:
    assert sorted(x.ravel()) == [-4, -3, -2, -1, 0, 1]


@given(cases.unequal(1, 3))
def test_sizes_differ(size) -> None:
    assert size[0] != size[1]
    assert all(1 <= n <= 3 for n in size)


def test_the_smallest_image_of_a_window() -> None:
    """Window 2 at stride 3 begins at pixel 6; a kernel of 3 with holes ends at 10."""
    assert cases.sizes_around((2, 0), (3, 2), stride=3, dilation=2) == [11, 3]
