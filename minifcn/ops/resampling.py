"""Cutting, framing and interleaving: where pixels go, unchanged in value.

crop and pad are adjoint; so are deinterleave and interleave.
"""

from typing import Any

import numpy as np

from ..arrays import Array, array_module
from ..autograd import Function, Tensor
from ..geometry import pads, pair
from .im2col import cut


class Crop(Function):
    """A rectangle of the input; the gradient is framed with zeros."""

    output_is_shared = True  # a crop of everything is x itself

    def __init__(self, offset: tuple[int, int], size: tuple[int, int]):
        self.offset, self.size = offset, size

    def forward(self, x: Array) -> Array:
        self.input_size = x.shape[-2:]
        return cut(x, self.offset, self.size)

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

    Raises:
        ValueError: the rectangle does not lie inside x.
    """
    (top, left), (height, width) = pair(offset, "offset"), pair(size, "size", 1)
    H, W = _sides(x)
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
    H, W = _sides(x)
    # A crop that begins outside of x, where cut puts zeros.
    return Crop((-top, -left), (top + H + bottom, left + W + right))(x)


def _sides(x: Tensor) -> tuple[int, ...]:
    if x.ndim < 2:
        raise ValueError(f"x has shape {x.shape}; it needs two axes or more (…, H, W)")
    return x.shape[-2:]


def bilinear_kernel(kernel_size: Any, dtype: Any = np.float64) -> np.ndarray:
    """Return the weights of bilinear interpolation, (KH, KW).

    Along one axis, with factor f = ⌊(k + 1) / 2⌋ and centre m = f − 1 for odd k,
    f − ½ for even k:

        w[i] = 1 − |i − m| / f

    and the kernel is their outer product. A transposed convolution of stride f by it
    enlarges f times; k = 4: [¼, ¾, ¾, ¼]. Source: Long et al. 2015, section 3.3.
    """
    rows, cols = (_triangle(k) for k in pair(kernel_size, "kernel_size", 1))
    return np.outer(rows, cols).astype(dtype)  # (KH, KW)


def _triangle(k: int) -> np.ndarray:
    factor = (k + 1) // 2
    centre = factor - 1 if k % 2 else factor - 0.5  # between two taps for even k
    return 1 - abs(np.arange(k) - centre) / factor  # (k,)


def deinterleave_array(
    x: Array, start: Any, phases: Any, stride: Any, size: Any
) -> Array:
    """Sort the pixels of x by phase, each phase a channel of its own.

        out[n, (c·A + a)·B + b, r, q] = x[n, c, top + r·SH + a, left + q·SW + b]

    for a < A, b < B, with zeros outside of x: (N, C, H, W) → (N, C·A·B, *size). A
    convolution of stride S over x is one of stride 1 over the phases.
    """
    (N, C), (A, B), (h, w), (SH, SW) = x.shape[:2], phases, size, stride
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
    grid = array_module(x).zeros((N, C, h, SH, w, SW), x.dtype)
    # (N, C, h, A, w, B); the phases that nothing reads stay zero.
    grid[:, :, :, :A, :, :B] = x.reshape(N, C, A, B, h, w).transpose(0, 1, 4, 2, 5, 3)
    return cut(grid.reshape(N, C, h * SH, w * SW), back, size)  # (N, C, *size)
