"""Weight files in: `.npz` and `.safetensors`, as plain {name: array}."""

from pathlib import Path
from typing import Any

import numpy as np

from ..files import BROKEN_NPZ

READERS = (".npz", ".safetensors")


def load(path: str | Path) -> dict[str, np.ndarray]:
    """Read a weight file; names come out as `conv1_1.weight`, however joined there.

    A checkpoint of `minifcn train` gives its network's weights.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown suffix, or a file that is damaged or holds no arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no weight file {path}")
    if path.suffix not in READERS:
        raise ValueError(
            f"{path} is none of {', '.join(READERS)}: its suffix is {path.suffix!r}"
        )
    arrays = _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
    if any(name.startswith("model/") for name in arrays):
        arrays = {n[6:]: a for n, a in arrays.items() if n.startswith("model/")}
    return {name.replace("/", "."): array for name, array in arrays.items()}


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            return {name: archive[name] for name in archive.files}
    except BROKEN_NPZ as error:
        raise ValueError(f"{path} is damaged, or no .npz archive: {error}") from error


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged, or no .safetensors file: {error}"
        ) from error
