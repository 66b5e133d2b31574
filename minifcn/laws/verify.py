"""Hold the operators against every law, and tell it in a table; list the laws.

`minifcn verify` is this module on the command line. Run as a program,

    python -m minifcn.laws.verify

it writes the table of all laws in README.md, beside this file, anew.
"""

import platform
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, arrays
from .general import THE_DERIVATIVE
from .implementation import Implementation
from .statement import COLUMNS, LAWS, Law, LawError, laws_of

CASES = 50  # of each law: a minute for all of them
README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Result:
    """What came of one law.

    Attributes:
        law: the law.
        cases: on how many it was tried, until it broke if it did.
        worst_error: relative; None where it broke.
        message: how it broke; "" where it held.
    """

    law: Law
    cases: int
    worst_error: float | None
    message: str = ""

    @property
    def held(self) -> bool:
        """Whether the law held on every case."""
        return not self.message

    @property
    def is_of_gradients(self) -> bool:
        """Whether its error is that of central differences, which have their own."""
        return self.law.name == THE_DERIVATIVE

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; with a message where the law broke."""
        figures = {
            "subject": self.law.subject,
            "law": self.law.name,
            "formula": self.law.formula,
            "held": self.held,
            "cases": self.cases,
            "worst_error": self.worst_error,
        }
        return figures if self.held else figures | {"message": self.message}


@dataclass(frozen=True)
class Report:
    """What came of all laws tried.

    Attributes:
        ops: who was on trial.
        cases: how many were drawn for each law.
        seed: of the draws.
        results: one for each law.
        seconds: how long it took.
    """

    ops: Implementation
    cases: int
    seed: int
    results: Sequence[Result]
    seconds: float

    @property
    def held(self) -> bool:
        """Whether every law held."""
        return all(result.held for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "device": self.ops.device,
            "dtype": self.ops.dtype,
            "cases": self.cases,
            "seed": self.seed,
            "held": self.held,
            "seconds": round(self.seconds, 1),
            "laws": [result.as_dict() for result in self.results],
        }


# ---- trying


def choose(subjects: Sequence[str] = (), dtype: str = "float64") -> list[Law]:
    """Return the laws of these operators, of all if there are none named.

    Args:
        subjects: operators, "nets", "metrics", …
        dtype: the type on trial; central differences need float64, so in float32 the
            law that compares with them is left out.

    Raises:
        ValueError: there is no law of a subject.
    """
    # once, if named twice
    named = [law for subject in dict.fromkeys(subjects) for law in laws_of(subject)]
    return [
        law
        for law in in_order(named or LAWS)
        if dtype == "float64" or law.name != THE_DERIVATIVE
    ]


def in_order(laws: Iterable[Law]) -> list[Law]:
    """Put the laws of one subject together, in the order in which subjects appear."""
    # reversed: the first of each stays
    first = {law.subject: i for i, law in reversed([*enumerate(LAWS)])}
    return sorted(laws, key=lambda law: first[law.subject])


def attempt(law: Law, ops: Implementation, cases: int = CASES, seed: int = 0) -> Result:
    """Try one law.

    Raises:
        ValueError: cases is below 1.
    """
    try:
        verdict = law.hold(ops, cases, seed)
    except LawError as error:
        # the others are tried all the same
        return Result(law, error.cases, None, str(error))
    return Result(law, verdict.cases, verdict.worst_error)


def hold_all(
    ops: Implementation,
    laws: Iterable[Law],
    cases: int = CASES,
    seed: int = 0,
) -> Report:
    """Try many laws; `render` writes the report.

    Args:
        ops: the operators on trial.
        laws: as of `choose`, or wrapped in a progress bar.
        cases: how many to draw for each.
        seed: of the draws.
    """
    start = time.perf_counter()
    results = [attempt(law, ops, cases, seed) for law in laws]
    return Report(ops, cases, seed, results, time.perf_counter() - start)


# ---- telling


def render(report: Report) -> str:
    """Write the report: what ran, a row for each subject, and every broken law."""
    rows = [
        _row(subject, results) + ("" if all(r.held for r in results) else "  broken")
        for subject, results in _by_subject(report.results)
    ]
    digits = 1 if report.seconds < 10 else 0  # 0.4 s, but no tenths of a minute
    total = f"{_row('all', report.results)}  in {report.seconds:.{digits}f} s"
    title = (
        f"{'':<20}{'laws held':>11}{'cases':>9}{'worst error':>14}{'of gradients':>14}"
    )
    text = [*_header(report), "", title, *rows, total]
    broken = [result.message for result in report.results if not result.held]
    if broken:
        count = "1 law is" if len(broken) == 1 else f"{len(broken)} laws are"
        text += ["", f"{count} broken:"]
        text += [line for message in broken for line in ("", message)]
    return "\n".join(text)


def _header(report: Report) -> list[str]:
    who = "" if report.ops.name == "minifcn" else f"{report.ops.name}, with "
    cases = "1 case" if report.cases == 1 else f"{report.cases} cases"
    lines = [
        f"{who}minifcn {__version__} on {report.ops.device}, {report.ops.dtype}",
        ", ".join(_machine(report.ops.device)),
        f"{cases} a law, seed {report.seed}",
    ]
    if report.ops.dtype != "float64":
        lines.append(
            "(gradients are compared with central differences in float64 only)"
        )
    return lines


def _machine(device: str) -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"NumPy {np.__version__}"
    if device == "cuda":
        cupy = arrays.cupy()
        yield f"CuPy {cupy.__version__}"
        yield cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    yield f"{platform.system()} {platform.machine()}"


def _row(subject: str, results: Sequence[Result]) -> str:
    held = sum(result.held for result in results)
    values = [r.worst_error for r in results if not r.is_of_gradients]
    # Rounding costs a difference of slopes 7 digits: a column of its own.
    gradients = [r.worst_error for r in results if r.is_of_gradients]
    return (
        f"{subject:<20}"
        f"{f'{held}/{len(results)}':>11}"
        f"{sum(result.cases for result in results):>9,}"
        f"{_worst(values):>14}"
        f"{_worst(gradients):>14}"
    )


def _worst(errors: Iterable[float | None]) -> str:
    """Write the largest error of the laws that held; a dash where none did."""
    seen = [error for error in errors if error is not None]  # None of those that broke
    if not seen:
        return "-"
    return f"{max(seen):.1e}" if max(seen) else "0"


def _by_subject(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    for subject, group in groupby(results, lambda result: result.law.subject):
        yield subject, list(group)


# ---- listing


def render_list(laws: Sequence[Law]) -> str:
    """Write the laws: subject, and below it names, formulas and sources."""
    lines = []
    for subject, group in groupby(laws, lambda law: law.subject):
        lines += ["", subject]
        for law in group:
            source = f"  [{law.source}]" if law.source else ""
            lines += [f"  {law.name}", *_folded(law.formula + source)]
    return "\n".join(lines[1:])


def _folded(text: str) -> list[str]:
    return textwrap.wrap(
        text, COLUMNS, initial_indent=" " * 6, subsequent_indent=" " * 8
    )


def as_dict(law: Law) -> dict[str, str]:
    """Return a law as JSON can hold it."""
    return {
        "subject": law.subject,
        "law": law.name,
        "formula": law.formula,
        "source": law.source,
    }


def markdown() -> str:
    """Write all laws as one table, for README.md."""
    lines = ["| operator | law | formula | source |", "|---|---|---|---|"]
    for law in in_order(LAWS):
        cells = law.subject, law.name, f"`{law.formula}`", law.source
        escaped = (cell.replace("|", r"\|") for cell in cells)  # | parts cells
        lines.append(f"| {' | '.join(escaped)} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the text of README.md with the table at its end written anew."""
    words, _, _ = text.partition("| operator |")  # the table is the last
    return words + markdown()


def main() -> None:
    """Write the table of README.md anew."""
    text = with_table(README.read_text(encoding="utf-8"))
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
