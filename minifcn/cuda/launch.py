"""Launching: the one way from an operator in Python to its kernel.

    KERNELS = Kernels(__file__)            # the .cu file beside this module
    KERNELS.relu(x.size, x, y, x.size)     # items to share, then the arguments

The arguments are checked against the kernel's own signature, then handed to the device
on which the arrays lie: a GPU through CuPy, or the emulation on the CPU. Both get the
same numbers of blocks and threads.
"""

import operator
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from ..emulated import EmulatedArray
from . import gpu, host
from .source import FLOATS, Kernel, Parameter, Source, read

THREADS = 256  # in a block; `cuda.trace` takes fewer
# In a block whose threads wait for one another: its shared memory is laid out for them.
SHARING = 256
MOST_BLOCKS = 1 << 16  # more work than that is walked over in turns


class Kernels:
    """The kernels of one .cu file, each an attribute to be called.

    Args:
        file: of the Python module beside which the .cu file lies.
    """

    def __init__(self, file: str | Path):
        self.path = Path(file).with_suffix(".cu")

    @property
    def source(self) -> Source:
        """The file, read once."""
        return read(self.path)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = self.source.kernels.get(name)
        if kernel is None:
            known = ", ".join(self.source.kernels)
            raise AttributeError(
                f"{self.path.name} has no kernel {name}; it has {known}"
            )
        return partial(launch, self.source, kernel)


def launch(source: Source, kernel: Kernel, size: int, *arguments: Any) -> None:
    """Run a kernel over `size` items.

    Args:
        source: the file that holds it.
        kernel: one of its kernels.
        size: how many items the threads share; nothing is launched for 0.
        arguments: for each parameter an array, or a number.

    Raises:
        TypeError: too many or too few arguments; an array of another type; a number
            that the parameter's type does not hold; a size that is not whole.
        ValueError: a size below 0; an array that is not contiguous, not to be written
            over, or of another device than the others.
    """
    executor, number = _check(source, kernel, arguments)
    size = _items(f"{source.path.name}: {kernel.name}", size)
    if size == 0:
        return
    threads = SHARING if kernel.has_barriers else THREADS
    blocks = min(-(-size // threads), MOST_BLOCKS)
    values = [
        argument
        if parameter.is_array
        else parameter.dtype(number or "f4").type(argument)
        for parameter, argument in zip(kernel.parameters, arguments, strict=True)
    ]
    variant = FLOATS[str(number)] if kernel.is_template else ""
    executor(source, kernel, variant)(blocks, threads, values)


def _items(place: str, size: Any) -> int:
    sentence = f"{place}: size is {_told(size)}; it must be a whole number, 0 or more"
    try:
        items = operator.index(size)
    except TypeError:
        raise TypeError(sentence) from None
    if items < 0:
        raise ValueError(sentence)
    return items


def _told(value: Any) -> str:
    return f"{value!r}" if np.isscalar(value) else type(value).__name__


def _check(source: Source, kernel: Kernel, arguments: Any) -> Any:
    """Check the arguments; return the device's compiler, and what T is."""
    place = f"{source.path.name}: {kernel.name}"
    if len(arguments) != len(kernel.parameters):
        names = ", ".join(parameter.name for parameter in kernel.parameters)
        raise TypeError(
            f"{place} takes {len(kernel.parameters)} arguments ({names}), not "
            f"{len(arguments)}"
        )
    pairs = list(zip(kernel.parameters, arguments, strict=True))
    number = next(
        (
            getattr(a, "dtype", type(a))
            for p, a in pairs
            if p.is_array and p.type == "T"
        ),
        None,
    )
    if kernel.is_template and str(number) not in FLOATS:
        given = getattr(number, "__name__", number)
        raise TypeError(f"{place} takes float32 or float64, not {given}")
    for parameter, argument in pairs:
        if parameter.is_array:
            _check_array(place, parameter, argument, parameter.dtype(number or "f4"))
        else:
            _check_number(place, parameter, argument)
    return _executor(place, [a for p, a in pairs if p.is_array]), number


def _check_array(place: str, parameter: Parameter, array: Any, dtype: Any) -> None:
    if not hasattr(array, "dtype") or array.dtype != dtype:
        given = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{place}: {parameter.name} is {given}, and must be {dtype}")
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{place}: {parameter.name} of shape {array.shape} is not contiguous"
        )
    # CuPy's arrays can all be written over, and have no such flag.
    if parameter.is_written and not getattr(array.flags, "writeable", True):
        raise ValueError(
            f"{place}: {parameter.name} of shape {array.shape} is read-only, and the "
            "kernel writes it"
        )


def _check_number(place: str, parameter: Parameter, argument: Any) -> None:
    """Refuse what the conversion to the parameter's type would quietly change."""
    kind = parameter.dtype("f4").kind
    allowed: Any = {"f": Real, "b": (bool, np.bool_)}.get(kind, Integral)
    # An array of one number is refused too: to read it the host would wait for a GPU.
    if not isinstance(argument, allowed) or (
        kind in "iu" and isinstance(argument, bool)
    ):
        wanted = "float32 or float64" if parameter.type == "T" else parameter.type
        raise TypeError(
            f"{place}: {parameter.name} is {_told(argument)}, and must be a number of "
            f"type {wanted}"
        )
    if kind in "iu":
        bounds = np.iinfo(parameter.dtype("f4"))
        if not bounds.min <= argument <= bounds.max:
            raise ValueError(
                f"{place}: {parameter.name} is {argument}, and must lie from "
                f"{bounds.min} to {bounds.max}"
            )


def _executor(place: str, arrays: list[Any]) -> Any:
    """Return what compiles kernels for the device that all arrays lie on."""
    kinds = {type(array) for array in arrays}
    if len(kinds) != 1:
        names = ", ".join(sorted(f"{k.__module__}.{k.__name__}" for k in kinds))
        raise ValueError(f"{place}: the arrays lie on several devices ({names})")
    (kind,) = kinds
    if kind is EmulatedArray:
        return host.function
    if kind is np.ndarray:
        raise ValueError(f"{place}: kernels do not run on NumPy's arrays")
    return gpu.function
