"""MATLAB's .mat files: one matrix of whole numbers, by name, read and checked.

Formats 5 to 7 are read by SciPy and 7.3, which is HDF5, by h5py. Each is imported when
a file needs it. Nothing in a file is executed, and sizes are checked before anything
large is allocated.
"""

from __future__ import annotations

import importlib
import io
import math
import struct
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import MAX_PIXELS, DataError

Matrix = NDArray[np.int32]

# Bytes 124 to 127, in the byte order of the machine that wrote them: version, "MI".
_FORMAT_5 = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_FORMAT_7_3 = (b"\x00\x02IM", b"\x02\x00MI")
_HEADER = 128
_FLAGS, _MATRIX = 6, 14  # miUINT32, in which the flags of a matrix are; miMATRIX
_COMPRESSED = 15  # miCOMPRESSED: what follows the tag is a zlib stream
_MAX_BYTES = 8 * MAX_PIXELS  # a matrix of doubles


def read_matrix(path: str | Path, *names: str) -> Matrix:
    """Read a matrix of whole numbers.

    Args:
        path: a .mat file of format 5, 6, 7 or 7.3.
        names: the variable, and where it is a struct the field in it:
            ``read_matrix(path, "GTcls", "Segmentation")``.

    Returns:
        (H, W) int32, the values as they stand in the file.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: no .mat file, a damaged one, one without such a matrix or with one of
            over ``MAX_PIXELS`` values; or the library that reads it is not installed.
    """
    path, name = Path(path), ".".join(names)
    mark = _read_mark(path)
    hdf5 = mark in _FORMAT_7_3
    library = _import(path, "h5py" if hdf5 else "scipy.io")
    try:
        if hdf5:
            values = _read_hdf5(library, path, names)
        else:
            values = _read_5(library, path, names, _FORMAT_5[mark])
    except DataError as error:
        raise DataError(f"{path} {error}") from None
    # what the two raise for damaged files has no common type
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} is damaged or cut short: {reason}") from None
    return _to_integers(values, f"{path}: {name}")


def _read_mark(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        mark = file.read(_HEADER)[124:]
    if mark not in (*_FORMAT_5, *_FORMAT_7_3):
        raise DataError(f"{path} is not a MATLAB file of format 5, 6, 7 or 7.3")
    return mark


def _import(path: Path, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise DataError(
            f"{path} needs {package} to be read, which is not installed: "
            "pip install 'minifcn[datasets]'"
        ) from None


# MATLAB 5 to 7 -----------------------------------------------------------------


def _read_5(
    scipy_io: ModuleType, path: Path, names: tuple[str, ...], order: str
) -> object:
    file = _inflate(path, order)
    value: Any = scipy_io.loadmat(file, variable_names=names[:1])
    for depth, name in enumerate(names):
        if depth:  # a field: of a struct that is no array of structs
            fields = getattr(value, "dtype", np.dtype(int)).names or ()
            value = dict(zip(fields, value.item())) if value.size == 1 else {}
        if name not in value:
            raise DataError(f"holds no {'.'.join(names[: depth + 1])}")
        value = value[name]
    return value


def _inflate(path: Path, order: str) -> io.BytesIO:
    """Return the file with its variables uncompressed, if it is not too large so.

    SciPy believes what stands in a file. So what is compressed is measured before, and
    the sizes of all matrices are added, of those within structs and cells, too.
    """
    if path.stat().st_size > _MAX_BYTES:
        raise _too_large("bytes")
    data = path.read_bytes()
    parts, start, n_values = [data[:_HEADER]], _HEADER, 0
    while start < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, start)
        end = start + 8 + size
        if end > len(data):
            missing = f"{end - len(data)} bytes are missing"
            raise DataError(f"is damaged or cut short: {missing}")
        part = data[start:end]
        if kind == _COMPRESSED:
            room = max(_MAX_BYTES - sum(map(len, parts)), 0)
            part = zlib.decompressobj().decompress(part[8:], room + 1)
            if len(part) > room:
                raise _too_large("bytes when uncompressed")
        n_values += _count_claimed(part, order)
        _check_size(n_values)
        parts.append(part)
        start = end
    return io.BytesIO(b"".join(parts))


def _count_claimed(part: bytes, order: str) -> int:
    """Return how many values the matrices of a variable are said to have, in all."""
    total, position, is_size = 0, 0, False
    while position + 8 <= len(part):
        kind, n_bytes = struct.unpack_from(f"{order}II", part, position)
        position += 8
        if kind == _MATRIX:  # a tag before its parts: flags, size, name, ...
            continue
        if kind >> 16:  # up to four bytes, which stand in the tag itself
            kind, n_bytes, position = kind & 0xFFFF, kind >> 16, position - 4
        if is_size:
            axes = part[position : position + n_bytes - n_bytes % 4]
            total += math.prod(np.frombuffer(axes, f"{order}u4").tolist())
        is_size = kind == _FLAGS
        position += n_bytes
        position += -position % 8
    return total


# MATLAB 7.3 --------------------------------------------------------------------


def _read_hdf5(h5py: ModuleType, path: Path, names: tuple[str, ...]) -> object:
    with h5py.File(path, "r") as file:
        node = file
        for depth, name in enumerate(names):
            # soft and external links could lead to another file
            link = isinstance(node, h5py.Group) and node.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise DataError(f"holds no {'.'.join(names[: depth + 1])}")
            node = node[name]
        if not isinstance(node, h5py.Dataset):
            return node
        if node.external or node.is_virtual:
            raise DataError(f"keeps {'.'.join(names)} in another file")
        _check_size(max(math.prod(node.shape or ()), math.prod(node.chunks or ())))
        return np.asarray(node[()]).T  # MATLAB's columns are HDF5's rows


def _check_size(n: int) -> None:
    if n > MAX_PIXELS:
        raise _too_large(f"values ({n})")


def _too_large(what: str) -> DataError:
    return DataError(
        f"is too large to read safely: it has too many {what}, and at most "
        f"{MAX_PIXELS / 1e6:.0f} million pixels are allowed"
    )


def _to_integers(values: object, name: str) -> Matrix:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "buif":
        raise DataError(f"{name} is not a matrix of numbers")
    if values.ndim != 2 or not values.size:
        raise DataError(
            f"{name} has the shape {values.shape}: a label needs (height, width)"
        )
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int32)
    if (whole != values).any():
        bad = values[whole != values][0]
        raise DataError(f"{name} holds {bad}, which is not a whole number of 32 bits")
    return whole
