"""``minifcn bench``: how fast the full FCN-8s is, and PyTorch's beside it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from minifcn import bench
from minifcn.cli.common import add_device, add_json, add_seed, example, print_json


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn bench``."""
    parser.add_argument(
        "--against", choices=("torch",), help="measure this in the same run too"
    )
    parser.add_argument(
        "--operators",
        action="store_true",
        help="measure each operator instead, beside the device's ceilings",
    )
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(375, 500),
        metavar=("H", "W"),
        help="of the image (375 500)",
    )
    parser.add_argument(
        "--image", metavar="FILE", help="a photograph to use, instead of noise"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N", help="counted runs (3)"
    )
    parser.add_argument(
        "--width", type=float, default=1.0, metavar="X", help="multiple of VGG's (1)"
    )
    parser.add_argument(
        "--batch", type=int, default=1, metavar="N", help="images at once (1)"
    )
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(
        parser,
        "minifcn bench --operators --width 0.25",
        "minifcn bench --against torch --image photo.jpg",
        "minifcn bench --device cuda --against torch --tf32 --size 500 500 --batch 8",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Measure; print the figures."""
    measured, render = _operators(args) if args.operators else _network(args)
    if args.json:
        print_json(measured)
    else:
        print(render(measured))
    return 0


def _network(args: Namespace) -> Any:
    figures = bench.measure(
        args.against,
        tuple(args.size),
        args.repeats,
        args.width,
        args.seed,
        args.image,
        args.device,
        args.tf32,
        args.batch,
    )
    return figures, bench.render


def _operators(args: Namespace) -> Any:
    from minifcn.bench import operators

    if args.against or args.image:
        option = "--against" if args.against else "--image"
        raise ValueError(f"--operators measures minifcn on noise; leave {option} out")
    figures = operators.measure(
        args.device,
        tuple(args.size),
        args.batch,
        args.width,
        args.repeats,
        args.seed,
        args.tf32,
    )
    return figures, operators.render
