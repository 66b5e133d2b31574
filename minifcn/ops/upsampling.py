"""Bilinear enlargement: a transposed convolution whose kernel is fixed."""

from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import pair
from .convolution import conv_transpose2d
from .inputs import check_image

KERNELS = Kernels(__file__)


def bilinear_kernel_definition(kernel_size: Any, dtype: Any = np.float64) -> np.ndarray:
    """Say the bilinear kernel by its definition, tap by tap (see `bilinear_kernel`).

    The product of two triangles, each with its top at the middle of the k taps, down
    to zero f = ⌈k / 2⌉ pixels away.
    """
    KH, KW = pair(kernel_size, "kernel_size", 1)
    w = np.zeros((KH, KW), dtype)
    for i, j in np.ndindex(KH, KW):
        row = 1 - abs(i - (KH - 1) / 2) / -(-KH // 2)
        col = 1 - abs(j - (KW - 1) / 2) / -(-KW // 2)
        w[i, j] = row * col
    return w


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


def upsample_definition(x: Array, factor: Any) -> Array:
    """Say bilinear enlargement by its definition, sum by sum (see `upsample`)."""
    (N, C, H, W), (FH, FW) = x.shape, pair(factor, "factor", 1)
    y = np.zeros((N, C, H * FH, W * FW), x.dtype)
    for u, v in np.ndindex(H * FH, W * FW):
        # The middle of output pixel (u, v), seen from the input's.
        h, w = (u + 0.5) / FH - 0.5, (v + 0.5) / FW - 0.5
        for r, q in np.ndindex(H, W):
            near = max(0, 1 - abs(h - r)) * max(0, 1 - abs(w - q))
            y[:, :, u, v] += near * x[:, :, r, q]
    return y


class Upsample(Function):
    """Each output pixel gathers up to 2 × 2 of x; the gradient goes back the same way.

    On devices with kernels; on the CPU a transposed convolution is as fast.
    """

    def __init__(self, factor: tuple[int, int]):
        self.factor = factor

    def forward(self, x: Array) -> Array:
        (N, C, H, W), (FH, FW) = x.shape, self.factor
        y = array_module(x).empty((N, C, H * FH, W * FW), x.dtype)
        KERNELS.upsample(y.size, contiguous(x), y, y.size, H, W, FH, FW)
        return y

    def backward(self, gy: Array) -> Array:
        (N, C, OH, OW), (FH, FW) = gy.shape, self.factor
        H, W = OH // FH, OW // FW
        rows = array_module(gy).empty((N, C, H, OW), gy.dtype)
        KERNELS.gather_axis(rows.size, contiguous(gy), rows, rows.size, H, FH, OW)
        gx = array_module(gy).empty((N, C, H, W), gy.dtype)
        KERNELS.gather_axis(gx.size, rows, gx, gx.size, W, FW, 1)
        return gx


def upsample(x: Tensor, factor: Any) -> Tensor:
    """Enlarge each channel by itself, bilinearly.

        y[n, c, u, v] = Σ over r, q of t((u + ½)/FH − ½ − r) · t((v + ½)/FW − ½ − q)
                                       · x[n, c, r, q],   t(d) = max(0, 1 − |d|)

    A transposed convolution of stride f by the bilinear kernel of k = 2f − f mod 2
    taps, (k − f)/2 cut off on each side. Inside it is resizing with half-pixel centres
    (`torch.nn.functional.interpolate` with align_corners=False); beyond the border of
    x lie zeros, so it darkens within f/2 of it. Linear; its gradient is its transpose,
    a strided convolution. Source: Long et al. 2015, section 3.3.

    Args:
        x: (N, C, H, W).
        factor: int or (FH, FW); 1 changes nothing.

    Returns:
        (N, C, H·FH, W·FW).

    Raises:
        ValueError: x has not four axes; a factor below 1.
        TypeError: x is no Tensor of float32 or float64; factor is no whole number.
    """
    check_image("upsample", x)
    (N, C, H, W), (FH, FW) = x.shape, pair(factor, "factor", 1)
    if not on_cpu(x.data):
        return Upsample((FH, FW))(x)
    KH, KW = 2 * FH - FH % 2, 2 * FW - FW % 2
    kernel = bilinear_kernel((KH, KW), x.dtype)
    # A channel is an image of its own: no kernel from each channel to every other.
    planes = x.reshape(N * C, 1, H, W)
    y = conv_transpose2d(
        planes,
        Tensor(kernel).reshape(1, 1, KH, KW),
        stride=(FH, FW),
        padding=((KH - FH) // 2, (KW - FW) // 2),
    )
    return y.reshape(N, C, H * FH, W * FW)
