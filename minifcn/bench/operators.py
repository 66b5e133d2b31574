"""How fast each operator is on a device, beside what the device can do at all.

Two ceilings are measured first: how fast a large array is copied, and how fast two
large matrices are multiplied. Of each operator bytes count as the least it must move
(inputs, output and gradients once), and of operations only those of convolutions as
products. A time includes the call from Python; small arrays may come from a cache, and
so faster than the copy. nll_loss is charged for all scores, though it reads one of each
pixel.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from minifcn import Tensor, ops
from minifcn.arrays import (
    Array,
    array_module,
    check_device,
    elementwise,
    set_tf32,
    to_device,
)

from . import devices, machine, where

Shape = tuple[int, ...]
N_CLASSES = 21
COPIED = {"cuda": 1 << 26}  # float32 numbers; 256 MiB
SIDE = {"cuda": 8192}  # of the matrices


@dataclass(frozen=True)
class Case:
    """An operator at one shape.

    Attributes:
        operator: its name in `minifcn.ops`.
        at: where in the network such shapes are.
        shapes: of the tensors it takes, all of which want gradients.
        call: the operator, of those tensors and then of `fixed`.
        fixed: arrays of whole numbers that it takes besides.
        flops: of forward; backward of a convolution is two such products.
    """

    operator: str
    at: str
    shapes: tuple[Shape, ...]
    call: Callable[..., Tensor]
    fixed: tuple[np.ndarray, ...] = ()
    flops: int = 0


def measure(
    device: str = "cpu",
    size: tuple[int, int] = (375, 500),
    batch: int = 1,
    width: float = 1.0,
    repeats: int = 3,
    seed: int = 0,
    tf32: bool = False,
) -> dict[str, Any]:
    """Time every operator, forward and backward, at a few shapes of VGG-16.

    Args:
        device: one of `arrays.DEVICES`.
        size: (height, width) of the image, pixels.
        batch: images at once.
        width: a factor for VGG's channels.
        repeats: counted runs of each, after one that is not.
        seed: of all numbers.
        tf32: whether products may use TF32 on "cuda".

    Returns:
        {"machine": …, "ceilings": {"bytes_per_second", "flops_per_second"},
        "operators": [{"operator", "at", "forward": {"seconds", "bytes", "flops",
        "bytes_per_second", "flops_per_second"}, "backward": …}, …]}.

    Raises:
        ValueError: a device that cannot be had; a size or count below 1.
    """
    if min(repeats, batch, *size) < 1 or width <= 0:
        raise ValueError(
            f"size is {size}, batch {batch}, repeats {repeats} and width {width}; all "
            "must be positive"
        )
    if device == "cuda":
        set_tf32(tf32)
    check_device(device)
    rng = np.random.default_rng(seed)
    return {
        "machine": machine(),
        "processor": devices.name("minifcn", device),
        "device": device,
        "tf32": tf32,
        "size": list(size),
        "batch": batch,
        "width": width,
        "repeats": repeats,
        "ceilings": ceilings(device, repeats),
        "operators": [
            _measured(case, device, repeats, rng)
            for case in cases(size, batch, width, rng)
        ],
    }


def ceilings(device: str, repeats: int) -> dict[str, float]:
    """Measure a large copy and a large matrix product."""
    x = to_device(np.ones(COPIED.get(device, 1 << 24), np.float32), device)
    y = array_module(x).empty_like(x)
    copy = _seconds(lambda: elementwise(_copy, y, x), device, repeats)
    side = SIDE.get(device, 1024)
    random = np.random.default_rng(0).random((side, side), np.float32)
    a = to_device(random, device)
    product = _seconds(lambda: a @ a, device, repeats)
    return {
        "bytes_per_second": 2 * x.nbytes / copy,
        "flops_per_second": 2 * side**3 / product,
    }


def _copy(y: Array, x: Array) -> None:
    y[...] = x


def _seconds(work: Callable[[], Any], device: str, repeats: int) -> float:
    """Return the least time of some runs: a ceiling is what can be done."""
    wait, _ = devices.clockwork("minifcn", device)
    times = []
    for _ in range(repeats + 1):
        wait()
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _measured(
    case: Case, device: str, repeats: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Time a case; the medians, and what they amount to."""

    def there(shape: Shape) -> Array:
        return to_device(rng.normal(size=shape).astype(np.float32), device)

    wait, _ = devices.clockwork("minifcn", device)
    tensors = [Tensor(there(shape), requires_grad=True) for shape in case.shapes]
    fixed = [to_device(array, device) for array in case.fixed]
    gy, times = None, []
    for _ in range(repeats + 1):
        wait()
        start = time.perf_counter()
        y = case.call(*tensors, *fixed)
        wait()
        middle = time.perf_counter()
        gy = there(y.shape) if gy is None else gy
        wait()
        again = time.perf_counter()
        y.backward(gy)
        wait()
        times.append((middle - start, time.perf_counter() - again))
        for tensor in tensors:
            tensor.grad = None
    forward, backward = (statistics.median(t) for t in zip(*times[1:], strict=True))
    taken = sum(t.data.nbytes for t in tensors)
    given, known = y.data.nbytes, sum(array.nbytes for array in fixed)
    return {
        "operator": case.operator,
        "at": case.at,
        "shapes": [list(shape) for shape in case.shapes],
        "forward": _rates(forward, taken + known + given, case.flops),
        "backward": _rates(backward, 2 * taken + known + given, 2 * case.flops),
    }


def _rates(seconds: float, n_bytes: int, flops: int) -> dict[str, float]:
    return {
        "seconds": seconds,
        "bytes": n_bytes,
        "flops": flops,
        "bytes_per_second": n_bytes / seconds,
        "flops_per_second": flops / seconds,
    }


def cases(
    size: tuple[int, int], batch: int, width: float, rng: np.random.Generator
) -> list[Case]:
    """Return every operator of `minifcn.ops`, at shapes of FCN-8s for such images.

    Maps are as large as the image (no border of 100 pixels), rounded up to fours.
    """
    H, W = (4 * -(-side // 4) for side in size)

    def grid(factor: int) -> Shape:
        return -(-H // factor), -(-W // factor)

    def channels(count: int) -> int:
        return max(1, round(width * count))

    conv1 = (batch, channels(64), H, W)
    score = (batch, N_CLASSES, H, W)
    coarse = (batch, N_CLASSES, *grid(8))
    return [
        *_convolutions(batch, channels, grid),
        *_on_maps("conv1_2", conv1, rng),
        *_on_scores("score", score, rng),
        Case("upsample", "1/8 score", (coarse,), lambda x: ops.upsample(x, 8)),
        Case(
            "rarefy",
            "conv5_1.weight",
            ((channels(512), channels(512), 3, 3),),
            lambda w: ops.rarefy(w, 2),
        ),
    ]


def _convolutions(
    batch: int, channels: Callable[[int], int], grid: Callable[[int], Shape]
) -> list[Case]:
    def conv(at: str, C: int, O: int, factor: int, side: int) -> Case:
        shapes = (batch, channels(C), *grid(factor)), (channels(O), channels(C))
        x, w = shapes[0], (*shapes[1], side, side)
        flops = 2 * batch * prod(grid(factor)) * prod(w)
        half = side // 2
        return Case(
            "conv2d",
            at,
            (x, w, w[:1]),
            lambda x, w, b: ops.conv2d(x, w, b, padding=half),
            flops=flops,
        )

    x = (batch, N_CLASSES, *grid(8))
    w = (N_CLASSES, N_CLASSES, 16, 16)
    return [
        conv("conv1_2", 64, 64, 1, 3),
        conv("conv3_2", 256, 256, 4, 3),
        conv("conv5_2", 512, 512, 16, 3),
        conv("fc6", 512, 4096, 32, 7),
        Case(
            "conv_transpose2d",
            "upscore8",
            (x, w),
            lambda x, w: ops.conv_transpose2d(x, w, stride=8),
            flops=2 * batch * prod(grid(8)) * prod(w),
        ),
    ]


def _on_maps(at: str, x: Shape, rng: np.random.Generator) -> list[Case]:
    N, C, H, W = x
    half = (N, C, H // 2, W // 2)
    # A random pixel of each 2 × 2 window, as its maximum would be.
    r, q = 2 * np.arange(H // 2)[:, None], 2 * np.arange(W // 2)
    indices = (r + rng.integers(0, 2, half)) * W + q + rng.integers(0, 2, half)
    calls: dict[str, Callable[..., Tensor]] = {
        "relu": ops.relu,
        "dropout": ops.dropout,
        "max_pool2d": lambda x: ops.max_pool2d(x, 2),
        "avg_pool2d": lambda x: ops.avg_pool2d(x, 2),
        "local_response_norm": lambda x: ops.local_response_norm(x, 5),
        "im2col": lambda x: ops.im2col(x, 3, padding=1),
        "scale": lambda x: ops.scale(x, 0.01),
        "pad": lambda x: ops.pad(x, 1),
    }
    return [
        *(Case(name, at, (x,), call) for name, call in calls.items()),
        Case(
            "max_unpool2d",
            at,
            (half,),
            lambda x, indices: ops.max_unpool2d(x, indices, 2),
            (indices,),
        ),
        Case(
            "col2im",
            at,
            ((N, 9 * C, H * W),),
            lambda cols: ops.col2im(cols, (H, W), 3, padding=1),
        ),
        Case("concat", at, (x, x), lambda x, y: ops.concat([x, y])),
    ]


def _on_scores(at: str, x: Shape, rng: np.random.Generator) -> list[Case]:
    N, C, H, W = x
    labels = (rng.integers(0, C, (N, H, W)),)
    shifted = (N, 16 * C, H // 4, W // 4)
    wide = (N, C, H + 62, W + 62)  # upscore8 reaches over by 31 on each side
    return [
        Case("softmax", at, (x,), lambda x: ops.softmax(x, 1)),
        Case("log_softmax", at, (x,), lambda x: ops.log_softmax(x, 1)),
        Case("nll_loss", at, (x,), ops.nll_loss, labels),
        Case("cross_entropy", at, (x,), ops.cross_entropy, labels),
        Case("crop", at, (wide,), lambda x: ops.crop(x, 31, (H, W))),
        Case("add", at, (x, x), ops.add),
        Case("maximum", at, (x, x), ops.maximum),
        Case("deinterleave", at, (x,), lambda x: ops.deinterleave(x, 4)),
        Case("interleave", at, (shifted,), lambda x: ops.interleave(x, 4)),
    ]


def render(figures: dict[str, Any]) -> str:
    """Lay the figures out for a person: times, and shares of the two ceilings."""
    (H, W), most = figures["size"], figures["ceilings"]
    lines = [
        figures["machine"],
        *where(figures),
        f"ceilings: copy {most['bytes_per_second'] / 1e9:.1f} GB/s, product "
        f"{most['flops_per_second'] / 1e9:.1f} GFLOP/s",
        f"shapes of {figures['batch']} × {H}×{W}, width {figures['width']}, float32; "
        f"median of {figures['repeats']}",
        f"{'':<34}" + "".join(f"{side:<42}" for side in ("forward", "backward")),
        f"{'':<34}"
        + f"{'ms':>9}{'GB/s':>8}{'copy':>7}{'GFLOP/s':>10}{'prod.':>7} " * 2,
    ]
    for row in figures["operators"]:
        cells = [_cells(row[side], most) for side in ("forward", "backward")]
        lines.append(f"{row['operator']:<20}{row['at']:<14}" + " ".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def _cells(rates: dict[str, float], most: dict[str, float]) -> str:
    copy = rates["bytes_per_second"] / most["bytes_per_second"]
    text = f"{1e3 * rates['seconds']:>9.3f}{rates['bytes_per_second'] / 1e9:>8.1f}"
    text += f"{copy:>7.0%}"
    if not rates["flops"]:
        return text + f"{'-':>10}{'-':>7}"
    product = rates["flops_per_second"] / most["flops_per_second"]
    return text + f"{rates['flops_per_second'] / 1e9:>10.1f}{product:>7.0%}"
