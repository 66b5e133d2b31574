"""A lesson's script in cells, as editors and jupytext know them: ``# %%``.

# %% [markdown]
# Text, each line a comment.

# %%
code()

# %% [varies]
print(seconds())    # what it prints is another at every run
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HEAD = re.compile(r"^# %%(?: +\[(\w+)\])?\s*$")
KINDS = ("code", "markdown", "varies", "drawing")


class Cell(NamedTuple):
    """A part of a script.

    Attributes:
        kind: "markdown", "code", "varies" (code whose output is not compared), or
            "drawing" (code that is folded on the page).
        text: the text without its comment signs, or the code.
        line: of the script on which that begins, from 1.
    """

    kind: str
    text: str
    line: int


def split(script: str) -> list[Cell]:
    """Split a script into its cells; what stands before the first is left out.

    Raises:
        ValueError: a cell of an unknown kind, or text that is no comment.
    """
    cells: list[Cell] = []
    kind, first, lines = "", 0, list[str]()
    for number, line in enumerate([*script.splitlines(), "# %%"], 1):
        head = _HEAD.match(line)
        if line.startswith("# %%") and not head:
            raise ValueError(f"line {number}: {line!r} begins no cell: # %% [kind]")
        if not head:
            lines.append(line)
            continue
        if kind:
            cells.append(_cell(kind, lines, first))
        kind, first, lines = head[1] or "code", number + 1, []
        if kind not in KINDS:
            raise ValueError(f"line {number}: a cell of kind {kind!r}; {KINDS}")
    return [cell for cell in cells if cell.text]


def _cell(kind: str, lines: list[str], first: int) -> Cell:
    if kind == "markdown":
        lines = [_uncommented(line, n) for n, line in enumerate(lines, first)]
    empty = next((n for n, line in enumerate(lines) if line), 0)
    return Cell(kind, "\n".join(lines).strip("\n"), first + empty)


def _uncommented(line: str, number: int) -> str:
    if line and not line.startswith("#"):
        raise ValueError(f"line {number}: text of a cell must be a comment: {line!r}")
    return line.removeprefix("#").removeprefix(" ")
