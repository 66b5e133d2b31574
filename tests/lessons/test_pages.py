"""Every lesson runs as stated, and its page is up to date."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minifcn.course import page
from tests.lessons import common
from tests.lessons.likeness import differences, pictures_differ

KILL = 300  # seconds, after which a lesson is ended; it should take less than 60
LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = [common.COURSE.root / "README.md"] + [
    lesson.folder / "README.md" for lesson in common.LESSONS
]


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        timeout=KILL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_of(lesson, tmp_path: Path) -> Path:
    """Copy what a lesson's page is made of; what is made of it stays behind."""
    root = tmp_path / "lessons"
    root.mkdir()
    shutil.copy(common.COURSE.root / "lessons.toml", root)
    made = shutil.ignore_patterns("pictures", "mine", "README.md", "__pycache__")
    shutil.copytree(lesson.folder, root / lesson.folder.name, ignore=made)
    return root / lesson.folder.name


@common.each_lesson
def test_it_runs_and_its_page_is_up_to_date(lesson, tmp_path) -> None:
    folder = copy_of(lesson, tmp_path)
    run(folder, "-m", "minifcn", "lesson", "build", str(lesson.number))
    came, stored = (
        page.steady((one / "README.md").read_text(encoding="utf-8"))
        for one in (folder, lesson.folder)
    )
    assert differences(came, stored) == []
    drawn, kept = (
        {path.name: path for path in (one / "pictures").glob("*")}
        for one in (folder, lesson.folder)
    )
    assert drawn.keys() == kept.keys()
    for name, path in drawn.items():
        assert pictures_differ(path, kept[name]) == "", name


def test_a_lesson_runs_as_a_script(tmp_path) -> None:
    """All do; the cells of a page are run one after the other as a script's are."""
    lesson = common.LESSONS[0]
    folder = copy_of(lesson, tmp_path)
    said = run(folder, "lesson.py")
    for path in (lesson.folder / "pictures").iterdir():
        assert path.name in said
        assert (folder / "pictures" / path.name).is_file()


def test_the_list_of_lessons_is_up_to_date() -> None:
    stored = PAGES[0].read_text(encoding="utf-8")
    assert page.index_of(common.COURSE) == stored


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_links_resolve(path: Path) -> None:
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    inner = [link for link in targets if "://" not in link]
    assert inner
    for link in inner:
        assert (path.parent / link.partition("#")[0]).exists(), link


@common.each_lesson
def test_every_picture_is_shown(lesson) -> None:
    shown = LINK.findall((lesson.folder / "README.md").read_text(encoding="utf-8"))
    stored = {f"pictures/{p.name}" for p in (lesson.folder / "pictures").glob("*")}
    assert stored == {link for link in shown if link.startswith("pictures/")}
