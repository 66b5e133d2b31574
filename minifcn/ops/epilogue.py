"""The epilogue of a convolution: bias, ReLU and dropout on the numbers' way to memory.

    y = dropout(relu(product + bias))

A band of the product has just been computed, and lies in the cache. To add the bias
there, to keep what is positive and to drop costs next to nothing; as operators of their
own, each would read and write the whole map once more. A GPU does all of it in the pass
that lays its products out as images.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu, parallel
from ..cuda import Kernels
from .activation import draw_key, draw_mask, keep, rectify, scale_and_limit

KERNELS = Kernels(__file__)

ALL = slice(None)


@dataclass(frozen=True)
class Epilogue:
    """Where a convolution's numbers go, and what is done to them on the way.

    Attributes:
        y: (N, O, OH, OW), to be filled.
        bias: (O,), or None.
        relu: whether negative numbers become 0.
        p: the probability of dropout.
        mask: of y's shape, what dropout keeps; on the CPU.
        key: what kernels draw the mask from.
        channels: those of y that are meant, of one group.
    """

    y: Array
    bias: Array | None = None
    relu: bool = False
    p: float = 0.0
    mask: Array | None = None
    key: int = 0
    channels: slice = field(default_factory=lambda: ALL)

    @staticmethod
    def drawn(y: Array, bias: Array | None, relu: bool, p: float) -> "Epilogue":
        """Return the epilogue that fills y, its random numbers drawn."""
        if not p:
            return Epilogue(y, bias, relu)
        if on_cpu(y):
            return Epilogue(y, bias, relu, p, mask=draw_mask(p, y.shape))
        return Epilogue(y, bias, relu, p, key=draw_key())

    def of(self, channels: slice) -> "Epilogue":
        """Return the epilogue of some of y's channels, of one group."""
        bias = None if self.bias is None else self.bias[channels]
        return replace(self, bias=bias, channels=channels)

    @property
    def out(self) -> Array:
        """(N, o, OH, OW), the channels that are meant: a view of y."""
        return self.y[:, self.channels]

    def inside(self, rows: slice, cols: slice) -> "Epilogue":
        """Return the epilogue of these rows and columns of y, on the CPU.

        Fills the rest of y, where the product is 0.
        """
        if self._at(rows, cols).y.size == self.y.size:
            return self
        above, below = slice(0, rows.start), slice(rows.stop, None)
        left, right = slice(0, cols.start), slice(cols.stop, None)
        frame = (above, ALL), (below, ALL), (rows, left), (rows, right)

        def fill(task: Any) -> None:
            n, (r, q) = task
            nothing = np.zeros((self.y.shape[1], 1, 1), self.y.dtype)
            self._at(r, q).fill(nothing, n)

        parallel(fill, [(n, side) for n in range(len(self.y)) for side in frame])
        return self._at(rows, cols)

    def _at(self, rows: slice, cols: slice) -> "Epilogue":
        mask = None if self.mask is None else self.mask[..., rows, cols]
        return replace(self, y=self.y[..., rows, cols], mask=mask)

    def fill(self, total: Any, n: Any, o: slice = ALL, rows: slice = ALL) -> None:
        """Put a piece of the product into y, on the CPU.

        Args:
            total: as `out[n, o, rows]`; may be written over. What is beyond its last
                row and column is left out.
            n: an image, or a slice of images.
            o: channels of the group.
            rows: of the output.
        """
        out = self.out[n, o, rows]
        R, Q = out.shape[-2:]
        # What comes last writes to y; what comes before stays in the cache. But a part
        # of each row is worth a pass of its own: all else is quicker on whole ones.
        whole = total.shape == out.shape
        target = out if whole else total
        if self.bias is not None:
            into = total if self.relu else target
            np.add(total, self.bias[o, None, None], out=into)
        if self.relu:
            rectify(total, target)
        if not whole or (self.bias is None and not self.relu):
            out[...] = total[..., :R, :Q]
        if self.mask is not None:
            out *= out.dtype.type(1 / (1 - self.p))
            keep(self.mask[:, self.channels][n, o, rows], out, out)

    def fill_on_device(self, total: Array, n: slice, rows: slice) -> None:
        """Put a piece of the product into y, by a kernel.

        Args:
            total: (o, n·r·OW), a row for each channel of the group.
            n: the images of the piece.
            rows: of the output.
        """
        _, O, OH, OW = self.y.shape
        channel, _, _ = self.channels.indices(O)  # where the group begins
        bias = self.bias
        if bias is None:
            bias = array_module(total).zeros(len(total), total.dtype)
        first = ((n.start * O + channel) * OH + rows.start) * OW
        KERNELS.epilogue(
            total.size,
            contiguous(total),
            contiguous(bias),
            self.y,
            n.stop - n.start,
            len(total),
            (rows.stop - rows.start) * OW,
            first,
            O * OH * OW,
            OH * OW,
            self.relu,
            *scale_and_limit(self.p),
            self.key,
        )
