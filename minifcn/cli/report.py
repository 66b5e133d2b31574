"""``minifcn report``: a page that compares runs."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from minifcn import reporting
from minifcn.arrays import check_device
from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    example,
    note,
    print_json,
    score_table,
)
from minifcn.cli.evaluate import figures
from minifcn.training.progress import bar

MOST_IMAGES = 20


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn report``."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "--out", default="report.html", metavar="FILE", help="the page (report.html)"
    )
    parser.add_argument(
        "--split", metavar="NAME", help="list of images to score on (val)"
    )
    parser.add_argument(
        "--images",
        type=_count,
        default=3,
        metavar="N",
        help=f"best and worst images of each run, 0 to {MOST_IMAGES} each (3)",
    )
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(parser, "minifcn report runs/32s runs/16s runs/8s --out report.html")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Score the runs where that is still to do; write the page."""
    check_device(args.device)
    out = Path(args.out)
    check_out(out)
    runs = reporting.compare(
        args.runs, args.split, args.images, args.device, lambda name: bar(name)
    )
    reporting.write(out, runs)
    if args.json:
        print_json({"report": str(out), "runs": [known(run) for run in runs]})
        return 0
    scored = {run.name: run.evaluation.scores for run in runs if run.evaluation}
    if scored:
        print(score_table(scored))
    note([f"{run.name}: {sentence}" for run in runs for sentence in run.missing])
    note(f"the page is {out}")
    return 0


def check_out(path: Path) -> None:
    """Raise ValueError where the page cannot be written, before any work is done."""
    ending = path.suffix.lower() in (".html", ".htm")
    if not ending or not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"out is {path}; it must be a file .html in a folder there is")


def known(run: reporting.Run) -> dict[str, Any]:
    """Return what is known of a run, for --json."""
    about = {"run": str(run.folder), "name": run.name, "iterations": run.steps}
    evaluation = run.evaluation
    if evaluation is None:
        return {**about, "missing": run.missing}
    return {
        **about,
        "checkpoint": evaluation.checkpoint,
        "split": evaluation.split,
        "images": len(evaluation.images),
        **figures(evaluation.hist, evaluation.class_names),
        "confusion": evaluation.confusion,
        "missing": run.missing,
    }


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else math.nan
    if not 0 <= number <= MOST_IMAGES:
        raise ArgumentTypeError(f"it is {text}; it must be 0 to {MOST_IMAGES}")
    return int(number)
