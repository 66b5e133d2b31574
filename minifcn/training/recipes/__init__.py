"""The packaged recipes, a TOML file each, and how a file of settings is read."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the packaged recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def title(name: str) -> str:
    """Return the first line of a packaged recipe, which says what it trains."""
    first, *_ = (FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    return first.removeprefix("# ").removesuffix(".")


def find(recipe: str | Path) -> Path:
    """Return the file of a packaged recipe, or the file that is named.

    Raises:
        FileNotFoundError: there is neither; names the packaged ones.
    """
    if str(recipe) in names():
        return FOLDER / f"{recipe}.toml"
    path = Path(recipe)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no recipe {str(recipe)!r}: no such file, and the packaged "
            f"recipes are {', '.join(names())}"
        )
    return path


def read(path: Path) -> dict[str, Any]:
    """Read the settings in a file: TOML by its suffix, else JSON as ``run.json`` is.

    Raises:
        ValueError: the file is not what its suffix says; names it, and the line.
    """
    toml = path.suffix == ".toml"
    parse = tomllib.loads if toml else json.loads
    try:
        settings = parse(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also bytes that are no UTF-8
        form = "TOML" if toml else "JSON"
        raise ValueError(f"{path} is not a recipe in {form}: {error}") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path} is not a recipe: it must hold one JSON object")
    return settings
