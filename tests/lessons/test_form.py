"""The form of lessons: what the table says holds, and nothing comes too early."""

import re

import pytest

from tests.lessons import common

LINES, COLUMNS = 20, 88  # of a block of code
STUB = 4  # lines to be written: "about three"
TERMS = [(lesson, term) for lesson in common.LESSONS for term in lesson.teaches]
NAMES = [term for _, term in TERMS]


def word(term: str) -> str:
    """Return a pattern of a term as a word of its own, or its plural."""
    return rf"(?<!\w){re.escape(term)}(?:s|es)?(?!\w)"


def test_the_table_and_the_folders_agree() -> None:
    folders = [p.name for p in common.COURSE.root.iterdir() if p.is_dir()]
    assert sorted(folders) == [lesson.folder.name for lesson in common.LESSONS]
    numbers = [lesson.number for lesson in common.LESSONS]
    assert numbers == sorted(set(numbers))


@common.each_lesson
def test_a_folder_holds_what_a_lesson_needs(lesson) -> None:
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", lesson.folder.name)
    names = ["lesson.py", "README.md"]
    if lesson.exercises:
        names += ["exercise.py", "checks.py"]
        lesson.checks()  # raises where it names other exercises than the table
    for name in names:
        assert (lesson.folder / name).is_file(), name


def test_names_of_exercises_are_unique() -> None:
    names = [task.name for _, task in common.TASKS]
    assert len(names) == len(set(names))


@common.each_lesson
def test_it_builds_on_earlier_lessons(lesson) -> None:
    known = [other.number for other in common.LESSONS if other.number < lesson.number]
    assert set(lesson.needs) <= set(known)


def test_questions_are_answered_by_lessons() -> None:
    numbers = {lesson.number for lesson in common.LESSONS}
    texts = [question.text for question in common.COURSE.questions]
    assert len(texts) == len(set(texts))
    for question in common.COURSE.questions:
        assert question.text.endswith("?")
        assert question.lessons
        assert set(question.lessons) <= numbers, question.text


@common.each_lesson
def test_it_asks_a_question_and_sums_up(lesson) -> None:
    assert lesson.question.endswith("?")
    assert "## In three lines" in common.prose(lesson)


@pytest.mark.parametrize(("lesson", "term"), TERMS, ids=NAMES)
def test_a_term_is_explained_where_the_table_says(lesson, term) -> None:
    bold = re.findall(r"\*\*(.+?)\*\*", common.prose(lesson), re.S)
    assert any(re.search(word(term), " ".join(b.split()), re.I) for b in bold)


@pytest.mark.parametrize(("lesson", "term"), TERMS, ids=NAMES)
def test_a_term_is_not_used_before_it_is_explained(lesson, term) -> None:
    """Lesson 0 may: it shows where all this leads to."""
    for earlier in common.LESSONS:
        if 0 < earlier.number < lesson.number:
            text = common.words(earlier)
            found = re.search(rf".{{0,40}}{word(term)}.{{0,40}}", text, re.I)
            assert not found, f"{earlier.folder.name}: …{found[0]}…"


def test_no_term_is_taught_twice() -> None:
    assert len({name.lower() for name in NAMES}) == len(NAMES)


@common.each_lesson
def test_blocks_of_code_are_short(lesson) -> None:
    for cell in common.code(lesson):
        lines = cell.text.splitlines()
        where = f"line {cell.line} of {lesson.folder.name}/lesson.py"
        assert len(lines) <= LINES, where
        assert max(map(len, lines)) <= COLUMNS, where


@common.each_task
def test_an_exercise_is_short(lesson, task) -> None:
    assert 1 <= task.lines <= STUB
    assert 2 <= len(task.hints) <= 3
    assert not task.idea.endswith(".")
