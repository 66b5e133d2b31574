"""Max pooling: the largest value of each window; the gradient goes to where it was."""

from itertools import product
from typing import Any

import numpy as np

from ..arrays import (
    Array,
    array_module,
    blocks,
    contiguous,
    on_cpu,
    parallel,
    workspace,
)
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import pads, pair, pool_output_size
from . import pairs
from .activation import keep
from .im2col import Pads, overlap
from .inputs import check_image

KERNELS = Kernels(__file__)

# Numbers, 4 MiB of float32: in each step more to do than to hand Python's lock over.
PART = 1 << 20


class Windows:
    """The grid of pooling windows over an image, and the pixels that each tap reads."""

    def __init__(
        self, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ):
        self.kernel = pair(kernel, "kernel_size", 1)
        self.stride = self.kernel if stride is None else pair(stride, "stride", 1)
        (top, bottom), (left, right) = pads(padding)
        self.padding: Pads = (top, bottom), (left, right)
        self.dilation = pair(dilation, "dilation", 1)
        self.ceil_mode = ceil_mode

    def output_size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(OH, OW) over an input of this shape."""
        OH, OW = (
            pool_output_size(n, k, s, p, d, self.ceil_mode, axis=axis)
            for n, k, s, p, d, axis in zip(
                shape[-2:],
                self.kernel,
                self.stride,
                self.padding,
                self.dilation,
                ("height", "width"),
                strict=True,
            )
        )
        return OH, OW

    def are_halves(self) -> bool:
        """Whether they are 2 × 2 pixels, side by side, from the first pixel on."""
        return (
            self.kernel == self.stride == (2, 2)
            and self.padding == ((0, 0), (0, 0))
            and self.dilation == (1, 1)
        )

    def starts(self, axis: int, n: int, n_out: int) -> list[int]:
        """Return what each tap along an axis reads for the first of n_out windows.

        Taps that lie in the padding for all of the windows are left out.
        """
        step, apart = self.stride[axis], self.dilation[axis]
        reads = np.arange(self.kernel[axis]) * apart - self.padding[axis][0]
        # The last window reads so many pixels on.
        seeing = (reads < n) & (reads + (n_out - 1) * step >= 0)
        starts: list[int] = reads[seeing].tolist()
        return starts

    def taps(self, shape: Any, size: Any) -> list[tuple[int, int]]:
        """Return the (top, left) pixel that each tap reads for the first window.

        Args:
            shape: (…, H, W), the image's.
            size: (…, OH, OW), the output's.
        """
        rows, cols = (self.starts(axis, shape[axis], size[axis]) for axis in (-2, -1))
        return list(product(rows, cols))

    def grids(self, start: tuple[int, int], size: Any, shape: Any) -> Any:
        """Return the windows in which this tap lies inside, and the pixels it reads."""
        rows, from_rows = overlap(size[0], shape[-2], start[0], self.stride[0])
        cols, from_cols = overlap(size[1], shape[-1], start[1], self.stride[1])
        return (..., rows, cols), (..., from_rows, from_cols)  # into y, into x

    def numbers(self, shape: Any, size: Any) -> tuple[int, ...]:
        """Return H W OH OW KH KW SH SW DH DW top left, as kernels take them."""
        (top, _), (left, _) = self.padding
        sides = shape[-2:], size[-2:], self.kernel, self.stride, self.dilation
        return (*(n for side in sides for n in side), top, left)


def places(windows: Windows, r: int, q: int) -> list[tuple[int, int]]:
    """Say by its definition where window (r, q) looks, row by row, padding and all."""
    (KH, KW), (SH, SW), (DH, DW) = windows.kernel, windows.stride, windows.dilation
    (top, _), (left, _) = windows.padding
    return [
        (r * SH + i * DH - top, q * SW + j * DW - left)
        for i in range(KH)
        for j in range(KW)
    ]


def max_pool2d_definition(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Say max pooling by its definition: look at each window, keep the first largest.

    Returns the maxima, and if asked for the pixel numbers h·W + w where they were: −1
    for a window that sees only padding, whose maximum is −∞.
    """
    windows = Windows(kernel_size, stride, padding, dilation, ceil_mode)
    N, C, H, W = x.shape
    y = np.empty((N, C, *windows.output_size(x.shape)), x.dtype)
    indices = np.empty(y.shape, np.int64)
    for n, c, r, q in np.ndindex(*y.shape):
        seen = [(h, w) for h, w in places(windows, r, q) if 0 <= h < H and 0 <= w < W]
        largest = np.max([x[n, c, h, w] for h, w in seen], initial=-np.inf)
        where = [h * W + w for h, w in seen if x[n, c, h, w] == largest]
        y[n, c, r, q] = largest
        indices[n, c, r, q] = where[0] if where else -1  # the first of equals
    return (y, indices) if return_indices else y


class MaxPool2d(Function):
    """Maxima of windows.

    Which pixel was the largest is found again in backward, from the input that the
    layer below keeps anyway: the first tap, row by row, whose value is the maximum.
    Kernels do the same, from the pixel's side; that costs a GPU a second look at the
    few windows whose maximum equals the pixel, and no memory for indices.
    """

    output_is_shared = True  # backward compares y with x
    makes_gradients = True

    def __init__(self, windows: Windows):
        self.windows = windows

    def forward(self, x: Array) -> Array:
        size = self.windows.output_size(x.shape)
        x = x if on_cpu(x) else contiguous(x)
        y = array_module(x).empty((*x.shape[:2], *size), x.dtype)  # (N, C, OH, OW)
        self.x, self.y = x, y
        if not on_cpu(x):
            numbers = self.windows.numbers(x.shape, size)
            KERNELS.max_pool(y.size, x, y, y.size, *numbers, -np.inf)
            return y
        pixels, maxima = planes(x), planes(y)  # (N·C, H, W), (N·C, OH, OW)
        parallel(lambda part: self._maxima(pixels[part], maxima[part]), parts(x))
        return y

    def _maxima(self, x: Array, y: Array) -> None:
        """Fill y (P, OH, OW): the largest of each window's rows, then of its columns.

        Whole rows lie one number after the other, so that most of the work is done
        before any pixel is picked out of a row. Some rows at a time: they stay in the
        cache from one step to the next.
        """
        (P, OH, _), W = y.shape, x.shape[2]
        for rows in blocks(OH, PART // max(1, P * W)):
            lines = workspace("lines", (P, rows.stop - rows.start, W), x.dtype)
            self._largest(1, x, lines, rows.start)
            self._largest(2, lines, y[:, rows], 0)

    def _largest(self, axis: int, x: Array, y: Array, first: int) -> None:
        """Fill y with the largest along an axis of x, −∞ where no tap sees x.

        Args:
            axis: 1 or 2, of the rows or the columns.
            x: (P, H, W).
            y: (P, h, W) or (P, H, w), some windows of that axis.
            first: the number of y's first window.
        """
        step, n, count = self.windows.stride[axis - 1], x.shape[axis], y.shape[axis]
        x, y = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
        taps = [
            overlap(count, n, start + first * step, step)
            for start in self.windows.starts(axis - 1, n, first + count)
        ]
        # The tap that most windows see: where all do, it is compared with another at
        # once, and not written first.
        taps.sort(key=lambda tap: tap[0].start - tap[0].stop)
        if len(taps) > 1 and taps[0][0] == slice(0, count):
            (_, pixels), (inside, others), *taps = taps
            read = x[pixels]
            np.maximum(read[inside], x[others], out=y[inside])
            y[: inside.start] = read[: inside.start]
            y[inside.stop :] = read[inside.stop :]
        else:
            y[...] = -np.inf
        for inside, pixels in taps:
            np.maximum(y[inside], x[pixels], out=y[inside])

    def backward(self, gy: Array) -> Array:
        if not on_cpu(gy):
            gx = array_module(gy).empty(self.x.shape, gy.dtype)
            numbers = gx.size, *self.windows.numbers(gx.shape, gy.shape)
            KERNELS.max_pool_backward(
                gx.size, self.x, self.y, contiguous(gy), gx, *numbers
            )
            return gx
        gx = np.empty(self.x.shape, gy.dtype)
        # Views: what is written into the planes of gx is in gx.
        arrays = [planes(array) for array in (self.x, self.y, gy, gx)]
        plain = all(array.flags.c_contiguous for array in arrays)
        by_pairs = plain and gx.itemsize == 4 and self.windows.are_halves()
        way = self._scatter_pairs if by_pairs else self._scatter
        parallel(lambda part: way(*(array[part] for array in arrays)), parts(self.x))
        return gx

    def _scatter_pairs(self, x: Array, y: Array, gy: Array, gx: Array) -> None:
        """Fill gx by pairs; what is left of an odd side, at the end, as in general."""
        (_, H, W), (_, OH, OW) = x.shape, y.shape
        h, w = H // 2, W // 2
        # Regions of the image, and of the output.
        whole = (..., slice(2 * h), slice(2 * w)), (..., slice(h), slice(w))
        below = (..., slice(2 * h, H), slice(W)), (..., slice(h, OH), slice(OW))
        right = (..., slice(2 * h), slice(2 * w, W)), (..., slice(h), slice(w, OW))
        for way, (image, output) in (
            (pairs.scatter, whole),
            (self._scatter, below),
            (self._scatter, right),
        ):
            way(x[image], y[output], gy[output], gx[image])

    def _scatter(self, x: Array, y: Array, gy: Array, gx: Array) -> None:
        gx[...] = 0
        free = array_module(x).ones(y.shape, bool)  # windows whose maximum is not found
        for start in self.windows.taps(x.shape, y.shape):
            inside, pixels = self.windows.grids(start, y.shape[-2:], x.shape)
            hit = x[pixels] == y[inside]  # where this tap is a maximum
            hit &= free[inside]  # and the first
            free[inside] ^= hit  # no longer free, as hit implies free
            # Overlapping windows may share a maximum: their gradients add up.
            share = np.empty(hit.shape, gy.dtype)
            keep(hit, gy[inside], share)
            gx[pixels] += share


def planes(x: Array) -> Array:
    """(N, C, H, W) → (N·C, H, W): pooling treats all of them alike."""
    return x.reshape(-1, *x.shape[2:])


def parts(x: Array) -> list[slice]:
    """Cut the planes of x into parts that fit the cache, for `parallel`."""
    N, C, H, W = x.shape
    return blocks(N * C, max(1, PART // (H * W)))  # one plane at least


def _indices(x: Array, y: Array, windows: Windows) -> Array:
    """Return the pixel number h·W + w of each window's first maximum."""
    xp, W = array_module(x), x.shape[-1]
    if not on_cpu(x):
        indices = xp.empty(y.shape, xp.int64)
        sides = windows.numbers(x.shape, y.shape)
        KERNELS.max_pool_indices(y.size, contiguous(x), y, indices, y.size, *sides)
        return indices
    numbers = xp.arange(x.shape[-2] * W).reshape(x.shape[-2:])  # (H, W)
    indices = xp.full(y.shape, -1, xp.int64)
    for start in windows.taps(x.shape, y.shape):
        inside, pixels = windows.grids(start, y.shape[-2:], x.shape)
        hit = (x[pixels] == y[inside]) & (indices[inside] < 0)
        # pixels[1:], as numbers has no axis before H and W.
        indices[inside] = xp.where(hit, numbers[pixels[1:]], indices[inside])
    return indices


def max_pool2d(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest value of each window.

        y[n, c, r, q] = max over i, j of x[n, c, r·SH + i·DH − top, q·SW + j·DW − left]

    over the taps that lie inside of x: padding counts as −∞, and never wins. Where
    several are largest, the gradient goes to the first, row by row; where windows
    overlap, a pixel that is largest in several gets the sum of their gradients. A
    window that holds a NaN gives NaN, and passes no gradient on. As
    `torch.nn.functional.max_pool2d`.

    Args:
        x: (N, C, H, W).
        kernel_size, stride, dilation: int or (height, width); stride is kernel_size
            where it is left out.
        padding: int, (height, width) or ((top, bottom), (left, right)), at most half
            of the window.
        ceil_mode: round the output size up, as Caffe does: the last window may hang
            over the border.
        return_indices: also return where each maximum was, an array of h·W + w; −1
            where there is none (only padding, whose maximum is −∞, or a NaN).

    Returns:
        (N, C, OH, OW), OH = ⌊(H + top + bottom − DH·(KH − 1) − 1) / SH⌋ + 1, and its
        indices if asked for: what `max_unpool2d` takes.

    Raises:
        ValueError: x has not four axes, or none of C, H, W; the window does not fit.
        TypeError: x is no Tensor of float32 or float64.
    """
    check_image("max_pool2d", x)
    windows = Windows(kernel_size, stride, padding, dilation, ceil_mode)
    y = MaxPool2d(windows)(x)
    return (y, _indices(x.data, y.data, windows)) if return_indices else y
