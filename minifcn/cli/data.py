"""``minifcn data``: draw scenes to learn from, or check a data set file by file."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from minifcn.cli.common import add_json, add_seed, example, note, percent, print_json
from minifcn.data import scenes, sheet
from minifcn.data.checking import Report, check
from minifcn.data.findings import ERROR, RULES, WARNING, Finding
from minifcn.pictures import FORMATS, save_image
from minifcn.training.progress import bar


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn data draw`` and ``minifcn data check``."""
    example(parser, "minifcn data draw scenes", "minifcn data check photos")
    parts = parser.add_subparsers(metavar="draw | check", required=True)
    shape: Any = {"formatter_class": RawDescriptionHelpFormatter}
    _add_draw(
        parts.add_parser("draw", help="draw scenes in PASCAL VOC's layout", **shape)
    )
    _add_check(parts.add_parser("check", help="read every image and label", **shape))


def _add_draw(parser: ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", help="folder to write")
    parser.add_argument(
        "--train", type=int, default=400, metavar="N", help="scenes (400)"
    )
    parser.add_argument("--val", type=int, default=50, metavar="N", help="scenes (50)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(96, 128),
        metavar=("H", "W"),
        help="of a scene (96 128)",
    )
    add_seed(parser)
    example(parser, "minifcn data draw scenes --train 400 --val 50 --size 96 128")
    parser.set_defaults(run=run_draw)


def _add_check(parser: ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="folder of the data set")
    parser.add_argument("--split", metavar="NAME", help="list (both train and val)")
    parser.add_argument(
        "--sheet", metavar="FILE", help="draw a contact sheet, the bad pairs framed"
    )
    add_json(parser)
    example(
        parser,
        "minifcn data check photos",
        "minifcn data check photos --sheet sheet.png",
    )
    parser.set_defaults(run=run_check)


def run_draw(args: Namespace) -> int:
    """Draw scenes."""
    out = scenes.write(args.out, args.train, args.val, tuple(args.size), args.seed)
    print(f"{args.train} scenes to train on and {args.val} to validate on are in {out}")
    return 0


def run_check(args: Namespace) -> int:
    """Read every image and label; print what they hold and what is wrong."""
    if args.sheet and Path(args.sheet).suffix.lower() not in FORMATS:
        raise ValueError(f"--sheet writes .png or .jpg, not {args.sheet}")
    report = check(args.data, args.split, bar)
    print_json(_figures(report)) if args.json else print(_lay_out(report))
    if args.sheet:
        save_image(args.sheet, sheet.draw(report, bar))
        note(f"the contact sheet is {args.sheet}")
    return 1 if report.errors else 0


def _figures(report: Report) -> dict[str, Any]:
    return {
        "layout": report.layout,
        "splits": {name: part.figures() for name, part in report.parts.items()},
        "errors": [_spell_out(finding) for finding in report.errors],
        "warnings": [_spell_out(finding) for finding in report.warnings],
    }


def _spell_out(finding: Finding) -> dict[str, str | None]:
    rule = RULES[finding.rule]
    reason = {"title": rule.title, "why": rule.why, "advice": rule.advice}
    return {**finding._asdict(), **reason}


def _lay_out(report: Report) -> str:
    figures = {name: part.figures() for name, part in report.parts.items()}
    blocks = [f"layout {report.layout}" if report.layout else "no list can be read"]
    blocks += [_counts(name, part) for name, part in figures.items()]
    if figures:
        blocks += ["", *_shares(figures)]
    for level in (ERROR, WARNING):
        blocks += _blocks(report.of_level(level))
    return "\n".join([*blocks, "", _verdict(report)])


def _counts(split: str, figures: dict[str, Any]) -> str:
    count = f"{split}: {_number(figures['images'], 'image')}"
    if not figures["smallest"]:
        return f"{count}, none of them readable"
    small, large, common = (
        "x".join(map(str, figures[key])) for key in ("smallest", "largest", "commonest")
    )
    if small == large:
        return f"{count}, {small} (height x width)"
    often = f"{common} is the commonest ({figures['commonest_images']})"
    return f"{count}, {small} to {large} (height x width); {often}"


def _shares(figures: dict[str, dict[str, Any]]) -> list[str]:
    """Lay out how much of the counted pixels each class has, a column per list."""
    parts = list(figures.values())
    names = list(parts[0]["classes"])
    width = max(map(len, [*names, "% of the pixels"]))
    rows = [(name, [part["classes"][name] for part in parts]) for name in names]
    rows.append(("(ignored)", [part["ignored"] for part in parts]))
    heads = "".join(f"{split:>10}" for split in figures)
    return [f"{'% of the pixels':<{width}}{heads}"] + [
        f"{name:<{width}}" + "".join(f"{percent(share):>10}" for share in shares)
        for name, shares in rows
    ]


def _blocks(findings: list[Finding]) -> list[str]:
    """Say each rule's reason once, and under it the files that break it."""
    lines: list[str] = []
    for name in dict.fromkeys(finding.rule for finding in findings):
        rule, broken = RULES[name], [f for f in findings if f.rule == name]
        lines += ["", f"{rule.level}: {rule.title} ({len(broken)})"]
        lines += [f"  why: {rule.why}", f"  do:  {rule.advice}"]
        lines += [f"  {_place(finding)}{finding.what}" for finding in broken]
    return lines


def _place(finding: Finding) -> str:
    return "" if finding.file == "." else f"{finding.file}: "


def _verdict(report: Report) -> str:
    errors, warnings = (
        _number(len(found), word)
        for found, word in ((report.errors, "error"), (report.warnings, "warning"))
    )
    if not report.findings:
        return "nothing is wrong with it"
    return f"{errors}, {warnings}"


def _number(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"
