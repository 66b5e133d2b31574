"""``minifcn bench``: how fast the nets are, and how fast PyTorch is beside them."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser, Namespace

from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    check_device,
    example,
    print_json,
)


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn bench``."""
    parser.add_argument(
        "--against", choices=("torch",), help="measure this in the same run too"
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(375, 500),
        metavar=("H", "W"),
        help="of the image (375 500)",
    )
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(parser, "minifcn bench --against torch")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Measure; print the figures."""
    bench = importlib.import_module("minifcn.bench")
    check_device(args.device)
    figures = bench.measure(args.against, tuple(args.size), args.device, args.seed)
    if args.json:
        print_json(figures)
    else:
        print(bench.render(figures))
    return 0
