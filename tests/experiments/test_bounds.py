"""Appendix A's bounds: coarse labels against their definition, and by hand."""

import numpy as np
import pytest

from minifcn import metrics
from minifcn.data import IGNORE, open_dataset
from minifcn.data.files import Pixels
from minifcn.data.palettes import voc_palette
from minifcn.experiments import bounds
from minifcn.experiments.bounds import centre, enlarge, majority
from tests.experiments.test_boundary import blobs, distance_by_definition

SIZES = [(1, 1), (3, 17), (17, 3), (8, 12), (29, 22)]


def cell_of(label: np.ndarray, factor: int, r: int, c: int) -> dict:
    """The pixels of a cell that count, {(y, x): class}, in reading order."""
    H, W = label.shape
    return {
        (y, x): int(label[y, x])
        for y in range(factor * r, min(factor * r + factor, H))
        for x in range(factor * c, min(factor * c + factor, W))
        if label[y, x] != IGNORE
    }


def centre_by_definition(cell: dict, factor: int, r: int, c: int) -> int:
    def away(place: tuple[int, int]) -> float:
        y, x = place
        middle = (factor - 1) / 2
        return (y - factor * r - middle) ** 2 + (x - factor * c - middle) ** 2

    return cell[min(cell, key=away)] if cell else IGNORE  # min: the first of equals


def majority_by_definition(cell: dict, factor: int, r: int, c: int) -> int:
    votes = list(cell.values())
    return max(sorted(set(votes)), key=votes.count) if cell else IGNORE


RULES = {"centre": centre_by_definition, "majority": majority_by_definition}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 32])
def test_cells_are_those_of_the_definition(
    rng: np.random.Generator, rule: str, size: tuple[int, int], factor: int
) -> None:
    label = blobs(rng, size)
    label[rng.random(size) < 0.2] = IGNORE
    coarse = bounds.RULES[rule](label, factor)
    rows, columns = (-(-n // factor) for n in size)
    assert (coarse.shape, coarse.dtype) == ((rows, columns), np.uint8)
    for r in range(rows):
        for c in range(columns):
            cell = cell_of(label, factor, r, c)
            assert coarse[r, c] == RULES[rule](cell, factor, r, c)


def test_cells_by_hand() -> None:
    label = np.array(
        [
            [0, 0, 0, 3, IGNORE],
            [0, 7, 0, 5, IGNORE],
            [0, 0, 0, 3, IGNORE],
            [2, 2, 1, 1, 4],
        ],
        np.uint8,
    )
    assert centre(label, 3).tolist() == [[7, 5], [2, 4]]
    assert majority(label, 3).tolist() == [[0, 3], [2, 1]]
    # of even cells the pixel up and left of the middle; of equal votes the smallest
    assert centre(label, 2).tolist() == [[0, 0, IGNORE], [0, 0, 4]]
    assert majority(label, 2).tolist() == [[0, 0, IGNORE], [0, 1, 4]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("factor", [1, 3, 4])
def test_enlarged_pixel_has_its_cell_s_class(
    rng: np.random.Generator, size: tuple[int, int], factor: int
) -> None:
    H, W = size
    coarse = rng.integers(0, 9, (-(-H // factor), -(-W // factor)))
    fine = enlarge(coarse, factor, size)
    assert fine.shape == size
    for y in range(H):
        for x in range(W):
            assert fine[y, x] == coarse[y // factor, x // factor]


def test_cells_of_one_pixel_change_nothing(rng: np.random.Generator) -> None:
    label = blobs(rng, (13, 18))
    for rule in bounds.RULES.values():
        np.testing.assert_array_equal(rule(label, 1), label)


class Labels:
    """A data set of given labels; its images are grey."""

    mean_bgr = (0.0, 0.0, 0.0)
    ignore_index = IGNORE

    def __init__(self, labels: list[Pixels], n_classes: int) -> None:
        self.labels = labels
        self.ids = [str(i) for i in range(len(labels))]
        self.class_names = [f"class {c}" for c in range(n_classes)]
        self.palette = voc_palette(n_classes)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        label = self.labels[index]
        return np.full((*label.shape, 3), 128, np.uint8), label


def test_figures_are_those_of_all_pixels_together(rng: np.random.Generator) -> None:
    labels = [blobs(rng, size) for size in [(21, 34), (40, 19), (16, 16)]]
    rows = bounds.measure(Labels(labels, 6), factors=(8, 3))
    assert [row["factor"] for row in rows] == [8, 3]
    for row in rows:
        f = int(row["factor"])  # type: ignore[arg-type]
        for name, rule in bounds.RULES.items():
            coarse = [enlarge(rule(y, f), f, y.shape) for y in labels]
            true, found = (
                np.concatenate([a.ravel() for a in s]) for s in (labels, coarse)
            )
            scores = metrics.scores(metrics.confusion_matrix(true, found, 6))
            assert row[f"mean_iu_{name}"] == scores["mean_iu"]
            assert row[f"pixel_accuracy_{name}"] == scores["pixel_accuracy"]
            near = [distance_by_definition(y, 3) <= bounds.NEAR for y in labels]
            near = np.concatenate([a.ravel() for a in near]) & (true != IGNORE)
            assert row[f"near_{name}"] == (true == found)[near].mean()


def test_by_hand() -> None:
    label = np.array([[0, 0, 0, 1], [0, 0, 1, 1]], np.uint8)
    (row,) = bounds.measure(Labels([label], 3), factors=(2,))
    # cells 0 and 0 by the centre (the upper left); 0 and 1 by majority
    assert row["mean_iu_centre"] == pytest.approx((5 / 8 + 0) / 2)
    # 0: found 4 of 5 and one 0 is taken for 1; 1: all 3 and that 0
    assert row["mean_iu_majority"] == pytest.approx((4 / 5 + 3 / 4) / 2)


def test_nested_majorities_are_never_less_accurate(rng: np.random.Generator) -> None:
    labels = [blobs(rng, (61, 47)), blobs(rng, (33, 70))]
    rows = bounds.measure(Labels(labels, 6), factors=(32, 16, 8, 4, 2, 1))
    accuracy = [row["pixel_accuracy_majority"] for row in rows]
    assert accuracy == sorted(accuracy)  # type: ignore[type-var]
    assert accuracy[-1] == 1
    for row in rows:
        assert row["pixel_accuracy_centre"] <= row["pixel_accuracy_majority"]  # type: ignore[operator]


# -------------------------------------------------------------------------- verdicts


def rows_of(iu: list[float], near: list[float] | None = None) -> list[dict]:
    near = near or [0.1] * 6
    return [
        {"factor": f, "mean_iu_centre": a, "mean_iu_majority": a, "near_centre": b}
        for f, a, b in zip(bounds.PAPER, iu, near)
    ]


def held(rows: list[dict]) -> list[bool]:
    return [verdict.held for verdict in bounds.verdicts(rows)]


def test_the_paper_s_own_figures_hold() -> None:
    assert held(rows_of(list(bounds.PAPER.values()))) == [True, True, True]


def test_each_claim_can_fail() -> None:
    good = list(bounds.PAPER.values())
    assert held(rows_of([0.8, *good[1:]])) == [False, True, True]
    assert held(rows_of([0.1, 0.2, 0.59, 0.9, 0.95, 0.99])) == [True, False, True]
    near = [0.1, 0.1, 0.1, 0.1, 0.97, 0.99]
    assert held(rows_of(good, near)) == [True, True, False]
    rows = rows_of(good)
    rows[3]["mean_iu_majority"] = 0.2
    assert held(rows) == [False, True, True]


def test_no_verdict_on_boundaries_where_there_are_none() -> None:
    rows = bounds.measure(Labels([np.full((9, 14), 2, np.uint8)], 4))
    assert rows[0]["near_centre"] is None
    assert held(rows) == [True, True]


def test_real_labels(real_data) -> None:
    """The 6 labels of VOC in the sample; figures of a first run, to two digits."""
    rows = bounds.measure(open_dataset(real_data / "voc_sample", "val"))
    iu = [round(100 * row["mean_iu_centre"], 1) for row in rows]  # type: ignore[operator]
    assert iu == [34.4, 52.6, 73.0, 87.6, 96.6, 99.4]
    assert held(rows) == [True, True, True]  # type: ignore[arg-type]
