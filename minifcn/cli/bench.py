"""``minifcn bench``: how fast nets and operators are, and PyTorch's beside them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from minifcn.bench import drawing, network, operators, scaling, tables
from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    example,
    names,
    note,
    number_or_numbers,
    numbers,
    print_json,
)

GROWING = ("sides", "batches", "widths", "threads")  # options of --scaling


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn bench``."""
    parser.add_argument(
        "--against", choices=("torch",), help="measure this in the same run too"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--operators",
        action="store_true",
        help="measure each operator and its gradients, beside the device's ceilings",
    )
    what.add_argument(
        "--scaling",
        action="store_true",
        help="measure how time and memory grow, in a slim net",
    )
    _add_sizes(parser)
    _add_growing(parser)
    parser.add_argument("--output", metavar="FILE.md", help="write the table here, too")
    parser.add_argument(
        "--picture", metavar="FILE.png", help="draw the ratios, or the growth"
    )
    add_device(parser)
    add_seed(parser)
    add_json(parser)
    example(
        parser,
        "minifcn bench --against torch --image photo.jpg",
        "minifcn bench --operators --against torch --picture ratios.png",
        "minifcn bench --operators --only conv2d,relu --width 0.25",
        "minifcn bench --scaling --sides 64,128,256 --picture growth.png",
        "minifcn bench --device cuda --against torch --tf32 --size 500 500 --batch 8",
    )
    parser.set_defaults(run=run)


def _add_sizes(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="of the image (375 500; with --scaling 256 256)",
    )
    parser.add_argument(
        "--image", metavar="FILE", help="a photograph to use, instead of noise"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N", help="counted runs (3)"
    )
    parser.add_argument(
        "--width",
        type=number_or_numbers,
        metavar="X",
        help="multiple of VGG's (1; with --scaling 0.125), or C,C,C,C,C",
    )
    parser.add_argument(
        "--fc-channels", type=int, metavar="C", help="of fc6 and fc7 of the network"
    )
    parser.add_argument(
        "--classes", type=int, metavar="N", help="that the network tells apart (21)"
    )
    parser.add_argument(
        "--batch", type=int, default=1, metavar="N", help="images at once (1)"
    )
    parser.add_argument(
        "--only",
        metavar="NAMES",
        help="of --operators, these",
    )


def _add_growing(parser: ArgumentParser) -> None:
    purposes = {
        "sides": "of square images (64,128,256,512,1024)",
        "batches": "images at once (1,2,4,8)",
        "widths": "multiples of VGG's (0.0625,0.125,0.25,0.5)",
        "threads": "of the CPU (1,2,4,… up to its cores)",
    }
    for name, purpose in purposes.items():
        parser.add_argument(
            f"--{name}",
            type=numbers,
            metavar="N,N",
            help=f"what --scaling tries: {purpose}",
        )


def run(args: Namespace) -> int:
    """Measure; print the figures; write and draw them where that is asked for."""
    drawing.check(args.output, "--output")
    drawing.check(args.picture, "--picture", ".png")
    _check_options(args)
    mode: Any = _mode(args)
    figures = mode.measure(args.against, **_settings(args))
    if args.output:
        tables.save(args.output, mode.render(figures))
    if args.picture:
        mode.draw(args.picture, figures)
    if args.json:
        print_json(figures)
    else:
        print(mode.render(figures))
    for path in filter(None, (args.output, args.picture)):
        note(f"written: {path}")
    return 0


def _mode(args: Namespace) -> Any:
    """Return the module that measures."""
    if args.operators:
        return operators
    return scaling if args.scaling else network


def _check_options(args: Namespace) -> None:
    """Refuse options that would change nothing."""
    foreign = [name for name in GROWING if getattr(args, name) is not None]
    if foreign and not args.scaling:
        raise ValueError(f"--{foreign[0]} says what --scaling tries; add --scaling")
    if args.only is not None and not args.operators:
        raise ValueError("--only chooses among --operators; add --operators")
    if (args.operators or args.scaling) and (
        args.fc_channels or args.classes or isinstance(args.width, tuple)
    ):
        raise ValueError(
            "--operators and --scaling take one --width, no --fc-channels or --classes"
        )
    if args.image and (args.operators or args.scaling):
        mode = "--operators" if args.operators else "--scaling"
        raise ValueError(f"{mode} measures on noise; leave --image out")
    if args.picture and not (args.against or args.scaling):
        raise ValueError("--picture draws ratios; add --against torch")


def _settings(args: Namespace) -> dict[str, Any]:
    """Return what was given; the rest stays as `measure` has it."""
    options = ["size", "repeats", "width", "seed", "device", "tf32", "batch"]
    options += ["image", "fc_channels", "classes", *GROWING]
    given = {name: getattr(args, name) for name in options}
    if args.only is not None:
        given["only"] = names(args.only)
    return {name: value for name, value in given.items() if value is not None}
