"""Wrong local response normalizations."""

import numpy as np

from minifcn.laws import on_arrays

from . import (
    Shown,
    changed,
    fault,
    in_single_precision,
    on_data,
    wrong_gradient,
    wrong_value,
)

LRN = "local_response_norm"

changed(LRN, "k is 1 always", "k", lambda k: 1.0)
changed(LRN, "beta is ¾ always", "beta", lambda beta: 0.75)
changed(LRN, "1 − beta", "beta", lambda beta: 1 - beta)
changed(LRN, "multiplied, not divided", "beta", lambda beta: -beta)
changed(LRN, "half of beta", "beta", lambda beta: beta / 2)
changed(LRN, "window of one channel more", "size", lambda n: n + 1)
changed(LRN, "window of its own channel alone", "size", lambda n: 1)
changed(LRN, "even windows made odd", "size", lambda n: n - 1 + n % 2)
changed(LRN, "window of all channels", "size", lambda n: 99)
changed(LRN, "alpha ignored", "alpha", lambda alpha: 1e-4)
in_single_precision(LRN)


@fault(LRN, "the paper's k where none is given")
def _(right, x, size, alpha=1e-4, beta=0.75, k=2.0):
    return right(x, size, alpha, beta, k)


@fault(LRN, "alpha not divided by the size")
def _(right, x, size, alpha=1e-4, beta=0.75, k=1.0):
    return right(x, size, alpha * size, beta, k)


@fault(LRN, "alpha divided by the square of the size")
def _(right, x, size, alpha=1e-4, beta=0.75, k=1.0):
    return right(x, size, alpha / size, beta, k)


@fault(LRN, "even windows reach one channel too far")
def _(right, x, size, *rest, **arguments):
    turn = on_data(lambda a: a[:, ::-1])
    return turn(right(turn(x), size, *rest, **arguments))


@fault(LRN, "over the columns, not the channels")
def _(right, x, *rest, **arguments):
    swap = on_data(lambda a: np.swapaxes(a, 1, 3))
    return swap(right(swap(x), *rest, **arguments))


@fault(LRN, "over the images, not the channels")
def _(right, x, *rest, **arguments):
    swap = on_data(lambda a: np.swapaxes(a, 0, 1))
    return swap(right(swap(x), *rest, **arguments))


def window(c, size, C):
    """The channels of a window."""
    return [i for i in range(c - size // 2, c + (size - 1) // 2 + 1) if 0 <= i < C]


def sums_by(name, amount):
    """Register one whose Σ x² of channel c is amount(x, c, size), (N, H, W)."""

    @wrong_value(LRN, name)
    def _(y, x, size, alpha=1e-4, beta=0.75, k=1.0):
        amounts = [amount(x, c, size) for c in range(x.shape[1])]
        return x / (k + alpha / size * np.stack(amounts, axis=1)) ** beta


sums_by(
    "window closed to a ring",
    lambda x, c, n: sum(x[:, (c - n // 2 + i) % x.shape[1]] ** 2 for i in range(n)),
)
sums_by(
    "squares of sums",
    lambda x, c, n: x[:, window(c, n, x.shape[1])].sum(axis=1) ** 2,
)
sums_by(
    "sums of absolute values",
    lambda x, c, n: abs(x[:, window(c, n, x.shape[1])]).sum(axis=1),
)
sums_by(
    "mean over the channels that are there",
    lambda x, c, n: n * (x[:, window(c, n, x.shape[1])] ** 2).mean(axis=1),
)
sums_by(
    "one sum for all pixels",
    lambda x, c, n: (
        ((x[:, window(c, n, x.shape[1])] ** 2).sum(axis=1) + 0 * x[:, 0]).mean(
            axis=(1, 2), keepdims=True
        )
        + 0 * x[:, 0]
    ),
)


def running(x, c, n):
    """The window's sum as the difference of two sums over all channels before."""
    first, *_, last = [*window(c, n, x.shape[1])] * 2
    total = np.cumsum(x**2, axis=1)
    return total[:, last] - (total[:, first - 1] if first else 0)


sums_by("differences of a running sum", running)


def passes_back(name, own=1.0, cross=1.0, mirrored=True, divided=True):
    """Register one with the right values, and a gradient with a slip in it."""

    @fault(LRN, name)
    def _(right, x, size, alpha=1e-4, beta=0.75, k=1.0):
        y = right(x, size, alpha, beta, k)
        C, factor = x.shape[1], alpha / size

        def backward(gy, x):
            s = np.stack(
                [
                    k + factor * (x[:, window(c, size, C)] ** 2).sum(axis=1)
                    for c in range(C)
                ],
                axis=1,
            )
            direct = gy * s**-beta
            seen_by = [
                [i for i in range(C) if c in window(i, size, C)]
                if mirrored
                else window(c, size, C)
                for c in range(C)
            ]
            over = direct * x / (s if divided else 1)
            others = np.stack([over[:, i].sum(axis=1) for i in seen_by], axis=1)
            gx = own * direct - cross * 2 * factor * beta * x * others
            return gx.astype(gy.dtype)

        return on_arrays(lambda x: y.data, backward)(x)


passes_back("gradient without the cross term", cross=0)
passes_back("gradient of the cross term alone", own=0)
passes_back("cross term of the other sign", cross=-1)
passes_back("cross term without the 2", cross=0.5)
passes_back("window of the gradient not mirrored", mirrored=False)
passes_back("cross term not divided by s", divided=False)


@wrong_gradient(LRN, "gradient not normalized")
def _(gx, gy, arrays):
    return gy


@fault(LRN, "gradient of alpha not divided by the size")
def _(right, x, size, alpha=1e-4, beta=0.75, k=1.0):
    return Shown(right(x, size, alpha, beta, k).data)(
        right(x, size, alpha * size, beta, k)
    )


@fault(LRN, "channels read from the last")
def _(right, x, *rest, **arguments):
    return right(on_data(lambda a: a[:, ::-1])(x), *rest, **arguments)
