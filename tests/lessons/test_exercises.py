"""Every exercise: untouched it fails, the library passes, wrong answers do not."""

import re

import pytest

from minifcn.cli import main
from minifcn.course import stubs, trial
from minifcn.course.comparing import Mistake
from tests.lessons import common

NUMBERS = 40  # that a case may have, to be worked out by hand
LEAST = 5  # wrong answers to each exercise

# what a learner's function warns of is no error
pytestmark = pytest.mark.filterwarnings("default")

WRONG = [
    pytest.param(lesson, task, n, id=f"{task.name}-{n}")
    for lesson, task in common.TASKS
    for n in range(common.count_of_wrong(lesson, task))
]


@common.each_task
def test_untouched_it_fails_with_a_message_of_its_own(lesson, task) -> None:
    function = trial.function_of(lesson.exercise_file, task.name)
    with pytest.raises(trial.Untouched) as error:
        trial.try_exercise(
            common.exercise(lesson, task), function, lesson.exercise_file
        )
    said = f"{task.name}: not written yet (lesson {lesson.number})"
    assert str(error.value) == said


@common.each_task
def test_the_library_passes(lesson, task) -> None:
    exercise = common.exercise(lesson, task)
    cases = trial.try_exercise(exercise, exercise.reference, lesson.exercise_file)
    assert cases >= 10


@common.each_task
def test_the_solution_is_the_librarys_own(lesson, task, capsys, monkeypatch) -> None:
    monkeypatch.chdir(common.COURSE.root)
    assert main(["lesson", "solution", task.name]) == 0
    head, _, source = capsys.readouterr().out.partition("\n\n")
    assert re.fullmatch(r"# \.\./minifcn/[\w/]+\.py, line \d+", head)
    assert re.search(r"^(class|def|@)", source, re.M)


@common.each_task
def test_a_right_answer_passes(lesson, task) -> None:
    right = common.answers(lesson)["right"][task.name]
    trial.try_exercise(common.exercise(lesson, task), right, lesson.exercise_file)


@common.each_task
def test_there_are_wrong_answers_enough(lesson, task) -> None:
    assert len(common.answers(lesson)["wrong"][task.name]) >= LEAST


@common.each_lesson
def test_there_are_answers_to_its_exercises_only(lesson) -> None:
    names = [task.name for task in lesson.exercises]
    if names:
        answers = common.answers(lesson)
        assert list(answers["wrong"]) == names
        assert list(answers["right"]) == names


@pytest.mark.parametrize(("lesson", "task", "number"), WRONG)
def test_a_wrong_answer_is_shown_by_a_small_case(lesson, task, number) -> None:
    wrong = common.answers(lesson)["wrong"][task.name][number]
    with pytest.raises(Mistake) as error:
        trial.try_exercise(common.exercise(lesson, task), wrong, lesson.exercise_file)
    case = error.value.case or _first_lines(str(error.value))
    assert task.name in case.splitlines()[0]
    assert "an array of shape" not in case  # the numbers themselves
    assert len(re.findall(r"\d+\.?\d*", case)) <= NUMBERS
    assert all(len(line) <= 88 for line in case.splitlines())


def _first_lines(said: str) -> str:
    """Return of a broken law what it says before what is to be true: its case."""
    return said.partition("\nwhat is to be true")[0]


@common.each_task
def test_reset_gives_the_stub_back(lesson, task) -> None:
    """Byte for byte, from whatever a learner may have written."""
    untouched = lesson.exercise_file.read_text(encoding="utf-8")
    assert stubs.reset(untouched, lesson, task) == untouched
    for written in ("return 3", "# twice\n    y = x\n\n    return y  # end"):
        body = stubs.body_of(lesson, task)
        text = untouched.replace(body, f"    {written}\n")
        assert text != untouched
        assert stubs.reset(text, lesson, task) == untouched
