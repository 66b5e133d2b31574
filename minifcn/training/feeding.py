"""Batches on their way to the device, each while the one before it is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.arrays import cupy, to_device
from minifcn.data import Batch


def moved(batches: Iterable[Batch], device: str) -> Iterator[Batch]:
    """Yield the batches, `x` and `target` on a device, one of `arrays.DEVICES`.

    On "cuda" the next one is copied while a batch is worked on; elsewhere there is
    nobody to copy it meanwhile.
    """
    if device == "cuda":
        return _ahead(batches, Copier())
    return (
        batch._replace(
            x=to_device(batch.x, device), target=to_device(batch.target, device)
        )
        for batch in batches
    )


@dataclass
class Moving:
    """A batch on its way.

    Attributes:
        batch: its arrays on the GPU, not yet filled.
        pinned: what they are filled from, which must stay until `done`.
        done: the event behind the last copy.
    """

    batch: Batch
    pinned: list[np.ndarray]
    done: Any


class Copier:
    """Copies batches to the GPU on a stream of its own.

    A copy runs beside other work only if it comes from memory that the system leaves
    where it is: pinned memory. Source: CUDA C++ Programming Guide, "Asynchronous
    concurrent execution".
    """

    def __init__(self) -> None:
        self.cuda: Any = cupy().cuda
        self.stream = self.cuda.Stream(non_blocking=True)

    def start(self, batch: Batch) -> Moving:
        """Begin to copy a batch; nothing is waited for."""
        arrays = (batch.x, batch.target)
        pinned = [self._pinned(array) for array in arrays]
        copies = [cupy().empty(array.shape, array.dtype) for array in arrays]
        # Memory that was free on the CPU's side may still be read by steps under way.
        self.stream.wait_event(self.cuda.get_current_stream().record())
        for copy, source in zip(copies, pinned, strict=True):
            copy.set(source, stream=self.stream)
        x, target = copies
        moving = batch._replace(x=x, target=target)
        return Moving(moving, pinned, self.stream.record())

    def arrive(self, moving: Moving) -> Batch:
        """Return the batch; what is done with it from now on waits for its copies."""
        self.cuda.get_current_stream().wait_event(moving.done)
        return moving.batch

    def _pinned(self, array: np.ndarray) -> np.ndarray:
        memory = self.cuda.alloc_pinned_memory(array.nbytes)
        copy = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
        copy[...] = array
        return copy


def _ahead(batches: Iterable[Batch], copier: Copier) -> Iterator[Batch]:
    coming = map(copier.start, batches)
    before: Moving | None = None
    try:
        while True:
            moving, failure = _next(coming)
            if before is not None:
                yield copier.arrive(before)
                before.done.synchronize()  # its pinned memory is about to be used again
            if failure is not None:
                raise failure
            if moving is None:
                return
            before = moving
    finally:
        # Whoever leaves early gives memory back that a copy may still read and write.
        copier.stream.synchronize()


def _next(coming: Iterator[Moving]) -> tuple[Moving | None, Exception | None]:
    """Begin to copy the next batch, if there is one.

    An error waits until the batch before it is worked on, as without a GPU.
    """
    try:
        return next(coming, None), None
    except Exception as error:
        return None, error
