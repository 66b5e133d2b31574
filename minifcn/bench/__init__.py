"""How fast the full network is, measured fairly beside PyTorch.

Each contender runs in a process of its own. They take turns, so that a machine which
speeds up or slows down does so for all; what counts is the median of the repeats, and
the ratio of medians. The peer is the better of PyTorch's two memory layouts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
from typing import Any

from minifcn.arrays import check_device
from minifcn.data import read_image

WORK = ("forward", "step")
PEERS = ("torch", "torch channels_last")


class Contender:
    """A worker process and what it measured."""

    def __init__(self, name: str, settings: dict[str, Any]):
        self.name = name
        self.seconds: dict[str, list[float]] = {work: [] for work in WORK}
        self.peak_bytes: dict[str, int] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minifcn.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processor = self._ask({**settings, "contender": name})["processor"]

    def run(self, work: str, counts: bool = True) -> Any:
        """Run a piece of work once; keep its time if it counts."""
        answer = self._ask({"do": work})
        if counts:
            self.seconds[work].append(answer["seconds"])
        self.peak_bytes[work] = answer["peak_bytes"]
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        self.process.communicate()

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise ValueError(
                f"the benchmark of {self.name} ended; see its message above"
            )
        return json.loads(line)


def measure(
    against: str | None,
    size: tuple[int, int] = (375, 500),
    repeats: int = 3,
    width: float = 1.0,
    seed: int = 0,
    image: str | None = None,
    device: str = "cpu",
    tf32: bool = False,
    batch: int = 1,
) -> dict[str, Any]:
    """Time FCN-8s (21 classes, Caffe's geometry) forward and in training.

    Args:
        against: "torch", or None for minifcn alone.
        size: (height, width) of the image, pixels.
        repeats: counted runs of each, after one that is not.
        width: a factor for the channels of VGG-16.
        seed: of weights, labels, and of the image where none is given.
        image: a photograph to use, at its own size.
        device: one of `arrays.DEVICES`. PyTorch runs on "cuda" there, else on the CPU.
        tf32: whether both may use TF32 on "cuda".
        batch: how many images at once.

    Returns:
        {"machine": …, "processor": …, "size": …, "minifcn": {work: {"seconds",
        "peak_bytes"}}, "torch": …, "ratio": {work: {"time", "memory"}}}.

    Raises:
        ValueError: PyTorch is asked for and not installed; a device that cannot be had;
            a size or count below 1.
    """
    if against and importlib.util.find_spec("torch") is None:
        raise ValueError("--against torch needs PyTorch: pip install torch")
    check_device(device)
    if image:
        size = read_image(image).shape[:2]
    if min(repeats, batch, *size) < 1 or width <= 0:
        raise ValueError(
            f"size is {size}, batch {batch}, repeats {repeats} and width {width}; all "
            "must be positive"
        )
    net = {"name": "fcn8s", "n_classes": 21, "width": width}
    settings = {
        "net": net,
        "size": list(size),
        "batch": batch,
        "seed": seed,
        "image": image,
        "device": device,
        "tf32": tf32,
    }
    names = ["minifcn", *(PEERS if against else ())]
    contenders: list[Contender] = []
    try:
        for name in names:
            contenders.append(Contender(name, settings))
        agreement = _take_turns(contenders, repeats)
    finally:
        for contender in contenders:
            contender.close()
    return _figures(contenders, {**settings, "repeats": repeats}, agreement)


def _take_turns(contenders: list[Contender], repeats: int) -> float:
    """Fill in all times; return how far the contenders' forward results differ."""
    sums = [contender.run("forward", counts=False) for contender in contenders]
    for work in WORK:
        for repeat in range(repeats + 1):
            for contender in contenders:
                contender.run(work, counts=repeat > 0)
    return max(abs(total - sums[0]) / max(abs(sums[0]), 1e-30) for total in sums)


def _figures(
    contenders: list[Contender], settings: dict[str, Any], agreement: float
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "machine": machine(),
        "processor": contenders[0].processor,
        **settings,
        "difference": agreement,
    }
    for contender in contenders:
        figures[contender.name] = {
            work: {
                "seconds": statistics.median(contender.seconds[work]),
                "all_seconds": contender.seconds[work],
                "peak_bytes": contender.peak_bytes[work],
            }
            for work in WORK
        }
    peers = [figures[name] for name in PEERS if name in figures]
    if peers:
        figures["ratio"] = {
            work: _ratio(figures["minifcn"], peers, work) for work in WORK
        }
    return figures


def _ratio(ours: Any, peers: list[Any], work: str) -> dict[str, float]:
    """Return our time and memory over those of the better peer in each."""
    return {
        "time": ours[work]["seconds"] / min(peer[work]["seconds"] for peer in peers),
        "memory": ours[work]["peak_bytes"]
        / min(peer[work]["peak_bytes"] for peer in peers),
    }


def machine() -> str:
    """Describe processor, cores, Python and NumPy in one line."""
    import numpy as np

    from minifcn.arrays import usable_processors

    return (
        f"{_processor()}, {usable_processors()} of {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [
                line.split(":", 1)[1] for line in file if line.startswith("model name")
            ]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def render(figures: dict[str, Any]) -> str:
    """Lay the figures out for a person."""
    H, W = figures["size"]
    images = "one image" if figures["batch"] == 1 else f"{figures['batch']} images"
    lines = [
        figures["machine"],
        *where(figures),
        f"FCN-8s, width {figures['net']['width']}, {images} of {H}×{W}, float32; "
        f"median of {figures['repeats']}",
        f"{'':<22}{'forward':>10}{'memory':>10}{'step':>10}{'memory':>10}",
    ]
    for name in ("minifcn", *PEERS):
        if name in figures:
            cells = [
                f"{_seconds(figures[name][work]['seconds']):>10}"
                f"{figures[name][work]['peak_bytes'] / 1e9:>7.2f} GB"
                for work in WORK
            ]
            lines.append(f"{name:<22}" + "".join(cells))
    if "ratio" in figures:
        cells = [
            f"{r['time']:>9.2f}×{r['memory']:>9.2f}×" for r in figures["ratio"].values()
        ]
        lines.append(f"{'minifcn / best torch':<22}" + "".join(cells))
        lines.append(f"results differ by {figures['difference']:.1e} (relative)")
    return "\n".join(lines)


def where(figures: dict[str, Any]) -> list[str]:
    """Say on which device, in a line; nothing for the CPU."""
    if figures["device"] == "cpu":
        return []
    tf32 = f", TF32 {'on' if figures['tf32'] else 'off'}"
    tf32 = tf32 if figures["device"] == "cuda" else ""
    return [f"device {figures['device']}: {figures['processor']}{tf32}"]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.995 else f"{1000 * value:.1f} ms"
