"""What dense answers cost: multiply-adds counted, seconds and memory measured."""

from __future__ import annotations

import copy
import gc
import tracemalloc
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from statistics import median
from typing import Any, NamedTuple

from minifcn import Tensor, models, nn, no_grad
from minifcn.bench import devices, worker
from minifcn.geometry import chain_output_size
from minifcn.models import FCN

ROUNDS = 5  # of timing, all ways in turn in each
PATIENCE = 1.5  # seconds after which a way takes part in no further round

Size = tuple[int, int]


class Timing(NamedTuple):
    """The median of how long an image took, of how many runs, and the last answer."""

    seconds: float
    runs: int
    answer: Tensor


def of_trunk(net: FCN, size: Size) -> int:
    """Count the multiply-adds of a net's layers up to its coarse scores."""
    return models.multiply_adds(net.coarse(), size)


def cells(net: FCN, size: Size) -> int:
    """Count the pixels that have a coarse score."""
    layers = [layer.geometry for layer in net.table]  # score_fr keeps the size
    return prod(chain_output_size(n, layers) for n in size)


def of_fixed(net: FCN, size: Size) -> int:
    """Count those of a net whose fixed enlargements treat each channel by itself.

    `models.multiply_adds` has them lead from each of C channels to each, as the weights
    are laid out; but all but C of the C² kernels are zeros.
    """
    one = copy.copy(net)
    for name, factor, _ in net.streams:
        setattr(one, name, nn.Upsample(1, factor))
    all_kernels, one_kernel = (models.multiply_adds(n, size) for n in (net, one))
    # The two differ by C² − 1 kernels, and C − 1 are to be added to the one.
    channels = len(net.score_fr.weight)
    return one_kernel + (all_kernels - one_kernel) // (channels + 1)


def race(ways: Mapping[str, nn.Module], x: Tensor, device: str) -> dict[str, Timing]:
    """Time nets on one image, in turn, so that a slow minute slows all of them.

    Args:
        ways: the nets, on the device, in evaluation mode; each has run before.
        x: (1, 3, H, W), on the device.
        device: one of `arrays.DEVICES`.
    """
    wait, _ = devices.clockwork("minifcn", device)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, Tensor] = {}
    with no_grad():
        for _ in range(ROUNDS):
            for name, net in ways.items():
                if sum(taken[name]) < PATIENCE:
                    seconds, answers[name] = worker.timed(partial(net, x), wait)
                    taken[name].append(seconds)
    return {n: Timing(median(t), len(t), answers[n]) for n, t in taken.items()}


def peak_bytes(work: Callable[[], Any]) -> int:
    """Return the most memory that arrays made by `work` take at the same time.

    NumPy reports its arrays to `tracemalloc`. What was there before does not count:
    parameters, the image, and the few megabytes that threads keep to work in.
    """
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
