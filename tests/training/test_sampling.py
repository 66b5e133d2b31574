"""Patch sampling: what it leaves out of the loss, and that it can be cut anywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.data import Batch
from minifcn.training import Trainer, start
from minifcn.training.sampling import draw_cells, sampled
from tests.training.runs import run, same_arrays, tiny

CELL = 32  # the stride of the coarsest scores


def batch(seed: int, size: tuple[int, int] = (70, 101), n: int = 2) -> Batch:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3, *size)).astype(np.float32)
    target = rng.integers(0, 6, (n, *size)).astype(np.uint8)
    target[:, :5] = 255
    return Batch(x, target, [f"{seed}"] * n, [size] * n)


# ------------------------------------------------------------------------- the cells


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_about_the_share_of_pixels_counts(share: float) -> None:
    kept = draw_cells((40, 160, 224), share, np.random.default_rng(1))
    # 40 images of at least 5 · 7 cells: five standard deviations of their mean
    assert abs(kept.mean() - share) < 5 * np.sqrt(share * (1 - share) / 1400)
    # … wherever in the image
    assert np.abs(kept.mean(axis=(0, 2)) - share).max() < 0.25
    assert np.abs(kept.mean(axis=(0, 1)) - share).max() < 0.25


def borders(lines: np.ndarray) -> set[int]:
    """Where neighbouring rows differ: (n, m) → row numbers."""
    return set((np.flatnonzero((lines[1:] != lines[:-1]).any(axis=1)) + 1).tolist())


def test_cells_are_blocks_that_begin_anywhere() -> None:
    kept = draw_cells((200, 97, 259), 0.5, np.random.default_rng(2))
    first_rows, first_columns = set(), set()
    steps = []
    for image in kept:
        rows, columns = borders(image), borders(image.T)
        assert len({row % CELL for row in rows}) == 1  # all 32 apart
        assert len({column % CELL for column in columns}) == 1
        steps += np.diff(sorted(rows)).tolist()
        first_rows |= {row % CELL for row in rows}
        first_columns |= {column % CELL for column in columns}
    # two rows of 9 cells are equal, and have no border between them, once in 2^9
    assert np.mean(np.array(steps) == CELL) > 0.98
    # 200 draws of 32 offsets miss one with probability 32 · (31/32)^200 = 0.06
    assert first_rows == first_columns == set(range(CELL))


def test_images_of_a_batch_are_drawn_apart() -> None:
    one, other = draw_cells((2, 128, 192), 0.5, np.random.default_rng(3))
    assert np.any(one != other)


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (33, 2), (32, 32), (65, 31)])
def test_every_size(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    draws = [draw_cells((3, *size), 0.5, rng) for _ in range(60)]
    assert draws[0].shape == (3, *size)
    assert 0.35 < np.mean(draws) < 0.65


# ----------------------------------------------------------------------- the batches


def test_ignored_cells_and_nothing_else_become_255() -> None:
    given = [batch(k) for k in range(3)]
    before = [b.target.copy() for b in given]
    for number, (got, was) in enumerate(zip(sampled(given, 0.5, 7, 2), given)):
        kept = draw_cells(
            was.target.shape, 0.5, np.random.default_rng((7, 2, number, 2))
        )
        np.testing.assert_array_equal(got.target[kept], was.target[kept])
        assert (got.target[~kept] == 255).all()
        assert got.target.dtype == np.uint8
        assert got.x is was.x
        assert (got.ids, got.sizes) == (was.ids, was.sizes)
        np.testing.assert_array_equal(was.target, before[number])  # left alone


def test_drawn_by_seed_epoch_and_number_alone() -> None:
    given = [batch(0)] * 4

    def targets(seed: int, epoch: int, start: int = 0) -> list[bytes]:
        drawn = sampled(given[start:], 0.5, seed, epoch, start)
        return [b.target.tobytes() for b in drawn]

    assert targets(1, 0) == targets(1, 0)
    assert targets(1, 0)[2:] == targets(1, 0, start=2)
    assert len({*targets(1, 0), *targets(2, 0), *targets(1, 1)}) == 12


def test_ignored_cells_have_no_gradient(rng: np.random.Generator) -> None:
    (got,) = sampled([batch(5)], 0.5, 0, 0)
    scores = Tensor(rng.normal(size=(2, 6, 70, 101)), requires_grad=True)
    ops.cross_entropy(scores, got.target).backward()
    moved = np.abs(scores.grad).sum(axis=1) > 0
    np.testing.assert_array_equal(moved, got.target != 255)
    assert 0.1 < moved.mean() < 0.9


def test_another_ignore_index() -> None:
    (got,) = sampled([batch(5)], 0.5, 0, 0, ignore_index=9)
    assert (got.target == 9).mean() > 0.1


# --------------------------------------------------------------------------- the run


def losses(trainer: Trainer) -> list[float]:
    return [row["loss"] for row in trainer.journal.read() if "loss" in row]


def test_all_cells_are_the_run_without_sampling(
    data: Path, tmp_path: Path, trained: Trainer
) -> None:
    whole = run(data, tmp_path / "run", sample=1.0)
    assert same_arrays(whole.model.state_dict(), trained.model.state_dict())
    assert losses(whole) == losses(trained)


@pytest.mark.parametrize("workers", [0, 2])
def test_trainer_learns_from_the_drawn_cells(
    data: Path, tmp_path: Path, workers: int
) -> None:
    recipe = tiny(data, sample=0.5, iter_size=2, workers=workers, seed=5)
    trainer = start(recipe, tmp_path / "run", talk=False)
    seen: list[tuple[int, Batch]] = []
    take = trainer.step

    def step(group: list[Batch]) -> None:
        seen.extend((trainer.at.epoch, b) for b in group)
        take(group)

    trainer.step = step  # type: ignore[method-assign]
    trainer.train()
    assert len(seen) == 8  # two epochs of four batches
    for number, (epoch, got) in enumerate(seen):
        (whole,) = [
            b for k, b in enumerate(trainer.loader.epoch(epoch)) if k == number % 4
        ]
        kept = draw_cells(
            whole.target.shape, 0.5, np.random.default_rng((5, epoch, number % 4, 2))
        )
        assert got.ids == whole.ids
        np.testing.assert_array_equal(got.target, np.where(kept, whole.target, 255))


def test_another_share_is_another_run(data: Path, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [{"sample": 0.5}, {"sample": 0.25}, {}]
    runs = [
        losses(run(data, tmp_path / f"{k}", iterations=3, val_split="none", **more))
        for k, more in enumerate(changes)
    ]
    assert runs[0] != runs[1] != runs[2] != runs[0]
