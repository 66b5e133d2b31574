"""What the benchmark of operators measures: each at the shapes that FCN-8s gives it.

The shapes are read off the network itself, in Caffe's geometry, where conv1_1 is padded
by 100. Numbers are drawn from a seed, so that every contender computes with the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod, sqrt
from typing import Any

import numpy as np

from minifcn import models, nn, ops
from minifcn.models.dense import axes_of

Shape = tuple[int, ...]
Arrays = list[np.ndarray]
N_CLASSES = 21
CONVOLUTIONS = ("conv2d", "conv2d_relu", "conv_transpose2d")
# Beside the operators: what has no gradient.
KERNELS = ("sgd", "most_likely", "confusion_matrix", "colour")


@dataclass(frozen=True)
class Case:
    """An operator at one shape.

    Attributes:
        operator: its name in `minifcn.ops`, or one of `KERNELS`.
        at: where in the network such shapes are.
        shapes: of the arrays of floats that it takes.
        options: the other arguments, by name.
        wholes: (kind, shape) of arrays of whole numbers that it takes besides; a kind
            is one of `WHOLES`.
        flops: of each direction, where it is a product.
        bilinear: whether the weight, shapes[1], is that of an enlargement.
    """

    operator: str
    at: str
    shapes: tuple[Shape, ...]
    options: dict[str, Any] = field(default_factory=dict)
    wholes: tuple[tuple[str, Shape], ...] = ()
    flops: int = 0
    bilinear: bool = False

    @property
    def directions(self) -> dict[str, list[int]]:
        """What is timed: {direction: which of the floats' gradients are wanted}."""
        everything = list(range(len(self.shapes)))
        if self.operator in KERNELS:
            return {"forward": []}
        if self.operator not in CONVOLUTIONS:
            return {"forward": everything, "backward": everything}
        gradients = {"input gradient": [0], "weight gradient": everything[1:]}
        return {"forward": everything, **gradients}

    def draw(self, seed: int) -> tuple[Arrays, Arrays]:
        """Draw the floats, float32, and the whole numbers."""
        rng = np.random.default_rng(seed)
        floats = [normal(rng, shape) for shape in self.shapes]
        if self.bilinear:
            floats[1] = nn.bilinear(self.shapes[1])
        if self.operator == "conv2d_relu":
            # Far from 0, where rounding would decide what passes, channel by channel.
            spread = np.float32(sqrt(prod(self.shapes[1][1:])))  # of the convolution
            floats[2] = np.sign(floats[2]) * 8 * spread
        return floats, [WHOLES[kind](rng, shape) for kind, shape in self.wholes]

    def n_bytes(self, direction: str, given: int) -> int:
        """Return the least that is moved: each array once, in or out.

        Args:
            direction: one of `directions`.
            given: bytes of the result.
        """
        floats = [4 * prod(shape) for shape in self.shapes]
        taken = sum(floats) + sum(WIDTHS[kind] * prod(s) for kind, s in self.wholes)
        if self.operator == "sgd":  # w and v are read and written, g is read
            return 5 * given
        if direction == "backward":
            return taken + given + sum(floats)
        if direction == "input gradient":  # reads w and gy
            return floats[0] + floats[1] + given
        return taken + given  # of a weight gradient: reads x and gy, writes gw and gb


def normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw float32 numbers from the normal distribution."""
    return rng.standard_normal(shape, np.float32)


def _maxima(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw a random pixel of each 2 × 2 window, as its maximum would be."""
    *_, H, W = shape
    r, q = 2 * np.arange(H)[:, None], 2 * np.arange(W)
    return (r + rng.integers(0, 2, shape)) * 2 * W + q + rng.integers(0, 2, shape)


WHOLES = {
    "labels": lambda rng, shape: rng.integers(0, N_CLASSES, shape),
    "bytes": lambda rng, shape: rng.integers(0, N_CLASSES, shape, np.uint8),
    "maxima": _maxima,
}
WIDTHS = {"labels": 8, "bytes": 1, "maxima": 8}  # bytes a number


def cases(size: tuple[int, int], batch: int = 1, width: float = 1.0) -> list[Case]:
    """Return every operator of `minifcn.ops`, and `KERNELS`, at shapes of FCN-8s.

    Args:
        size: (H, W) of the images.
        batch: how many at once.
        width: a factor for VGG's channels.
    """
    net = models.fcn8s(N_CLASSES, width=width)
    convolutions = list(_convolutions(net, size, batch))
    # {layer: the map it reads}, (N, C, H, W)
    maps = {case.at: case.shapes[0] for case in convolutions}
    weights = {case.at: case.shapes[1] for case in convolutions}
    score = (batch, N_CLASSES, *size)
    fused = next(case for case in convolutions if case.at == "conv1_2")
    return [
        *convolutions,
        replace(fused, operator="conv2d_relu"),
        *_on_maps(maps, weights),
        *_on_scores(score, maps, net),
        *_without_gradients(score, weights),
    ]


def _convolutions(net: models.FCN, size: tuple[int, ...], N: int) -> Iterator[Case]:
    """Walk through the network as `FCN.forward` does."""
    sizes = {}
    for name, layer in net.coarse().children():
        if isinstance(layer, nn.Conv2d):
            yield _convolution(name, layer, N, size)
        axes = zip(axes_of(layer), size, strict=True)
        size = sizes[name] = tuple(axis.output_size(n) for axis, n in axes)
    for name, factor, pool in net.streams:
        up = getattr(net, name)
        yield _transposed(name, up, N, size)
        size = tuple((n - 1) * factor + up.kernel_size for n in size)
        if pool:
            score = f"score_{pool}"
            yield _convolution(score, getattr(net, score), N, sizes[pool])
            # One of the two is cropped to the other.
            size = sizes[pool] if name in net.crops else size


def _convolution(name: str, layer: nn.Conv2d, N: int, size: Shape) -> Case:
    w = layer.weight.shape  # (O, C, KH, KW)
    pixels = prod(a.output_size(n) for a, n in zip(axes_of(layer), size, strict=True))
    return Case(
        "conv2d",
        name,
        ((N, w[1], *size), w, w[:1]),
        {"padding": layer.padding},
        flops=2 * N * pixels * prod(w),
    )


def _transposed(name: str, layer: nn.Upsample, N: int, size: Shape) -> Case:
    w = layer.weight.shape
    return Case(
        "conv_transpose2d",
        name,
        ((N, w[0], *size), w),
        {"stride": layer.factor},
        flops=2 * N * prod(size) * prod(w),
        bilinear=True,
    )


def _on_maps(maps: dict[str, Shape], weights: dict[str, Shape]) -> Iterator[Case]:
    # conv1_2 keeps the size of what it reads, and so do the others of a block.
    wide, middle, top = maps["conv1_2"], maps["conv3_2"], maps["fc7"]
    N, C, H, W = wide
    two: dict[str, Any] = {"kernel_size": 2}
    half = (N, C, H // 2, W // 2)
    yield Case("relu", "conv1_2", (wide,))
    yield Case("dropout", "fc6", (top,))
    yield Case("max_pool2d", "conv1_2", (wide,), two | {"ceil_mode": True})
    yield Case("avg_pool2d", "conv1_2", (wide,), two)
    yield Case("max_unpool2d", "conv1_2", (half,), two, (("maxima", half),))
    yield Case("local_response_norm", "conv1_2", (wide,), {"size": 5})
    yield Case("pad", "conv1_2", (wide,), {"padding": 1})
    yield Case("concat", "conv1_2", (wide, wide))
    yield Case("scale", "conv3_2", (middle,), {"factors": 0.01})
    N, C, H, W = middle
    window = {"kernel_size": 3, "padding": 1}
    yield Case("im2col", "conv3_2", (middle,), window)
    columns = (N, 9 * C, H * W)
    yield Case("col2im", "conv3_2", (columns,), window | {"output_size": (H, W)})
    yield Case("rarefy", "conv5_1.weight", (weights["conv5_1"],), {"factor": 2})


def _on_scores(score: Shape, maps: dict[str, Shape], net: models.FCN) -> Iterator[Case]:
    N, C, H, W = score
    labels = (("labels", (N, H, W)),)
    yield Case("softmax", "score", (score,), {"dim": 1})
    yield Case("log_softmax", "score", (score,), {"dim": 1})
    yield Case("nll_loss", "score", (score,), wholes=labels)
    yield Case("cross_entropy", "score", (score,), wholes=labels)
    yield Case("add", "score", (score, score))
    yield Case("maximum", "score", (score, score))
    h, w = -(-H // 4), -(-W // 4)  # rounded up: only whole fours can be taken apart
    fours: dict[str, Any] = {"factor": 4}
    yield Case("deinterleave", "score", ((N, C, 4 * h, 4 * w),), fours)
    yield Case("interleave", "score", ((N, 16 * C, h, w),), fours)
    # The last enlargement, once as a layer's operator; and what it leaves to crop.
    name, factor, _ = net.streams[-1]
    coarse, kernel = maps[name], getattr(net, name).kernel_size
    dense = tuple((n - 1) * factor + kernel for n in coarse[2:])
    yield Case("upsample", name, (coarse,), {"factor": factor})
    crop = {"offset": net.crops[name], "size": (H, W)}
    yield Case("crop", name, ((N, C, *dense),), crop)


def _without_gradients(score: Shape, weights: dict[str, Shape]) -> Iterator[Case]:
    N, C, H, W = score
    labels = ("labels", (N, H, W))
    yield Case("sgd", "fc6.weight", (weights["fc6"], weights["fc6"]))
    yield Case("most_likely", "score", (score,))
    yield Case("confusion_matrix", "score", (), {"n_classes": C}, (labels, labels))
    yield Case("colour", "score", (), {}, (("bytes", (H, W)),))


def names() -> list[str]:
    """Return what can be measured: all operators, and `KERNELS`."""
    # bilinear_kernel makes a few weights, once.
    return [*(name for name in ops.__all__ if name != "bilinear_kernel"), *KERNELS]
