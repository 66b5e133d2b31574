"""What a device can do at all: copy a large array, multiply two large matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn.arrays import Array, array_module, elementwise, to_device

from . import devices, worker

COPIED = {"cuda": 1 << 26}  # float32 numbers, 256 MiB; elsewhere 64 MiB
SIDE = {"cuda": 8192}  # of the matrices; elsewhere 1024
RUNS = 10


def measure(device: str) -> dict[str, float]:
    """Measure both; the best of some runs, since a ceiling is what can be done.

    Returns:
        {"bytes_per_second": read and written, "flops_per_second"}.
    """
    x = to_device(np.ones(COPIED.get(device, 1 << 24), np.float32), device)
    y = array_module(x).empty_like(x)
    copy = _least(lambda: elementwise(_copy, y, x), device)
    side = SIDE.get(device, 1024)
    random = np.random.default_rng(0).random((side, side), np.float32)
    a = to_device(random, device)
    product = _least(lambda: a @ a, device)
    return {
        "bytes_per_second": 2 * x.nbytes / copy,
        "flops_per_second": 2 * side**3 / product,
    }


def _copy(y: Array, x: Array) -> None:
    y[...] = x


def _least(work: Callable[[], Any], device: str) -> float:
    wait, _ = devices.clockwork("minifcn", device)
    worker.timed(work, wait)  # does not count
    return min(worker.timed(work, wait)[0] for _ in range(RUNS))
