"""What a learner's function gave beside what was expected, in words for a learner."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}  # of the largest number expected
WIDTH = 80  # columns of a message
SHOWN = 200  # numbers of an array that are still written


class Mistake(AssertionError):
    """What is wrong with a function, told to who wrote it.

    Attributes:
        case: the call, as text; "" where it made no difference.
    """

    case: str = ""


def compare(came: Any, expected: Any) -> None:
    """Compare what came with what was expected: kind, shape, type, numbers.

    Args:
        came: what the learner's function returned.
        expected: a number, an array, or a tuple of them.

    Raises:
        Mistake: says what differs, yours beside expected.
    """
    if came is None:
        raise Mistake("your function returned None: is there a return at its end?")
    if isinstance(expected, tuple | list):
        _compare_tuples(came, expected)
    elif isinstance(expected, np.ndarray) and expected.ndim:
        _compare_arrays(came, expected)
    else:
        _compare_numbers(came, expected)


def _compare_tuples(came: Any, expected: Sequence[Any]) -> None:
    if not isinstance(came, tuple | list):
        raise Mistake(
            f"your function returned {a_kind(came)}; expected {len(expected)} values: "
            f"{shown(expected)}"
        )
    if len(came) != len(expected):
        raise Mistake(
            f"your function returned {len(came)} values, expected {len(expected)}\n"
            + beside(came, expected)
        )
    for number, (mine, theirs) in enumerate(zip(came, expected)):
        try:
            compare(mine, theirs)
        except Mistake as error:
            raise Mistake(f"of what was returned, value {number}: {error}") from None


def _compare_numbers(came: Any, expected: Any) -> None:
    if isinstance(came, np.ndarray) and came.ndim == 0:
        came = came[()]
    if isinstance(expected, np.ndarray):
        expected = expected[()]
    number = isinstance(came, int | float | np.number | np.bool_)
    if isinstance(expected, int | float | np.number) and not number:
        raise Mistake(
            f"your function returned {a_kind(came)}; expected the number "
            f"{shown(expected)}"
        )
    whole = isinstance(expected, int) and not isinstance(expected, bool)
    if whole and isinstance(came, float | np.floating) and came == expected:
        raise Mistake(
            f"your function returned {float(came)}, expected the whole number "
            f"{expected}: // divides whole numbers"
        )
    if not _near(came, expected):
        raise Mistake(beside(came, expected))


def _near(came: Any, expected: Any) -> bool:
    if isinstance(expected, float | np.floating):
        near = TOLERANCE.get(str(np.asarray(expected).dtype), 1e-3)
        return bool(np.isclose(came, expected, rtol=near, atol=1e-12, equal_nan=True))
    return not isinstance(came, np.ndarray) and bool(came == expected)


def _compare_arrays(came: Any, expected: np.ndarray) -> None:
    if not isinstance(came, np.ndarray):
        raise Mistake(
            f"your function returned {a_kind(came)}; expected an array of shape "
            f"{expected.shape}"
        )
    if came.shape != expected.shape:
        raise Mistake(
            f"yours has shape {came.shape}, expected {expected.shape}\n"
            + beside(came, expected)
        )
    if came.dtype != expected.dtype:
        raise Mistake(
            f"yours has the dtype {came.dtype}, expected {expected.dtype}: an array "
            "that is made anew should get the dtype of the one it is made from"
        )
    wrong = ~_equal(came, expected)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise Mistake(
            beside(came, expected) + f"\nfirst difference at {list(first)}: yours "
            f"{shown(came[first])}, expected {shown(expected[first])} "
            f"({wrong.sum()} of {wrong.size} numbers differ)"
        )


def _equal(came: np.ndarray, expected: np.ndarray) -> np.ndarray:
    if expected.dtype.kind not in "fc":
        return came == expected
    finite = np.abs(expected[np.isfinite(expected)])
    near = TOLERANCE.get(str(expected.dtype), 1e-3) * finite.max(initial=1e-300)
    with np.errstate(invalid="ignore"):
        close = np.abs(came - expected) <= near
    return close | (came == expected) | (np.isnan(came) & np.isnan(expected))


def a_kind(value: Any) -> str:
    """Say what a value is: a list, a Tensor, the number 3."""
    if isinstance(value, bool | int | float | np.number):
        return f"the number {shown(value)}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def beside(came: Any, expected: Any) -> str:
    """Write yours and expected, one under the other."""
    return f"{labelled('yours', came)}\n{labelled('expected', expected)}"


def labelled(label: str, value: Any, column: int = 10) -> str:
    """Write a value after a label; the further lines of an array stand below it."""
    head = f"{label:<{column}}"
    if not isinstance(value, np.ndarray) or value.ndim < 2:
        return textwrap.fill(head + shown(value), WIDTH, subsequent_indent=" " * column)
    return textwrap.indent(shown(value), " " * column).replace(" " * column, head, 1)


def shown(value: Any) -> str:
    """Write a value as short as it can be: 3, (2, 4), [[1 0] [0 1]]."""
    if isinstance(value, np.ndarray):
        return _shown_array(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(shown, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _shown_array(array: np.ndarray) -> str:
    if array.size > SHOWN:
        return f"an array of shape {array.shape}"
    digits: Any = {"float_kind": "{:.6g}".format}  # 7, where NumPy writes 7.
    text = np.array2string(
        array, separator=" ", formatter=digits, max_line_width=WIDTH - 10
    )
    return re.sub(r"\n\n+", "\n", text)
