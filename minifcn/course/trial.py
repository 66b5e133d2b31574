"""A learner's function on trial: hand-computed examples, claims, laws.

Examples come first, in their order. Each claim is then tried on drawn cases, and of
those that break it the smallest is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky, HypothesisException

from minifcn.course.comparing import Mistake, a_kind, compare
from minifcn.course.exercises import Claim, Example, Exercise
from minifcn.course.watching import Ended, Untouched, Watched, function_of
from minifcn.laws import Implementation, Law, LawError

__all__ = ["Untouched", "Watched", "function_of", "try_exercise"]

CASES = 60  # drawn for each claim
SHOWN = 400  # characters of what an example printed


def try_exercise(exercise: Exercise, function: Callable[..., Any], file: Path) -> int:
    """Hold a function against all that an exercise asks.

    Returns:
        How many cases it passed.

    Raises:
        Mistake: it does not; with the smallest case that shows it.
        Untouched: it is not written yet.
    """
    watched = Watched(function, file, exercise.name)
    try:
        for example in exercise.examples:
            _try_example(watched, example)
        cases = len(exercise.examples)
        for claim in exercise.claims:
            cases += _attack(watched, claim)
        for law in exercise.laws:
            assert exercise.on_trial is not None
            cases += _hold(law, exercise.on_trial(watched))
    except Ended as error:
        raise _mistake(str(error), error.case) from None
    return cases


def _mistake(said: str, case: str) -> Mistake:
    mistake = Mistake(said)
    mistake.case = case
    return mistake


def _try_example(watched: Watched, example: Example) -> None:
    because = ""
    try:
        came = watched(*example.arguments)
        because = f"\nby hand: {example.because}"
        compare(came, example.expected)
    except Mistake as error:
        said = f"{error}{because}"
        if watched.printed.strip():
            said += f"\nit printed: {watched.printed.strip()[:SHOWN]}"
        raise _mistake(said, watched.call_text(example.arguments)) from None


def _attack(watched: Watched, claim: Claim) -> int:
    """Try a claim on drawn cases; raise the smallest that breaks it."""
    tried = 0

    @hypothesis.seed(0)
    @hypothesis.settings(
        max_examples=CASES,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(claim.cases)
    def attempt(arguments: tuple[Any, ...]) -> None:
        nonlocal tried
        tried += 1
        _judge(watched, claim, arguments)

    try:
        attempt()
    except Flaky:
        said = (
            "the same call gave one result, and at the next time another: does your "
            "function keep something between its calls, or draw random numbers?"
        )
        raise _mistake(said, watched.call_text(watched.calls[-1])) from None
    except Mistake as error:
        said = f"{error}\nwhat is to be true: {claim.sentence}"
        raise _mistake(said, error.case) from None
    return tried


def _judge(watched: Watched, claim: Claim, arguments: tuple[Any, ...]) -> None:
    """Try a claim on one case."""
    watched.calls.clear()
    try:
        claim.judge(watched, *arguments)
    except (HypothesisException, Untouched):
        raise
    except Mistake as error:
        raise _mistake(str(error), error.case or _case(watched, arguments)) from None
    except AssertionError as error:
        raise _mistake(str(error), _case(watched, arguments)) from None
    except Exception as error:  # of the claim's own arithmetic, with what came
        said = (
            f"your function returned {a_kind(watched.came)}, which cannot be used "
            f"here ({type(error).__name__}: {error})"
        )
        raise _mistake(said, _case(watched, arguments)) from None


def _case(watched: Watched, arguments: tuple[Any, ...]) -> str:
    """Write the calls that were made; those drawn, where there were many."""
    few = watched.calls if 1 <= len(watched.calls) <= 2 else [arguments]
    return "\n".join(map(watched.call_text, few))


def _hold(law: Law, ops: Implementation) -> int:
    try:
        return law.hold(ops, cases=CASES).cases
    except LawError as error:
        said = re.sub(r"\w+ raised Mistake: ", "", str(error))
        raise Mistake(f"{said}\nwhat is to be true: {law.meaning}") from None
