"""A learner's mistakes: each is met with a sentence that helps."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from minifcn.course import Claim, trial, watching
from minifcn.course.comparing import compare
from minifcn.course.table import Lesson, Task
from minifcn.laws import Implementation, laws_of, on_arrays
from tests.course.common import EXERCISE, mistake_in, tried, written

pytestmark = pytest.mark.filterwarnings("default")
has_alarms = pytest.mark.skipif(
    not hasattr(signal, "SIGALRM"), reason="this system has no alarms"
)

CATCHING = """\
while True:
    try:
        while True:
            pass
    except {}:
        pass
"""
BODIES = {
    "nothing returned": ("y = x.sum(1)", "returned None: is there a return"),
    "wrong shape": (
        "return x.sum(1, keepdims=True)",
        "has shape (2, 1), expected (2,)",
    ),
    "wrong axis": ("return x.sum(0)", "yours has shape (3,), expected (2,)"),
    "wrong dtype": ("return x.sum(1).astype(int)", "the dtype int64, expected float64"),
    "a list": ("return [6.0, 15.0]", "returned a list; expected an array"),
    "a number": ("return 21", "the number 21; expected an array"),
    "wrong numbers": (
        "return x.sum(1) - x[:, 0]",
        "yours     [5 11]\nexpected  [6 15]\nfirst difference at [0]: yours 5, "
        "expected 6 (2 of 2 numbers differ)\nby hand: 1 + 2 + 3 = 6",
    ),
    "not a number": ("return x.sum(1) * np.nan", "yours     [nan nan]"),
    "input changed": (
        "x *= 1.5\nreturn x.sum(1) / 1.5",
        "changed its argument x",
    ),
    "input overwritten by nan": ("y = x.sum(1)\nx[:] = np.nan\nreturn y", "x.copy()"),
    "exception": ("return x[2].sum()", "raised IndexError: index 2 is out of bounds"),
    "exit": (
        "import sys\nsys.exit(3)",
        "SystemExit: 3\nin line 6 of exercise.py: sys.exit(3)\nit ends the whole",
    ),
    "recursion": ("return row_sums(x)", "does it call itself without end?"),
    "missing module": ("import torchy\nreturn x", "exercises need nothing but Python"),
    "too much memory": ("return np.ones((10**9, 10**6))", "is an array of the wrong"),
    "too much printed": (
        "while True:\n    print(x)",
        "printed more than 5,000 characters",
    ),
    "one long print": ("print('x' * 6000)\nreturn x.sum(1)", "print less, or nothing"),
    "right for the examples": (
        "return np.array([6.0, 15.0])",
        "what is to be true: y[r] = Σ",
    ),
    "keeps something": (
        "seen.append(x)\nreturn x.sum(1) + (len(seen) == 9)",
        "keep something between its calls",
    ),
    "a generator": ("yield x.sum(1)", "returned a generator"),
    "not the last argument": ("raise KeyError('x')", "raised KeyError: 'x'"),
}


@pytest.mark.parametrize("body, said", BODIES.values(), ids=BODIES)
def test_a_mistake_is_told(tmp_path: Path, body: str, said: str) -> None:
    mistake = mistake_in(lambda: tried(written(tmp_path, body)))
    assert said in str(mistake)
    assert mistake.case.startswith("row_sums(x)\n  x = [[")


def test_the_line_of_an_error_is_shown(tmp_path: Path) -> None:
    body = "y = x.sum(1)\nz = y[5]\nreturn z"
    said = str(mistake_in(lambda: tried(written(tmp_path, body))))
    assert said.endswith("in line 6 of exercise.py: z = y[5]")


@has_alarms
@pytest.mark.parametrize(
    "body", ["while True:\n    pass", CATCHING.format("Exception")]
)
def test_an_endless_loop_is_ended(tmp_path: Path, body: str) -> None:
    file = written(tmp_path, body)
    watched = watching.Watched(watching.function_of(file, "row_sums"), file, "f", 0.2)
    with pytest.raises(
        watching.Ended, match="is there a loop that never ends"
    ) as error:
        watched(np.ones((1, 2)))
    assert error.value.case == "f(x)\n  x = [[1 1]]"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@has_alarms
def test_no_alarm_is_left_behind(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM)
    watching.Watched(lambda: 3, tmp_path, "f")()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) == before


@has_alarms
def test_no_smaller_case_is_sought_where_each_waits(
    tmp_path: Path, monkeypatch
) -> None:
    """The loop ends on the example, and not on larger cases."""
    monkeypatch.setattr(watching.Watched.__init__, "__defaults__", (0.3,))
    body = "while x.shape != (2, 3):\n    pass\nreturn x.sum(1)"
    start = time.monotonic()
    mistake = mistake_in(lambda: tried(written(tmp_path, body)))
    assert time.monotonic() - start < 2
    assert str(mistake).startswith("your function was not done after 0.3 seconds")
    assert mistake.case.startswith("row_sums(x)")


def test_the_smallest_case_is_shown(tmp_path: Path) -> None:
    body = "y = x.sum(1)\nif x.shape[0] == 3:\n    y[-1] += 1\nreturn y"
    mistake = mistake_in(lambda: tried(written(tmp_path, body)))
    assert mistake.case == "row_sums(x)\n  x = [[0]\n       [0]\n       [0]]"
    assert "first difference at [2]: yours 1, expected 0" in str(mistake)


def test_what_an_example_printed_is_shown(tmp_path: Path) -> None:
    body = "print('here', x.shape)\nreturn x[0]"
    said = str(mistake_in(lambda: tried(written(tmp_path, body))))
    assert said.endswith("it printed: here (2, 3)")


def test_a_stub_is_no_mistake(tmp_path: Path) -> None:
    body = 'raise NotImplementedError("row_sums: not written yet (lesson 1)")'
    with pytest.raises(trial.Untouched, match="not written yet"):
        tried(written(tmp_path, body))


def test_right_is_right(tmp_path: Path) -> None:
    printing = "print('a little')\nreturn x.sum(1)"
    assert tried(written(tmp_path, printing)) > 20


FILES = {
    "no Python": (
        "def row_sums(x:\n",
        "exercise.py is no Python, line 1: '(' was never closed\n    def row",
    ),
    "badly indented": (
        "def f(x):\n  y = x\n    return y\n",
        "no Python, line 3: unexpected indent",
    ),
    "renamed": (
        "def sums(x):\n    return x\n",
        "no function row_sums: its name must stay",
    ),
    "no function any more": ("row_sums = 3\n", "has no function row_sums"),
    "missing module": (
        "import torchy\n",
        "'torchy'\nin line 1 of exercise.py: import torchy\nexercises need nothing",
    ),
    "it ends": ("import sys\nsys.exit()\n", "cannot be run: SystemExit\nin line 2"),
    "it fails": ("\n1 / 0\n", "division by zero\nin line 2 of exercise.py: 1 / 0"),
    "it talks": ("while True:\n    print('x' * 99)\n", "exercise.py printed more"),
    "not UTF-8": (b"x = 'caf\xe9'\n", "is no Python"),
}


@pytest.mark.parametrize("text, said", FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_used(tmp_path: Path, text, said: str) -> None:
    file = tmp_path / "exercise.py"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in str(mistake_in(lambda: tried(file)))


def test_no_file(tmp_path: Path) -> None:
    said = str(mistake_in(lambda: tried(tmp_path / "exercise.py")))
    assert said == f"there is no file {tmp_path / 'exercise.py'}"


@has_alarms
def test_a_file_that_never_ends(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.2)
    (tmp_path / "exercise.py").write_text("while True:\n    pass\n")
    said = str(mistake_in(lambda: tried(tmp_path / "exercise.py")))
    assert said.startswith("exercise.py was not done after 0.2 seconds")


def with_claim(judge, cases=None):
    if cases is None:
        cases = st.tuples(st.just(np.array([[1.0, 2, 3], [4, 5, 6]])))
    claim = Claim("the claim", cases, judge)
    return dataclasses.replace(EXERCISE, examples=[], claims=[claim])


def test_what_a_claim_cannot_use_is_told(tmp_path: Path) -> None:
    exercise = with_claim(lambda function, x: compare(function(x)[0] + 0.0, 6.0))
    mistake = mistake_in(lambda: tried(written(tmp_path, "pass"), exercise))
    assert "returned a NoneType, which cannot be used here (TypeError" in str(mistake)
    assert mistake.case.startswith("row_sums(x)")


def test_an_assertion_of_a_claim_is_told(tmp_path: Path) -> None:
    def judge(function, x):
        assert function(x) is None, "it is not None"

    file = written(tmp_path, "return x.sum(1)")
    said = str(mistake_in(lambda: tried(file, with_claim(judge))))
    assert said.startswith("it is not None")


def test_the_case_is_the_calls_that_were_made(tmp_path: Path) -> None:
    def additive(function, x):
        compare(function(x + x), function(x) + function(x))

    def halves(function, x):
        compare(function(x / 2) * 2, function(x))

    file = written(tmp_path, "return x.sum(1) ** 2")
    x = st.tuples(st.just(np.array([[2.0, 4]])))
    one = mistake_in(lambda: tried(file, with_claim(halves, x)))
    assert one.case == "row_sums(x)\n  x = [[1 2]]\nrow_sums(x)\n  x = [[2 4]]"
    many = mistake_in(lambda: tried(file, with_claim(additive, x)))
    assert many.case == "row_sums(x)\n  x = [[2 4]]"


def test_a_law_is_told_with_its_case() -> None:
    exercise = dataclasses.replace(
        EXERCISE,
        name="relu",
        examples=[],
        claims=[],
        laws=[law for law in laws_of("relu") if "maximum" in law.name],
        on_trial=lambda f: Implementation("yours", operators={"relu": on_arrays(f)}),
    )
    assert trial.try_exercise(exercise, lambda x: np.maximum(x, 0), Path("x.py")) > 20
    mistake = mistake_in(lambda: trial.try_exercise(exercise, abs, Path("x.py")))
    assert "yours: relu breaks the law" in str(mistake)
    assert "what is to be true:" in str(mistake)
    mistake = mistake_in(lambda: trial.try_exercise(exercise, len, Path("x.py")))
    assert "relu raised TypeError: forward returned int" in str(mistake)

    def spoiling(x):
        x[...] = 0
        return x

    mistake = mistake_in(lambda: trial.try_exercise(exercise, spoiling, Path("x.py")))
    assert "\n  your function changed its argument x" in str(mistake)


def test_the_call_is_written_as_one_reads_it(tmp_path: Path) -> None:
    def f(x, kernel=(2, 1), stride=1, *rest):
        return x

    watched = watching.Watched(f, tmp_path, "conv")
    text = watched.call_text((np.arange(4.0).reshape(2, 2), (1, 2), 2.5, np.ones(2), 7))
    assert text == (
        "conv(x, kernel=(1, 2), stride=2.5, rest, argument 5=7)\n"
        "  x = [[0 1]\n       [2 3]]\n  rest = [1 1]"
    )


def test_arrays_in_lists_are_watched_too(tmp_path: Path) -> None:
    def spoil(pairs):
        pairs[0][1][:] = 0

    watched = watching.Watched(spoil, tmp_path, "spoil")
    said = str(mistake_in(lambda: watched([("a", np.ones(2))])))
    assert "changed its argument pairs" in said


# ------------------------------------------------------------- in a process of its own


CHECKS = "from tests.course.common import EXERCISE\nEXERCISES = [EXERCISE]\n"


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch) -> Lesson:
    """A lesson whose one exercise is `row_sums`."""
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *sys.path]))
    folder = tmp_path / "03_sums"
    folder.mkdir()
    (folder / "checks.py").write_text(CHECKS)
    task = Task("row_sums", "sums", 1, ["one", "two"])
    return Lesson(folder, "Sums", "How much?", exercises=[task])


def outcome(lesson: Lesson, body: str, **options):
    from minifcn.course.checking import check

    written(lesson.folder, body)
    return check(lesson, lesson.exercises[0], **options)


def test_a_check_in_a_process(lesson: Lesson) -> None:
    right = outcome(lesson, "return x.sum(1)")
    assert (right.status, right.text, right.case) == ("passed", "You can add.", "")
    assert right.cases > 20
    wrong = outcome(lesson, "return x")
    assert wrong.status == "failed"
    assert wrong.case.startswith("row_sums(x)")
    stub = outcome(lesson, 'raise NotImplementedError("not yet")')
    assert (stub.status, stub.text) == ("untouched", "not yet")
    left = {path.name for path in lesson.folder.iterdir()} - {"__pycache__"}
    assert left == {"checks.py", "exercise.py"}


@pytest.mark.parametrize(
    "body, said",
    [
        ("import os\nos._exit(0)", "has ended (exit status 0): does it leave it"),
        ("import os\nos._exit(5)", "has ended (exit status 5)"),
        ("input()\nreturn x", "nothing can be typed in during a check"),
        ("return bytearray(20 << 30)", "raised MemoryError"),
    ],
)
def test_what_only_a_process_can_bear(lesson: Lesson, body: str, said: str) -> None:
    result = outcome(lesson, body)
    assert result.status == "failed"
    assert said in result.text


def test_a_loop_that_catches_everything_is_ended(lesson: Lesson) -> None:
    result = outcome(lesson, CATCHING.format("BaseException"), limit=8)
    assert result.status == "failed"
    assert result.text.startswith("the check was not done after 8 seconds")


def test_a_check_that_is_broken_says_so(lesson: Lesson) -> None:
    (lesson.folder / "checks.py").write_text("import nowhere\n")
    result = outcome(lesson, "return x")
    assert result.text == (
        "the check itself is broken: ModuleNotFoundError: No module named 'nowhere'"
    )


def test_a_picture_that_fails_does_not_undo_a_pass(lesson: Lesson) -> None:
    (lesson.folder / "checks.py").write_text(
        "import dataclasses\nfrom tests.course.common import EXERCISE\n"
        "EXERCISES = [dataclasses.replace(EXERCISE, picture=lambda f: f(3))]\n"
    )
    result = outcome(lesson, "return x.sum(1)")
    assert result.status == "passed"
    assert result.text.startswith("You can add. (No picture: AttributeError")


def test_the_worker_starts_soon() -> None:
    """Nothing heavy is imported for a check: no drawing, unless there is a picture."""
    code = "import sys, minifcn.course.worker; print('matplotlib' in sys.modules)"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.strip() == "False"
