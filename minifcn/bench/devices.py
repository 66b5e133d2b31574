"""What a stopwatch must know of a device: waiting for it, its memory, its name."""

from __future__ import annotations

import platform
import resource
import sys
from collections.abc import Callable
from typing import Any

from minifcn.arrays import cupy

Clockwork = tuple[Callable[[], Any], Callable[[], int]]


def clockwork(library: str, device: str) -> Clockwork:
    """Return a function that waits for the device, and one that tells its peak memory.

    A GPU takes orders and works them off later: without waiting a clock would time the
    giving of orders. Its memory is what the library's pool has taken from the driver
    so far; neither library gives any back unasked. On the CPU, emulated or not, there
    is nothing to wait for, and the memory is that of the process (resident).

    Args:
        library: "minifcn", or "torch".
        device: one of `arrays.DEVICES`.
    """
    if device != "cuda":
        return (lambda: None), resident_bytes
    if library == "torch":
        import torch

        return torch.cuda.synchronize, torch.cuda.max_memory_reserved
    gpu = cupy()
    pool = gpu.get_default_memory_pool()
    return gpu.cuda.get_current_stream().synchronize, pool.total_bytes


def resident_bytes() -> int:
    """Return the most memory this process has held so far (resident)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def of_torch(device: str) -> str:
    """Return where PyTorch runs beside us: on the CPU, unless on the GPU."""
    return "cuda" if device == "cuda" else "cpu"


def name(library: str, device: str) -> str:
    """Name the processor that computes: of a GPU its maker's name for it."""
    if device != "cuda":
        kernels = ", kernels compiled for it" if device == "emulated" else ""
        return f"the CPU ({platform.machine()}){kernels}"
    if library == "torch":
        import torch

        return str(torch.cuda.get_device_name())
    runtime = cupy().cuda.runtime
    return str(runtime.getDeviceProperties(runtime.getDevice())["name"].decode())
