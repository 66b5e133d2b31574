"""Drawings of lessons: what stands in them, and where."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minifcn.course import drawing, picture, pictures


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_matrix_has_a_number_in_each_square() -> None:
    axes = Figure().add_subplot()
    drawing.matrix(axes, [[1, 2.5, np.nan], [1 / 3, -4, 1000]], "numbers")
    assert texts(axes) == ["1", "2.5", "0.3333", "-4", "1000"]
    places = [text.get_position() for text in axes.texts]
    assert places == [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1)]
    assert axes.get_title() == "numbers"


def test_numbers_are_read_on_every_square() -> None:
    """Neither the darkest square nor the lightest is at an end of its colours."""
    axes = Figure().add_subplot()
    drawing.matrix(axes, [[0, 8]])
    low, high = axes.images[0].get_clim()
    assert low < 0
    assert high >= 16
    drawing.matrix(axes, [[7, 7]])  # all alike: still a colour


def test_matrices_have_squares_of_one_size() -> None:
    figure, axes = drawing.matrices(
        [np.ones((2, 3)), np.ones((4, 1))], ["two by three", "x"], ["Blues", "Greys"]
    )
    figure.canvas.draw()
    sides = []
    for one in axes:
        box = one.get_window_extent()
        (left, right), (bottom, top) = one.get_xlim(), one.get_ylim()
        sides += [box.width / (right - left), box.height / (bottom - top)]
    assert np.allclose(sides, sides[0], rtol=0.02)
    assert [one.images[0].get_cmap().name for one in axes] == ["Blues", "Greys"]


def test_a_long_title_does_not_run_into_the_next() -> None:
    long = "a title that is much longer than its matrix"
    figure, axes = drawing.matrices([np.eye(2)] * 2, [long, long])
    figure.canvas.draw()
    first, second = (one.title.get_window_extent() for one in axes)
    assert first.x1 < second.x0
    assert first.x0 >= 0
    assert second.x1 <= figure.bbox.width


def test_a_frame_is_around_its_squares() -> None:
    axes = Figure().add_subplot()
    drawing.frame(axes, 1, 2, 3, 4, drawing.RED, inset=0.1)
    (patch,) = axes.patches
    assert isinstance(patch, Rectangle)
    assert patch.get_xy() == (1.6, 0.6)
    assert (patch.get_width(), patch.get_height()) == (3.8, 2.8)


def test_photographs_and_charts() -> None:
    figure, axes = drawing.canvas(2, 1, width=3, height=2)
    assert tuple(figure.get_size_inches()) == (6, 2)
    drawing.photo(axes[0], np.zeros((3, 5, 3), np.uint8), "black")
    assert axes[0].images[0].get_array().shape == (3, 5, 3)
    assert not axes[0].axison
    drawing.chart(axes[1], [1, 2], [3, 4], ("steps", "loss"), "mine", color="red")
    assert (axes[1].get_xlabel(), axes[1].get_ylabel()) == ("steps", "loss")
    assert [text.get_text() for text in axes[1].get_legend().texts] == ["mine"]


# ---------------------------------------------------------------------- picture()


SCRIPT = """\
from matplotlib.figure import Figure
from minifcn.course import picture

def draw():
    picture(Figure((1, 1)), "square", "A square.")

draw()
"""


def test_a_picture_lies_beside_the_script(tmp_path: Path, capsys) -> None:
    script = tmp_path / "lesson.py"
    script.write_text(SCRIPT)
    runpy.run_path(str(script))
    path = tmp_path / "pictures" / "square.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"[picture: {path}: A square.]\n"


def test_who_builds_a_page_is_told(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(pictures, "_beside_caller", lambda: tmp_path)
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(pictures, "taken", [lambda *what: told.append(what)])
    picture(Figure((1, 1)), "one", "One.")
    assert told == [("pictures/one.png", "One.")]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["INK", "BLUE", "ORANGE", "GREEN", "RED"])
def test_colours_are_seen_on_paper(name: str) -> None:
    red, green, blue = (int(getattr(drawing, name)[i : i + 2], 16) for i in (1, 3, 5))
    assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 180
