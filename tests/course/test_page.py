"""From a script to a page: text, code, what was printed, pictures."""

from pathlib import Path

import pytest
from PIL import Image

from minifcn.course import page, pictures
from minifcn.course.table import Course, CourseError, Lesson

TABLE = """\
[[lesson]]
folder = "01_one"
title = "One"
question = "How many?"
paper = "section 3"

[[lesson.exercise]]
name = "count"
idea = "how many"
lines = 1
hints = ["a", "b"]

[[lesson.exercise]]
name = "sums"
idea = "add up"
lines = 2
hints = ["a", "b"]

[[lesson]]
folder = "02_two"
title = "Two"
question = "And now?"
needs = [1]

[[question]]
text = "Why two?"
lessons = [2, 1]
"""
SCRIPT = """\
# %% [markdown]
# Some **text**.

# %%
x = [1, 2]  # (2,)
print(x)
print(sum(x))

# %% [drawing]
from matplotlib.figure import Figure
from minifcn.course import picture
picture(Figure((2, 1)), "empty", "Nothing to be seen.")

# %% [varies]
print(0.123, "s")

# %%
y = x
"""
PAGE = """\
# 1 · One

**How many?**

In the paper: section 3.

Some **text**.

```python
x = [1, 2]  # (2,)
print(x)
print(sum(x))
```

```text
[1, 2]
3
```

![Nothing to be seen.](pictures/empty.png)

*Nothing to be seen.*

<details><summary>the code that draws this</summary>

```python
from matplotlib.figure import Figure
from minifcn.course import picture
picture(Figure((2, 1)), "empty", "Nothing to be seen.")
```

</details>

```python
print(0.123, "s")
```

```text varies
0.123 s
```

```python
y = x
```

## Exercises

Write these functions in [exercise.py](exercise.py), then run `minifcn lesson check 1`:

- `count`: how many (about 1 line)
- `sums`: add up (about 2 lines)

---

Next: [2 · Two](../02_two/README.md) · [All lessons](../README.md)
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "lessons.toml").write_text(TABLE)
    for name, script in {"01_one": SCRIPT, "02_two": "# %%\nx = 1\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "lesson.py").write_text(script)
    return Course(tmp_path)


def test_a_page(course: Course) -> None:
    lesson = course.lesson(1)
    path = page.build(course, lesson)
    assert path.read_text(encoding="utf-8") == PAGE
    with Image.open(lesson.folder / "pictures" / "empty.png") as image:
        assert image.size[0] > image.size[1]


def test_the_page_of_the_second_lesson(course: Course) -> None:
    text = page.page_of(course, course.lesson(2))
    assert "Builds on [1 · One](../01_one/README.md).\n" in text
    assert "Before: [1 · One](../01_one/README.md) · [All lessons]" in text
    assert "## Exercises" not in text


def test_a_picture_is_the_same_at_every_run(course: Course) -> None:
    lesson = course.lesson(1)
    drawn = lesson.folder / "pictures" / "empty.png"
    page.build(course, lesson)
    first = drawn.read_bytes()
    page.build(course, lesson)
    assert drawn.read_bytes() == first
    assert pictures.taken == []


def test_output_that_varies_is_left_out_of_comparisons() -> None:
    other = PAGE.replace("0.123 s\n", "9.9 s\nand more\n")
    assert page.steady(other) == page.steady(PAGE)
    assert page.steady(PAGE.replace("3\n```", "4\n```")) != page.steady(PAGE)


@pytest.mark.parametrize(
    "script, said",
    [
        ("# %%\nx = 1\n\n# %%\n\ny = 1 / 0\n", "line 6: ZeroDivisionError: division"),
        ("# %%\ndef f():\n    return u\n\nf()\n", "line 3: NameError: name 'u'"),
        ("# %%\nimport json\njson.loads('[')\n", "line 3: JSONDecodeError"),
        ("# %%\nx = (\n", "line 2: SyntaxError: '\\(' was never closed"),
    ],
)
def test_where_a_lesson_fails(course: Course, script: str, said: str) -> None:
    lesson = course.lesson(2)
    lesson.script.write_text(script)
    with pytest.raises(CourseError, match=said):
        page.build(course, lesson)
    assert pictures.taken == []
    assert not (lesson.folder / "README.md").exists()


def test_the_list_of_lessons(course: Course) -> None:
    text = page.index_of(course)
    assert "- 1 · [One](01_one/README.md): How many?\n" in text
    assert "- Why two? → lesson [2](02_two/README.md), [1](01_one/README.md)\n" in text


def test_a_question_needs_its_lesson(course: Course) -> None:
    table = TABLE.replace("[2, 1]", "[5]")
    (course.root / "lessons.toml").write_text(table)
    with pytest.raises(CourseError, match="no lesson 5"):
        page.index_of(Course(course.root))


def test_without_jupytext_it_says_how_to_get_it(course: Course, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jupytext", None)
    with pytest.raises(CourseError, match=r"pip install 'minifcn\[notebooks\]'"):
        page.notebook(course, course.lesson(1))


def test_a_notebook(course: Course) -> None:
    pytest.importorskip("jupytext", reason="pip install 'minifcn[notebooks]'")
    import json

    lesson: Lesson = course.lesson(1)
    book = json.loads(page.notebook(course, lesson).read_text(encoding="utf-8"))
    kinds = [cell["cell_type"] for cell in book["cells"]]
    assert kinds == ["markdown", "markdown", "code", "code", "code", "code"]
    sources = ["".join(cell["source"]) for cell in book["cells"]]
    assert sources[0] == PAGE.partition("\n\nSome")[0]
    assert sources[1] == "Some **text**."
    assert sources[3].startswith("from matplotlib")
    assert not any(cell.get("outputs") for cell in book["cells"])
    assert "drawing" not in json.dumps([c["metadata"] for c in book["cells"]])
