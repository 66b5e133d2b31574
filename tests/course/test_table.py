"""The table of lessons: read, searched, and what is wrong in it told."""

from pathlib import Path

import pytest

from minifcn.course import table
from minifcn.course.table import Course, CourseError, find_course

TABLE = """\
[[lesson]]
folder = "00_begin"
title = "The beginning"
question = "Where to?"

[[lesson]]
folder = "02_sums"
title = "Sums"
question = "How much?"
teaches = ["sum"]
needs = [0]

[[lesson.exercise]]
name = "row_sums"
idea = "add"
lines = 1
hints = ["one", "two"]

[[question]]
text = "Why?"
lessons = [2, 0]
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    root = tmp_path / "lessons"
    (root / "02_sums").mkdir(parents=True)
    (root / "lessons.toml").write_text(TABLE)
    return Course(root)


def test_what_the_table_says(course: Course) -> None:
    assert [lesson.number for lesson in course.lessons] == [0, 2]
    lesson = course.lesson(2)
    assert (lesson.title, lesson.needs, lesson.teaches) == ("Sums", [0], ["sum"])
    assert lesson.exercise_file == course.root / "02_sums" / "exercise.py"
    assert [task.name for task in lesson.exercises] == ["row_sums"]
    assert course.find("row_sums") == (lesson, lesson.exercises[0])
    assert course.lesson(0).checks() == []
    assert course.questions == [table.Question("Why?", [2, 0])]


@pytest.mark.parametrize(
    "name, said",
    [("row_sum", "did you mean row_sums?"), ("zebra", "lesson NUMBER lists those")],
)
def test_no_such_exercise(course: Course, name: str, said: str) -> None:
    with pytest.raises(CourseError, match=said):
        course.find(name)


def test_no_such_lesson(course: Course) -> None:
    with pytest.raises(CourseError, match="no lesson 1; they go from 0 to 2"):
        course.lesson(1)


def test_a_broken_table(course: Course) -> None:
    (course.root / "lessons.toml").write_text("[[lesson]\n")
    with pytest.raises(CourseError, match=r"lessons.toml is no TOML: .*line 1"):
        Course(course.root).lessons  # noqa: B018


def test_the_checks_must_be_those_of_the_table(course: Course) -> None:
    checks = course.root / "02_sums" / "checks.py"
    checks.write_text(
        "from tests.course.common import EXERCISE\nEXERCISES = [EXERCISE]\n"
    )
    assert [one.name for one in course.lesson(2).checks()] == ["row_sums"]
    checks.write_text("EXERCISES = []\n")
    with pytest.raises(CourseError, match=r"checks\.py has the exercises ; lessons"):
        course.lesson(2).checks()


def test_lessons_are_found_here_above_and_beside(course: Course) -> None:
    for start in (course.root.parent, course.root, course.root / "02_sums"):
        assert find_course(start).root == course.root


def test_elsewhere_those_of_the_project_are_found(tmp_path: Path) -> None:
    assert find_course(tmp_path).root == Path(__file__).parents[2] / "lessons"


def test_an_installed_package_has_none(tmp_path: Path, monkeypatch) -> None:
    packed = tmp_path / "site" / "minifcn" / "course" / "table.py"
    monkeypatch.setattr(table, "__file__", str(packed))
    with pytest.raises(FileNotFoundError, match="in the project's source, not in the"):
        find_course(tmp_path)
