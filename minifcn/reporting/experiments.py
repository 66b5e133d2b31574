"""The page of all experiments: the paper's claims, and whether they held."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import minifcn
from minifcn.experiments.frame import EXPERIMENTS, Column, Verdict, written
from minifcn.files import replacing
from minifcn.reporting import thumbnails
from minifcn.reporting.layout import document, section, table, wide
from minifcn.reporting.markup import Content, Markup, joined, tag

PAGE = "experiments.html"
CHART_SCALE = 0.75  # of a chart's own pixels: its letters are then as large as the text
QUICK = (
    "A quick run, with a hundredth of the images and steps: it shows that all goes "
    "well, and its figures say nothing."
)


class Cell(NamedTuple):
    """What stands in a table's cell, and whether that is words or numbers."""

    text: str
    words: bool


class Result(NamedTuple):
    """What an experiment's folder tells; everything is text already.

    Attributes:
        folder: where it is.
        name: of the experiment.
        claim: what the paper says.
        source: where it says so.
        verdicts: one for each thing that it claims.
        head: the table's headings.
        rows: the table's cells.
        remarks: what a reader must know to read the table.
        made: how it was computed, by setting and by program, such as seeds and numpy.
    """

    folder: Path
    name: str
    claim: str
    source: str
    verdicts: list[Verdict]
    head: list[Cell]
    rows: list[list[Cell]]
    remarks: list[str]
    made: dict[str, str]

    @property
    def title(self) -> str:
        """The experiment's name; the folder's beside it where that is another."""
        own = self.folder.name
        return self.name if own == self.name else f"{self.name} in {own}"

    @property
    def id(self) -> str:
        """Where its section is on the page."""
        return quote(self.folder.name)

    @property
    def held(self) -> int:
        """How many of its verdicts held."""
        return sum(verdict.held for verdict in self.verdicts)


def write(out: Path) -> Path:
    """Write the page of all experiments under a folder into that folder.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    path = out / PAGE
    with replacing(path) as file:
        file.write(page(out).encode("utf-8", "replace"))
    return path


def page(out: Path) -> str:
    """Return the page of all experiments whose result.json is in a folder of ``out``.

    What cannot be read is left out and named on the page.
    """
    results, skipped = read_all(out)
    sections = [_overview(results, skipped), *map(_section, results)]
    return document("minifcn: experiments", _header(results), sections)


# ---------------------------------------------------------------------------- reading


def read_all(out: Path) -> tuple[list[Result], list[str]]:
    """Read all results in the folders of ``out``.

    Returns:
        The results in the order of EXPERIMENTS, others behind; and a sentence for
        each file that cannot be used.
    """
    results, skipped = [], []
    for path in sorted(out.glob("*/result.json")):
        try:
            results.append(read(path))
        except ValueError as error:
            skipped.append(f"{path.parent.name}/{path.name} is left out: {error}.")
    return sorted(results, key=_place), skipped


def _place(result: Result) -> tuple[int, str]:
    known = result.name in EXPERIMENTS
    place = EXPERIMENTS.index(result.name) if known else len(EXPERIMENTS)
    return place, result.folder.name


def read(path: Path) -> Result:
    """Read a result.json.

    Raises:
        ValueError: it is damaged, or something else; says so.
    """
    if not path.is_file():
        raise ValueError("it is no file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):  # no UTF-8, no JSON, nested too deep
        raise ValueError("it is damaged") from None
    try:
        return _result(path.parent, content)
    except KeyError as error:
        raise ValueError(f"it is no result of an experiment, without {error}") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        raise ValueError("it is no result of an experiment") from None


def _result(folder: Path, content: Mapping[str, Any]) -> Result:
    """Make a result of what a file holds; raises all sorts of errors if it cannot."""
    columns = [Column(*_texts(c, Column._fields)) for c in _list(content["columns"])]
    name, claim, source = _texts(content, ("experiment", "claim", "source"))
    return Result(
        folder,
        name,
        claim,
        source,
        verdicts=[_verdict(v) for v in _list(content["verdicts"])],
        head=[Cell(column.title, column.form == "word") for column in columns],
        rows=[
            [Cell(written(row, column), column.form == "word") for column in columns]
            for row in _list(content["rows"])
        ],
        remarks=[_text(remark) for remark in _list(content["remarks"])],
        made=_made(content["settings"], content["versions"]),
    )


def _verdict(content: Mapping[str, Any]) -> Verdict:
    claim, figures = _texts(content, ("claim", "figures"))
    if not isinstance(content["held"], bool):
        raise TypeError
    return Verdict(claim, content["held"], figures)


def _made(settings: Mapping[str, Any], versions: Mapping[str, Any]) -> dict[str, str]:
    """Say by which settings and programs, those that nobody chose left away."""
    first, count = int(settings["seed"]), int(settings["seeds"])
    last = first + count - 1
    made = {
        "data": settings["data"] or "generated scenes",
        "scored on": settings["split"],
        "seeds": str(first) if count == 1 else f"{first} to {last}",
        "quick": "yes" if settings["quick"] else None,
        "device": settings["device"],
        "recipe": settings.get("recipe"),
        "weights": settings.get("weights"),
        **{program: versions[program] for program in ("minifcn", "numpy", "python")},
    }
    return {key: _text(value) for key, value in made.items() if value is not None}


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _texts(content: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    return [_text(content[key]) for key in keys]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


# --------------------------------------------------------------------------- overview


def _header(results: Sequence[Result]) -> Markup:
    count = "One experiment" if len(results) == 1 else f"{len(results)} experiments"
    links = [tag("a", result.title, href=f"#{result.id}") for result in results]
    return tag(
        "header",
        tag("h1", count if results else "No experiments"),
        tag("p", _tally(results), class_="words"),
        tag("nav", links),
    )


def _tally(results: Sequence[Result]) -> str:
    """Say how many claims held, without those of quick runs."""
    counted = [result for result in results if "quick" not in result.made]
    n = sum(len(result.verdicts) for result in counted)
    held = sum(result.held for result in counted)
    apart = ", quick runs not counted" if len(counted) < len(results) else ""
    words = "What the paper on fully convolutional networks claims, measured"
    return f"{words}: {held} of {n} claims held{apart}." if counted else f"{words}."


def _overview(results: Sequence[Result], skipped: Sequence[str]) -> Markup:
    """Return the list of all: claim, source, how many verdicts held, what differs."""
    differing = _differing(results)
    head = "Experiment", "What the paper claims", "Where", "Held", *differing
    rows = [_overview_row(result, differing) for result in results]
    return section(
        "overview",
        "Overview",
        _alike(results, differing),
        wide(table(head, rows, "claims")) if rows else None,
        _missing(results, skipped),
    )


def _overview_row(result: Result, differing: Sequence[str]) -> Markup:
    link = tag("a", result.title, href=f"#{result.id}")
    n = len(result.verdicts)
    kind = "held" if result.held == n else None
    cells = [
        tag("td", result.claim),
        tag("td", result.source),
        tag("td", tag("span", f"{result.held} of {n}", class_=kind), class_="short"),
        [tag("td", result.made.get(key, "–")) for key in differing],
    ]
    return tag("tr", tag("th", link, scope="row"), cells)


def _differing(results: Sequence[Result]) -> list[str]:
    """Name what was not the same for all; a quick run and an old version always."""
    keys = dict.fromkeys(key for result in results for key in result.made)
    values = {key: {result.made.get(key) for result in results} for key in keys}
    values.setdefault("quick", set()).add(None)
    values.setdefault("minifcn", set()).add(minifcn.__version__)
    return [key for key in keys if len(values[key]) > 1]


def _alike(results: Sequence[Result], differing: Sequence[str]) -> str:
    """Say whether the experiments were computed in the same way."""
    if not results:
        return "No experiment has left a result here that can be read."
    if not differing:
        return "All were computed by the same settings and versions." * (
            len(results) > 1
        )
    words = [f"Not the same for all, or not as usual: {', '.join(differing)}."]
    if "quick" in differing:
        words.append("Of those marked quick the figures say nothing.")
    if "minifcn" in differing:
        words.append(f"This page was written by minifcn {minifcn.__version__}.")
    return " ".join(words)


def _missing(results: Sequence[Result], skipped: Sequence[str]) -> Markup | None:
    """Name the experiments that are not here, and the files that cannot be used."""
    count = Counter(result.name for result in results)
    absent = [name for name in EXPERIMENTS if not count[name]]
    points = list(skipped)
    if absent:
        points.append(f"There is no result of {', '.join(absent)}.")
    if not points:
        return None
    return joined(
        tag("h3", "What is missing"),
        tag("ul", [tag("li", point) for point in points]),
    )


# ------------------------------------------------------------------ a single experiment


def _section(result: Result) -> Markup:
    """Return an experiment's section: claim, verdicts, picture, table, how made."""
    return section(
        result.id,
        result.title,
        None,
        tag("p", result.claim, class_="claim"),
        tag("p", result.source, class_="words"),
        tag("p", QUICK, class_="warning") if "quick" in result.made else None,
        tag("ul", map(_judged, result.verdicts), class_="verdicts"),
        _picture(result),
        _table(result),
        tag("ul", [tag("li", r) for r in result.remarks], class_="remarks"),
        tag("p", _settings(result), class_="key"),
    )


def _judged(verdict: Verdict) -> Markup:
    kind, word = ("held", "held") if verdict.held else ("failed", "did not hold")
    return tag(
        "li",
        tag("b", word, class_=kind),
        " ",
        verdict.claim,
        tag("span", f" ({verdict.figures})", class_="figures"),
    )


def _picture(result: Result) -> Markup:
    """Return the experiment's chart; a sentence where there is none."""
    path = result.folder / f"{result.name}.png"
    try:
        address, width = thumbnails.chart(path)
    except (ValueError, OSError) as error:
        return tag("p", f"The picture is missing: {error}.", class_="warning")
    words = f"Picture of what {result.name} measured, as in the table below"
    style = f"width:{round(CHART_SCALE * width)}px"
    image = tag("img", src=address, alt=words, style=style)
    return tag("div", image, class_="wide chart")


def _table(result: Result) -> Markup:
    rows = [tag("tr", [_cell("td", cell) for cell in row]) for row in result.rows]
    return wide(table([_cell("span", cell) for cell in result.head], rows, "measured"))


def _cell(name: str, cell: Cell) -> Markup:
    return tag(name, cell.text, class_=None if cell.words else "number")


def _settings(result: Result) -> list[Content]:
    return [tag("span", f"{key} ", tag("b", v)) for key, v in result.made.items()]
