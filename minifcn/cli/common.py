"""What several commands share: options, numbers, JSON, tables."""

from __future__ import annotations

import json
import math
import shlex
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minifcn.arrays import DEVICES

SCORE_TITLES = {
    "pixel_accuracy": "pixel acc.",
    "mean_accuracy": "mean acc.",
    "mean_iu": "mean IU",
    "frequency_weighted_iu": "f.w. IU",
}


def example(parser: ArgumentParser, *lines: str) -> None:
    """Show example commands at the end of a command's --help."""
    parser.epilog = "\n".join(["example:", *(f"  {line}" for line in lines)])


def add_device(parser: ArgumentParser) -> None:
    """Add --device and --tf32.

    `arrays.check_device` looks whether the one can be had; `main` sees to the other,
    and refuses it where it would change nothing.
    """
    parser.add_argument(
        "--device", choices=DEVICES, default="cpu", help="where to compute"
    )
    parser.add_argument(
        "--tf32",
        action="store_true",
        help="with --device cuda: faster, less exact matrix products",
    )


def add_seed(parser: ArgumentParser) -> None:
    """Add --seed."""
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of everything random (0)"
    )


def add_json(parser: ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json", action="store_true", help="print figures as JSON and nothing else"
    )


def numbers(text: str) -> tuple[float, ...]:
    """Parse ``1,2.5``; whole numbers stay whole."""
    return tuple(_number(part) for part in text.split(","))


def names(text: str) -> list[str]:
    """Parse ``relu, add``.

    Raises:
        ValueError: nothing is named.
    """
    found = [name for part in text.split(",") if (name := part.strip())]
    if not found:
        raise ValueError(f"--only {text!r} names nothing")
    return found


def number_or_numbers(text: str) -> float | tuple[float, ...]:
    """Parse ``0.25`` or ``16,32,64``."""
    values = numbers(text)
    return values if len(values) > 1 else values[0]


def word_or_numbers(text: str) -> str | tuple[float, ...]:
    """Parse ``balanced`` or ``1,2.5``."""
    return text if text.isalpha() else numbers(text)


def print_json(figures: Any) -> None:
    """Print figures as JSON; what is not a number (nan) becomes null."""
    print(json.dumps(_without_nan(figures), indent=2))


def score_table(rows: dict[str, dict[str, float]]) -> str:
    """Lay out the four scores in percent as the paper's Table 2 does, a row each."""
    width = max(len(name) for name in rows)
    titles = SCORE_TITLES.values()
    lines = [" " * width + "".join(f"{title:>12}" for title in titles)]
    for name, scores in rows.items():
        cells = (f"{percent(scores[key]):>12}" for key in SCORE_TITLES)
        lines.append(f"{name:<{width}}" + "".join(cells))
    return "\n".join(lines)


def percent(fraction: float) -> str:
    """Write a fraction in percent; a dash where there is none."""
    return "-" if math.isnan(fraction) else f"{100 * fraction:.1f}"


def command_line(*arguments: object) -> str:
    """Return a command line of minifcn, as this process was started."""
    called = ["minifcn"]
    if Path(sys.argv[0]).name == "__main__.py":
        called = [sys.executable, "-m", "minifcn"]
    return shlex.join([*called, *map(str, arguments)])


def note(lines: Iterable[str] | str) -> None:
    """Write for a person, on standard error."""
    text = lines if isinstance(lines, str) else "\n".join(lines)
    print(text, file=sys.stderr)


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no whole number") from None
    if seed < 0:
        raise ArgumentTypeError(f"it is {seed}; it must be 0 or more")
    return seed


def _number(text: str) -> float:
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no number; numbers are joined by commas, as in 16,32"
        ) from None


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
