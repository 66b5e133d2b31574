"""Tables in Markdown with columns of one width: for a terminal, and for a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minifcn.files import replacing


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Lay out rows in Markdown; the first `words` columns hold words, not numbers."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    rule = ["-" * w if i < words else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join(
        "| " + " | ".join(_filled(row, widths, words)) + " |"
        for row in (titles, rule, *rows)
    )


def _filled(row: Sequence[str], widths: list[int], words: int) -> list[str]:
    cells = []
    for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - len(cell))
        cells.append(cell + space if i < words else space + cell)
    return cells


def document(title: str, lines: Sequence[str], *parts: str) -> str:
    """Put a title, a list of remarks and tables together, in Markdown."""
    remarks = "\n".join(f"- {line}" for line in lines)
    return "\n\n".join([f"# {title}", remarks, *parts])


def save(path: str | Path, text: str) -> None:
    """Write a document, whole or not at all."""
    with replacing(path) as file:
        file.write((text + "\n").encode())


def seconds(value: float | None) -> str:
    """Write a time with three digits and its unit; a dash where there is none."""
    if value is None:
        return "–"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= 0.9995 * size:
            return f"{_digits(value / size)} {unit}"
    return f"{_digits(value / 1e-6)} µs"


def _digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def ratio(value: float | None) -> str:
    """Write a ratio; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def difference(value: float | None) -> str:
    """Write a relative difference; a dash where nothing could be compared."""
    return "–" if value is None else f"{value:.1e}"


def share(figures: dict[str, Any], of: dict[str, float], name: str) -> str:
    """Write a rate as a share of its ceiling; a dash where the rate is 0."""
    return f"{figures[name] / of[name]:.0%}" if figures[name] else "–"
