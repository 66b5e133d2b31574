"""What has passed is kept, and forgotten where the function has changed."""

from pathlib import Path

import pytest

from minifcn.course.progress import Progress
from minifcn.course.table import Course
from tests.course.test_table import TABLE

RIGHT = "def row_sums(x):\n    return x.sum(1)\n"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "02_sums").mkdir()
    (tmp_path / "02_sums" / "exercise.py").write_text(RIGHT)
    (tmp_path / "lessons.toml").write_text(TABLE)
    return Course(tmp_path)


def test_a_pass_is_kept_until_the_function_changes(course: Course) -> None:
    lesson = course.lesson(2)
    (task,) = lesson.exercises
    assert Progress(course).next_in(lesson) == task
    Progress(course).note(lesson, task, True)
    assert Progress(course).next_in(lesson) is None
    assert Progress(course).count(lesson) == 1
    lesson.exercise_file.write_text(f"import math\n{RIGHT}\n# a note\nx = 1\n")
    assert Progress(course).has(lesson, task)
    lesson.exercise_file.write_text(RIGHT.replace("1", "0"))
    assert not Progress(course).has(lesson, task)


def test_a_failure_takes_it_back(course: Course) -> None:
    lesson = course.lesson(2)
    (task,) = lesson.exercises
    progress = Progress(course)
    progress.note(lesson, task, True)
    progress.note(lesson, task, False)
    assert not Progress(course).has(lesson, task)


@pytest.mark.parametrize(
    "content", ["", "{", "[1, 2]", "7", "null", '{"a": {}}', b"\xff"]
)
def test_a_broken_file_is_begun_anew(course: Course, content) -> None:
    bytes_ = content if isinstance(content, bytes) else content.encode()
    (course.root / ".progress.json").write_bytes(bytes_)
    lesson = course.lesson(2)
    (task,) = lesson.exercises
    progress = Progress(course)
    assert progress.count(lesson) == 0
    progress.note(lesson, task, True)
    assert Progress(course).has(lesson, task)


@pytest.mark.parametrize("text", [None, "def other():\n    pass\n", b"x = '\xe9'\n"])
def test_without_the_function_nothing_has_passed(course: Course, text) -> None:
    lesson = course.lesson(2)
    (task,) = lesson.exercises
    Progress(course).note(lesson, task, True)
    if text is None:
        lesson.exercise_file.unlink()
    else:
        data = text if isinstance(text, bytes) else text.encode()
        lesson.exercise_file.write_bytes(data)
    assert not Progress(course).has(lesson, task)
