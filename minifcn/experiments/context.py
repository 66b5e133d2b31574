"""What a net goes by: the things themselves, what is around them, or their shape.

Images are masked, at the test alone or in training too (see `masking`):

                  learned from    tested on
    Reference     whole images    whole images
    Reference-FG  whole images    foreground alone
    Reference-BG  whole images    background alone
    FG-only       foreground      foreground
    BG-only       background      background
    Shape         silhouettes     silhouettes

In each the net is an FCN-32s, trained alike; the score is the mean IU of all classes
but the background, which a mask gives away. Foreground alone and background alone show
the things' outlines as well. Shape's input is the masks alone: ours are white things on
the mean colour.

Source: Shelhamer, Long and Darrell 2017, Table 8, on VOC 2011's validation images.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minifcn import metrics, pictures, training
from minifcn.data import PairFiles, open_dataset
from minifcn.data.files import Pixels
from minifcn.metrics import Counts

from . import masking, seeds
from .confusion import confusions
from .drawing import BLUE, GREEN, OCHRE, ORANGE, RED, TEAL, VIOLET, bars, page, tiles
from .frame import Cell, Column, Outcome, Row, Settings, Verdict
from .lab import Lab, Trained

SOURCE = "Shelhamer, Long and Darrell 2017 (the paper of 2015, extended), Table 8"
CLAIM = (
    "A net goes by the things themselves, and is lost without them; yet one that never "
    "saw them learns to tell them by their surroundings and outlines."
)


class Case(NamedTuple):
    """A row of Table 8: the masks in training and at the test, the paper's score."""

    learned: str
    tested: str
    paper: float


WHOLE = ""  # no mask
SEEN = {
    WHOLE: "whole images",
    "background": "foreground alone",
    "foreground": "background alone",
    "both": "silhouettes",
}
RUNS = {
    "background": "fcn32s-on-foreground",
    "foreground": "fcn32s-on-background",
    "both": "fcn32s-on-silhouettes",
}
CASES = {
    "Reference": Case(WHOLE, WHOLE, 0.848),
    "Reference-FG": Case(WHOLE, "background", 0.810),
    "Reference-BG": Case(WHOLE, "foreground", 0.198),
    "FG-only": Case("background", "background", 0.761),
    "BG-only": Case("foreground", "foreground", 0.378),
    "Shape": Case("both", "both", 0.291),
}
MEASURE = "mean IU without background"
COLUMNS = (
    Column("case", "case", "word"),
    Column("learned", "learned from", "word"),
    Column("tested", "tested on", "word"),
    Column("things_iu", MEASURE, "spread"),
    Column("paper", "in the paper"),
    Column("pixel_accuracy", "pixel accuracy", "spread"),
)
COLOURS = (BLUE, TEAL, RED, GREEN, ORANGE, VIOLET)
KEPT = 0.9  # of the reference: what "costs little" leaves at least
LOST = 0.5  # of the reference: what "catastrophic" leaves at most


class Masked:
    """The data set of a lab, whole and under each mask, written when first asked for.

    Raises:
        ValueError: the data set has no background, or its images to be scored show
            nothing else.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        name = lab.val.class_names[masking.GROUND]
        if "background" not in name.lower():
            raise ValueError(
                "context masks the background or all but it, and the first class of "
                f"{lab.data} is {name!r}: it cannot be done without a background"
            )
        labels = (lab.val.read_label(pair.label) for pair in lab.val.pairs)
        if not any(masking.things_of(label).any() for label in labels):
            raise ValueError(f"the images of {lab.val.source} show background alone")

    def folder(self, mask: str) -> Path:
        """Return the folder of the whole data set, or of its masked copy."""
        if mask == WHOLE:
            return self.lab.data
        return masking.write(self._path(mask), self._splits, mask)

    def val(self, mask: str) -> PairFiles:
        """Return the images that are scored."""
        return open_dataset(self.folder(mask), self.lab.settings.split)

    def nets(self, mask: str) -> list[Trained]:
        """Return the nets that learned under a mask, one for every seed."""
        if mask == WHOLE:
            return self.lab.coarse_nets()
        data = str(self.folder(mask).resolve())
        return self.lab.train_all(RUNS[mask], self.lab.recipe("fcn32s", data=data))

    def _path(self, mask: str) -> Path:
        """Return where a copy lies; the name tells data sets and splits apart."""
        data = self.lab.data.resolve()
        code = zlib.crc32(f"{data}\n{self.lab.settings.split}".encode())
        return self.lab.settings.shared / f"masked-{mask}-{data.name}-{code:08x}"

    @cached_property
    def _splits(self) -> dict[str, PairFiles]:
        train = self.lab.recipe().train_split
        return {
            train: open_dataset(self.lab.data, train),
            self.lab.settings.split: self.lab.val,
        }


# ------------------------------------------------------------------------- measuring


def run(settings: Settings) -> Outcome:
    """Train under each mask, score all six cases, draw and judge them.

    Raises:
        ValueError: as of `Masked`, before anything is trained.
    """
    masked = Masked(Lab(settings))
    hists = measure(masked)
    iu = {name: [things_iu(hist) for hist in found] for name, found in hists.items()}
    draw(settings.out / "context.png", masked, iu)
    return Outcome(COLUMNS, rows_of(hists, iu), verdicts(iu), remarks(masked.lab))


def measure(masked: Masked) -> dict[str, list[Counts]]:
    """Return the confusion matrices of every case, one for each seed."""
    device = masked.lab.settings.device
    return {
        name: confusions(masked.nets(case.learned), masked.val(case.tested), device)
        for name, case in CASES.items()
    }


def things_iu(hist: Counts) -> float:
    """Return the mean IU of the classes other than 0.

    A class that is neither in the truth nor predicted has none and does not count.
    """
    return float(np.nanmean(np.delete(metrics.iu_per_class(hist), masking.GROUND)))


def rows_of(
    hists: Mapping[str, Sequence[Counts]], iu: Mapping[str, seeds.Values]
) -> list[Row]:
    """Return the row of each case."""
    return [_row(name, hists[name], iu[name]) for name in hists]


def _row(name: str, hists: Sequence[Counts], iu: seeds.Values) -> Row:
    case = CASES[name]
    accuracy = [metrics.scores(hist)["pixel_accuracy"] for hist in hists]
    row: dict[str, Cell] = {
        "case": name,
        "learned": SEEN[case.learned],
        "tested": SEEN[case.tested],
        **seeds.spread("things_iu", iu),
        "paper": case.paper,
    }
    return row | seeds.spread("pixel_accuracy", accuracy)


# ------------------------------------------------------------------------- judging


def verdicts(iu: Mapping[str, seeds.Values]) -> list[Verdict]:
    """Hold each seed's figures to what the paper says of its own."""
    whole = np.asarray(iu["Reference"])
    return [
        seeds.higher(
            "hiding the things at the test is catastrophic: half of Reference is more "
            "than Reference-BG",
            list(LOST * whole),
            iu["Reference-BG"],
        ),
        seeds.higher(
            "a net that never saw the things learns to find them: BG-only is above "
            "Reference-BG",
            iu["BG-only"],
            iu["Reference-BG"],
        ),
        seeds.higher(
            "hiding the background at the test costs little: Reference-FG is above "
            "nine tenths of Reference",
            iu["Reference-FG"],
            list(KEPT * whole),
        ),
        seeds.higher(
            "the things tell more than what is around them: FG-only is above BG-only",
            iu["FG-only"],
            iu["BG-only"],
        ),
        seeds.higher(
            "what is around a thing tells more than its outline alone: BG-only is "
            "above Shape",
            iu["BG-only"],
            iu["Shape"],
        ),
    ]


def remarks(lab: Lab) -> list[str]:
    """Say what was trained, what the masks are, and how the scenes differ from VOC."""
    found = [
        f"FCN-32s; {lab.remark()}",
        f"{MEASURE}: of all classes but the background, of which a mask tells much",
        "what is masked has the mean colour; a silhouette is white on the mean colour",
    ]
    if lab.settings.data is None:
        found.append(
            "toys lie anywhere on any ground, and their classes have outlines of their "
            "own: what is around a toy tells its class by its outline alone, unlike "
            "the sky around an aeroplane"
        )
    return found


# ------------------------------------------------------------------------- drawing


def draw(path: Path, masked: Masked, iu: Mapping[str, seeds.Values]) -> None:
    """Draw the scores as bars, and below one image as each net has it and answers."""
    index = _example(masked.lab.val)
    palette = masked.lab.val.palette
    with page(path, "What does a net go by?", (15, 9)) as figure:
        parts: Any = figure.subfigures(2, 1, height_ratios=[4, 5], hspace=0.02)
        charts: Any = parts[0].subfigures(1, 2, width_ratios=[4, 1])
        _chart(charts[0].add_subplot(), iu)
        truth = pictures.colour(masked.lab.val[index][1], palette)
        tiles(charts[1], [[("truth", truth)]])
        shown = {name: _tried(masked, name, index) for name in CASES}
        below = [pictures.colour(answer, palette) for _, answer in shown.values()]
        above = [(name, image) for name, (image, _) in shown.items()]
        tiles(parts[1], [above, [("predicted", answer) for answer in below]])


def _chart(axes: Any, iu: Mapping[str, seeds.Values]) -> None:
    bars(axes, list(iu), list(iu.values()), f"{MEASURE}, per cent", COLOURS)
    paper = [100 * case.paper for case in CASES.values()]
    axes.plot(paper, range(len(paper)), "D", color=OCHRE, ms=8, label="the paper's")
    axes.set_xlim(0, max(100, axes.get_xlim()[1]))
    axes.legend(loc="lower right", fontsize=11)


def _tried(masked: Masked, name: str, index: int) -> tuple[Pixels, Pixels]:
    """Return the example as a case has it, and what the first seed's net answers."""
    case, device = CASES[name], masked.lab.settings.device
    dataset = masked.val(case.tested)
    image = dataset[index][0]
    net = masked.nets(case.learned)[0].net().to(device)
    return image, training.predict(net, image, dataset.mean_bgr, device)


def _example(dataset: PairFiles) -> int:
    """Return which of the first images shows the most classes."""
    labels = [dataset[index][1] for index in range(min(len(dataset), 24))]
    return max(range(len(labels)), key=lambda i: len(np.unique(labels[i])))
