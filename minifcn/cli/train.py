"""``minifcn train``: a new run from options or a recipe, or the rest of an old one."""

from __future__ import annotations

import dataclasses
import warnings
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minifcn.arrays import check_device
from minifcn.cli.common import (
    add_device,
    add_json,
    command_line,
    example,
    note,
    number_or_numbers,
    numbers,
    percent,
    print_json,
    score_table,
    word_or_numbers,
)
from minifcn.training import Recipe, Trainer, TrainingStopped, recipes, resume, start

_PARSERS: dict[str, Callable[[str], Any]] = {
    "width": number_or_numbers,
    "fc_channels": number_or_numbers,
    "class_weights": word_or_numbers,
    "scale": numbers,
    "skip_scales": numbers,
    "crop": numbers,
    "iterations": int,
}
_METAVARS = {
    "width": "C,C,C,C,C",
    "fc_channels": "C",
    "class_weights": "W",
    "scale": "LOW,HIGH",
    "skip_scales": "X,X",
    "crop": "H,W",
    "iterations": "N",
}
# What of a recipe no longer holds where this is given on the command line.
INSTEAD_OF = {"weights": "init_from", "init_from": "weights", "epochs": "iterations"}
_LETTERS = {int: "N", float: "X", str: "NAME"}


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn train``: one for each setting of a Recipe."""
    parser.add_argument(
        "data", nargs="?", metavar="DATA", help="folder of the data set"
    )
    parser.add_argument("--out", metavar="DIR", help="folder of the run (runs/...)")
    parser.add_argument(
        "--resume", metavar="RUN", help="go on with the run in this folder"
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="settings: one of the recipes below, a .toml file, or another run.json",
    )
    add_device(parser)
    add_json(parser)
    settings = parser.add_argument_group("settings")
    for field in dataclasses.fields(Recipe):
        if field.name != "data":
            _add_setting(settings, field)
    example(
        parser,
        "minifcn train photos --net fcn8s --epochs 30 --out runs/photos",
        "minifcn train --resume runs/photos",
        "minifcn train VOC2012 --recipe fcn32s-heavy --weights vgg16.npz",
    )
    parser.epilog = f"{parser.epilog}\n\n{_list_recipes()}"
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Train; print the last validation's scores."""
    check_device(args.device)
    trainer = _resume(args) if args.resume else _start(args)
    if trainer.finished:
        note(f"the run in {trainer.folder} is complete")
    try:
        with warnings.catch_warnings():
            # NumPy's own words on overflows: the trainer says it better
            warnings.simplefilter("ignore", RuntimeWarning)
            scores = trainer.train()
    except TrainingStopped as stopped:
        note(["go on with:", "  " + command_line("train", "--resume", stopped.folder)])
        raise
    if args.json:
        print_json(scores)
    elif scores:
        print(score_table({trainer.recipe.net: scores}))
    note(f"the run is in {trainer.folder}")
    if trainer.at.best is not None:
        note(
            f"best.npz, which evaluate and predict use, reached mean IU "
            f"{percent(trainer.at.best)}; last.npz holds the end of the run"
        )
    return 0


def _start(args: Namespace) -> Trainer:
    settings = Recipe.read(args.recipe).as_dict() if args.recipe else {}
    given = _given(args)
    settings |= {INSTEAD_OF[name]: None for name in given if name in INSTEAD_OF}
    settings |= given
    if not settings.get("data"):
        raise ValueError("train needs the folder of a data set, or --resume RUN")
    recipe = Recipe.from_dict(settings)
    folder = Path(args.out) if args.out else _free_folder(recipe)
    return start(recipe, folder, args.device)


def _resume(args: Namespace) -> Trainer:
    given = [*_given(args)] + [o for o in ("out", "recipe") if getattr(args, o)]
    if given:
        raise ValueError(
            f"--resume goes on with the settings of its run: leave out {given[0]!r}"
        )
    return resume(args.resume, args.device)


def _given(args: Namespace) -> dict[str, Any]:
    """Return the settings that stand on the command line."""
    names = [field.name for field in dataclasses.fields(Recipe)]
    return {n: v for n, v in vars(args).items() if n in names and v is not None}


def _free_folder(recipe: Recipe) -> Path:
    """Return a folder below ``runs`` that does not exist yet."""
    name = f"{Path(recipe.data).resolve().name}-{recipe.net}"
    folder, number = Path("runs") / name, 2
    while folder.exists():
        folder, number = Path("runs") / f"{name}-{number}", number + 1
    return folder


def _add_setting(parser: Any, field: dataclasses.Field) -> None:
    option = "--" + field.name.replace("_", "-")
    text = f"{field.metadata['help']} ({_show(field.default)})"
    if isinstance(field.default, bool):
        parser.add_argument(
            option, action=BooleanOptionalAction, default=SUPPRESS, help=text
        )
        return
    choices = field.metadata.get("choices")
    letter = _METAVARS.get(field.name, _LETTERS.get(type(field.default), "FILE"))
    parser.add_argument(
        option,
        default=SUPPRESS,
        type=_PARSERS.get(field.name, _plain(field.default)),
        choices=choices,
        metavar=None if choices else letter,
        help=text,
    )


def _list_recipes() -> str:
    names = recipes.names()
    width = max(map(len, names))
    lines = (f"  {name:<{width}}  {recipes.title(name)}" for name in names)
    return "\n".join(["recipes (options given beside one override it):", *lines])


def _plain(default: Any) -> type:
    return str if default is None else type(default)


def _show(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return "none" if default is None else str(default)
