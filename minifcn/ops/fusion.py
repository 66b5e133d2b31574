"""Joining streams: sums and scales."""

from typing import Any

from ..arrays import array_module
from ..autograd import Tensor


def add(x: Tensor, y: Tensor) -> Tensor:
    """Return x + y: how FCN-16s and 8s fuse two streams of scores.

    The gradient flows to both unchanged. Source: Long et al. 2015, section 4.2.

    Raises:
        ValueError: the shapes differ (fusing is never broadcasting).
    """
    if x.shape != y.shape:
        raise ValueError(
            f"x has shape {x.shape} and y {y.shape}; add needs the same twice"
        )
    return x + y


def scale(x: Tensor, factors: Any) -> Tensor:
    """Return x · factors, one for all or one for each channel (Caffe's Scale layer).

    Args:
        x: (N, C, H, W).
        factors: a number, or an array or Tensor of shape (C,).

    Raises:
        ValueError: the factors are neither one number nor one for each channel.
    """
    if not isinstance(factors, Tensor):
        factors = Tensor(array_module(x.data).asarray(factors, x.dtype))
    if factors.shape == ():  # one for all
        return x * factors
    if x.ndim != 4 or factors.shape != (x.shape[1],):
        raise ValueError(
            f"factors have shape {factors.shape}; for x of shape {x.shape} they must "
            "be one number or one for each channel"
        )
    return x * factors.reshape(-1, 1, 1)  # (C,) → (C, 1, 1)
