"""Checking exercises one after the other, each in a process that may be ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from minifcn.course.table import Lesson, Task

LIMIT = 90  # seconds for all that an exercise asks


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
        command = [sys.executable, "-m", "minifcn.course.worker"]
        arguments = [str(lesson.folder), task.name, str(result)]
        try:
            done = subprocess.run(
                command + arguments,
                timeout=limit,
                capture_output=True,
                text=True,
                env=_environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = f"the check was not done after {limit:g} seconds, and was ended"
            return Result("failed", said)
        if not result.is_file():  # the process died, or the lesson's own code is wrong
            last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
            return Result("failed", f"the check itself ended: {last[0]}")
        return Result(**json.loads(result.read_text(encoding="utf-8")))


def _environment() -> dict[str, str]:
    """Return this environment, in which the child finds this very package."""
    here = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH")
    paths = [here, *([others] if others else [])]
    # A picture needs no display, and BLAS on one thread starts at once.
    more = {"PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg"}
    return os.environ | more
