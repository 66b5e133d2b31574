"""``minifcn experiment``: what the paper claims, measured; a table and a picture."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from minifcn.cli.common import add_json, add_seed, example, note, print_json
from minifcn.experiments import frame


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
        help="where to write, a folder per experiment (runs/experiments)",
    )
    add_seed(parser)
    add_json(parser)
    example(
        parser,
        "minifcn experiment bounds",
        "minifcn experiment bounds --data CamVid --out runs/camvid-bounds",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Run the experiment and print its table; without a name, list what there is."""
    if args.name is None:
        return _list(args.json)
    names = frame.EXPERIMENTS if args.name == "all" else (args.name,)
    for name in names:
        frame.find(name)  # misuse is told before any work is done
    data = Path(args.data) if args.data else None
    settings = frame.Settings(Path(args.out), data, args.split, args.seed)
    results: dict[str, Any] = {}
    for name in names:
        results[name] = frame.conduct(name, settings)
        if not args.json:
            print(report(results[name], settings.out / name))
    if args.json:
        print_json(results if args.name == "all" else results[args.name])
    return 0


def report(result: dict[str, Any], folder: Path) -> str:
    """Lay out a result for a terminal: claim, table, verdicts, where the files are."""
    name = result["experiment"]
    verdicts = "\n".join(map(frame.judgement, result["verdicts"]))
    remarks = "\n".join(f"({remark})" for remark in result["remarks"])
    files = f"written to {folder}: table.csv, table.md, {name}.png, result.json\n"
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
