"""Scaling: the fit, what is varied, and how it is laid out and drawn."""

import json

import numpy as np
import pytest

from minifcn.bench import contest, drawing, scaling

TINY = dict(size=(8, 9), repeats=1, width=1 / 64)
FEW = dict(sides=(8, 16), batches=(1, 2), widths=(1 / 64, 1 / 32), threads=(1, 2))


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.05, 2.0])
def test_fit_recovers_a_power_law(rng, exponent):
    x = np.array([4096.0, 16384, 65536, 262144, 1048576])
    exact = scaling.fit(x, 3e-7 * x**exponent)
    assert exact["exponent"] == pytest.approx(exponent, abs=1e-9)
    assert exact["factor"] == pytest.approx(3e-7)
    assert exact["off"] == pytest.approx(1)
    noisy = scaling.fit(x, 3e-7 * x**exponent * rng.uniform(0.95, 1.05, 5))
    assert noisy["exponent"] == pytest.approx(exponent, abs=0.03)
    assert 1 < noisy["off"] < 1.1


def test_fit_says_how_far_a_point_lies_off():
    # Logarithms 0, 3, 0 (of base 2) at 0, 1, 2: the line is level, at 1.
    fitted = scaling.fit([1, 2, 4], [1, 8, 1])
    assert fitted["exponent"] == pytest.approx(0, abs=1e-12)
    assert fitted["factor"] == pytest.approx(2)
    assert fitted["off"] == pytest.approx(4)


@pytest.mark.parametrize("x", [[], [3], [5, 5]])
def test_a_line_needs_two_places(x):
    assert scaling.fit(x, [1.0] * len(x)) is None


def test_doubling():
    assert [scaling.doubling(n) for n in (1, 2, 6, 8)] == [
        [1],
        [1, 2],
        [1, 2, 4, 6],
        [1, 2, 4, 8],
    ]


@pytest.fixture(scope="module")
def figures():
    return scaling.measure(None, **TINY, **FEW)


def test_each_sweep_varies_one_thing(figures):
    assert json.loads(json.dumps(figures)) == figures
    assert {sweep["over"]: [p["at"] for p in sweep["points"]] for sweep in
            figures["sweeps"]} == {
        "area (pixels)": [64, 256],
        "batch (images)": [1, 2],
        "width (of VGG's)": [1 / 64, 1 / 32],
        "threads": [1, 2],
    }  # fmt: skip
    for sweep in figures["sweeps"]:
        for point in sweep["points"]:
            for work in ("forward", "step"):
                assert 0 < point["minifcn"][work]["seconds"] < 60
                assert 10e6 < point["minifcn"][work]["peak_bytes"] < 10e9
        of = sweep["fits"]["minifcn"]["step"]
        at, y = zip(
            *((p["at"], p["minifcn"]["step"]["seconds"]) for p in sweep["points"])
        )
        assert of["seconds"] == scaling.fit(at, y)
        assert set(of) == {"seconds", "peak_bytes"}


def test_the_settings_reach_the_contenders(monkeypatch):
    seen = []

    def compete(against, settings, repeats):
        seen.append(settings)
        work = {"seconds": 1.0, "peak_bytes": 2}
        ours = {"minifcn": {"forward": work, "step": work}}
        return {"machine": {}, "device_name": "", **ours}

    monkeypatch.setattr(scaling.network, "compete", compete)
    scaling.measure(None, **TINY, **FEW)
    assert [settings["size"] for settings in seen[:3]] == [[8, 8], [16, 16], [8, 9]]
    assert [settings["batch"] for settings in seen[2:4]] == [1, 2]
    assert [settings["net"]["width"] for settings in seen[4:6]] == [1 / 64, 1 / 32]
    assert [settings.get("threads") for settings in seen[5:]] == [None, 1, 2]
    assert {settings["net"]["geometry"] for settings in seen} == {"same"}


def test_table(figures):
    text = scaling.render(figures)
    assert "1 × 8×9" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 4 * 2 + 2 + 4 * 2
    assert "| 16² " in text


def test_a_single_point_has_no_line(tmp_path):
    one = scaling.measure(None, **TINY, sides=(8,), batches=(), widths=(), threads=(1,))
    assert [sweep["over"] for sweep in one["sweeps"]] == ["area (pixels)", "threads"]
    assert one["sweeps"][0]["fits"]["minifcn"]["step"]["seconds"] is None
    assert scaling.render(one).count("–") >= 2 * 2 * 3
    scaling.draw(tmp_path / "one.png", one)


def test_against_torch_takes_the_better_layout(monkeypatch):
    def compete(against, settings, repeats):
        assert against == "torch"
        seconds = settings["size"][0] ** 2 * 1e-6

        def works(times):
            work = {"seconds": times * seconds, "peak_bytes": 5}
            return {"forward": work, "step": work}

        found = {
            "minifcn": works(1),
            "torch": works(3),
            "torch channels_last": works(2),
        }
        return {"machine": {}, "device_name": "", **found}

    monkeypatch.setattr(contest, "check", lambda *given, **counts: None)
    monkeypatch.setattr(scaling.network, "compete", compete)
    area, *_ = scaling.measure("torch", **TINY, **FEW)["sweeps"]
    fits = {name: of["step"]["seconds"] for name, of in area["fits"].items()}
    assert set(fits) == {"minifcn", "torch"}
    assert fits["torch"]["exponent"] == pytest.approx(1)
    assert fits["torch"]["factor"] == pytest.approx(2e-6)


def test_the_better_peer_in_each():
    def works(seconds, size):
        work = {"seconds": seconds, "peak_bytes": size}
        return {"forward": work, "step": work}

    found = {"minifcn": works(1, 2), "torch": works(3, 9)}
    found["torch channels_last"] = works(4, 8)
    assert scaling._contenders(found)["torch"]["step"] == {
        "seconds": 3,
        "peak_bytes": 8,
    }


@pytest.mark.parametrize(
    "change",
    [dict(repeats=0), dict(sides=(8, 0)), dict(widths=(0,)), dict(threads=(-1,))],
)
def test_impossible_settings_are_refused(change):
    with pytest.raises(ValueError, match="must be positive"):
        scaling.measure(None, **{**TINY, **FEW, **change})


def test_picture_has_points_and_lines(figures, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda self, *a, **k: (drawn.append(self), save(self, *a, **k)),
    )
    scaling.draw(tmp_path / "growth.png", figures)
    area, *_ = drawn[0].axes
    assert area.get_xscale() == area.get_yscale() == "log"
    (law, points), _ = zip(*[iter(area.lines)] * 2)
    sweep = figures["sweeps"][0]
    seconds = [point["minifcn"]["forward"]["seconds"] for point in sweep["points"]]
    assert list(points.get_xdata()) == [64, 256]
    assert list(points.get_ydata()) == seconds
    np.testing.assert_allclose(
        law.get_ydata(), seconds
    )  # two points: the line is exact
    assert [text.get_text() for text in area.get_xticklabels()] == ["8²", "16²"]
    assert drawing.HUES["forward"] == points.get_color()
