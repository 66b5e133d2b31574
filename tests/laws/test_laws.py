"""Every law holds for the library's operators, by whichever algorithm."""

import pytest

from minifcn.laws import LAWS, Implementation
from minifcn.ops import algorithms
from tests.ops import common

CASES = 40
CONVOLUTIONS = [law for law in LAWS if law.subject.startswith("conv")]


def title(law):
    return f"{law.subject}: {law.name}"


@pytest.mark.parametrize("law", LAWS, ids=title)
def test_law_holds(law):
    verdict = law.hold(Implementation(), CASES)
    assert verdict.cases >= 1


@pytest.mark.parametrize("way", algorithms.ON_CPU)
@pytest.mark.parametrize("law", CONVOLUTIONS, ids=title)
def test_law_holds_by_each_algorithm(law, way):
    with common.using(way):
        law.hold(Implementation(way), CASES // 2)
