"""Convolutions of stride S as convolutions of stride 1.

A stride is taken out before anything is multiplied. A convolution of stride S reads the
image on S × S interleaved grids; with each grid a channel of its own (deinterleave), it
is a convolution of stride 1 with a kernel S times smaller. Its adjoint puts the grids
back (interleave): upsampling by sub-pixels. (But for a GPU: its kernels know strides.)
"""

from math import gcd
from typing import Any

import numpy as np

from ..arrays import Array, array_module
from ..geometry import span
from .algorithms import Geometry
from .im2col import overlap, read_grid
from .resampling import deinterleave_array, interleave_array


class UnitStride:
    """Turns a convolution of stride S into one of stride 1 over the interleaved grids.

    Along one axis, tap i = i'·S + a of the kernel reads pixel (r + i')·S + a − P: grid
    a, position r + i'. So the grids a < min(S, K) become channels, and the kernel,
    filled up with zeros to a multiple of S, is cut the same way. At stride 1 nothing is
    done; nor unless `wanted`.

    With a dilation D, every S' = S / gcd(S, D) taps come back to the same grid, D' =
    D / gcd(S, D) positions on: tap i = i'·S' + a reads pixel (r + i'·D')·S + a·D − P.
    So there are only min(S', K) grids, a·D apart, and D' is a dilation over them.
    """

    def __init__(
        self, geometry: Geometry, kernel: Any, output: Any, wanted: bool = True
    ):
        self.KH, self.KW = kernel
        # With a single output there is nowhere to step to.
        (SH, SW), (OH, OW) = geometry.stride, output
        self.stride = SH if OH > 1 else 1, SW if OW > 1 else 1
        self.corner = -geometry.padding[0][0], -geometry.padding[1][0]  # (top, left)
        self.plain = self.stride == (1, 1) or not wanted
        self.dilation: tuple[int, ...] = geometry.dilation
        if self.plain:
            self.start, self.kernel_size = self.corner, kernel
            return
        # The grids begin at the corner, and so far apart.
        self.start, self.apart = (0, 0), geometry.dilation
        common = [gcd(s, d) for s, d in zip(self.stride, self.apart, strict=True)]
        # S', or K where that is less: a longer cycle would be zeros.
        self.cycle = [
            min(s // g, k) for s, g, k in zip(self.stride, common, kernel, strict=True)
        ]
        # D'.
        self.dilation = tuple(d // g for d, g in zip(self.apart, common, strict=True))
        # (A, B): the grids that are read at all; a kernel below S' leaves some out.
        self.phases = tuple(min(s, k) for s, k in zip(self.cycle, kernel, strict=True))
        # (kh, kw): the taps in each grid.
        self.kernel_size = tuple(
            -(-k // s) for s, k in zip(self.cycle, kernel, strict=True)
        )
        # (h, w): as much of each grid as the outputs read at stride 1.
        self.grid = tuple(
            n + span(k, d) - 1
            for n, k, d in zip(output, self.kernel_size, self.dilation, strict=True)
        )

    def image_size(self, size: tuple[int, int]) -> Any:
        """Return the size of each grid of an image of this size."""
        return size if self.plain else self.grid

    def split_image(self, x: Array) -> Array:
        """(N, C, H, W) → (N, C·A·B, h, w)."""
        if self.plain:
            return x
        if self.apart == (1, 1):  # side by side: all in one go
            return deinterleave_array(
                x, self.corner, self.phases, self.stride, self.grid
            )
        N, C = x.shape[:2]
        grids = array_module(x).empty((N, C, *self.phases, *self.grid), x.dtype)
        for (a, b), start in self._grid_starts():
            read_grid(x, grids[:, :, a, b], start, self.stride)
        return grids.reshape(N, -1, *self.grid)

    def join_image(self, gx: Array, size: tuple[int, int]) -> Array:
        """Undo `split_image` (its adjoint)."""
        if self.plain:
            return gx
        if self.apart == (1, 1):
            return interleave_array(gx, self.corner, self.phases, self.stride, size)
        grids = gx.reshape(len(gx), -1, *self.phases, *self.grid)
        joined = array_module(gx).zeros((*grids.shape[:2], *size), gx.dtype)
        for (a, b), (top, left) in self._grid_starts():
            rows, to_rows = overlap(self.grid[0], size[0], top, self.stride[0])
            cols, to_cols = overlap(self.grid[1], size[1], left, self.stride[1])
            # No two grids share a pixel: nothing needs adding.
            joined[..., to_rows, to_cols] = grids[:, :, a, b, rows, cols]
        return joined

    def _grid_starts(self) -> Any:
        """Yield the grids (a, b), and the pixel where each begins."""
        (top, left), (DH, DW) = self.corner, self.apart
        for a, b in np.ndindex(*self.phases):
            yield (a, b), (top + a * DH, left + b * DW)

    def split_kernel(self, w: Array) -> Array:
        """(O, C, KH, KW) → (O, C·A·B, ⌈KH/SH'⌉, ⌈KW/SW'⌉)."""
        if self.plain:
            return w
        (O, C), (A, B), (kh, kw) = w.shape[:2], self.phases, self.kernel_size
        SH, SW = self.cycle
        # Zeros fill the kernel up to a multiple of S'.
        full = array_module(w).zeros((O, C, kh * SH, kw * SW), w.dtype)
        full[:, :, : self.KH, : self.KW] = w
        # Tap (i'·SH' + a, j'·SW' + b) goes to phase (a, b), place (i', j').
        grids = full.reshape(O, C, kh, SH, kw, SW)[:, :, :, :A, :, :B]
        return grids.transpose(0, 1, 3, 5, 2, 4).reshape(O, C * A * B, kh, kw)

    def join_kernel(self, gw: Array) -> Array:
        """Undo `split_kernel` (its adjoint)."""
        if self.plain:
            return gw
        (A, B), (kh, kw), O = self.phases, self.kernel_size, gw.shape[0]
        (SH, SW), C = self.cycle, gw.shape[1] // (A * B)
        full = array_module(gw).zeros((O, C, kh, SH, kw, SW), gw.dtype)
        # (O, C, kh, A, kw, B): the order of the axes in `full`.
        grids = gw.reshape(O, C, A, B, kh, kw).transpose(0, 1, 4, 2, 5, 3)
        full[:, :, :, :A, :, :B] = grids
        full = full.reshape(O, C, kh * SH, kw * SW)
        # Only the true taps: what fell on the zeros is no gradient of w.
        return full[:, :, : self.KH, : self.KW].copy()
