"""Operators that are right until sizes are large, or numbers infinite, or none."""

import numpy as np

from minifcn import Tensor
from minifcn.laws import laws_of
from minifcn.laws.statement import subjects

from . import Shown, fault, wrong_gradient, wrong_value

TILE = 32


def cut_off(y, axis):
    """Zeros from the 33rd row or column on."""
    y = y.copy()
    np.moveaxis(y, axis, -1)[..., TILE:] = 0
    return y


for operator in subjects():
    judged = {law.name for law in laws_of(operator)}
    if "large ones are as small ones" in judged:
        axes = 3 if operator in ("nll_loss", "cross_entropy") else 4

        for axis, which in ((-1, "columns"), (-2, "rows")):

            @wrong_value(operator, f"{which} from 33 on forgotten")
            def _(y, *inputs, axis=axis, axes=axes, **arguments):
                return cut_off(y, axis) if y.ndim == axes else y

            @wrong_gradient(operator, f"gradient of {which} from 33 on forgotten")
            def _(gx, gy, arrays, axis=axis):
                return cut_off(gx, axis) if gx.ndim == 4 else gx

        @wrong_value(operator, "images from the fifth on are the first")
        def _(y, *inputs, axes=axes, **arguments):
            return y[np.arange(len(y)) % 4] if y.ndim == axes else y

        if axes == 4:

            @wrong_value(operator, "channels from the ninth on are the first")
            def _(y, *inputs, **arguments):
                return y[:, np.arange(y.shape[1]) % 8] if y.ndim == 4 else y

    if "what is no number stays none" in judged:

        @fault(operator, "what is no number read as zero")
        def _(right, *inputs, **arguments):
            plain = [Tensor(np.nan_to_num(x.data)) for x in inputs[:1]]
            y = right(*inputs, **arguments)
            values = right(*plain, *inputs[1:], **arguments)
            if isinstance(y, tuple):
                return Shown(values[0].data)(y[0]), values[1]
            return Shown(values.data)(y)


for operator in ("conv2d", "conv_transpose2d"):

    @wrong_gradient(operator, "gradient of weight without columns from 33 on", 1)
    def _(gw, gy, arrays):
        return gw * bool(gy[..., :TILE].any() or not gy.any())


@wrong_value("maximum", "what is no number loses")
def _(larger, x, y):
    return np.fmax(x, y)


for operator in ("nll_loss", "cross_entropy"):

    @fault(operator, "sum of the first 128 pixels")
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        y = right(x, target, weight, ignore_index, reduction)
        if reduction != "sum":
            return y
        few = np.array(target)
        few.flat[128:] = ignore_index
        first = right(x, few, weight, ignore_index, reduction)
        return Shown(first.data)(y)

    @fault(operator, "gradient of the first 128 pixels")
    def _(right, x, target, weight=None, ignore_index=255, reduction="mean"):
        y = right(x, target, weight, ignore_index, reduction)
        if reduction != "sum":
            return y
        few = np.array(target)
        few.flat[128:] = ignore_index
        return Shown(y.data)(right(x, few, weight, ignore_index, reduction))


# ---- scores of −∞


@wrong_value("log_softmax", "kept above −10⁶")
def _(y, x, dim=1):
    return np.maximum(y, -1e6)


def not_zero(gx, x):
    """0 · ∞, which is no number, where a score is −∞."""
    return gx + np.where(np.isinf(x), np.nan, 0)


for operator in ("softmax", "log_softmax", "nll_loss", "cross_entropy"):

    @wrong_gradient(operator, "gradient of a score −∞ multiplied by it")
    def _(gx, gy, arrays):
        return not_zero(gx, arrays[0])


for operator in ("nll_loss", "cross_entropy"):

    @fault(operator, "scores chosen by a product with zeros and ones")
    def _(right, x, target, *rest, **arguments):
        y = right(x, target, *rest, **arguments)
        return y * np.nan if np.isinf(x.data).any() else y
