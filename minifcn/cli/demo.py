"""``minifcn demo``: FCN-32s, 16s and 8s on generated scenes, in three minutes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from minifcn.arrays import check_device
from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    example,
    print_json,
    score_table,
)
from minifcn.experiments import demo


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn demo``."""
    parser.add_argument(
        "--out", metavar="DIR", default="runs/demo", help="where to write (runs/demo)"
    )
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(parser, "minifcn demo --out runs/demo")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Run the demo; print a table like the paper's Table 2, in percent."""
    check_device(args.device)
    scores = demo.run(args.out, args.seed, args.device)
    if args.json:
        print_json(scores)
    else:
        print(score_table({demo.NETS[net]: row for net, row in scores.items()}))
        print(f"\nphotos, truth and predictions: {args.out}/demo.png")
    return 0
