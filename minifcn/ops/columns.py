"""Convolution on a GPU: windows as columns (im2col), and matrix products.

The columns of conv1_2 are 280,629,504 numbers for one image of 500 × 500 pixels. So
they are built and used up a piece at a time: some images, or some output rows of one.
The kernels of im2col know strides, so that none has to be taken out before.
"""

from dataclasses import dataclass
from typing import Any

from ..arrays import Array, array_module, blocks, contiguous
from ..geometry import span
from .epilogue import Epilogue
from .im2col import from_columns, to_columns

WORK = 1 << 26  # numbers in one piece: 256 MiB of float32


@dataclass(frozen=True)
class Columns:
    """Convolution by columns; its methods are those of `bands` and `windows`."""

    stride: tuple[int, int]

    def correlate(
        self, x: Array, w: Array, start: Any, dilation: Any, epilogue: Epilogue
    ) -> None:
        """Fill y with the convolution of x by w."""
        x, y, matrix = contiguous(x), epilogue.out, _matrix(w)
        for n, r in pieces(y.shape, w):
            total = matrix @ self._columns(x[n], w, start, dilation, r, y)
            epilogue.fill_on_device(total, n, r)  # (O, n·r·OW)

    def input_gradient(
        self, gy: Array, w: Array, start: Any, dilation: Any, gx: Array
    ) -> None:
        """Fill gx: the columns wᵀ gy go back to their windows, piece by piece."""
        C, (H, W), matrix = w.shape[1], gx.shape[2:], _matrix(w)
        gx[...] = 0
        for n, r in pieces(gy.shape, w):
            cols = matrix.T @ _pixels_last(gy[n, :, r])  # (C·KH·KW, n·r·OW)
            # The rows that these windows see: adjacent pieces share some.
            first = start[0] + r.start * self.stride[0]
            end = first + (r.stop - r.start - 1) * self.stride[0]
            end += span(w.shape[2], dilation[0])
            top, bottom = max(0, first), min(H, end)
            if top >= bottom:  # they all lie in the padding
                continue
            seen = gx[n, :, top:bottom]  # (n, C, h, W), a view
            seen += from_columns(
                cols,
                (len(seen), C, bottom - top, W),
                w.shape[2:],
                self.stride,
                (first - top, start[1]),
                dilation,
                (r.stop - r.start, gy.shape[3]),
            )

    def weight_gradient(
        self, x: Array, gy: Array, start: Any, dilation: Any, gw: Array
    ) -> None:
        """Fill gw: the sum of gy columnsᵀ over all pieces."""
        x, matrix = contiguous(x), _matrix(gw)
        for k, (n, r) in enumerate(pieces(gy.shape, gw)):
            cols = self._columns(x[n], gw, start, dilation, r, gy)
            flat = _pixels_last(gy[n, :, r])
            # (O, n·r·OW) @ (n·r·OW, C·KH·KW): mostly one piece, and no copy of it.
            if k == 0:
                array_module(x).matmul(flat, cols.T, out=matrix)
            else:
                matrix += flat @ cols.T

    def _columns(
        self, x: Array, w: Array, start: Any, dilation: Any, r: slice, y: Array
    ) -> Array:
        """Return the windows of the output rows r as columns: (C·KH·KW, N·r·OW)."""
        begin = start[0] + r.start * self.stride[0], start[1]
        size = r.stop - r.start, y.shape[3]
        return to_columns(x, w.shape[2:], self.stride, begin, dilation, size)


def pieces(shape: tuple[int, ...], w: Array) -> list[tuple[slice, slice]]:
    """Cut an output (N, O, OH, OW) into images and rows whose columns fit into WORK.

    A single row is not cut, whatever its length.
    """
    N, _, OH, OW = shape
    longest = max(len(w), w[0].size)  # numbers for each pixel: O in y, C·KH·KW in cols
    rows = max(1, WORK // (longest * OW))
    return [(n, r) for n in blocks(N, rows // OH) for r in blocks(OH, rows)]


def _matrix(w: Array) -> Array:
    """(O, C, KH, KW) → (O, C·KH·KW), a view."""
    return w.reshape(len(w), -1)


def _pixels_last(y: Array) -> Array:
    """(N, O, OH, OW) → (O, N·OH·OW)."""
    return y.swapaxes(0, 1).reshape(y.shape[1], -1)
