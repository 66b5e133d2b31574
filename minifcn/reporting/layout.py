"""What all pages are made of: one HTML file, read without scripts, all inside it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import minifcn
from minifcn.reporting.markup import Content, Markup, tag

STYLE = Path(__file__).with_name("page.css")


def document(title: str, header: Markup, sections: Sequence[Markup]) -> str:
    """Return a whole page.

    Args:
        title: of the browser's window.
        header: what stands above the sections.
        sections: as of :func:`section`.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    body = tag("body", header, tag("main", sections), _footer())
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en")


def section(id: str, heading: str, words: Content, *content: Content) -> Markup:
    """Return a section: its heading, what that means in words, and its content."""
    intro = tag("p", words, class_="words") if words else None
    return tag("section", tag("h2", heading), intro, *content, id=id)


def table(head: Sequence[Content], rows: Sequence[Markup], kind: str = "") -> Markup:
    """Return a table of rows below a row of headings."""
    heads = [tag("th", cell, scope="col") for cell in head]
    top = tag("thead", tag("tr", heads))
    return tag("table", top, tag("tbody", rows), class_=kind or None)


def wide(content: Markup) -> Markup:
    """Let content that is wider than the page scroll by itself."""
    return tag("div", content, class_="wide")


def _footer() -> Markup:
    today = datetime.date.today().isoformat()
    return tag(
        "footer", tag("p", f"Written by minifcn {minifcn.__version__} on {today}.")
    )
