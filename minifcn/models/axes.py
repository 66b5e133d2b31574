"""What a layer reads along the height and along the width."""

from typing import Any

from .. import nn
from ..geometry import Conv, Pool, pads, pair

Axes = tuple[Conv | Pool, Conv | Pool]

KINDS = (
    nn.Conv2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.Pad,
    nn.Sequential,
    nn.Branches,
)


def kind_of(layer: nn.Module, more: tuple[Any, ...] = ()) -> type[nn.Module]:
    """Return which of KINDS, or `more`, a layer is; its own type if it is pointwise.

    Raises:
        TypeError: none, or one whose `forward` is its own: nobody knows what it reads.
        ValueError: Branches without a branch, which have no answer.
    """
    if is_pointwise(layer):
        return type(layer)
    for kind in (*KINDS, *more):
        if isinstance(layer, kind) and type(layer).forward is kind.forward:
            if kind is nn.Branches and not any(layer.children()):
                raise ValueError("Branches() has no branch; it needs at least one")
            return kind
    known = ", ".join(kind.__name__ for kind in KINDS)
    raise TypeError(
        f"{type(layer).__name__} cannot be made dense; the layers that can are {known} "
        "and pointwise ones (ReLU, Dropout, LocalResponseNorm). If each pixel of its "
        "answer reads that pixel alone, and the shape is kept, say so in its class: "
        "pointwise = True"
    )


def is_pointwise(layer: nn.Module) -> bool:
    """Whether the class that wrote the layer's `forward` calls it `pointwise`."""
    # Not an ancestor of that class: it did not know what would be written.
    author = next(kind for kind in type(layer).__mro__ if "forward" in vars(kind))
    return bool(vars(author).get("pointwise"))


def axes_of(layer: nn.Module, more: tuple[Any, ...] = ()) -> Axes:
    """Return what a single layer reads along the height and along the width.

    Raises:
        TypeError: as `kind_of`.
    """
    kind: Any = kind_of(layer, more)
    window: Any = layer  # whose attributes depend on its kind
    if is_pointwise(layer):
        return Conv(1), Conv(1)
    if kind is nn.Pad:
        rows, cols = (Conv(1, padding=frame) for frame in pads(window.padding))
        return rows, cols
    # Of the weight itself: nobody can have changed it.
    size = window.weight.shape[2:] if kind is nn.Conv2d else window.kernel_size
    numbers = zip(
        pair(size, "kernel_size", 1),
        pair(window.stride, "stride", 1),
        pads(window.padding),
        pair(window.dilation, "dilation", 1),
        strict=True,
    )
    axes = [
        Pool(k, s, p, window.ceil_mode, d)
        if kind in (nn.MaxPool2d, nn.AvgPool2d)
        else Conv(k, s, p, d)  # whose padding may be wider than half the kernel
        for k, s, p, d in numbers
    ]
    return axes[0], axes[1]
