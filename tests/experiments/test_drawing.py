"""The experiments' pictures: what is drawn is what was given."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from minifcn.experiments import drawing
from minifcn.experiments.drawing import Line


def test_bars_are_as_long_as_the_means_with_a_dot_for_each_seed() -> None:
    axes = Figure().add_subplot()
    drawing.bars(axes, ["one", "two"], [[0.25, 0.75], [0.125, 0.125]], "IU")
    assert [bar.get_width() for bar in axes.patches] == [50.0, 12.5]  # type: ignore
    dots = [line.get_xydata().tolist() for line in axes.lines]  # type: ignore
    assert dots == [[[25, 0], [75, 0]], [[12.5, 1], [12.5, 1]]]
    assert [text.get_text() for text in axes.texts] == ["50.0", "12.5"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    assert axes.yaxis_inverted()  # the first on top
    assert axes.get_xlim()[1] > 75


def test_smoothed_is_the_mean_of_the_last_few() -> None:
    assert drawing.smoothed([3, 5, 4, 0], 1) == [3, 5, 4, 0]
    assert drawing.smoothed([3, 5, 4, 0], 2) == [3, 4, 4.5, 2]
    assert drawing.smoothed([3, 5, 4, 0], 9) == [3, 4, 4, 3]


def test_curves_leave_out_what_is_not_known() -> None:
    axes = Figure().add_subplot()
    drawing.curves(axes, [Line("a", (1, 2, 4), (5, None, 7), {})], ("x", "y"))
    assert axes.lines[0].get_xydata().tolist() == [[1, 5], [4, 7]]  # type: ignore
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_tiles_hold_the_pixels_in_their_rows() -> None:
    figure = Figure()
    pixels = np.random.default_rng(0).integers(0, 255, (6, 5, 4, 3), np.uint8)
    rows = [[(f"{r}{c}", pixels[3 * r + c]) for c in range(3)] for r in range(2)]
    drawing.tiles(figure, rows)
    for number, axes in enumerate(figure.axes):
        assert axes.get_title() == f"{number // 3}{number % 3}"
        np.testing.assert_array_equal(axes.images[0].get_array(), pixels[number])


def test_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    with drawing.page(path, "a title", (4, 3)) as figure:
        figure.add_subplot().plot([1, 2])
        assert figure.get_suptitle() == "a title"
    with Image.open(path) as picture:
        assert picture.size == (440, 330)
    before = path.read_bytes()
    with pytest.raises(KeyError), drawing.page(path, "", (4, 3)):
        raise KeyError
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["page.png"]
