"""Convolution by 3 × 3 kernels with a quarter of the multiplications (Winograd).

Along a line, four outputs of a kernel of three taps take 12 multiplications:

    y[r] = Σᵢ g[i] d[r + i],    r = 0 … 3, i = 0 … 2, d[0 … 5]

Six are enough. The adjoint of this map multiplies two polynomials: the kernel, of three
coefficients, and one of four. Their product has six, and is known by its values at six
points; there, polynomials are multiplied value by value:

    evaluate both at six points,  multiply,  interpolate          (Toom and Cook)

Turned around, the steps of an adjoint come in the reverse order, each transposed:

    y = Aᵀ [(G g) ⊙ (B d)]

    A (6, 4)  evaluates four coefficients: 1, p, p², p³ at each point p
    G (6, 3)  evaluates three, over the denominators of Lagrange's interpolation
    B (6, 6)  its numerators: the coefficients of Π (x − q) over all other points q

The points are 0, 1, −1, 2, −2 and infinity, where a polynomial is its last coefficient.

In two dimensions each matrix is applied to rows and columns: Y = Aᵀ [(G g Gᵀ) ⊙
(B d Bᵀ)] A gives 4 × 4 outputs for 36 multiplications instead of 144. A sum over input
channels may be taken before Aᵀ … A, as that is linear. So at each of the 36 points a
convolution is one matrix product over the channels, all tiles side by side:

    M[p] (O, tiles) = U[p] (O, C) @ V[p] (C, tiles)

The weights' gradient is multiplied at the same points: the adjoint of M = U V in U is
(A gy Aᵀ) Vᵀ, and that of U = G g Gᵀ is Gᵀ … G.

The price is rounding. Numbers of up to 24 stand in the matrices, and float32's error is
some ten times that of a sum of products: about 1e-5 of the largest output.

Source: Winograd 1980, chapter V; Lavin and Gray 2016, section 4.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..arrays import LEAST_TASKS, blocks, parallel, workspace
from .epilogue import Epilogue
from .im2col import read_grid
from .matrices import multiply, multiply_transposed

TILE, TAPS = 4, 3  # outputs of a tile along an axis, taps of the kernel
POINTS = (0, 1, -1, 2, -2)  # and infinity
SIZE = TILE + TAPS - 1  # points, and pixels that a tile reads, along an axis

BAND_BYTES = 6 << 20  # of a band's tiles, at all points, before and after the product
LEAST_TILES = 128  # of a band: thinner products are slow
BLOCK = 1 << 14  # tiles of some channels that are transformed at once, in the cache
PARTIAL_SIZE = 1 << 16  # O·C up to which bands have gradients of their own


def matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A (6, 4), B (6, 6) and G (6, 3), from the points."""
    A, B, G = (np.zeros((SIZE, n)) for n in (TILE, SIZE, TAPS))
    for i, p in enumerate(POINTS):
        others = [q for q in POINTS if q != p]
        A[i] = [p**k for k in range(TILE)]
        B[i, : len(POINTS)] = np.poly(others)[::-1]  # ascending powers
        G[i] = [p**k / np.prod([p - q for q in others]) for k in range(TAPS)]
    # At infinity the last coefficient is the value.
    A[-1, -1] = G[-1, -1] = 1
    B[-1] = np.poly(POINTS)[::-1]
    return A, B, G


A, B, G = matrices()


def fits(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> bool:
    """Whether a convolution of stride 1 can be computed so."""
    return kernel == (TAPS, TAPS) and dilation == (1, 1)


def correlate(
    x: np.ndarray,
    w: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    epilogue: Epilogue,
) -> None:
    """Fill y, as `bands.correlate`, for w (O, C, 3, 3) without dilation."""
    (N, O, OH, OW), C = epilogue.out.shape, w.shape[1]
    U = _kernel_points(w)

    def band(task: tuple[int, slice]) -> None:
        n, rows = task
        V = _image_points(x[n], rows, start, OW)
        M = workspace("products", (SIZE * SIZE, O, V.shape[2]), w.dtype)
        multiply(U, V, out=M)
        _fill(M, epilogue, n, rows)

    parallel(band, [(n, rows) for n in range(N) for rows in _bands(N, OH, OW, C + O)])


def input_gradient(
    gy: np.ndarray,
    w: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    gx: np.ndarray,
) -> None:
    """Fill gx: a correlation by the flipped kernel, as in `bands.input_gradient`."""
    back = -start[0] - TAPS + 1, -start[1] - TAPS + 1
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, 3, 3)
    correlate(gy, turned, back, dilation, Epilogue(gx))


def weight_gradient(
    x: np.ndarray,
    gy: np.ndarray,
    start: tuple[int, int],
    dilation: tuple[int, int],
    gw: np.ndarray,
) -> None:
    """Fill gw (O, C, 3, 3): in each point the sum over tiles, then Gᵀ … G.

    A small gw is computed for some bands at a time and added up; a large one is cut by
    input channels, each task running over all bands for channels of its own.
    """
    (N, O, OH, OW), C = gy.shape, gw.shape[1]
    if O * C <= PARTIAL_SIZE:
        tasks = [(n, rows) for n in range(N) for rows in _bands(N, OH, OW, C + O)]
        # As many sums as there are tasks for threads; each goes through its bands.
        shared = [
            tasks[part] for part in blocks(len(tasks), -(-len(tasks) // LEAST_TASKS))
        ]
        sums = parallel(lambda some: _sum_over(x, gy, some, start), shared)
        gU = sum(sums[1:], sums[0])

        def outputs(o: slice) -> None:
            gw[o] = _from_kernel_points(gU[:, o])

        # A product outside of `parallel` would wake BLAS's threads, which then wait for
        # more by counting: on a core that is needed here.
        parallel(outputs, blocks(O, -(-O // LEAST_TASKS)))
        return
    bands = [
        (n, rows) for n in range(N) for rows in _bands(N, OH, OW, O + C // LEAST_TASKS)
    ]

    def channels(c: slice) -> None:
        gw[:, c] = _from_kernel_points(_sum_over(x[:, c], gy, bands, start))

    parallel(channels, blocks(C, -(-C // LEAST_TASKS)))


def _sum_over(
    x: np.ndarray,
    gy: np.ndarray,
    bands: list[tuple[int, slice]],
    start: tuple[int, int],
) -> np.ndarray:
    """Return Σ (A gy Aᵀ) (B x Bᵀ)ᵀ over the tiles of these bands: (36, O, C)."""
    OW, shape = gy.shape[3], (SIZE * SIZE, gy.shape[1], x.shape[1])
    total, part = np.zeros(shape, gy.dtype), workspace("products", shape, gy.dtype)
    for n, rows in bands:
        V = _image_points(x[n], rows, start, OW)  # (36, C, tiles)
        # Beyond the last rows and columns gy is 0, and adds nothing.
        g = _points("gradients", gy[n, :, rows], A, (0, 0), _tiles(rows, OW))
        multiply_transposed(g, V, out=part)
        total += part
    return total


def _kernel_points(w: np.ndarray) -> np.ndarray:
    """U = G w Gᵀ: (O, C, 3, 3) → (36, O, C)."""
    O, C = w.shape[:2]
    U = np.empty((SIZE * SIZE, O * C), w.dtype)  # too large to be kept: 38 MB for 512
    both = np.kron(G, G).astype(w.dtype)  # (36, 9): the rows and the columns at once
    taps = w.reshape(O * C, -1).T
    shared = blocks(O * C, -(-O * C // LEAST_TASKS))
    parallel(lambda oc: np.matmul(both, taps[:, oc], out=U[:, oc]), shared)
    return U.reshape(-1, O, C)


def _from_kernel_points(gU: np.ndarray) -> np.ndarray:
    """Return gw = Gᵀ gU G, the adjoint: (36, O, C) → (O, C, 3, 3)."""
    _, O, C = gU.shape
    gw = np.kron(G, G).T.astype(gU.dtype) @ gU.reshape(len(gU), O * C)  # (9, O·C)
    return gw.reshape(TAPS, TAPS, O, C).transpose(2, 3, 0, 1)


def _image_points(
    x: np.ndarray, rows: slice, start: tuple[int, int], OW: int
) -> np.ndarray:
    """V = B x Bᵀ of what the tiles of a band of output rows read: (36, C, tiles)."""
    corner = start[0] + rows.start, start[1]
    return _points("images", x, B, corner, _tiles(rows, OW))


def _points(
    slot: str,
    x: np.ndarray,
    matrix: np.ndarray,
    corner: tuple[int, int],
    tiles: tuple[int, int],
) -> np.ndarray:
    """Cut x (C, H, W) into tiles, 4 pixels apart, and apply a matrix to each side.

    The first begins at `corner`; a tile has m × m pixels, as the matrix (6, m) takes
    them, 0 outside of x. Returns (36, C, tiles).

    To pick every fourth pixel of a row is slow, and a tile's last two pixels are its
    neighbour's first two. So four are picked, and what the other two become is copied
    from the next tile: it lies one number on. The last tile of a row has no next.
    """
    C, (R, S), m = len(x), tiles, matrix.shape[1]
    matrix = matrix.astype(x.dtype)
    V = workspace(slot, (SIZE, SIZE, C * R * S), x.dtype)
    for c in blocks(C, BLOCK // (R * S)):
        n = c.stop - c.start
        frame = workspace("frame", (n, TILE * (R - 1) + m, TILE * S), x.dtype)
        read_grid(x[c], frame, corner)
        # d[j, i, n, r, s] = frame[n, 4r + i, 4s + j]: so far a view.
        plane, row, pixel = frame.strides
        steps = pixel, row, plane, TILE * row, TILE * pixel
        d = workspace("tiles", (TILE, m, n, R, S), x.dtype)
        d[...] = as_strided(frame, d.shape, steps)
        # The columns of tiles, as a stack of products (6, m) @ (m, K), one for each j;
        # then their rows, one for each of the six points.
        K = n * R * S
        half = workspace("half", (m, SIZE, K), x.dtype)
        np.matmul(matrix, d.reshape(TILE, m, K), out=half[:TILE])
        if m > TILE:
            flat = half.reshape(m, -1)
            flat[TILE:, :-1] = flat[: m - TILE, 1:]
            flat.reshape(m, -1, S)[TILE:, :, -1] = 0  # not another row's
        here = slice(c.start * R * S, c.stop * R * S)
        np.matmul(matrix, half.swapaxes(0, 1), out=V[:, :, here])
    return V.reshape(SIZE * SIZE, C, R * S)


def _fill(M: np.ndarray, epilogue: Epilogue, n: int, rows: slice) -> None:
    """Y = Aᵀ M A for a band: M (36, O, tiles) → y[n, :, rows]."""
    O = epilogue.out.shape[1]
    R, S = _tiles(rows, epilogue.out.shape[3])
    M, matrix = M.reshape(SIZE, SIZE, -1), A.astype(M.dtype)
    for o in blocks(O, BLOCK // (R * S)):
        k, here = o.stop - o.start, slice(o.start * R * S, o.stop * R * S)
        # Points p, q of all tiles → rows i of points q → pixels j of rows i, which so
        # come to lie side by side.
        half = workspace("half", (SIZE, TILE, k * R * S), M.dtype)
        np.matmul(matrix.T, M.swapaxes(0, 1)[:, :, here], out=half)
        pixels = workspace("tiles", (TILE, k * R * S, TILE), M.dtype)
        np.matmul(half.transpose(1, 2, 0), matrix, out=pixels)
        # (4, k, R, S·4) → (k, R, 4, S·4): each row to its place.
        image = workspace("frame", (k, R, TILE, S * TILE), M.dtype)
        image[...] = pixels.reshape(TILE, k, R, -1).transpose(1, 2, 0, 3)
        # The last tiles reach beyond the output.
        epilogue.fill(image.reshape(k, R * TILE, S * TILE), n, o, rows)


def _tiles(rows: slice, OW: int) -> tuple[int, int]:
    """Return how many tiles cover these output rows, down and across.

    Across there is one more: the last has no neighbour to copy from (`_points`).
    """
    return -(-(rows.stop - rows.start) // TILE), -(-OW // TILE) + 1


def _bands(images: int, OH: int, OW: int, channels: int) -> list[slice]:
    """Cut the output rows into bands of whole tiles that fit the cache, and enough."""
    down, across = _tiles(slice(0, OH), OW)
    fitting = BAND_BYTES // (SIZE * SIZE * 4 * channels)  # tiles
    most = max(1, round(max(fitting, LEAST_TILES) / across))
    sharing = -(-down * images // LEAST_TASKS)  # LEAST_TASKS bands in all
    return [
        slice(TILE * band.start, min(TILE * band.stop, OH))
        for band in blocks(down, min(most, sharing))
    ]
