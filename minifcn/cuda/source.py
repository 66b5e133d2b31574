"""The text of a .cu file, and what its kernels are called and take.

A kernel is a template over the type of its numbers, or has no such type:

    template <typename T>
    __global__ void relu(const T* x, T* y, Index n) { … }

Pointers are arrays; `const` ones are read and the others written. Everything that
launches a kernel goes by what stands here, so nothing is declared twice.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

HEADER = Path(__file__).with_name("kernel.h")
TYPES: dict[str, Any] = {
    "Index": np.int64,
    "float": np.float32,
    "double": np.float64,
    "bool": np.bool_,
    "unsigned char": np.uint8,
    "unsigned long long": np.uint64,
}
FLOATS = {"float32": "float", "float64": "double"}  # what T may be

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_KERNEL = re.compile(
    r"(?P<template>template\s*<\s*typename\s+T\s*>\s*)?"
    r"__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?"
    r"(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)\s*\{"
)
# One array, or one number: the emulation fills it, and must know its name.
_SHARED = re.compile(r"__shared__\s+[\w\s]+\b\w+\s*(?:\[[^\];]*\]\s*)*;")


@dataclass(frozen=True)
class Parameter:
    """What a kernel takes at one place: `const T* x`, or `Index n`."""

    name: str
    type: str  # "T", or one of TYPES
    is_array: bool
    is_written: bool

    def c_type(self, number: str) -> str:
        """Return the type in C++, with `number` ("float") for T."""
        base = number if self.type == "T" else self.type
        const = "const " if self.is_array and not self.is_written else ""
        return f"{const}{base}{'*' if self.is_array else ''}"

    def dtype(self, number: Any) -> Any:
        """Return the type in NumPy, with `number` for T."""
        return np.dtype(number if self.type == "T" else TYPES[self.type])


@dataclass(frozen=True)
class Kernel:
    """A kernel's name and parameters.

    Attributes:
        is_template: whether it is compiled for float and for double.
        has_barriers: whether its threads wait for one another.
        line: where it begins in its file.
        body: its text between the outermost braces, without comments.
    """

    name: str
    parameters: tuple[Parameter, ...]
    is_template: bool
    has_barriers: bool
    line: int
    body: str

    def variants(self) -> list[str]:
        """Return what the kernel is compiled for: "float" and "double", or ""."""
        return list(FLOATS.values()) if self.is_template else [""]

    def expression(self, variant: str) -> str:
        """Return its name in C++: relu<float>."""
        return f"{self.name}<{variant}>" if variant else self.name


@dataclass(frozen=True, eq=False)  # one object for each file
class Source:
    """A .cu file with its kernels."""

    path: Path
    text: str
    kernels: dict[str, Kernel]

    @property
    def code(self) -> str:
        """The text to compile: kernel.h, then the file with its own line numbers."""
        header = HEADER.read_text(encoding="utf-8")
        return f'{header}\n#line 1 "{self.path.name}"\n{self.text}'


def read(path: Path) -> Source:
    """Read a .cu file; the same object again, until the file changes.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a kernel is not written as said above, or shared memory is not
            declared array by array.
    """
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read(path: Path, changed: int) -> Source:
    text = path.read_text(encoding="utf-8")
    plain = _COMMENT.sub(_blank, text)
    found = list(_KERNEL.finditer(plain))
    if len(found) != plain.count("__global__"):
        raise ValueError(
            f"{path.name}: {len(found)} of {plain.count('__global__')} kernels are "
            "written as: template <typename T> __global__ void name(parameters) {"
        )
    _check_shared(path, plain)
    bodies = [_body(plain, match.end()) for match in found]
    rest = plain  # the helpers, which any kernel may call
    for body in bodies:
        rest = rest.replace(body, "")
    return Source(
        path,
        text,
        {
            match["name"]: Kernel(
                match["name"],
                _parameters(path, match),
                is_template=match["template"] is not None,
                has_barriers="__syncthreads" in body + rest,
                line=plain.count("\n", 0, match.start()) + 1,
                body=body,
            )
            for match, body in zip(found, bodies, strict=True)
        },
    )


def _check_shared(path: Path, plain: str) -> None:
    for word in re.finditer(r"\b__shared__\b", plain):
        if not _SHARED.match(plain, word.start()):
            line = plain.count("\n", 0, word.start()) + 1
            declared = plain[word.start() :].partition(";")[0]
            raise ValueError(
                f"{path.name}:{line}: {' '.join(declared.split())}; is not written as: "
                "__shared__ T name[size]; with a declaration for each array"
            )


def _blank(comment: re.Match[str]) -> str:
    """Return spaces, and the ends of lines where they were."""
    return re.sub(r"[^\n]", " ", comment[0])


def _body(text: str, start: int) -> str:
    """Return the text from behind a brace to the one that closes it."""
    depth = 1
    for brace in re.finditer(r"[{}]", text[start:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : start + brace.start()]
    return text[start:]


def _parameters(path: Path, match: re.Match[str]) -> tuple[Parameter, ...]:
    words = match["parameters"].split(",") if match["parameters"].strip() else []
    parameters = tuple(_parameter(path, word) for word in words)
    arrays = [parameter for parameter in parameters if parameter.is_array]
    if match["template"] and not any(array.type == "T" for array in arrays):
        raise ValueError(f"{path.name}: {match['name']} takes no array of T to go by")
    if not arrays:
        raise ValueError(f"{path.name}: {match['name']} takes no array")
    return parameters


def _parameter(path: Path, text: str) -> Parameter:
    words = text.replace("*", " * ").replace("__restrict__", " ").split()
    is_array, is_const = "*" in words, words[0] == "const"
    name = words[-1]
    type_ = " ".join(word for word in words[:-1] if word not in ("const", "*"))
    if type_ != "T" and type_ not in TYPES:
        raise ValueError(
            f"{path.name}: parameter {' '.join(text.split())!r} has type {type_!r}; "
            f"it must be T or one of {', '.join(TYPES)}"
        )
    return Parameter(name, type_, is_array, is_array and not is_const)
