"""Files that are whole or not there: written beside, then renamed; damage known."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# What NumPy and zipfile raise for an .npz that is damaged, or something else.
BROKEN_NPZ = (
    *(OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error),
    *(RuntimeError, SyntaxError, tokenize.TokenError),  # unknown compression; a header
)


@contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when the block ends well.

    Whatever happens inside the block, `path` holds either what it held before or all
    that was written.

    Raises:
        FileNotFoundError: there is no folder to write in.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} to write {path.name}"
        )
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
