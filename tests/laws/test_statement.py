"""What a law says when it breaks, and what the comparison lets through."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from minifcn.laws import (
    Case,
    Difference,
    Implementation,
    Law,
    LawError,
    cases,
    equal,
    inner,
    laws_of,
    on_arrays,
)
from minifcn.laws.statement import TOLERANCE, add_law


def relu_law(body, drawn=None):
    """A law of relu that is not in the registry."""
    drawn = cases.images("relu") if drawn is None else drawn
    return Law("relu", "it is right", "relu x = max(x, 0)", "", drawn, body)


def is_right(ops, case):
    equal(ops.relu(case.x), np.maximum(case.x, 0))


def mine(forward, backward=None):
    return Implementation("mine", operators={"relu": on_arrays(forward, backward)})


def broken(body, ops, count=50, **kept):
    with pytest.raises(LawError) as caught:
        relu_law(body).hold(ops, count, **kept)
    return caught.value


# ------------------------------------------------------------------------------ equal


@pytest.mark.parametrize(
    "came, expected",
    [
        (3, 3.0),
        ([1, np.nan], [1, np.nan]),
        ([np.inf, -np.inf], [np.inf, -np.inf]),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        ([-0.0], [0.0]),
        (1e6 * (1 + 0.9e-10), 1e6),
        (0.9e-10, 0.0),  # where all are 0 there is nothing to measure by
        ([0.9e-16, 1e-6], [0, 1e-6]),
        (2**60 + 1, 2**60 + 1),
        (np.uint8(7), 7.0),
        (np.float32(1e3 * (1 + 1e-5)), 1e3),
        ([True, False], [True, False]),
    ],
)
def test_equal(came, expected):
    equal(came, expected)


@pytest.mark.parametrize(
    "came, expected, said",
    [
        ([1], [1, 2], "y has shape (1,), expected (2,)"),
        ([[1]], [1], "y has shape (1, 1), expected (1,)"),
        (np.nan, 1, "y: expected 1, came nan"),
        (1, np.nan, "y: expected nan, came 1"),
        (-np.inf, np.inf, "y: expected inf, came -inf"),
        (1 + 2e-10, 1, "y: expected 1, came 1.0000000002"),
        (np.float32(1.001), 1, "y: expected 1, came 1.00100005"),
        (2e-10, 0, "y: expected 0, came 2e-10"),
        (1e-6 * (1 + 2e-10), 1e-6, "y: expected 1e-06, came 1.0000000002e-06"),
        (5.0001e-3, np.float32(5e-3), "y: expected 0.00499999989, came 0.0050001"),
        (np.float32(5.001e-3), 5e-3, "y: expected 0.005, came 0.00500100013"),
        (10**11 + 1, 10**11, "y: expected 100000000000, came 100000000001"),
        (10**11 + 1, 1e11, "y: expected 100000000000, came 100000000001"),
        (2**60 + 1, 2**60, "1152921504606846976, came 1152921504606846977"),
        ([True, False], [True, True], "difference at [1]: expected 1, came 0 (1 of 2"),
        ([1.0, 2, 4, 5], [1, 2, 3, 4], "first difference at [2]: expected 3, came 4"),
    ],
)
def test_different(came, expected, said):
    with pytest.raises(Difference) as caught:
        equal(came, expected)
    assert said in str(caught.value)


def test_tolerance_of_nothing_sees_the_last_digit():
    last = np.nextafter(1, 2)
    with pytest.raises(Difference, match=r"expected 1, came 1\.0000000000000002"):
        equal(last, 1, tolerance=0)
    equal(last, last, tolerance=0)


def test_tolerance_follows_the_type_on_trial():
    off = 1 + TOLERANCE["float32"] / 2
    law = relu_law(lambda ops, case: equal(off, 1))
    case = Case("relu", {"x": np.ones(2)}, {})
    law(Implementation(dtype="float32"), case)
    with pytest.raises(LawError):
        law(Implementation(), case)
    with pytest.raises(Difference):  # it ends with the law
        equal(off, 1)


@pytest.mark.parametrize(
    "came, tolerance", [(100_001, None), (np.uint32(100_001), None), (100_001, 0.1)]
)
def test_whole_numbers_are_equal_or_not(came, tolerance):
    """Indices, counts and labels: none is nearly right."""
    on_trial, case = Implementation(dtype="float32"), Case("relu", {}, {})
    relu_law(lambda *_: equal(1e5 + 1, 1e5))(on_trial, case)
    with pytest.raises(LawError):
        relu_law(lambda *_: equal(came, 100_000, "y", tolerance))(on_trial, case)


def test_small_gradients_are_measured_by_themselves():
    """Those of a mean over 200 pixels, 1/200 each, with one a part in 1000 off."""
    g = np.full(200, 1 / 200, np.float32)
    wrong = g.copy()
    wrong[7] *= 1.001
    for dtype in ("float32", "float64"):
        with pytest.raises(LawError, match="200"):
            relu_law(lambda ops, case: equal(wrong, g))(
                Implementation(dtype=dtype), Case("relu", {"x": np.ones(2)}, {})
            )


def test_errors_of_float32_count_where_float32_is_on_trial():
    def rounded(ops, case):
        equal(np.float32(1 + 1e-6), 1)

    for dtype, worst in (("float64", 0), ("float32", 9.5e-7)):
        verdict = relu_law(rounded).hold(Implementation(dtype=dtype), 3)
        assert verdict.worst_error == pytest.approx(worst, rel=0.01)


def test_inner_products_are_measured_by_their_terms():
    """They may cancel; the sum is no more exact for that."""
    a, b = np.array([1e3, 1e3, 1e-9]), np.array([1e3, -1e3, 1])
    equal(inner(a, b) + 1e-5, inner(a, b))
    with pytest.raises(Difference):
        equal(inner(a, b) + 1e-3, inner(a, b))
    with pytest.raises(Difference):
        equal(inner(a, b) + 1e-5, float(inner(a, b)))


def test_inner():
    assert inner([[1, 2]], [[3, 4]]) == 11
    with pytest.raises(Difference, match=r"a has shape \(2,\) and b \(1, 2\)"):
        inner([1, 2], [[1, 2]])


# ---------------------------------------------------------------------------- breaking


def test_message_tells_everything():
    error = broken(is_right, mine(lambda x: np.maximum(x, 0) + (x == 9)))
    lines = str(error).splitlines()
    assert lines[0] == "mine: relu breaks the law “it is right”"
    assert lines[1:3] == ["  law: relu x = max(x, 0)", "  case: relu(x)"]
    assert lines[3].startswith("  x (2,")
    assert lines[4].startswith("  expected y (2,")
    assert lines[5].startswith("  came     y (2,")
    assert "expected 9, came 10 (1 of" in lines[-1]
    assert max(map(len, lines)) <= 80


def test_case_is_the_smallest_and_is_kept():
    ops = mine(lambda x: np.maximum(x, 0) + (x.shape[3] > 3))
    error = broken(is_right, ops)
    assert error.case.x.shape == (2, 1, 1, 4)
    with pytest.raises(LawError, match="it is right"):
        relu_law(is_right)(ops, error.case)
    assert not getattr(error, "__notes__", [])


def test_cases_are_counted_until_it_breaks():
    seen = itertools.count(1)

    def fails_at_seven(ops, case):
        assert next(seen) < 7

    assert broken(fails_at_seven, Implementation()).cases == 7


def test_long_arrays_are_not_printed():
    error = broken(is_right, mine(lambda x: np.zeros((9, 9))))
    assert "y has shape (9, 9), expected (2, 1, 1, 2)" in str(error)
    case = Case("relu", {"x": np.ones((7, 9))}, {})
    with pytest.raises(LawError, match=r"x \(7, 9\) = … \(63 numbers\)"):
        relu_law(is_right)(mine(lambda x: x + 1), case)


@pytest.mark.parametrize(
    "forward, said",
    [
        (lambda x: 1 / 0, "relu raised ZeroDivisionError: division by zero"),
        (lambda x: None, "TypeError: forward returned NoneType; it must return an ar"),
        (lambda x: x.fill(0), "ValueError: assignment destination is read-only"),
        (lambda x: x[0], "y has shape (1, 1, 2), expected (2, 1, 1, 2)"),
    ],
)
def test_operators_that_fail(forward, said):
    assert said in str(broken(is_right, mine(forward)))


def test_law_that_fails_on_what_came():
    def of_three(ops, case):
        ops.relu(case.x) + np.ones(77)

    error = broken(of_three, Implementation())
    assert "  with what came, the law meets ValueError: operands" in str(error)


def test_operator_that_writes_over_its_input_is_told_and_undone():
    def force(x):
        x.data.flags.writeable = True
        x.data[...] = 5
        return x

    ops = Implementation("mine", operators={"relu": force})
    error = broken(is_right, ops)
    assert "relu wrote over its input of shape (2, 1, 1, 2)" in str(error)
    assert "= [[[[7, 3]]]" in str(error)  # what was drawn


def test_operator_that_answers_differently_every_time():
    answers = itertools.count()
    ops = mine(lambda x: np.maximum(x, 0) + (next(answers) == 3))
    law = next(law for law in laws_of("relu") if "definition" in law.name)
    with pytest.raises(LawError, match="on the same case at the next call another"):
        law.hold(ops, 20)


def test_operator_that_changes_the_type():
    wide = mine(lambda x: np.maximum(x, 0).astype(np.float64), lambda gy, x: gy)
    law = next(law for law in laws_of("relu") if law.name.startswith("type"))
    with pytest.raises(LawError, match="y of float32 has type float64, expected float"):
        law.hold(wide, 20)


# ---------------------------------------------------------------------------- drawing


def test_same_seed_same_cases():
    def drawn(seed):
        seen = []
        relu_law(lambda ops, case: seen.append(case.x)).hold(
            Implementation(), 10, seed=seed
        )
        return [x.tolist() for x in seen]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_cases_that_are_none_of_the_laws_do_not_count():
    def wide_only(ops, case):
        assume(case.x.shape[3] > case.x.shape[2])

    verdict = relu_law(wide_only).hold(Implementation(), 20)
    assert verdict == (20, 0)


def test_law_without_cases_does_not_hold():
    def never(ops, case):
        assume(False)

    error = broken(never, Implementation(), 5)
    assert "could not be tried: no case that was drawn is legal" in str(error)
    assert error.cases == 0


def test_worst_error_is_the_largest():
    errors = iter([0, 3e-11, 1e-11])

    def off(ops, case):
        equal(1 + next(errors, 0), 1)

    assert relu_law(off).hold(Implementation(), 5).worst_error == pytest.approx(3e-11)


def test_bad_counts_and_names():
    with pytest.raises(ValueError, match="cases is 0; it must be 1 or more"):
        relu_law(is_right).hold(Implementation(), 0)
    with pytest.raises(ValueError, match="relu has a law “equals its definition” alr"):
        add_law("relu", "equals_its_definition", st.nothing(), "", "", is_right)
    with pytest.raises(ValueError, match="no law of 'paint'; there are laws of conv2d"):
        laws_of("paint")


HOLDING = """
import pathlib
from hypothesis import configuration
from minifcn.laws import Implementation, LawError, laws_of, on_arrays

for law in laws_of("relu")[:2]:
    law.hold(Implementation(), 5)
    try:
        law.hold(Implementation(operators={"relu": on_arrays(lambda x: x)}), 50)
    except LawError as error:
        law.hold(Implementation(), 5)
    else:
        raise SystemExit("it should break")
assert not [*pathlib.Path().iterdir()]
print(configuration.storage_directory().home_directory)
"""


def test_nothing_is_left_behind(tmp_path):
    """Of hypothesis, where the user stands: in a process of its own, without pytest."""
    (tmp_path / "here").mkdir()
    (tmp_path / "scratch").mkdir()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        "TMPDIR": str(tmp_path / "scratch"),
    }
    process = subprocess.run(
        [sys.executable, "-c", HOLDING],
        cwd=tmp_path / "here",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (0, "")
    # Afterwards hypothesis writes where it always does.
    assert process.stdout.strip() == str(tmp_path / "here" / ".hypothesis")
    assert [*tmp_path.rglob("*")] == [tmp_path / "here", tmp_path / "scratch"]
