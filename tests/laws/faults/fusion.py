"""Wrong sums, maxima, concatenations and scales."""

import numpy as np

from minifcn import Tensor
from minifcn.laws import on_arrays

from . import fault, in_single_precision, on_data, wrong_gradient

for operator in ("add", "maximum", "concat", "scale"):
    in_single_precision(operator)

for operator in ("add", "maximum"):

    @fault(operator, "average")
    def _(right, x, y):
        return (x + y) / 2

    @fault(operator, "the first alone")
    def _(right, x, y):
        return x + y * 0

    @fault(operator, "images of the second in reverse")
    def _(right, x, y):
        return right(x, on_data(lambda a: a[::-1])(y))

    @fault(operator, "gradient to the first alone")
    def _(right, x, y):
        return right(x, y.detach())

    @fault(operator, "gradient to the second alone")
    def _(right, x, y):
        return right(x.detach(), y)

    @wrong_gradient(operator, "gradient of the second of the other sign", 1)
    def _(gx, gy, arrays):
        return -gx


@fault("add", "difference")
def _(add, x, y):
    return x - y


@fault("add", "the second twice")
def _(add, x, y):
    return x + y + y


@fault("add", "gradient halved between the two")
def _(add, x, y):
    return on_arrays(lambda x, y: x + y, lambda gy, x, y: (gy / 2, gy / 2))(x, y)


@fault("maximum", "sum")
def _(maximum, x, y):
    return x + y


@fault("maximum", "minimum")
def _(maximum, x, y):
    return -maximum(-x, -y)


@fault("maximum", "the one farther from zero")
def _(maximum, x, y):
    far = (abs(x.data) > abs(y.data)).astype(x.dtype)
    return x * Tensor(far) + y * Tensor(1 - far)


@fault("maximum", "image by image")
def _(maximum, x, y):
    axes = tuple(range(1, x.ndim))
    won = x.data.sum(axis=axes, keepdims=True) > y.data.sum(axis=axes, keepdims=True)
    won = (won * np.ones(x.shape)).astype(x.dtype)
    return x * Tensor(won) + y * Tensor(1 - won)


def switches(name, to_x, to_y):
    """Register a maximum whose gradient is multiplied by these functions of x, y."""

    @fault("maximum", name)
    def _(maximum, x, y):
        def backward(gy, x, y):
            shares = gy * to_x(x, y), gy * to_y(x, y)
            return tuple(share.astype(gy.dtype) for share in shares)

        return on_arrays(np.maximum, backward)(x, y)


switches("gradient to both", lambda x, y: 1, lambda x, y: 1)
switches("gradient to the smaller", lambda x, y: x < y, lambda x, y: x > y)
switches("gradient of ties to the first", lambda x, y: x >= y, lambda x, y: x < y)
switches("gradient of ties to the second", lambda x, y: x > y, lambda x, y: x <= y)
switches("gradient of ties to both", lambda x, y: x >= y, lambda x, y: x <= y)
switches("gradient of ties lost", lambda x, y: x > y, lambda x, y: x < y)
switches("gradient halved always", lambda x, y: 0.5, lambda x, y: 0.5)


# ---- concat


@fault("concat", "in reverse order")
def _(concat, tensors, dim=1):
    return concat(tensors[::-1], dim)


@fault("concat", "always along the channels")
def _(concat, tensors, dim=1):
    return concat(tensors, 1)


@fault("concat", "axes below zero off by one")
def _(concat, tensors, dim=1):
    return concat(tensors, dim if dim >= 0 else dim - 1)


@fault("concat", "the first in the place of the second")
def _(concat, tensors, dim=1):
    return concat([tensors[0], *tensors[:1], *tensors[2:]], dim)


@fault("concat", "interleaved")
def _(concat, tensors, dim=1):
    def in_turns(a):
        n = a.shape[dim]
        order = [*range(0, n, 2), *range(1, n, 2)]
        return np.take(a, order, axis=dim)

    return on_data(in_turns)(concat(tensors, dim))


@fault("concat", "images in reverse")
def _(concat, tensors, dim=1):
    return on_data(lambda a: a[::-1])(concat(tensors, dim))


def cuts(name, cut):
    """Register a concatenation whose gradient is cut by cut(gy, sizes, dim)."""

    @fault("concat", name)
    def _(concat, tensors, dim=1):
        sizes = [x.shape[dim] for x in tensors]

        def backward(gy, *arrays):
            return tuple(cut(gy, sizes, dim))

        return on_arrays(lambda *a: np.concatenate(a, axis=dim), backward)(*tensors)


def slices(gy, sizes, dim):
    return np.split(gy, np.cumsum(sizes)[:-1], axis=dim)


def in_reverse(gy, sizes, dim):
    return slices(gy, sizes[::-1], dim)[::-1]


def all_the_first(gy, sizes, dim):
    return [np.take(gy, range(n), axis=dim) for n in sizes]


cuts("gradient cut from the end", in_reverse)
cuts("gradient of the first to all", all_the_first)
cuts("gradient divided by their number", lambda *a: [g / len(a[1]) for g in slices(*a)])
cuts(
    "slices of the gradient flipped", lambda *a: [np.flip(g, a[2]) for g in slices(*a)]
)
cuts(
    "gradient to the last alone",
    lambda *a: [g * (k == len(a[1]) - 1) for k, g in enumerate(slices(*a))],
)


# ---- scale


def scales(name, spread):
    """Register a scale whose factors (C,) are spread over x's shape as spread says.

    It takes the factors' numbers 0 … C − 1 and x's shape.
    """

    @fault("scale", name)
    def _(scale, x, factors):
        f = factors if isinstance(factors, Tensor) else Tensor(np.asarray(factors))
        if f.ndim == 0:
            raise ValueError
        places = spread(np.arange(f.size), x.shape) + np.zeros(x.shape, int)
        given = on_data(lambda a: a[places])(f)
        return x * (given if isinstance(factors, Tensor) else given.data)


scales("factors along the rows", lambda c, s: np.resize(c, s[2])[:, None])
scales("factors along the columns", lambda c, s: np.resize(c, s[3]))
scales("factors along the images", lambda c, s: np.resize(c, s[0])[:, None, None, None])
scales("the first factor for all", lambda c, s: 0)
scales("factors in reverse", lambda c, s: c[::-1, None, None])
scales("factors off by one", lambda c, s: np.roll(c, 1)[:, None, None])


@fault("scale", "divided")
def _(scale, x, factors):
    if not isinstance(factors, Tensor) or not np.all(factors.data):
        raise ValueError
    return scale(x, Tensor(1 / factors.data))


@fault("scale", "one more")  # as a residual
def _(scale, x, factors):
    return scale(x, factors) + x


@wrong_gradient("scale", "gradient of x not scaled")
def _(gx, gy, arrays):
    return gy


@wrong_gradient("scale", "gradient of the factors averaged over the batch", 1)
def _(gf, gy, arrays):
    return gf / len(gy)


@wrong_gradient("scale", "gradient of the factors of the first image alone", 1)
def _(gf, gy, arrays):
    product = gy[:1] * arrays[0][:1]
    return product.sum() if gf.ndim == 0 else product.sum(axis=(0, 2, 3))


@wrong_gradient("scale", "gradient of the factors without x", 1)
def _(gf, gy, arrays):
    return gy.sum() if gf.ndim == 0 else gy.sum(axis=(0, 2, 3))


@fault("scale", "factors get no gradient")
def _(scale, x, factors):
    return scale(x, factors.detach() if isinstance(factors, Tensor) else factors)


@fault("scale", "x gets no gradient")
def _(right, x, factors):
    return right(x.detach(), factors)
