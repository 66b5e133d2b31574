"""Convolution by 1 × 1 kernels: one matrix product, without columns.

Such a kernel mixes the channels of each pixel and looks at no other pixel. So the image
is its own column matrix: y[n] (O, H·W) = w (O, C) @ x[n] (C, H·W).
"""

from typing import Any

import numpy as np

from ..arrays import Array, blocks, parallel, shares
from .epilogue import Epilogue
from .im2col import cut


def fits(kernel: tuple[int, ...]) -> bool:
    """Whether a convolution of stride 1 can be computed so."""
    return kernel == (1, 1)


def correlate(
    x: Array, w: Array, start: Any, dilation: Any, epilogue: Epilogue
) -> None:
    """Fill y, as `bands.correlate`, for w (O, C, 1, 1)."""
    (N, O, OH, OW), matrix = epilogue.out.shape, _matrix(w)
    x = _flat(cut(x, start, (OH, OW)))  # (N, C, OH·OW): framed, if there is padding

    def task(part: tuple[slice, slice]) -> None:
        o, rows = part
        for n in range(N):
            pixels = x[n, :, rows.start * OW : rows.stop * OW]
            total = (matrix[o] @ pixels).reshape(-1, rows.stop - rows.start, OW)
            epilogue.fill(total, n, o, rows)

    parallel(task, _shared(O, (OH, OW), O * x[:, :, :1].size * OH * OW))


def input_gradient(gy: Array, w: Array, start: Any, dilation: Any, gx: Array) -> None:
    """Fill gx = wᵀ gy: where there was padding, its part of it falls away."""
    transposed = w.transpose(1, 0, 2, 3)  # (C, O, 1, 1)
    # Pixel (r, q) of gy read pixel (top + r, left + q) of x.
    correlate(gy, transposed, (-start[0], -start[1]), dilation, Epilogue(gx))


def weight_gradient(x: Array, gy: Array, start: Any, dilation: Any, gw: Array) -> None:
    """Fill gw = Σ gy xᵀ over the images; each task takes some outputs or inputs."""
    N, O, OH, OW = gy.shape
    x, gy, matrix = _flat(cut(x, start, (OH, OW))), _flat(gy), _matrix(gw)

    def task(part: tuple[slice, slice]) -> None:
        o, c = part
        np.matmul(gy[0, o], x[0, c].T, out=matrix[o, c])
        for n in range(1, N):
            matrix[o, c] += gy[n, o] @ x[n, c].T

    C, count = matrix.shape[1], shares(matrix.size * N * OH * OW)
    by_output = [(o, slice(0, C)) for o in blocks(O, -(-O // count))]
    by_input = [(slice(0, O), c) for c in blocks(C, -(-C // count))]
    parallel(task, by_output if O >= C else by_input)


def _shared(O: int, size: tuple[int, int], work: int) -> list[tuple[slice, slice]]:
    """Share the outputs between tasks, or the rows where pixels are the more."""
    (OH, OW), count = size, shares(work)
    if O > OH * OW:  # each task reads rows of w of its own
        return [(o, slice(0, OH)) for o in blocks(O, -(-O // count))]
    return [(slice(0, O), rows) for rows in blocks(OH, -(-OH // count))]


def _matrix(w: Array) -> Array:
    """(O, C, 1, 1) → (O, C), a view."""
    return w.reshape(w.shape[:2])


def _flat(x: Array) -> Array:
    """(N, C, H, W) → (N, C, H·W), without a copy where the rows lie in order."""
    return x.reshape(*x.shape[:2], -1)
