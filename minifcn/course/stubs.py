"""The functions in `exercise.py`: what an unwritten one looks like, and back to it.

    def output_size(size, kernel):
        \"\"\"How many windows of `kernel` pixels fit side by side?\"\"\"
        # about 1 line
        raise NotImplementedError("output_size: not written yet (lesson 1)")

What is between the docstring and the next function is the learner's. Some lines may
stand there from the start, above and below: the table's `given` and `ending`.
"""

from __future__ import annotations

import re
import textwrap

from minifcn.course.page import lines_text
from minifcn.course.table import Lesson, Task

INDENT = "    "


def body_of(lesson: Lesson, task: Task) -> str:
    """Return what stands below the docstring of an exercise that is not written."""
    given = textwrap.indent(task.given.strip("\n"), INDENT)
    ending = textwrap.indent(task.ending.strip("\n"), INDENT)
    inner = INDENT * 2 if given.endswith(":") else INDENT
    message = f"{task.name}: not written yet (lesson {lesson.number})"
    missing = [
        f"{inner}# about {lines_text(task.lines)}",
        f'{inner}raise NotImplementedError("{message}")',
    ]
    return "\n".join(part for part in (given, *missing, ending) if part) + "\n"


def reset(text: str, lesson: Lesson, task: Task) -> str:
    """Return a learner's file with one function as it was at the start.

    Its head and docstring stay as they are; the rest of the file, too, even where it is
    no Python at the moment.

    Raises:
        ValueError: the file has no such function.
    """
    found = _head(text, task.name)
    if not found:
        raise ValueError(
            f"there is no function {task.name} in {lesson.exercise_file}, its def in "
            "lines of its own"
        )
    start = found.end()
    documented = re.compile(r'\s*""".*?"""[ \t]*\n', re.S).match(text, start)
    if documented:
        start = documented.end()
    rest = text[_end(text, start) :].lstrip("\n")
    blank = "\n\n" if rest else ""
    return text[:start] + body_of(lesson, task) + blank + rest


def source_of(text: str, name: str) -> str:
    """Return a function's own lines, to see later whether it was changed."""
    found = _head(text, name)
    return text[found.start() : _end(text, found.end())].rstrip() if found else ""


def _head(text: str, name: str) -> re.Match[str] | None:
    """Find a function's first lines, up to the colon that ends them."""
    arguments = r"\(.*?\)\s*(?:->[^:\n]*)?"
    pattern = rf"^def {re.escape(name)}\s*{arguments}:[ \t]*(?:#[^\n]*)?\n"
    return re.search(pattern, text, re.M | re.S)


def _end(text: str, start: int) -> int:
    """Return where a function's last line ends: the last that is indented.

    Empty lines and comments may stand in between.
    """
    end = place = start
    for line in text[start:].splitlines(keepends=True):
        place += len(line)
        if line.strip() and line[0] in " \t":
            end = place
        elif line.strip() and line[0] != "#":
            break
    return end
