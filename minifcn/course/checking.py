"""Checking exercises one after the other, each in a process that may be ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from minifcn.course.table import Lesson, Task

LIMIT = 60  # seconds for all that an exercise asks
ENDED = (
    "the check was not done after {:g} seconds, and was ended: is there a loop that "
    "never ends, or one that is very slow?"
)
DIED = (
    "the program in which your function ran has ended ({}): does it leave it, as "
    "os._exit does, or take all memory?"
)


class Result(NamedTuple):
    """What came out of a check.

    Attributes:
        status: "passed", "failed" or "untouched".
        text: of what was reached, or of the mistake, or of the stub.
        case: the smallest call that shows the mistake.
        cases: how many were passed.
    """

    status: str
    text: str
    case: str = ""
    cases: int = 0


def check(lesson: Lesson, task: Task, limit: float = LIMIT) -> Result:
    """Check one exercise of a lesson.

    Args:
        lesson: whose `exercise.py` holds the function.
        task: which one.
        limit: seconds; longer takes only what no alarm can wake.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        said = _run([str(lesson.folder), task.name, str(result)], folder, limit)
        if result.is_file():
            return Result(**json.loads(result.read_text(encoding="utf-8")))
        return Result("failed", said)


def _run(arguments: list[str], folder: str, limit: float) -> str:
    """Run the worker; say how it ended, for when it leaves no result."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "minifcn.course.worker", *arguments],
            timeout=limit,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=_environment(folder),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ENDED.format(limit)
    said = done.stderr.strip().splitlines()
    if any(line.startswith("Traceback") for line in said):  # not the learner's
        return f"the check itself is broken: {said[-1]}"
    return DIED.format(_status(done.returncode))


def _status(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {-code}"


def _environment(folder: str) -> dict[str, Any]:
    """Return this environment, in which the child finds this very package.

    Args:
        folder: for what is written on the way.
    """
    here = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH")
    paths = [here, *([others] if others else [])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
        "MPLBACKEND": "Agg",  # a picture needs no display
        "HYPOTHESIS_STORAGE_DIRECTORY": folder,
    }
