"""Batches, read ahead by threads, in an order that the seed alone decides."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, collate
from .dataset import Dataset
from .files import Pixels

ORDERS = ("shuffle", "sequential", "replacement")

AugmentFunction = Callable[[Pixels, Pixels, np.random.Generator], tuple[Pixels, Pixels]]


class Loader:
    """Reads, augments and batches a data set's samples, ahead of who takes them.

    Sample ``i`` of epoch ``e`` (counted in the epoch's order) is augmented with
    ``numpy.random.default_rng((seed, e, i))`` and the order of the epoch comes from
    ``(seed, e, 0, 1)``, so that an epoch can be entered again at any batch and gives
    the same bits, however many workers there are.

    Args:
        dataset: what to read.
        batch_size: samples per batch; the last batch of an epoch may be smaller.
        seed: of everything random, at least 0.
        augment: called as ``augment(image, label, rng)``.
        order: "shuffle" (each sample once per epoch), "sequential", or "replacement"
            (each sample drawn from all, as the FCN paper's code does).
        workers: threads that read (Pillow decodes outside Python's lock); 0 reads
            when a batch is taken.
        prefetch: batches that are read ahead at most.
        cache_bytes: keep samples as read, before augmentation, up to this many bytes.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        *,
        seed: int = 0,
        augment: AugmentFunction | None = None,
        order: str = "shuffle",
        workers: int = 2,
        prefetch: int = 4,
        cache_bytes: int = 0,
    ) -> None:
        _check_at_least(1, batch_size=batch_size, prefetch=prefetch)
        _check_at_least(0, seed=seed, workers=workers, cache_bytes=cache_bytes)
        if order not in ORDERS:
            raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.augment = augment
        self.order = order
        self.workers = workers
        self.prefetch = prefetch
        self._read = _Cache(dataset, cache_bytes)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.dataset) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from batch ``start`` on.

        Leaving the loop early, by ``break`` or by an exception, ends the threads. What
        a worker raises is raised here, in its batch's place.

        Raises:
            ValueError: ``epoch`` is negative or ``start`` not in 0 .. ``len(self)``.
        """
        _check_at_least(0, epoch=epoch, start=start)
        if start > len(self):
            raise ValueError(f"start is {start}, and an epoch has {len(self)} batches")
        order = self.epoch_order(epoch)
        jobs = iter(range(start, len(self)))
        if self.workers == 0:
            return (self._batch(epoch, order, job) for job in jobs)
        return self._prefetched(epoch, order, jobs)

    def epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """Return the data set's indices in the order of an epoch."""
        n = len(self.dataset)
        # (seed, epoch) alone would seed the same stream as (seed, epoch, 0)
        rng = np.random.default_rng((self.seed, epoch, 0, 1))
        if self.order == "shuffle":
            return rng.permutation(n)
        return np.arange(n) if self.order == "sequential" else rng.integers(n, size=n)

    def _prefetched(
        self, epoch: int, order: NDArray[np.int64], jobs: Iterator[int]
    ) -> Iterator[Batch]:
        pool = ThreadPoolExecutor(self.workers, "minifcn-loader")
        waiting: deque[Future[Batch]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(self._batch, epoch, order, job))
                # Handed out in order, however early a later batch is ready.
                if len(waiting) > self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Runs, too, when the generator is closed because its reader left the loop.
            pool.shutdown(wait=True, cancel_futures=True)

    def _batch(self, epoch: int, order: NDArray[np.int64], job: int) -> Batch:
        first = job * self.batch_size
        indices = order[first : first + self.batch_size].tolist()
        samples = [
            self._sample(index, epoch, position)
            for position, index in enumerate(indices, first)
        ]
        data = self.dataset
        ids = [data.ids[index] for index in indices]
        return collate(samples, data.mean_bgr, data.ignore_index, ids)

    def _sample(self, index: int, epoch: int, position: int) -> tuple[Pixels, Pixels]:
        image, label = self._read(index)
        if self.augment is None:
            return image, label
        rng = np.random.default_rng((self.seed, epoch, position))
        return self.augment(image, label, rng)


class _Cache:
    """Reads samples and keeps those that fit into a budget of bytes."""

    def __init__(self, dataset: Dataset, budget: int) -> None:
        self.dataset = dataset
        self.budget = budget
        self.kept: dict[int, tuple[Pixels, Pixels]] = {}
        self.lock = threading.Lock()

    def __call__(self, index: int) -> tuple[Pixels, Pixels]:
        kept = self.kept.get(index)
        if kept is not None:
            return kept
        sample = self.dataset[index]
        self._keep(index, sample)
        return sample

    def _keep(self, index: int, sample: tuple[Pixels, Pixels]) -> None:
        size = sum(array.nbytes for array in sample)
        with self.lock:
            # Another thread may have been faster.
            if index in self.kept or size > self.budget:
                return
            self.budget -= size
            # An augmentation that wrote into it would spoil the epochs to come.
            for array in sample:
                array.flags.writeable = False
            self.kept[index] = sample


def _check_at_least(low: int, **values: int) -> None:
    for name, value in values.items():
        if value < low:
            raise ValueError(f"{name} must be at least {low}, not {value}")
