"""Bars and tables: the numbers in what is drawn and written."""

import pytest

from minifcn.bench import drawing, network, tables
from minifcn.data import read_image

BARS = [
    ("conv2d fc6", "forward", 0.5),
    ("conv2d fc6", "input gradient", 4.0),
    ("relu", "forward", 100.0),
]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    from matplotlib.figure import Figure

    figures, save = [], Figure.savefig

    def spy(self, *given, **how):
        figures.append(self)
        save(self, *given, **how)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def test_a_bar_for_each_ratio_and_a_line_at_1(tmp_path, drawn):
    drawing.ratios(tmp_path / "bars.png", "title", BARS)
    (axes,) = drawn[0].axes
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert ends == [(1, 0.5), (1, 4), (1, drawing.WIDEST)]  # the last is cut
    texts = [text.get_text().strip() for text in axes.texts]
    assert texts == ["0.50", "4.00", "100.00"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "conv2d fc6",
        "relu",
    ]
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 1]]
    assert axes.get_xscale() == "log"
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend == ["forward", "input gradient"]
    height, width, _ = read_image(tmp_path / "bars.png").shape
    assert width > 700
    assert height > 200


def test_many_bars_stand_in_two_panels(tmp_path, drawn):
    bars = [(f"operator {i}", "forward", 1 + i) for i in range(50)]
    drawing.ratios(tmp_path / "bars.png", "title", bars)
    assert [len(axes.patches) for axes in drawn[0].axes] == [25, 25]


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(ValueError, match="no ratios to draw"):
        drawing.ratios(tmp_path / "bars.png", "title", [])
    assert not list(tmp_path.iterdir())


def test_the_network_has_four_bars(tmp_path, drawn):
    figures = {
        "machine": {"processor": "a processor", "usable_cores": 2},
        "device": "cpu",
        "size": [5, 7],
        "batch": 3,
        "ratio": {
            "forward": {"time": 0.5, "memory": 2},
            "step": {"time": 0.25, "memory": 4},
        },
    }
    network.draw(tmp_path / "bars.png", figures)
    (axes,) = drawn[0].axes
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    assert ends == [0.5, 0.25, 2, 4]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["time", "memory"]
    assert "a processor, 2 cores; 3 × 5×7" in drawn[0].get_suptitle()


def test_ticks():
    ticks = [drawing._power_of_two(x, None) for x in (0.125, 0.5, 1, 16)]
    assert ticks == ["1/8", "1/2", "1", "16"]


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    drawing.check(None, "--picture", ".png")
    drawing.check(tmp_path / "new.png", "--picture", ".png")
    with pytest.raises(ValueError, match=r"--picture is .*a.jpg; .* a file .png"):
        drawing.check(tmp_path / "a.jpg", "--picture", ".png")
    with pytest.raises(ValueError, match="--output is"):
        drawing.check(tmp_path, "--output")
    with pytest.raises(FileNotFoundError, match="no folder"):
        drawing.check(tmp_path / "none" / "a.png", "--picture", ".png")


def test_table():
    text = tables.table(["what", "time"], [["a", "1.2 ms"], ["longer", "–"]])
    assert text.splitlines() == [
        "| what   |   time |",
        "| ------ | -----: |",
        "| a      | 1.2 ms |",
        "| longer |      – |",
    ]


def test_document(tmp_path):
    text = tables.document("Title", ["one", "two"], "| a |")
    assert text == "# Title\n\n- one\n- two\n\n| a |"
    tables.save(tmp_path / "a.md", text)
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == text + "\n"


@pytest.mark.parametrize(
    "value, text",
    [
        (None, "–"),
        (0.00000123, "1.23 µs"),
        (0.0009994, "999 µs"),
        (0.0009996, "1.00 ms"),
        (0.01234, "12.3 ms"),
        (0.9996, "1.00 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_seconds(value, text):
    assert tables.seconds(value) == text


def test_other_cells():
    assert (tables.ratio(None), tables.ratio(0.5)) == ("–", "0.50")
    assert (tables.difference(None), tables.difference(2e-6)) == ("–", "2.0e-06")
    assert tables.share({"rate": 5.0}, {"rate": 10.0}, "rate") == "50%"
    assert tables.share({"rate": 0}, {"rate": 10.0}, "rate") == "–"
