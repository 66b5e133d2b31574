"""Build the wheel and fail unless it holds every file of the package."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKED = {".py", ".cu", ".h", ".typed", ".toml", ".css"}


def build(folder: str) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", folder, "."], check=True)
    (wheel,) = Path(folder).glob("minifcn-*.whl")
    return wheel


def main() -> None:
    expected = {
        path.as_posix() for path in Path("minifcn").rglob("*") if path.suffix in PACKED
    }
    with tempfile.TemporaryDirectory() as folder:
        packed = set(zipfile.ZipFile(build(folder)).namelist())
    if missing := sorted(expected - packed):
        sys.exit(f"the wheel lacks {', '.join(missing)}")
    print(f"the wheel holds all {len(expected)} files of the package")


if __name__ == "__main__":
    main()
