"""A process of its own in which one exercise is checked: it may be ended at any time.

    python -m minifcn.course.worker FOLDER EXERCISE RESULT

checks EXERCISE of the lesson in FOLDER and writes what came out to the file RESULT, as
JSON: status ("passed", "failed", "untouched"), text, case, cases.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minifcn.course.comparing import Mistake
from minifcn.course.exercises import Exercise
from minifcn.course.table import load
from minifcn.course.trial import Untouched, function_of, try_exercise
from minifcn.files import replacing

MEMORY = 8 << 30  # bytes that a check may take, where the system can be told so


def main(folder: Path, name: str, result: Path) -> None:
    """Check an exercise, write what came out, and draw its picture."""
    _limit_memory()
    exercise: Exercise = next(
        one for one in load(folder / "checks.py").EXERCISES if one.name == name
    )
    outcome = check(exercise, folder / "exercise.py")
    _write(result, outcome)  # first: it stands, whatever the picture does
    if outcome["status"] == "passed" and exercise.picture:
        try:
            _draw(exercise, function_of(folder / "exercise.py", name), folder / "mine")
        except Exception as error:
            outcome["text"] += f" (No picture: {type(error).__name__}: {error})"
            _write(result, outcome)


def check(exercise: Exercise, file: Path) -> dict[str, Any]:
    """Check an exercise; return what came out."""
    try:
        cases = try_exercise(exercise, function_of(file, exercise.name), file)
    except Untouched as error:
        return _outcome("untouched", str(error))
    except Mistake as error:
        return _outcome("failed", str(error), error.case)
    return _outcome("passed", exercise.reached, cases=cases)


def _outcome(status: str, text: str, case: str = "", cases: int = 0) -> dict[str, Any]:
    return {"status": status, "text": text, "case": case, "cases": cases}


def _write(path: Path, outcome: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(outcome).encode())


def _draw(exercise: Exercise, function: Callable[..., Any], folder: Path) -> None:
    """Draw the picture that the learner's own function makes."""
    assert exercise.picture is not None
    figure = exercise.picture(function)
    folder.mkdir(exist_ok=True)
    with replacing(folder / f"{exercise.name}.png") as file:
        figure.savefig(file, format="png", dpi=100)


def _limit_memory() -> None:
    """Let a list that never ends meet a MemoryError before it takes all there is."""
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or hard > MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    except (ImportError, OSError, ValueError):
        pass  # Windows has no such limit, and macOS refuses it


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3]))
