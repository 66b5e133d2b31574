"""The laws can fail: every planted fault is caught, and nothing else is."""

from collections import Counter

import pytest

from minifcn.laws import Implementation, LawError, laws_of
from minifcn.laws.statement import subjects

from .faults import FAULTS

CASES = 200  # in all, within which a fault must be caught
LEAST_FAULTS = 5  # of each operator


def caught(fault):
    """The first law that catches a fault, and the cases drawn until it did."""
    ops = Implementation(fault.name, operators={fault.operator: fault.function})
    laws, tried = laws_of(fault.subject), 0
    for law in laws:
        try:
            tried += law.hold(ops, CASES // len(laws), shrink=False).cases
        except LawError as error:
            return law.name, tried + error.cases
    return None, tried


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda f: f"{f.subject}: {f.operator} {f.name}"
)
def test_planted_fault_is_caught(fault, record_property):
    law, cases = caught(fault)
    assert law, f"no law of {fault.subject} sees “{fault.name}” in {cases} cases"
    assert cases <= CASES
    record_property("caught", [fault.subject, law, cases])


def test_each_operator_has_faults_enough():
    planted = Counter(fault.subject for fault in FAULTS)
    few = [name for name in subjects() if planted[name] < LEAST_FAULTS]
    assert not few
    assert len(FAULTS) >= 80
    assert len({fault[:2] + fault[3:] for fault in FAULTS}) == len(FAULTS)
