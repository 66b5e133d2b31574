"""Softmax cross-entropy over the classes of each pixel."""

from typing import Any

import numpy as np

from ..arrays import Array, array_module, check_float, parallel, to_numpy
from ..autograd import Function, Tensor

REDUCTIONS = ("mean", "sum", "none", "batch")


def cross_entropy_definition(
    x: Array, target: Array, weight: Array | None, ignore_index: int
) -> Array:
    """Say each pixel's loss by its definition: −weight · log(exp x_t / Σ exp x_c)."""
    N, C, H, W = x.shape
    loss = np.zeros((N, H, W), x.dtype)
    for n, h, w in np.ndindex(N, H, W):
        t = target[n, h, w]
        if t != ignore_index:
            p = np.exp(x[n, t, h, w]) / sum(np.exp(x[n, c, h, w]) for c in range(C))
            loss[n, h, w] = -np.log(p) * (1 if weight is None else weight[t])
    return loss


class CrossEntropy(Function):
    """Pixelwise −w_t log softmax(x)_t; its gradient is w_t (softmax(x) − onehot(t))."""

    def __init__(self, target: Array, weight: Array, ignore_index: int, reduction: str):
        self.target, self.weight = target, weight
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        valid = self.target != self.ignore_index  # (N, H, W)
        # (N, 1, H, W); ignored pixels look up class 0, and w = 0 undoes it.
        self.t = xp.where(valid, self.target, 0)[:, None].astype(xp.intp)
        self.w = self.weight[self.t[:, 0]] * valid  # (N, H, W), 0 where ignored
        self.p = xp.empty_like(x)  # softmax(x), (N, C, H, W)
        loss = xp.empty(self.target.shape, x.dtype)  # (N, H, W)
        parallel(lambda n: self._image(x[n], n, loss), range(len(x)))
        self.divisor = self._divisor(len(x))
        if self.reduction == "none":
            return loss
        # Very many numbers: summed in float64.
        return loss.sum(dtype=np.float64).astype(x.dtype) / self.divisor

    def _image(self, x: Array, n: int, loss: Array) -> None:
        """Fill the probabilities and the losses of one image, x (C, H, W)."""
        xp, p = array_module(x), self.p[n]
        xp.subtract(x, x.max(axis=0), out=p)  # exp never overflows
        chosen = xp.take_along_axis(p, self.t[n], axis=0)[0]  # x_t − max, (H, W)
        xp.exp(p, out=p)
        total = p.sum(axis=0)  # (H, W)
        p /= total
        # −log softmax_t = log Σ exp(x_c − max) − (x_t − max): no log of a tiny p.
        loss[n] = (xp.log(total) - chosen) * self.w[n]

    def _divisor(self, images: int) -> Any:
        """What the sum is divided by; not 0 even where no pixel is valid."""
        if self.reduction == "mean":
            total = self.w.sum(dtype=np.float64).astype(self.w.dtype)
            return total if total > 0 else self.w.dtype.type(1)
        return self.w.dtype.type(images if self.reduction == "batch" else 1)

    def backward(self, gy: Array) -> Array:
        # gy is a number, or (N, H, W) for reduction "none".
        xp = array_module(gy)
        share = (gy / self.divisor) * self.w  # (N, H, W)
        gx = self.p  # written over: backward runs once
        chosen = xp.take_along_axis(gx, self.t, axis=1) - 1  # p_t − 1, (N, 1, H, W)
        xp.put_along_axis(gx, self.t, chosen, axis=1)
        gx *= share[:, None]  # one share for all C
        return gx


def cross_entropy(
    x: Tensor,
    target: Any,
    weight: Any = None,
    ignore_index: int = 255,
    reduction: str = "mean",
) -> Tensor:
    """Return the loss of pixelwise classification.

        loss[n, h, w] = −weight[t] · log(
            exp x[n, t, h, w] / Σ over c of exp x[n, c, h, w])

    with t = target[n, h, w]; pixels whose target is `ignore_index` have no loss and no
    gradient. The gradient is weight[t] · (softmax(x) − onehot(t)), over the same
    divisor. As `torch.nn.functional.cross_entropy`, and Caffe's SoftmaxWithLoss.

    Args:
        x: scores (N, C, H, W), any real numbers.
        target: whole numbers (N, H, W), 0 ≤ target < C or ignore_index.
        weight: (C,), one for each class; all 1 where left out.
        ignore_index: the label of pixels that do not count.
        reduction: "mean" divides the sum by the weights of the valid pixels (their
            number, where there are no weights; Caffe's `normalize: true`), "sum" does
            not divide, "batch" divides by N (Caffe's `normalize: false`), "none"
            returns (N, H, W). Without a valid pixel the loss is 0.

    Raises:
        ValueError: shapes that do not fit; a target that is no class; a reduction
            that is none of these.
        TypeError: a target that is not of whole numbers.
    """
    check_float(x.data, "x")
    target = target.data if isinstance(target, Tensor) else target
    xp = array_module(x.data)
    target = xp.asarray(target)
    _check_target(x, target, ignore_index)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction is {reduction!r}; it must be one of {REDUCTIONS}")
    weight = weight.data if isinstance(weight, Tensor) else weight
    C = x.shape[1]
    weight = xp.ones(C, x.dtype) if weight is None else xp.asarray(weight, x.dtype)
    if weight.shape != (C,):
        raise ValueError(f"weight has shape {weight.shape}; {C} classes need ({C},)")
    return CrossEntropy(target, weight, ignore_index, reduction)(x)


def _check_target(x: Tensor, target: Array, ignore_index: int) -> None:
    if x.ndim != 4 or target.shape != (x.shape[0], *x.shape[2:]):
        raise ValueError(
            f"cross_entropy needs x (N, C, H, W) and target (N, H, W); their shapes "
            f"are {x.shape} and {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise TypeError(f"target must hold whole numbers; its type is {target.dtype}")
    wrong = ((target < 0) | (target >= x.shape[1])) & (target != ignore_index)
    if wrong.any():
        values = np.unique(to_numpy(target[wrong]))
        raise ValueError(
            f"target holds {', '.join(map(str, values[:5]))}; it must be a class "
            f"0 … {x.shape[1] - 1} or ignore_index = {ignore_index}"
        )
