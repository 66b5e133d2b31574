"""Cutting, framing and interleaving: where pixels go, unchanged in value.

crop and pad are adjoint; so are deinterleave and interleave.
"""

from typing import Any

import numpy as np

from ..arrays import Array, array_module
from ..autograd import Function, Tensor
from ..geometry import pads, pair
from .im2col import add_grid, read_grid


def crop_array(x: Array, offset: tuple[int, int], size: tuple[int, int]) -> Array:
    """Cut x[…, top : top + height, left : left + width] out, zero outside of x."""
    out = array_module(x).empty((*x.shape[:-2], *size), x.dtype)
    read_grid(x, out, offset)
    return out


class Crop(Function):
    """A rectangle of the input; the gradient is framed with zeros."""

    def __init__(self, offset: tuple[int, int], size: tuple[int, int]):
        self.offset, self.size = offset, size

    def forward(self, x: Array) -> Array:
        self.input_size = x.shape[-2:]
        return crop_array(x, self.offset, self.size)

    def backward(self, gy: Array) -> Array:
        back = -self.offset[0], -self.offset[1]
        return crop_array(gy, back, self.input_size)


def crop(x: Tensor, offset: Any, size: Any) -> Tensor:
    """Return x[…, top : top + height, left : left + width].

    What Caffe's Crop layer does: it starts at the offset from the top-left corner.

    Args:
        x: (…, H, W).
        offset: (top, left), or one int for both, 0 or more; pixels.
        size: (height, width), or one int for both.

    Raises:
        ValueError: the rectangle does not lie inside x.
    """
    (top, left), (height, width) = pair(offset, "offset"), pair(size, "size", 1)
    H, W = x.shape[-2:]
    if top + height > H or left + width > W:
        raise ValueError(
            f"a crop of {height}×{width} at offset ({top}, {left}) does not fit into "
            f"{H}×{W} pixels (x has shape {x.shape})"
        )
    return Crop((top, left), (height, width))(x)


def pad(x: Tensor, padding: Any) -> Tensor:
    """Frame x with zeros: the adjoint of `crop`.

    Args:
        x: (…, H, W).
        padding: int, (height, width) or ((top, bottom), (left, right)); pixels.

    Returns:
        (…, top + H + bottom, left + W + right).
    """
    (top, bottom), (left, right) = pads(padding)
    H, W = x.shape[-2:]
    return Crop((-top, -left), (top + H + bottom, left + W + right))(x)


def bilinear_kernel(kernel_size: Any, dtype: Any = np.float64) -> np.ndarray:
    """Return the weights of bilinear interpolation, (KH, KW).

    Along one axis, with factor f = ⌊(k + 1) / 2⌋ and centre m = f − 1 for odd k,
    f − ½ for even k:

        w[i] = 1 − |i − m| / f

    and the kernel is their outer product. A transposed convolution of stride f by it
    enlarges f times; k = 4: [¼, ¾, ¾, ¼]. Source: Long et al. 2015, section 3.3.
    """
    rows, cols = (_triangle(k) for k in pair(kernel_size, "kernel_size", 1))
    return np.outer(rows, cols).astype(dtype)


def _triangle(k: int) -> np.ndarray:
    factor = (k + 1) // 2
    centre = factor - 1 if k % 2 else factor - 0.5
    return 1 - abs(np.arange(k) - centre) / factor


def deinterleave_array(
    x: Array, start: Any, phases: Any, stride: Any, size: Any
) -> Array:
    """Gather x's phases: out[n, (c·A + a)·B + b, r, q] = x[n, c, top + r·SH + a, …].

    x (N, C, H, W) → (N, C·A·B, *size), with zeros outside of x; A, B phases per axis.
    A convolution of stride S over x is one of stride 1 over the phases.
    """
    (N, C), (A, B) = x.shape[:2], phases
    out = array_module(x).empty((N, C, A, B, *size), x.dtype)
    for a in range(A):
        for b in range(B):
            read_grid(x, out[:, :, a, b], (start[0] + a, start[1] + b), stride)
    return out.reshape(N, C * A * B, *size)


def interleave_array(
    phases: Array, start: Any, counts: Any, stride: Any, size: Any
) -> Array:
    """Put the phases back where they were: the adjoint of `deinterleave_array`.

    (N, C·A·B, h, w) → (N, C, *size); where no phase lies, zero.
    """
    (A, B), (N, CAB, h, w) = counts, phases.shape
    x = array_module(phases).zeros((N, CAB // (A * B), *size), phases.dtype)
    split = phases.reshape(N, -1, A, B, h, w)
    for a in range(A):
        for b in range(B):
            add_grid(x, split[:, :, a, b], (start[0] + a, start[1] + b), stride)
    return x
