"""Convolution of stride 1 in bands of rows that stay in the cache: for large maps.

The whole column matrix of im2col holds every pixel KH·KW times: for VGG's conv1_2 on
one 500 × 500 image that is 1 GiB, written to memory and read back. Two ideas avoid it:

* Bands. A few output rows at a time: their columns fit into the cache, and the threads
  take a band each.
* Rows for nothing. Only the kernel's KW columns are unrolled, into U[(c, j), (r, q)] =
  x[c, r, q + j]. Seen from the kernel's row i, the wanted columns are U itself, i rows
  further down: a view. So the band costs KW copies of the image instead of KH·KW, and
  KH matrix products add up to the result:

      y[:, band] = Σᵢ w[:, :, i, :] @ U[:, band moved down by i]

(Where there are fewer taps than outputs, the copies are cheaper than the products that
they save: then all is unrolled, the kernel's rows too, and one product is left.)
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..arrays import LEAST_TASKS, blocks, parallel, workspace
from .epilogue import Epilogue
from .im2col import read_grid
from .matrices import multiply, multiply_transposed

BAND_BYTES = 3 << 20  # of columns: fits a core's share of the outer cache
PARTIAL_SIZE = 1 << 18  # weights up to this size get one gradient for each band


def correlate(
    x: np.ndarray,
    w: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    epilogue: Epilogue,
) -> None:
    """Fill y with the correlation of x and w, and what the epilogue makes of it.

        total[n, o, r, q] = Σ w[o, c, i, j] x[n, c, top + r + DH·i, left + q + DW·j]

    Where that lies outside of x it counts as zero. x (N, C, H, W), w (O, C, KH, KW),
    y (N, O, OH, OW), start (top, left).
    """
    y = epilogue.out
    (N, O, OH, OW), (_, C, KH, KW) = y.shape, w.shape
    I = _unrolled_rows(w)
    # A matrix for each product: (KH / I, O, C·I·KW).
    matrices = w.reshape(O, C, -1, I, KW).transpose(2, 0, 1, 3, 4)
    matrices = np.ascontiguousarray(matrices).reshape(-1, O, C * I * KW)
    bands = _bands(N, OH, max(C * I * KW, O) * OW * y.itemsize)

    def band(task: tuple[int, slice]) -> None:
        n, rows = task
        R = rows.stop - rows.start  # output rows of this band
        # U is (C·I·KW, (R + DH·(KH − I))·OW).
        U = _unroll(x[n], rows, start, (KH, KW), dilation, OW, I)
        total = workspace("total", (O, R * OW), y.dtype)
        part = workspace("part", (O, R * OW), y.dtype)
        for i, matrix in enumerate(matrices):
            below = U[:, i * dilation[0] * OW :][:, : R * OW]  # (C·I·KW, R·OW), a view
            # The first product goes straight into total, which then needs no zeros.
            multiply(matrix, below, out=part if i else total)
            if i:
                total += part
        epilogue.fill(total.reshape(O, R, OW), n, rows=rows)

    parallel(band, [(n, rows) for n in range(N) for rows in bands])


def input_gradient(
    gy: np.ndarray,
    w: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    gx: np.ndarray,
) -> None:
    """Fill gx: the gradient flows through the same kernel, turned by 180°.

    gx[h] = Σᵢ w[i] gy[h − top − DH·i] is a correlation of gy with the flipped kernel.
    """
    KH, KW = w.shape[2:]
    # Flipped, the kernel begins at its former last tap, DH·(KH − 1) rows away.
    back = -start[0] - (KH - 1) * dilation[0], -start[1] - (KW - 1) * dilation[1]
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, KH, KW)
    correlate(gy, turned, back, dilation, Epilogue(gx))


def weight_gradient(
    x: np.ndarray,
    gy: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    gw: np.ndarray,
) -> None:
    """Fill gw[o, c, i, j] = Σ gy[n, o, r, q] x[n, c, top + r + DH·i, left + q + DW·j].

    A small gw is computed band by band and added up; a large one is cut by input
    channels, each thread running over all bands for channels of its own.
    """
    if gw.size <= PARTIAL_SIZE:
        return _weight_gradient_by_bands(x, gy, start, dilation, gw)
    return _weight_gradient_by_channels(x, gy, start, dilation, gw)


def _weight_gradient_by_bands(
    x: np.ndarray,
    gy: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    gw: np.ndarray,
) -> None:
    """Fill gw by one product for each band, of all taps at once.

    A product of few rows is slow. So the kernel's columns are unrolled on the image,
    and its rows on the gradient, which is laid down KH times, each DH rows further:

        gw[o, c, i, j] = Σ G[(i, o), (h, q)] U[(c, j), (h, q)],  G = gy[o, h − DH·i, q]

    (Where the image has fewer channels than the gradient, it alone is unrolled.)
    """
    (N, O, OH, OW), (_, C, KH, KW) = gy.shape, gw.shape
    I = KH if C * KW <= O else 1  # the kernel's rows that are unrolled on the image
    J = KH // I  # and on the gradient
    rows = OH + (J - 1) * dilation[0]
    bands = _bands(N, rows, (C * I * KW + J * O) * OW * gw.itemsize)
    tasks = [(n, band) for n in range(N) for band in bands]

    def sum_over(some: slice) -> np.ndarray:
        total = np.zeros((J * O, C * I * KW), gw.dtype)
        part = workspace("part", total.shape, gw.dtype)
        for n, band in tasks[some]:
            U = _unroll(x[n], band, start, (I, KW), dilation, OW, I)
            G = workspace("gradients", (J, O, band.stop - band.start, OW), gy.dtype)
            for i in range(J):
                read_grid(gy[n], G[i], (band.start - i * dilation[0], 0))
            multiply_transposed(G.reshape(J * O, -1), U, out=part)
            total += part
        return total

    # As many sums as there are tasks for threads; each goes through its bands.
    shared = blocks(len(tasks), -(-len(tasks) // LEAST_TASKS))
    total = np.sum(parallel(sum_over, shared), axis=0)
    split = total.reshape(J, O, C, I, KW).transpose(1, 2, 0, 3, 4)
    gw[...] = split.reshape(gw.shape)  # (O, C, KH, KW)


def _weight_gradient_by_channels(
    x: np.ndarray,
    gy: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    gw: np.ndarray,
) -> None:
    (N, O, OH, OW), (_, C, KH, KW) = gy.shape, gw.shape

    def channels(block: slice) -> None:
        width = (block.stop - block.start) * KW  # c·KW
        part = workspace("part", (O, width), gw.dtype)
        # A view of gw: each thread has channels of its own, so nothing is merged.
        target = gw[:, block].transpose(2, 0, 1, 3)  # (KH, O, c, KW)
        target[...] = 0
        for n in range(N):
            for rows in _bands(LEAST_TASKS, OH, width * OW * gw.itemsize):
                U = _unroll(x[n, block], rows, start, (KH, KW), dilation, OW)
                for i in range(KH):
                    _gy_times_columns(gy[n, :, rows], U, i * dilation[0], part)
                    target[i] += part.reshape(O, -1, KW)  # (O, c, KW)

    fitting = BAND_BYTES // (KW * OH * OW * gw.itemsize)  # channels whose columns fit
    # No fewer than 32, as thin products are slow; no more than feeds all threads.
    size = min(max(fitting, 32), -(-C // LEAST_TASKS))
    parallel(channels, blocks(C, size))


def _gy_times_columns(
    gy: np.ndarray, U: np.ndarray, down: int, out: np.ndarray
) -> None:
    O, R, OW = gy.shape
    columns = U[:, down * OW :][:, : R * OW]  # (C·KW, R·OW), a view
    np.matmul(gy.reshape(O, R * OW), columns.T, out=out)  # (O, C·KW)


def _bands(images: int, rows: int, bytes_per_row: int) -> list[slice]:
    """Cut the output rows into bands that fit the cache, and enough of them."""
    fitting = max(1, BAND_BYTES // bytes_per_row)
    sharing = -(-rows * images // LEAST_TASKS)  # LEAST_TASKS bands in all
    return blocks(rows, min(fitting, max(1, sharing)))


def _unroll(
    x: np.ndarray,
    rows: slice,
    start: tuple[int, int],
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    OW: int,
    I: int = 1,
) -> np.ndarray:
    """U[(c, i, j), (r, q)] = x[c, top + r + DH·i, left + q + DW·j], for i < I.

    For all rows r that the band reads: x (C, H, W) → (C·I·KW, (R + DH·(KH − I))·OW), in
    this thread's workspace.
    """
    C, (KH, KW) = x.shape[0], kernel
    R = rows.stop - rows.start + (KH - I) * dilation[0]
    inside = rows.stop <= x.shape[1] and OW == x.shape[2]
    # A 1 × 1 kernel without padding: x is its own column matrix.
    if (KH, KW) == (1, 1) and tuple(start) == (0, 0) and inside:
        return x[:, rows].reshape(C, R * OW)
    # What all taps read, framed with zeros: each reads the same, DH·i rows further down
    # and DW·j to the right.
    size = R + (I - 1) * dilation[0], OW + (KW - 1) * dilation[1]
    frame = workspace("frame", (C, *size), x.dtype)
    read_grid(x, frame, (start[0] + rows.start, start[1]))
    plane, row, pixel = frame.strides
    steps = plane, dilation[0] * row, dilation[1] * pixel, row, pixel
    U = workspace("columns", (C, I, KW, R, OW), x.dtype)
    U[...] = as_strided(frame, U.shape, steps)
    return U.reshape(C * I * KW, R * OW)


def _unrolled_rows(w: np.ndarray) -> int:
    """Return of how many rows of the kernel the taps are unrolled: all, or each."""
    KH = w.shape[2]
    return KH if w[0].size <= w.shape[0] else 1
