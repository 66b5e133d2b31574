"""Wrong softmaxes, their logarithms, and losses."""

import numpy as np

from minifcn import Tensor, ops
from minifcn.laws import on_arrays

from . import Shown, changed, fault, in_single_precision, wrong_gradient, wrong_value

QUIET = {"over": "ignore", "invalid": "ignore", "divide": "ignore"}


def p_of(x, dim=1):
    """Softmax of an array."""
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


def log_p_of(x, dim=1):
    """Log-softmax of an array."""
    x = x - x.max(axis=dim, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=dim, keepdims=True))


for operator in ("softmax", "log_softmax"):
    changed(operator, "over the next axis", "dim", lambda d: d + 1)
    changed(operator, "always over axis 1", "dim", lambda d: 1)
    changed(operator, "axes below zero read as above", "dim", abs)
    in_single_precision(operator)

    @fault(operator, "scores doubled")
    def _(right, x, dim=1):
        return right(x + x, dim)

    @fault(operator, "smallest is likeliest")
    def _(right, x, dim=1):
        return right(-x, dim)

    @wrong_gradient(operator, "gradient passed on as it is")
    def _(gx, gy, arrays):
        return gy


def softmaxes(name, of):
    """Register a softmax whose values are of(x, dim), its gradients right."""

    @wrong_value("softmax", name)
    def _(y, x, dim=1):
        with np.errstate(**QUIET):
            return of(x, dim)


softmaxes(
    "largest not subtracted", lambda x, d: np.exp(x) / np.exp(x).sum(d, keepdims=True)
)
softmaxes(
    "sums to one over the whole image",
    lambda x, d: p_of(x.reshape(len(x), -1)).reshape(x.shape),
)
softmaxes("powers of two", lambda x, d: p_of(x * np.log(2), d))
softmaxes(
    "largest of all subtracted",
    lambda x, d: np.exp(x - x.max()) / np.exp(x - x.max()).sum(d, keepdims=True),
)
softmaxes(
    "a little is added to the sum",
    lambda x, d: p_of(x, d) / (1 + 1e-5),
)
softmaxes("one-hot maximum", lambda x, d: (x == x.max(d, keepdims=True)) * 1.0)
softmaxes("sigmoid of each score", lambda x, d: 1 / (1 + np.exp(-x)))


def softmax_gradients(name, back):
    """Register a softmax whose gradient is back(gy, p, dim)."""

    @fault("softmax", name)
    def _(right, x, dim=1):
        return on_arrays(
            lambda x: p_of(x, dim), lambda gy, x: back(gy, p_of(x, dim), dim)
        )(x)


softmax_gradients("gradient without its mean", lambda gy, p, d: gy * p)
softmax_gradients("gradient of a sigmoid", lambda gy, p, d: gy * p * (1 - p))
softmax_gradients(
    "gradient of the logarithm",
    lambda gy, p, d: gy - p * gy.sum(d, keepdims=True),
)
softmax_gradients(
    "mean of the gradient not weighed",
    lambda gy, p, d: p * (gy - gy.mean(d, keepdims=True)),
)
softmax_gradients(
    "mean of the gradient over axis 1",
    lambda gy, p, d: p * (gy - (gy * p).sum(1, keepdims=True)),
)


def log_softmaxes(name, of):
    """Register a log-softmax whose values are of(x, dim), its gradients right."""

    @wrong_value("log_softmax", name)
    def _(y, x, dim=1):
        with np.errstate(**QUIET):
            return of(x, dim)


log_softmaxes("logarithm of softmax", lambda x, d: np.log(p_of(x, d)))
log_softmaxes(
    "probabilities kept above 1e-7", lambda x, d: np.log(p_of(x, d).clip(1e-7))
)
log_softmaxes("1e-12 added to probabilities", lambda x, d: np.log(p_of(x, d) + 1e-12))
log_softmaxes(
    "largest not subtracted",
    lambda x, d: x - np.log(np.exp(x).sum(d, keepdims=True)),
)
log_softmaxes(
    "largest of all subtracted",
    lambda x, d: x - x.max() - np.log(np.exp(x - x.max()).sum(d, keepdims=True)),
)
log_softmaxes(
    "largest forgotten", lambda x, d: log_p_of(x, d) + x.max(d, keepdims=True)
)
log_softmaxes("binary logarithm", lambda x, d: log_p_of(x, d) / np.log(2))
log_softmaxes("softmax", p_of)


def log_softmax_gradients(name, back):
    """Register a log-softmax whose gradient is back(gy, p, dim)."""

    @fault("log_softmax", name)
    def _(right, x, dim=1):
        return on_arrays(
            lambda x: log_p_of(x, dim), lambda gy, x: back(gy, p_of(x, dim), dim)
        )(x)


log_softmax_gradients("gradient without the probabilities", lambda gy, p, d: gy * 1.0)
log_softmax_gradients(
    "gradient averaged", lambda gy, p, d: gy - p * gy.mean(d, keepdims=True)
)
log_softmax_gradients("gradient not summed", lambda gy, p, d: gy * (1 - p))
log_softmax_gradients(
    "gradient of softmax", lambda gy, p, d: p * (gy - (gy * p).sum(d, keepdims=True))
)
log_softmax_gradients(
    "gradient with logarithms for probabilities",
    lambda gy, p, d: gy - np.log(p.clip(1e-300)) * gy.sum(d, keepdims=True),
)


# ---- losses

LOSSES = {"nll_loss": lambda x: x, "cross_entropy": ops.log_softmax}


def parts(x, target, weight, ignore_index):
    """Each pixel's class, weight, and whether it counts."""
    target = np.asarray(target)
    valid = target != ignore_index
    classes = np.where(valid, target, 0)
    w = np.ones(x.shape[1]) if weight is None else np.asarray(weight)
    return classes, w[classes] * valid, valid


def divides_by(name, divisor, reduction="mean"):
    """Register losses whose sums are divided by divisor(w, valid, target's shape)."""
    for operator in LOSSES:

        @fault(operator, name)
        def _(right, x, target, weight=None, ignore_index=255, asked="mean", **a):
            asked = a.get("reduction", asked)
            if asked != reduction:
                return right(x, target, weight, ignore_index, asked)
            total = right(x, target, weight, ignore_index, "sum")
            _, w, valid = parts(x, target, weight, ignore_index)
            return total * float(1 / max(divisor(w, valid), 1e-9))


divides_by("ignored pixels counted in the mean", lambda w, valid: w.size)
divides_by("weights not in the divisor", lambda w, valid: valid.sum() or 1)
divides_by("mean over the images", lambda w, valid: len(w))
divides_by("mean over the pixels of one image", lambda w, valid: w[0].size)
divides_by("mean not divided", lambda w, valid: 1)
divides_by("mean of the images of the batch's pixels", lambda w, valid: w.size, "batch")
divides_by("batch not divided", lambda w, valid: 1, "batch")
divides_by("sum divided by the images", lambda w, valid: len(w), "sum")


def retargets(name, change):
    """Register losses with another target: change(target, n_classes, ignore_index)."""
    for operator in LOSSES:

        @fault(operator, name)
        def _(right, x, target, weight=None, ignore_index=255, *rest, **a):
            changed = change(np.asarray(target), x.shape[1], ignore_index)
            return right(x, changed, weight, ignore_index, *rest, **a)


retargets("classes off by one", lambda t, n, i: np.where(t == i, i, (t + 1) % n))
retargets("ignored pixels are background", lambda t, n, i: np.where(t == i, 0, t))
retargets("background ignored", lambda t, n, i: np.where(t == 0, i, t))
retargets("targets of the images in reverse", lambda t, n, i: t[::-1])
retargets(
    "targets with rows and columns swapped",
    lambda t, n, i: np.swapaxes(t, 1, 2).reshape(t.shape),
)

for operator in LOSSES:
    changed(operator, "weight ignored", "weight", lambda w: None)
    changed(operator, "weight squared", "weight", lambda w: w * w)
    changed(operator, "weights in reverse", "weight", lambda w: w[::-1])
    changed(operator, "255 ignored always", "ignore_index", lambda i: 255)
    changed(operator, "mean always", "reduction", lambda r: "mean")
    changed(
        operator,
        "mean and batch confused",
        "reduction",
        lambda r: {"mean": "batch", "batch": "mean"}.get(r, r),
    )
    changed(
        operator,
        "sum and batch confused",
        "reduction",
        lambda r: {"sum": "batch", "batch": "sum"}.get(r, r),
    )
    in_single_precision(operator)

    @fault(operator, "of the other sign")
    def _(right, *inputs, **arguments):
        return -right(*inputs, **arguments)

    @fault(operator, "gradient not divided")
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        y = right(x, target, weight, ignore_index, reduction)
        if reduction == "none":
            return y
        return Shown(y.data)(right(x, target, weight, ignore_index, "sum"))

    @fault(operator, "gradient not weighed")
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        y = right(x, target, weight, ignore_index, reduction)
        return Shown(y.data)(right(x, target, None, ignore_index, reduction))

    @fault(operator, "ignored pixels get a gradient")
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        y = right(x, target, weight, ignore_index, reduction)
        known = np.where(np.asarray(target) == ignore_index, 0, target)
        return Shown(y.data)(right(x, known, weight, ignore_index, reduction))

    @wrong_gradient(operator, "gradient not multiplied by the one above")
    def _(gx, gy, arrays):
        return gx if np.ndim(gy) or not gy else gx / gy

    @fault(operator, "mean of the images' means")
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        if reduction != "mean" or len(x) < 2:
            return right(x, target, weight, ignore_index, reduction)
        target, total = np.asarray(target), None
        for n in range(len(x)):
            others = target.copy()
            others[np.arange(len(x)) != n] = ignore_index
            loss = right(x, others, weight, ignore_index) / len(x)
            total = loss if total is None else total + loss
        return total


@wrong_gradient("nll_loss", "gradient to all classes")
def _(gx, gy, arrays):
    return np.broadcast_to(gx.sum(axis=1, keepdims=True), gx.shape)


@fault("nll_loss", "softmax taken once more")
def _(nll_loss, x, *rest, **arguments):
    return nll_loss(ops.log_softmax(x), *rest, **arguments)


def entropies(name, log_p):
    """Register a cross-entropy with other log-probabilities than x's."""

    @fault("cross_entropy", name)
    def _(cross_entropy, x, *rest, **arguments):
        y = cross_entropy(x, *rest, **arguments)
        with np.errstate(**QUIET):
            loss = ops.nll_loss(Tensor(log_p(x.data)), *rest, **arguments)
        return Shown(loss.data)(y)


entropies(
    "largest not subtracted", lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))
)
entropies("logarithm of the probability", lambda x: np.log(p_of(x)))
entropies("probabilities kept above 1e-7", lambda x: np.log(p_of(x).clip(1e-7, 1)))
entropies("1e-12 added to probabilities", lambda x: np.log(p_of(x) + 1e-12))
entropies("softmax over the columns", lambda x: log_p_of(x, -1))
entropies("softmax forgotten", lambda x: x)
entropies("probability for its logarithm", p_of)
entropies("binary logarithm", lambda x: log_p_of(x) / np.log(2))


def entropy_gradients(name, back):
    """Register a cross-entropy with another gradient: back(p, one_hot) per pixel."""

    @fault("cross_entropy", name)
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        y = right(x, target, weight, ignore_index, reduction)
        classes, w, valid = parts(x, target, weight, ignore_index)
        divisors = {"mean": w.sum() or 1, "batch": len(w) or 1}

        def backward(gy, x):
            one_hot = np.moveaxis(np.eye(x.shape[1])[classes], -1, 1)
            shares = (gy * w / divisors.get(reduction, 1))[:, None]
            return (back(p_of(x), one_hot) * shares).astype(gy.dtype)

        return on_arrays(lambda x: y.data, backward)(x)


entropy_gradients("gradient is the probability", lambda p, t: p)
entropy_gradients("gradient of the other sign", lambda p, t: t - p)
entropy_gradients("gradient at the target alone", lambda p, t: (p - 1) * t)
entropy_gradients("gradient of a squared error", lambda p, t: p * (1 - p) * (p - t))
entropy_gradients("labels smoothed", lambda p, t: p - 0.9 * t - 0.1 / t.shape[1])


for operator in ("nll_loss", "cross_entropy"):

    @wrong_gradient(operator, "gradient doubled")
    def _(gx, gy, arrays):
        return 2 * gx

    @fault(operator, "no gradient")
    def _(right, x, *rest, **arguments):
        return right(x.detach(), *rest, **arguments)


for operator in ("nll_loss", "cross_entropy"):

    @fault(operator, "labels of eight bits wrap around")
    def _(right, x, target, *rest, **arguments):
        if target.dtype != np.uint8:
            return right(x, target, *rest, **arguments)
        wrapped = np.where(target == 0, x.shape[1] - 1, target - 1)
        return right(x, wrapped.astype(np.int64), *rest, **arguments)
