"""What a convolution is told, and which of several algorithms computes it.

Each is a module, or an object, with the same three functions: `correlate`,
`input_gradient`, `weight_gradient`.

bands       windows as columns, some rows at a time, so that they stay in the cache
windows     windows as columns, all of them, for small maps and large kernels
winograd    a quarter of the multiplications, for 3 × 3 kernels over many channels
products    one matrix product, for 1 × 1 kernels
columns     windows as columns by kernels, and products by cuBLAS, on a GPU
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, device_of, on_cpu
from ..geometry import conv_transpose_output_size, pads, pair, span
from . import bands, products, windows, winograd
from .columns import Columns
from .im2col import Pads, output_sizes, overlap

ON_CPU = {
    "bands": bands,
    "windows": windows,
    "winograd": winograd,
    "products": products,
}
ALGORITHMS = ("auto", *ON_CPU, "columns")

# Below, Winograd's detour is too long: N·OH·OW, C and O, N·OH·OW·C·O.
LEAST_PIXELS, LEAST_CHANNELS, LEAST_WORK = 1536, 32, 1 << 24


@dataclass(frozen=True)
class Geometry:
    """Stride, padding, dilation and groups of a convolution, as pairs.

    `algorithm` is one of ALGORITHMS, and changes the way alone, not the result.
    """

    stride: tuple[int, int]
    padding: Pads
    dilation: tuple[int, int]
    groups: int
    algorithm: str = "auto"

    @staticmethod
    def of(
        stride: Any, padding: Any, dilation: Any, groups: int, algorithm: str = "auto"
    ) -> "Geometry":
        """Read ints or pairs; clear errors for anything else."""
        if algorithm not in ALGORITHMS:
            raise ValueError(
                f"algorithm is {algorithm!r}; it must be one of {', '.join(ALGORITHMS)}"
            )
        if not isinstance(groups, int | np.integer) or groups < 1:
            raise ValueError(
                f"groups is {groups!r}; it must be a whole number, 1 or more"
            )
        stride, dilation = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
        (top, bottom), (left, right) = pads(padding)
        padding = (top, bottom), (left, right)
        return Geometry(stride, padding, dilation, int(groups), algorithm)

    def output_size(self, shape: Any, kernel: Any) -> tuple[int, int]:
        """(OH, OW) over an input of this shape."""
        return output_sizes(shape, kernel, self.stride, self.padding, self.dilation)

    def seeing(self, size: Any, kernel: Any, output: Any) -> tuple[slice, slice]:
        """Return which outputs see the image: padding may be wider than the kernel.

        Args:
            size: (H, W) of the image.
            kernel: (KH, KW).
            output: (OH, OW).
        """
        axes = size, kernel, output, self.stride, self.padding, self.dilation
        rows, cols = (
            # So far the windows reach beyond their first pixel.
            overlap(n_out, n + span(k, d) - 1, span(k, d) - 1 - before, s)[0]
            for n, k, n_out, s, (before, _), d in zip(*axes, strict=True)
        )
        return rows, cols

    def cut(self, rows: slice, cols: slice) -> "Geometry":
        """Return the geometry of these outputs alone."""
        (top, bottom), (left, right) = self.padding
        top -= rows.start * self.stride[0]
        left -= cols.start * self.stride[1]
        return replace(self, padding=((top, bottom), (left, right)))

    def transposed_size(
        self, size: Any, kernel: Any, output_padding: Any
    ) -> tuple[int, int]:
        """(OH, OW) of a transposed convolution over an input of this size."""
        OH, OW = (
            conv_transpose_output_size(*sizes, axis=axis)
            for axis, *sizes in zip(
                ("height", "width"),
                size,
                kernel,
                self.stride,
                self.padding,
                pair(output_padding, "output_padding"),
                self.dilation,
                strict=True,
            )
        )
        return OH, OW


def algorithm_for(
    y: Array,
    w: Array,
    dilation: tuple[int, ...],
    geometry: Geometry,
) -> Any:
    """Return the algorithm: that which was asked for, or the quickest by the shapes.

    y (N, O, OH, OW), w (O, C / groups, kh, kw) and its dilation, the stride taken out.
    On a GPU columns. On the CPU, in this order:

    products    1 × 1;
    winograd    3 × 3 in float32, where there are pixels and channels enough;
    windows     where all columns fit the cache, or there are at least half as many
                output channels as pixels;
    bands       all else.

    Raises:
        ValueError: the algorithm asked for cannot do this.
    """
    name = geometry.algorithm
    allowed = ("auto", *(ON_CPU if on_cpu(y) else ["columns"]))
    if name not in allowed:
        raise ValueError(
            f"algorithm is {name!r}; on the device {device_of(y)!r} it must be "
            f"{' or '.join(allowed)}"
        )
    if not on_cpu(y):
        return Columns(geometry.stride)
    fits = winograd.fits(w.shape[2:], dilation)
    if name == "winograd" and not fits:
        raise ValueError(
            "algorithm is 'winograd', which takes 3 × 3 kernels without dilation; this "
            f"is {w.shape[2]} × {w.shape[3]} with dilation {dilation}, its stride of "
            f"{geometry.stride} taken out"
        )
    if name == "products" and not products.fits(w.shape[2:]):
        raise ValueError(
            "algorithm is 'products', which takes 1 × 1 kernels; this is "
            f"{w.shape[2]} × {w.shape[3]}, its stride of {geometry.stride} taken out"
        )
    if name != "auto":
        return ON_CPU[name]
    if products.fits(w.shape[2:]):
        return products
    pixels = y.shape[0] * y.shape[2] * y.shape[3]  # N·OH·OW
    channels = min(w.shape[1], w.shape[0] // geometry.groups)
    many = pixels >= LEAST_PIXELS and channels >= LEAST_CHANNELS
    many = many and pixels * w.shape[0] * w.shape[1] >= LEAST_WORK
    if fits and many and y.dtype == np.float32:  # in float64 for the last digits
        return winograd
    small = w[0].size * pixels <= windows.COLUMNS  # numbers in all columns
    return windows if small or pixels < 2 * w.shape[0] else bands
