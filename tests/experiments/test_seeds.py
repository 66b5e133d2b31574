"""Figures of several seeds: worked out by hand."""

import pytest

from minifcn.experiments import seeds


def test_spread_is_mean_lowest_and_highest() -> None:
    cells = seeds.spread("iu", [0.25, 0.75, 0.125])
    assert cells == {"iu": 0.375, "iu_low": 0.125, "iu_high": 0.75}


def test_higher_asks_every_seed() -> None:
    held = seeds.higher("a claim", [0.50, 0.75], [0.25, 0.625])
    assert held == ("a claim", True, "62.5 against 43.8; in 2 of 2 seeds")
    once = seeds.higher("a claim", [0.99, 0.5], [0.01, 0.5])  # the second: equal
    assert (once.held, once.figures) == (False, "74.5 against 25.5; in 1 of 2 seeds")


@pytest.mark.parametrize(
    "a, b, held",
    [
        ([0.5, 0.5], [0.5, 0.5], True),
        ([0.515, 0.5], [0.5, 0.49], True),
        ([0.52, 0.53], [0.5, 0.5], False),
        ([0.5, 0.5], [0.52, 0.53], False),  # also below
        ([0.6, 0.4], [0.5, 0.5], True),  # what counts is the mean
    ],
)
def test_alike_is_within_two_points_either_way(
    a: list[float], b: list[float], held: bool
) -> None:
    assert seeds.alike("", a, b).held is held


def test_alike_tells_the_differences_by_seed() -> None:
    told = seeds.alike("", [0.5, 0.25], [0.375, 0.5], margin=0.1)
    assert told.figures == "37.5 against 43.8; by seed they differ by +12.5, -25.0"
    assert told.held is True


def test_no_better_lets_the_first_be_far_below() -> None:
    assert seeds.no_better("", [0.1], [0.9]).held
    assert seeds.no_better("", [0.919], [0.9]).held
    assert not seeds.no_better("", [0.921], [0.9]).held


@pytest.mark.parametrize("rule", [seeds.higher, seeds.alike, seeds.no_better])
def test_unequal_numbers_of_seeds_are_refused(rule: object) -> None:
    for a, b in (([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(ValueError, match="cannot be compared"):
            rule("", a, b)  # type: ignore[operator]
