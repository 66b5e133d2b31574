"""Runs small enough for tests: 32 x 48 pixels, nets of a few channels."""

from pathlib import Path
from typing import Any

import numpy as np

from minifcn.training import Recipe, Trainer, start

TINY: dict[str, Any] = {
    "net": "fcn8s",
    "width": (4, 6, 8, 8, 8),
    "fc_channels": 8,
    "batch_size": 2,
    "epochs": 2,
    "lr": 0.02,
    "pictures": 2,
    "cache": 0,
}


def tiny(data: Path, **changes: Any) -> Recipe:
    return Recipe(data=str(data), **{**TINY, **changes})


def run(data: Path, folder: Path, **changes: Any) -> Trainer:
    trainer = start(tiny(data, **changes), folder, talk=False)
    trainer.train()
    return trainer


def same_arrays(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> bool:
    """Whether all bits are equal."""
    return ours.keys() == theirs.keys() and all(
        ours[k].dtype == theirs[k].dtype and ours[k].tobytes() == theirs[k].tobytes()
        for k in ours
    )
