"""``minifcn bench``: how fast the full FCN-8s is, and PyTorch's beside it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from minifcn import bench
from minifcn.cli.common import add_device, add_json, add_seed, example, print_json


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
        "minifcn bench --against torch --image photo.jpg",
        "minifcn bench --device cuda --against torch --tf32 --size 500 500 --batch 8",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Measure; print the figures."""
    size = (args.size[0], args.size[1])
    figures = bench.measure(
        args.against,
        size,
        args.repeats,
        args.width,
        args.seed,
        args.image,
        args.device,
        args.tf32,
        args.batch,
    )
    if args.json:
        print_json(figures)
    else:
        print(bench.render(figures))
    return 0
