"""``minifcn evaluate``: the four scores of the paper, and the IU of every class."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import metrics
from minifcn.arrays import check_device
from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    example,
    note,
    percent,
    print_json,
    score_table,
)
from minifcn.data import PairFiles, open_dataset
from minifcn.training import checkpoint, evaluate
from minifcn.training.checkpoint import Checkpoint
from minifcn.training.progress import bar
from minifcn.training.setup import check_sizes


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn evaluate``."""
    parser.add_argument("checkpoint", help="a checkpoint, or the folder of a run")
    parser.add_argument("data", nargs="?", help="the data set (that of the run)")
    parser.add_argument("--split", metavar="NAME", help="list of images (val)")
    parser.add_argument(
        "--picture", metavar="FILE", help="draw the confusion matrix here"
    )
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(parser, "minifcn evaluate runs/photos photos --picture confusion.png")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Evaluate; print the figures."""
    check_device(args.device)
    if args.picture:
        check_picture(Path(args.picture))
    saved = checkpoint.load(args.checkpoint)
    dataset = _open(args, saved)
    model = checkpoint.restore_model(saved).to(args.device)
    note(f"{saved.path} on {len(dataset)} images")
    hist = evaluate(model, dataset, args.device, bar("evaluating"))
    if args.picture:
        from minifcn import pictures

        pictures.confusion_picture(args.picture, hist, dataset.class_names)
    if args.json:
        print_json(figures(hist, dataset.class_names))
    else:
        print(table(hist, dataset.class_names, saved.meta["model"]["name"]))
    return 0


def check_picture(path: Path) -> None:
    """Raise ValueError where the picture cannot be written, before any work is done."""
    if path.suffix.lower() != ".png" or not path.parent.is_dir() or path.is_dir():
        raise ValueError(
            f"picture is {path}; it must be a file .png in a folder that exists"
        )


def figures(hist: np.ndarray, class_names: list[str]) -> dict[str, Any]:
    """Return the scores and the IU and accuracy of every class, all as fractions."""
    return {
        **metrics.scores(hist),
        "iu": dict(zip(class_names, metrics.iu_per_class(hist).tolist())),
        "accuracy": dict(zip(class_names, metrics.accuracy_per_class(hist).tolist())),
    }


def table(hist: np.ndarray, class_names: list[str], net: str) -> str:
    """Lay out the scores, and below them the classes."""
    width = max(map(len, [*class_names, net]))
    share = hist.sum(axis=1) / max(hist.sum(), 1)
    rows = zip(
        class_names, metrics.iu_per_class(hist), metrics.accuracy_per_class(hist), share
    )
    lines = [score_table({net.ljust(width): metrics.scores(hist)}), ""]
    lines.append(" " * width + f"{'IU':>12}{'accuracy':>12}{'pixels':>12}")
    for name, *values in rows:
        cells = "".join(f"{percent(value):>12}" for value in values)
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)


def _open(args: Namespace, saved: Checkpoint) -> PairFiles:
    recipe = saved.meta.get("recipe", {})
    root = args.data or recipe.get("data")
    if not root:
        raise ValueError(f"{saved.path} does not say on what data: name the data set")
    split = args.split or (recipe.get("val_split") if not args.data else None)
    dataset = open_dataset(root, "val" if split in (None, "none") else split)
    checkpoint.check_classes(saved, dataset, root)
    check_sizes(dataset)
    return dataset
