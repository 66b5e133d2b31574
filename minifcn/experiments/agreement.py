"""Shift-and-stitch and à trous give the same answers: how nearly, measured.

Both add up the same products, in another order. So they differ by rounding alone, and
not at all where sums are exact. To see that, a trained net is turned into one that
computes in whole numbers: pixels, weights and biases are rounded, and after each ReLU
the map is halved until its numbers have some ten bits, and rounded again:

    weight   w / unit, to the nearest of −127 … 127
    bias     b / (unit of the weights · unit of the map below)
    map      y / 2ᵏ, to the nearest

A sum of n products of 8 and 11 bits has at most 19 + log₂ n; float64 holds 53.
"""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import numpy as np

from minifcn import Tensor, models, nn, no_grad
from minifcn.arrays import array_module, to_numpy

LARGEST = 127  # weight in whole numbers
BITS = 10  # of a map, about


class Agreement(NamedTuple):
    """How nearly two ways agree.

    Attributes:
        difference: the largest between two scores, over the largest score.
        same: pixels whose class is the same.
        pixels: all of them.
    """

    difference: float
    same: int
    pixels: int

    def and_also(self, other: Agreement) -> Agreement:
        """Return what holds of two sets of pixels together."""
        difference = max(self.difference, other.difference)
        return Agreement(difference, self.same + other.same, self.pixels + other.pixels)


def agreement(a: Tensor, b: Tensor) -> Agreement:
    """Compare scores (N, C, H, W)."""
    x, y = to_numpy(a.data), to_numpy(b.data)
    same = x.argmax(axis=1) == y.argmax(axis=1)
    largest = float(abs(x).max()) or 1.0
    return Agreement(float(abs(x - y).max()) / largest, int(same.sum()), same.size)


def compared(net: nn.Module, x: Tensor, stride: int) -> Agreement:
    """Run a net both ways at an output stride; compare."""
    with no_grad():
        stitched = models.shift_and_stitch(net, x, stride)
        return agreement(stitched, models.a_trous(net, stride)(x))


def in_float64(chain: nn.Module, x: Any) -> tuple[nn.Module, Tensor]:
    """Return a copy of a net on the CPU, and its input, in double precision."""
    double = copy.deepcopy(chain).to("cpu", np.float64).eval()
    return double, Tensor(to_numpy(x).astype(np.float64))


class Halved(nn.Module):
    """x / 2ᵏ, rounded to whole numbers."""

    pointwise = True

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, *inputs: Tensor) -> Tensor:
        """Any shape → the same; not on the tape."""
        (x,) = inputs
        return Tensor(array_module(x.data).rint(x.data / 2**self.k))


def in_whole_numbers(chain: nn.Sequential, x: Any) -> tuple[nn.Sequential, Tensor]:
    """Return a net much like this one that computes in whole numbers, and its input.

    Args:
        chain: convolutions, each but the last with a ReLU behind it, and max pools.
        x: (N, 3, H, W), by which maps are halved.

    Returns:
        The net and its input, on the CPU, of whole numbers in float64.
    """
    double, image = in_float64(chain, np.rint(to_numpy(x)))
    layers: dict[str, nn.Module] = {}
    y, unit = image, 1.0
    with no_grad():
        for name, layer in double.children():
            if isinstance(layer, nn.Conv2d):
                unit *= _round(layer, unit)
            y = layer(y)
            layers[name] = layer
            if isinstance(layer, nn.ReLU):
                k = max(0, math.ceil(math.log2(max(1.0, y.data.max()))) - BITS)
                layers[f"halved_{name}"] = halved = Halved(k)
                y, unit = halved(y), unit * 2**k
    return nn.Sequential(**layers), image


def _round(conv: nn.Conv2d, unit: float) -> float:
    """Round a convolution over a map of this unit; return the unit of its weights."""
    # Winograd's way divides by 3, where nothing is exact.
    conv.algorithm = "bands"
    step = float(abs(conv.weight.data).max()) / LARGEST or 1.0
    conv.weight.data = np.rint(conv.weight.data / step)
    conv.bias.data = np.rint(conv.bias.data / (step * unit))
    return step
