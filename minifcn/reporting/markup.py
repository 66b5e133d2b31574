"""HTML that is put together from Python: what is text is escaped, always.

>>> tag("td", "Fish & chips ", tag("b", "<5"), class_="note")
'<td class="note">Fish &amp; chips <b>&lt;5</b></td>'
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

Content: TypeAlias = "str | int | Iterable[Content] | None"

VOID = frozenset("br hr img meta".split())
"""Elements that have no end."""

LINES = frozenset(
    "html head body header main section footer details table thead tbody tr ul li "
    "title style h1 h2 h3 p figure nav".split()
)
"""Elements that end a line of the file, to be read by people too."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: Content, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: such as ``td``.
        content: text, which is escaped; elements; lists of both; None, for nothing.
        attributes: by name, with ``_`` for ``-``, and one at the end where Python has
            the word (``class_``). None leaves an attribute away.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}>")
    end = "\n" if name in LINES else ""
    return Markup(f"<{name}{given}>{joined(*content)}</{name}>{end}")


def joined(*content: Content) -> Markup:
    """Return text and elements one after the other, text escaped."""
    return Markup("".join(map(_shown, content)))


def _shown(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str | int):
        return html.escape(str(content))
    return joined(*content)
