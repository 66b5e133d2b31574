"""Joining streams: sums, maxima, one beside the other; and scales."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, on_cpu
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import whole
from .inputs import check_tensors

KERNELS = Kernels(__file__)

# ---------------------------------------------------------------- sum and maximum


def add_definition(x: Array, y: Array) -> Array:
    """Say add by its definition, one number at a time (see `add`)."""
    total = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        total[at] = x[at] + y[at]
    return total


def add(x: Tensor, y: Tensor) -> Tensor:
    """Return x + y: how FCN-16s and 8s fuse two streams of scores.

    The gradient flows to both unchanged. Source: Long et al. 2015, section 4.2.

    Args:
        x: any shape.
        y: the same shape.

    Raises:
        ValueError: the shapes differ (fusing is never broadcasting).
        TypeError: x or y is no Tensor of float32 or float64, or both are mixed.
    """
    _check_alike("add", x, y)
    return x + y


def maximum_definition(x: Array, y: Array) -> Array:
    """Say maximum by its definition, one number at a time (see `maximum`)."""
    larger = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        # What is no number is not less than another, either; it is passed on.
        larger[at] = y[at] if x[at] < y[at] or np.isnan(y[at]) else x[at]
    return larger


class Maximum(Function):
    """The larger of two; the gradient goes to it, half to each of equals."""

    def forward(self, x: Array, y: Array) -> Array:
        if on_cpu(x):
            self.x, self.y = x, y
            return np.maximum(x, y)
        self.x, self.y = contiguous(x), contiguous(y)
        larger = array_module(x).empty_like(self.x)
        KERNELS.maximum(larger.size, self.x, self.y, larger, larger.size)
        return larger

    def backward(self, gy: Array) -> Any:
        x, y = self.x, self.y
        if on_cpu(gy):
            return _won(x, y, gy), _won(y, x, gy)
        of_x, of_y = array_module(x).empty_like(x), array_module(x).empty_like(y)
        KERNELS.maximum_backward(x.size, x, y, contiguous(gy), of_x, of_y, x.size)
        return of_x, of_y


def _won(mine: Array, other: Array, gy: Array) -> Array:
    """Return what part of gy is due to `mine`: all of it, half, or nothing."""
    return np.where(mine == other, gy / 2, np.where(mine > other, gy, 0))


def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger of x and y, element by element.

    The other way to fuse two streams. The gradient goes to the larger one, half to
    each where they are equal. That "gradient switching" is why the authors took sums:
    Long et al. 2015, footnote 6. As `torch.maximum`.

    Args:
        x: any shape.
        y: the same shape.

    Raises:
        ValueError: the shapes differ (fusing is never broadcasting).
        TypeError: x or y is no Tensor of float32 or float64, or both are mixed.
    """
    _check_alike("maximum", x, y)
    return Maximum()(x, y)


def _check_alike(operator: str, x: Tensor, y: Tensor) -> None:
    check_tensors(operator, x=x, y=y)
    if x.shape != y.shape:
        raise ValueError(
            f"x has shape {x.shape} and y {y.shape}; {operator} needs the same twice"
        )


# -------------------------------------------------------------------------- concat


def concat_definition(tensors: Sequence[Array], dim: int = 1) -> Array:
    """Say concat by its definition, one number at a time (see `concat`)."""
    shape = list(tensors[0].shape)
    shape[dim] = sum(x.shape[dim] for x in tensors)
    y = np.empty(shape, tensors[0].dtype)
    first = 0  # where along dim the next one begins
    for x in tensors:
        for at in np.ndindex(*x.shape):
            place = list(at)
            place[dim] += first
            y[tuple(place)] = x[at]
        first += x.shape[dim]
    return y


class Concat(Function):
    """One beside the other; each gets its own slice of the gradient."""

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, *arrays: Array) -> Array:
        self.sizes = [x.shape[self.dim] for x in arrays]
        return array_module(*arrays).concatenate(arrays, axis=self.dim)

    def backward(self, gy: Array) -> Any:
        # The ends of all but the last are where gy is cut.
        ends = np.cumsum(self.sizes)[:-1].tolist()
        return tuple(array_module(gy).split(gy, ends, axis=self.dim))


def concat(tensors: Sequence[Tensor], dim: int = 1) -> Tensor:
    """Put tensors one beside the other, channels after channels by default.

        y[n, C₀ + … + Cₖ₋₁ + c, h, w] = tensors[k][n, c, h, w]

    Each gets its slice of the gradient. As `torch.cat`. How GoogLeNet joins the
    branches of an Inception module (Szegedy et al. 2015, figure 2).

    Args:
        tensors: one or more, of the same sizes but along dim.
        dim: the axis; below zero it counts from the last.

    Returns:
        As large along dim as all of them together.

    Raises:
        ValueError: no tensors; shapes that differ elsewhere; no such axis.
        TypeError: not a list or tuple of Tensors of one type; dim is no whole number.
    """
    if not isinstance(tensors, list | tuple):
        raise TypeError(
            f"tensors is {type(tensors).__name__}; concat takes a list or tuple of "
            "Tensors"
        )
    if not tensors:
        raise ValueError("tensors is empty; concat needs one Tensor or more")
    named = {f"tensors[{i}]": x for i, x in enumerate(tensors)}
    for name, x in named.items():
        if x is None:  # which check_tensors takes for an argument left out
            raise TypeError(f"{name} is None; concat takes Tensors")
    check_tensors("concat", **named)
    return Concat(_shared_axis([x.shape for x in tensors], dim))(*tensors)


def _shared_axis(shapes: list[tuple[int, ...]], dim: int) -> int:
    """Return dim counted from the first axis; refuse shapes that do not fit."""
    ndim = len(shapes[0])
    if not -ndim <= whole(dim, "dim", minimum=dim) < ndim:
        raise ValueError(
            f"dim is {dim}, but tensors of the shapes {shapes} have no such axis"
        )
    dim %= ndim
    # What must be alike: all sizes but those along dim.
    rest = {shape[:dim] + shape[dim + 1 :] for shape in shapes}
    if len(rest) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise ValueError(
            f"concat along dim {dim} needs the same sizes along all other axes; the "
            f"shapes are {shapes}"
        )
    if any(0 in shape[1:] for shape in shapes):  # only a batch may be empty
        raise ValueError(f"concat needs sizes of 1 or more; the shapes are {shapes}")
    return dim


# --------------------------------------------------------------------------- scale


def scale_definition(x: Array, factors: Any) -> Array:
    """Say scale by its definition, one number at a time (see `scale`)."""
    factors = np.asarray(factors, x.dtype)
    y = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        # at[1] is the channel.
        y[at] = x[at] * (factors[at[1]] if factors.ndim else factors)
    return y


def scale(x: Tensor, factors: Any) -> Tensor:
    """Return x · factors, one for all or one for each channel (Caffe's Scale layer).

        y[n, c, h, w] = factors[c] · x[n, c, h, w]

    Args:
        x: (N, C, H, W); any shape where there is one factor for all.
        factors: a number, or an array or Tensor of shape (C,).

    Raises:
        ValueError: the factors are neither one number nor one for each channel.
        TypeError: x is no Tensor of float32 or float64; the factors are no numbers,
            or a Tensor of another type.
    """
    check_tensors("scale", x=x)
    if not isinstance(factors, Tensor):
        factors = _as_tensor(factors, x)
    check_tensors("scale", x=x, factors=factors)
    if factors.shape == ():  # one for all
        return x * factors
    if x.ndim != 4 or factors.shape != (x.shape[1],):
        raise ValueError(
            f"factors have shape {factors.shape}; for x of shape {x.shape} they must "
            "be one number or one for each channel"
        )
    return x * factors.reshape(-1, 1, 1)  # (C,) → (C, 1, 1)


def _as_tensor(factors: Any, x: Tensor) -> Tensor:
    try:
        given = array_module(x.data).asarray(factors)
    except ValueError as error:  # lists of unequal lengths
        raise ValueError(
            f"factors is {factors!r}; for x of shape {x.shape} it must be one number "
            "or one for each channel"
        ) from error
    if given.dtype.kind not in "iuf":
        raise TypeError(f"factors is {factors!r}; scale needs numbers")
    return Tensor(given.astype(x.dtype))
