"""Fully convolutional networks, written from scratch on NumPy.

The rooms (`minifcn.ops`, `minifcn.models`, …) are imported when they are first named,
and NumPy with them: before that the command line can choose OpenBLAS's kernels.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .autograd import Function, Tensor, no_grad

__version__ = "0.1.0"
__all__ = ["Function", "Tensor", "no_grad"]

_ROOMS = {
    "arrays",
    "autograd",
    "bench",
    "data",
    "experiments",
    "geometry",
    "laws",
    "metrics",
    "models",
    "nn",
    "ops",
    "optim",
    "pictures",
    "training",
    "weights",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(f"{__name__}.autograd"), name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
