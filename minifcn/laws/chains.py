"""Drawn chains of layers: convolutions and pools, with strides, one after the other.

A layer is one window, and what looks through it: "conv", or "relu + max", which
rectifies first. Side by side, in "max | mean", both look through the same window, so
that their maps are of one size at every offset.

Numbers stay whole all along. A mean divides them: by 1, 2, 3, 4, 6 or 9, as windows
have three rows and columns at the most. So where a chain has a mean, all that goes into
it is a multiple of 36. Only a norm at the end leaves the whole numbers.
"""

from dataclasses import replace
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .. import nn
from ..geometry import ReceptiveField, span
from .cases import Case, Pair, batches, seeds

MULTIPLE = 36  # the least that 1, 2, 3, 4, 6 and 9 divide
MOST_RUNS = 36  # of shift-and-stitch: the product of all strides, both axes

CONVS = ("conv", "conv + relu", "dropout + conv")
POOLS = ("max", "relu + max")
MEANS = ("mean", "max | mean", "conv | mean")
FRAMED = ("pad + conv", "pad + max")

# Unequal, most of them, or an axis could be taken for the other; 1 as often as in nets.
KERNELS = ((2, 3), (3, 1), (1, 2), (3, 2), (1, 3), (2, 1), (2, 2), (3, 3), (1, 1))
STRIDES = ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (2, 3), (1, 1))
DILATIONS = ((1, 1), (1, 1), (2, 1), (1, 2))
DIVISORS = (None, None, None, 2)
VALUES = (-72.0, 36.0)  # of frames: multiples of 36 too; one is seldom a maximum
PLAIN = (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)  # a window of one pixel


class Layer(NamedTuple):
    """A layer of a chain; a convolution's weight and bias are inputs of the case."""

    kind: str  # parts joined by " + ", one after the other, or " | ", side by side
    channels: Pair  # what it is given, and what its convolution gives
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int = 1
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor: int | None = None  # of a mean, whatever its window holds
    value: float = 0  # of the frame that "pad" makes in place of the padding

    def build(self, inputs: dict[str, np.ndarray], number: int) -> list[nn.Module]:
        """Make the layer's modules, with the weight and bias of that number."""
        sides = self.kind.split(" | ")
        parts = sides if len(sides) > 1 else self.kind.split(" + ")
        modules = [self._part(part, inputs, number) for part in parts]
        return modules if len(sides) == 1 else [nn.Branches(*modules)]

    def _part(self, part: str, inputs: dict[str, np.ndarray], number: int) -> nn.Module:
        if part == "relu":
            # The first in place, as nets have it to save memory: over x itself.
            return nn.ReLU(inplace=number == 0)
        if part == "dropout":
            return nn.Dropout()
        if part == "pad":
            return nn.Pad(self.padding, self.value)
        if part == "norm":
            # β of ½: however large the numbers, the quotients are about 1.
            return nn.LocalResponseNorm(2, alpha=1.0, beta=0.5)
        # ((top, bottom), (left, right)), once: a Pad below has framed the map already.
        padding = 0 if "pad" in self.kind else self.padding
        window = self.kernel, self.stride, padding
        if part == "max":
            return nn.MaxPool2d(*window, self.dilation, self.ceil_mode)
        if part == "mean":
            count = self.ceil_mode, self.count_include_pad, self.divisor
            return nn.AvgPool2d(*window, *count, self.dilation)
        # weight: (O, C/groups, KH, KW); copies, as training changes them.
        conv = nn.Conv2d(*self.channels, *window, self.dilation, self.groups)
        conv.weight.data = inputs[f"weight{number}"].copy()
        conv.bias.data = inputs[f"bias{number}"].copy()
        return conv


# ---- strategies


@st.composite
def chains(draw: DrawFn, padded: bool = True, learns: bool = False) -> Case:
    """Draw an image and one to three layers: x, and weight0, bias0, weight1 and so on.

    All numbers are whole, and small enough that the answers are exact in float64;
    unless there is a norm (see `is_whole`).

    Args:
        padded: whether layers may be padded, and pools rounded up.
        learns: whether the first of several layers is a convolution, so that gradients
            have the others to come through; there is no norm then.
    """
    seed, N, C = draw(seeds()), draw(batches()), draw(st.integers(1, 2))
    layers: list[Layer] = []
    for number in range(draw(st.integers(1 + learns, 3))):
        kinds = CONVS if learns and number == 0 else _kinds(layers, padded)
        layers.append(draw(_layers(kinds, layers, C, padded)))
    # One window of all layers at the least, and up to 5 × 5 answers at stride 1.
    H, W = (f.size + draw(st.integers(0, 4)) for f in receptive_fields(layers))
    inputs = _numbers(np.random.default_rng(seed), layers, (N, C, H, W + (H == W)))
    # Whole numbers end here. Gradients of large ones would cancel to nothing.
    if not learns and draw(st.integers(0, 4)) == 4:
        channels = _channels(layers[-1])
        layers.append(Layer("norm", (channels, channels), *PLAIN))
    return Case("net", inputs, {"layers": layers}, seed)


@st.composite
def strided_chains(draw: DrawFn) -> Case:
    """Draw a chain of a stride f > 1, and a stride s > 1 that divides it; s = f too."""
    case = draw(chains().filter(lambda case: output_strides(case) != (1, 1)))
    rows, cols = (
        [s for s in range(1, f + 1) if f % s == 0] for f in output_strides(case)
    )
    stride = draw(st.sampled_from([*product(rows, cols)][1:]))  # not (1, 1)
    return replace(case, arguments={**case.arguments, "stride": stride})


def _kinds(below: list[Layer], padded: bool) -> tuple[str, ...]:
    """Return what a layer over others may be."""
    kinds = CONVS + POOLS + (FRAMED if padded else ())
    # One mean at the most, as numbers are 36 times as large for each.
    return kinds if any("mean" in layer.kind for layer in below) else kinds + 2 * MEANS


@st.composite
def _layers(
    draw: DrawFn, kinds: tuple[str, ...], below: list[Layer], first: int, padded: bool
) -> Layer:
    """Draw a layer over others, the lowest of which is given `first` channels."""
    kind = draw(st.sampled_from(kinds))
    kernel, dilation = (draw(st.sampled_from(s)) for s in (KERNELS, DILATIONS))
    # Half a window at the most, as pools ask.
    most = [padded * (span(k, d) // 2) for k, d in zip(kernel, dilation, strict=True)]
    top, bottom, left, right = (draw(st.integers(0, most[i // 2])) for i in range(4))
    C = _channels(below[-1]) if below else first
    is_conv = "conv" in kind
    groups = draw(st.sampled_from((1, C))) if is_conv else 1  # C: depthwise
    # Many channels are made no more, or the third layer would take long.
    O = groups * (draw(st.integers(1, 2)) if C < 4 else 1) if is_conv else C
    return Layer(
        kind,
        (C, O),
        kernel,
        draw(_strides(below)),
        ((top, bottom), (left, right)),
        dilation,
        groups,
        # Convolutions never round up, nor can what stands beside them.
        ceil_mode=padded and not is_conv and draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
        divisor=draw(st.sampled_from(DIVISORS)) if "mean" in kind else None,
        value=draw(st.sampled_from(VALUES)) if "pad" in kind else 0,
    )


def _channels(layer: Layer) -> int:
    """Return the channels of a layer's answers, those of both sides joined."""
    C, O = layer.channels
    return C + O if "|" in layer.kind else O


def _strides(below: list[Layer]) -> SearchStrategy[Pair]:
    """Draw a stride that leaves shift-and-stitch few runs."""
    runs = prod(prod(layer.stride) for layer in below)  # FH · FW, so far
    return st.sampled_from([s for s in STRIDES if runs * prod(s) <= MOST_RUNS])


def _numbers(
    rng: np.random.Generator, layers: list[Layer], shape: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Draw the image, and the weights (O, C/groups, KH, KW) and biases (O,)."""
    unit = float(MULTIPLE if any("mean" in layer.kind for layer in layers) else 1)
    inputs = {"x": rng.integers(-9, 10, shape) * unit}
    for number, layer in enumerate(layers):
        if "conv" in layer.kind:
            C, O = layer.channels
            # Weights are factors: only what is added must be a multiple of the unit.
            weight = rng.integers(-3, 4, (O, C // layer.groups, *layer.kernel))
            inputs[f"weight{number}"] = weight * 1.0
            inputs[f"bias{number}"] = rng.integers(-9, 10, O) * unit
    return inputs


# ---- what is known of a chain


def build(case: Case) -> nn.Module:
    """Make the net of a drawn chain, in evaluation: its dropout drops nothing."""
    modules: list[nn.Module] = []
    for number, layer in enumerate(case.arguments["layers"]):
        modules += layer.build(case.inputs, number)
    return nn.Sequential(*modules).eval()


def is_whole(case: Case) -> bool:
    """Whether a chain keeps to whole numbers from the image to its answers."""
    return case.arguments["layers"][-1].kind != "norm"  # which stands at the end


def receptive_fields(layers: list[Layer]) -> tuple[ReceptiveField, ReceptiveField]:
    """Return what an answer of the chain sees along height and width."""
    fields = ReceptiveField(), ReceptiveField()
    for layer in layers:
        # Both sides of a branch have this window; what is pointwise sees no more.
        height, width = (
            field.then(k, s, d)
            for field, k, s, d in zip(
                fields, layer.kernel, layer.stride, layer.dilation, strict=True
            )
        )
        fields = height, width
    return fields


def output_strides(case: Case) -> Pair:
    """Return f, the pixels between two answers, along height and width."""
    rows, cols = receptive_fields(case.arguments["layers"])
    return rows.stride, cols.stride
