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
    found = re.search(rf"^def {re.escape(task.name)}\(.*?:\n", text, re.M | re.S)
    if not found:
        raise ValueError(f"there is no function {task.name} in {lesson.exercise_file}")
    start = found.end()
    documented = re.compile(r'\s*""".*?"""\n', re.S).match(text, start)
    if documented:
        start = documented.end()
    # the next line that is not indented ends the function
    after = re.compile(r"^(?=\S)", re.M).search(text, start)
    end = after.start() if after else len(text)
    blank = "\n\n" if after else ""
    return text[:start] + body_of(lesson, task) + blank + text[end:]


def source_of(text: str, name: str) -> str:
    """Return a function's own lines, to see later whether it was changed."""
    found = re.search(rf"^def {re.escape(name)}\(.*?(?=^\S|\Z)", text, re.M | re.S)
    return found[0].rstrip() if found else ""
