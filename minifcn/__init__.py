"""Fully convolutional networks, written from scratch on NumPy."""

from .autograd import Function, Tensor, no_grad

__version__ = "0.1.0"
__all__ = ["Function", "Tensor", "no_grad"]
