"""``minifcn lesson``: the lessons, one's progress, and the check of what one wrote."""

from __future__ import annotations

import functools
import inspect
import textwrap
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minifcn.cli.common import add_json, example, print_json
from minifcn.course import page, stubs, telling
from minifcn.course.checking import Result, check
from minifcn.course.progress import Progress
from minifcn.course.table import Course, CourseError, Lesson, Task, find_course
from minifcn.course.telling import near, one_of
from minifcn.files import replacing

PAUSE = 0.3  # seconds between two looks at a file that is watched


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
        "minifcn lesson check           # the same, of the lesson you are at",
        "minifcn lesson hint conv2d     # and hint conv2d 2, if that is not enough",
        "minifcn lesson solution conv2d # the library's own function",
        "minifcn lesson reset conv2d    # as it was at the start",
        "minifcn lesson watch 1         # check at every save",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Do what is asked.

    Raises:
        ValueError: it is nothing that can be done.
    """
    word, *rest = args.what or ["list"]
    if word.isdecimal() and rest:  # 1 check, for check 1
        word, rest = rest[0], [word, *rest[1:]]
    _check_options(word, args)
    course = find_course()
    if word.isdecimal():
        print(telling.introduced(course.lesson(int(word)), Progress(course)))
        return 0
    actions: dict[str, Callable[[Course, Sequence[str]], int]] = {
        "check": functools.partial(check_words, as_json=args.json),
        "hint": hint,
        "solution": solution,
        "reset": reset,
        "watch": watch,
        "build": functools.partial(build, notebooks=args.notebook),
        "list": functools.partial(list_lessons, as_json=args.json),
    }
    if word not in actions:
        raise ValueError(
            f"minifcn lesson {word!r} is unknown; it is a number, or one of "
            f"{', '.join(actions)}"
        )
    return actions[word](course, rest)


def _check_options(word: str, args: Namespace) -> None:
    if args.json and word not in ("list", "check"):
        raise ValueError(f"--json goes with the list and with check, not with {word}")
    if args.notebook and word != "build":
        raise ValueError(f"--notebook goes with build, not with {word}")


def list_lessons(course: Course, words: Sequence[str], as_json: bool) -> int:
    """Print the lessons with one's progress."""
    progress = Progress(course)
    if not as_json:
        print(telling.listed(course, progress))
        return 0
    rows: list[dict[str, Any]] = [
        {
            "number": lesson.number,
            "title": lesson.title,
            "exercises": len(lesson.exercises),
            "passed": progress.count(lesson),
        }
        for lesson in course.lessons
    ]
    print_json(rows)
    return 0


def check_words(course: Course, words: Sequence[str], as_json: bool) -> int:
    """Check an exercise, a lesson's, or those of the lesson one is at."""
    words = words or [str(_current(course).number)]
    word = one_of(words, "check", "an exercise or a lesson's number")
    if word.isdecimal():
        lesson = course.lesson(int(word))
        tasks = lesson.exercises
    else:
        lesson, task = course.find(word)
        tasks = [task]
    if not as_json:
        return check_tasks(course, lesson, tasks)
    results = check_each(course, lesson, tasks, lambda *_: None)
    print_json([{"exercise": t.name, **r._asdict()} for t, r in zip(tasks, results)])
    return int(any(result.status != "passed" for result in results))


def _current(course: Course) -> Lesson:
    """Return the first lesson that has an exercise to be done; else the last."""
    progress = Progress(course)
    unfinished = (one for one in course.lessons if progress.next_in(one))
    return next(unfinished, course.lessons[-1])


def check_tasks(course: Course, lesson: Lesson, tasks: Sequence[Task]) -> int:
    """Check exercises up to the first that fails, and tell; 1 where one does."""
    if not tasks:
        print(f"lesson {lesson.number} has no exercises")
        return 0

    def say(task: Task, result: Result, known: bool) -> None:
        print(telling.told(lesson, task, result, known), flush=True)

    results = check_each(course, lesson, tasks, say)
    if results[-1].status != "passed":
        return 1
    print(telling.ahead_of(course, lesson, Progress(course)))
    return 0


def check_each(
    course: Course,
    lesson: Lesson,
    tasks: Sequence[Task],
    say: Callable[[Task, Result, bool], None],
) -> list[Result]:
    """Check exercises up to the first that fails; keep what came out, and say it."""
    lesson.checks()  # the table and checks.py agree
    progress = Progress(course)
    results: list[Result] = []
    for task in tasks:
        known = progress.has(lesson, task)
        results.append(check(lesson, task))
        passed = results[-1].status == "passed"
        progress.note(lesson, task, passed)
        say(task, results[-1], known)
        if not passed:
            break
    return results


def hint(course: Course, words: Sequence[str]) -> int:
    """Print one hint of an exercise: the first, or that of a number.

    Without a name, of the exercise that is to be done next; so, too, with a lesson's
    number.
    """
    name, *numbers = words or [str(_current(course).number)]
    task = _next_of(course, int(name)) if name.isdecimal() else course.find(name)[1]
    number = one_of(numbers or ["1"], f"hint {task.name}", "one number")
    count = len(task.hints)
    if not (number.isdecimal() and 1 <= int(number) <= count):
        raise CourseError(f"{task.name} has {count} hints; there is no hint {number}")
    print(textwrap.fill(f"{task.name}: {task.hints[int(number) - 1]}", telling.WIDTH))
    if int(number) < count:
        print(f"(another one: minifcn lesson hint {task.name} {int(number) + 1})")
    return 0


def _next_of(course: Course, number: int) -> Task:
    lesson = course.lesson(number)
    task = Progress(course).next_in(lesson)
    if task is None:
        raise CourseError(f"nothing is left to do in lesson {number}; name an exercise")
    return task


def solution(course: Course, words: Sequence[str]) -> int:
    """Print the library's own function, and where it stands."""
    name = one_of(words, "solution", "one exercise")
    lesson, task = course.find(name)
    exercise = next(one for one in lesson.checks() if one.name == task.name)
    found = _plain(exercise.solution)
    file, (lines, first) = inspect.getsourcefile(found), inspect.getsourcelines(found)
    print(f"# {near(Path(file or '?'))}, line {first}\n")
    print(textwrap.dedent("".join(lines)).rstrip())
    return 0


def _plain(found: Any) -> Any:
    """Return what is written down: a partial's function, what a decorator wraps."""
    if isinstance(found, functools.partial):
        return _plain(found.func)
    if isinstance(found, property):
        return found.fget
    return inspect.unwrap(found)


def reset(course: Course, words: Sequence[str]) -> int:
    """Bring an exercise's function back to what it was at the start."""
    name = one_of(words, "reset", "one exercise")
    lesson, task = course.find(name)
    path = lesson.exercise_file
    before = path.read_text(encoding="utf-8")
    after = stubs.reset(before, lesson, task)
    kept = lesson.folder / "mine" / f"{name}-before.py"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(stubs.source_of(before, name) + "\n", encoding="utf-8")
    with replacing(path) as file:
        file.write(after.encode())
    print(f"{name} is as it was at the start; what you had written: {near(kept)}")
    return 0


def watch(course: Course, words: Sequence[str]) -> int:
    """Check a lesson at every save of its exercises, until Ctrl-C or all pass."""
    words = words or [str(_current(course).number)]
    lesson = course.lesson(_number(one_of(words, "watch", "a lesson's number")))
    if not lesson.exercises:
        print(f"lesson {lesson.number} has no exercises")
        return 0
    print(f"watching {near(lesson.exercise_file)}; Ctrl-C ends it")
    try:
        _watch(course, lesson)
    except KeyboardInterrupt:
        print()
    return 0


def _watch(course: Course, lesson: Lesson) -> None:
    seen = 0.0
    while not seen or Progress(course).next_in(lesson):
        try:
            now = lesson.exercise_file.stat().st_mtime
        except FileNotFoundError:  # an editor is just replacing it
            now = seen
        if now != seen:
            seen = now
            print(f"\n--- {time.strftime('%H:%M:%S')} ---")
            check_tasks(course, lesson, lesson.exercises)
        time.sleep(PAUSE)


def build(course: Course, words: Sequence[str], notebooks: bool) -> int:
    """Make the pages of lessons, and the page that lists them."""
    lessons = [course.lesson(_number(w)) for w in words] or course.lessons
    for lesson in lessons:
        print(near(page.build(course, lesson)), flush=True)
        if notebooks:
            print(near(page.notebook(course, lesson)))
    path = course.root / "README.md"
    with replacing(path) as file:
        file.write(page.index_of(course).encode())
    print(near(path))
    return 0


def _number(word: str) -> int:
    if not word.isdecimal():
        raise CourseError(f"this takes lessons' numbers, not {word!r}")
    return int(word)
