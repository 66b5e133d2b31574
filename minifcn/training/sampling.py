"""Patch sampling: the loss counts a random part of each image.

Each cell of the coarsest score map is the net's answer to one patch, its receptive
field, so that the loss of a whole image is that of a batch of patches. Ignoring each
cell with probability 1 − p draws from them. With 1/p times as many images a step, as
many patches count as before, of more images. The loss "mean" is over the pixels that
count; a "sum" over an image becomes p times as large.
Source: Long et al. 2015, sections 3.4 and 4.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from minifcn.data import Batch

CELL = 32  # pixels: the stride of the coarsest scores

# Loader draws from (seed, epoch, i) and (seed, epoch, 0, 1).
_STREAM = 2


def sampled(
    batches: Iterable[Batch],
    share: float,
    seed: int,
    epoch: int,
    start: int = 0,
    ignore_index: int = 255,
) -> Iterator[Batch]:
    """Yield the batches with about ``share`` of their cells left in the target.

    What is drawn for batch ``b`` of epoch ``e`` comes from ``(seed, e, b, 2)`` alone:
    an epoch that is entered again in the middle gives the same bits.

    Args:
        batches: those of an epoch, from batch ``start`` on.
        share: the probability p that a cell counts; at 1 nothing is drawn.
        seed: of the run.
        epoch: which epoch, from 0.
        start: the number of the first batch.
        ignore_index: what the pixels of ignored cells become.
    """
    for number, batch in enumerate(batches, start):
        if share < 1:
            rng = np.random.default_rng((seed, epoch, number, _STREAM))
            counts = draw_cells(batch.target.shape, share, rng)
            target = np.where(counts, batch.target, np.uint8(ignore_index))
            batch = batch._replace(target=target)
        yield batch


def draw_cells(
    shape: tuple[int, ...], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which pixels count: those of cells drawn with probability ``share``.

    A cell of the score map is taken for a block of 32 × 32 pixels: pixel (y, x) is in
    cell (⌊(y + dy) / 32⌋, ⌊(x + dx) / 32⌋). An enlarged score mixes up to four cells',
    so that no border between blocks is the right one: dy and dx in 0 .. 31 are drawn
    for each image, and every border occurs.

    Args:
        shape: (N, H, W).
        share: the probability that a cell counts.
        rng: everything random comes from it.

    Returns:
        (N, H, W) bool.
    """
    N, H, W = shape
    rows, columns = ((n + CELL - 2) // CELL + 1 for n in (H, W))  # at the widest offset
    cells = rng.random((N, rows, columns)) < share
    dy, dx = rng.integers(CELL, size=(2, N, 1))
    y = (np.arange(H) + dy) // CELL  # (N, H): the row of cells of each row of pixels
    x = (np.arange(W) + dx) // CELL  # (N, W)
    return cells[np.arange(N)[:, None, None], y[:, :, None], x[:, None, :]]
