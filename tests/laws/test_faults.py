"""The laws can fail: every planted fault is caught, and nothing else is."""

from collections import Counter

import pytest

from minifcn.laws import Implementation, LawError, laws_of
from minifcn.laws.statement import subjects

from .faults import FAULTS

CASES = 200  # in all, within which a fault must be caught
FIRST = 4  # of each law, before any is tried for long
LEAST_FAULTS = 5  # of each operator


def rounds(laws):
    """Few cases of each law, then, of the few that need them, as many as are left."""
    share = CASES // len(laws)
    first = min(FIRST, share)
    yield from ((law, first, 0) for law in laws)
    yield from ((law, share - first, 1) for law in laws if share > first)


def caught(fault):
    """The first law that catches a fault, what it said, and the cases drawn so far."""
    ops = Implementation(fault.name, operators={fault.operator: fault.function})
    tried = 0
    for law, cases, seed in rounds(laws_of(fault.subject)):
        try:
            tried += law.hold(ops, cases, seed, shrink=False).cases
        except LawError as error:
            return law.name, error, tried + error.cases
    return None, None, tried


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.subject}: {f[0]} {f.name}")
def test_planted_fault_is_caught(fault, record_property):
    law, error, cases = caught(fault)
    assert law, f"no law of {fault.subject} sees “{fault.name}” in {cases} cases"
    assert cases <= CASES
    raised = str(error.__cause__).strip().startswith(f"{fault.operator} raised")
    assert not raised, f"a fault must be seen, not heard: {error}"
    record_property("caught", [fault.subject, law, cases])


def test_each_operator_has_faults_enough():
    planted = Counter(fault.subject for fault in FAULTS)
    few = [name for name in subjects() if planted[name] < LEAST_FAULTS]
    assert not few
    assert len(FAULTS) >= 80
    assert len({fault[:2] + fault[3:] for fault in FAULTS}) == len(FAULTS)
