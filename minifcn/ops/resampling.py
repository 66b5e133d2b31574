"""Cutting, framing and interleaving: where pixels go, unchanged in value.

Each comes with its adjoint: crop and pad, deinterleave and interleave, and rarefy,
which spreads the taps of a kernel, with the picking of the taps.
"""

from numbers import Real
from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import pads, pair, span
from .im2col import cut as cut_on_cpu
from .inputs import check_image, check_tensors

KERNELS = Kernels(__file__)

# ---------------------------------------------------------------------- crop and pad


def crop_definition(x: Array, offset: Any, size: Any) -> Array:
    """Say crop by its definition, one pixel at a time (see `crop`)."""
    (top, left), (height, width) = pair(offset, "offset"), pair(size, "size", 1)
    y = np.empty((*x.shape[:-2], height, width), x.dtype)
    for r, q in np.ndindex(height, width):
        y[..., r, q] = x[..., top + r, left + q]
    return y


def pad_definition(x: Array, padding: Any, value: float = 0.0) -> Array:
    """Say pad by its definition, one pixel at a time (see `pad`)."""
    (top, bottom), (left, right) = pads(padding)
    H, W = x.shape[-2:]
    size = top + H + bottom, left + W + right
    y = np.full((*x.shape[:-2], *size), value, x.dtype)
    for h, w in np.ndindex(H, W):
        y[..., top + h, left + w] = x[..., h, w]
    return y


class Crop(Function):
    """A rectangle of the input, `fill` outside of it; the gradient is framed with 0."""

    output_is_shared = True  # a crop of everything is x itself

    def __init__(
        self, offset: tuple[int, int], size: tuple[int, int], fill: float = 0.0
    ):
        self.offset, self.size, self.fill = offset, size, fill

    def forward(self, x: Array) -> Array:
        self.input_size = x.shape[-2:]
        return cut(x, self.offset, self.size, self.fill)

    def backward(self, gy: Array) -> Array:
        # Cut from −offset on, gy is framed with zeros: the adjoint of a cut is a cut.
        back = -self.offset[0], -self.offset[1]
        return cut(gy, back, self.input_size)


def crop(x: Tensor, offset: Any, size: Any) -> Tensor:
    """Return x[…, top : top + height, left : left + width].

    What Caffe's Crop layer does: it starts at the offset from the top-left corner.

    Args:
        x: (…, H, W).
        offset: (top, left), or one int for both, 0 or more; pixels.
        size: (height, width), or one int for both.

    Returns:
        (…, height, width).

    Raises:
        ValueError: the rectangle does not lie inside x.
        TypeError: x is no Tensor of float32 or float64; a size is no whole number.
    """
    H, W = _sides("crop", x=x)
    (top, left), (height, width) = pair(offset, "offset"), pair(size, "size", 1)
    if top + height > H or left + width > W:
        raise ValueError(
            f"a crop of {height}×{width} at offset ({top}, {left}) does not fit into "
            f"{H}×{W} pixels (x has shape {x.shape})"
        )
    return Crop((top, left), (height, width))(x)


def pad(x: Tensor, padding: Any, value: float = 0.0) -> Tensor:
    """Frame x with a constant. With zeros it is the adjoint of `crop`.

    The gradient of x is the crop, whatever the value. As `torch.nn.functional.pad`,
    but for the order of the padding.

    Args:
        x: (…, H, W).
        padding: int, (height, width) or ((top, bottom), (left, right)); pixels.
        value: what the frame holds; −∞ for a maximum that must never see it.

    Returns:
        (…, top + H + bottom, left + W + right).

    Raises:
        ValueError: negative padding; x has no rows or columns.
        TypeError: value is no number; x is no Tensor of float32 or float64.
    """
    H, W = _sides("pad", x=x)
    (top, bottom), (left, right) = pads(padding)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"value is {value!r}; pad needs a number to frame x with")
    # A crop that begins outside of x, where cut puts the value.
    size = top + H + bottom, left + W + right
    return Crop((-top, -left), size, float(value))(x)


def cut(
    x: Array, start: tuple[int, int], size: tuple[int, int], fill: float = 0
) -> Array:
    """Cut as `im2col.cut` does; off the CPU, picture and frame in one pass."""
    if on_cpu(x) or (start == (0, 0) and x.shape[-2:] == tuple(size)):
        return cut_on_cpu(x, start, size, fill)
    y = array_module(x).empty((*x.shape[:-2], *size), x.dtype)
    sizes = *x.shape[-2:], *size
    KERNELS.cut(y.size, contiguous(x), y, y.size, *sizes, *start, fill)
    return y


def _sides(operator: str, **tensor: Tensor) -> tuple[int, int]:
    """Return (H, W) of the one tensor given; refuse what has no such two axes."""
    check_tensors(operator, **tensor)
    ((name, x),) = tensor.items()
    if x.ndim < 2 or 0 in x.shape[-3:]:  # only a batch may be empty
        raise ValueError(
            f"{name} has shape {x.shape}; {operator} needs two axes or more, the last "
            "three of size 1 or more"
        )
    H, W = x.shape[-2:]
    return H, W


# ------------------------------------------------------- interleave and deinterleave


def interleave_definition(x: Array, factor: Any) -> Array:
    """Say interleave by its definition, one number at a time (see `interleave`)."""
    (N, CAB, H, W), (FH, FW) = x.shape, pair(factor, "factor", 1)
    C = CAB // (FH * FW)
    y = np.empty((N, C, H * FH, W * FW), x.dtype)
    for n, c, a, b, r, q in np.ndindex(N, C, FH, FW, H, W):
        y[n, c, r * FH + a, q * FW + b] = x[n, (c * FH + a) * FW + b, r, q]
    return y


def deinterleave_definition(x: Array, factor: Any) -> Array:
    """Say deinterleave by its definition, one number at a time (see `deinterleave`)."""
    (N, C, H, W), (FH, FW) = x.shape, pair(factor, "factor", 1)
    h, w = H // FH, W // FW
    y = np.empty((N, C * FH * FW, h, w), x.dtype)
    for n, c, a, b, r, q in np.ndindex(N, C, FH, FW, h, w):
        y[n, (c * FH + a) * FW + b, r, q] = x[n, c, r * FH + a, q * FW + b]
    return y


class Interleave(Function):
    """Shifted maps become one; the gradient is taken apart again."""

    output_is_shared = True  # with a factor of 1 it is x itself

    def __init__(self, factor: tuple[int, int]):
        self.factor = factor

    def forward(self, x: Array) -> Array:
        (FH, FW), (H, W) = self.factor, x.shape[2:]
        # All phases are there, so every pixel of the result is written.
        size = H * FH, W * FW
        return interleave_array(x, (0, 0), self.factor, self.factor, size)

    def backward(self, gy: Array) -> Array:
        return Deinterleave(self.factor).forward(gy)


class Deinterleave(Function):
    """One map becomes shifted ones; the gradient is stitched together again."""

    output_is_shared = True

    def __init__(self, factor: tuple[int, int]):
        self.factor = factor

    def forward(self, x: Array) -> Array:
        (FH, FW), (H, W) = self.factor, x.shape[2:]
        size = H // FH, W // FW
        return deinterleave_array(x, (0, 0), self.factor, self.factor, size)

    def backward(self, gy: Array) -> Array:
        return Interleave(self.factor).forward(gy)


def interleave(x: Tensor, factor: Any) -> Tensor:
    """Stitch FH × FW maps, each a shift of the others, into one dense map.

        y[n, c, r·FH + a, q·FW + b] = x[n, (c·FH + a)·FW + b, r, q]

    for a < FH, b < FW: the second half of shift-and-stitch. As
    `torch.nn.functional.pixel_shuffle`. Source: Long et al. 2015, section 3.2; Shi et
    al. 2016, "sub-pixel convolution".

    Args:
        x: (N, C·FH·FW, H, W).
        factor: int or (FH, FW).

    Returns:
        (N, C, H·FH, W·FW).

    Raises:
        ValueError: the channels are no multiple of FH·FW.
        TypeError: x is no Tensor of float32 or float64; factor is no whole number.
    """
    check_image("interleave", x)
    FH, FW = pair(factor, "factor", 1)
    if x.shape[1] % (FH * FW):
        raise ValueError(
            f"x has {x.shape[1]} channels; interleave by factor ({FH}, {FW}) needs a "
            f"multiple of {FH * FW} (x has shape {x.shape})"
        )
    return Interleave((FH, FW))(x)


def deinterleave(x: Tensor, factor: Any) -> Tensor:
    """Sort pixels by phase, each phase a map of its own: undo `interleave`.

        y[n, (c·FH + a)·FW + b, r, q] = x[n, c, r·FH + a, q·FW + b]

    Both only move numbers, so it is the inverse of interleave and its adjoint in one.
    As `torch.nn.functional.pixel_unshuffle`. Source: as `interleave`.

    Args:
        x: (N, C, H, W).
        factor: int or (FH, FW); they divide H and W.

    Returns:
        (N, C·FH·FW, H / FH, W / FW).

    Raises:
        ValueError: H is no multiple of FH, or W of FW.
        TypeError: x is no Tensor of float32 or float64; factor is no whole number.
    """
    check_image("deinterleave", x)
    (FH, FW), (H, W) = pair(factor, "factor", 1), x.shape[2:]
    if H % FH or W % FW:
        raise ValueError(
            f"x has {H}×{W} pixels; deinterleave by factor ({FH}, {FW}) needs "
            f"multiples of {FH} and {FW} (x has shape {x.shape})"
        )
    return Deinterleave((FH, FW))(x)


def deinterleave_array(
    x: Array, start: Any, phases: Any, stride: Any, size: Any
) -> Array:
    """Sort the pixels of x by phase, each phase a channel of its own.

        out[n, (c·A + a)·B + b, r, q] = x[n, c, top + r·SH + a, left + q·SW + b]

    for a < A, b < B, with zeros outside of x: (N, C, H, W) → (N, C·A·B, *size). A
    convolution of stride S over x is one of stride 1 over the phases.
    """
    (N, C), (A, B), (h, w), (SH, SW) = x.shape[:2], phases, size, stride
    if not on_cpu(x):
        y = array_module(x).empty((N, C * A * B, h, w), x.dtype)
        sizes = *x.shape[2:], A, B, h, w
        KERNELS.deinterleave(y.size, contiguous(x), y, y.size, *sizes, SH, SW, *start)
        return y
    # Row r·SH + a becomes (r, a), and column q·SW + b becomes (q, b).
    grid = cut(x, start, (h * SH, w * SW)).reshape(N, C, h, SH, w, SW)
    # (N, C, A, B, h, w): the phases stand beside the channels.
    sorted_by_phase = grid[:, :, :, :A, :, :B].transpose(0, 1, 3, 5, 2, 4)
    return sorted_by_phase.reshape(N, C * A * B, h, w)


def interleave_array(
    x: Array, start: Any, phases: Any, stride: Any, size: Any
) -> Array:
    """Put the phases back where they were: the adjoint of `deinterleave_array`.

    (N, C·A·B, h, w) → (N, C, *size); where no phase lies, zero.
    """
    (N, CAB, h, w), (A, B), (SH, SW) = x.shape, phases, stride
    C, back = CAB // (A * B), (-start[0], -start[1])
    if not on_cpu(x):
        y = array_module(x).empty((N, C, *size), x.dtype)
        sizes = h, w, A, B, *size
        KERNELS.interleave(y.size, contiguous(x), y, y.size, *sizes, SH, SW, *start)
        return y
    grid = array_module(x).zeros((N, C, h, SH, w, SW), x.dtype)
    # (N, C, h, A, w, B); the phases that nothing reads stay zero.
    grid[:, :, :, :A, :, :B] = x.reshape(N, C, A, B, h, w).transpose(0, 1, 4, 2, 5, 3)
    return cut(grid.reshape(N, C, h * SH, w * SW), back, size)  # (N, C, *size)


# ----------------------------------------------------------------------------- rarefy


def rarefy_definition(weight: Array, factor: Any) -> Array:
    """Say rarefy by its definition, one tap at a time (see `rarefy`)."""
    (KH, KW), (FH, FW) = weight.shape[-2:], pair(factor, "factor", 1)
    y = np.zeros((*weight.shape[:-2], span(KH, FH), span(KW, FW)), weight.dtype)
    for i, j in np.ndindex(*y.shape[-2:]):
        if i % FH == 0 and j % FW == 0:
            y[..., i, j] = weight[..., i // FH, j // FW]
    return y


class Rarefy(Function):
    """Zeros between the taps; the gradient is picked at the taps."""

    def __init__(self, factor: tuple[int, int]):
        self.FH, self.FW = self.factor = factor

    def forward(self, w: Array) -> Array:
        self.shape = w.shape
        KH, KW = w.shape[-2:]
        size = span(KH, self.FH), span(KW, self.FW)
        if not on_cpu(w):  # one phase alone, put where it belongs
            phase = w.reshape(-1, 1, KH, KW)
            y = interleave_array(phase, (0, 0), (1, 1), self.factor, size)
            return y.reshape(*w.shape[:-2], *size)
        y = np.zeros((*w.shape[:-2], *size), w.dtype)
        y[..., :: self.FH, :: self.FW] = w
        return y

    def backward(self, gy: Array) -> Array:
        if not on_cpu(gy):
            plane = gy.reshape(-1, 1, *gy.shape[-2:])
            size = self.shape[-2:]
            gw = deinterleave_array(plane, (0, 0), (1, 1), self.factor, size)
            return gw.reshape(self.shape)
        return gy[..., :: self.FH, :: self.FW]


def rarefy(weight: Tensor, factor: Any) -> Tensor:
    """Put FH − 1 rows and FW − 1 columns of zeros between the taps of a kernel.

        y[i, j] = weight[i / FH, j / FW] where FH divides i and FW divides j, else 0

    A convolution by it is one by weight with dilation (FH, FW): the à trous trick,
    "with holes". Source: Long et al. 2015, section 3.2 (f′).

    Args:
        weight: (…, KH, KW).
        factor: int or (FH, FW).

    Returns:
        (…, (KH − 1)·FH + 1, (KW − 1)·FW + 1).

    Raises:
        ValueError: weight has no taps.
        TypeError: weight is no Tensor of float32 or float64; factor no whole number.
    """
    _sides("rarefy", weight=weight)
    return Rarefy(pair(factor, "factor", 1))(weight)
