"""Average pooling: the mean of each window; each pixel gets its share of the gradient.

The sum over a window is a sum over its rows of sums over its columns, so the rows are
added first and then the columns: KH + KW additions, where the definition has KH · KW.
"""

from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu, parallel
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import whole
from .im2col import overlap
from .inputs import check_image
from .pooling import Windows, parts, places, planes

KERNELS = Kernels(__file__)


def avg_pool2d_definition(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    dilation: Any = 1,
) -> Array:
    """Say average pooling by its definition: look at each window, add up and divide."""
    windows = Windows(kernel_size, stride, padding, dilation, ceil_mode)
    (top, bottom), (left, right) = windows.padding
    N, C, H, W = x.shape
    y = np.empty((N, C, *windows.output_size(x.shape)), x.dtype)
    for n, c, r, q in np.ndindex(*y.shape):
        taps = places(windows, r, q)
        seen = [(h, w) for h, w in taps if 0 <= h < H and 0 <= w < W]
        # In ceil mode a window may hang over the padding: that does not count.
        framed = [
            (h, w) for h, w in taps if -top <= h < H + bottom and -left <= w < W + right
        ]
        count = len(framed if count_include_pad else seen) or 1  # 0 / 1 = 0
        total = sum(x[n, c, h, w] for h, w in seen)
        y[n, c, r, q] = total / (divisor_override or count)
    return y


class AvgPool2d(Function):
    """Means of windows: y = (sums of windows) / divisor, linear in x."""

    makes_gradients = True

    def __init__(self, windows: Windows, include_pad: bool, override: int | None):
        self.windows, self.include_pad, self.override = windows, include_pad, override

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        size = self.windows.output_size(x.shape)
        if not on_cpu(x):
            return self._launch(contiguous(x), size)
        y = np.zeros((*x.shape[:2], *size), x.dtype)  # (N, C, OH, OW)
        self.divisor = np.asarray(self._divisor(x.shape), x.dtype)  # (OH, OW)
        pixels, means = planes(x), planes(y)  # (N·C, H, W), (N·C, OH, OW)
        parallel(lambda part: self._gather(pixels[part], means[part]), parts(x))
        return y

    def backward(self, gy: Array) -> Array:
        if not on_cpu(gy):
            return self._launch_backward(contiguous(gy))
        gx = np.zeros(self.shape, gy.dtype)
        means, pixels = planes(gy), planes(gx)
        parallel(lambda part: self._scatter(means[part], pixels[part]), parts(gx))
        return gx

    def _launch(self, x: Array, size: tuple[int, int]) -> Array:
        xp, numbers = array_module(x), self.windows.numbers(x.shape, size)
        y = xp.empty((*x.shape[:2], *size), x.dtype)  # (N, C, OH, OW)
        if self.override is not None:
            self.divisor = xp.full(size, self.override, x.dtype)
        else:
            self.divisor = xp.empty(size, x.dtype)
            self._launch_divisor(x.shape)
        KERNELS.avg_pool(y.size, x, self.divisor, y, y.size, *numbers)
        return y

    def _launch_divisor(self, shape: tuple[int, ...]) -> None:
        """Fill the divisor on the device: nothing of `_divisor` is copied there."""
        windows, count = self.windows, self.divisor.size
        sides = windows.kernel, windows.stride, windows.dilation, *windows.padding
        numbers = (n for side in sides for n in side)
        H, W, OW = *shape[2:], self.divisor.shape[1]
        KERNELS.avg_pool_divisor(
            count, self.divisor, count, H, W, OW, *numbers, self.include_pad
        )

    def _launch_backward(self, gy: Array) -> Array:
        gx = array_module(gy).empty(self.shape, gy.dtype)
        numbers = self.windows.numbers(gx.shape, gy.shape)
        KERNELS.avg_pool_backward(gx.size, gy, self.divisor, gx, gx.size, *numbers)
        return gx

    def _gather(self, x: Array, y: Array) -> None:
        """Add up each window of x in y (zeros so far), and divide."""
        rows, cols = self._taps(y.shape)
        lines = array_module(x).zeros((len(x), y.shape[1], x.shape[2]), x.dtype)
        for outputs, pixels in rows:  # (P, H, W) → (P, OH, W)
            lines[:, outputs] += x[:, pixels]
        for outputs, pixels in cols:  # (P, OH, W) → (P, OH, OW)
            y[:, :, outputs] += lines[:, :, pixels]
        y /= self.divisor

    def _scatter(self, gy: Array, gx: Array) -> None:
        """Give each pixel gy / divisor from every window that sees it."""
        rows, cols = self._taps(gy.shape)
        shares = gy / self.divisor
        lines = array_module(gy).zeros((len(gy), gy.shape[1], gx.shape[2]), gy.dtype)
        # What `_gather` does, backwards: the roles of the slices are swapped.
        for outputs, pixels in cols:  # (P, OH, OW) → (P, OH, W)
            lines[:, :, pixels] += shares[:, :, outputs]
        for outputs, pixels in rows:  # (P, OH, W) → (P, H, W)
            gx[:, pixels] += lines[:, outputs]

    def _taps(self, y_shape: tuple[int, ...]) -> list[list[tuple[slice, slice]]]:
        """Return for each tap of an axis the outputs that read, and what they read."""
        return [
            [
                overlap(y_shape[axis], self.shape[axis], start, step)
                for start in self.windows.starts(axis, self.shape[axis], y_shape[axis])
            ]
            for axis, step in zip((-2, -1), self.windows.stride, strict=True)
        ]

    def _divisor(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return what the sum of each window is divided by, (OH, OW)."""
        size = self.windows.output_size(shape)
        if self.override is not None:
            return np.full(size, self.override)
        rows, cols = (
            self._counts(axis, shape[2 + axis], size[axis]) for axis in (0, 1)
        )
        # A window that sees nothing has the sum 0: its mean is 0, not 0/0.
        return np.maximum(np.outer(rows, cols), 1)

    def _counts(self, axis: int, n: int, n_out: int) -> np.ndarray:
        """Count along one axis the taps of each window that lie where it counts."""
        before, after = self.windows.padding[axis]
        low, high = (-before, n + after) if self.include_pad else (0, n)
        starts = np.arange(n_out) * self.windows.stride[axis] - before
        # Tap i lies at start + i·apart; −(a // b) is −a / b rounded up.
        apart = self.windows.dilation[axis]
        first = np.maximum(-((starts - low) // apart), 0)
        end = np.minimum(-((starts - high) // apart), self.windows.kernel[axis])
        return np.maximum(end - first, 0)


def avg_pool2d(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    dilation: Any = 1,
) -> Tensor:
    """Return the mean of each window.

        y[n, c, r, q] = 1 / divisor[r, q] ·
            Σ over i, j of x[n, c, r·SH + i·DH − top, q·SW + j·DW − left]

    with zeros outside of x. The divisor counts the taps of the window that lie in the
    padded input, or only those inside of x; in ceil mode, a tap that hangs over the
    padding counts in neither. A dilated window may have no tap inside of x at all: it
    gives 0 and passes no gradient on. As `torch.nn.functional.avg_pool2d`, which has no
    dilation; `models.a_trous` needs one.

    Args:
        x: (N, C, H, W).
        kernel_size, stride: int or (height, width); stride is kernel_size where it is
            left out.
        padding: int, (height, width) or ((top, bottom), (left, right)), at most half
            of the window.
        ceil_mode: round the output size up, as Caffe does: the last window may hang
            over the border.
        count_include_pad: count the padding's zeros in the divisor.
        divisor_override: divide by this whole number instead, not 0.
        dilation: int or (height, width); pixels from tap to tap.

    Returns:
        (N, C, OH, OW), of the size that `max_pool2d` has.

    Raises:
        ValueError: x has not four axes, or none of C, H, W; the window does not fit;
            divisor_override is 0.
        TypeError: x is no Tensor of float32 or float64.
    """
    check_image("avg_pool2d", x)
    windows = Windows(kernel_size, stride, padding, dilation, ceil_mode)
    windows.output_size(x.shape)
    override = _check_divisor(divisor_override)
    return AvgPool2d(windows, count_include_pad, override)(x)


def _check_divisor(divisor: Any) -> int | None:
    if divisor is None:
        return None
    number = whole(divisor, "divisor_override", -(2**63))  # below 0 is allowed
    if number == 0:
        raise ValueError(
            "divisor_override is 0; it must be another whole number, or None for the "
            "number of taps"
        )
    return number
