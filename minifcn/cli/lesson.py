"""``minifcn lesson``: the lessons, one's progress, and the check of what one wrote."""

from __future__ import annotations

import inspect
import os
import textwrap
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minifcn.cli.common import add_json, example, print_json
from minifcn.course import page, stubs
from minifcn.course.checking import Result, check
from minifcn.course.progress import Progress
from minifcn.course.table import Course, CourseError, Lesson, Task, find_course
from minifcn.files import replacing

MEANT = "The first check of an exercise is meant to fail: nothing is written yet."


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn lesson``."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="a lesson's number; or check, hint, solution, reset, watch, build with a "
        "number or an exercise; without it, list the lessons",
    )
    parser.add_argument(
        "--notebook", action="store_true", help="with build: lesson.ipynb, too"
    )
    add_json(parser)
    example(
        parser,
        "minifcn lesson                 # all lessons, and how far you are",
        "minifcn lesson 1               # what to read, what to write",
        "minifcn lesson check 1         # is it right? if not, the smallest case",
        "minifcn lesson hint im2col     # and hint im2col 2, if that is not enough",
        "minifcn lesson solution im2col # the library's own function",
        "minifcn lesson reset im2col    # as it was at the start",
        "minifcn lesson watch 1         # check at every save",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Do what is asked.

    Raises:
        ValueError: it is nothing that can be done.
    """
    course = find_course()
    word, *rest = args.what or ["list"]
    if word.isdecimal():
        return show(course, course.lesson(int(word)))
    if word == "list":
        return list_lessons(course, args.json)
    if word == "build":
        return build(course, rest, args.notebook)
    actions: dict[str, Callable[[Course, Sequence[str]], int]] = {
        "check": check_all,
        "hint": hint,
        "solution": solution,
        "reset": reset,
        "watch": watch,
    }
    if word not in actions:
        raise ValueError(
            f"minifcn lesson {word!r} is unknown; it is a number, or one of "
            f"{', '.join([*actions, 'build'])}"
        )
    return actions[word](course, rest)


def list_lessons(course: Course, as_json: bool) -> int:
    """Print the lessons with one's progress."""
    progress = Progress(course)
    rows: list[dict[str, Any]] = [
        {
            "number": lesson.number,
            "title": lesson.title,
            "exercises": len(lesson.exercises),
            "passed": progress.count(lesson),
        }
        for lesson in course.lessons
    ]
    if as_json:
        print_json(rows)
        return 0
    for row in rows:
        print(_line(row))
    done, total = (sum(row[key] for row in rows) for key in ("passed", "exercises"))
    print(f"\n{done} of {total} exercises passed. {_next(course, progress)}")
    return 0


def _line(row: dict[str, Any]) -> str:
    done, total = row["passed"], row["exercises"]
    bar = "█" * done + "·" * (total - done)
    return f"{row['number']:>3}  {row['title']:<58} {bar}"


def _next(course: Course, progress: Progress) -> str:
    for lesson in course.lessons:
        if progress.next_in(lesson):
            return f"Go on with: minifcn lesson {lesson.number}"
    return "That is all of them."


def show(course: Course, lesson: Lesson) -> int:
    """Print where to read a lesson and what to do next."""
    print(f"{lesson.number} · {lesson.title}\n{lesson.question}\n")
    print(f"read   {_near(lesson.folder / 'README.md')}")
    print(f"run    python {_near(lesson.script)}")
    if not lesson.exercises:
        return 0
    print(f"write  {_near(lesson.exercise_file)}\n")
    progress = Progress(course)
    for task in lesson.exercises:
        mark = "passed" if progress.has(lesson, task) else "to do"
        print(f"  {mark:7} {task.name}: {task.idea} ({page.lines_text(task.lines)})")
    print(f"\nthen   minifcn lesson check {lesson.number}\n{MEANT}")
    return 0


def check_all(course: Course, words: Sequence[str]) -> int:
    """Check an exercise, a lesson's, or all from the first that has not passed."""
    if not words:
        words = [str(_current(course).number)]
    (word,) = _one(words, "check")
    if word.isdecimal():
        lesson = course.lesson(int(word))
        return check_tasks(course, lesson, lesson.exercises)
    lesson, task = course.find(word)
    return check_tasks(course, lesson, [task])


def _current(course: Course) -> Lesson:
    progress = Progress(course)
    unfinished = (one for one in course.lessons if progress.next_in(one))
    return next(unfinished, course.lessons[-1])


def check_tasks(course: Course, lesson: Lesson, tasks: Sequence[Task]) -> int:
    """Check exercises up to the first that fails; 1 where one does."""
    if not tasks:
        print(f"lesson {lesson.number} has no exercises")
    lesson.checks()  # the table and checks.py agree
    progress = Progress(course)
    for task in tasks:
        result = check(lesson, task)
        progress.note(lesson, task, result.status == "passed")
        print(told(lesson, task, result))
        if result.status != "passed":
            return 1
    return 0


def told(lesson: Lesson, task: Task, result: Result) -> str:
    """Tell what came out of a check."""
    if result.status == "untouched":
        return (
            f"{task.name}: {task.idea}\n  {result.text}\n  Write it in "
            f"{_near(lesson.exercise_file)} (about {page.lines_text(task.lines)}), and "
            f"check again.\n  {MEANT}"
        )
    if result.status == "failed":
        parts = [f"{task.name}: not yet", _indented(result.case, "  ")]
        parts += [_indented(result.text, "  ")]
        parts += [f"  a hint: minifcn lesson hint {task.name}"]
        return "\n".join(part for part in parts if part.strip())
    drawn = lesson.folder / "mine" / f"{task.name}.png"
    lines = [f"{task.name}: right, in {result.cases} cases. {result.text}"]
    if drawn.is_file():
        lines.append(f"  drawn by your function: {_near(drawn)}")
    lines.append(f"  the library's: minifcn lesson solution {task.name}")
    return "\n".join(lines)


def hint(course: Course, words: Sequence[str]) -> int:
    """Print one hint of an exercise, the first unless its number is given."""
    name, number = (*words, "1")[:2] if words else ("", "1")
    _, task = course.find(name)
    count = len(task.hints)
    if not (number.isdecimal() and 1 <= int(number) <= count):
        raise CourseError(f"{name} has {count} hints; there is no hint {number}")
    print(textwrap.fill(task.hints[int(number) - 1], 80))
    if int(number) < count:
        print(f"(another one: minifcn lesson hint {name} {int(number) + 1})")
    return 0


def solution(course: Course, words: Sequence[str]) -> int:
    """Print the library's own function, and where it stands."""
    (name,) = _one(words, "solution")
    lesson, task = course.find(name)
    exercise = next(one for one in lesson.checks() if one.name == task.name)
    found = inspect.unwrap(exercise.solution)
    file = inspect.getsourcefile(found)
    line = inspect.getsourcelines(found)[1]
    print(f"# {_near(Path(file or '?'))}, line {line}\n")
    print(inspect.getsource(found).rstrip())
    return 0


def reset(course: Course, words: Sequence[str]) -> int:
    """Bring an exercise's function back to what it was at the start."""
    (name,) = _one(words, "reset")
    lesson, task = course.find(name)
    path = lesson.exercise_file
    before = path.read_text(encoding="utf-8")
    kept = lesson.folder / "mine" / f"{name}-before.py"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(stubs.source_of(before, name) + "\n", encoding="utf-8")
    with replacing(path) as file:
        file.write(stubs.reset(before, lesson, task).encode())
    print(f"{name} is as it was at the start; what you had written: {_near(kept)}")
    return 0


def watch(course: Course, words: Sequence[str]) -> int:
    """Check a lesson at every save of its exercises, until Ctrl-C or all pass."""
    word = words[0] if words else str(_current(course).number)
    if not word.isdecimal():
        raise CourseError(f"watch takes a lesson's number, not {word!r}")
    lesson = course.lesson(int(word))
    seen = 0.0
    while Progress(course).next_in(lesson):
        now = lesson.exercise_file.stat().st_mtime
        if now != seen:
            seen = now
            print(f"\n--- {time.strftime('%H:%M:%S')} ---")
            check_tasks(course, lesson, lesson.exercises)
        time.sleep(0.3)
    return 0


def build(course: Course, words: Sequence[str], notebooks: bool) -> int:
    """Make the pages of lessons, and the page that lists them."""
    lessons = [course.lesson(_number(w)) for w in words] or course.lessons
    for lesson in lessons:
        print(f"{_near(page.build(course, lesson))}", flush=True)
        if notebooks:
            print(_near(page.notebook(lesson)))
    path = course.root / "README.md"
    with replacing(path) as file:
        file.write(page.index_of(course).encode())
    print(_near(path))
    return 0


def _number(word: str) -> int:
    if not word.isdecimal():
        raise CourseError(f"build takes lessons' numbers, not {word!r}")
    return int(word)


def _one(words: Sequence[str], action: str) -> Sequence[str]:
    if len(words) != 1:
        raise CourseError(
            f"minifcn lesson {action} takes one exercise (or a lesson's number to "
            f"check), not {len(words)}"
        )
    return words


def _near(path: Path) -> str:
    """Write a path from where one stands, if that is shorter."""
    try:
        short = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return min(short, str(path), key=len)


def _indented(text: str, by: str) -> str:
    return textwrap.indent(text, by)
