"""How far a learner is: which exercises have passed, in `lessons/.progress.json`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from minifcn.course.stubs import source_of
from minifcn.course.table import Course, Lesson, Task
from minifcn.files import replacing

NAME = ".progress.json"


class Progress:
    """The exercises that passed, each with the function that did."""

    def __init__(self, course: Course) -> None:
        self.path = course.root / NAME
        self.passed: dict[str, str] = {}
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
            self.passed = {str(name): str(mark) for name, mark in known.items()}
        except (OSError, ValueError, AttributeError):
            pass  # none yet, or not ours: checks are soon run again

    def has(self, lesson: Lesson, task: Task) -> bool:
        """Whether the function passed as it stands now."""
        return self.passed.get(task.name) == _mark(lesson.exercise_file, task)

    def note(self, lesson: Lesson, task: Task, passed: bool) -> None:
        """Keep what came out of a check."""
        self.passed.pop(task.name, None)
        if passed:
            self.passed[task.name] = _mark(lesson.exercise_file, task)
        with replacing(self.path) as file:
            file.write((json.dumps(self.passed, indent=1) + "\n").encode())

    def count(self, lesson: Lesson) -> int:
        """How many exercises of a lesson have passed."""
        return sum(self.has(lesson, task) for task in lesson.exercises)

    def next_in(self, lesson: Lesson) -> Task | None:
        """Return the first exercise of a lesson that has not passed."""
        return next((t for t in lesson.exercises if not self.has(lesson, t)), None)


def _mark(file: Path, task: Task) -> str:
    if not file.is_file():
        return ""
    text = file.read_text(encoding="utf-8", errors="replace")
    own = source_of(text, task.name) or text
    return hashlib.sha256(own.encode()).hexdigest()[:16]
