"""A contender that runs operators, one case after the other.

{"do": "load", "case": …}                   → {"has": whether there is such an operator}
{"do": "save", "direction": …, "path": …}   → runs once, writes the results; {"bytes"}
{"do": "compare", "direction", "path"}      → runs once; {"difference": to those}
{"do": "time", "direction": …}              → {"seconds": [each run's]}
{"do": "ceilings"}                          → a copy's and a product's rates
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.bench import ceilings, worker
from minifcn.bench.cases import Case
from minifcn.bench.runner import OfMinifcn, Runner


def build(settings: worker.Settings) -> worker.Handler:
    """Return what answers requests."""
    runner = _runner(settings)

    def handle(message: dict[str, Any]) -> dict[str, Any]:
        return REQUESTS[message.pop("do")](runner, **message)

    return handle


def _runner(settings: worker.Settings) -> Runner:
    if worker.library_of(settings) == "minifcn":
        return OfMinifcn(settings)
    from minifcn.bench.peers import OfTorch  # which imports torch

    return OfTorch(settings)


def _load(runner: Runner, case: dict[str, Any]) -> dict[str, Any]:
    return {"has": runner.load(Case(**case))}


def _save(runner: Runner, direction: str, path: str) -> dict[str, Any]:
    for i, result in enumerate(runner.results(direction)):
        np.save(Path(path) / f"{i}.npy", result)
    return {"bytes": runner.case.n_bytes(direction, runner.given)}


def _compare(runner: Runner, direction: str, path: str) -> dict[str, Any]:
    """Return the largest relative difference; of gradients the largest of all."""
    differences = [
        difference(result, np.load(Path(path) / f"{i}.npy", mmap_mode="r"))
        for i, result in enumerate(runner.results(direction))
    ]
    return {"difference": max(differences)}


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return max |a − b| / max |b|, of arrays of one shape.

    Raises:
        ValueError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"results have the shapes {a.shape} and {b.shape}")
    if a.dtype.kind != "f":  # bytes would wrap around
        a, b = a.astype(np.float64), b.astype(np.float64)
    most = abs(b).max()
    return float(abs(a - b).max() / (most or 1))


def _time(runner: Runner, direction: str) -> dict[str, Any]:
    return {"seconds": runner.times(direction)}


def _ceilings(runner: Runner) -> dict[str, Any]:
    return ceilings.measure(runner.settings["device"])


REQUESTS: dict[str, Callable[..., dict[str, Any]]] = {
    "load": _load,
    "save": _save,
    "compare": _compare,
    "time": _time,
    "ceilings": _ceilings,
}

if __name__ == "__main__":
    worker.serve(build)
