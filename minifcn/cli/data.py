"""``minifcn data``: draw scenes to learn from, or check a data set file by file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import Any

import numpy as np

from minifcn.cli.common import add_json, add_seed, example, percent, print_json
from minifcn.data import open_dataset, scenes
from minifcn.training.progress import bar


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn data draw`` and ``minifcn data check``."""
    example(parser, "minifcn data draw scenes", "minifcn data check photos")
    parts = parser.add_subparsers(metavar="draw | check", required=True)
    shape: Any = {"formatter_class": RawDescriptionHelpFormatter}
    _add_draw(
        parts.add_parser("draw", help="draw scenes in PASCAL VOC's layout", **shape)
    )
    _add_check(parts.add_parser("check", help="read every image and label", **shape))


def _add_draw(parser: ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", help="folder to write")
    parser.add_argument(
        "--train", type=int, default=400, metavar="N", help="scenes (400)"
    )
    parser.add_argument("--val", type=int, default=50, metavar="N", help="scenes (50)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=("H", "W"),
        help="of a scene (96 128)",
    )
    add_seed(parser)
    example(parser, "minifcn data draw scenes --train 400 --val 50 --size 96 128")
    parser.set_defaults(run=run_draw)


def _add_check(parser: ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="folder of the data set")
    parser.add_argument("--split", metavar="NAME", help="list (both train and val)")
    add_json(parser)
    example(parser, "minifcn data check photos")
    parser.set_defaults(run=run_check)


def run_draw(args: Namespace) -> int:
    """Draw scenes."""
    out = scenes.write(args.out, args.train, args.val, tuple(args.size), args.seed)
    print(f"{args.train} scenes to train on and {args.val} to validate on are in {out}")
    return 0


def run_check(args: Namespace) -> int:
    """Read every image and label; print how much of each class there is."""
    splits = [args.split] if args.split else ["train", "val"]
    figures = {split: _examine(args.data, split) for split in splits}
    if args.json:
        print_json(figures)
    else:
        print("\n\n".join(_lay_out(*item) for item in figures.items()))
    return 0


def _examine(data: str, split: str) -> dict[str, Any]:
    dataset = open_dataset(data, split)
    n = len(dataset.class_names)
    pixels, sizes = np.zeros(256, np.int64), set()
    for index in bar("reading")(range(len(dataset))):
        label = dataset[index][1]
        pixels += np.bincount(label.ravel(), minlength=256)
        sizes.add(label.shape)
    shares = (pixels[:n] / max(pixels[:n].sum(), 1)).tolist()
    return {
        "layout": type(dataset).__name__,
        "images": len(dataset),
        "smallest": [min(axis) for axis in zip(*sizes)],
        "largest": [max(axis) for axis in zip(*sizes)],
        "ignored": float(pixels[255] / max(pixels.sum(), 1)),
        "classes": dict(zip(dataset.class_names, shares)),
    }


def _lay_out(split: str, figures: dict[str, Any]) -> str:
    small, large = ("x".join(map(str, figures[k])) for k in ("smallest", "largest"))
    sizes = small if small == large else f"{small} to {large}"
    width = max(map(len, figures["classes"]))
    classes = [
        f"{name:<{width}}{percent(share):>8} %"
        for name, share in figures["classes"].items()
    ]
    return "\n".join(
        [
            f"{split}: {figures['images']} images, {sizes} (height x width, layout "
            f"{figures['layout']}); {percent(figures['ignored'])} % of the pixels "
            "ignored",
            *classes,
        ]
    )
