"""Drawn chains of layers: convolutions and pools, with strides, one after the other."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from .. import nn
from ..geometry import ReceptiveField
from .cases import Case, Pair, Window, batches, seeds, windows


class Layer(NamedTuple):
    """A layer of a chain; a convolution's weight and bias are inputs of the case."""

    kind: str  # "conv", "conv + relu" or "max"
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int = 1
    ceil_mode: bool = False

    def build(self, inputs: dict[str, np.ndarray], number: int) -> list[nn.Module]:
        """Make the layer's modules, with the weight and bias of that number."""
        geometry = self.kernel, self.stride, self.padding, self.dilation
        if self.kind == "max":
            return [nn.MaxPool2d(*geometry, self.ceil_mode)]
        weight, bias = inputs[f"weight{number}"], inputs[f"bias{number}"]
        O, C = len(weight), weight.shape[1] * self.groups
        conv = nn.Conv2d(C, O, *geometry, self.groups)
        conv.weight.data, conv.bias.data = weight.copy(), bias.copy()
        return [conv, nn.ReLU()] if "relu" in self.kind else [conv]


@st.composite
def chains(draw: DrawFn, padded: bool = True) -> Case:
    """Draw an image and one to three layers: x, and weight0, bias0, weight1 and so on.

    All numbers are whole, and small enough that the answers are exact in float64.

    Args:
        padded: whether layers may be padded, and pools rounded up.
    """
    seed, N, C = draw(seeds()), draw(batches()), draw(st.integers(1, 2))
    rng, channels = np.random.default_rng(seed), C
    layers: list[Layer] = []
    inputs: dict[str, np.ndarray] = {}
    for number in range(draw(st.integers(1, 3))):
        layer = draw(_layers(channels, padded))
        layers.append(layer)
        if layer.kind != "max":
            O = layer.groups * draw(st.integers(1, 2))
            shape = (O, channels // layer.groups, *layer.kernel)
            inputs[f"weight{number}"] = rng.integers(-3, 4, shape) * 1.0
            inputs[f"bias{number}"] = rng.integers(-9, 10, O) * 1.0
            channels = O
    H, W = (f.size + draw(st.integers(0, 4)) for f in receptive_fields(layers))
    x = rng.integers(-9, 10, (N, C, H, W + (H == W))) * 1.0
    return Case("net", {"x": x, **inputs}, {"layers": layers}, seed)


@st.composite
def _layers(draw: DrawFn, channels: int, padded: bool) -> Layer:
    window: Window = draw(windows(3, 3, 2, 2 if padded else 0, half_padding=True))
    kind = draw(st.sampled_from(("conv", "conv + relu", "max")))
    groups = draw(st.sampled_from((1, channels))) if kind != "max" else 1
    ceil_mode = kind == "max" and padded and draw(st.booleans())
    return Layer(
        kind,
        window.kernel,
        window.stride,
        window.padding,
        window.dilation,
        groups,
        ceil_mode,
    )


def build(case: Case) -> nn.Sequential:
    """Make the net of a drawn chain."""
    modules: list[nn.Module] = []
    for number, layer in enumerate(case.arguments["layers"]):
        modules += layer.build(case.inputs, number)
    return nn.Sequential(*modules)


def receptive_fields(layers: list[Layer]) -> tuple[ReceptiveField, ReceptiveField]:
    """Return what an answer of the chain sees along height and width."""
    fields = ReceptiveField(), ReceptiveField()
    for layer in layers:
        height, width = (
            field.then(k, s, d)
            for field, k, s, d in zip(
                fields, layer.kernel, layer.stride, layer.dilation, strict=True
            )
        )
        fields = height, width
    return fields
