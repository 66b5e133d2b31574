"""`minifcn lesson`: what it says to a learner, and to misuse."""

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from minifcn.cli import lesson as command
from minifcn.cli import main
from minifcn.course import table, telling
from minifcn.course.checking import Result
from tests.course.common import ROOT

NAMES = ["conv_output_size", "window", "conv2d"]
MEANT = "The first check of an exercise is meant to fail: nothing is written yet.\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """A project that has lesson 1 alone, and where one stands."""
    source = ROOT / "lessons"
    made = shutil.ignore_patterns("mine", "__pycache__")
    shutil.copytree(source / "01_convolution", tmp_path / "lessons/01_one", ignore=made)
    text = (source / "lessons.toml").read_text(encoding="utf-8")
    first = text.partition('folder = "01_convolution"')[2].partition("[[lesson]]")[0]
    first = first.partition("[[question]]")[0]
    written = f'[[lesson]]\nfolder = "01_one"{first}'
    (tmp_path / "lessons/lessons.toml").write_text(written, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "lessons"


def said(capsys, *words: str) -> str:
    """Run a command that goes well; return what it printed."""
    status = main(["lesson", *words])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def sentence(capsys, *words: str) -> str:
    """Run a command that is misused; return the line that says so."""
    status = main(["lesson", *words])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    return err


def solve(root: Path, name: str, body: str) -> None:
    course = table.Course(root)
    lesson, task = course.find(name)
    text = lesson.exercise_file.read_text(encoding="utf-8")
    from minifcn.course.stubs import body_of

    assert body_of(lesson, task) in text
    solved = text.replace(body_of(lesson, task), f"    {body}\n")
    lesson.exercise_file.write_text(solved, encoding="utf-8")


SIZE = "return (n + 2 * padding - kernel) // stride + 1"


def test_the_list(root: Path, capsys) -> None:
    assert said(capsys) == (
        "  1  A convolution by hand  ···\n\n"
        "0 of 3 exercises passed. Go on with: minifcn lesson 1\n" + MEANT
    )
    figures = json.loads(said(capsys, "--json"))
    title = "A convolution by hand"
    assert figures == [{"number": 1, "title": title, "exercises": 3, "passed": 0}]


def test_a_lesson_says_what_to_do(root: Path, capsys) -> None:
    out = said(capsys, "1")
    assert out.startswith("1 · A convolution by hand\nHow does one small table")
    assert "read   lessons/01_one/README.md\n" in out
    assert "run    python lessons/01_one/lesson.py\n" in out
    assert "write  lessons/01_one/exercise.py\n" in out
    assert "  to do   conv_output_size: how many windows fit (1 line)\n" in out
    assert out.endswith("then   minifcn lesson check 1\n" + MEANT)


def test_from_a_folder_below(root: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(root / "01_one" / "pictures")
    assert "read   ../README.md\n" in said(capsys, "1")


def test_the_way_through_a_lesson(root: Path, capsys) -> None:
    """The first check fails; a right answer passes; the next is named."""
    assert main(["lesson", "check"]) == 1
    out = capsys.readouterr().out
    assert out == (
        "conv_output_size: how many windows fit\n"
        "  conv_output_size: not written yet (lesson 1)\n"
        "  Write it in lessons/01_one/exercise.py (about 1 line), and check again.\n"
        "  " + MEANT
    )
    solve(root, "conv_output_size", SIZE)
    out = said(capsys, "check", "conv_output_size")
    assert re.match(r"conv_output_size: right, in \d\d cases\.\n  You can say", out)
    assert "  the library's: minifcn lesson solution conv_output_size\n" in out
    assert out.endswith(
        "lesson 1: █·· 1 of 3, next: window, the pixels that one output sees\n"
    )
    assert "1 of 3 exercises passed." in said(capsys)
    solve(root, "window", "return x[:, :1, :1]")
    assert main(["lesson", "1", "check"]) == 1
    out = capsys.readouterr().out
    assert re.match(r"conv_output_size: right, in \d\d cases\.\nwindow: not yet\n", out)
    assert "  yours has shape (1, 1, 1), expected (1, 2, 2)\n" in out
    assert out.endswith("  a hint: minifcn lesson hint window\n")


def test_a_check_in_figures(root: Path, capsys) -> None:
    solve(root, "conv_output_size", SIZE)
    assert main(["lesson", "check", "1", "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["exercise"], first["status"]) == ("conv_output_size", "passed")
    assert first["cases"] > 20
    assert (second["exercise"], second["status"]) == ("window", "untouched")
    assert "1 of 3 exercises passed." in said(capsys)


def test_when_all_is_done(root: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(command, "check", lambda *_: Result("passed", "Well.", "", 5))
    (root / "01_one" / "mine").mkdir()
    (root / "01_one" / "mine" / "conv2d.png").touch()
    out = said(capsys, "check")
    assert "  drawn by your function: lessons/01_one/mine/conv2d.png\n" in out
    assert out.endswith("lesson 1: ███ 3 of 3\n")
    assert said(capsys).endswith("3 of 3 exercises passed. All are done.\n")
    assert said(capsys, "check").startswith("conv_output_size: right, in 5 cases.\nwin")
    assert "nothing is left to do in lesson 1" in sentence(capsys, "hint")


def test_hints_tell_more_and_more(root: Path, capsys) -> None:
    first = said(capsys, "hint", "window")
    assert first.startswith("window: Where does the window of output (r, q) begin?")
    assert first.endswith("(another one: minifcn lesson hint window 2)\n")
    assert "another" not in said(capsys, "hint", "window", "2")
    assert said(capsys, "hint").startswith("conv_output_size: Put")
    assert said(capsys, "1", "hint").startswith("conv_output_size: Put")
    for number in ("0", "3", "x", "-1"):
        assert f"there is no hint {number}" in sentence(
            capsys, "hint", "window", "--", number
        )


def test_the_solution_is_the_librarys_own(root: Path, capsys) -> None:
    out = said(capsys, "solution", "conv_output_size")
    assert out.startswith("# ")
    assert "minifcn/geometry.py, line " in out
    assert "\ndef conv_output_size(" in out


@pytest.mark.parametrize(
    "solution, line",
    [
        ("functools.partial(shown, 3)", "def shown(value: Any) -> str:"),
        ("Lesson", "@dataclass(frozen=True)\nclass Lesson:"),
        ("Lesson.number", "@property\ndef number(self) -> int:"),
        ("contextlib.contextmanager(shown)", "def shown(value: Any) -> str:"),
        ("Lesson.checks", "def checks(self) -> list[Exercise]:"),
    ],
)
def test_any_kind_of_solution_is_shown(
    root: Path, capsys, solution: str, line: str
) -> None:
    checks = root / "01_one" / "checks.py"
    text = checks.read_text(encoding="utf-8")
    text = text.replace("solution=definitions.conv2d", f"solution={solution}")
    head = (
        "import contextlib, functools\nfrom minifcn.course.comparing import shown\n"
        "from minifcn.course.table import Lesson\n"
    )
    checks.write_text(head + text, encoding="utf-8")
    assert line in said(capsys, "solution", "conv2d")


def test_reset_keeps_what_was_written(root: Path, capsys) -> None:
    file = root / "01_one" / "exercise.py"
    before = file.read_bytes()
    solve(root, "window", "return mine")
    assert said(capsys, "reset", "window") == (
        "window is as it was at the start; what you had written: "
        "lessons/01_one/mine/window-before.py\n"
    )
    assert file.read_bytes() == before
    kept = (root / "01_one" / "mine" / "window-before.py").read_text(encoding="utf-8")
    assert kept.endswith("    return mine\n")


def test_reset_of_what_is_not_there(root: Path, capsys) -> None:
    file = root / "01_one" / "exercise.py"
    file.write_text("x = 1\n")
    said_so = sentence(capsys, "reset", "window")
    assert "there is no function window in" in said_so
    assert file.read_text() == "x = 1\n"
    assert not (root / "01_one" / "mine").exists()


def test_watch_checks_at_every_save(root: Path, capsys, monkeypatch) -> None:
    """It ends when all has passed."""
    file = root / "01_one" / "exercise.py"
    checked: list[str] = []

    def check(lesson, task):
        checked.append(task.name)
        done = "done" in file.read_text(encoding="utf-8")
        return Result("passed" if done else "failed", "Well.")

    pauses = iter([None, file.unlink, lambda: file.write_text("# done\n"), None, None])

    def sleep(seconds: float) -> None:
        if action := next(pauses):
            action()

    monkeypatch.setattr(command, "check", check)
    monkeypatch.setattr(time, "sleep", sleep)
    out = said(capsys, "watch")
    assert out.startswith("watching lessons/01_one/exercise.py; Ctrl-C ends it\n")
    assert out.endswith("3 of 3\n")
    assert checked == [NAMES[0], *NAMES]


def test_watch_is_ended_by_ctrl_c(root: Path, capsys, monkeypatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "check", lambda *_: Result("failed", "no"))
    monkeypatch.setattr(time, "sleep", interrupt)
    assert "conv_output_size: not yet" in said(capsys, "watch", "1")


def test_build_writes_the_pages(root: Path, capsys) -> None:
    (root / "01_one" / "README.md").unlink()
    out = said(capsys, "build", "1")
    assert out == "lessons/01_one/README.md\nlessons/README.md\n"
    assert (root / "01_one" / "README.md").is_file()
    assert "[A convolution by hand](01_one/README.md)" in (
        root / "README.md"
    ).read_text(encoding="utf-8")


def test_a_lesson_without_exercises(root: Path, capsys) -> None:
    (root / "02_two").mkdir()
    with (root / "lessons.toml").open("a") as file:
        file.write('[[lesson]]\nfolder = "02_two"\ntitle = "Two"\nquestion = "?"\n')
    assert said(capsys, "check", "2") == "lesson 2 has no exercises\n"
    assert said(capsys, "watch", "2") == "lesson 2 has no exercises\n"
    assert said(capsys, "2").endswith("run    python lessons/02_two/lesson.py\n")
    assert said(capsys, "check", "2", "--json") == "[]\n"


@pytest.mark.parametrize(
    "words, part",
    [
        (["7"], "there is no lesson 7; they go from 1 to 1"),
        (["teach"], "'teach' is unknown; it is a number, or one of check, hint"),
        (["check", "windows"], "there is no exercise 'windows'; did you mean window?"),
        (["check", "a", "b"], "check takes an exercise or a lesson's number, not a b"),
        (["check", "9"], "there is no lesson 9"),
        (["solution"], "solution takes one exercise, not nothing"),
        (["reset"], "reset takes one exercise, not nothing"),
        (["hint", "window", "1", "2"], "hint window takes one number, not 1 2"),
        (["watch", "window"], "this takes lessons' numbers, not 'window'"),
        (["build", "one"], "this takes lessons' numbers, not 'one'"),
        (["1", "--json"], "--json goes with the list and with check, not with 1"),
        (["check", "--notebook"], "--notebook goes with build, not with check"),
    ],
)
def test_misuse(root: Path, capsys, words: list[str], part: str) -> None:
    assert part in sentence(capsys, *words)


def test_without_lessons_it_says_where_they_are(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(table, "__file__", str(tmp_path / "a" / "b" / "table.py"))
    said_so = sentence(capsys)
    assert "the lessons are in the project's source, not in the installed" in said_so


def test_wide_lines_are_folded(root: Path) -> None:
    lesson, task = table.Course(root).find("window")
    text = "word " * 30 + "\n  yours  [[1 2]\n          [3 4]]"
    lines = telling.told(lesson, task, Result("failed", text, "f(x)")).splitlines()
    assert max(map(len, lines)) <= 82
    assert "    yours  [[1 2]" in lines
    assert "            [3 4]]" in lines
