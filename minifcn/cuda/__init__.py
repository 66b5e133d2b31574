"""CUDA kernels: read from their .cu files, compiled, launched."""

from .launch import Kernels

__all__ = ["Kernels"]
