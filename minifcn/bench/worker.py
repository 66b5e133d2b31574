"""What the workers share: a contender in a process of its own, so that its memory is.

A worker reads a JSON request a line from standard input, and answers with a JSON line.
The first line brings the settings; the answer to it says what will compute.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from minifcn import arrays, memory

from . import devices, machine

Settings = dict[str, Any]
Handler = Callable[[dict[str, Any]], dict[str, Any]]


def serve(build: Callable[[Settings], Handler]) -> None:
    """Answer until standard input ends, or something cannot be done."""
    settings = json.loads(sys.stdin.readline())
    try:
        _prepare(settings)
        handler = build(settings)
        name, device = library_of(settings), settings["device"]
        _answer(
            {
                "device_name": devices.name(name, device),
                "library": machine.library(name, device),
            }
        )
        for line in sys.stdin:
            _answer(handler(json.loads(line)))
    except ValueError as error:
        _answer({"error": str(error)})


def library_of(settings: Settings) -> str:
    """Return "minifcn" or "torch": the contender without its memory layout."""
    return settings["contender"].split()[0]


def timed(work: Callable[[], Any], wait: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that work took, and its result.

    Args:
        work: what is to be done.
        wait: waits for the device (`devices.clockwork`).
    """
    wait()
    start = time.perf_counter()
    result = work()
    wait()
    return time.perf_counter() - start, result


def _prepare(settings: Settings) -> None:
    """Set threads and TF32, before anything is computed."""
    threads = settings.get("threads", 0)
    if library_of(settings) == "torch":
        _prepare_torch(settings, threads)
        return
    memory.keep()  # as the command line does
    if settings["device"] == "cuda":
        arrays.set_tf32(settings["tf32"])
    if threads:
        arrays.set_threads(threads)
        _limit_blas(threads)


def _limit_blas(threads: int) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads, user_api="blas")


def _prepare_torch(settings: Settings, threads: int) -> None:
    import torch

    if settings["device"] == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"PyTorch {torch.__version__} finds no GPU: install one built for CUDA"
        )
    torch.backends.cuda.matmul.allow_tf32 = settings["tf32"]
    torch.backends.cudnn.allow_tf32 = settings["tf32"]
    torch.backends.cudnn.benchmark = True  # in the run that does not count
    if threads:
        torch.set_num_threads(threads)


def _answer(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)
