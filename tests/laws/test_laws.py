"""Every law holds for the library's operators, by whichever way they are computed."""

from unittest import mock

import pytest

from minifcn.laws import LAWS, Implementation
from minifcn.ops import convolution

CASES = 40
CONVOLUTIONS = [law for law in LAWS if law.subject.startswith("conv")]


def title(law):
    return f"{law.subject}: {law.name}"


@pytest.mark.parametrize("law", LAWS, ids=title)
def test_law_holds(law):
    verdict = law.hold(Implementation(), CASES)
    assert verdict.cases >= 1


@pytest.mark.parametrize("way", ["bands", "windows"])
@pytest.mark.parametrize("law", CONVOLUTIONS, ids=title)
def test_law_holds_each_way(law, way):
    module = getattr(convolution, way)
    with mock.patch.object(convolution, "_way", return_value=module):
        law.hold(Implementation(way), CASES // 2)
