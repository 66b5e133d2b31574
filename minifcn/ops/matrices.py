"""Matrix products in pieces so small that BLAS multiplies them where they lie.

Before it multiplies, BLAS copies both matrices into an order of its own ("packing").
For large square ones that is soon repaid. Those of a convolution are long and thin: of
16 rows, each number that is packed is used 16 times, and packing takes as long as the
products. For processors with AVX-512, OpenBLAS has kernels that read a small matrix
where it lies. So a long product is cut into many small ones: a stack, multiplied in one
call.

Elsewhere nothing is cut. The order of additions, and so the last digits, go by the
shapes and by which kernels there are, never by the number of threads.

Source: OpenBLAS, kernel/x86_64/sgemm_small_kernel_permit_skylakex.c
"""

from functools import lru_cache

import numpy as np

from ..arrays import blas_kernels, workspace

WORK = 10**6  # multiply-adds of a product that is not packed, at most
TILE = 32  # rows and columns of a tile of a @ bᵀ: up to 1152 numbers are not packed
LEAST = 16  # columns of a piece: less is not worth a call


@lru_cache(maxsize=1)
def reads_in_place() -> bool:
    """Whether BLAS has kernels that multiply small matrices where they lie."""
    return blas_kernels() in ("SkylakeX", "Cooperlake", "SapphireRapids")


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Fill out = a @ b, in pieces of b's columns: (…, M, K) @ (…, K, N).

    None of the sizes is 0; out may be a view.
    """
    (M, K), N = a.shape[-2:], b.shape[-1]
    pieces, size = _pieces(N, M * K)
    if pieces == 1:
        np.matmul(a, b, out=out)
        return
    whole = pieces * size  # columns; less than `pieces` are left

    def stack(matrix: np.ndarray) -> np.ndarray:
        """(…, K, N) → (…, pieces, K, size), a view."""
        cut = matrix[..., :whole].reshape(*matrix.shape[:-1], pieces, size)
        return cut.swapaxes(-2, -3)

    np.matmul(a[..., None, :, :], stack(b), out=stack(out))
    if whole < N:
        np.matmul(a, b[..., whole:], out=out[..., whole:])


def multiply_transposed(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Fill out = a @ bᵀ, in tiles: (…, M, K) and (…, N, K) → (…, M, N).

    None of the sizes is 0; out is one whose rows lie side by side.
    """
    (M, K), N = a.shape[-2:], b.shape[-2]
    m, n = _tile(M), _tile(N)
    if not (m and n and reads_in_place()):
        np.matmul(a, b.swapaxes(-1, -2), out=out)
        return
    # (…, M/m, 1, m, K) and (…, 1, N/n, K, n).
    a = a.reshape(*a.shape[:-2], M // m, 1, m, K)
    b = b.reshape(*b.shape[:-2], 1, N // n, n, K).swapaxes(-1, -2)
    # (…, M/m, N/n, m, n), a view.
    tiles = out.reshape(*out.shape[:-2], M // m, m, N // n, n).swapaxes(-2, -3)
    pieces, size = _pieces(K, m * n)
    if pieces == 1:
        np.matmul(a, b, out=tiles)
        return
    whole = pieces * size
    # The pieces come first: (pieces, …, M/m, 1, m, size) and (…, 1, N/n, size, n).
    cut_a = a[..., :whole].reshape(*a.shape[:-1], pieces, size)
    cut_b = b[..., :whole, :].reshape(*b.shape[:-2], pieces, size, n)
    sums = workspace("sums", (pieces, *tiles.shape), out.dtype)
    np.matmul(np.moveaxis(cut_a, -2, 0), np.moveaxis(cut_b, -3, 0), out=sums)
    np.sum(sums, axis=0, out=tiles)
    if whole < K:
        tiles += a[..., whole:] @ b[..., whole:, :]


def _pieces(length: int, work: int) -> tuple[int, int]:
    """Return into how many pieces to cut, and their size; a few may be left over.

    Args:
        length: of what is cut.
        work: multiply-adds for each unit of it.
    """
    most = WORK // work
    if not reads_in_place() or most < LEAST or length <= most:
        return 1, length
    pieces = -(-length // most)
    return pieces, length // pieces


def _tile(side: int) -> int:
    """Return into which tiles a side can be cut evenly; 0 if it cannot."""
    size = side // -(-side // TILE)
    return 0 if side % size else size
