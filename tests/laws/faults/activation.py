"""Wrong ReLUs and dropouts."""

import numpy as np

from minifcn import Tensor
from minifcn.laws import on_arrays
from minifcn.ops import activation

from . import fault, in_single_precision, wrong_gradient, wrong_value


@fault("relu", "slope below zero")
def _(relu, x, **arguments):
    return relu(x) + x * 0.01


@fault("relu", "absolute value")
def _(relu, x, **arguments):
    return relu(x) + relu(-x)


@fault("relu", "values below zero kept")
def _(relu, x, **arguments):
    return x - relu(x)


@fault("relu", "softplus")
def _(relu, x, **arguments):
    return on_arrays(lambda x: np.logaddexp(x, 0), lambda gy, x: gy / (1 + np.exp(-x)))(
        x
    )


@wrong_value("relu", "cut off at 6")
def _(y, x, **arguments):
    return np.minimum(y, 6)


@wrong_value("relu", "rounded to whole numbers")
def _(y, x, **arguments):
    return np.round(y)


@fault("relu", "over the first image only")
def _(relu, x, **arguments):
    first = np.zeros(x.shape, x.dtype)
    first[:1] = 1
    return relu(x) * first + x * (1 - first)


@wrong_gradient("relu", "gradient at zero")
def _(gx, gy, arrays):
    return np.where(arrays[0] == 0, gy, gx)


@wrong_gradient("relu", "half the gradient at zero")
def _(gx, gy, arrays):
    return np.where(arrays[0] == 0, gy / 2, gx)


@wrong_gradient("relu", "gradient below zero")
def _(gx, gy, arrays):
    return gy


@wrong_gradient("relu", "gradient cut off by its own sign")  # guided backpropagation
def _(gx, gy, arrays):
    return np.maximum(gx, 0)


@wrong_gradient("relu", "gradient times the value")
def _(gx, gy, arrays):
    return gy * np.maximum(arrays[0], 0)


@wrong_gradient("relu", "gradient where the one above is positive")  # deconvnet
def _(gx, gy, arrays):
    return np.maximum(gy, 0)


in_single_precision("relu")


# ---- dropout


def drops(name, draw, back=None):
    """Register a dropout by its mask: draw(generator, shape, p), at both ways.

    Args:
        back: takes the mask, the generator and p; returns what gy is multiplied by.
    """

    @fault("dropout", name)
    def _(right, x, p=0.5, training=True):
        if not training or not p:
            return x
        mask = draw(activation._generator, x.shape, p).astype(x.dtype)

        def backward(gy, x):
            mine = back(mask, activation._generator, p) if back else mask
            return (gy * mine).astype(gy.dtype)

        return on_arrays(lambda x: x * mask, backward)(x)


def mask(generator, shape, p):
    return (generator.random(shape, np.float32) >= p) / (1 - p)


def per_channel(generator, N, C, H, W, p):
    return mask(generator, (N, C, 1, 1), p) + np.zeros((N, C, H, W))


drops("kept numbers not scaled", lambda g, shape, p: g.random(shape) >= p)
drops("scaled by 1 − p", lambda g, shape, p: (g.random(shape) >= p) * (1 - p))
drops("scaled by 1 / p", lambda g, shape, p: (g.random(shape) >= p) / p)
drops("p is what is kept", lambda g, shape, p: (g.random(shape) < p) / (1 - p))
drops("half is dropped always", lambda g, shape, p: 2 * (g.random(shape) >= 0.5))
drops("nothing is dropped", lambda g, shape, p: np.ones(shape))
drops("another mask on the way back", mask, lambda m, g, p: mask(g, m.shape, p))
drops("gradient not masked", mask, lambda m, g, p: np.ones_like(m))
drops("gradient not scaled", mask, lambda m, g, p: m * (1 - p))
drops("gradient of what was dropped", mask, lambda m, g, p: 1 / (1 - p) - m)
drops(
    "one mask for all images",
    lambda g, shape, p: mask(g, shape[1:], p) + np.zeros(shape),
)
drops(
    "one mask for all pixels",
    lambda g, shape, p: per_channel(g, *shape, p=p),
)
drops(
    "the same mask always",
    lambda g, shape, p: mask(np.random.default_rng(0), shape, p),
)


@fault("dropout", "drops in evaluation too")
def _(right, x, p=0.5, training=True):
    return right(x, p, True)


@fault("dropout", "no probability is one half")
def _(right, x, p=0.5, training=True):
    return right(x, p or 0.5, training)


@fault("dropout", "drops a tenth where nothing is said")
def _(right, x, p=0.1, training=True):
    return right(x, p, training)


@fault("dropout", "scales in evaluation")
def _(right, x, p=0.5, training=True):
    return right(x, p, training) if training else x * (1 - p)


@fault("dropout", "noise for zeros")
def _(right, x, p=0.5, training=True):
    if not training:
        return x
    noise = activation._generator.standard_normal(x.shape) * (p / (1 - p)) ** 0.5
    return x * Tensor((1 + noise).astype(x.dtype))


in_single_precision("dropout")


@wrong_gradient("relu", "gradient doubled")
def _(gx, gy, arrays):
    return 2 * gx


@fault("relu", "absolute value with relu's gradient")
def _(relu, x):
    return relu(x) + relu(-x).detach()
