"""Whole images against patches: how to cut them, how to run both, how long each takes.

A net that answers once for every ``stride`` pixels, and looks at ``size`` pixels for
that, sees a patch for each answer. So many answers lie side by side:

    side of the image  =  size + (answers − 1) · stride

Source: Long, Shelhamer and Darrell 2015, sections 3.1 and 3.4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from minifcn import Tensor, nn, ops
from minifcn.arrays import to_device, to_numpy
from minifcn.bench.devices import clockwork
from minifcn.bench.worker import timed
from minifcn.data import open_dataset
from minifcn.data.batch import to_input
from minifcn.data.dataset import VOC_MEAN_BGR
from minifcn.data.files import Pixels
from minifcn.data.scenes import CLASSES, draw
from minifcn.geometry import chain_receptive_field
from minifcn.models import FCN

from .frame import Settings

Cells = tuple[int, int]  # answers: rows, columns


class Grid(NamedTuple):
    """Where patches lie: squares of ``size`` pixels, ``stride`` apart."""

    size: int
    stride: int = 32

    def image(self, cells: Cells) -> tuple[int, int]:
        """Return the (height, width) of the image that holds so many patches."""
        rows, columns = (self.size + (n - 1) * self.stride for n in cells)
        return rows, columns

    def cut(self, x: NDArray[Any]) -> NDArray[Any]:
        """Cut an image (1, C, H, W) into patches (n, C, size, size), row by row."""
        windows = sliding_window_view(x[0], (self.size, self.size), axis=(1, 2))
        strided = windows[:, :: self.stride, :: self.stride]  # (C, rows, columns, …)
        n = strided.shape[1] * strided.shape[2]
        patches = strided.transpose(1, 2, 0, 3, 4)
        return patches.reshape(n, len(x[0]), self.size, self.size)

    def middles(self, label: Pixels) -> Pixels:
        """Return the classes at the patches' middles: (H, W) → (1, rows, columns)."""
        first, beyond = self.size // 2, self.size - self.size // 2 - 1
        H, W = label.shape
        inner = label[first : H - beyond, first : W - beyond]
        return inner[None, :: self.stride, :: self.stride]


# ------------------------------------------------------------------------------ nets


def seen_by(net: FCN) -> Grid:
    """Return the patches that the coarse answers of a net see: its receptive field."""
    return Grid(*chain_receptive_field([layer.geometry for layer in net.table]))


def unpadded(net: FCN, layers: Sequence[str] = ()) -> nn.Sequential:
    """Return a net's coarse stream without padding, in some layers or in all.

    The net's own convolutions are changed: it is of no other use after that.
    """
    chain = net.coarse()
    for name, layer in chain.children():
        if isinstance(layer, nn.Conv2d) and (not layers or name in layers):
            layer.padding = 0
    return chain


# ---------------------------------------------------------------------------- images


class Source:
    """Images of any size: generated scenes, or those of a data set, resized."""

    def __init__(self, settings: Settings) -> None:
        self.pairs = None
        self.class_names: Sequence[str] = CLASSES
        self.mean = VOC_MEAN_BGR
        if settings.data is not None:
            self.pairs = open_dataset(settings.data, settings.split)
            self.class_names = self.pairs.class_names
            self.mean = self.pairs.mean_bgr

    def picture(
        self, size: tuple[int, int], seed: int, index: int = 0
    ) -> tuple[Pixels, Pixels]:
        """Return an image (H, W, 3) and its label (H, W)."""
        if self.pairs is None:
            return draw(size, seed, "val", index)
        image, label = self.pairs[(seed + index) % len(self.pairs)]
        return _resized(image, size, "BILINEAR"), _resized(label, size, "NEAREST")

    def sample(
        self, size: tuple[int, int], seed: int, index: int = 0
    ) -> tuple[NDArray[np.float32], Pixels]:
        """Return an input (1, 3, H, W) and its label (H, W)."""
        image, label = self.picture(size, seed, index)
        return to_input(image, self.mean)[None], label

    def remarks(self, settings: Settings) -> list[str]:
        """Say what images these are, and what was not asked for their sake."""
        if self.pairs is None:
            return []
        said = ["images of the data set, resized to these sizes; weights by He's rule"]
        if settings.recipe or settings.weights:
            said.append("a recipe or pretrained weights make no difference here")
        return said


def _resized(pixels: Pixels, size: tuple[int, int], how: str) -> Pixels:
    height, width = size
    resample = Image.Resampling[how]
    return np.asarray(Image.fromarray(pixels).resize((width, height), resample))


# --------------------------------------------------------------------------- passing


class Pair(NamedTuple):
    """An input (N, 3, H, W) and the classes asked for there, (N, rows, columns)."""

    x: Any
    target: Any


class Seconds(NamedTuple):
    """How long the way forward took, and the way back."""

    forward: float
    backward: float

    @property
    def both(self) -> float:
        """Of a step of training."""
        return self.forward + self.backward


def pairs(
    x: NDArray[Any], target: NDArray[Any], each: int, device: str = "cpu"
) -> list[Pair]:
    """Cut patches (n, 3, H, W) with their n classes into batches, on a device."""
    return [
        Pair(
            to_device(x[i : i + each], device), to_device(target[i : i + each], device)
        )
        for i in range(0, len(x), each)
    ]


def passes(net: nn.Module, given: Sequence[Pair], device: str = "cpu") -> Seconds:
    """Run a net forward and backward over all in turn; their gradients add up.

    The loss is the sum over all answers, so that it does not matter what goes through
    the net together. What the net had of gradients is forgotten before.
    """
    wait, _ = clockwork("minifcn", device)
    net.zero_grad()
    forward = backward = 0.0
    for x, target in given:
        seconds, loss = timed(lambda: summed_loss(net, x, target), wait)  # noqa: B023
        forward += seconds
        backward += timed(loss.backward, wait)[0]
    return Seconds(forward, backward)


def summed_loss(net: nn.Module, x: Any, target: Any) -> Tensor:
    """Return the cross entropy summed over all answers that count."""
    return ops.cross_entropy(net(Tensor(x)), target, reduction="sum")


def gradients(net: nn.Module) -> dict[str, NDArray[Any]]:
    """Return the gradients of a net's parameters, {name: array}."""
    return {
        name: to_numpy(p.grad)
        for name, p in net.named_parameters()
        if p.grad is not None
    }


def apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Return the largest ‖aᵢ − bᵢ‖ / ‖bᵢ‖ of arrays of the same names."""
    if a.keys() != b.keys():
        raise ValueError(f"{sorted(a)} cannot be compared with {sorted(b)}")
    return max(_difference(a[name], b[name]) for name in b)


def _difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    distance, length = (
        float(np.linalg.norm(np.asarray(x, np.float64).ravel())) for x in (a - b, b)
    )
    return distance / (length or 1.0)


# ---------------------------------------------------------------------------- timing

Way = Callable[[], Seconds]


def race(ways: Mapping[str, Way], seconds: float, most: int) -> dict[str, Seconds]:
    """Run all ways in turn, again and again; return the medians of their times.

    Args:
        ways: {name: runs it, returns its times}.
        seconds: no further turn begins after that.
        most: turns.
    """
    taken: dict[str, list[Seconds]] = {name: [] for name in ways}
    for _ in _turns(seconds, most):
        for name, run in ways.items():
            taken[name].append(run())
    return {
        name: Seconds(*np.median(each, axis=0).tolist()) for name, each in taken.items()
    }


def _turns(seconds: float, most: int) -> Iterator[int]:
    end = time.perf_counter() + seconds
    for turn in range(most):
        if turn == 0 or time.perf_counter() < end:
            yield turn


def median(values: Sequence[float], digits: int = 3) -> float:
    """Return the median over seeds, to so many digits that count."""
    return float(f"{np.median(values):.{digits}g}")
