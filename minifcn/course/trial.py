"""A learner's function on trial: called with care, its mistakes told in sentences.

Whatever the function does (returns nothing, writes over its input, prints without end,
never comes back, raises) becomes a `Mistake` that names the call.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import linecache
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase
from hypothesis.errors import HypothesisException

from minifcn.course.comparing import Mistake, compare, labelled, shown
from minifcn.course.exercises import Claim, Example, Exercise
from minifcn.course.table import load
from minifcn.laws import Implementation, LawError

CASES = 60  # drawn for each claim
PATIENCE = 5  # seconds that one call may take
TALK = 5_000  # characters that one call may print


class Untouched(Exception):
    """The function is the stub still; its message is the stub's own."""


class Watched:
    """A learner's function whose calls are watched.

    Args:
        function: what was written.
        file: where it stands.
        name: of the exercise.
        patience: seconds that a call may take.

    Attributes:
        printed: what the last call printed.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        file: Path,
        name: str,
        patience: float = PATIENCE,
    ) -> None:
        self.function, self.file, self.patience = function, file, patience
        self.__name__ = name
        self.printed = ""

    def __call__(self, *arguments: Any) -> Any:
        """Call it with copies of the arguments.

        Raises:
            Mistake: the call went wrong; its `case` is the call as text.
            Untouched: the function is not written yet.
        """
        given = copy.deepcopy(arguments)
        try:
            with _listening() as said, _in_time(self.patience):
                came = self.function(*given)
            self.printed = said.getvalue()
            _check_unchanged(given, arguments)
        except Mistake as mistake:
            mistake.case = mistake.case or self.call_text(arguments)
            raise
        except (HypothesisException, KeyboardInterrupt):
            raise
        except NotImplementedError as error:
            raise Untouched(str(error)) from None
        except BaseException as error:  # SystemExit, too
            raise self._raised(error, arguments) from None
        return came

    def _raised(self, error: BaseException, arguments: tuple[Any, ...]) -> Mistake:
        kind = type(error).__name__
        mistake = Mistake(f"your function raised {kind}: {error}" + self._line(error))
        mistake.case = self.call_text(arguments)
        return mistake

    def call_text(self, arguments: tuple[Any, ...]) -> str:
        """Write a call by the names of its arguments, arrays below it."""
        names = _names(self.function, len(arguments))
        inside, below = [], []
        for name, argument in zip(names, arguments):
            if isinstance(argument, np.ndarray):
                inside.append(name)
                below.append(labelled(f"  {name} =", argument, len(name) + 5))
            else:
                inside.append(f"{name}={shown(argument)}")
        return "\n".join([f"{self.__name__}({', '.join(inside)})", *below])

    def _line(self, error: BaseException) -> str:
        """Name the last line of the learner's file that the error came through."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename) == self.file]
        if not own:
            return ""
        return f"\nin line {own[-1].lineno} of {self.file.name}: {own[-1].line}"


def _names(function: Callable[..., Any], count: int) -> list[str]:
    """Return what a function calls its arguments; numbers where it does not tell."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    return (names + [f"argument {n + 1}" for n in range(len(names), count)])[:count]


def _check_unchanged(given: tuple[Any, ...], before: tuple[Any, ...]) -> None:
    for number, (now, then) in enumerate(zip(given, before)):
        if isinstance(now, np.ndarray) and not np.array_equal(
            now, then, equal_nan=True
        ):
            raise Mistake(
                f"your function changed its argument number {number + 1}, an array: "
                "whoever called it still needs that; work on a copy, x.copy()"
            )


class _Limited(io.StringIO):
    """What is printed, up to a limit."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > TALK:
            raise Mistake(
                f"your function printed more than {TALK:,} characters in one call: "
                "print less, or nothing"
            )
        return super().write(text)


@contextlib.contextmanager
def _listening() -> Iterator[io.StringIO]:
    with contextlib.redirect_stdout(_Limited()) as said:
        yield said


@contextlib.contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """Raise a Mistake where a block takes longer; only where the system has alarms."""
    in_main = threading.current_thread() is threading.main_thread()
    if not (hasattr(signal, "SIGALRM") and in_main):
        yield
        return

    def late(signum: int, frame: FrameType | None) -> None:
        raise Mistake(
            f"your function was not done after {seconds:g} seconds: is there a loop "
            "that never ends?"
        )

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------------------- trying


def function_of(file: Path, name: str) -> Callable[..., Any]:
    """Return the function that a learner's file defines.

    Raises:
        Mistake: the file cannot be run, or has no such function.
    """
    linecache.checkcache(str(file))
    try:
        with _listening(), _in_time(PATIENCE):
            module = load(file)
    except SyntaxError as error:
        text = (error.text or "").rstrip()
        raise Mistake(
            f"{file.name} is no Python, line {error.lineno}: {error.msg}\n    {text}"
        ) from None
    except Mistake as error:
        said = str(error).replace("your function", file.name)
        raise Mistake(said) from None
    except Exception as error:
        said = f"{file.name} cannot be run: {type(error).__name__}: {error}"
        raise Mistake(said) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise Mistake(f"{file.name} has no function {name}: its name must stay")
    return function


def try_exercise(exercise: Exercise, function: Callable[..., Any], file: Path) -> int:
    """Hold a function against all that an exercise asks.

    Returns:
        How many cases it passed.

    Raises:
        Mistake: it does not; with the smallest case that shows it.
        Untouched: it is not written yet.
    """
    watched = Watched(function, file, exercise.name)
    for example in exercise.examples:
        _try_example(watched, example)
    cases = len(exercise.examples)
    for claim in exercise.claims:
        cases += _attack(watched, claim)
    for law in exercise.laws:
        assert exercise.on_trial is not None
        cases += _hold(law, exercise.on_trial(watched), watched)
    return cases


def _try_example(watched: Watched, example: Example) -> None:
    try:
        compare(watched(*example.arguments), example.expected)
    except Mistake as error:
        said = f"{error}\n{example.because}"
        if watched.printed:
            said += f"\nit printed: {watched.printed.strip()[:400]}"
        mistake = Mistake(said)
        mistake.case = watched.call_text(example.arguments)
        raise mistake from None


def _attack(watched: Watched, claim: Claim) -> int:
    """Try a claim on drawn cases; raise the smallest that breaks it."""
    tried = 0

    @hypothesis.seed(0)
    @hypothesis.settings(
        max_examples=CASES,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(claim.cases)
    def attempt(arguments: tuple[Any, ...]) -> None:
        nonlocal tried
        tried += 1
        try:
            claim.judge(watched, *arguments)
        except Mistake as error:
            error.case = error.case or watched.call_text(arguments)
            raise

    try:
        attempt()
    except Mistake as error:
        mistake = Mistake(f"{error}\nwhat is to be true: {claim.sentence}")
        mistake.case = error.case
        raise mistake from None
    return tried


def _hold(law: Any, ops: Implementation, watched: Watched) -> int:
    try:
        return law.hold(ops, cases=CASES).cases
    except LawError as error:
        raise Mistake(f"{error}\nwhat is to be true: {law.meaning}") from None
