"""Local response normalization: channels at one pixel damp their neighbours."""

import math
from typing import Any

import numpy as np

from ..arrays import PIECE, Array, array_module, blocks, contiguous, on_cpu, parallel
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import whole
from .im2col import overlap
from .inputs import check_image

KERNELS = Kernels(__file__)


def local_response_norm_definition(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """Say it by its definition: one number at a time (see `local_response_norm`)."""
    y = np.zeros_like(x)
    for n, c, h, w in np.ndindex(*x.shape):
        squares = 0.0
        for other in range(c - size // 2, c + (size - 1) // 2 + 1):
            if 0 <= other < x.shape[1]:
                squares += x[n, other, h, w] ** 2
        y[n, c, h, w] = x[n, c, h, w] / (k + alpha / size * squares) ** beta
    return y


class LocalResponseNorm(Function):
    """y_c = x_c · s_c^−β, s_c = k + α/size · Σ x² over the window of channel c.

    A channel acts on its own y through the factor, and through s on each y_i in whose
    window it lies:

        gx_c = gy_c · s_c^−β − 2αβ/size · x_c · Σ over those i of gy_i x_i s_i^(−β − 1)
    """

    def __init__(self, size: int, alpha: float, beta: float, k: float):
        self.before, self.after = size // 2, (size - 1) // 2  # the window's channels
        self.factor, self.beta, self.k = alpha / size, beta, k

    def forward(self, x: Array) -> Array:
        x = x if on_cpu(x) else contiguous(x)
        xp = array_module(x)
        self.x, self.s, y = x, xp.empty_like(x), xp.empty_like(x)
        if on_cpu(x):
            parallel(lambda part: self._fill(x[part], self.s[part], y[part]), _bands(x))
        else:
            numbers = self.factor, self.beta, self.k
            KERNELS.response_norm(x.size, x, self.s, y, *self._sizes(x), *numbers)
        return y

    def _sizes(self, x: Array) -> tuple[int, ...]:
        """Return what kernels ask: x's size, C, H·W, and the window within C."""
        N, C, H, W = x.shape
        return x.size, C, H * W, min(self.before, C), min(self.after, C)

    def _fill(self, x: Array, s: Array, y: Array) -> None:
        """Fill s and y of a few rows of one image, all (C, rows, W)."""
        _window_sum(x * x, self.before, self.after, out=s)
        s *= self.factor
        s += self.k
        np.multiply(x, s**-self.beta, out=y)

    def backward(self, gy: Array) -> Array:
        if on_cpu(gy):
            gx = np.empty_like(gy)
            parallel(lambda part: self._gradient(part, gy[part], gx[part]), _bands(gy))
            return gx
        direct = contiguous(gy * self.s**-self.beta)  # gy_c · s_c^−β
        gx = array_module(gy).empty_like(direct)
        slope = 2 * self.factor * self.beta
        KERNELS.response_norm_backward(
            gx.size, self.x, self.s, direct, gx, *self._sizes(gx), slope
        )
        return gx

    def _gradient(self, part: Any, gy: Array, gx: Array) -> None:
        x, s = self.x[part], self.s[part]
        direct = gy * s**-self.beta  # gy_c · s_c^−β
        # i's window holds c where c's mirrored window holds i: the two ends swap.
        _window_sum(direct * x / s, self.after, self.before, out=gx)
        gx *= x
        gx *= -2 * self.factor * self.beta
        gx += direct


def _window_sum(x: Array, before: int, after: int, out: Array) -> None:
    """Fill out[c] = x[c − before] + … + x[c + after], zeros outside; both (C, …)."""
    # Not differences of a running sum: they would lose the small beside the large.
    out[...] = 0
    C = len(x)
    for shift in range(max(-before, 1 - C), min(after, C - 1) + 1):
        inside, channels = overlap(C, C, shift)
        out[inside] += x[channels]


def _bands(x: Array) -> list[Any]:
    """Cut x (N, C, H, W) into rows of one image, for `parallel`: they fit the cache."""
    N, C, H, W = x.shape
    rows = blocks(H, PIECE // (C * W))
    return [(n, slice(None), band) for n in range(N) for band in rows]


def local_response_norm(
    x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide each channel by what the channels around it amount to, pixel by pixel.

        y[n, c, h, w] = x[n, c, h, w] / s[n, c, h, w]^beta
        s[n, c, h, w] = k + alpha / size · Σ over i of x[n, i, h, w]²

    over the `size` channels i from c − ⌊size / 2⌋ to c + ⌊(size − 1) / 2⌋, zeros
    outside of x: one more before c than after it where size is even.

    Three ways of counting alpha are about. Here, in Caffe and in torch it is divided by
    the size, so that it weighs the window's mean square. The paper multiplies the sum
    as it is: its alpha is alpha / size here. The paper's k = 2, n = 5, α = 1e-4 is
    `local_response_norm(x, 5, alpha=5e-4, k=2)`; Caffe's AlexNet has size 5,
    alpha = 1e-4, beta = 0.75 and k = 1, which is `local_response_norm(x, 5)`.

    As `torch.nn.functional.local_response_norm` and Caffe's LRN across channels, whose
    size is odd. Source: Krizhevsky, Sutskever and Hinton 2012, section 3.3; Caffe's
    lrn_layer.cpp.

    Args:
        x: (N, C, H, W).
        size: how many channels a window holds; may be more than C.
        alpha: 0 or more.
        beta: the exponent.
        k: 0 or more; with k = 0 a pixel of nothing but zeros gives nan, 0 / 0.

    Returns:
        The shape of x.

    Raises:
        TypeError: x is no Tensor of float32 or float64; size is no whole number, or
            alpha, beta or k no real one.
        ValueError: x has not four axes, or no channel, row or column; size is less
            than 1; alpha or k is negative, or one of the three not finite.
    """
    check_image("local_response_norm", x)
    size = whole(size, "size", minimum=1)
    for name, number in (("alpha", alpha), ("beta", beta), ("k", k)):
        _check_number(number, name, least=-math.inf if name == "beta" else 0)
    return LocalResponseNorm(size, float(alpha), float(beta), float(k))(x)


def _check_number(number: Any, name: str, least: float) -> None:
    real = float | int | np.floating | np.integer
    if isinstance(number, bool) or not isinstance(number, real):
        raise TypeError(f"{name} must be a number, not {number!r}")
    try:
        finite = math.isfinite(number)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    if not (number >= least and finite):
        raise ValueError(
            f"{name} is {number}; it must be a finite number"
            + (", 0 or more" if least == 0 else "")
        )
