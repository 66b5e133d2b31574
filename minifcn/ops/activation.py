"""ReLU and dropout."""

import math
from numbers import Real
from typing import Any

import numpy as np

from ..arrays import Array, array_module, contiguous, elementwise, on_cpu
from ..autograd import Function, Tensor
from ..cuda import Kernels
from .inputs import check_tensors

KERNELS = Kernels(__file__)

_generator = np.random.default_rng(0)  # dropout's own: a checkpoint keeps its state


def seed(number: int) -> None:
    """Start dropout's random numbers anew."""
    global _generator
    _generator = np.random.default_rng(number)


def random_state() -> dict[str, Any]:
    """Return the state of dropout's random numbers, as plain JSON."""
    return dict(_generator.bit_generator.state)


def set_random_state(state: dict[str, Any]) -> None:
    """Go on with dropout's random numbers from a state of `random_state`."""
    _generator.bit_generator.state = state


def relu_definition(x: Array, inplace: bool = False) -> Array:
    """Say ReLU by its definition: one number at a time (see `relu`)."""
    y = x if inplace else np.empty_like(x)
    for at in np.ndindex(*x.shape):
        y[at] = max(x[at], 0)
    return y


class ReLU(Function):
    """max(x, 0); the gradient passes where the output is positive."""

    output_is_shared = True  # backward reads y
    makes_gradients = True

    def __init__(self, inplace: bool):
        self.inplace = inplace

    def forward(self, x: Array) -> Array:
        # Backward needs y alone (y > 0 just where x > 0), so x may be written over.
        x = x if self.inplace or on_cpu(x) else contiguous(x)
        self.y = x if self.inplace else array_module(x).empty_like(x)
        if on_cpu(x):
            elementwise(rectify, x, self.y)
        else:
            KERNELS.relu(x.size, x, self.y, x.size)
        return self.y

    def backward(self, gy: Array) -> Array:
        return relu_gradient(self.y, gy, overwrite=self.owns_gradient)


def rectify(x: np.ndarray, out: np.ndarray) -> None:
    """out = max(x, 0), a third of the time that `np.maximum` takes with one number."""
    np.clip(x, 0, np.inf, out=out)


def keep(where: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out = x where it is to be kept, else 0; also for an x that is infinite or none.

    A product with 0 would be no number there, and choosing (`np.where`) takes ten times
    as long as an AND of the bits.
    """
    bits = f"i{x.itemsize}"
    mask = -where.view(np.int8)  # 0, or −1: all bits set
    np.bitwise_and(x.view(bits), mask, out=out.view(bits))


def relu_gradient(
    y: Array, gy: Array, p: float = 0.0, overwrite: bool = False
) -> Array:
    """Return gx = gy / (1 − p) where y > 0, else 0.

    For y = relu(x), and for y = dropout(relu(x), p) as well: what was dropped is 0.
    With `overwrite` the CPU writes gx over gy, which takes no memory.
    """
    if not on_cpu(gy):
        gy = contiguous(gy)
        gx = array_module(gy).empty_like(gy)
        KERNELS.relu_backward(gx.size, y, gy, gx, gx.size, 1 / (1 - p))
        return gx
    gx, scale = gy if overwrite else np.empty_like(gy), gy.dtype.type(1 / (1 - p))

    def piece(y: Array, gy: Array, gx: Array) -> None:
        keep(y > 0, gy, gx)
        if p:
            gx *= scale

    elementwise(piece, y, gy, gx)
    return gx


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0), element by element.

    The gradient is gy where x > 0, else 0 (at 0 too). As `torch.nn.functional.relu`.

    Args:
        x: any shape.
        inplace: write the result over x, where nothing needs x any more.

    Raises:
        ValueError: inplace, but x is a leaf that requires a gradient, or was read by
            another operation, or its maker keeps it for backward.
        TypeError: x is no Tensor of float32 or float64.
    """
    check_tensors("relu", x=x)
    if inplace:
        _check_overwritable(x)
    y = ReLU(inplace)(x)
    if inplace:  # whoever reads x from now on reads y
        x.maker, x.requires_grad = y.maker, y.requires_grad
    return y


def _check_overwritable(x: Tensor) -> None:
    reason = None
    if x.maker is None and x.requires_grad:
        reason = "it is a leaf that requires a gradient"
    elif x.readers:  # which may still need the old values
        reason = "another operation has read it"
    elif x.maker is not None and x.maker.output_is_shared:  # another ReLU, say
        reason = f"{type(x.maker).__name__} keeps it for its backward pass"
    if reason:
        raise ValueError(f"relu(x, inplace=True) cannot overwrite x: {reason}")


def draw_mask(p: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return which elements dropout keeps; each is dropped with probability p."""
    return _generator.random(shape, np.float32) >= p


def draw_key() -> int:
    """Return what a kernel draws its mask from."""
    return int(_generator.integers(1 << 63))


def scale_and_limit(p: float) -> tuple[float, int]:
    """Return 1 / (1 − p), and below what a number of 53 bits means a 0."""
    return 1 / (1 - p), math.ceil(p * 2**53)


class Dropout(Function):
    """x · mask / (1 − p), the same mask on the way back."""

    def __init__(self, p: float):
        self.p = p

    def forward(self, x: Array) -> Array:
        if not on_cpu(x):
            # Kept instead of a mask: the kernel draws the same again from it.
            self.key = draw_key()
            return self._drop(x)
        self.mask = draw_mask(self.p, x.shape)
        return self._drop(x)

    def backward(self, gy: Array) -> Array:
        return self._drop(gy)

    def _drop(self, x: Array) -> Array:
        if on_cpu(x):
            y = x * x.dtype.type(1 / (1 - self.p))
            keep(self.mask, y, y)
            return y
        x = contiguous(x)
        y = array_module(x).empty_like(x)
        KERNELS.dropout(x.size, x, y, x.size, *scale_and_limit(self.p), self.key)
        return y


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Set each element to zero with probability p, and scale the rest by 1 / (1 − p).

    The expected value stays x. Outside of training nothing happens. The random numbers
    start from `minifcn.nn.seed`. As `torch.nn.functional.dropout`.

    Args:
        x: any shape.
        p: a number, 0 ≤ p < 1.
        training: False hands x back.

    Raises:
        ValueError: p is not in [0, 1).
        TypeError: p is no number; x is no Tensor of float32 or float64.
    """
    check_tensors("dropout", x=x)
    check_probability(p)
    return Dropout(p)(x) if training and p > 0 else x


def check_probability(p: float) -> None:
    """Refuse a p that is no probability of dropout.

    Raises:
        ValueError, TypeError: as `dropout`.
    """
    if isinstance(p, bool) or not isinstance(p, Real):
        raise TypeError(f"p is {p!r}; the probability of dropout must be a number")
    if not 0 <= p < 1:
        raise ValueError(f"p is {p}; the probability of dropout must lie in [0, 1)")
