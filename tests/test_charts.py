"""Charts: the numbers in what was drawn, and the files that it went to."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest

from minifcn import charts
from minifcn.charts import confusion_picture, curves
from minifcn.data import read_image

LOG = """\
epoch,iteration,loss,lr,images_per_second,pixel_accuracy,mean_accuracy,mean_iu,\
frequency_weighted_iu
0,5,2.5,0.01,7.0,,,,
0,10,1.5,0.008,7.1,0.5,0.4,0.25,0.45
1,15,nan,0.006,,,,,
1,20,0.75,0.004,7.3,0.75,nan,0.5,0.625
"""


def read_log(text=LOG):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were to be saved."""
    figures = []
    monkeypatch.setattr(charts, "_save_figure", lambda path, f, dpi: figures.append(f))
    return figures


def points(line):
    return list(zip(line.get_xdata(), line.get_ydata()))


def test_curves_show_the_filled_cells_of_the_log(drawn):
    curves("curves.png", read_log())
    loss, score, lr = drawn[0].axes
    assert points(loss.lines[0]) == [(5, 2.5), (10, 1.5), (20, 0.75)]
    assert points(lr.lines[0]) == [(5, 0.01), (10, 0.008), (15, 0.006), (20, 0.004)]
    got = {line.get_label(): points(line) for line in score.lines}
    assert got == {
        "pixel accuracy  75.0 %": [(10, 50), (20, 75)],
        "mean accuracy  40.0 %": [(10, 40)],
        "mean IU  50.0 %": [(10, 25), (20, 50)],
        "frequency weighted IU  62.5 %": [(10, 45), (20, 62.5)],
    }
    assert [axes.get_ylabel() for axes in drawn[0].axes] == [
        "loss",
        "validation, per cent",
        "learning rate",
    ]


def test_a_long_loss_is_smoothed_about_its_own_place(drawn):
    """A straight line is its own running mean only if the window is centred."""
    rows = [{"iteration": 10 * i, "loss": 300 - i} for i in range(1, 101)]
    curves("curves.png", rows)
    raw, smooth = drawn[0].axes[0].lines
    assert len(raw.get_xdata()) == 100
    x, y = smooth.get_data()
    assert np.abs(np.asarray(y) - (300 - np.asarray(x) / 10)).max() <= 0.5
    assert len(x) == 97
    noisy = [{"iteration": i, "loss": 5 + (-1) ** i} for i in range(100)]
    curves("curves.png", noisy)
    assert np.ptp(drawn[1].axes[0].lines[1].get_ydata()) < 1e-12


@pytest.mark.parametrize(("n", "lines"), [(1, 1), (49, 1), (50, 2)])
def test_a_short_loss_is_not_smoothed(drawn, n, lines):
    curves("c.png", [{"iteration": i, "loss": 9 - i} for i in range(n)])
    assert len(drawn[0].axes[0].lines) == lines
    assert drawn[0].axes[0].lines[0].get_marker() == ("o" if n < 40 else "None")


@pytest.mark.parametrize(
    ("values", "scale"), [([900, 30], "log"), ([9, 3], "linear"), ([9, 0], "linear")]
)
def test_a_loss_that_falls_far_is_drawn_on_a_log_scale(drawn, values, scale):
    curves("c.png", [{"iteration": i, "loss": v} for i, v in enumerate(values)])
    assert drawn[0].axes[0].get_yscale() == scale


@pytest.mark.parametrize("lines", [2, 3, 5])
def test_curves_of_any_length_are_written(tmp_path, lines):
    text = "\n".join(LOG.splitlines()[:lines])
    curves(tmp_path / "curves.png", read_log(text))
    image = read_image(tmp_path / "curves.png")
    assert len(np.unique(image)) > 50
    assert list(tmp_path.iterdir()) == [tmp_path / "curves.png"]


@pytest.mark.parametrize("rows", [[], [{"iteration": "", "loss": "1"}]])
def test_an_empty_log_is_named(tmp_path, rows):
    with pytest.raises(ValueError, match="the log has no iterations yet"):
        curves(tmp_path / "curves.png", rows)
    assert list(tmp_path.iterdir()) == []


def test_confusion_is_drawn_as_shares_of_each_row(drawn, rng):
    hist = rng.integers(1, 900, (5, 5))
    hist[3] = 0
    confusion_picture("c.png", hist, list("abcde"))
    (axes,) = drawn[0].axes
    shown = axes.images[0].get_array()
    texts = {t.get_position(): t.get_text() for t in axes.texts}
    for t in range(5):
        for p in range(5):
            if t == 3:
                assert shown.mask[t, p]
                assert (p, t) not in texts
                continue
            share = hist[t, p] / sum(hist[t])
            assert shown[t, p] == pytest.approx(share)
            assert texts.get((p, t), "0") == f"{100 * share:.0f}"


def test_confusion_names_classes_and_their_iu(drawn):
    """IU by hand: 3 / 4, 1 / 3, 1 / 2; the fourth class is nowhere."""
    hist = [[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    names = ["sky", "a $b_{", "tree", "none"]
    confusion_picture("c.png", hist, names)
    (axes,) = drawn[0].axes
    assert [t.get_text() for t in axes.get_yticklabels()] == names
    assert [t.get_text() for t in axes.get_xticklabels()] == names
    right = axes.child_axes[0].get_yticklabels()
    assert [t.get_text() for t in right] == ["75", "33", "50", "–"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true", "predicted")


@pytest.mark.parametrize("n", [2, 60])
def test_confusion_is_written_for_few_and_for_many_classes(tmp_path, rng, n):
    names = [f"class {i} of $ some_{{length" * (1 + i % 2) for i in range(n)]
    confusion_picture(tmp_path / "c.png", rng.integers(0, 99, (n, n)), names)
    image = read_image(tmp_path / "c.png")
    assert min(image.shape[:2]) > 20 * n
    assert list(tmp_path.iterdir()) == [tmp_path / "c.png"]


def test_a_table_of_another_size_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"\(2, 2\) for 2 class names, not \(3, 3\)"):
        confusion_picture(tmp_path / "c.png", np.ones((3, 3)), ["a", "b"])
    assert list(tmp_path.iterdir()) == []


def test_charts_need_no_display_and_no_pyplot(tmp_path):
    code = (
        "import sys; from minifcn.pictures import curves\n"
        f"curves({str(tmp_path / 'c.png')!r}, [dict(iteration=1, loss=2.0)])\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_iterations_are_whole_numbers(drawn):
    curves("c.png", [{"iteration": 10, "loss": 2.0, "lr": 0.1}])
    ticks = drawn[0].axes[2].get_xticks()
    assert 10 in ticks
    assert all(tick == round(tick) for tick in ticks)


def compared(monkeypatch, logs):
    """The axes of a comparison, and its SVG."""
    figures, svg = [], charts._svg
    monkeypatch.setattr(charts, "_svg", lambda f: figures.append(f) or svg(f))
    text = charts.comparison(logs)
    return figures[0].axes, text


def test_comparison_draws_a_line_per_run(monkeypatch):
    other = [{"iteration": 3, "loss": 4.0, "lr": 0.5, "mean_iu": 0.125}]
    (loss, score, lr), text = compared(monkeypatch, [read_log(), [], other])
    assert points(loss.lines[0]) == [(5, 2.5), (10, 1.5), (20, 0.75)]
    assert [points(line) for line in score.lines] == [
        [(10, 25), (20, 50)],
        [],
        [(3, 12.5)],
    ]
    assert points(lr.lines[2]) == [(3, 0.5)]
    for axes in (loss, score, lr):
        colours = [line.get_color() for line in axes.lines]
        assert colours == [charts.run_colour(k) for k in range(3)]
    assert text.startswith("<svg")
    assert "currentColor" in text
    assert charts.SVG_INK not in text
    assert charts.comparison([read_log(), [], other]) == text


def test_comparison_smooths_and_thins_a_long_loss(monkeypatch):
    rows = [{"iteration": i, "loss": 5000 - i} for i in range(1, 3001)]
    (loss, _, _), _ = compared(monkeypatch, [rows])
    x, y = (np.asarray(v) for v in loss.lines[0].get_data())
    assert len(x) == 400
    assert np.abs(y - (5000 - x)).max() < 0.501
    assert (x[0], x[-1]) == (61, 2941)


def test_more_runs_than_colours_differ_in_their_dashes(monkeypatch):
    n = len(charts.RUN_COLOURS)
    log = [{"iteration": 1, "loss": 2.0}]
    (loss, _, _), _ = compared(monkeypatch, [log] * (n + 1))
    first, last = loss.lines[0], loss.lines[n]
    assert first.get_color() == last.get_color()
    assert first.get_linestyle() != last.get_linestyle()


def test_nothing_to_compare_is_named():
    with pytest.raises(ValueError, match="the logs have no iterations yet"):
        charts.comparison([[], [{"loss": 1.0}]])
