"""Reads a page as a browser would: its elements, its tables, its addresses."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr"}


class Page(HTMLParser):
    """What a page holds; raises AssertionError where tags are not well nested.

    Attributes:
        tables: of each section's id its tables, which are lists of rows of texts.
        marked: texts of the cells that are marked as the best, by section.
        texts: all text, by section.
        addresses: (attribute, value) of all that could refer to something.
        captions: texts of the figures' captions, by section.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.section = ""
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.marked: dict[str, list[str]] = {}
        self.captions: dict[str, list[str]] = {}
        self.texts: dict[str, str] = {}
        self.addresses: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [
            (key, value)
            for key, value in attrs
            if key in {"href", "src", "xlink:href", "srcset", "action", "data"}
        ]
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "section":
            self.section = given["id"]
        if tag == "table":
            self.tables.setdefault(self.section, []).append([])
        if tag == "tr":
            self.tables[self.section][-1].append([])
        if tag in ("td", "th"):
            self.tables[self.section][-1][-1].append("")
        if tag == "strong":
            self.marked.setdefault(self.section, []).append("")
        if tag == "figcaption":
            self.captions.setdefault(self.section, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.texts[self.section] = self.texts.get(self.section, "") + data
        if "td" in self.open or "th" in self.open:
            self.tables[self.section][-1][-1][-1] += data
        if "strong" in self.open:
            self.marked[self.section][-1] += data
        if "figcaption" in self.open:
            self.captions[self.section][-1] += data
