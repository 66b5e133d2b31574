"""What a law is: a claim about operators, the cases it is tried on, and its failure.

    @law("relu", cases.images("relu"), "relu(relu(x)) = relu(x)")
    def relu_is_idempotent(ops, case):
        once = ops.relu(case.x)
        equal(ops.relu(once), once)

`ops` is an `Implementation`, the operators on trial; `case` one drawn `Case`. The law
returns where it holds and raises where it does not. `Law.hold` lets hypothesis attack
it with many cases, and raises the smallest that breaks it.
"""

import difflib
import re
import tempfile
import textwrap
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, configuration
from hypothesis.errors import Flaky, HypothesisException, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from .cases import Case
from .implementation import Implementation, Raised

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}  # of the largest value expected
PRINTED = 60  # elements of an array that an error message still shows
COLUMNS = 80  # of an error message
NO_BREAK = "\N{NO-BREAK SPACE}"


class Difference(AssertionError):
    """Two values that a law says are equal, and are not."""


class LawError(AssertionError):
    """A broken law: which one, on what case, what was expected, and what came.

    Attributes:
        case: that case, to try the law on again; None where there is none.
        cases: how many had been drawn until it broke, where they were drawn.
    """

    case: Case | None = None
    cases = 0


class Verdict(NamedTuple):
    """A law that held: on how many cases, and the worst error, relative."""

    cases: int
    worst_error: float


@dataclass
class _Ledger:
    worst_error: float = 0.0
    cases: int = 0  # until it broke, if it did: what shrinking tries is not counted
    broken: bool = False


_ledger: ContextVar[_Ledger | None] = ContextVar("ledger", default=None)
_dtype: ContextVar[str] = ContextVar("dtype", default="float64")  # of who is on trial


@dataclass(frozen=True)
class Law:
    """A named claim about one operator, or about several together.

    Attributes:
        subject: the operator it judges ("nets", "metrics" for what is none).
        name: the claim in words.
        formula: the claim as an equation.
        source: where it is stated or used; "" for what needs none.
        cases: the strategy that draws cases.
        body: the function of (operators, case) that raises where the law is broken.
    """

    subject: str
    name: str
    formula: str
    source: str
    cases: SearchStrategy[Case] = field(repr=False)
    body: Callable[[Implementation, Case], None] = field(repr=False)

    @property
    def meaning(self) -> str:
        """What the claim says to somebody who learns, in a sentence."""
        body = self.body.func if isinstance(self.body, partial) else self.body
        return (body.__doc__ or "").partition("\n")[0]

    def __call__(self, ops: Implementation, case: Case) -> None:
        """Try the law on one case.

        Raises:
            LawError: it is broken.
        """
        token = _dtype.set(ops.dtype)  # for `equal`, which sees arrays alone
        ops.last_call = {}
        try:
            returned: Any = self.body(ops, case)  # type: ignore[func-returns-value]
            if returned is not None:
                raise TypeError(
                    "a law returns nothing, and raises where it is broken; this one "
                    f"returned {returned!r}"
                )
        except HypothesisException:  # assume(): this case is none of the law's
            raise
        except Exception as error:
            broken = LawError(self._explain(ops, case, error))
            broken.case = case
            raise broken from error
        finally:
            _dtype.reset(token)

    def hold(
        self, ops: Implementation, cases: int = 100, seed: int = 0, shrink: bool = True
    ) -> Verdict:
        """Try the law on so many drawn cases.

        Args:
            ops: the operators on trial.
            cases: how many to draw.
            seed: of the draws; the same gives the same cases.
            shrink: whether to look for the smallest case that breaks it.

        Raises:
            LawError: it is broken; of the smallest case that was found. Or it could
                not be tried, because no case drawn is one of its own.
            ValueError, TypeError: cases is below 1; ops is no Implementation.
        """
        if not isinstance(ops, Implementation):
            raise TypeError(
                f"ops is {ops!r}; it must be an Implementation, such as "
                "Implementation(operators={'relu': on_arrays(relu)})"
            )
        if cases < 1:
            raise ValueError(f"cases is {cases}; it must be 1 or more")
        ledger = _Ledger()
        token = _ledger.set(ledger)
        try:
            self._attack(ops, cases, seed, shrink, ledger)
        except Flaky as error:
            said = "gives one result, and on the same case at the next call another"
            raise self._failure(ops, said, ledger) from error
        except Unsatisfiable as error:
            said = "could not be tried: no case that was drawn is legal"
            raise self._failure(ops, said, ledger) from error
        except LawError as error:
            error.__notes__ = []  # hypothesis' own words on how it found the case
            error.cases = ledger.cases
            raise
        finally:
            _ledger.reset(token)
        return Verdict(ledger.cases, ledger.worst_error)

    def _attack(
        self, ops: Implementation, cases: int, seed: int, shrink: bool, ledger: _Ledger
    ) -> None:
        phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=cases,
            phases=phases,
            database=None,  # the same cases at every run, whatever broke before
            deadline=None,  # a slow machine breaks no law
            derandomize=False,  # else the seed would not count
            print_blob=False,
            report_multiple_bugs=False,  # one smallest case, not one for each sentence
            suppress_health_check=list(HealthCheck),  # a law may reject many cases
        )
        @hypothesis.given(self.cases)
        def attempt(case: Case) -> None:
            try:
                self(ops, case)
            except LawError:
                ledger.cases += not ledger.broken
                ledger.broken = True
                raise
            ledger.cases += not ledger.broken

        with _writing_nothing():
            attempt()

    def _failure(self, ops: Implementation, said: str, ledger: _Ledger) -> LawError:
        error = LawError("\n".join([*self._title(ops), *_folded(said)]))
        error.cases = ledger.cases
        return error

    def _title(self, ops: Implementation) -> list[str]:
        title = f"{ops.name}: {self.subject} breaks the law “{self.name}”"
        return [title, *_folded(f"law: {self.formula}")]

    def _explain(self, ops: Implementation, case: Case, error: Exception) -> str:
        lines = [*self._title(ops), *_folded(f"case: {_whole(case.call_as_text())}")]
        for name, array in case.inputs.items():
            lines += _folded(f"{name} {array.shape} = {_shown(array)}")
        for name, array in ops.last_call.items():
            if not _is_known(array, case):  # what the law made of the case
                place = f"in the last call {name} {array.shape}"
                lines += _folded(f"{place} = {_shown(array)}")
        said = str(error)
        if not isinstance(error, Difference | Raised):  # of the law's own arithmetic
            said = f"with what came, the law meets {_where(error)}"
        for line in said.splitlines():
            lines += _folded(line)
        return "\n".join(lines)


@contextmanager
def _writing_nothing() -> Iterator[None]:
    """Keep hypothesis from leaving a folder .hypothesis where the user stands."""
    before = vars(configuration).get("__hypothesis_home_directory")
    configuration.set_hypothesis_home_dir(_scratch().name)
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(before)


@cache  # it goes when the process ends
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _is_known(array: np.ndarray, case: Case) -> bool:
    return any(np.array_equal(array, x, equal_nan=True) for x in case.inputs.values())


def _where(error: Exception) -> str:
    """Name an error, and the line of the law that met it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]  # where it was raised
    return f"{type(error).__name__}: {error} (line {frame.lineno}: {frame.line})"


LAWS: list[Law] = []  # in the order in which they are written


def law(
    subject: str, cases: SearchStrategy[Case], formula: str, source: str = ""
) -> Callable[[Callable[[Implementation, Case], None]], Law]:
    """Make a law of the function below, named as it is, and add it to `LAWS`."""

    def register(body: Callable[[Implementation, Case], None]) -> Law:
        return add_law(subject, body.__name__, cases, formula, source, body)

    return register


def add_law(
    subject: str,
    name: str,
    cases: SearchStrategy[Case],
    formula: str,
    source: str,
    body: Callable[[Implementation, Case], None],
) -> Law:
    """Add a law to `LAWS`; its name is the function's, with spaces.

    Raises:
        ValueError: the subject has a law of this name already.
    """
    new = Law(subject, name.replace("_", " "), formula, source, cases, body)
    if any((old.subject, old.name) == (new.subject, new.name) for old in LAWS):
        raise ValueError(f"{subject} has a law “{new.name}” already")
    LAWS.append(new)
    return new


def laws_of(subject: str) -> list[Law]:
    """Return the laws that judge an operator.

    Raises:
        ValueError: there are none.
    """
    found = [law for law in LAWS if law.subject == subject]
    if not found:
        names = list(subjects())
        near = difflib.get_close_matches(subject.lower(), names, 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(
            f"there is no law of {subject!r}{meant}; there are laws of "
            f"{', '.join(names)}"
        )
    return found


def equal(
    came: Any, expected: Any, what: str = "y", tolerance: float | None = None
) -> None:
    """Compare an array with the one expected, relative to its largest value.

    Whole numbers (indices, counts, labels) are compared exactly, whatever the
    tolerance.

    Args:
        came, expected: arrays or numbers; nan equals nan, infinity itself.
        what: the name of the value, for the message.
        tolerance: of the largest finite value that is expected, or absolute where all
            are 0; 0 for equality to the last digit; if left out the `TOLERANCE` of
            came's type, or of that of the implementation on trial where it is coarser.

    Raises:
        Difference: shows both, and where they first differ.
    """
    terms = getattr(expected, "terms", 0)  # of an inner product
    came, expected = np.asarray(came), np.asarray(expected)
    if came.shape != expected.shape:
        raise Difference(f"{what} has shape {came.shape}, expected {expected.shape}")
    if came.dtype.kind in "biu":
        tolerance = 0
    elif tolerance is None:
        types = str(came.dtype), _dtype.get()
        tolerance = max(TOLERANCE.get(name, 0) for name in types)
    errors = _errors(came, expected, terms)
    if came.dtype != np.float32 or _dtype.get() == "float32":  # else it is no measure
        note_error(float(errors.max(initial=0)))
    wrong = ~(errors <= tolerance)  # also of nan
    if wrong.any():
        raise Difference(_difference(came, expected, wrong, what))


def note_error(error: float) -> None:
    """Count a relative error that was seen towards the verdict."""
    ledger = _ledger.get()
    if ledger:
        ledger.worst_error = max(ledger.worst_error, error)


class Inner(float):
    """An inner product that knows how large its terms are.

    They may cancel, so the sum alone does not tell how exact it can be.

    Attributes:
        terms: the root of the sum of their squares.
    """

    terms: float


def inner(a: Any, b: Any) -> Inner:
    """⟨a, b⟩, the sum of the products.

    Raises:
        Difference: their shapes differ.
    """
    if np.shape(a) != np.shape(b):  # vdot would flatten them, and say nothing
        raise Difference(f"of ⟨a, b⟩ a has shape {np.shape(a)} and b {np.shape(b)}")
    product = Inner(np.vdot(a, b))
    product.terms = float(np.linalg.norm(np.ravel(a) * np.ravel(b)))
    return product


def _errors(came: np.ndarray, expected: np.ndarray, terms: float) -> np.ndarray:
    same = came == expected  # before they are floats, which hold no number past 2⁵³
    came, expected = came.astype(np.float64), expected.astype(np.float64)
    same |= np.isnan(came) & np.isnan(expected)
    finite = np.abs(expected[np.isfinite(expected)])
    largest = finite.max(initial=terms)
    with np.errstate(invalid="ignore"):  # inf − inf, in places that are not used
        errors = abs(came - expected) / (largest or 1)
    # Not the same, and yet no difference: too large for floats, or of no number.
    return np.where(same, 0, np.where(errors > 0, errors, np.inf))


def _difference(
    came: np.ndarray, expected: np.ndarray, wrong: np.ndarray, what: str
) -> str:
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    numbers = "expected {}, came {}".format(*_apart(expected[first], came[first]))
    if not first:
        return f"{what}: {numbers}"
    return "\n".join(
        [
            f"expected {what} {expected.shape} = {_shown(expected)}",
            f"came     {what} {came.shape} = {_shown(came)}",
            f"first difference at {list(first)}: {numbers} "
            f"({wrong.sum()} of {wrong.size} differ)",
        ]
    )


def _apart(a: Any, b: Any) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to tell them apart."""
    if isinstance(a, np.integer) and isinstance(b, np.integer):
        return str(a), str(b)
    for digits in (9, 12, 17):
        texts = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _shown(array: np.ndarray) -> str:
    if array.size > PRINTED:
        return f"… ({array.size} numbers)"
    digits: Any = {"float_kind": "{:.9g}".format}  # 7, where NumPy writes 7.
    text = np.array2string(array, separator=", ", formatter=digits)
    return " ".join(text.split())  # on one line


def _whole(call: str) -> str:
    """Keep tuples together where a call is folded: at spaces before names alone."""
    return re.sub(r", (?=[^a-z])", f",{NO_BREAK}", call)


def _folded(text: str) -> list[str]:
    """Indent a line of a message, and fold it if it is long."""
    lines = textwrap.wrap(
        text,
        COLUMNS,
        initial_indent="  ",
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(NO_BREAK, " ") for line in lines]


def subjects() -> Iterator[str]:
    """Yield what there are laws of, in the order of the laws."""
    yield from dict.fromkeys(law.subject for law in LAWS)
