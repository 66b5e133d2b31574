"""The emulated device: a GPU that is none, for machines without one.

Its arrays are NumPy's under another type, and as strict as CuPy's: they refuse to be
mixed with NumPy's. `library` is what `array_module` gives for them. Its kernels are the
GPU's, compiled by the C++ compiler (see `cuda.host`).
"""

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


class EmulatedArray(np.ndarray):
    """An array on the emulated device; `get()` brings it back."""

    def get(self) -> np.ndarray:
        """Return a copy in NumPy."""
        return np.array(self.view(np.ndarray))

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **how: Any
    ) -> Any:
        _refuse_numpy(ufunc.__name__, [*inputs, *(out or ())])
        if out:
            how["out"] = tuple(map(_plain, out))
        y = getattr(ufunc, method)(*map(_plain, inputs), **how)
        return out[0] if out else _wrapped(y)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        _refuse_numpy(function.__name__, [*_flat(args), *_flat(kwargs.values())])
        # Some functions (concatenate) give NumPy's type back.
        return _wrapped(super().__array_function__(function, types, args, kwargs))


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, EmulatedArray) else x


def _wrapped(y: Any) -> Any:
    if isinstance(y, tuple):
        return tuple(map(_wrapped, y))
    return np.asarray(y).view(EmulatedArray) if hasattr(y, "dtype") else y


def _flat(values: Any) -> Any:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _refuse_numpy(name: str, values: Any) -> None:
    for value in values:
        if type(value) is np.ndarray:
            raise TypeError(
                f"{name} mixes an array of NumPy, of shape {value.shape}, with one of "
                "the emulated device"
            )


class Library:
    """NumPy's functions; those that make arrays make them on the emulated device."""

    __name__ = "emulated"
    MAKERS = frozenset(
        "arange array asarray ascontiguousarray empty empty_like eye full full_like "
        "linspace ones ones_like zeros zeros_like".split()
    )
    ndarray = EmulatedArray

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        if name not in self.MAKERS:
            return function

        def made(*args: Any, **kwargs: Any) -> EmulatedArray:
            array = function(*map(_plain, args), **kwargs)
            # What was NumPy's is copied, as it is to a GPU.
            shared = any(type(x) is np.ndarray and x.size for x in args)
            return (array.copy() if shared else array).view(EmulatedArray)

        return made


library = Library()


COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-w")
# A header that only C++ has: a compiler may be there without its library.
TRIAL = '#include <new>\nextern "C" int trial() { return 17; }\n'


class NoCompiler(ValueError):
    """There is no C++ compiler, or one that compiles nothing."""


def compiler() -> tuple[str, ...]:
    """Return the C++ compiler, `command`, after a trial: the first time it is asked.

    Raises:
        NoCompiler: there is none, or it cannot compile a function of one line; says
            what is wrong, in the compiler's words.
    """
    words = command()
    if told := _trial(words, shutil.which(words[0])):
        raise NoCompiler(
            "device 'emulated' compiles kernels with a C++ compiler, and "
            f"{shlex.join(words)} compiles nothing: {told}"
        )
    return words


def command() -> tuple[str, ...]:
    """Return the C++ compiler as words of a command: ("c++",), ("ccache", "g++").

    That is $CXX, or without one the first of COMPILERS that there is.

    Raises:
        NoCompiler: there is none; says what to install, or what is wrong with CXX.
    """
    if chosen := os.environ.get("CXX", "").strip():
        return _chosen(chosen)
    for name in COMPILERS:
        if shutil.which(name):
            return (name,)
    raise NoCompiler(
        "device 'emulated' compiles kernels with a C++ compiler, and none was found "
        f"({', '.join(COMPILERS)}): install one (Debian and Ubuntu: apt install g++; "
        "Fedora: dnf install gcc-c++; macOS: xcode-select --install), or name yours in "
        "CXX"
    )


def _chosen(text: str) -> tuple[str, ...]:
    """Return $CXX as words; only its first must be a program."""
    try:
        # A path may have spaces in it, and no arguments behind it.
        words = (text,) if shutil.which(text) else tuple(shlex.split(text))
    except ValueError as error:  # a quotation mark too few
        raise NoCompiler(f"CXX is {text!r}, which is no command: {error}") from error
    if not shutil.which(words[0]):
        raise NoCompiler(
            "device 'emulated' compiles kernels with the C++ compiler that CXX names. "
            f"CXX is {text!r}, and there is no program {words[0]!r}: set CXX to a "
            'compiler that there is (CXX=clang++, CXX="ccache g++"), or unset it to '
            f"have the first of {', '.join(COMPILERS)}"
        )
    return words


@cache
def _trial(words: Sequence[str], program: str | None) -> str:
    """Compile `TRIAL`, load and run it; return what went wrong, or ""."""
    with tempfile.TemporaryDirectory(prefix="minifcn-") as folder:
        text, made = Path(folder) / "trial.cpp", Path(folder) / "trial.so"
        text.write_text(TRIAL, encoding="utf-8")
        try:
            if told := compiled(words, FLAGS, text, made):
                lines = told.splitlines()
                return next((line for line in lines if "error" in line), lines[0])
            return "" if ctypes.CDLL(str(made)).trial() == 17 else "it computes wrongly"
        # Not to be started; or it compiles for another machine, or makes no library.
        except (OSError, AttributeError) as error:
            return str(error)


def compiled(words: Sequence[str], flags: Sequence[str], text: Path, made: Path) -> str:
    """Compile a file of C++; return what the compiler says where it fails, else ""."""
    # Sanitizers are to watch the kernels, not the compiler.
    around = {name: v for name, v in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        [*words, *flags, "-o", str(made), str(text)],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env=around,
    )
    if done.returncode == 0 and made.exists():
        return ""
    return done.stderr.strip() or f"{shlex.join(words)} made nothing of it"


def to_emulated(array: np.ndarray) -> EmulatedArray:
    """Copy an array of NumPy to the emulated device."""
    return np.array(array, order="C").view(EmulatedArray)
