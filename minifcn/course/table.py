"""`lessons/lessons.toml`: the lessons in their order, and the questions they answer."""

from __future__ import annotations

import difflib
import importlib.util
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from minifcn.course.exercises import Exercise

NAME = "lessons.toml"
LISTED = "minifcn lesson NUMBER lists those of a lesson"


class CourseError(ValueError):
    """Lessons that cannot be used; says which file, and why."""


@dataclass(frozen=True)
class Task:
    """An exercise as the table tells it.

    Attributes:
        name: of the function to be written.
        idea: what it is about, in a few words.
        lines: about how many lines it takes.
        hints: one after the other, each telling more.
        given: code of the function that stands there already, above what is to be
            written; where it ends with a colon, that is indented once more.
        ending: code below it.
    """

    name: str
    idea: str
    lines: int
    hints: Sequence[str]
    given: str = ""
    ending: str = ""


@dataclass(frozen=True)
class Lesson:
    """A lesson as the table tells it, and its folder.

    Attributes:
        folder: NN_name; the number is the lesson's.
        title: in a few words.
        question: what one will be able to answer.
        teaches: the terms that are explained here.
        needs: the numbers of the lessons that it builds on.
        paper: which sections of Long et al. 2015 it tells.
        exercises: in their order.
    """

    folder: Path
    title: str
    question: str
    teaches: Sequence[str] = ()
    needs: Sequence[int] = ()
    paper: str = ""
    exercises: Sequence[Task] = field(default=())

    @property
    def number(self) -> int:
        """Its number."""
        return int(self.folder.name.partition("_")[0])

    @property
    def script(self) -> Path:
        """The lesson itself."""
        return self.folder / "lesson.py"

    @property
    def exercise_file(self) -> Path:
        """Where the learner writes."""
        return self.folder / "exercise.py"

    def checks(self) -> list[Exercise]:
        """Return what the exercises must do, as `checks.py` has it.

        Raises:
            CourseError: the table and that file name different exercises.
        """
        if not self.exercises:
            return []
        found: list[Exercise] = load(self.folder / "checks.py").EXERCISES
        names = [one.name for one in found], [task.name for task in self.exercises]
        if names[0] != names[1]:
            raise CourseError(
                f"{self.folder.name}: checks.py has the exercises "
                f"{', '.join(names[0])}; {NAME} has {', '.join(names[1])}"
            )
        return found


@dataclass(frozen=True)
class Question:
    """A question that users of such nets ask, and the lessons that answer it."""

    text: str
    lessons: Sequence[int]


@dataclass(frozen=True)
class Course:
    """All lessons.

    Attributes:
        root: the folder `lessons`.
    """

    root: Path

    @cached_property
    def _table(self) -> dict[str, Any]:
        path = self.root / NAME
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise CourseError(f"{path} is no TOML: {error}") from None

    @cached_property
    def lessons(self) -> list[Lesson]:
        """The lessons in their order."""
        return [self._lesson(dict(entry)) for entry in self._table["lesson"]]

    @cached_property
    def questions(self) -> list[Question]:
        """The questions in their order."""
        return [Question(**entry) for entry in self._table.get("question", [])]

    def _lesson(self, entry: dict[str, Any]) -> Lesson:
        tasks = [Task(**task) for task in entry.pop("exercise", [])]
        folder = self.root / entry.pop("folder")
        return Lesson(folder, exercises=tasks, **entry)

    def lesson(self, number: int) -> Lesson:
        """Return the lesson of a number.

        Raises:
            CourseError: there is none.
        """
        for lesson in self.lessons:
            if lesson.number == number:
                return lesson
        first, last = self.lessons[0].number, self.lessons[-1].number
        raise CourseError(
            f"there is no lesson {number}; they go from {first} to {last}"
        )

    def find(self, exercise: str) -> tuple[Lesson, Task]:
        """Return the lesson and the task of an exercise's name.

        Raises:
            CourseError: there is none.
        """
        tasks = {
            task.name: (lesson, task)
            for lesson in self.lessons
            for task in lesson.exercises
        }
        if exercise in tasks:
            return tasks[exercise]
        near = difflib.get_close_matches(exercise, tasks, 1)
        advice = f"did you mean {near[0]}?" if near else LISTED
        raise CourseError(f"there is no exercise {exercise!r}; {advice}")


def find_course(start: Path | None = None) -> Course:
    """Return the lessons here or above here, else those beside the package.

    Raises:
        FileNotFoundError: there are none.
    """
    here = (start or Path.cwd()).resolve()
    beside = Path(__file__).resolve().parents[2]
    for folder in (here, *here.parents, beside):
        for root in (folder, folder / "lessons"):
            if (root / NAME).is_file():
                return Course(root)
    raise FileNotFoundError(
        f"there is no folder lessons with {NAME} here or above: the lessons are in the "
        "project's source, not in the installed package; go to where you cloned it"
    )


def load(path: Path) -> ModuleType:
    """Run a file of a lesson as a module of its own; it is read anew at each call."""
    name = f"_lesson_{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module
