"""The journal of a run: ``log.csv``, a row per step and a row per validation."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from minifcn.files import replacing

SCORES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")
COLUMNS = ("iteration", "epoch", "lr", "loss", *SCORES)


class Journal:
    """Appends rows to a CSV file; numbers are written so that reading gives the same.

    Columns: iteration (steps taken so far), epoch (1 is the first), lr and loss of the
    step, and after a validation the four scores as fractions; the rest stays empty.

    Args:
        path: the file; made with its heading by the first row.
        rows: how many rows to keep of what is there (what a checkpoint knew of).
    """

    def __init__(self, path: str | Path, rows: int = 0) -> None:
        self.path = Path(path)
        lines = self._lines()[: rows + 1] or [",".join(COLUMNS)]
        self.rows = len(lines) - 1
        with replacing(self.path) as file:
            file.write("\n".join([*lines, ""]).encode())

    def append(self, **values: float) -> None:
        """Add a row of the named columns."""
        row = ["" if (v := values.get(c)) is None else repr(v) for c in COLUMNS]
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(",".join(row) + "\n")
        self.rows += 1

    def read(self) -> list[dict[str, float]]:
        """Return the rows, each without its empty columns."""
        table = csv.DictReader(io.StringIO("\n".join(self._lines())))
        return [{k: float(v) for k, v in row.items() if v} for row in table]

    def _lines(self) -> list[str]:
        if not self.path.is_file():
            return []
        return self.path.read_text(encoding="utf-8").splitlines()
