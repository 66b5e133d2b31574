"""``minifcn verify``: the operators held against every law."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tqdm import tqdm

from minifcn.cli.common import (
    add_device,
    add_json,
    add_seed,
    example,
    names,
    print_json,
)
from minifcn.laws import Case, Implementation, Law, verify

EXIT_STATUS = "exit status: 0 every law held, 1 one is broken (or stopped), 2 misuse"


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn verify``."""
    add_device(parser)
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32"),
        default="float64",
        help="type of the arrays (float64); float32 leaves central differences out",
    )
    parser.add_argument(
        "--cases",
        type=int,
        default=verify.CASES,
        metavar="N",
        help=f"how many to draw for each law ({verify.CASES})",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=(),
        metavar="OPERATOR",
        help="try the laws of these alone",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the laws, and try none"
    )
    add_seed(parser)
    add_json(parser)
    example(
        parser,
        "minifcn verify",
        "minifcn verify --only conv2d max_pool2d --cases 500",
    )
    parser.epilog = f"{EXIT_STATUS}\n\n{parser.epilog}"
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Try the laws and print the report; 1 where one is broken."""
    if args.cases < 1:
        raise ValueError(f"--cases is {args.cases}; it must be 1 or more")
    subjects = names(",".join(args.only)) if args.only else []
    laws = verify.choose(subjects, args.dtype)
    if args.list:
        _list(laws, args.json)
        return 0
    ops = Implementation(device=args.device, dtype=args.dtype)
    report = _try(laws, ops, args.cases, args.seed)
    if args.json:
        print_json(report.as_dict())
    else:
        print(verify.render(report))
    return 0 if report.held else 1


class Interrupt:
    """Ctrl-C, kept until it can be raised.

    Python may run a signal's handler within a callback, such as that of hypothesis for
    the garbage collector, and what is raised there gets lost.
    """

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Interrupt:
        self.before: Any = signal.getsignal(signal.SIGINT)
        # Only the main thread may handle signals; nohup has them ignored.
        main = threading.current_thread() is threading.main_thread()
        self.handles = main and callable(self.before)
        if self.handles:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        if self.handles:
            signal.signal(signal.SIGINT, self.before)
        if error is None:
            self.look()

    def _note(self, *given: Any) -> None:
        if self.came:  # a second time: the case itself may take for ever
            self.before(*given)
        self.came = True

    def look(self) -> None:
        """Stop, if Ctrl-C was pressed.

        Raises:
            KeyboardInterrupt: it was.
        """
        if self.came:
            raise KeyboardInterrupt

    def watched(self, law: Law) -> Law:
        """Return a law that looks before each case."""

        def body(ops: Implementation, case: Case) -> None:
            self.look()
            law.body(ops, case)

        self.look()
        return replace(law, body=body)


def _list(laws: Sequence[Law], json: bool) -> None:
    if json:
        print_json([verify.as_dict(law) for law in laws])
    else:
        print(verify.render_list(laws))


def _try(
    laws: Sequence[Law], ops: Implementation, cases: int, seed: int
) -> verify.Report:
    with (
        Interrupt() as interrupt,
        tqdm(
            laws,
            unit="law",
            leave=False,
            disable=None,  # None: where standard error is no terminal
            dynamic_ncols=True,
        ) as bar,
    ):
        return verify.hold_all(ops, _named(bar, interrupt), cases, seed)


def _named(bar: Any, interrupt: Interrupt) -> Iterator[Law]:
    """Walk along a bar, with the name of each law's operator before it."""
    for law in bar:
        bar.set_description(law.subject)
        yield interrupt.watched(law)
