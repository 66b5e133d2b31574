"""The command line: parses, calls, prints. A module per command.

Exit status: 0 well, 1 failed or stopped, 2 misuse (bad arguments, files or data).
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from minifcn import coretype, memory

COMMANDS = {
    "demo": "draw scenes, train FCN-32s, 16s and 8s on them, and compare",
    "train": "train a net on a data set, or go on with a run",
    "evaluate": "score a trained net on a data set",
    "predict": "name the class of every pixel of photographs",
    "report": "compare runs on one page: settings, curves, scores, images",
    "data": "draw scenes to learn from, or check a data set",
    "lesson": "learn it step by step: lessons, exercises, and their checks",
    "experiment": "hold a claim of the paper against measurements",
    "verify": "hold the operators against every law, and print a table",
    "bench": "measure how fast nets and operators are",
    "doctor": "say what this machine has, what it lacks, and how to mend it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status.

    Args:
        argv: the arguments, without the program's name; those of the process if None.
    """
    coretype.tell()  # before anything imports NumPy
    memory.keep()
    for stream in (sys.stdout, sys.stderr):  # a terminal may not know × or ·
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    given = sys.argv[1:] if argv is None else list(argv)
    argv = [argument for argument in given if argument != "--debug"]
    try:
        args = _parse(argv)
        if hasattr(args, "tf32"):
            _set_tf32(args.tf32, args.device)
        return args.run(args)
    except SystemExit as end:  # argparse, after --help or misuse
        return end.code if isinstance(end.code, int) else 2
    except BrokenPipeError:  # whoever read our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _say("stopped", 1)
    except Exception as error:
        if argv != given:
            raise
        return _explain(error)


class _Help(argparse.HelpFormatter):
    """Help with room beside the longest command, for which argparse leaves none."""

    def add_argument(self, action: argparse.Action) -> None:
        """Take an option or the commands in; make room."""
        super().add_argument(action)
        longest = 4 + max(map(len, COMMANDS))  # commands are indented by 4
        self._action_max_length = max(self._action_max_length, longest)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="minifcn",
        formatter_class=_Help,
        description="Fully convolutional networks, written from scratch on NumPy.",
        epilog="minifcn COMMAND --help explains a command and shows an example.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=purpose,
            description=purpose[0].upper() + purpose[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--debug", action="store_true", help="show where an error came from"
        )
        # the others' modules are not even imported: help and doctor start at once
        if argv[:1] == [name]:
            importlib.import_module(f"minifcn.cli.{name}").add_options(command)
    return parser.parse_args(argv)


def _set_tf32(allowed: bool, device: str) -> None:
    from minifcn.arrays import set_tf32

    if device == "cuda":
        set_tf32(allowed)
    elif allowed:
        raise ValueError(f"--tf32 goes with --device cuda, and it is {device}")


def _explain(error: Exception) -> int:
    from minifcn.training import TrainingFailed, TrainingStopped

    if isinstance(error, TrainingStopped | TrainingFailed):
        return _say(str(error), 1)
    if isinstance(error, MemoryError):
        return _say(f"not enough memory: {error}", 1)
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return _say(f"{error.strerror}{place}", 2)
    if isinstance(error, ValueError | TypeError | OSError):
        return _say(str(error), 2)
    raise error


def _say(sentence: str, status: int) -> int:
    print(f"minifcn: {' '.join(sentence.split())}", file=sys.stderr)
    return status
