"""Wrong confusion matrices and scores."""

import numpy as np

from . import fault

# ---- the table


def counts(name, count):
    """Register a confusion matrix made by count(right, target, prediction, n)."""

    @fault("confusion_matrix", name)
    def _(right, target, prediction, n_classes):
        t, p = np.asarray(target), np.asarray(prediction)
        return count(right, t, p, n_classes)


def outside(t, n):
    return (t < 0) | (t >= n)


counts("transposed", lambda right, t, p, n: right(t, p, n).T)
counts(
    "ignored pixels are background",
    lambda right, t, p, n: right(
        np.where(outside(t, n), 0, t), np.where(outside(p, n), 0, p), n
    ),
)
counts(
    "ignored pixels are of the last class",
    lambda right, t, p, n: right(
        np.where(outside(t, n), n - 1, t), np.where(outside(p, n), 0, p), n
    ),
)
counts(
    "ignored pixels are right",
    lambda right, t, p, n: right(
        np.where(outside(t, n), np.where(outside(p, n), 0, p), t),
        np.where(outside(p, n), 0, p),
        n,
    ),
)
counts(
    "ignored pixels wrap around",
    lambda right, t, p, n: right(t % n, np.where(outside(p, n), 0, p), n),
)
counts(
    "background left out", lambda right, t, p, n: right(np.where(t == 0, n, t), p, n)
)
counts(
    "last class left out",
    lambda right, t, p, n: right(np.where(t == n - 1, n, t), p, n),
)
counts("pixels counted once", lambda right, t, p, n: np.minimum(right(t, p, n), 1))
counts(
    "wrong pixels alone",
    lambda right, t, p, n: right(t, p, n) * (1 - np.eye(n, dtype=int)),
)
counts("right pixels alone", lambda right, t, p, n: right(t, t, n))
counts(
    "made symmetric", lambda right, t, p, n: (right(t, p, n) + right(t, p, n).T) // 2
)
counts("first row of pixels alone", lambda right, t, p, n: right(t[:1], p[:1], n))
counts("in one byte", lambda right, t, p, n: right(t, p, n).astype(np.uint8))
counts(
    "shares, not counts",
    lambda right, t, p, n: right(t, p, n) / max(1, right(t, p, n).sum()),
)


# ---- measures of each class


def ratio(above, below, empty=np.nan):
    """Above / below, and `empty` for 0 / 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.true_divide(above, below)
    return np.where((above == 0) & (below == 0), empty, q)


def of_classes(operator, name, measure):
    """Register measure(right diagonal, true pixels, predicted pixels), all (n,)."""

    @fault(operator, name)
    def _(right, hist):
        h = np.asarray(hist)
        right(h)  # refuses what it refuses
        return measure(h.diagonal(), h.sum(axis=1), h.sum(axis=0))


def iu(r, t, p):
    return ratio(r, t + p - r)


IU, ACCURACY = "iu_per_class", "accuracy_per_class"
of_classes(IU, "union counts the intersection twice", lambda r, t, p: ratio(r, t + p))
of_classes(IU, "twice the intersection over both", lambda r, t, p: ratio(2 * r, t + p))
of_classes(IU, "over the true pixels", lambda r, t, p: ratio(r, t))
of_classes(IU, "over the predicted pixels", lambda r, t, p: ratio(r, p))
of_classes(IU, "absent class is 0", lambda r, t, p: ratio(r, t + p - r, 0))
of_classes(IU, "absent class is 1", lambda r, t, p: ratio(r, t + p - r, 1))
of_classes(
    IU,
    "class not in the truth has none",
    lambda r, t, p: np.where(t == 0, np.nan, iu(r, t, p)),
)
of_classes(
    IU,
    "class never predicted has none",
    lambda r, t, p: np.where(p == 0, np.nan, iu(r, t, p)),
)
of_classes(IU, "union is the larger", lambda r, t, p: ratio(r, np.maximum(t, p)))
of_classes(IU, "one is added to the union", lambda r, t, p: ratio(r, t + p - r + 1))
of_classes(
    IU,
    "background has none",
    lambda r, t, p: np.where(np.arange(len(r)) == 0, np.nan, iu(r, t, p)),
)
of_classes(
    IU, "all are the mean", lambda r, t, p: iu(r, t, p) * 0 + ratio(r.sum(), t.sum())
)
of_classes(IU, "in single precision", lambda r, t, p: iu(r, t, p).astype(np.float32))

of_classes(ACCURACY, "over the predicted pixels", lambda r, t, p: ratio(r, p))
of_classes(ACCURACY, "absent class is 0", lambda r, t, p: ratio(r, t, 0))
of_classes(ACCURACY, "absent class is 1", lambda r, t, p: ratio(r, t, 1))
of_classes(ACCURACY, "over all pixels", lambda r, t, p: ratio(r, t.sum()))
of_classes(ACCURACY, "over the union", iu)
of_classes(
    ACCURACY,
    "true negatives counted",
    lambda r, t, p: ratio(t.sum() - t - p + 2 * r, t.sum()),
)


# ---- the four scores


def scores_with(name, key, measure):
    """Register scores of which one is measure(hist, right scores)."""

    @fault("scores", name)
    def _(scores, hist):
        h = np.asarray(hist)
        found = scores(h)
        with np.errstate(all="ignore"):
            found[key] = float(measure(h, found))
        return found


def by_class(h, measure=iu):
    return measure(h.diagonal(), h.sum(axis=1), h.sum(axis=0))


def mean_known(values):
    """Mean of what is no nan."""
    known = values[~np.isnan(values)]
    return known.mean() if known.size else np.nan


scores_with(
    "mean IU over all classes",
    "mean_iu",
    lambda h, s: np.nan_to_num(by_class(h)).mean() if h.sum() else np.nan,
)
scores_with(
    "mean IU: nan where a class is absent", "mean_iu", lambda h, s: by_class(h).mean()
)
scores_with(
    "mean IU without the background",
    "mean_iu",
    lambda h, s: mean_known(by_class(h)[1:]),
)
scores_with(
    "mean IU of the true classes",
    "mean_iu",
    lambda h, s: mean_known(by_class(h)[h.sum(axis=1) > 0]),
)
scores_with(
    "mean IU is that of all pixels",
    "mean_iu",
    lambda h, s: h.trace() / (2 * h.sum() - h.trace()),
)
scores_with(
    "median IU",
    "mean_iu",
    lambda h, s: (
        np.median(v) if (v := by_class(h)[~np.isnan(by_class(h))]).size else np.nan
    ),
)
scores_with(
    "mean accuracy is the pixels'", "mean_accuracy", lambda h, s: s["pixel_accuracy"]
)
scores_with(
    "mean accuracy over all classes",
    "mean_accuracy",
    lambda h, s: (
        np.nan_to_num(by_class(h, lambda r, t, p: ratio(r, t))).mean()
        if h.sum()
        else np.nan
    ),
)
scores_with(
    "mean accuracy over the predicted",
    "mean_accuracy",
    lambda h, s: mean_known(by_class(h, lambda r, t, p: ratio(r, p))),
)
scores_with(
    "pixel accuracy is the classes'", "pixel_accuracy", lambda h, s: s["mean_accuracy"]
)
scores_with(
    "pixel accuracy without the background",
    "pixel_accuracy",
    lambda h, s: (
        h[1:, 1:].trace() / h[1:, 1:].sum() if h[1:, 1:].sum() else s["pixel_accuracy"]
    ),
)
scores_with(
    "weighted by the predicted pixels",
    "frequency_weighted_iu",
    lambda h, s: (h.sum(axis=0) * np.nan_to_num(by_class(h))).sum() / h.sum(),
)
scores_with(
    "weights not divided",
    "frequency_weighted_iu",
    lambda h, s: (
        (h.sum(axis=1) * np.nan_to_num(by_class(h))).sum() if h.sum() else np.nan
    ),
)
scores_with(
    "weighted IU: nan where a class is absent",
    "frequency_weighted_iu",
    lambda h, s: (h.sum(axis=1) * by_class(h)).sum() / h.sum(),
)
scores_with(
    "weighted by the accuracy",
    "frequency_weighted_iu",
    lambda h, s: s["pixel_accuracy"],
)


@fault("scores", "in percent")
def _(scores, hist):
    return {name: 100 * score for name, score in scores(hist).items()}


@fault("scores", "of the transposed table")
def _(scores, hist):
    return scores(np.asarray(hist).T)


@fault("scores", "nothing counted is 0")
def _(scores, hist):
    found = scores(hist)
    return dict.fromkeys(found, 0.0) if not np.sum(hist) else found
