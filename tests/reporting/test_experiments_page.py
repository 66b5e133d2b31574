"""The page of all experiments: what it shows, and what it says of what it cannot."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minifcn.cli import main
from minifcn.experiments.frame import EXPERIMENTS
from minifcn.reporting import experiments
from tests.reporting.reading import Page

RESULT: dict[str, Any] = {
    "experiment": "bounds",
    "source": "a source & more",
    "claim": "Cells <b>matter</b>.",
    "held": False,
    "verdicts": [
        {"claim": "up", "held": True, "figures": "1 < 2"},
        {"claim": "down", "held": False, "figures": "3"},
    ],
    "table": "",
    "columns": [
        {"key": "net", "title": "net", "form": "word"},
        {"key": "iu", "title": "mean IU", "form": "spread"},
        {"key": "paper", "title": "in the paper", "form": "percent"},
    ],
    "rows": [
        {"net": "a & b", "iu": 0.5, "iu_low": 0.25, "iu_high": 0.625, "paper": None}
    ],
    "remarks": ["a remark with <script>"],
    "settings": {
        "out": "x", "data": None, "split": "val", "seed": 2, "seeds": 3, "quick": False,
        "device": "cpu", "recipe": None, "weights": None,
    },
    "versions": {"minifcn": "0.1.0", "numpy": "2.0", "python": "3.12"},
}  # fmt: skip


def write(out: Path, name: str = "bounds", **changes: Any) -> Path:
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {**RESULT, "experiment": name, **changes}
    (folder / "result.json").write_text(json.dumps(content))
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(folder / f"{name}.png")
    return folder


def read(out: Path) -> tuple[str, str]:
    """Return the page's HTML, and its words."""
    html = experiments.write(out).read_text(encoding="utf-8")
    return html, " ".join(" ".join(Page(html).texts.values()).split())


def test_a_section_tells_all_that_a_result_holds(tmp_path: Path) -> None:
    write(tmp_path)
    html, words = read(tmp_path)
    for text in (
        "Cells <b>matter</b>.",  # escaped: words, not a tag
        "a source & more",
        "held up (1 < 2)",
        "did not hold down (3)",
        "a remark with <script>",
        "a & b",
        "50.0 (25.0 to 62.5)",
        "seeds 2 to 4",
        "1 of 2",
        "minifcn 0.1.0",
    ):
        assert text in words, text
    assert "<script" not in html
    assert html.count("data:image/png") == 1
    assert "http" not in html  # all of it is inside


def test_results_in_the_order_of_experiments_and_what_is_missing(
    tmp_path: Path,
) -> None:
    for name in ("init", "bounds", "skips"):
        write(tmp_path, name)
    _, words = read(tmp_path)
    places = [words.index(f" {name} ") for name in ("skips", "bounds", "init")]
    assert places == sorted(places)
    absent = [n for n in EXPERIMENTS if n not in ("init", "bounds", "skips")]
    assert f"no result of {', '.join(absent)}" in words
    assert "3 of 6 claims held" in words


def test_quick_runs_are_marked_and_not_counted(tmp_path: Path) -> None:
    write(tmp_path, "skips", settings={**RESULT["settings"], "quick": True})
    write(tmp_path)
    _, words = read(tmp_path)
    assert "its figures say nothing" in words
    assert "1 of 2 claims held" in words


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({**RESULT, "rows": 3}).encode(),
        json.dumps({**RESULT, "verdicts": [{"claim": 1}]}).encode(),
        json.dumps({**RESULT, "settings": None}).encode(),
        json.dumps({**RESULT, "claim": ["a"]}).encode(),
        json.dumps({**RESULT, "rows": [{"net": "a"}]}).encode(),
    ],
)
def test_damaged_results_are_named_and_left_out(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path)
    bad = write(tmp_path, "skips")
    (bad / "result.json").write_bytes(damage)
    _, words = read(tmp_path)
    assert "skips/result.json is left out: it is" in words
    assert "1 of 2 claims held" in words


def test_a_missing_or_damaged_picture_is_told(tmp_path: Path) -> None:
    (write(tmp_path) / "bounds.png").unlink()
    (write(tmp_path, "skips") / "skips.png").write_bytes(b"no picture")
    html, words = read(tmp_path)
    assert words.count("The picture is missing") == 2
    assert "data:image" not in html


def test_a_huge_chart_is_made_smaller(tmp_path: Path) -> None:
    folder = write(tmp_path)
    Image.new("RGB", (5000, 100)).save(folder / "bounds.png")
    address, width = experiments.thumbnails.chart(folder / "bounds.png")
    assert width == experiments.thumbnails.CHART_SIDE
    assert address.startswith("data:image/png;base64,")


def test_no_results(tmp_path: Path) -> None:
    _, words = read(tmp_path)
    assert "No experiments" in words


def test_the_command_writes_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    argv = ["experiment", "bounds", "--quick", "--out", str(out), "--seeds", "1"]
    assert main(argv) == 0
    told = capsys.readouterr().out
    assert f"on one page: {out / 'experiments.html'}" in told
    _, words = read(out)
    assert "Appendix A" in words
