"""Kernels on a GPU: compiled and launched by CuPy."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ..arrays import cupy
from .source import Kernel, Source

OPTIONS = ("--std=c++17",)


@cache
def module(source: Source, device: int) -> Any:
    """Compile a file for one GPU: once, all its kernels together."""
    names = [k.expression(v) for k in source.kernels.values() for v in k.variants()]
    return cupy().RawModule(code=source.code, options=OPTIONS, name_expressions=names)


def function(
    source: Source, kernel: Kernel, variant: str
) -> Callable[[int, int, Sequence[Any]], None]:
    """Return a function of (blocks, threads, arguments) that launches a kernel.

    It raises ValueError where an array lies on another GPU than CuPy's current one.
    """
    device = cupy().cuda.runtime.getDevice()
    compiled = module(source, device).get_function(kernel.expression(variant))

    def run(blocks: int, threads: int, values: Sequence[Any]) -> None:
        for value in values:
            if isinstance(value, cupy().ndarray) and value.device.id != device:
                raise ValueError(
                    f"{source.path.name}: {kernel.name}: an array lies on GPU "
                    f"{value.device.id}, and the current one is {device}"
                )
        compiled((blocks,), (threads,), tuple(values))

    return run
