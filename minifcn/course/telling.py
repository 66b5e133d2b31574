"""What `minifcn lesson` says: of progress, and of what came out of a check."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

from minifcn.course.checking import Result
from minifcn.course.page import lines_text
from minifcn.course.progress import Progress
from minifcn.course.table import Course, Lesson, Task

MEANT = "The first check of an exercise is meant to fail: nothing is written yet."
WIDTH = 80  # columns of a message


def listed(course: Course, progress: Progress) -> str:
    """Tell all lessons, how much of each has passed, and where to go on."""
    wide = max(len(lesson.title) for lesson in course.lessons)
    lines = [
        f"{one.number:>3}  {one.title:<{wide}}  {bar(one, progress)}".rstrip()
        for one in course.lessons
    ]
    total = sum(len(lesson.exercises) for lesson in course.lessons)
    done = sum(map(progress.count, course.lessons))
    ahead = next((one for one in course.lessons if progress.next_in(one)), None)
    next_one = (
        f"Go on with: minifcn lesson {ahead.number}" if ahead else "All are done."
    )
    lines += ["", f"{done} of {total} exercises passed. {next_one}"]
    return "\n".join(lines if done else [*lines, MEANT])


def bar(lesson: Lesson, progress: Progress) -> str:
    """Draw a lesson's progress: a block for each exercise that passed."""
    return "".join("█" if progress.has(lesson, t) else "·" for t in lesson.exercises)


def introduced(lesson: Lesson, progress: Progress) -> str:
    """Tell where to read a lesson and what to do next."""
    lines = [
        *(f"{lesson.number} · {lesson.title}", lesson.question, ""),
        f"read   {near(lesson.folder / 'README.md')}",
        f"run    python {near(lesson.script)}",
    ]
    if lesson.exercises:
        lines += [f"write  {near(lesson.exercise_file)}", ""]
    for task in lesson.exercises:
        mark = "passed" if progress.has(lesson, task) else "to do"
        lines.append(f"  {mark:7} {task.name}: {task.idea} ({lines_text(task.lines)})")
    if lesson.exercises:
        lines += ["", f"then   minifcn lesson check {lesson.number}", MEANT]
    return "\n".join(lines)


def told(lesson: Lesson, task: Task, result: Result, known: bool = False) -> str:
    """Tell what came out of a check.

    Args:
        lesson: of the exercise.
        task: that was checked.
        result: of the check.
        known: whether it had passed before: then it is said in a few words.
    """
    if result.status == "passed":
        return _passed(lesson, task, result, known)
    if result.status == "failed":
        shown = [result.case, result.text, f"a hint: minifcn lesson hint {task.name}"]
        return _below(f"{task.name}: not yet", *shown)
    write = (
        f"Write it in {near(lesson.exercise_file)} (about {lines_text(task.lines)}), "
        "and check again."
    )
    return _below(f"{task.name}: {task.idea}", result.text, write, MEANT)


def _passed(lesson: Lesson, task: Task, result: Result, known: bool) -> str:
    head = f"{task.name}: right, in {result.cases} cases."
    if known:
        return head
    drawn = lesson.folder / "mine" / f"{task.name}.png"
    lines = [f"the library's: minifcn lesson solution {task.name}"]
    if drawn.is_file():
        lines.insert(0, f"drawn by your function: {near(drawn)}")
    return _below(head, result.text, *lines)


def ahead_of(course: Course, lesson: Lesson, progress: Progress) -> str:
    """Tell how much of a lesson has passed, and what is next."""
    done, total = progress.count(lesson), len(lesson.exercises)
    line = f"lesson {lesson.number}: {bar(lesson, progress)} {done} of {total}"
    task = progress.next_in(lesson)
    if task:
        return f"{line}, next: {task.name}, {task.idea}"
    later = [one for one in course.lessons if one.number > lesson.number]
    return f"{line}, next: minifcn lesson {later[0].number}" if later else line


def _below(head: str, *parts: str) -> str:
    """Write parts below a line, indented, and folded where they are too wide."""
    lines = [line for part in parts for line in part.splitlines()]
    folded = [_folded(line) for line in lines]
    return "\n".join([head, *(textwrap.indent(line, "  ") for line in folded)])


def _folded(line: str) -> str:
    if len(line) <= WIDTH:
        return line
    margin = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, WIDTH, subsequent_indent=margin)


def near(path: Path) -> str:
    """Write a path from where one stands, if that is shorter."""
    try:
        short = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return min(short, str(path), key=len)


def one_of(words: Sequence[str], action: str, what: str) -> str:
    """Return the one word that an action takes.

    Raises:
        ValueError: there are none, or several.
    """
    if len(words) != 1:
        given = " ".join(words) or "nothing"
        raise ValueError(f"minifcn lesson {action} takes {what}, not {given}")
    return words[0]
