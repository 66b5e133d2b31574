"""What the tests of data sets share."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image


class Disk:
    """Writes small data sets under a temporary folder."""

    def __init__(self, root: Path, rng: np.random.Generator) -> None:
        self.root = root
        self.rng = rng

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def text(self, name: str, *lines: str) -> Path:
        path = self.path(name)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def picture(self, name: str, pixels: np.ndarray, **options: object) -> Path:
        Image.fromarray(pixels).save(self.path(name), **options)
        return self.root / name

    def palette_label(self, name: str, label: np.ndarray) -> Path:
        picture = Image.frombytes("P", label.shape[::-1], label.tobytes())
        picture.putpalette([(7 * k + 3) % 256 for k in range(768)])
        picture.save(self.path(name))
        return self.root / name

    def mat(self, name: str, compress: bool = True, **variables: object) -> Path:
        """A MATLAB file of format 5, or 7 where compressed; dicts become structs."""
        scipy.io.savemat(self.path(name), variables, do_compression=compress)
        return self.root / name

    def mat73(self, name: str, **variables: object) -> Path:
        """A MATLAB file of format 7.3: HDF5 after 512 bytes of MATLAB's own."""
        path = self.path(name)
        with h5py.File(path, "w", userblock_size=512) as file:
            for key, value in variables.items():
                inside = value if isinstance(value, dict) else {"": value}
                for field, matrix in inside.items():
                    file[f"{key}/{field}" if field else key] = np.asarray(matrix).T
        with path.open("r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
        return path

    def image(self, height: int, width: int) -> np.ndarray:
        return self.rng.integers(256, size=(height, width, 3), dtype=np.uint8)

    def label(self, height: int, width: int, classes: int = 3) -> np.ndarray:
        return self.rng.integers(classes, size=(height, width), dtype=np.uint8)

    def folder(self, n: int = 7) -> Path:
        """n pairs of unequal sizes and three classes, in the layout of Folder."""
        for k in range(n):
            size = (4 + k % 3, 6 + k % 2)
            self.picture(f"images/{k:02d}.png", self.image(*size))
            self.picture(f"labels/{k:02d}.png", self.label(*size))
        self.text("classes.txt", "ground", "tree", "house")
        return self.root


@pytest.fixture
def disk(tmp_path: Path, rng: np.random.Generator) -> Disk:
    return Disk(tmp_path / "set", rng)
