"""A learner's function, called with care: its mistakes are told in sentences.

Whatever the function does (writes over its input, prints without end, never comes back,
raises, ends the program) becomes a `Mistake` that names the call.
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

import numpy as np
from hypothesis.errors import HypothesisException

from minifcn.course.comparing import Mistake, labelled, shown
from minifcn.course.table import load

PATIENCE = 5  # seconds that one call may take
TALK = 5_000  # characters that one call may print

ADVICE = {
    EOFError: "nothing can be typed in during a check",
    MemoryError: "is an array of the wrong shape made, or a list that never ends?",
    ModuleNotFoundError: "exercises need nothing but Python and NumPy",
    RecursionError: "does it call itself without end?",
    SystemExit: "it ends the whole program; to come back from a function, return",
}


class Untouched(Exception):
    """The function is the stub still; its message is the stub's own."""


class Ended(BaseException):
    """A call that was ended from outside; says why.

    No `except Exception` catches it, and no search for a smaller case follows: that
    would wait as long again, many times.

    Attributes:
        case: the call, as text.
    """

    case: str = ""


class Watched:
    """A learner's function whose calls are watched.

    Args:
        function: what was written.
        file: where it stands.
        name: of the exercise.
        patience: seconds that a call may take.

    Attributes:
        calls: the arguments of every call, until somebody clears them.
        came: what the last call returned.
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
        self.calls: list[tuple[Any, ...]] = []
        self.came: Any = None
        self.printed = ""

    def __call__(self, *arguments: Any) -> Any:
        """Call it with copies of the arguments.

        Raises:
            Mistake: the call went wrong; its `case` is the call as text.
            Ended: the call took too long, or printed too much.
            Untouched: the function is not written yet.
        """
        self.calls.append(arguments)
        given = copy.deepcopy(arguments)
        try:
            with listening() as said, in_time(self.patience):
                try:
                    self.came = self.function(*given)
                finally:
                    self.printed = said.getvalue()
            self._check_unchanged(given, arguments)
        except (Mistake, Ended) as error:
            error.case = error.case or self.call_text(arguments)
            raise
        except (HypothesisException, KeyboardInterrupt):
            raise
        except NotImplementedError as error:
            raise Untouched(str(error)) from None
        except BaseException as error:  # SystemExit, too
            mistake = Mistake(f"your function raised {explained(error, self.file)}")
            mistake.case = self.call_text(arguments)
            raise mistake from None
        return self.came

    def _check_unchanged(self, given: tuple[Any, ...], before: tuple[Any, ...]) -> None:
        for name, now, then in zip(self._names(len(given)), given, before):
            if not _same(now, then):
                raise Mistake(
                    f"your function changed its argument {name}, and whoever called it "
                    f"still needs that: work on a copy, as {name}.copy() makes one"
                )

    def call_text(self, arguments: tuple[Any, ...]) -> str:
        """Write a call by the names of its arguments, arrays below it."""
        inside, below = [], []
        for name, argument in zip(self._names(len(arguments)), arguments):
            if isinstance(argument, np.ndarray):
                inside.append(name)
                below.append(labelled(f"  {name} =", argument, len(name) + 5))
            else:
                inside.append(f"{name}={shown(argument)}")
        return "\n".join([f"{self.__name__}({', '.join(inside)})", *below])

    def _names(self, count: int) -> list[str]:
        """Return what it calls its arguments; numbers where it does not tell."""
        try:
            names = list(inspect.signature(self.function).parameters)
        except (TypeError, ValueError):
            names = []
        return (names + [f"argument {n + 1}" for n in range(len(names), count)])[:count]


def explained(error: BaseException, file: Path) -> str:
    """Tell an error: its kind, what it says, the learner's line, and advice."""
    said = str(error)
    lines = [f"{type(error).__name__}: {said}" if said else type(error).__name__]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename) == file]
    if own:
        lines.append(f"in line {own[-1].lineno} of {file.name}: {own[-1].line}")
    advice = (ADVICE[kind] for kind in ADVICE if isinstance(error, kind))
    return "\n".join([*lines, *advice])


def _same(now: Any, then: Any) -> bool:
    """Whether arrays, also those in lists and tuples, hold what they held before."""
    if isinstance(now, np.ndarray):
        return np.array_equal(now, then, equal_nan=now.dtype.kind in "fc")
    if isinstance(now, dict):
        return now.keys() == then.keys() and all(_same(now[k], then[k]) for k in now)
    if isinstance(now, list | tuple):
        return len(now) == len(then) and all(map(_same, now, then))
    return True


class _Limited(io.StringIO):
    """What is printed, up to a limit."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > TALK:
            raise Ended(
                f"your function printed more than {TALK:,} characters in one call: "
                "print less, or nothing"
            )
        return super().write(text)


@contextlib.contextmanager
def listening() -> Iterator[io.StringIO]:
    """Keep what a block prints; end it where that is too much."""
    with contextlib.redirect_stdout(_Limited()) as said:
        yield said


@contextlib.contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """End a block that takes longer; only where the system has alarms.

    Where it has none, or the block catches even that, whoever started this process
    ends it (`checking.check`).
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not (hasattr(signal, "SIGALRM") and in_main):
        yield
        return

    def late(signum: int, frame: FrameType | None) -> None:
        raise Ended(
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


def function_of(file: Path, name: str) -> Callable[..., Any]:
    """Return the function that a learner's file defines.

    Raises:
        Mistake: the file cannot be run, or has no such function.
    """
    if not file.is_file():
        raise Mistake(f"there is no file {file}")
    linecache.checkcache(str(file))
    try:
        with listening(), in_time(PATIENCE):
            module = load(file)
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        text = f"\n    {error.text.strip()}" if error.text else ""
        raise Mistake(f"{file.name} is no Python{place}: {error.msg}{text}") from None
    except Ended as error:
        raise Mistake(str(error).replace("your function", file.name)) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too
        said = f"{file.name} cannot be run: {explained(error, file)}"
        raise Mistake(said) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise Mistake(f"{file.name} has no function {name}: its name must stay")
    return function
