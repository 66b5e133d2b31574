import csv
from pathlib import Path

import numpy as np

from minifcn.training.journal import COLUMNS, Journal


def test_rows_come_back_exactly(tmp_path: Path, rng: np.random.Generator) -> None:
    journal = Journal(tmp_path / "log.csv")
    losses = [float(np.float32(value)) for value in rng.normal(size=20)]
    for i, loss in enumerate(losses):
        journal.append(iteration=i + 1, epoch=1, lr=1e-10 / (i + 1), loss=loss)
    rows = journal.read()
    assert [row["loss"] for row in rows] == losses
    assert [row["lr"] for row in rows] == [1e-10 / (i + 1) for i in range(20)]
    assert "mean_iu" not in rows[0]
    with open(journal.path, newline="") as file:
        assert tuple(next(csv.reader(file))) == COLUMNS


def test_going_on_forgets_what_came_after(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    journal = Journal(path)
    for i in range(5):
        journal.append(iteration=i, epoch=1, loss=0.5)
    before = path.read_text().splitlines()
    with open(path, "a") as file:
        file.write("5,1,0.0")  # cut short by a crash
    again = Journal(path, rows=3)
    again.append(iteration=9, epoch=2, mean_iu=0.25)
    after = path.read_text().splitlines()
    assert after[:4] == before[:4]
    assert len(after) == 5
    assert again.read()[-1] == {"iteration": 9.0, "epoch": 2.0, "mean_iu": 0.25}


def test_new_journal_replaces_an_old_one(tmp_path: Path) -> None:
    Journal(tmp_path / "log.csv").append(iteration=1, epoch=1, loss=2.0)
    assert Journal(tmp_path / "log.csv").read() == []
