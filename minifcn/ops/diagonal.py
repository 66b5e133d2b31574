"""Transposed convolution of each channel by itself, at the cost of two thin products.

The weight of an enlargement (`nn.Upsample`) is (C, C, KH, KW): a bilinear kernel for
each channel, and zeros from each channel to every other. And the kernel is an outer
product, w[i, j] = a[i] · b[j], so that a plane is enlarged along one axis and then
along the other. Along one axis it is a product with a matrix that has the taps in each
column, one stride further down from column to column (stride 2, taps ¼ ¾ ¾ ¼):

    y[r·S + i·D − P] += a[i] · x[r]        ¼
                                           ¾
                                           ¾ ¼
    y (OH, OW) = A x Bᵀ                    ¼ ¾
    gx (H, W) = Aᵀ gy B                      ¾ ¼
                                             ¼ ¾ …

Most of it is zeros: so it is cut into blocks of rows, each with the few columns that
are not all zero there. From (21, 70, 70) to (21, 568, 568) as 441 full kernels of
16 × 16 that is 550 million multiplications, and 230 million this way.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..arrays import blocks, parallel, shares, workspace

BLOCK = 16  # places on the shorter side: what is thinner multiplies more slowly
LINES = 1 << 14  # numbers of small planes that are done in one go


class Piece(NamedTuple):
    """A block of rows of a matrix, and the columns in which they are not all zero."""

    rows: slice
    cols: slice
    matrix: np.ndarray  # (rows, cols)


def fits(w: np.ndarray, groups: int) -> bool:
    """Whether w (C, O/G, KH, KW) leads from each channel to itself, by outer products.

    A rule about the weight's numbers alone: what is not on the diagonal is zero, and
    each kernel is an outer product, but for rounding.
    """
    C, O = w.shape[:2]  # O: of one group
    if C // groups != O or (O > 1 and w[0, -1].any()):  # mostly this tells enough
        return False
    kernels = _diagonal(w)
    if np.count_nonzero(w) != np.count_nonzero(kernels):
        return False
    different = {kernel.tobytes(): kernel for kernel in kernels}
    return all(map(_is_outer_product, different.values()))


def enlarge(
    x: np.ndarray, w: np.ndarray, geometry: Any, size: tuple[int, int]
) -> np.ndarray:
    """Compute the transposed convolution: x (N, C, H, W) → (N, C, *size).

    Args:
        x: what is enlarged.
        w: a weight that `fits`.
        geometry: stride, padding and dilation, as of a `convolution.Geometry`.
        size: (OH, OW).
    """
    y = np.empty((*x.shape[:2], *size), x.dtype)
    axes = [_axes(k, geometry, x.shape[2:], size) for k in _diagonal(w)]

    def band(n: int, c: slice, part: int) -> None:
        down, across = axes[c.start]
        rows, seen, matrix = down[part]
        # First to the right, and only the rows that are seen: their lines are few.
        shape = c.stop - c.start, matrix.shape[1], size[1]
        lines = workspace("lines", shape, x.dtype)
        for cols, pixels, other in across:
            np.matmul(x[n, c, seen, pixels], other.T, out=lines[..., cols])
        np.matmul(matrix, lines, out=y[n, c, rows])

    _share_out(band, axes, y)
    return y


def reduce(
    gy: np.ndarray, w: np.ndarray, geometry: Any, size: tuple[int, int]
) -> np.ndarray:
    """Compute the adjoint of `enlarge`: gy (N, C, OH, OW) → (N, C, *size)."""
    gx = np.empty((*gy.shape[:2], *size), gy.dtype)
    axes = [_axes(k, geometry, size, gy.shape[2:], True) for k in _diagonal(w)]

    def band(n: int, c: slice, part: int) -> None:
        down, across = axes[c.start]
        rows, seen, matrix = down[part]
        # First downwards, where the rows become few.
        shape = c.stop - c.start, len(matrix), gy.shape[3]
        lines = workspace("lines", shape, gy.dtype)
        np.matmul(matrix, gy[n, c, seen], out=lines)
        for cols, pixels, other in across:
            np.matmul(lines[..., pixels], other.T, out=gx[n, c, rows, cols])

    _share_out(band, axes, gy)
    return gx


def _share_out(band: Any, axes: list[Any], larger: np.ndarray) -> None:
    """Run all bands of all planes, by several threads where there is much to do."""
    tasks = [
        (n, c, part)
        for n in range(len(larger))
        for c in _alike(axes, LINES // (larger.shape[2] * larger.shape[3]))
        for part in range(len(axes[c.start][0]))
    ]
    each = -(-len(tasks) // shares(larger.size * BLOCK))

    def some(part: slice) -> None:
        for task in tasks[part]:
            band(*task)

    parallel(some, blocks(len(tasks), each))


def _alike(axes: list[Any], most: int) -> list[slice]:
    """Cut the channels into runs of at most `most` that have the same matrices."""
    runs: list[slice] = []
    for c, pieces in enumerate(axes):
        first = runs[-1].start if runs else 0
        same = all(a is b for a, b in zip(pieces, axes[first], strict=True))
        if runs and same and c - first < most:
            runs[-1] = slice(first, c + 1)
        else:
            runs.append(slice(c, c + 1))
    return runs


def _diagonal(w: np.ndarray) -> np.ndarray:
    """Return the kernels that lead from each channel to itself: (C, KH, KW)."""
    C, O = w.shape[:2]
    return w[np.arange(C), np.arange(C) % O]  # of one group after the other


def _factors(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a (KH,) and b (KW,) of the outer product a[i] · b[j] that a kernel is."""
    # The row and the column of its largest number, which is in both of them.
    i, j = np.unravel_index(abs(kernel).argmax(), kernel.shape)
    return kernel[:, j], kernel[i] / (kernel[i, j] or 1)


def _is_outer_product(kernel: np.ndarray) -> bool:
    error = abs(np.multiply.outer(*_factors(kernel)) - kernel).max()
    # Not where the error is no number.
    return bool(error <= 4 * np.finfo(kernel.dtype).eps * abs(kernel).max())


def _axes(
    kernel: np.ndarray, geometry: Any, small: Any, large: Any, transposed: bool = False
) -> list[tuple[Piece, ...]]:
    """Return the matrices of a plane, A and B of the module's head, in pieces."""
    return [
        _pieces(taps.tobytes(), taps.dtype, *numbers, transposed)
        for taps, *numbers in zip(
            _factors(kernel),
            small,
            large,
            geometry.stride,
            geometry.dilation,
            (before for before, _ in geometry.padding),
            strict=True,
        )
    ]


@lru_cache(maxsize=64)  # mostly one for each axis of each enlargement of a net
def _pieces(
    taps: bytes,
    dtype: np.dtype[Any],
    small: int,
    large: int,
    stride: int,
    dilation: int,
    padding: int,
    transposed: bool,
) -> tuple[Piece, ...]:
    """Return the matrix (large, small) of an axis, or its transpose, in pieces."""
    matrix = np.zeros((large, small), dtype)
    for i, tap in enumerate(np.frombuffer(taps, dtype)):
        places = np.arange(small) * stride + i * dilation - padding
        inside = np.flatnonzero((places >= 0) & (places < large))
        matrix[places[inside], inside] = tap
    matrix = matrix.T if transposed else matrix
    count = max(1, min(matrix.shape) // BLOCK)
    return tuple(
        _cut(matrix, rows) for rows in blocks(len(matrix), -(-len(matrix) // count))
    )


def _cut(matrix: np.ndarray, rows: slice) -> Piece:
    used = np.flatnonzero(matrix[rows].any(axis=0))
    # Where all is zero one column will do: it makes the result zero.
    first, end = (used[0], used[-1] + 1) if len(used) else (0, 1)
    cols = slice(int(first), int(end))
    return Piece(rows, cols, matrix[rows, cols].copy())
