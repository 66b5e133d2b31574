"""All lessons and exercises of the course, for tests that run over them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minifcn.course.cells import Cell, split
from minifcn.course.exercises import Exercise
from minifcn.course.table import Course, Lesson, Task, load

COURSE = Course(Path(__file__).resolve().parents[2] / "lessons")
LESSONS = COURSE.lessons
TASKS = [(lesson, task) for lesson in LESSONS for task in lesson.exercises]
WRONG = Path(__file__).with_name("wrong")

each_lesson = pytest.mark.parametrize(
    "lesson", LESSONS, ids=lambda lesson: lesson.folder.name
)
each_task = pytest.mark.parametrize(
    ("lesson", "task"), TASKS, ids=[task.name for _, task in TASKS]
)


def exercise(lesson: Lesson, task: Task) -> Exercise:
    (found,) = (one for one in lesson.checks() if one.name == task.name)
    return found


def answers(lesson: Lesson) -> dict[str, dict]:
    """Return RIGHT and WRONG of a lesson, as its file in `wrong` has them."""
    module = load(WRONG / f"{lesson.folder.name}.py")
    return {"right": module.RIGHT, "wrong": module.WRONG}


def count_of_wrong(lesson: Lesson, task: Task) -> int:
    """Return how many wrong answers there are; 0 where their file cannot be used."""
    try:
        return len(answers(lesson)["wrong"][task.name])
    except Exception:  # tests that load it say why
        return 0


def cells(lesson: Lesson) -> list[Cell]:
    return split(lesson.script.read_text(encoding="utf-8"))


def code(lesson: Lesson) -> list[Cell]:
    return [cell for cell in cells(lesson) if cell.kind != "markdown"]


def prose(lesson: Lesson) -> str:
    """Return a lesson's text without the code that is quoted in it."""
    texts = [cell.text for cell in cells(lesson) if cell.kind == "markdown"]
    return re.sub(r"^ {4}.*$|`[^`\n]*`", "", "\n\n".join(texts), flags=re.M)


def words(lesson: Lesson) -> str:
    """Return all that a lesson says in words, also in the table."""
    said = [lesson.title, lesson.question, prose(lesson)]
    for task in lesson.exercises:
        said += [task.idea, *task.hints]
    return " ".join("\n".join(said).split())
