"""Small cases for the claims of exercises: whole numbers, no two sizes alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from minifcn.geometry import span


@st.composite
def arrays(
    draw: DrawFn, shape: Sequence[int], low: int = -4, high: int = 9
) -> np.ndarray:
    """Draw whole numbers as float64: sums and products of them are exact."""
    count = int(np.prod(shape))
    numbers = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    return np.array(numbers, np.float64).reshape(shape)


@st.composite
def distinct(draw: DrawFn, shape: Sequence[int], low: int = -9) -> np.ndarray:
    """Draw whole numbers no two of which are equal, from `low` upwards."""
    count = int(np.prod(shape))
    order = draw(st.permutations(range(count)))
    return np.array(order, np.float64).reshape(shape) + low


def unequal(low: int, high: int) -> SearchStrategy[tuple[int, int]]:
    """Draw a height and a width that differ."""
    both = st.tuples(st.integers(low, high), st.integers(low, high))
    return both.filter(lambda size: size[0] != size[1])


def sizes_around(
    place: Sequence[int], kernel: Sequence[int], stride: int = 1, dilation: int = 1
) -> list[int]:
    """Return the smallest size of an image in which that window lies wholly."""
    return [p * stride + span(k, dilation) for p, k in zip(place, kernel)]
