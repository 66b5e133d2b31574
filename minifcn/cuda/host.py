r"""Kernels on the CPU: the same text, compiled by the C++ compiler.

Beside the kernels stands `emulate.h`, which supplies threadIdx and the rest; around
each a C function that unpacks the arguments and walks over blocks and threads. Compiled
files are kept, under a name made of all that goes into them.

With MINIFCN_SANITIZE=1 AddressSanitizer and UBSan watch the kernels, and name the line
of the .cu file; the first must be there before Python:

    MINIFCN_SANITIZE=1 ASAN_OPTIONS=detect_leaks=0 \
    LD_PRELOAD=$(g++ -print-file-name=libasan.so) python …
"""

import ctypes
import hashlib
import os
import platform
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..emulated import FLAGS, command, compiled, compiler
from .source import Kernel, Source

EMULATION = Path(__file__).with_name("emulate.h")
TRACING = Path(__file__).with_name("trace.h")
SANITIZERS = (
    "-g",
    "-O1",  # the lines stay those of the text
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)

_SHARED = re.compile(r"__shared__\s+[\w\s]+?\b(\w+)\s*(\[[^;]*)?;")
_one_at_a_time = threading.Lock()  # a compiled file has one threadIdx
_seed = 0  # of the order of blocks and threads


def cache_folder() -> Path:
    """Return where compiled kernels are kept: $XDG_CACHE_HOME/minifcn.

    A temporary folder, removed at the end, where that cannot be written.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "minifcn"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(_temporary_folder().name)


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="minifcn-", ignore_cleanup_errors=True)


def shuffle(seed: int) -> None:
    """Run blocks and threads in another order from now on."""
    global _seed
    _seed = seed


def function(
    source: Source, kernel: Kernel, variant: str
) -> Callable[[int, int, Sequence[Any]], None]:
    """Return a function of (blocks, threads, arguments) that runs a kernel."""
    if recorder is not None:
        return recorder(source, kernel, variant)
    return runner(source, kernel, getattr(library(source), symbol(kernel, variant)))


recorder: Callable[..., Any] | None = None  # `cuda.trace` launches in our place


def runner(
    source: Source, kernel: Kernel, compiled: Any
) -> Callable[[int, int, Sequence[Any]], None]:
    """Return a function of (blocks, threads, arguments) that calls a C function."""

    def run(blocks: int, threads: int, values: Sequence[Any]) -> None:
        # As CUDA's own launch takes them: an array of pointers to the arguments.
        kept = [
            ctypes.c_void_p(value.ctypes.data)
            if isinstance(value, np.ndarray)
            else np.ctypeslib.as_ctypes_type(value.dtype)(value.item())
            for value in values
        ]
        places = (ctypes.c_void_p * len(kept))(*(ctypes.addressof(k) for k in kept))
        with _one_at_a_time:
            line = compiled(blocks, threads, _seed, places)
        if line:
            raise RuntimeError(
                f"{source.path.name}:{line}: {kernel.name}: some threads of a block "
                "wait at this __syncthreads(); others have ended, or wait at another"
            )

    return run


@cache
def library(source: Source) -> ctypes.CDLL:
    """Compile a file, unless that is done, and load it.

    Raises:
        NoCompiler: there is no compiler, or one that compiles nothing.
        RuntimeError: it does not compile; with the compiler's words.
    """
    return load(wrapped(source), source.path.name)


def load(code: str, name: str) -> ctypes.CDLL:
    """Compile C++ that came of the file `name`, unless that is done, and load it."""
    sanitize = bool(os.environ.get("MINIFCN_SANITIZE"))
    flags = (*FLAGS, *(SANITIZERS if sanitize else ()))
    machine = f"{sys.platform} {platform.machine()}"  # a home may be shared
    headers = [path.read_text(encoding="utf-8") for path in (EMULATION, TRACING)]
    words = "\0".join((machine, *command(), *flags, code, *headers))
    digest = hashlib.sha256(words.encode()).hexdigest()[:16]
    target = cache_folder() / f"{Path(name).stem}-{digest}.so"
    if not target.exists():
        compile_to(target, code, flags, name)
    return ctypes.CDLL(str(target))


def compile_to(target: Path, code: str, flags: Sequence[str], name: str) -> None:
    """Compile the code into a shared library, written beside and renamed.

    Raises:
        NoCompiler: the compiler compiles nothing.
        RuntimeError: `name` does not compile; with the compiler's words.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        text, made = Path(folder) / "kernels.cpp", Path(folder) / target.name
        text.write_text(code, encoding="utf-8")
        told = compiled(command(), (*flags, f"-I{EMULATION.parent}"), text, made)
        if told:
            compiler()  # no fault of the file, where nothing can be compiled
            raise RuntimeError(f"{name} does not compile:\n{told}")
        made.replace(target)


def wrapped(source: Source) -> str:
    """Return C++ of a file: the emulation, the kernels, and a C function for each."""
    return assembled(source, ['#include "emulate.h"'], source.code, _unpacked)


def assembled(
    source: Source,
    head: Sequence[str],
    code: str,
    unpack: Callable[[int, str], str],
) -> str:
    """Return C++ of kernels; `unpack` makes an argument's C++ of number and type."""
    functions = [
        _entry(kernel, variant, unpack)
        for kernel in source.kernels.values()
        for variant in kernel.variants()
    ]
    # A name is added behind each shared array; the lines stay where they are.
    text = _SHARED.sub(r"\g<0> SHARED(\1);", code)
    return "\n".join([*head, text, '#line 1 "launches"', *functions])


def _unpacked(i: int, c_type: str) -> str:
    return f"*({c_type}*)a[{i}]"


def symbol(kernel: Kernel, variant: str) -> str:
    """Return the name of a kernel's C function."""
    return f"launch_{kernel.name}_{variant}"


def _entry(kernel: Kernel, variant: str, unpack: Callable[[int, str], str]) -> str:
    unpacked = ", ".join(
        unpack(i, parameter.c_type(variant))
        for i, parameter in enumerate(kernel.parameters)
    )
    return (
        f'extern "C" int {symbol(kernel, variant)}'
        "(unsigned blocks, unsigned threads, unsigned seed, void** given) {\n"
        "    auto thread = [](void* p) {\n"
        f"        void** a = (void**)p; {kernel.expression(variant)}({unpacked});\n"
        "    };\n"
        f"    return emulation::launch(blocks, threads, seed, "
        f"{str(kernel.has_barriers).lower()}, thread, given);\n"
        "}"
    )
