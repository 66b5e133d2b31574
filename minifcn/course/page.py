"""From a lesson's script to its page: text, code, output and pictures in Markdown."""

from __future__ import annotations

import contextlib
import io
import re
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from minifcn.course import pictures
from minifcn.course.cells import Cell, split
from minifcn.course.table import Course, CourseError, Lesson
from minifcn.files import replacing

VARIES = "text varies"  # the info of a fence whose content is not compared


def build(course: Course, lesson: Lesson) -> Path:
    """Run a lesson, write its README.md and its pictures; return the README's path.

    Raises:
        CourseError: a cell raises; says which line of the script.
    """
    path = lesson.folder / "README.md"
    text = page_of(course, lesson)
    with replacing(path) as file:
        file.write(text.encode())
    return path


def page_of(course: Course, lesson: Lesson) -> str:
    """Run a lesson; return its page. Its pictures are written."""
    script = lesson.script.read_text(encoding="utf-8")
    parts = [_head(course, lesson)]
    name_space: dict[str, Any] = {
        "__name__": "__main__",
        "__file__": str(lesson.script),
    }
    for cell in split(script):
        if cell.kind == "markdown":
            parts.append(cell.text)
        else:
            parts += _run(cell, lesson, name_space)
    parts += [_exercises(lesson), _foot(course, lesson)]
    return "\n\n".join(part for part in parts if part) + "\n"


def steady(page: str) -> str:
    """Return a page without the output that is another at every run."""
    return re.sub(rf"```{VARIES}\n.*?```", f"```{VARIES}\n```", page, flags=re.DOTALL)


def _run(cell: Cell, lesson: Lesson, name_space: dict[str, Any]) -> list[str]:
    """Run a cell of code; return it with what it printed and drew."""
    drawn: list[str] = []
    # As many empty lines before it as in the script: errors name the script's lines.
    source = "\n" * (cell.line - 1) + cell.text
    with _pictures_into(drawn), contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            exec(compile(source, str(lesson.script), "exec"), name_space)
        except Exception as error:
            raise CourseError(_where(error, lesson)) from error
    parts = [_folded(cell) if cell.kind == "drawing" else _fenced(cell)]
    if printed := said.getvalue().rstrip():
        info = VARIES if cell.kind == "varies" else "text"
        parts.append(f"```{info}\n{printed}\n```")
    if cell.kind == "drawing":  # the picture first: it is what one is to see
        return [*drawn, *parts]
    return parts + drawn


def _fenced(cell: Cell) -> str:
    return f"```python\n{cell.text}\n```"


def _folded(cell: Cell) -> str:
    summary = "<summary>the code that draws this</summary>"
    return f"<details>{summary}\n\n{_fenced(cell)}\n\n</details>"


@contextlib.contextmanager
def _pictures_into(drawn: list[str]) -> Iterator[None]:
    def note(file: str, caption: str) -> None:
        drawn.append(f"![{caption}]({file})\n\n*{caption}*")

    pictures.taken.append(note)
    try:
        yield
    finally:
        pictures.taken.remove(note)


def _where(error: Exception, lesson: Lesson) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if f.filename == str(lesson.script)]
    if isinstance(error, SyntaxError):  # nothing has run: it is in no frame
        lines = [error.lineno]
    said = f"{type(error).__name__}: {error}"
    return f"{lesson.script}, line {lines[-1] if lines else '?'}: {said}"


def _head(course: Course, lesson: Lesson) -> str:
    """Return title, question, and what the lesson builds on."""
    facts = []
    if lesson.needs:
        links = [_link(course.lesson(number)) for number in lesson.needs]
        facts.append(f"Builds on {', '.join(links)}.")
    if lesson.paper:
        facts.append(f"In the paper: {lesson.paper}.")
    title = f"# {lesson.number} · {lesson.title}"
    return "\n\n".join([title, f"**{lesson.question}**", " ".join(facts)]).rstrip()


def _exercises(lesson: Lesson) -> str:
    if not lesson.exercises:
        return ""
    lines = [
        f"- `{task.name}`: {task.idea} (about {lines_text(task.lines)})"
        for task in lesson.exercises
    ]
    return "\n".join(
        [
            "## Exercises",
            "",
            "Write these functions in [exercise.py](exercise.py), then run "
            f"`minifcn lesson check {lesson.number}`:",
            "",
            *lines,
        ]
    )


def lines_text(lines: int) -> str:
    """Return "1 line", "3 lines"."""
    return "1 line" if lines == 1 else f"{lines} lines"


def _foot(course: Course, lesson: Lesson) -> str:
    numbers = [one.number for one in course.lessons]
    place = numbers.index(lesson.number)
    links = []
    if place:
        links.append(f"Before: {_link(course.lessons[place - 1])}")
    if place + 1 < len(numbers):
        links.append(f"Next: {_link(course.lessons[place + 1])}")
    return "---\n\n" + " · ".join([*links, "[All lessons](../README.md)"])


def _link(lesson: Lesson) -> str:
    folder = lesson.folder.name
    return f"[{lesson.number} · {lesson.title}](../{folder}/README.md)"


def index_of(course: Course) -> str:
    """Return the page that lists all lessons and the questions that they answer."""
    lines = [_entry(lesson) for lesson in course.lessons]
    parts = ["# Lessons", _INTRODUCTION, "\n".join(lines)]
    if course.questions:
        asked = [_question(course, one.text, one.lessons) for one in course.questions]
        parts += ["## Questions and where they are answered", "\n".join(asked)]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
From one multiplication to FCN-8s on street photographs, step by step. All you need is
Python, NumPy and this project; nothing is downloaded. Read a lesson's page, run its
`lesson.py` (or its cells, in an editor that knows `# %%`), then write the functions of
its `exercise.py`. `minifcn lesson` says where you are, `minifcn lesson check` what is
right and, of what is wrong, the smallest case."""


def _entry(lesson: Lesson) -> str:
    link = f"[{lesson.title}]({lesson.folder.name}/README.md)"
    return f"- {lesson.number} · {link}: {lesson.question}"


def _question(course: Course, text: str, numbers: Sequence[int]) -> str:
    folders = {n: course.lesson(n).folder.name for n in numbers}
    links = [f"[{n}]({folder}/README.md)" for n, folder in folders.items()]
    return f"- {text} → lesson {', '.join(links)}"


def notebook(course: Course, lesson: Lesson) -> Path:
    """Write the lesson as a notebook, without output; return its path.

    Raises:
        CourseError: jupytext is not installed.
    """
    try:
        import jupytext  # type: ignore[import-not-found]
    except ImportError:
        raise CourseError(
            "notebooks are made by jupytext: pip install 'minifcn[notebooks]'"
        ) from None
    path = lesson.folder / "lesson.ipynb"
    head = "\n".join(["# %% [markdown]", *_commented(_head(course, lesson)), ""])
    script = lesson.script.read_text(encoding="utf-8")
    plain = re.sub(r"^# %% \[(varies|drawing)\]", "# %%", script, flags=re.M)
    jupytext.write(jupytext.reads(f"{head}\n{plain}", fmt="py:percent"), path)
    return path


def _commented(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]
