"""A small exercise, and functions that stand in a learner's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from minifcn.course import Claim, Example, Exercise, equal_to
from minifcn.course.cases import arrays, unequal
from minifcn.course.comparing import Mistake
from minifcn.course.trial import function_of, try_exercise

ROOT = Path(__file__).resolve().parents[2]


def row_sums(x: np.ndarray) -> np.ndarray:
    """Add up the numbers of each row."""
    return x.sum(axis=1)


EXERCISE = Exercise(
    "row_sums",
    solution=row_sums,
    examples=[
        Example(
            (np.array([[1.0, 2, 3], [4, 5, 6]]),), np.array([6.0, 15]), "1 + 2 + 3 = 6"
        )
    ],
    claims=[
        Claim(
            "y[r] = Σ x[r, c] over all c",
            st.tuples(unequal(1, 4).flatmap(arrays)),
            equal_to(row_sums),
        )
    ],
    reached="You can add.",
)


def written(folder: Path, body: str) -> Path:
    """Write a learner's file, whose function `row_sums(x)` has a body."""
    file = folder / "exercise.py"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    text = f"import numpy as np\nseen = []\n\ndef row_sums(x):\n{lines}"
    file.write_text(text, encoding="utf-8")
    return file


def tried(file: Path, exercise: Exercise = EXERCISE) -> int:
    return try_exercise(exercise, function_of(file, exercise.name), file)


def mistake_in(function: Callable[[], Any]) -> Mistake:
    with pytest.raises(Mistake) as error:
        function()
    return error.value
