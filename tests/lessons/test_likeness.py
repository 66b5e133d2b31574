"""What counts as the same page, and the same picture."""

import pytest
from PIL import Image, ImageDraw

from tests.lessons.likeness import differences, pictures_differ


def page(printed: str, text: str = "Text.") -> str:
    return f"# Title\n\n{text}\n\n```python\nprint(y)\n```\n\n```text\n{printed}\n```\n"


@pytest.mark.parametrize(
    ("came", "stored"),
    [
        ("mean IU 0.612", "mean IU 0.612"),
        ("mean IU 0.613", "mean IU 0.612"),
        ("loss 2.31, then 1.05e-3", "loss 2.32, then 1.051e-3"),
        ("error 1.1e-16", "error 2.3e-16"),
        ("[[1. 2.]\n [3. 4.]]", "[[1.  2. ]\n [3.  4. ]]"),
    ],
)
def test_alike(came: str, stored: str) -> None:
    assert differences(page(came), page(stored)) == []


@pytest.mark.parametrize(
    ("came", "stored"),
    [
        ("mean IU 0.633", "mean IU 0.612"),
        ("mean IU 0.612", "pixel accuracy 0.612"),
        ("7 pixels", "8 pixels"),
        ("1000001 pixels", "1000000 pixels"),
        ("-0.5", "0.5"),
        ("1 2", "12"),
        ("error 1.1e-16", "error 2.3e-3"),
        ("", "7"),
        ("nan", "7.0"),
    ],
)
def test_not_alike(came: str, stored: str) -> None:
    assert differences(page(came), page(stored)) != []


def test_text_must_be_the_same() -> None:
    assert differences(page("1", "About 1.01."), page("1", "About 1.02.")) != []
    assert differences(page("1"), page("1") + "```text\n2\n```\n") != []


def picture(path, size=(300, 200), box=(40, 40, 200, 120)):
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle(box, "navy")
    image.save(path)
    return path


def test_pictures(tmp_path) -> None:
    stored = picture(tmp_path / "stored.png")
    nearly = picture(tmp_path / "a.png", (301, 200), (41, 40, 201, 120))
    assert pictures_differ(nearly, stored) == ""
    moved = picture(tmp_path / "b.png", box=(100, 40, 260, 120))
    assert "another" in pictures_differ(moved, stored)
    larger = picture(tmp_path / "c.png", (320, 200))
    assert "(320, 200)" in pictures_differ(larger, stored)
