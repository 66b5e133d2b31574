"""``minifcn experiment``: what the paper claims, measured; a table and a picture."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minifcn.arrays import check_device
from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    example,
    note,
    print_json,
)
from minifcn.data import open_dataset
from minifcn.experiments import frame
from minifcn.reporting import experiments
from minifcn.training import Recipe, TrainingFailed, TrainingStopped


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn experiment``."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help=f"{', '.join(frame.EXPERIMENTS)}, or all; without one, list them",
    )
    parser.add_argument(
        "--data", metavar="DATA", help="folder of a data set (generated scenes)"
    )
    parser.add_argument(
        "--split", metavar="NAME", default="val", help="list of images (val)"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="runs/experiments",
        help="where to write: a folder per experiment, and what they share: scenes, "
        "and nets, each trained once (runs/experiments)",
    )
    _add_nets(parser)
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(
        parser,
        "minifcn experiment bounds",
        "minifcn experiment bounds --data CamVid --out runs/camvid-bounds",
    )
    parser.set_defaults(run=run)


def _add_nets(parser: ArgumentParser) -> None:
    """Add what says how nets are trained."""
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="with --data: how nets learn it, a recipe's name or file (slim)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="with --data: pretrained weights for the nets' trunk",
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=3,
        metavar="N",
        help="how often nets are trained, with --seed and the numbers after it (3)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a hundredth of the images and steps: to see that all goes well",
    )


def run(args: Namespace) -> int:
    """Run the experiment and print its table; without a name, list what there is."""
    if args.name is None:
        return _list(args.json)
    names = frame.EXPERIMENTS if args.name == "all" else (args.name,)
    for name in names:
        frame.find(name)  # misuse is told before any work is done
    settings = _settings(args)
    if args.name != "all":
        result = _conduct(args.name, settings, args.json)
        if args.json:
            print_json(result)
        return 0
    return _conduct_all(names, settings, args.json)


def _conduct(name: str, settings: frame.Settings, as_json: bool) -> dict[str, Any]:
    """Run an experiment, print its table, write the page of all anew."""
    try:
        result = frame.conduct(name, settings)
    except TrainingStopped:
        note("the same command goes on where this one stopped")
        raise
    page = experiments.write(settings.out)
    if not as_json:
        print(report(result, settings.out / name, page))
    return result


def _conduct_all(names: Sequence[str], settings: frame.Settings, as_json: bool) -> int:
    """Run all experiments; one that cannot be done does not stop the others."""
    results: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        note(f"{number} of {len(names)}: {name}")
        try:
            results[name] = _conduct(name, settings, as_json)
        except (ValueError, TrainingFailed) as error:
            failed[name] = str(error)
    if as_json:
        print_json(results)
    for name, sentence in failed.items():
        note(f"{name} was not done: {sentence}")
    return 1 if failed else 0


def _settings(args: Namespace) -> frame.Settings:
    """Gather what the experiments are given.

    Raises:
        ValueError: an option without the one that it belongs to; no such device; a
            data set or recipe that cannot be used.
        FileNotFoundError: one that is not there.
    """
    check_device(args.device)
    for name in ("recipe", "weights"):
        if getattr(args, name) and not args.data:
            raise ValueError(f"--{name} is for nets on a data set: it needs --data")
    if args.data:  # told once, and not by every experiment
        open_dataset(args.data, args.split)
    if args.recipe:
        Recipe.read(args.recipe)
    return frame.Settings(
        Path(args.out),
        Path(args.data) if args.data else None,
        args.split,
        args.seed,
        args.seeds,
        args.quick,
        args.device,
        args.recipe,
        Path(args.weights) if args.weights else None,
    )


def _seeds(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def report(result: dict[str, Any], folder: Path, page: Path) -> str:
    """Lay out a result for a terminal: claim, table, verdicts, where the files are."""
    name = result["experiment"]
    verdicts = "\n".join(map(frame.judgement, result["verdicts"]))
    remarks = "\n".join(f"({remark})" for remark in result["remarks"])
    files = f"written to {folder}: table.csv, table.md, {name}.png, result.json"
    files += f"\nall of {folder.parent} on one page: {page}\n"
    heading = f"{name}: {result['claim']}\n{result['source']}"
    return "\n\n".join([heading, result["table"], remarks, verdicts, files])


def _list(as_json: bool) -> int:
    found = {name: frame.find(name) for name in frame.EXPERIMENTS}
    claims = {
        name: {"claim": one.CLAIM, "source": one.SOURCE} for name, one in found.items()
    }
    if as_json:
        print_json(claims)
        return 0
    for name, says in claims.items():
        print(f"{name}\n  {says['claim']}\n  {says['source']}")
    note("\nminifcn experiment NAME runs one, minifcn experiment all runs all")
    return 0
