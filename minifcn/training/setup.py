"""From a recipe, or from what an earlier run saved, to a Trainer that is ready."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import models, nn, weights
from minifcn.data import Dataset, PairFiles, open_dataset
from minifcn.data.files import DataError, open_picture
from minifcn.files import replacing
from minifcn.training import checkpoint
from minifcn.training.balance import median_frequency
from minifcn.training.checkpoint import CheckpointError
from minifcn.training.loop import Trainer
from minifcn.training.progress import bar
from minifcn.training.recipe import Recipe

# Layers whose shapes depend on the number of classes.
_PER_CLASS = ("score", "upscore")


def start(
    recipe: Recipe,
    folder: str | Path,
    device: str = "cpu",
    title: str = "",
    talk: bool = True,
) -> Trainer:
    """Make the Trainer of a new run; everything is checked before it writes.

    Args:
        recipe: the settings.
        folder: where to keep the run; made where it is not there.
        device: "cpu" or "cuda".
        title: stands before the progress bar.
        talk: whether to write a line per epoch on standard error.

    Raises:
        ValueError: a setting, the data set, or a file of weights cannot be used, or
            the folder holds a run already.
        FileNotFoundError: a file or folder is missing.
    """
    folder = Path(folder)
    if (folder / "last.npz").exists():
        raise ValueError(
            f"{folder} holds a run already: --resume {folder} goes on with it, "
            "--out names another folder"
        )
    recipe = dataclasses.replace(recipe, data=str(Path(recipe.data).resolve()))
    train, val = open_splits(recipe)
    nn.seed(recipe.seed)
    model = build_model(recipe, len(train.class_names))
    initialise(model, recipe)
    balance = choose_class_weights(recipe, train)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "run.json") as file:
        file.write((json.dumps(recipe.as_dict(), indent=2) + "\n").encode())
    return Trainer(
        recipe,
        model,
        train,
        val,
        folder,
        device=device,
        class_weights=balance,
        title=title,
        talk=talk,
    )


def resume(path: str | Path, device: str = "cpu") -> Trainer:
    """Make the Trainer that goes on where a run stopped, bit for bit.

    Args:
        path: the run's folder, or one of its checkpoints.
        device: "cpu" or "cuda".

    Raises:
        CheckpointError: no checkpoint of a run, or the data set is another.
        FileNotFoundError: the checkpoint or the data set is missing.
    """
    saved = checkpoint.load(checkpoint.find(path, ("last.npz",)))
    missing = [k for k in ("recipe", "position", "random_state") if k not in saved.meta]
    if missing:
        raise CheckpointError(
            f"{saved.path} lacks {missing[0]}: no run can go on from it"
        )
    recipe = Recipe.from_dict(saved.meta["recipe"])
    train, val = open_splits(recipe)
    checkpoint.check_classes(saved, train, recipe.data)
    balance = saved.meta.get("class_weights")
    return Trainer(
        recipe,
        checkpoint.restore_model(saved),
        train,
        val,
        saved.path.parent,
        device=device,
        class_weights=None if balance is None else np.array(balance, np.float32),
        saved=saved,
    )


def open_splits(recipe: Recipe) -> tuple[PairFiles, PairFiles | None]:
    """Open the images to train and to validate on, and check all their sizes.

    Raises:
        DataError: they cannot be used; says why.
        FileNotFoundError: the folder, a list or a file is missing.
    """
    train = open_dataset(recipe.data, recipe.train_split)
    val = None
    if recipe.val_split != "none":
        val = open_dataset(recipe.data, recipe.val_split)
    for dataset in (train, val):
        check_sizes(dataset)
    return train, val


def check_sizes(dataset: PairFiles | None) -> None:
    """Check by the files' headers that every label is of its image's size.

    Raises:
        DataError: a file is no picture, or the sizes differ; names the files.
    """
    for _, image, label in dataset.pairs if dataset else []:
        sizes = []
        for path in (image, label):
            with open_picture(path) as picture:
                sizes.append("{}x{}".format(*picture.size))
        if sizes[0] != sizes[1]:
            raise DataError(
                f"image {image} is {sizes[0]} and its label {label} is {sizes[1]} "
                "(width x height): they must be equal"
            )


def build_model(recipe: Recipe, n_classes: int) -> models.FCN:
    """Build the recipe's net with fresh arrays."""
    return models.create(
        {
            "name": recipe.net,
            "n_classes": n_classes,
            "trunk": recipe.trunk,
            "width": recipe.width,
            "geometry": recipe.geometry,
            "fc_channels": recipe.fc_channels,
            "dropout": recipe.dropout,
        }
    )


def initialise(model: nn.Module, recipe: Recipe) -> None:
    """Copy pretrained arrays into a net, from a file of weights, then a checkpoint.

    Raises:
        ValueError: nothing in the file fits the net, or the checkpoint's net is
            another than a coarser or equal one of the same trunk.
    """
    if recipe.weights is not None:
        _copy(model, weights.load(recipe.weights), recipe.weights)
    if recipe.init_from is not None:
        saved = checkpoint.load(recipe.init_from)
        _check_trunk(model, saved.model, saved.path)
        _copy(model, _without_other_classes(saved.model, model), saved.path)


def choose_class_weights(recipe: Recipe, train: Dataset) -> np.ndarray | None:
    """Return the (n_classes,) weights of the loss that a recipe asks for, or None.

    Raises:
        ValueError: as many weights as classes were not given.
    """
    chosen = recipe.class_weights
    if chosen == "none":
        return None
    if chosen == "balanced":
        return median_frequency(train, recipe.weight_limit, bar("reading labels"))
    if len(chosen) != len(train.class_names):
        raise ValueError(
            f"class_weights has {len(chosen)} numbers; the data set {recipe.data} has "
            f"{len(train.class_names)} classes"
        )
    return np.array(chosen, np.float32)


def _copy(model: nn.Module, state: dict[str, Any], path: object) -> None:
    try:
        models.warm_start(model, state)
    except ValueError as error:
        raise ValueError(f"{path} does not fit this net: {error}") from None


def _without_other_classes(state: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """Leave out score layers for another number of classes: they begin at zero."""
    own = model.state_dict()
    return {
        name: array
        for name, array in state.items()
        if name not in own or array.shape == own[name].shape
    }


def _check_trunk(model: nn.Module, theirs: dict[str, Any], path: object) -> None:
    def common(ours: dict[str, Any]) -> dict[str, Any]:
        return {
            name: array
            for name, array in ours.items()
            if not name.startswith(_PER_CLASS)
        }

    checkpoint.check_same_arrays(common(model.state_dict()), common(theirs), path)
