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
from minifcn.training.multipliers import multipliers, set_multipliers
from minifcn.training.progress import bar
from minifcn.training.recipe import Recipe

# The standard deviation of photographs' pixels, which run from 0 to 255.
PIXEL_DEVIATION = 60.0

_OF_A_RUN = ("recipe", "multipliers", "position", "random_state", "images")
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
        device: one of `arrays.DEVICES`.
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
    model = build_model(recipe, len(train.class_names))
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


def resume(
    path: str | Path, device: str = "cpu", title: str = "", talk: bool = True
) -> Trainer:
    """Make the Trainer that goes on where a run stopped, bit for bit.

    Args:
        path: the run's folder, or one of its checkpoints.
        device: one of `arrays.DEVICES`.
        title: stands before the progress bar.
        talk: whether to write a line per epoch on standard error.

    Raises:
        CheckpointError: no checkpoint of a run, or the data set is another.
        FileNotFoundError: the checkpoint or the data set is missing.
    """
    saved = checkpoint.load(checkpoint.find(path, ("last.npz",)))
    missing = [k for k in _OF_A_RUN if k not in saved.meta]
    if missing:
        raise CheckpointError(
            f"{saved.path} lacks {missing[0]}: no run can go on from it"
        )
    recipe = Recipe.from_dict(saved.meta["recipe"])
    model = checkpoint.restore_model(saved)
    set_multipliers(model, saved.meta["multipliers"])
    train, val = open_splits(recipe)
    checkpoint.check_classes(saved, train, recipe.data)
    checkpoint.check_images(saved, train, recipe.data)
    balance = saved.meta.get("class_weights")
    return Trainer(
        recipe,
        model,
        train,
        val,
        saved.path.parent,
        device=device,
        class_weights=None if balance is None else np.array(balance, np.float32),
        saved=saved,
        title=title,
        talk=talk,
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
    """Build the recipe's net; its arrays come from the seed and the recipe's files.

    Raises:
        ValueError: a setting or a file does not fit the net.
    """
    nn.seed(recipe.seed)
    settings = {
        "name": recipe.net,
        "n_classes": n_classes,
        "trunk": recipe.trunk,
        "width": recipe.width,
        "geometry": recipe.geometry,
        "fc_channels": recipe.fc_channels,
        "dropout": recipe.dropout,
        "fc_kernel": recipe.fc_kernel,
        "initialiser": recipe.initialiser,
        "learned_upsampling": recipe.learned_upsampling,
        "fusion": recipe.fusion,
    }
    if recipe.skip_scales is not None:
        settings["skip_scales"] = dict(zip(("pool4", "pool3"), recipe.skip_scales))
    model = models.create(settings)
    if recipe.init_from is not None:
        continue_from(model, recipe.init_from)
    elif recipe.weights is not None:
        start_trunk(model, recipe.weights, recipe.trunk_lr)
    else:
        fit_first_layer(model)
    freeze(model, recipe.freeze)
    return model


def freeze(model: models.FCN, beginnings: str) -> None:
    """Leave the layers whose names begin so, `conv1_,conv2_1`, as they are.

    Raises:
        ValueError: no layer's name begins so.
    """
    parameters = dict(model.named_parameters())
    for beginning in filter(None, beginnings.split(",")):
        chosen = [p for name, p in parameters.items() if name.startswith(beginning)]
        if not chosen:
            raise ValueError(f"freeze is {beginning!r}; no layer's name begins so")
        for parameter in chosen:
            parameter.freeze()


def fit_first_layer(model: models.FCN) -> None:
    """Make conv1_1 ready for pixels, whose deviation s is about 60 and not 1.

    He's rule keeps the scale of inputs of deviation 1. Weights w = u/s make of x what
    u would of x/s; and they move as u would when their learning rate is divided by s²
    and their decay multiplied by it. (Pretrained nets were fitted to pixels already.)
    """
    weight = dict(model.named_parameters())["conv1_1.weight"]
    weight.data /= PIXEL_DEVIATION
    weight.lr_mult /= PIXEL_DEVIATION**2
    weight.decay_mult *= PIXEL_DEVIATION**2


def start_trunk(model: models.FCN, path: str, lr_mult: float) -> None:
    """Copy pretrained weights; what was copied learns ``lr_mult`` times as fast.

    Raises:
        ValueError: the file's arrays do not fit the net.
    """
    copied = _copy(model, weights.load(path), path)
    chosen = {name: multipliers(model)[name] for name in copied}
    for pair in chosen.values():
        pair[0] *= lr_mult
    set_multipliers(model, chosen)


def continue_from(model: models.FCN, path: str) -> None:
    """Go on from a checkpoint of a coarser net, or of one for other classes.

    Score layers that it has not, or has for another number of classes, begin at zero.
    A net that predicts from an earlier pool takes the trunk up to there.

    Raises:
        ValueError: the checkpoint's trunk is another.
    """
    saved, own = checkpoint.load(path), model.state_dict()
    below = {
        name: array
        for name, array in saved.model.items()
        if name.partition(".")[0] not in model.beyond
    }
    checkpoint.check_same_arrays(_common(own), _common(below), saved.path)
    fitting = {
        name: array
        for name, array in below.items()
        if name not in own or array.shape == own[name].shape
    }
    copied = _copy(model, fitting, saved.path)
    known = saved.meta.get("multipliers", {})
    set_multipliers(model, {name: known[name] for name in copied if name in known})


def choose_class_weights(recipe: Recipe, train: Dataset) -> np.ndarray | None:
    """Return the (n_classes,) weights of the loss that a recipe asks for, or None.

    Raises:
        ValueError: as many weights as classes were not given.
    """
    chosen = recipe.class_weights
    if chosen == "none":
        return None
    if chosen == "balanced":
        wrap = bar("reading labels")
        return median_frequency(train, recipe.weight_power, recipe.weight_limit, wrap)
    if len(chosen) != len(train.class_names):
        raise ValueError(
            f"class_weights has {len(chosen)} numbers; the data set {recipe.data} has "
            f"{len(train.class_names)} classes"
        )
    return np.array(chosen, np.float32)


def _copy(model: nn.Module, state: dict[str, Any], path: object) -> list[str]:
    try:
        return models.warm_start(model, state).copied
    except ValueError as error:
        raise ValueError(f"{path} does not fit this net: {error}") from None


def _common(state: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays that nets of one trunk share, whatever their classes."""
    return {n: array for n, array in state.items() if not n.startswith(_PER_CLASS)}
