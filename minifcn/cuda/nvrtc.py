"""Compiling kernels for real: NVIDIA's own compiler, on machines without a GPU too.

    python -m minifcn.cuda.nvrtc

compiles every .cu file of the package, or those named, for several generations of GPUs,
and writes a table of what each kernel takes. NVRTC needs no driver; it comes from PyPI:

    pip install nvidia-cuda-nvrtc-cu12
"""

import argparse
import ctypes
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .gpu import OPTIONS
from .source import Source, read

PACKAGE = Path(__file__).resolve().parents[1]
ARCHITECTURES = (
    "sm_75",
    "sm_80",
    "sm_90",
    "sm_100",
)  # Turing, Ampere, Hopper, Blackwell
INSTALL = "pip install nvidia-cuda-nvrtc-cu12"


class NoNvrtc(ValueError):
    """NVRTC is not installed."""


class DoesNotCompile(ValueError):
    """NVRTC refuses a file; its words say where."""


@dataclass(frozen=True)
class Usage:
    """What one kernel takes of one GPU.

    Attributes:
        file: the name of its .cu file.
        kernel: as in C++, relu<float>.
        architecture: sm_75 and so on.
        registers: of each thread. A multiprocessor has 65,536; the more a thread takes,
            the fewer run at a time and hide each other's waiting.
        shared: bytes of each block.
        spills: bytes that found no register and go through memory instead.
    """

    file: str
    kernel: str
    architecture: str
    registers: int
    shared: int
    spills: int


def files() -> list[Path]:
    """Return the .cu files of the package."""
    return sorted(PACKAGE.rglob("*.cu"))


@cache
def library() -> ctypes.CDLL:
    """Load NVRTC.

    Raises:
        NoNvrtc: says what to install.
    """
    spec = find_spec("nvidia")  # no package of its own: a folder that many share
    folders = spec.submodule_search_locations if spec else None
    for pattern in ("libnvrtc.so*", "nvrtc64_*.dll"):
        for folder in folders or ():
            for path in sorted(Path(folder).rglob(pattern), reverse=True):
                if ".alt." not in path.name:
                    return ctypes.CDLL(str(path))
    raise NoNvrtc(f"NVRTC, NVIDIA's compiler of kernels, is not installed: {INSTALL}")


def architectures() -> list[str]:
    """Return those of ARCHITECTURES that this NVRTC knows."""
    count = ctypes.c_int()
    _call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
    numbers = (ctypes.c_int * count.value)()
    _call("nvrtcGetSupportedArchs", numbers)
    return [name for name in ARCHITECTURES if int(name[3:]) in list(numbers)]


def usages(source: Source, architecture: str) -> list[Usage]:
    """Compile a file for one architecture; return what each of its kernels takes.

    Raises:
        NoNvrtc: NVRTC is not installed.
        DoesNotCompile: with the compiler's words.
    """
    program = ctypes.c_void_p()
    name = str(source.path.name).encode()
    _call(
        "nvrtcCreateProgram",
        *(ctypes.byref(program), source.code.encode(), name, 0, None, None),
    )
    try:
        return _compile(program, source, architecture)
    finally:
        _call("nvrtcDestroyProgram", ctypes.byref(program))


def _compile(program: Any, source: Source, architecture: str) -> list[Usage]:
    names = [k.expression(v) for k in source.kernels.values() for v in k.variants()]
    for name in names:
        _call("nvrtcAddNameExpression", program, name.encode())
    words = (f"--gpu-architecture={architecture}", *OPTIONS, "--ptxas-options=-v")
    options = (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
    failed = library().nvrtcCompileProgram(program, len(words), options)
    log = _log(program)
    if failed:
        raise DoesNotCompile(f"{source.path.name} for {architecture}:\n{log}")
    sections = {
        part.partition("'")[0]: part
        for part in log.split("Compiling entry function '")[1:]
    }
    return [
        _usage(source.path.name, name, architecture, sections[_lowered(program, name)])
        for name in names
    ]


def _usage(file: str, kernel: str, architecture: str, section: str) -> Usage:
    # ptxas info    : Used 12 registers, used 1 barriers, 2048 bytes smem
    def number(pattern: str) -> int:
        return sum(map(int, re.findall(rf"(\d+) {pattern}", section)))

    registers = int(re.findall(r"Used (\d+) registers", section)[0])
    spills = number("bytes spill stores") + number("bytes spill loads")
    return Usage(file, kernel, architecture, registers, number("bytes smem"), spills)


def _lowered(program: Any, name: str) -> str:
    """Return a kernel's name as the linker knows it."""
    lowered = ctypes.c_char_p()
    _call("nvrtcGetLoweredName", program, name.encode(), ctypes.byref(lowered))
    return (lowered.value or b"").decode()


def _log(program: Any) -> str:
    size = ctypes.c_size_t()
    _call("nvrtcGetProgramLogSize", program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    _call("nvrtcGetProgramLog", program, text)
    return text.value.decode()


def _call(name: str, *arguments: Any) -> None:
    result = getattr(library(), name)(*arguments)
    if result:
        error = library().nvrtcGetErrorString
        error.restype = ctypes.c_char_p
        raise RuntimeError(f"{name}: {error(result).decode()}")


def render(rows: Iterable[Usage]) -> str:
    """Write a table: a row for each kernel, and its registers on each architecture."""
    rows = list(rows)
    names = list(dict.fromkeys(row.architecture for row in rows))
    kernels: dict[tuple[str, str], list[Usage]] = {}
    for row in rows:
        kernels.setdefault((row.file, row.kernel), []).append(row)
    width = max(map(len, (" ".join(key) for key in kernels)), default=0) + 2
    heads = "".join(f"{name:>8}" for name in names)
    lines = [f"{'registers of a thread on':<{width}}{heads}{'shared':>9}{'spills':>8}"]
    for (file, kernel), uses in kernels.items():
        counts = "".join(f"{use.registers:>8}" for use in uses)
        shared, spills = max(u.shared for u in uses), max(u.spills for u in uses)
        lines.append(f"{f'{file} {kernel}':<{width}}{counts}{shared:>9}{spills:>8}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Compile and write the table; 1 where something spills, 2 where it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m minifcn.cuda.nvrtc",
        description="Compile kernels for real, without a GPU: what each takes of one.",
    )
    parser.add_argument("files", nargs="*", type=Path, help="default: the package's")
    chosen = parser.parse_args(argv)
    try:
        sources = [read(path) for path in chosen.files or files()]
        rows = [u for name in architectures() for s in sources for u in usages(s, name)]
    except (ValueError, FileNotFoundError) as error:
        print(error)
        return 2
    print(render(rows))
    return int(any(row.spills for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
