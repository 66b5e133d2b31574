"""A process of its own in which one exercise is checked: it may be ended at any time.

    python -m minifcn.course.worker FOLDER EXERCISE RESULT

checks EXERCISE of the lesson in FOLDER and writes what came out to the file RESULT, as
JSON: status ("passed", "failed", "untouched"), text, case, cases.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from minifcn.course.comparing import Mistake
from minifcn.course.exercises import Exercise
from minifcn.course.table import load
from minifcn.course.trial import Untouched, function_of, try_exercise


def check(folder: Path, name: str) -> dict[str, Any]:
    """Check an exercise; return what came out."""
    exercise: Exercise = next(
        one for one in load(folder / "checks.py").EXERCISES if one.name == name
    )
    file = folder / "exercise.py"
    try:
        function = function_of(file, name)
        cases = try_exercise(exercise, function, file)
    except Untouched as error:
        return {"status": "untouched", "text": str(error), "case": "", "cases": 0}
    except Mistake as error:
        text = str(error)
        return {"status": "failed", "text": text, "case": error.case, "cases": 0}
    _draw(exercise, function, folder)
    return {"status": "passed", "text": exercise.reached, "case": "", "cases": cases}


def _draw(exercise: Exercise, function: Any, folder: Path) -> None:
    """Draw the picture that the learner's own function makes."""
    if exercise.picture is None:
        return
    mine = folder / "mine"
    mine.mkdir(exist_ok=True)
    exercise.picture(function).savefig(mine / f"{exercise.name}.png", dpi=100)


if __name__ == "__main__":
    folder, name, result = sys.argv[1:]
    found = json.dumps(check(Path(folder).resolve(), name))
    Path(result).write_text(found, encoding="utf-8")
