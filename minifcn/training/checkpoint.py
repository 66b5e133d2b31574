"""Checkpoints: one ``.npz`` with all that is needed to go on, or to predict.

``model/<name>`` and ``velocity/<name>`` are arrays, ``meta`` is JSON text: what net it
is, the classes and their colours, the recipe, and where the run stands. Nothing in the
file is code: it is read without pickles.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import models
from minifcn.data.dataset import Dataset
from minifcn.data.files import Pixels
from minifcn.files import BROKEN_NPZ, replacing

FORMAT = "minifcn checkpoint"
VERSION = 1
Arrays = dict[str, np.ndarray]

_NEEDED = ("model", "class_names", "palette", "mean_bgr", "ignore_index")


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; says which and why."""


@dataclass
class Checkpoint:
    """A net at one moment of its training.

    Attributes:
        model: the net's arrays by name.
        meta: JSON-able. ``model`` (the net's configuration), ``class_names``,
            ``palette``, ``mean_bgr``, ``ignore_index``; of a run also ``recipe``,
            ``class_weights``, ``multipliers`` (of the learning rate and the decay, by
            name), ``position`` and ``random_state``.
        velocity: the optimiser's arrays by name; empty where there are none.
        path: where it was read, for messages.
    """

    model: Arrays
    meta: dict[str, Any]
    velocity: Arrays = field(default_factory=dict)
    path: Path = Path("checkpoint.npz")

    @property
    def class_names(self) -> list[str]:
        """One name per class."""
        return self.meta["class_names"]

    @property
    def palette(self) -> Pixels:
        """(n_classes, 3) uint8, a colour per class."""
        return np.array(self.meta["palette"], np.uint8)

    @property
    def mean_bgr(self) -> tuple[float, float, float]:
        """What the net's input has subtracted, blue first."""
        blue, green, red = self.meta["mean_bgr"]
        return blue, green, red


def about(dataset: Dataset) -> dict[str, Any]:
    """Return what a checkpoint says of its data set."""
    return {
        "class_names": list(dataset.class_names),
        "palette": np.asarray(dataset.palette).tolist(),
        "mean_bgr": [float(mean) for mean in dataset.mean_bgr],
        "ignore_index": int(dataset.ignore_index),
    }


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """Return what tells whether a list of images is still the same."""
    ids = "\n".join(dataset.ids)
    return {"count": len(dataset), "sha256": hashlib.sha256(ids.encode()).hexdigest()}


def save(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; ``path`` is the old one or the new one, never half of it."""
    meta = {"format": FORMAT, "version": VERSION, **checkpoint.meta}
    arrays = {"meta": np.array(json.dumps(meta))}
    arrays |= {f"model/{name}": array for name, array in checkpoint.model.items()}
    arrays |= {f"velocity/{name}": a for name, a in checkpoint.velocity.items()}
    with replacing(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint; of a run's folder, the best one (else the last).

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: a damaged file, no checkpoint, or one of a later version.
    """
    path = find(path)
    arrays = _read(path)
    meta = _parse_meta(path, arrays)
    parts: dict[str, Arrays] = {"model": {}, "velocity": {}}
    for key, array in arrays.items():
        part, _, name = key.partition("/")
        if part in parts:
            parts[part][name] = array
    return Checkpoint(parts["model"], meta, parts["velocity"], path)


def find(path: str | Path, names: Sequence[str] = ("best.npz", "last.npz")) -> Path:
    """Return ``path``, or where it is a folder the first of ``names`` in it.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in names if (path / name).is_file()]
        if not found:
            raise FileNotFoundError(
                f"{path} holds no checkpoint ({' or '.join(names)})"
            )
        return found[0]
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    return path


def restore_model(checkpoint: Checkpoint) -> models.FCN:
    """Build the net that a checkpoint describes, with its arrays.

    Raises:
        CheckpointError: the arrays are those of another net.
    """
    try:
        model = models.create(checkpoint.meta["model"])
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{checkpoint.path} describes a net that cannot be built: {error}"
        ) from None
    check_same_arrays(model.state_dict(), checkpoint.model, checkpoint.path)
    model.load_state_dict(checkpoint.model)
    return model


def check_same_arrays(ours: Arrays, theirs: Arrays, path: object) -> None:
    """Check that two nets have arrays of the same names and shapes.

    Raises:
        CheckpointError: says how many differ, and how the first one does.
    """
    names = [*ours, *(name for name in theirs if name not in ours)]
    differing = [n for n in names if _shape(ours, n) != _shape(theirs, n)]
    if differing:
        first = differing[0]
        raise CheckpointError(
            f"{path} is the checkpoint of another model: {len(differing)} of "
            f"{len(names)} arrays differ, the first is {first} "
            f"({_shape(theirs, first)} in the file, {_shape(ours, first)} in the model)"
        )


def check_classes(checkpoint: Checkpoint, dataset: Dataset, source: object) -> None:
    """Check that a checkpoint and a data set have the same number of classes.

    Raises:
        CheckpointError: they have not; names both.
    """
    ours, theirs = checkpoint.class_names, list(dataset.class_names)
    if len(ours) != len(theirs):
        raise CheckpointError(
            f"{checkpoint.path} knows {len(ours)} classes ({_few(ours)}) and the data "
            f"set {source} has {len(theirs)} ({_few(theirs)}): they must be the same"
        )


def check_images(checkpoint: Checkpoint, dataset: Dataset, source: object) -> None:
    """Check that a run goes on with the list of images that it began with.

    Raises:
        CheckpointError: the list has changed; names both counts.
    """
    now, then = fingerprint(dataset), checkpoint.meta["images"]
    if now != then:
        raise CheckpointError(
            f"the training images of {source} have changed since the run was saved: "
            f"{now['count']} now, {then['count']} then; a run goes on with the same "
            "list only (--init-from begins a new run with its weights)"
        )


def _read(path: Path) -> Arrays:
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":  # what every .npz begins with
            raise CheckpointError(f"{path} is not a minifcn checkpoint")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except BROKEN_NPZ as error:
            raise CheckpointError(
                f"checkpoint {path} is damaged or cut short: {error}"
            ) from None


def _parse_meta(path: Path, arrays: Arrays) -> dict[str, Any]:
    try:
        meta = json.loads(str(arrays["meta"]))
        version = meta["version"] if meta["format"] == FORMAT else None
    except (KeyError, ValueError, TypeError):
        version = None
    if not isinstance(version, int):
        raise CheckpointError(f"{path} is not a minifcn checkpoint")
    if version > VERSION:
        raise CheckpointError(
            f"checkpoint {path} has format version {version}; this minifcn reads up to "
            f"version {VERSION}"
        )
    missing = [name for name in _NEEDED if name not in meta]
    if missing:
        raise CheckpointError(
            f"checkpoint {path} lacks {', '.join(missing)} in its meta"
        )
    _check_description(path, meta)
    return meta


def _check_description(path: Path, meta: dict[str, Any]) -> None:
    """Check that classes, palette and mean are what they should be."""
    try:
        n = len(meta["class_names"])
        palette, mean = np.array(meta["palette"]), np.array(meta["mean_bgr"], float)
        well = palette.shape == (n, 3) and palette.dtype.kind == "i"
        well = well and 0 <= palette.min() and palette.max() <= 255
        well = well and mean.shape == (3,) and bool(np.isfinite(mean).all())
    except (TypeError, ValueError, OverflowError):
        well = False
    if not well:
        raise CheckpointError(
            f"checkpoint {path} is damaged: its classes, palette and mean do not agree"
        )


def _shape(arrays: Arrays, name: str) -> str:
    if name not in arrays:
        return "absent"
    return "×".join(map(str, arrays[name].shape)) or "one number"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
