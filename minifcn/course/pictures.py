"""The pictures of a lesson: saved beside it, and shown where a page or notebook is."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifcn.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "pictures"
_LOOK: Any = {"bbox_inches": "tight", "pad_inches": 0.1, "metadata": {"Software": None}}

taken: list[Callable[[str, str], None]] = []
"""Told (file name, caption) of every picture: whoever builds a page is here."""


def picture(figure: Figure, name: str, caption: str) -> None:
    """Save a figure as ``pictures/NAME.png`` beside the script that draws it.

    Args:
        figure: of matplotlib.
        name: of the file, without its suffix.
        caption: what there is to be seen, in a sentence.
    """
    folder = _beside_caller() / FOLDER
    folder.mkdir(exist_ok=True)
    with replacing(folder / f"{name}.png") as file:
        # nothing in the file that changes from one day to the next
        figure.savefig(file, format="png", dpi=100, **_LOOK)
    for listener in taken:
        listener(f"{FOLDER}/{name}.png", caption)
    if not taken:
        _show(folder / f"{name}.png", caption)


def _beside_caller() -> Path:
    """Return the folder of the script that called `picture`; in a notebook, here."""
    frame = sys._getframe(2)
    file = inspect.getsourcefile(frame)
    return Path(file).parent if file and Path(file).is_file() else Path()


def _show(path: Path, caption: str) -> None:
    if "ipykernel" in sys.modules:
        from IPython.display import Image, display  # type: ignore[import-not-found]

        display(Image(filename=str(path)))
    else:
        print(f"[picture: {path}: {caption}]")
