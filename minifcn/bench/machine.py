"""The machine that was measured, and the libraries: what every table must say."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from minifcn import arrays


def describe() -> dict[str, Any]:
    """Return {"processor", "usable_cores", "cores", "python"}."""
    return {
        "processor": _processor(),
        "usable_cores": arrays.usable_processors(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def library(name: str, device: str) -> dict[str, Any]:
    """Describe what computes for a contender, from within its process.

    Args:
        name: "minifcn", or "torch".
        device: one of `arrays.DEVICES`.

    Returns:
        {"numpy", "threads", "blas", "blas_version", "blas_kernels", "blas_threads"},
        and on a GPU "cupy"; or {"torch", "threads"}, and on a GPU "cudnn".
    """
    if name == "torch":
        return _torch(device)
    found = {"numpy": np.__version__, "threads": arrays.threads(), **_blas()}
    return found | ({"cupy": arrays.cupy().__version__} if device == "cuda" else {})


def _torch(device: str) -> dict[str, Any]:
    import torch

    found = {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
    cudnn = {"cudnn": torch.backends.cudnn.version()} if device == "cuda" else {}
    return found | cudnn


def _blas() -> dict[str, Any]:
    """Describe the library of NumPy's matrix products; nothing if it is not known."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    own = [pool for pool in pools if "numpy" in pool["filepath"]]  # SciPy has another
    for pool in own or pools:
        return {
            "blas": pool["internal_api"],
            "blas_version": pool["version"],
            "blas_kernels": pool.get("architecture"),
            "blas_threads": pool["num_threads"],
        }
    return {}


def lines(figures: dict[str, Any]) -> list[str]:
    """Lay out the machine, the device and the libraries of any benchmark's figures."""
    at = figures["machine"]
    cores = f"{at['usable_cores']} of {at['cores']} cores"
    return [
        f"{at['processor']}, {cores}, Python {at['python']}",
        *_device(figures),
        *(f"{name}: {_named(about)}" for name, about in at["libraries"].items()),
    ]


def short(figures: dict[str, Any]) -> str:
    """Name processor and size of the problem, for a picture's title."""
    H, W = figures["size"]
    at, on_cpu = figures["machine"], figures["device"] != "cuda"
    what = f"{at['processor']}, {at['usable_cores']} cores"
    size = f"{figures['batch']} × {H}×{W}"
    return f"{what if on_cpu else figures['device_name']}; {size}"


def _device(figures: dict[str, Any]) -> list[str]:
    """Say on which device, in a line; nothing for the CPU."""
    if figures["device"] == "cpu":
        return []
    tf32 = f", TF32 {'on' if figures['tf32'] else 'off'}"
    tf32 = tf32 if figures["device"] == "cuda" else ""
    return [f"device {figures['device']}: {figures['device_name']}{tf32}"]


def _named(about: dict[str, Any]) -> str:
    threads = f"threads: {about['threads']}"
    if "torch" in about:
        cudnn = [f"cuDNN {about['cudnn']}"] if "cudnn" in about else []
        return ", ".join([f"PyTorch {about['torch']}", *cudnn, threads])
    parts = [f"NumPy {about['numpy']}", threads]
    if "blas" in about:
        kernels = about["blas_kernels"] or "unnamed"
        parts.append(
            f"{about['blas']} {about['blas_version']} ({kernels} kernels, threads: "
            f"{about['blas_threads']})"
        )
    return ", ".join(parts + ([f"CuPy {about['cupy']}"] if "cupy" in about else []))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [
                line.split(":", 1)[1] for line in file if line.startswith("model name")
            ]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
