"""Softmax and its logarithm, and the losses of classification made of them."""

import math
from typing import Any

import numpy as np

from ..arrays import (
    PIECE,
    Array,
    array_module,
    blocks,
    contiguous,
    device_of,
    on_cpu,
    parallel,
    to_device,
    to_numpy,
)
from ..autograd import Function, Tensor
from ..cuda import Kernels
from ..geometry import whole
from .inputs import check_tensors
from .summing import total

KERNELS = Kernels(__file__)

REDUCTIONS = ("mean", "sum", "none", "batch")
LEAST = -(1 << 63)  # whole numbers may be negative here
ALL = slice(None)


# ---- softmax


def softmax_definition(x: Array, dim: int = 1) -> Array:
    """Say softmax by its definition: exp x_c / Σ over k of exp x_k.

    The largest score of a row is taken from all of them, which changes nothing: both
    exp x_c and the sum are divided by the same number, and exp does not overflow.
    """
    y = np.empty_like(x)
    rows, results = np.moveaxis(x, dim, -1), np.moveaxis(y, dim, -1)  # views
    for place in np.ndindex(*rows.shape[:-1]):
        e = [np.exp(score - max(rows[place])) for score in rows[place]]
        results[place] = [e_c / sum(e) for e_c in e]
    return y


class Softmax(Function):
    """y_c = exp x_c / Σ exp x_k; its gradient is y_c · (gy_c − Σ over k of gy_k y_k).

    As ∂y_k / ∂x_c = y_k · ((k = c) − y_c): a score lifts its own probability and
    lowers all of them.
    """

    output_is_shared = True  # backward reads y

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Array) -> Array:
        if on_cpu(x):
            y = x - x.max(axis=self.dim, keepdims=True)  # ≤ 0: exp never overflows
            np.exp(y, out=y)
            y /= y.sum(axis=self.dim, keepdims=True)
        else:
            y = _along(self.dim, KERNELS.softmax, x)
        self.y = y
        return y

    def backward(self, gy: Array) -> Array:
        if not on_cpu(gy):
            return _along(self.dim, KERNELS.softmax_backward, self.y, gy)
        gx = gy * self.y
        inner = gx.sum(axis=self.dim, keepdims=True)  # Σ gy_k y_k
        np.subtract(gy, inner, out=gx)
        gx *= self.y
        return gx


def _along(dim: int, kernel: Any, *arrays: Array) -> Array:
    """Run a kernel along an axis of the arrays; return what it writes, like them."""
    arrays = tuple(map(contiguous, arrays))
    y = array_module(*arrays).empty_like(arrays[0])
    C, inner = y.shape[dim], math.prod(y.shape[dim:][1:])  # inner: of the axes behind
    rows = y.size // C
    kernel(rows, *arrays, y, rows, C, inner)
    return y


def softmax(x: Tensor, dim: int = 1) -> Tensor:
    """Return probabilities: positive, with sum 1 along `dim`.

        y_c = exp x_c / Σ over k of exp x_k

    computed as exp(x_c − max x) / Σ exp(x_k − max x), the same without overflow. A
    score of −∞ gives the probability 0 (a row of nothing else gives nan). As
    `torch.nn.functional.softmax`. Source: Bridle 1990, "Probabilistic interpretation
    of feedforward classification network outputs".

    Args:
        x: scores, any shape but a single number.
        dim: the axis of the classes; negative ones count from the end.

    Returns:
        The shape of x.

    Raises:
        TypeError: x is no Tensor of float32 or float64; dim is no whole number.
        ValueError: x has no such axis, or nothing along it.
    """
    return Softmax(_checked_dim("softmax", x, dim))(x)


def _checked_dim(operator: str, x: Tensor, dim: Any) -> int:
    check_tensors(operator, x=x)
    if x.ndim == 0:
        raise ValueError(f"x has shape (); {operator} needs one axis or more")
    if not -x.ndim <= whole(dim, "dim", LEAST) < x.ndim:
        raise ValueError(
            f"dim is {dim}; x of shape {x.shape} has the axes {-x.ndim} … {x.ndim - 1}"
        )
    if x.shape[dim] == 0:
        raise ValueError(
            f"x of shape {x.shape} has size 0 along dim = {dim}; {operator} needs 1 or "
            "more"
        )
    return dim


# ---- log_softmax


def log_softmax_definition(x: Array, dim: int = 1) -> Array:
    """Say it by its definition: log(exp x_c / Σ exp x_k) = x_c − log Σ over k exp x_k.

    np.logaddexp(a, b) is log(exp a + exp b), without overflow.
    """
    y = np.empty_like(x)
    rows, results = np.moveaxis(x, dim, -1), np.moveaxis(y, dim, -1)  # views
    for place in np.ndindex(*rows.shape[:-1]):
        log_sum = rows[place][0]
        with np.errstate(invalid="ignore"):  # of a score that is no number
            for score in rows[place][1:]:
                log_sum = np.logaddexp(log_sum, score)
        results[place] = [score - log_sum for score in rows[place]]
    return y


class LogSoftmax(Function):
    """y_c = x_c − log Σ exp x_k; its gradient is gy_c − exp y_c · Σ over k of gy_k."""

    output_is_shared = True  # backward reads y

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Array) -> Array:
        if on_cpu(x):
            y = x - x.max(axis=self.dim, keepdims=True)  # ≤ 0: exp never overflows
            # The largest is now 0, so the sum is 1 or more, and its log exact.
            y -= np.log(np.exp(y).sum(axis=self.dim, keepdims=True))
        else:
            y = _along(self.dim, KERNELS.log_softmax, x)
        self.y = y
        return y

    def backward(self, gy: Array) -> Array:
        if not on_cpu(gy):
            return _along(self.dim, KERNELS.log_softmax_backward, self.y, gy)
        gx = np.exp(self.y)  # the probabilities
        gx *= gy.sum(axis=self.dim, keepdims=True)
        return np.subtract(gy, gx, out=gx)


def log_softmax(x: Tensor, dim: int = 1) -> Tensor:
    """Return the logarithms of the probabilities of `softmax`.

        y_c = log(exp x_c / Σ over k of exp x_k) = x_c − log Σ over k of exp x_k

    exact where log(softmax(x)) would be log 0: scores (0, 1e4) give (−1e4, 0). A score
    of −∞ stays −∞. As `torch.nn.functional.log_softmax`.

    Args:
        x: scores, any shape but a single number.
        dim: the axis of the classes; negative ones count from the end.

    Returns:
        The shape of x.

    Raises:
        TypeError, ValueError: as `softmax`.
    """
    return LogSoftmax(_checked_dim("log_softmax", x, dim))(x)


# ---- what the losses share: labels, their weights, the reduction


class Labels:
    """Each pixel's class and weight, and what the sum of the losses is divided by.

    Attributes:
        valid: (N, …), whether the pixel counts; on the CPU.
        places: (N, …), where the pixel's class is in x (N, C, …) laid out flat; that of
            class 0 where ignored. On the CPU.
        classes: (N, …), of 64 bits; −1 where ignored. For kernels.
        w: (N, …), the weight of the pixel's class; 0 where ignored.
        divisor: a number, not 0 even where no pixel counts. It stays on the device:
            to read it, the computer would wait for a GPU.
    """

    def __init__(
        self, target: Array, weight: Array, ignore_index: int, reduction: str
    ) -> None:
        self.reduction = reduction
        if on_cpu(target):
            self.valid = target != ignore_index
            classes = np.multiply(target, self.valid, dtype=np.intp, casting="unsafe")
            self.w = weight.take(classes) * self.valid
            self.places = _places(classes, len(weight))
        else:
            xp, n = array_module(target), target.size
            target, weight = contiguous(target), contiguous(weight)
            self.classes = xp.empty_like(target)
            self.w = xp.empty(target.shape, weight.dtype)
            KERNELS.pixel_weights(
                n, target, weight, self.classes, self.w, n, len(weight), ignore_index
            )
        self.divisor = self._divisor()

    def _divisor(self) -> Any:
        dtype = self.w.dtype.type
        if self.reduction == "mean":
            weights = total(self.w).astype(dtype)
            return weights + (weights == 0)  # not 0 / 0 where no pixel counts
        return dtype(max(1, len(self.w)) if self.reduction == "batch" else 1)

    def weigh(self, loss: Array, part: Any = ...) -> Array:
        """Multiply the losses of these pixels by their weights, in place.

        On the CPU; kernels do it as they go.
        """
        loss[~self.valid[part]] = 0  # may be ∞, and w · ∞ = 0 · ∞ would be nan
        loss *= self.w[part]
        return loss

    def reduce(self, loss: Array) -> Array:
        """Add up the weighed losses (N, …) as asked."""
        if self.reduction == "none":
            return loss
        return total(loss).astype(loss.dtype) / self.divisor

    def shares(self, gy: Array) -> Array:
        """Return each pixel's part (N, …) in the gradient: w · gy / divisor.

        gy is a number, or (N, …) for reduction "none".
        """
        return contiguous((gy / self.divisor) * self.w)


def _places(classes: np.ndarray, C: int) -> np.ndarray:
    """Return (n·C + class)·P + pixel for each of the P pixels of each image."""
    N, *image = classes.shape
    P = math.prod(image)
    places = classes.reshape(N, P) * P
    places += np.arange(P)
    if N > 1:
        places += np.arange(N)[:, None] * (C * P)
    return places.reshape(classes.shape)


def _labels(
    operator: str,
    x: Tensor,
    target: Any,
    weight: Any,
    ignore: Any,
    reduction: str,
    check: bool,
) -> Labels:
    """Check what a loss is given; `check`: the values of target and weight too."""
    check_tensors(operator, x=x)
    target = to_device(_plain(target), device_of(x.data))
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}; it must be one of {REDUCTIONS}")
    whole(ignore, "ignore_index", LEAST)
    target = _checked_target(operator, x, target, ignore, check)
    return Labels(target, _checked_weight(x, weight, check), ignore, reduction)


def _plain(array: Any) -> Array:
    """Return an array, a list or a Tensor as a plain array, on its own device."""
    array = array.data if isinstance(array, Tensor) else array
    return array if hasattr(array, "dtype") else np.asarray(array)


def _checked_target(
    operator: str, x: Tensor, target: Array, ignore_index: int, check: bool
) -> Array:
    """Return the target; on a GPU as whole numbers of 64 bits, which kernels read."""
    fits = x.ndim >= 2 and target.shape == (x.shape[0], *x.shape[2:])
    if not fits or 0 in x.shape[1:]:
        raise ValueError(
            f"{operator} needs x (N, C, H, W) and target (N, H, W), or other axes in "
            "place of H and W, all but N 1 or more; their shapes are "
            f"{x.shape} and {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise TypeError(f"target must hold whole numbers; its type is {target.dtype}")
    if not on_cpu(target):
        target = target.astype(np.int64, copy=False)
    if not (check or on_cpu(target)):
        return target
    wrong = ((target < 0) | (target >= x.shape[1])) & (target != ignore_index)
    # The one number that is read back from a GPU (and one for weights that lie there).
    if wrong.any():
        values = np.unique(to_numpy(target[wrong]))
        raise ValueError(
            f"target holds {', '.join(map(str, values[:5]))}; it must be a class "
            f"0 … {x.shape[1] - 1} or ignore_index = {ignore_index} (x has shape "
            f"{x.shape}, target {target.shape})"
        )
    return target


def _checked_weight(x: Tensor, weight: Any, check: bool) -> Array:
    """Return the weights in x's type, where x is; checked where they were."""
    C = x.shape[1]
    if weight is None:
        return array_module(x.data).ones(C, x.dtype)
    weight = _plain(weight)
    if weight.dtype.kind not in "fiu":
        raise TypeError(f"weight must hold real numbers; its type is {weight.dtype}")
    if weight.shape != (C,):
        raise ValueError(
            f"weight has shape {weight.shape}; {C} classes need ({C},) (x has shape "
            f"{x.shape})"
        )
    with np.errstate(over="ignore"):  # what is too large for x's type becomes ∞
        w = weight.astype(x.dtype)
    wrong = ~((w >= 0) & (w < np.inf))  # nan too
    if (check or on_cpu(wrong)) and wrong.any():
        raise ValueError(
            f"weight holds {to_numpy(weight[wrong])[0]}; each of the {C} must be a "
            f"finite number of {x.dtype}, 0 or more (x has shape {x.shape})"
        )
    return to_device(w, device_of(x.data))


# ---- nll_loss


def nll_loss_definition(
    x: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = 255,
    reduction: str = "mean",
    check: bool = True,
) -> Array:
    """Say it by its definition: −weight[t] · x[n, t, …], pixel by pixel, then reduced.

    The sum is divided by the weights of the pixels that count ("mean"), by their images
    ("batch") or not at all ("sum"); `check` changes no number.
    """
    target = np.asarray(target)  # a list will do
    loss, weights = np.zeros(target.shape, x.dtype), 0.0
    for place in np.ndindex(*target.shape):
        (n, *pixel), t = place, target[place]
        if t != ignore_index:
            w = 1 if weight is None else weight[t]
            loss[place] = -w * x[n, t, *pixel]
            weights += w
    if reduction == "none":
        return loss
    # 0 pixels: the loss is 0, and not 0 / 0.
    divisor = {"mean": weights or 1, "sum": 1, "batch": len(x) or 1}[reduction]
    return np.asarray(loss.sum() / divisor, x.dtype)


class NLLLoss(Function):
    """−w_t x_t of each pixel, reduced; its gradient is −w_t at class t, else 0."""

    def __init__(self, labels: Labels):
        self.labels = labels

    def forward(self, x: Array) -> Array:
        self.shape, labels = x.shape, self.labels
        if on_cpu(x):
            chosen = contiguous(x).reshape(-1).take(labels.places)
            return labels.reduce(labels.weigh(-chosen))
        loss = array_module(x).empty_like(labels.w)
        x, sizes = contiguous(x), _sizes(x)
        KERNELS.nll_loss(loss.size, x, labels.classes, labels.w, loss, *sizes)
        return labels.reduce(loss)

    def backward(self, gy: Array) -> Array:
        shares, labels = self.labels.shares(gy), self.labels
        if on_cpu(gy):
            gx = np.zeros(self.shape, gy.dtype)
            gx.reshape(-1)[labels.places] = -shares
        else:
            gx = array_module(gy).empty(self.shape, gy.dtype)
            KERNELS.nll_loss_backward(
                shares.size, labels.classes, shares, gx, *_sizes(gx)
            )
        return gx


def _sizes(x: Array) -> tuple[int, int, int]:
    """Return what kernels ask of x (N, C, …): its pixels, classes, pixels an image."""
    N, C, *image = x.shape
    return N * math.prod(image), C, math.prod(image)


def nll_loss(
    x: Tensor,
    target: Any,
    weight: Any = None,
    ignore_index: int = 255,
    reduction: str = "mean",
    check: bool = True,
) -> Tensor:
    """Return the negative log-likelihood of the target classes.

        loss[n, h, w] = −weight[t] · x[n, t, h, w],   t = target[n, h, w]

    As `torch.nn.functional.nll_loss`, whose ignore_index is −100 where none is given.
    `cross_entropy(x, …)` is `nll_loss(log_softmax(x), …)`, in one go.

    Args:
        x: log-probabilities (N, C, H, W), as from `log_softmax`; also (N, C), or other
            axes in place of H and W.
        target: whole numbers (N, H, W), 0 ≤ target < C or ignore_index: an array or a
            Tensor; its gradient is not computed, nor weight's.
        weight: (C,), one for each class, finite and 0 or more, turned into x's type;
            all 1 where left out.
        ignore_index: the label of pixels that do not count: no loss, no gradient.
        reduction: "mean" divides the sum by the weights of the valid pixels (their
            number, where there are no weights; Caffe's `normalize: true`), "sum" does
            not divide, "batch" divides by N (Caffe's `normalize: false`), "none"
            returns (N, H, W). Without a valid pixel the loss is 0.
        check: whether to look at target and weight on a GPU, too, which waits for all
            work before it. Training does without: its labels were checked when they
            were read. A target that is no class then makes the loss NaN.

    Returns:
        A single number, or (N, H, W) for reduction "none".

    Raises:
        ValueError: shapes that do not fit; a target that is no class; a weight that is
            negative or not finite; a reduction that is none of these.
        TypeError: x is no Tensor of float32 or float64; a target that is not of whole
            numbers, a weight not of real ones.
    """
    labels = _labels("nll_loss", x, target, weight, ignore_index, reduction, check)
    return NLLLoss(labels)(x)


# ---- cross_entropy


def cross_entropy_definition(
    x: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = 255,
    reduction: str = "mean",
    check: bool = True,
) -> Array:
    """Say it by its definition: −weight[t] · log(exp x_t / Σ over c of exp x_c)."""
    log_p = log_softmax_definition(x, dim=1)
    return nll_loss_definition(log_p, target, weight, ignore_index, reduction)


class CrossEntropy(Function):
    """Pixelwise −w_t log softmax(x)_t; its gradient is w_t (softmax(x) − onehot(t)).

    Softmax, logarithm and choice in one go, with one array of x's size: first it holds
    the probabilities, and then the gradient is written over them. On the CPU all steps
    are done with some pixels, which stay in the cache, before the next ones.
    """

    def __init__(self, labels: Labels):
        self.labels = labels

    def forward(self, x: Array) -> Array:
        labels = self.labels
        x = x if on_cpu(x) else contiguous(x)
        # softmax(x), (N, C, …), in C's order, whatever x's.
        self.p = array_module(x).empty(x.shape, x.dtype)
        loss = array_module(x).empty(labels.w.shape, x.dtype)  # (N, …)
        if on_cpu(x):
            parallel(lambda part: self._fill(x, part, loss), _pixels(x))
        else:
            KERNELS.cross_entropy(
                loss.size, x, labels.classes, labels.w, self.p, loss, *_sizes(x)
            )
        return labels.reduce(loss)

    def _fill(self, x: Array, part: Any, loss: Array) -> None:
        """Fill the probabilities and weighed losses of some pixels."""
        scores, pixels = part
        p = self.p[scores]
        np.subtract(x[scores], x[scores].max(axis=1, keepdims=True), out=p)
        # x_t − max, (n, …).
        chosen = self.p.reshape(-1).take(self.labels.places[pixels])
        np.exp(p, out=p)  # of what is not above 0: it never overflows
        sums = p.sum(axis=1, keepdims=True)  # (n, 1, …)
        p /= sums
        # −log softmax_t = log Σ exp(x_c − max) − (x_t − max): no log of a tiny p.
        loss[pixels] = self.labels.weigh(np.log(sums[:, 0]) - chosen, pixels)

    def backward(self, gy: Array) -> Array:
        shares, labels = self.labels.shares(gy), self.labels
        gx = self.p  # written over: backward runs once
        if on_cpu(gy):
            parallel(lambda part: self._scale(gx, part, shares), _pixels(gx))
        else:
            KERNELS.cross_entropy_backward(
                shares.size, labels.classes, shares, gx, *_sizes(gx)
            )
        return gx

    def _scale(self, gx: Array, part: Any, shares: Array) -> None:
        """Turn the probabilities of some pixels into the gradient."""
        scores, pixels = part
        gx.reshape(-1)[self.labels.places[pixels]] -= 1  # p_t − 1
        gx[scores] *= shares[pixels][:, None]  # one share for all C


def _pixels(x: Array) -> list[tuple[Any, Any]]:
    """Cut the pixels of x (N, C, …) into parts that fit the cache, for `parallel`.

    Some images, or some rows of one. Returns what picks a part's scores from x, and
    its pixels from an array (N, …).
    """
    N, C, *image = x.shape
    rows = image[0] if image else 1
    line = max(1, x.size // max(1, N * rows))  # the scores of a row of pixels
    if not image or rows * line <= PIECE:
        return [(n, n) for n in blocks(N, PIECE // (rows * line))]
    return [
        ((n, ALL, r), (n, r)) for n in blocks(N, 1) for r in blocks(rows, PIECE // line)
    ]


def cross_entropy(
    x: Tensor,
    target: Any,
    weight: Any = None,
    ignore_index: int = 255,
    reduction: str = "mean",
    check: bool = True,
) -> Tensor:
    """Return the loss of pixelwise classification.

        loss[n, h, w] = −weight[t] · log(
            exp x[n, t, h, w] / Σ over c of exp x[n, c, h, w])

    with t = target[n, h, w]; pixels whose target is `ignore_index` have no loss and no
    gradient. The gradient is weight[t] · (softmax(x) − onehot(t)), over the same
    divisor. As `torch.nn.functional.cross_entropy`, and Caffe's SoftmaxWithLoss.

    Args:
        x: scores (N, C, H, W), any real numbers; also (N, C), or other axes in place
            of H and W.
        target, weight, ignore_index, reduction, check: as `nll_loss`.

    Returns:
        A single number, or (N, H, W) for reduction "none".

    Raises:
        ValueError, TypeError: as `nll_loss`.
    """
    labels = _labels("cross_entropy", x, target, weight, ignore_index, reduction, check)
    return CrossEntropy(labels)(x)
