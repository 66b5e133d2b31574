"""Metrics against sets of pixels, and against tables worked out by hand."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minifcn import arrays as devices
from minifcn import metrics
from minifcn.metrics import accuracy_per_class, confusion_matrix, iu_per_class, scores

KEYS = ["pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu"]


def mean(values):
    return sum(values) / len(values) if values else math.nan


def scores_by_sets(target, prediction, n):
    """The four measures from boolean masks, one class at a time, in plain Python."""
    valid = target < n
    found, union, true = {}, {}, {}
    for c in range(n):
        is_c, called_c = valid & (target == c), valid & (prediction == c)
        true[c] = int(is_c.sum())
        found[c] = int((is_c & called_c).sum())
        union[c] = int((is_c | called_c).sum())
    total = int(valid.sum())
    if total == 0:
        return dict.fromkeys(KEYS, math.nan)
    iu = {c: found[c] / union[c] for c in range(n) if union[c]}
    weighted = sum(true[c] * iu[c] for c in iu if true[c])
    return {
        "pixel_accuracy": sum(found.values()) / total,
        "mean_accuracy": mean([found[c] / true[c] for c in range(n) if true[c]]),
        "mean_iu": mean(list(iu.values())),
        "frequency_weighted_iu": weighted / total,
    }


@st.composite
def labelled(draw):
    """Class count, truth with ignored pixels, and prediction; some classes absent."""
    n = draw(st.integers(1, 6))
    shape = draw(st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(1, 7)))
    truth = st.sampled_from([*range(n), 255])
    target = draw(arrays.arrays(np.uint8, shape, elements=truth, fill=truth))
    called = st.integers(0, n - 1)
    kind = draw(st.sampled_from(["u1", "i2", "i4", "i8", "u8"]))
    return n, target, draw(arrays.arrays(kind, shape, elements=called, fill=called))


@given(labelled())
def test_scores_are_those_of_the_sets(case):
    n, target, prediction = case
    got = scores(confusion_matrix(target, prediction, n))
    assert list(got) == KEYS
    assert all(type(value) is float for value in got.values())
    wanted = scores_by_sets(target, prediction, n)
    assert got == pytest.approx(wanted, rel=1e-12, nan_ok=True)


@given(labelled())
def test_each_cell_counts_its_pixels(case):
    n, target, prediction = case
    hist = confusion_matrix(target, prediction, n)
    assert hist.shape == (n, n)
    assert hist.dtype == np.int64
    for t in range(n):
        for p in range(n):
            assert hist[t, p] == ((target == t) & (prediction == p)).sum()


def test_by_hand():
    """Three classes: t = (4, 2, 1), and 5 of 7 pixels are right."""
    hist = [[3, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert iu_per_class(hist).tolist() == [3 / 4, 1 / 3, 1 / 2]
    assert accuracy_per_class(hist).tolist() == [3 / 4, 1 / 2, 1]
    assert scores(hist) == pytest.approx(
        {
            "pixel_accuracy": 5 / 7,
            "mean_accuracy": (3 / 4 + 1 / 2 + 1) / 3,
            "mean_iu": (3 / 4 + 1 / 3 + 1 / 2) / 3,
            "frequency_weighted_iu": (4 * 3 / 4 + 2 / 3 + 1 / 2) / 7,
        },
        rel=1e-12,
    )


def test_rows_are_the_truth_and_columns_the_prediction():
    hist = confusion_matrix([[0, 0, 1, 2]], [[1, 1, 1, 0]], 3)
    assert hist.tolist() == [[0, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_a_class_absent_from_both_is_left_out():
    hist = confusion_matrix([0, 0, 1], [0, 1, 1], 4)
    iu = iu_per_class(hist)
    assert iu[:2].tolist() == [1 / 2, 1 / 2]
    assert np.isnan(iu[2:]).all()
    assert np.isnan(accuracy_per_class(hist)[2:]).all()
    assert scores(hist)["mean_iu"] == 1 / 2
    assert scores(hist)["mean_accuracy"] == 3 / 4


def test_a_class_only_predicted_lowers_the_mean_iu_but_not_the_mean_accuracy():
    hist = confusion_matrix([0, 0, 0, 1], [0, 0, 2, 1], 4)
    assert iu_per_class(hist)[:3].tolist() == [2 / 3, 1, 0]
    got = scores(hist)
    assert got["mean_iu"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert got["mean_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert got["frequency_weighted_iu"] == pytest.approx((3 * 2 / 3 + 1) / 4)


def test_ignored_pixels_count_nowhere_whatever_was_predicted_there():
    target, prediction = [[0, 255, 1, -1, 2]], [[0, 1, 1, 9, 1]]
    assert confusion_matrix(target, prediction, 2).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("target", [[], [[255, 255]]])
def test_nothing_counted_is_nan_four_times(target):
    hist = confusion_matrix(target, np.zeros(np.shape(target), int), 3)
    assert hist.tolist() == [[0] * 3] * 3
    assert all(math.isnan(value) for value in scores(hist).values())


def test_scores_of_the_sum_are_not_the_mean_of_the_scores():
    """A class that fills one picture and is a speck, missed, in another."""
    pictures = [([1, 1, 1, 1], [1, 1, 1, 1]), ([0, 0, 0, 1], [0, 0, 0, 0])]
    hists = [confusion_matrix(t, p, 2) for t, p in pictures]
    each = [scores(hist)["mean_iu"] for hist in hists]
    assert each == [1, (3 / 4 + 0) / 2]
    assert scores(sum(hists))["mean_iu"] == pytest.approx((3 / 4 + 4 / 5) / 2)


@pytest.mark.parametrize("chunk", [1, 7, 50, 1000])
def test_counting_in_chunks_loses_nothing(monkeypatch, rng, chunk):
    target = rng.choice([0, 1, 2, 255], (4, 5, 6)).astype(np.uint8)
    prediction = rng.integers(0, 3, (4, 5, 6))
    whole = confusion_matrix(target, prediction, 3)
    monkeypatch.setattr(metrics, "CHUNK", chunk)
    assert (confusion_matrix(target, prediction, 3) == whole).all()
    assert whole.sum() == (target < 255).sum()


def test_many_classes_do_not_overflow_small_types(rng):
    target = rng.integers(0, 200, (30, 40)).astype(np.uint8)
    hist = confusion_matrix(target, target.astype(np.int16), 200)
    assert (hist == np.diag(np.bincount(target.ravel(), minlength=200))).all()


def test_views_are_counted_in_their_own_order(rng):
    target, prediction = rng.integers(0, 3, (2, 9, 8))
    straight = confusion_matrix(target[:, ::2], prediction[:, ::2], 3)
    turned = confusion_matrix(target[:, ::2].T.copy(), prediction.T[::2], 3)
    assert (straight == turned).all()


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (([[0, 1]], [0, 1], 2), ValueError, r"not \(1, 2\) and \(2,\)"),
        (([0, 1], [0, 2], 2), ValueError, "must be 0 to 1 for 2 classes, not 2"),
        (([0, 1], [0, -1], 2), ValueError, "must be 0 to 1 for 2 classes, not -1"),
        (([0, 1], [0.0, 1.0], 2), TypeError, "prediction must hold .* not float64"),
        (([True], [0], 2), TypeError, "target must hold class numbers.* not bool"),
        (([0], [0], 0), ValueError, "n_classes must be at least 1, not 0"),
        (([0], [0], 2.0), TypeError, "n_classes must be an integer, not 2.0"),
    ],
)
def test_bad_input_is_named(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        confusion_matrix(*arguments)


@pytest.mark.parametrize("measure", [scores, iu_per_class, accuracy_per_class])
def test_what_is_no_table_is_refused(measure):
    with pytest.raises(ValueError, match=r"matrix \(n, n\), not of shape \(2, 3\)"):
        measure(np.zeros((2, 3)))


def test_the_example_in_the_docstring():
    assert doctest.testmod(metrics) == (0, 3)


# ------------------------------------------------------------------------- on a device


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 5, 3, 4), (1, 1, 7, 2), (3, 21, 6), (0, 2, 3)])
def test_most_likely_is_argmax(rng, device, dtype, shape):
    x = rng.integers(-3, 3, shape).astype(dtype)  # many are equal
    x[rng.random(shape) < 0.1] = math.nan
    x[rng.random(shape) < 0.1] = -math.inf
    kept = np.ascontiguousarray(x.swapaxes(1, -1)).swapaxes(1, -1)  # classes last
    for scores_ in (x, kept):
        there = devices.to_device(scores_, device)
        y = metrics.most_likely(there)
        assert devices.device_of(y) == device
        assert y.dtype == np.int64
        np.testing.assert_array_equal(devices.to_numpy(y), x.argmax(axis=1))
    np.testing.assert_array_equal(metrics.most_likely(x), x.argmax(axis=1))


@pytest.mark.parametrize("kind", ["u1", "i1", "i8", "u8"])
@pytest.mark.parametrize("n", [1, 2, 21])
@pytest.mark.parametrize("chunk", [1 << 20, 1000])
def test_device_counts_as_the_cpu(rng, device, kind, n, chunk, monkeypatch):
    monkeypatch.setattr(metrics, "CHUNK", chunk)
    target = rng.integers(0, n + 1, (2, 37, 41)).astype(kind)  # n is not counted
    target[target == n] = -1 if kind[0] == "i" else 255
    prediction = rng.integers(0, n, target.shape).astype(kind)
    asked = (target >= 0) & (target < n)
    prediction[~asked & (rng.random(target.shape) < 0.5)] = 99  # no class
    expected = confusion_matrix(target, prediction, n)
    assert 0 < expected.sum() < target.size
    there = devices.to_device(prediction, device)
    for truth in (target, devices.to_device(target, device)):
        hist = confusion_matrix(truth, there, n)
        assert type(hist) is np.ndarray
        assert hist.dtype == np.int64
        np.testing.assert_array_equal(hist, expected)
    turned = confusion_matrix(target.swapaxes(1, 2), there.swapaxes(1, 2), n)
    np.testing.assert_array_equal(turned, expected)


def test_device_refuses_as_the_cpu(device):
    there = devices.to_device(np.array([0, 3, 1]), device)
    with pytest.raises(ValueError, match="must be 0 to 2 for 3 classes, not 3"):
        confusion_matrix([0, 1, 2], there, 3)
    with pytest.raises(ValueError, match=r"one shape, not \(2,\) and \(3,\)"):
        confusion_matrix([0, 1], there, 4)
    with pytest.raises(TypeError, match="prediction must hold class numbers"):
        confusion_matrix([0, 1, 2], there / 2, 4)
