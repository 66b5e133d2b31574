"""Windows as columns (im2col) and their adjoint (col2im).

Under a convolution, each tap of the kernel reads the image on a grid of its own: output
(r, q) reads input (top + SH r, left + SW q), and zero where that lies outside. Framed
with zeros, the image can be looked at through all taps at once, without a copy
(`unfold`); adding what each tap holds back to where it reads is the adjoint (`fold`).
On a GPU kernels copy columns (`to_columns`) and add them up (`from_columns`); nothing
is framed there.
"""

from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import conv_output_size, pads, pair, span
from .inputs import check_image, check_tensors

KERNELS = Kernels(__file__)

Pads = tuple[tuple[int, int], tuple[int, int]]


def overlap(n_out: int, n_in: int, start: int, step: int = 1) -> tuple[slice, slice]:
    """Return the q in range(n_out) with start + step·q in range(n_in), and the latter.

    Both as slices of equal length: `out[q] = x[start + step·q]` reads
    `out[first] = x[second]`, and all other outputs lie outside of x.
    """
    first = max(0, -(start // step))  # the ceiling of -start / step
    # One past the last: the same of the far side.
    last = min(n_out, -((start - n_in) // step))
    if last <= first:  # nothing lies inside
        return slice(0, 0), slice(0, 0)
    begin = start + step * first  # the first position that is read
    return slice(first, last), slice(begin, begin + step * (last - first - 1) + 1, step)


def read_grid(
    x: Array,
    out: Array,
    start: tuple[int, int],
    step: tuple[int, int] = (1, 1),
    fill: float = 0,
) -> None:
    """out[…, r, q] = x[…, top + SH·r, left + SW·q], `fill` outside of x."""
    rows, from_rows = overlap(out.shape[-2], x.shape[-2], start[0], step[0])
    cols, from_cols = overlap(out.shape[-1], x.shape[-1], start[1], step[1])
    inside = out[..., rows, cols]  # a view: the outputs that read x
    # Only the frame is filled: above, below, left, right.
    if inside.size < out.size:
        out[..., : rows.start, :] = fill
        out[..., rows.stop :, :] = fill
        out[..., rows, : cols.start] = fill
        out[..., rows, cols.stop :] = fill
    inside[...] = x[..., from_rows, from_cols]


def im2col_definition(
    x: Array, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Array:
    """Say im2col by its definition, one number at a time (see `im2col`)."""
    kernel, stride, padding, dilation = _arguments(
        kernel_size, stride, padding, dilation
    )
    (N, C, H, W), (KH, KW) = x.shape, kernel
    OH, OW = output_sizes(x.shape, kernel, stride, padding, dilation)
    cols = np.zeros((N, C, KH, KW, OH, OW), x.dtype)
    for n, c, i, j, r, q in np.ndindex(*cols.shape):
        h = r * stride[0] + i * dilation[0] - padding[0][0]
        w = q * stride[1] + j * dilation[1] - padding[1][0]
        if 0 <= h < H and 0 <= w < W:
            cols[n, c, i, j, r, q] = x[n, c, h, w]
    return cols.reshape(N, C * KH * KW, OH * OW)


def col2im_definition(
    cols: Array,
    output_size: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> Array:
    """Say col2im by its definition: add one number at a time (see `col2im`)."""
    kernel, stride, padding, dilation = _arguments(
        kernel_size, stride, padding, dilation
    )
    (H, W), (KH, KW) = pair(output_size, "output_size", 1), kernel
    OH, OW = output_sizes((H, W), kernel, stride, padding, dilation)
    N, C = cols.shape[0], cols.shape[1] // (KH * KW)
    six = cols.reshape(N, C, KH, KW, OH, OW)
    x = np.zeros((N, C, H, W), cols.dtype)
    for n, c, i, j, r, q in np.ndindex(*six.shape):
        h = r * stride[0] + i * dilation[0] - padding[0][0]
        w = q * stride[1] + j * dilation[1] - padding[1][0]
        if 0 <= h < H and 0 <= w < W:  # what lies in the padding falls away
            x[n, c, h, w] += six[n, c, i, j, r, q]
    return x


def output_sizes(
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Any,
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """(OH, OW) of a convolution over an array of this shape (see `geometry`)."""
    OH, OW = (
        conv_output_size(n, k, s, p, d, axis=axis)
        for n, k, s, p, d, axis in zip(
            shape[-2:],
            kernel,
            stride,
            padding,
            dilation,
            ("height", "width"),
            strict=True,
        )
    )
    return OH, OW


def cut(
    x: Array, start: tuple[int, int], size: tuple[int, int], fill: float = 0
) -> Array:
    """Return x[…, top : top + height, left : left + width], `fill` outside of x.

    A start below zero frames x; x itself comes back where nothing is to be done.
    """
    if start == (0, 0) and x.shape[-2:] == tuple(size):
        return x
    # Empty, not zeros: read_grid writes every number once.
    out = array_module(x).empty((*x.shape[:-2], *size), x.dtype)
    read_grid(x, out, start, fill=fill)
    return out


def unfold(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Any,
    dilation: tuple[int, int],
    size: tuple[int, int],
) -> Array:
    """Return what each tap reads, as a view: (…, C, H, W) → (…, C, KH, KW, OH, OW).

    The framed image is looked at with six strides: nothing is copied but the frame.
    """
    (top, _), (left, _) = padding
    # Framed with zeros, or cut, to just the pixels that some window reads.
    x = cut(x, (-top, -left), _reach(kernel, stride, dilation, size))
    down, right = x.strides[-2:]  # bytes to the next row, to the next pixel
    strides = (
        *x.strides[:-2],
        dilation[0] * down,  # along i
        dilation[1] * right,  # along j
        stride[0] * down,  # along r
        stride[1] * right,  # along q
    )
    shape = (*x.shape[:-2], *kernel, *size)  # (…, C, KH, KW, OH, OW)
    return np.lib.stride_tricks.as_strided(x, shape, strides)


def fold(
    cols: Array,
    stride: tuple[int, int],
    padding: Any,
    dilation: tuple[int, int],
    size: tuple[int, int],
) -> Array:
    """Add each tap's numbers where it reads: (…, C, KH, KW, OH, OW) → (…, C, *size)."""
    (top, _), (left, _) = padding
    KH, KW, OH, OW = cols.shape[-4:]
    (SH, SW), (DH, DW) = stride, dilation
    reach = _reach((KH, KW), stride, dilation, (OH, OW))
    x = np.zeros((*cols.shape[:-4], *reach), cols.dtype)  # framed
    # One tap meets no pixel twice, so a slice may be added; two taps may.
    for i in range(KH):
        rows = slice(i * DH, i * DH + (OH - 1) * SH + 1, SH)
        for j in range(KW):
            x[..., rows, j * DW : j * DW + (OW - 1) * SW + 1 : SW] += cols[
                ..., i, j, :, :
            ]
    return cut(x, (top, left), size)  # without its frame


def _reach(kernel: Any, stride: Any, dilation: Any, size: Any) -> tuple[int, int]:
    """Return the rows and columns that all windows together cover."""
    rows, cols = (
        (n - 1) * s + span(k, d)
        for k, s, d, n in zip(kernel, stride, dilation, size, strict=True)
    )
    return rows, cols


def to_columns(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    start: tuple[int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
    images_first: bool = False,
) -> Array:
    """Return windows as columns, on a GPU: (N, C, H, W) → (C·KH·KW, N·OH·OW).

    Window (r, q) begins at pixel (top + r·SH, left + q·SW), start being (top, left).
    With images_first the columns of an image stand together: (N, C·KH·KW, OH·OW).
    """
    (N, C), (KH, KW), (OH, OW) = x.shape[:2], kernel, size
    rows, pixels = C * KH * KW, OH * OW
    shape = (N, rows, pixels) if images_first else (rows, N * pixels)
    cols = array_module(x).empty(shape, x.dtype)
    numbers = _numbers(x.shape, kernel, stride, start, dilation, size, images_first)
    KERNELS.im2col(N * C * pixels, contiguous(x), cols, *numbers)
    return cols


def from_columns(
    cols: Array,
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    start: tuple[int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
    images_first: bool = False,
) -> Array:
    """Add columns where their windows lie (the adjoint of `to_columns`): → shape."""
    x = array_module(cols).empty(shape, cols.dtype)
    numbers = _numbers(shape, kernel, stride, start, dilation, size, images_first)
    KERNELS.col2im(x.size, contiguous(cols), x, *numbers)
    return x


def _numbers(
    shape: Any,
    kernel: Any,
    stride: Any,
    start: Any,
    dilation: Any,
    size: Any,
    images_first: bool,
) -> tuple[int, ...]:
    """Return what both kernels take after their arrays (see im2col.cu)."""
    (N, C), (KH, KW), pixels = shape[:2], kernel, size[0] * size[1]
    # How far apart images and taps stand.
    apart = (C * KH * KW * pixels, pixels) if images_first else (pixels, N * pixels)
    return (*shape, *kernel, *size, *stride, *dilation, *start, *apart)


class Im2col(Function):
    """Windows become columns; the gradient's columns go back to their windows."""

    output_is_shared = True  # the columns of a 1 × 1 kernel are x itself

    def __init__(self, kernel: Any, stride: Any, padding: Any, dilation: Any):
        self.geometry = _arguments(kernel, stride, padding, dilation)

    def forward(self, x: Array) -> Array:
        kernel, stride, padding, dilation = self.geometry
        (N, C, H, W), (KH, KW) = x.shape, kernel
        OH, OW = output_sizes(x.shape, kernel, stride, padding, dilation)
        self.size = H, W
        if not on_cpu(x):
            start = -padding[0][0], -padding[1][0]
            return to_columns(x, kernel, stride, start, dilation, (OH, OW), True)
        windows = unfold(x, kernel, stride, padding, dilation, (OH, OW))
        return windows.reshape(N, C * KH * KW, OH * OW)  # copied here, unless 1 × 1

    def backward(self, gy: Array) -> Array:
        return _col2im(gy, self.size, *self.geometry)


class Col2im(Function):
    """Columns are added where their windows lie; the gradient is read from there."""

    output_is_shared = True

    def __init__(
        self, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
    ):
        self.size = pair(size, "output_size", 1)
        self.geometry = _arguments(kernel, stride, padding, dilation)

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse columns that do not belong to these windows."""
        kernel, stride, padding, dilation = self.geometry
        taps = kernel[0] * kernel[1]
        OH, OW = output_sizes(self.size, *self.geometry)
        if len(shape) != 3 or not shape[1] or shape[1] % taps or shape[2] != OH * OW:
            raise ValueError(
                f"cols has shape {shape}; col2im with output_size {self.size}, "
                f"kernel_size {kernel}, stride {stride}, padding {padding} and "
                f"dilation {dilation} needs (N, C·KH·KW, OH·OW) = "
                f"(N, a multiple of {taps}, {OH * OW})"
            )

    def forward(self, cols: Array) -> Array:
        return _col2im(cols, self.size, *self.geometry)

    def backward(self, gy: Array) -> Array:
        return Im2col(*self.geometry).forward(gy)  # the adjoint's adjoint


def _col2im(
    cols: Array,
    size: tuple[int, int],
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
) -> Array:
    KH, KW = kernel
    N, C = cols.shape[0], cols.shape[1] // (KH * KW)
    OH, OW = output_sizes(size, kernel, stride, padding, dilation)
    if not on_cpu(cols):
        shape, start = (N, C, *size), (-padding[0][0], -padding[1][0])
        return from_columns(
            cols, shape, kernel, stride, start, dilation, (OH, OW), True
        )
    six = cols.reshape(N, C, KH, KW, OH, OW)
    return fold(six, stride, padding, dilation, size)


def _arguments(kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple:
    return (
        pair(kernel, "kernel_size", 1),
        pair(stride, "stride", 1),
        pads(padding),
        pair(dilation, "dilation", 1),
    )


def im2col(
    x: Tensor, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Tensor:
    """Return each window of x as a column.

        cols[n, (c·KH + i)·KW + j, r·OW + q] =
            x[n, c, r·SH + i·DH − top, q·SW + j·DW − left]

    and zero where that lies outside of x. A convolution is then one matrix product,
    weight.reshape(O, C·KH·KW) @ cols. As `torch.nn.functional.unfold`, whose arguments
    stand in another order.

    Args:
        x: (N, C, H, W).
        kernel_size, stride, dilation: int or (height, width).
        padding: int, (height, width) or ((top, bottom), (left, right)).

    Returns:
        (N, C·KH·KW, OH·OW).

    Raises:
        ValueError: x has not four axes, or the kernel is larger than the padded input.
        TypeError: x is no Tensor of float32 or float64; a size is no whole number.
    """
    check_image("im2col", x)
    return Im2col(kernel_size, stride, padding, dilation)(x)


def col2im(
    cols: Tensor,
    output_size: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> Tensor:
    """Add each column where its window lies: the adjoint of `im2col`.

    ⟨im2col(x), cols⟩ = ⟨x, col2im(cols)⟩. Overlapping windows add up, so
    col2im(im2col(x)) is x times the number of windows that see each pixel. As
    `torch.nn.functional.fold`, whose arguments stand in another order.

    Args:
        cols: (N, C·KH·KW, OH·OW).
        output_size: (H, W) of the result.
        kernel_size, stride, padding, dilation: as in `im2col`.

    Returns:
        (N, C, H, W).

    Raises:
        ValueError: the columns do not belong to such windows.
        TypeError: cols is no Tensor of float32 or float64; a size is no whole number.
    """
    check_tensors("col2im", cols=cols)
    fold_back = Col2im(output_size, kernel_size, stride, padding, dilation)
    fold_back.check(cols.shape)
    return fold_back(cols)
