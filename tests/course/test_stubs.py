"""A function is brought back to its stub, whatever was made of it."""

from pathlib import Path

import pytest

from minifcn.course.stubs import body_of, reset, source_of
from minifcn.course.table import Lesson, Task

LESSON = Lesson(Path("07_maps"), "Maps", "Where?")
SIZE = Task("size", "how large", 1, ["a", "b"])
LOOP = Task(
    "loop", "all of them", 2, ["a", "b"], given="y = 0\nfor n in x:", ending="return y"
)
STUBS = '''"""The exercises."""

import numpy as np


def size(n, kernel=(2, 1)):
    """How large is it?

    (In pixels.)
    """
    # about 1 line
    raise NotImplementedError("size: not written yet (lesson 7)")


def loop(x: list[int]) -> int:  # all of them
    """Add them up."""
    y = 0
    for n in x:
        # about 2 lines
        raise NotImplementedError("loop: not written yet (lesson 7)")
    return y
'''
BODIES = [
    "    return n\n",
    "    return n",
    "    m = n\n\n\n    return m\n",
    "    m = n\n# a comment at the very left\n    return m\n",
    "    # about 1 line\n    def inner():\n        return (n\n    return inner(\n",
    "\treturn n  # a tab, and no Python\n",
    "    return n\n\n\n\n\n\n",
    "",
]


def test_what_a_stub_looks_like() -> None:
    assert body_of(LESSON, SIZE) in STUBS
    assert body_of(LESSON, LOOP) in STUBS
    for task in (SIZE, LOOP):
        assert reset(STUBS, LESSON, task) == STUBS


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("task", [SIZE, LOOP], ids=lambda task: task.name)
def test_reset_gives_every_byte_back(task: Task, body: str) -> None:
    text = STUBS.replace(body_of(LESSON, task), body)
    assert text != STUBS
    assert reset(text, LESSON, task) == STUBS


def test_what_stands_in_between_is_kept() -> None:
    own = "# ---- mine\ndef helper(n):\n    return n\n\n\n"
    text = STUBS.replace("def loop", own + "def loop")
    text = text.replace(body_of(LESSON, SIZE), "    return helper(n)\n")
    expected = STUBS.replace("def loop", own + "def loop")
    assert reset(text, LESSON, SIZE) == expected


def test_the_head_stays_as_it_was_changed() -> None:
    text = STUBS.replace("def size(n, kernel=(2, 1)):", "def size(\n    n,\n    k,\n):")
    assert reset(text, LESSON, SIZE) == text
    bare = "def size(n):\n    return 1\n"
    assert reset(bare, LESSON, SIZE) == "def size(n):\n" + body_of(LESSON, SIZE)


@pytest.mark.parametrize("text", ["", "def sizes(n):\n    return 1\n", "size = 3\n"])
def test_no_such_function(text: str) -> None:
    with pytest.raises(ValueError, match="no function size in 07_maps"):
        reset(text, LESSON, SIZE)
    assert source_of(text, "size") == ""


def test_the_source_of_a_function_is_its_own_alone() -> None:
    size, loop = source_of(STUBS, "size"), source_of(STUBS, "loop")
    assert size == STUBS[STUBS.index("def size") : STUBS.index("\n\n\ndef loop")]
    assert loop == STUBS[STUBS.index("def loop") :].rstrip()
    changed = STUBS.replace("return y", "return y + 1") + "\n\n# the end\n"
    assert source_of(changed, "size") == size
    assert source_of(changed, "loop") == loop + " + 1"
