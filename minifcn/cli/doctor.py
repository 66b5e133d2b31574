"""``minifcn doctor``: what this machine has, what it lacks, how to mend it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from minifcn import doctor
from minifcn.cli.common import add_json, example, print_json


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn doctor``."""
    add_json(parser)
    example(parser, "minifcn doctor")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Examine the machine; 1 where something required does not work."""
    report = doctor.examine()
    if args.json:
        print_json(report.as_dict())
    else:
        print(doctor.render(report))
    return report.exit_status
