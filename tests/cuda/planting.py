"""Kernels with a fault in them, written beside those without."""

from collections.abc import Sequence
from pathlib import Path

from minifcn.cuda.source import read

from .common import FILES


def planted(
    folder: Path, file: str, faults: Sequence[tuple[str, str, str]]
) -> tuple[Path, list[tuple[str, int]]]:
    """Copy a .cu file, and add to it a kernel with each fault.

    Args:
        folder: for the copy.
        file: the name of the .cu file.
        faults: a kernel of it, what stands there once, and what shall stand there.

    Returns:
        The copy; and of each fault its kernel's name and its line.
    """
    (path,) = [path for path in FILES if path.name == file]
    text, places = path.read_text(encoding="utf-8"), []
    for number, (kernel, old, new) in enumerate(faults):
        lines = path.read_text(encoding="utf-8").splitlines()
        start = read(path).kernels[kernel].line - 1
        one = "\n".join(lines[start : lines.index("}", start) + 1])
        assert one.count(old) == 1, f"{old!r} in {kernel}"
        name = f"{kernel}_{number}"
        at = len(text) + one.index(old)
        text += one.replace(old, new).replace(f"{kernel}(", f"{name}(") + "\n"
        places.append((name, text.count("\n", 0, at) + 1))
    copy = folder / file
    copy.write_text(text, encoding="utf-8")
    return copy, places
