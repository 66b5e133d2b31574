"""Max unpooling: each value goes back to the pixel where max pooling found it.

The indices pair windows with pixels, and both directions only follow the pairs:

    forward     y[pixel]   = x[window]        zero elsewhere
    backward    gx[window] = gy[pixel]        zero elsewhere

Where windows do not overlap, these are max pooling's own two directions, swapped: its
backward is this forward, its forward (the indices held fast) is this backward.
"""

from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu, parallel, to_numpy
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import pair
from .inputs import check_image
from .pooling import Windows, parts, planes

KERNELS = Kernels(__file__)


def unpooled_size(
    shape: tuple[int, ...], windows: Windows, output_size: Any = None
) -> tuple[int, int]:
    """Return (H, W) of the image whose windows gave maxima of this shape.

        H = (OH − 1)·SH − top − bottom + KH

    A stride may have lost up to SH − 1 rows, or ceil mode added as many, so that any
    `output_size` less than one stride from there will do.

    Raises:
        ValueError: output_size is farther away, or nothing is left of the output.
    """
    sides = shape[-2:], windows.kernel, windows.stride, windows.padding
    usual = [(n - 1) * s - sum(p) + k for n, k, s, p in zip(*sides, strict=True)]
    given = (
        f"x has shape {shape}, kernel_size {windows.kernel}, stride {windows.stride}, "
        f"padding {windows.padding}"
    )
    # Of a full shape (N, C, H, W) the last two count.
    full = isinstance(output_size, tuple | list) and len(output_size) == 4
    size = output_size[2:] if full else output_size
    H, W = usual if size is None else pair(size, "output_size", 1)
    for axis, n, middle, step in zip(
        ("height", "width"), (H, W), usual, windows.stride, strict=True
    ):
        low, high = max(1, middle - step + 1), middle + step - 1
        if high < 1 or (size is None and middle < 1):
            larger = f" (output_size may say up to {high})" if high >= 1 else ""
            raise ValueError(
                f"the padding leaves nothing of the {axis}{larger}: {given}"
            )
        if not low <= n <= high:
            raise ValueError(
                f"output_size is {(H, W)}; its {axis} must lie from {low} to {high}: "
                f"{given}"
            )
    return H, W


def max_unpool2d_definition(
    x: Array,
    indices: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Array:
    """Say max unpooling by its definition: put each value where its index says."""
    windows = Windows(kernel_size, stride, padding, 1, False)
    H, W = unpooled_size(x.shape, windows, output_size)
    y = np.zeros((*x.shape[:2], H, W), x.dtype)
    for n, c, r, q in np.ndindex(*x.shape):  # row by row: the last one stays
        h, w = divmod(int(indices[n, c, r, q]), W)
        if h >= 0:  # −1: no pixel
            y[n, c, h, w] = x[n, c, r, q]
    return y


class MaxUnpool2d(Function):
    """Values put to their pixels; the pairs are found again in backward."""

    def __init__(self, indices: Array, size: tuple[int, int]):
        self.indices, self.size = indices, size

    def forward(self, x: Array) -> Array:
        if not on_cpu(x):
            y = array_module(x).empty((*x.shape[:2], *self.size), x.dtype)
            _, last = self._last_windows()
            KERNELS.max_unpool(y.size, last, contiguous(x), y, y.size)
            return y
        y = np.zeros((*x.shape[:2], *self.size), x.dtype)
        arrays = planes(self.indices), planes(x), planes(y)
        parallel(lambda part: _put(*(a[part] for a in arrays)), parts(y))
        return y

    def backward(self, gy: Array) -> Array:
        if not on_cpu(gy):
            gx = array_module(gy).empty(self.indices.shape, gy.dtype)
            indices, last = self._last_windows()
            numbers = gx.size, *self._per_plane()
            KERNELS.max_unpool_backward(
                gx.size, indices, last, contiguous(gy), gx, *numbers
            )
            return gx
        gx = np.zeros(self.indices.shape, gy.dtype)
        arrays = planes(self.indices), planes(gx), planes(gy)
        parallel(lambda part: _take(*(a[part] for a in arrays)), parts(gy))
        return gx

    def _last_windows(self) -> tuple[Array, Array]:
        """Return the indices, and for each pixel its last window, as kernels do."""
        xp = array_module(self.indices)
        indices = contiguous(self.indices.astype(xp.int64))
        last = xp.zeros((*indices.shape[:2], *self.size), xp.uint64)  # (N, C, H, W)
        n = indices.size
        KERNELS.last_windows(n, indices, last, n, *self._per_plane())
        return indices, last

    def _per_plane(self) -> tuple[int, int]:
        (OH, OW), (H, W) = self.indices.shape[2:], self.size
        return OH * OW, H * W


def _put(indices: Array, x: Array, y: Array) -> None:
    windows, pixels = _pairs(indices, y.shape[1] * y.shape[2])
    y.reshape(-1)[pixels] = x.reshape(-1)[windows]


def _take(indices: Array, gx: Array, gy: Array) -> None:
    windows, pixels = _pairs(indices, gy.shape[1] * gy.shape[2])
    gx.reshape(-1)[windows] = gy.reshape(-1)[pixels]


def _pairs(indices: Array, size: int) -> tuple[Array, Array]:
    """Return the windows that put a value, and the pixels they put it to.

    indices is (P, OH, OW), over P planes of `size` pixels each; windows and pixels are
    numbered from the first plane to the last. No window and no pixel comes twice.
    """
    first = np.arange(len(indices))[:, None, None] * size  # each plane's first pixel
    pixels = (indices.astype(np.int64) + first).reshape(-1)  # the indices, flat
    named = np.flatnonzero(indices.reshape(-1) >= 0)  # −1 names no pixel
    # The last window that names each pixel, counted from 1: 0 is none.
    last = np.zeros(len(indices) * size, np.int64)
    np.maximum.at(last, pixels[named], named + 1)  # y[pixels] = x leaves the order open
    filled = np.flatnonzero(last)
    return last[filled] - 1, filled


def max_unpool2d(
    x: Tensor,
    indices: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Put each value to the pixel that its index names; zero elsewhere.

        y[n, c].flat[indices[n, c, r, q]] = x[n, c, r, q]

    With the indices of a `max_pool2d` it undoes as much of it as can be undone: the
    maxima are back at their pixels. Where its windows do not overlap, the two are
    adjoint: max_pool2d's backward is this forward, with the gradient for x. Where
    several windows name one pixel (overlapping ones may), the last of them, row by row,
    is kept, and it alone gets the pixel's gradient; max_pool2d's backward adds them.
    As `torch.nn.functional.max_unpool2d`, which leaves that case open.

    Args:
        x: (N, C, OH, OW), e.g. the maxima.
        indices: whole numbers of x's shape, an array or a Tensor: h·W + w counted in
            the output, or −1 for a value that is put nowhere (max_pool2d gives it to
            a window that saw only padding).
        kernel_size, stride, padding: those of the pooling; they only tell the size of
            the output. stride is kernel_size where it is left out.
        output_size: (H, W) of the output, or its shape (N, C, H, W), needed where the
            pooling's stride did not come out even; less than one stride from the
            default.

    Returns:
        (N, C, H, W), by default with H = (OH − 1)·SH − top − bottom + KH.

    Raises:
        ValueError: x has not four axes; indices of another shape, or outside of the
            output; an output_size that does not belong to x.
        TypeError: x is no Tensor of float32 or float64; indices not whole numbers.
    """
    check_image("max_unpool2d", x)
    windows = Windows(kernel_size, stride, padding, 1, False)
    size = unpooled_size(x.shape, windows, output_size)
    numbers = indices.data if isinstance(indices, Tensor) else indices
    _check_indices(numbers, x, size)
    return MaxUnpool2d(numbers, size)(x)


def _check_indices(indices: Array, x: Tensor, size: tuple[int, int]) -> None:
    kind = getattr(indices, "dtype", type(indices).__name__)
    if getattr(kind, "kind", None) not in ("i", "u"):  # signed, unsigned
        raise TypeError(
            f"indices must be an array or Tensor of whole numbers; its type is {kind}"
        )
    library, other = (array_module(a).__name__ for a in (x.data, indices))
    if library != other:
        raise TypeError(
            f"x is {library}'s and indices is {other}'s; max_unpool2d needs both on "
            "one device"
        )
    if indices.shape != x.shape:
        raise ValueError(
            f"indices has shape {indices.shape}; it must be x's shape, {x.shape}"
        )
    if not indices.size:  # an empty batch
        return
    H, W = size
    # The only step through the host: two numbers are read from a device at once.
    ends = array_module(indices).stack((indices.min(), indices.max()))
    for number in map(int, to_numpy(ends)):
        if not -1 <= number < H * W:
            raise ValueError(
                f"indices holds {number}; an output of (H, W) = {size} has pixels from "
                f"0 to {H * W - 1}, and −1 is none (x has shape {x.shape})"
            )
