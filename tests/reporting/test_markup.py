import pytest

from minifcn.reporting import markup, scoring, settings
from minifcn.reporting.markup import Markup, joined, tag
from minifcn.reporting.scoring import ends


def test_text_and_attributes_are_escaped_and_elements_are_not() -> None:
    inner = tag("b", "<&\"'")
    assert inner == "<b>&lt;&amp;&quot;&#x27;</b>"
    assert tag("td", [inner, None, 3], title='"<', hidden=None) == (
        '<td title="&quot;&lt;"><b>&lt;&amp;&quot;&#x27;</b>3</td>'
    )
    assert tag("img", alt="x", data_name="y") == '<img alt="x" data-name="y">'
    assert joined("<", Markup("<br>")) == "&lt;<br>"


@pytest.mark.parametrize("n", range(8))
@pytest.mark.parametrize("count", range(4))
def test_ends_share_nothing_and_are_in_order(n: int, count: int) -> None:
    first, last = ends(range(n), count)
    assert first == list(range(len(first)))
    assert last == list(range(n - 1, n - 1 - len(last), -1))
    assert len(first) + len(last) == min(2 * count, n)
    assert not {*first} & {*last}


def test_examples_of_the_docstrings_hold() -> None:
    import doctest

    for module in (markup, scoring, settings):
        results = doctest.testmod(module)
        assert results.attempted > 0
        assert results.failed == 0
