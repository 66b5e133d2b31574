"""What is true of the measures of a segmentation.

All come from one table of counts, hist[t, p]: pixels of class t taken for class p. They
are shares, from 0 to 1. A class that is nowhere has none (nan) and no part in a mean.
"""

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .cases import Case, seeds, unequal
from .implementation import Implementation
from .sources import LONG
from .statement import Difference, equal, law

MEASURED = LONG + "5"
SCORE = "Caffe FCN, score.py"
MEASURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")

# ---- cases

TYPES = (np.int64, np.uint8, np.int8)


@st.composite
def pictures(draw: st.DrawFn) -> Case:
    """Draw labels and predictions of some images, (N, H, W), and how many classes.

    Some pixels are ignored, and often some classes are absent.
    """
    n, (N, H), W = draw(st.sampled_from((2, 3, 5, 21))), draw(unequal(2, 5)), 4
    seed = draw(seeds())
    rng, dtype = np.random.default_rng(seed), draw(st.sampled_from(TYPES))
    label = -1 if dtype == np.int8 else 255  # what int8 cannot hold
    present = rng.permutation(n)[: rng.integers(1, n + 1)]  # classes in the truth
    target = rng.choice([*present, label], (N, H, W))
    predicted = rng.permutation(n)[: rng.integers(1, n + 1)]
    prediction = rng.choice(predicted, target.shape)
    # so that there are hits, also among 21 classes
    right = rng.random(target.shape) < 0.5
    prediction = np.where(right & (target != label), target, prediction)
    inputs = {"target": target.astype(dtype), "prediction": prediction.astype(dtype)}
    return Case("confusion_matrix", inputs, {"n_classes": n}, seed)


@st.composite
def tables(draw: st.DrawFn, absent: bool | None = None) -> Case:
    """Draw a table of counts, often with classes that are not in the truth.

    Args:
        absent: whether there are classes that are nowhere; either, if left out.
    """
    n, seed = draw(st.integers(2, 5)), draw(seeds())
    rng = np.random.default_rng(seed)
    hist = rng.integers(0, 10, (n, n))
    hist[rng.random(n) < 0.2] = 0  # not in the truth
    hist[:, rng.random(n) < 0.2] = 0  # never predicted
    if draw(st.booleans()) if absent is None else absent:
        nowhere = rng.integers(n)
        hist[nowhere] = hist[:, nowhere] = 0
    elif absent is False:
        hist += 1  # every class is in both
    assume(hist.sum() > 0)  # of nothing there is no measure
    return Case("scores", {"hist": hist}, {}, seed)


def _counted(case: Case) -> np.ndarray:
    """Return where the target is a class, (N, H, W)."""
    return (case.target >= 0) & (case.target < case.arguments["n_classes"])


def _count(ops: Implementation, case: Case, **changed: Any) -> Any:
    inputs = {**case.inputs, **changed}
    return ops.confusion_matrix(*inputs.values(), **case.arguments)


def _measures(ops: Implementation, hist: np.ndarray) -> np.ndarray:
    """Return the four measures, (4,)."""
    found = ops.scores(hist)
    if set(found) != set(MEASURES):
        raise Difference(f"scores are {', '.join(found)}; expected {MEASURES}")
    return np.array([found[name] for name in MEASURES])


def _order(case: Case, n: int) -> np.ndarray:
    return np.random.default_rng(case.seed).permutation(n)  # (n,)


# ---- the table of counts


@law("metrics", pictures(), "hist[t, p] = |{target = t and prediction = p}|", MEASURED)
def the_table_counts_pixels(ops: Implementation, case: Case) -> None:
    """One after the other: rows are the truth, columns the prediction."""
    n = case.arguments["n_classes"]
    expected = np.zeros((n, n), np.int64)  # hist[t, p]
    for place in np.argwhere(_counted(case)):
        t, p = case.target[tuple(place)], case.prediction[tuple(place)]
        expected[t, p] += 1
    equal(_count(ops, case), expected, "hist", tolerance=0)


@law("metrics", pictures(), "hist of all images = Σ hist of each", SCORE)
def tables_of_images_add_up(ops: Implementation, case: Case) -> None:
    """So the measures are taken of the whole set, and not averaged over images."""
    both = zip(case.target, case.prediction, strict=True)
    parts = [_count(ops, case, target=t, prediction=p) for t, p in both]  # N of (n, n)
    equal(_count(ops, case), sum(parts), "hist", tolerance=0)
    # So often that a count is more than a byte holds.
    many = {name: np.tile(x, (300, 1, 1)) for name, x in case.inputs.items()}
    equal(_count(ops, case, **many), 300 * sum(parts), "hist of 300", tolerance=0)


@law(
    "metrics",
    pictures(),
    "hist is the same for any prediction where target is no class",
)
def ignored_pixels_are_not_counted(ops: Implementation, case: Case) -> None:
    """Whatever is predicted there, and whatever label beyond the classes it has."""
    hist, counted, n = _count(ops, case), _counted(case), case.arguments["n_classes"]
    equal(hist.sum(), counted.sum(), "Σ hist", tolerance=0)
    largest = np.iinfo(case.target.dtype).max
    for label in (n, largest):
        target = np.where(counted, case.target, label).astype(case.target.dtype)
        prediction = np.where(counted, case.prediction, label)
        came = _count(ops, case, target=target, prediction=prediction)
        equal(came, hist, f"hist with label {label}", tolerance=0)


@law("metrics", pictures(), "hist(prediction, target) = histᵀ")
def exchanging_truth_and_prediction_transposes_it(
    ops: Implementation, case: Case
) -> None:
    """Its row sums count the true pixels, its column sums the predicted ones."""
    t, p = (a[_counted(case)] for a in (case.target, case.prediction))  # (pixels,)
    n, hist = case.arguments["n_classes"], _count(ops, case, target=t, prediction=p)
    equal(_count(ops, case, target=p, prediction=t), hist.T, "hist", tolerance=0)
    equal(hist.sum(axis=1), np.bincount(t, minlength=n), "rows", tolerance=0)
    equal(hist.sum(axis=0), np.bincount(p, minlength=n), "columns", tolerance=0)


@law("metrics", pictures(), "hist(π(target), π(prediction))[π, π] = hist")
def classes_may_be_renumbered(ops: Implementation, case: Case) -> None:
    """The table is permuted; the means over classes stay what they are."""
    n, counted = case.arguments["n_classes"], _counted(case)
    assume(counted.any())
    order, hist = _order(case, n), _count(ops, case)
    inputs = {
        "target": np.where(counted, order[np.where(counted, case.target, 0)], n),
        "prediction": order[case.prediction],
    }
    renumbered = _count(ops, case, **inputs)  # hist[order[t], order[p]]
    equal(renumbered[np.ix_(order, order)], hist, "hist", tolerance=0)
    for of_class in (ops.iu_per_class, ops.accuracy_per_class):
        equal(of_class(renumbered)[order], of_class(hist), "of the classes")
    equal(_measures(ops, renumbered), _measures(ops, hist), "the four measures")


# ---- the measures of a class


@law("metrics", pictures(), "IU_i = |T_i ∩ P_i| / |T_i ∪ P_i|", MEASURED)
def intersection_over_union_is_of_sets(ops: Implementation, case: Case) -> None:
    """Of the pixels of class i and those predicted as i; nan where there are none."""
    hist, counted = _count(ops, case), _counted(case)
    iu, found = [], []
    for i in range(case.arguments["n_classes"]):
        true, predicted = (case.target == i) & counted, (case.prediction == i) & counted
        both, either = (true & predicted).sum(), (true | predicted).sum()
        iu.append(both / either if either else np.nan)
        found.append(both / true.sum() if true.any() else np.nan)
    equal(ops.iu_per_class(hist), np.array(iu), "IU")
    equal(ops.accuracy_per_class(hist), np.array(found), "accuracy")


@law(
    "metrics", tables(), "0 ≤ IU_i ≤ accuracy_i ≤ 1 where t_i > 0; 0 ≤ each measure ≤ 1"
)
def they_are_shares(ops: Implementation, case: Case) -> None:
    """A union holds the truth: IU counts false alarms too, and is never above."""
    iu, accuracy = ops.iu_per_class(case.hist), ops.accuracy_per_class(case.hist)
    in_truth = case.hist.sum(axis=1) > 0  # else its accuracy is nan
    values = [iu[in_truth], accuracy[in_truth], _measures(ops, case.hist)]
    for value in values:
        if not ((value >= 0) & (value <= 1)).all():
            raise Difference(f"{value} are not from 0 to 1")
    equal(np.minimum(*values[:2]), values[0], "min(IU, accuracy)", tolerance=0)


@law(
    "metrics",
    tables(),
    "IU_i = D / (2 − D), D = 2·n_ii / (t_i + p_i), where t_i + p_i > 0",
    "Dice 1945",
)
def dice_says_the_same(ops: Implementation, case: Case) -> None:
    """Dice's measure puts classes and nets in the same order."""
    hist = case.hist
    both = hist.sum(axis=0) + hist.sum(axis=1)
    here = both > 0  # else both measures are 0 / 0
    dice = 2 * hist.diagonal()[here] / both[here]
    equal(ops.iu_per_class(hist)[here], dice / (2 - dice), "IU")


@law("metrics", tables(), "all counts on the diagonal ⟹ every measure is 1, none ⟹ 0")
def a_perfect_prediction_has_one(ops: Implementation, case: Case) -> None:
    """And one that is wrong at every pixel has zero."""
    right = np.diag(case.hist.sum(axis=1))
    equal(_measures(ops, right), np.ones(4), "the measures of what is right")
    wrong = np.roll(right, 1, axis=1)  # each class taken for the next
    equal(_measures(ops, wrong), np.zeros(4), "the measures of what is wrong")


# ---- classes that are absent


@law("metrics", tables(), "a class in neither: IU_i = nan, no measure changes", SCORE)
def a_class_that_is_nowhere_has_no_part(ops: Implementation, case: Case) -> None:
    """It is left out of the means: 0 / 0 is neither 0 nor 1."""
    hist = case.hist
    place = int(_order(case, len(hist))[0])
    # (n + 1, n + 1)
    more = np.insert(np.insert(hist, place, 0, axis=0), place, 0, axis=1)
    for of_class in (ops.iu_per_class, ops.accuracy_per_class):
        expected = np.insert(of_class(hist), place, np.nan)
        equal(of_class(more), expected, "of the classes")
    equal(_measures(ops, more), _measures(ops, hist), "the four measures")


@law(
    "metrics", tables(absent=False), "t_i = 0 < p_i: IU_i = 0, accuracy_i = nan", SCORE
)
def a_class_that_is_only_predicted_counts_as_zero(
    ops: Implementation, case: Case
) -> None:
    """In the mean of IU, not in that of accuracies; its weight by frequency is 0."""
    hist, n = case.hist.copy(), len(case.hist)
    place = int(_order(case, n)[0])
    hist[place] = 0
    iu, accuracy = ops.iu_per_class(hist), ops.accuracy_per_class(hist)
    equal(iu[place], 0, f"IU of class {place}", tolerance=0)
    equal(accuracy[place], np.nan, f"accuracy of class {place}")
    others = np.delete(np.arange(n), place)
    came = dict(zip(MEASURES, _measures(ops, hist), strict=True))
    equal(came["mean_iu"], iu[others].sum() / n, "mean_iu")
    # 0 / 0 is in no mean
    equal(came["mean_accuracy"], accuracy[others].sum() / (n - 1), "mean_accuracy")


@law("metrics", tables(absent=False), "p_i = 0 < t_i: IU_i = 0, accuracy_i = 0", SCORE)
def a_class_that_is_never_predicted_counts_as_zero(
    ops: Implementation, case: Case
) -> None:
    """In both means: a net that leaves a class out does not do better for it."""
    hist, n = case.hist.copy(), len(case.hist)
    place = int(_order(case, n)[0])
    hist[:, place] = 0
    iu, accuracy = ops.iu_per_class(hist), ops.accuracy_per_class(hist)
    equal((iu[place], accuracy[place]), (0, 0), f"those of class {place}", tolerance=0)
    came = dict(zip(MEASURES, _measures(ops, hist), strict=True))
    equal(came["mean_iu"], iu.sum() / n, "mean_iu")
    equal(came["mean_accuracy"], accuracy.sum() / n, "mean_accuracy")


@law("metrics", tables(), "hist = 0 ⟹ every measure is nan")
def of_nothing_there_is_no_measure(ops: Implementation, case: Case) -> None:
    """Where no pixel was counted, neither 0 nor 1 would be true."""
    nothing = np.zeros_like(case.hist)
    equal(_measures(ops, nothing), np.full(4, np.nan), "the four measures")


# ---- the four measures


@law(
    "metrics",
    tables(),
    "Σ n_ii / Σ t_i, mean n_ii / t_i, mean IU_i, Σ t_i·IU_i / Σ t_i",
    MEASURED,
)
def the_four_measures_are_those_of_the_paper(ops: Implementation, case: Case) -> None:
    """Means over the classes that are there; frequencies are those of the truth."""
    hist, n = case.hist, len(case.hist)
    t = [int(hist[i].sum()) for i in range(n)]
    union = [t[i] + int(hist[:, i].sum()) - int(hist[i, i]) for i in range(n)]
    accuracies = [hist[i, i] / t[i] for i in range(n) if t[i]]
    # also of classes only predicted
    ius = [hist[i, i] / union[i] for i in range(n) if union[i]]
    weighted = [t[i] * hist[i, i] / union[i] for i in range(n) if t[i]]
    expected = [
        sum(int(hist[i, i]) for i in range(n)) / sum(t),
        sum(accuracies) / len(accuracies),
        sum(ius) / len(ius),
        sum(weighted) / sum(t),
    ]
    equal(_measures(ops, hist), np.array(expected), "the four measures")


@law("metrics", tables(), "scores(k·hist) = scores(hist)")
def the_number_of_pixels_does_not_matter(ops: Implementation, case: Case) -> None:
    """The same images twice, or larger ones: the measures are shares."""
    for times in (2, 10**9):  # beyond 32 bits
        came = _measures(ops, times * case.hist)
        equal(came, _measures(ops, case.hist), f"the measures of {times}·hist")


@law("metrics", tables(absent=False), "frequency_weighted_iu ≤ pixel_accuracy")
def false_alarms_only_lower_it(ops: Implementation, case: Case) -> None:
    """Weighted by frequency, accuracies sum to the pixel accuracy; IU is below each."""
    came = dict(zip(MEASURES, _measures(ops, case.hist), strict=True))
    t = case.hist.sum(axis=1)
    accuracy = (t * ops.accuracy_per_class(case.hist)).sum() / t.sum()
    equal(accuracy, came["pixel_accuracy"], "Σ t_i·accuracy_i / Σ t_i")
    # t_i·IU_i ≤ t_i·accuracy_i, summed
    lower = min(came["frequency_weighted_iu"], came["pixel_accuracy"])
    equal(came["frequency_weighted_iu"], lower, "frequency_weighted_iu")
