"""The settings of runs: those that differ, and all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from minifcn.reporting.layout import table, wide
from minifcn.reporting.markup import Markup, joined, tag
from minifcn.reporting.runs import Run
from minifcn.reporting.tables import run_name
from minifcn.training.recipe import Recipe

Numbered = tuple[int, Run]


def words(runs: Sequence[Numbered]) -> str:
    """Say which settings are shown."""
    if not _known(runs):
        return "No settings are known."
    if len(_known(runs)) > 1:
        if _differing(runs):
            return "The settings that differ between the runs."
        return "The runs have the same settings."
    if _differing(runs):
        return "The settings that are not the defaults."
    return "All settings are the defaults."


def differing(runs: Sequence[Numbered]) -> Markup:
    """Return the settings that differ (of one run: from the defaults), then all."""
    known = _known(runs)
    if not known:
        return Markup()
    names = _differing(runs)
    few = _settings(known, names) if names else None
    everything = _settings(known, _names(known))
    return joined(few, tag("details", tag("summary", "All settings"), everything))


def shown(value: Any) -> str:
    """Write a setting for a person.

    >>> shown([16, 32]), shown(True), shown(None), shown(0.0005)
    ('16, 32', 'on', 'none', '0.0005')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return "none" if value is None or value == "" else str(value)


def _known(runs: Sequence[Numbered]) -> list[Numbered]:
    return [(k, run) for k, run in runs if run.settings]


def _names(runs: Sequence[Numbered]) -> list[str]:
    """List all settings in the order of a recipe; those it does not know, behind."""
    found = {name for _, run in runs for name in run.settings}
    own = [field.name for field in dataclasses.fields(Recipe)]
    return [n for n in own if n in found] + sorted(found.difference(own))


def _differing(runs: Sequence[Numbered]) -> list[str]:
    known = _known(runs)
    columns = [run.settings for _, run in known]
    if len(columns) == 1:
        columns.append({f.name: f.default for f in dataclasses.fields(Recipe)})
    return [
        name for name in _names(known) if len({shown(c.get(name)) for c in columns}) > 1
    ]


def _settings(runs: Sequence[Numbered], names: Sequence[str]) -> Markup:
    """Return a table: settings down, runs across."""
    helps = {f.name: f.metadata.get("help") for f in dataclasses.fields(Recipe)}
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row", title=helps.get(name)),
            [tag("td", _cell(run, name)) for _, run in runs],
        )
        for name in names
    ]
    return wide(table(["Setting", *(run_name(*r) for r in runs)], rows, "settings"))


def _cell(run: Run, name: str) -> str:
    return shown(run.settings[name]) if name in run.settings else "–"
