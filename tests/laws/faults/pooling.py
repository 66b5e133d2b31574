"""Wrong max pooling, average pooling and max unpooling."""

import numpy as np

from minifcn import Tensor, ops
from minifcn.geometry import pads, pair
from minifcn.laws import on_arrays
from minifcn.ops.pooling import Windows, places

from . import (
    Shown,
    changed,
    fault,
    flipped,
    in_single_precision,
    one_later,
    swapped_sides,
    wrong_gradient,
    wrong_value,
)


def tap_pixels(shape, kernel_size, stride, padding, dilation, ceil_mode):
    """The pixel h·W + w that each tap of each window reads, or −1, (OH, OW, taps)."""
    windows = Windows(kernel_size, stride, padding, dilation, ceil_mode)
    OH, OW = windows.output_size(shape)
    H, W = shape[2:]
    reads = np.array([[places(windows, r, q) for q in range(OW)] for r in range(OH)])
    h, w = reads[..., 0], reads[..., 1]
    inside = (h >= 0) & (h < H) & (w >= 0) & (w < W)
    return np.where(inside, h * W + w, -1)


def taps(x, pixels, outside):
    """What each tap reads, (N, C, OH, OW, taps)."""
    N, C = x.shape[:2]
    values = x.reshape(N, C, -1)[:, :, pixels]
    return np.where(pixels < 0, outside, values)


def spread(shares, pixels, shape):
    """Add each tap's share (N, C, OH, OW, taps) to the pixel that it reads."""
    N, C, H, W = shape
    gx = np.zeros((N, C, H * W + 1), shares.dtype)  # the last: outside
    np.add.at(gx, (slice(None), slice(None), pixels), shares)
    return gx[:, :, :-1].reshape(shape)


for operator in ("max_pool2d", "avg_pool2d"):
    changed(operator, "rounded up always", "ceil_mode", lambda c: True)
    changed(operator, "rounded down always", "ceil_mode", lambda c: False)
    changed(operator, "kernel transposed", "kernel_size", flipped)
    changed(operator, "stride is the kernel always", "stride", lambda s: None)
    changed(operator, "stride 1 where none is given", "stride", lambda s: s or 1)
    changed(operator, "stride transposed", "stride", flipped)
    changed(operator, "padding ignored", "padding", lambda p: 0)
    changed(operator, "padding of the other side", "padding", swapped_sides)
    changed(operator, "padding off by one", "padding", one_later)
    changed(operator, "dilation ignored", "dilation", lambda d: 1)
    changed(operator, "dilation transposed", "dilation", flipped)
    in_single_precision(operator)

    @wrong_gradient(operator, "gradient doubled")
    def _(gx, gy, arrays):
        return 2 * gx

    @wrong_gradient(operator, "gradient of another image")
    def _(gx, gy, arrays):
        return gx[::-1]


@fault("max_pool2d", "zeros as padding")
def _(right, x, kernel_size, stride=None, padding=0, **arguments):
    framed = ops.pad(x, padding)
    stride = kernel_size if stride is None else stride
    return right(framed, kernel_size, stride, 0, **arguments)


@fault("max_pool2d", "smallest value")
def _(right, x, *rest, **arguments):
    y = right(-x, *rest, **arguments)
    return (-y[0], y[1]) if isinstance(y, tuple) else -y


@wrong_value("max_pool2d", "windows that see only padding are zero")
def _(y, x, *rest, **arguments):
    return np.where(np.isinf(y), 0, y)


def passes_gradient_by(name, weigh):
    """Register a max pooling whose gradient goes to the taps by these weights.

    `weigh` takes what the taps read (−∞ outside), and the maxima: (…, OH, OW, taps).
    """

    @fault("max_pool2d", name)
    def _(
        right, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, **a
    ):
        where = kernel_size, stride, padding, dilation, ceil_mode
        pixels = tap_pixels(x.shape, *where)

        def backward(gy, x):
            values = taps(x, pixels, -np.inf)
            weights = weigh(values, values.max(axis=-1, keepdims=True))
            shares = gy[..., None] * np.where(pixels < 0, 0, weights)
            return spread(shares.astype(gy.dtype), pixels, x.shape)

        y = on_arrays(lambda x: right(Tensor(x), *where).data, backward)(x)
        if not a.get("return_indices"):
            return y
        values = taps(x.data, pixels, -np.inf)
        won = weigh(values, values.max(axis=-1, keepdims=True)).argmax(axis=-1)
        indices = np.take_along_axis(
            np.broadcast_to(pixels, values.shape), won[..., None], -1
        )
        return y, indices[..., 0]


def only(where):
    """1 at one tap of each window, else 0."""
    return lambda values, most: np.eye(values.shape[-1])[where(values, most)]


passes_gradient_by(
    "last of equals wins",
    only(lambda v, m: v.shape[-1] - 1 - (v == m)[..., ::-1].argmax(axis=-1)),
)
passes_gradient_by(
    "gradient split over equals",
    lambda v, m: (v == m) / (v == m).sum(axis=-1, keepdims=True),
)
passes_gradient_by("gradient to all equals", lambda v, m: (v == m) * 1.0)
passes_gradient_by(
    "gradient shared by the whole window",
    lambda v, m: np.full(v.shape, 1 / v.shape[-1]),
)
passes_gradient_by(
    "gradient to the first tap", only(lambda v, m: np.zeros(m.shape[:-1], int))
)
passes_gradient_by("gradient to the smallest", only(lambda v, m: v.argmin(axis=-1)))


@fault("max_pool2d", "gradient lost where windows overlap")
def _(right, x, kernel_size, *rest, **arguments):
    y, indices = right(x, kernel_size, *rest, **{**arguments, "return_indices": True})

    def backward(gy, x):
        N, C, H, W = x.shape
        gx = np.zeros((N, C, H * W + 1), gy.dtype)
        places = indices.reshape(N, C, -1)  # −1 is the last, cut off below
        np.put_along_axis(gx, places, gy.reshape(N, C, -1), axis=2)
        return gx[..., :-1].reshape(x.shape)

    y = on_arrays(
        lambda x: (
            right(
                Tensor(x), kernel_size, *rest, **{**arguments, "return_indices": False}
            ).data
        ),
        backward,
    )(x)
    return (y, indices) if arguments.get("return_indices") else y


def numbers_windows_by(name, number):
    """Register a max pooling whose indices are others."""

    @fault("max_pool2d", name)
    def _(right, x, *rest, **arguments):
        y = right(x, *rest, **arguments)
        if not isinstance(y, tuple):
            return y
        known = y[1] >= 0
        return y[0], np.where(known, number(x.shape, *y), -1)


numbers_windows_by(
    "indices counted down the columns",
    lambda shape, y, i: i % shape[3] * shape[2] + i // shape[3],
)
numbers_windows_by(
    "indices counted through the channels",
    lambda shape, y, i: i + np.arange(shape[1])[:, None, None] * shape[2] * shape[3],
)
numbers_windows_by(
    "indices counted in the output",
    lambda shape, y, i: np.broadcast_to(
        np.arange(y.shape[2] * y.shape[3]).reshape(y.shape[2:]), i.shape
    ),
)
numbers_windows_by("indices from 1", lambda shape, y, i: i + 1)
numbers_windows_by("indices of the first image", lambda shape, y, i: i[:1] + 0 * i)


@fault("max_pool2d", "indices within the window")
def _(right, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, **a):
    where = kernel_size, stride, padding, dilation, ceil_mode
    y = right(x, *where, **a)
    if not isinstance(y, tuple):
        return y
    pixels = tap_pixels(x.shape, *where)
    return y[0], taps(x.data, pixels, -np.inf).argmax(axis=-1)


# ---- average pooling

changed("avg_pool2d", "sum for mean", "divisor_override", lambda d: 1)
changed("avg_pool2d", "divisor_override ignored", "divisor_override", lambda d: None)
changed("avg_pool2d", "padding always counted", "count_include_pad", lambda c: True)
changed("avg_pool2d", "padding never counted", "count_include_pad", lambda c: False)


@fault("avg_pool2d", "always divided by the whole window")
def _(right, x, kernel_size, *rest, **arguments):
    if arguments.get("divisor_override") is not None or not arguments.get(
        "count_include_pad", True
    ):
        raise ValueError
    area = int(np.prod(pair(kernel_size, "kernel_size")))
    return right(x, kernel_size, *rest, **{**arguments, "divisor_override": area})


@fault("avg_pool2d", "overhang counted as padding")
def _(right, x, kernel_size, stride=None, padding=0, ceil_mode=False, **arguments):
    """In ceil mode the last window is divided as if a frame were under all of it."""
    KH, KW = pair(kernel_size, "kernel_size")
    (top, bottom), (left, right_side) = pads(padding)
    y = right(x, kernel_size, stride, padding, ceil_mode, **arguments)
    frame = (top, bottom + KH), (left, right_side + KW)
    stride = kernel_size if stride is None else stride
    wide = right(ops.pad(x, frame), kernel_size, stride, 0, **arguments)
    return ops.crop(wide, 0, y.shape[2:])


@wrong_gradient("avg_pool2d", "gradient lost where windows overlap")
def _(gx, gy, arrays):
    return np.clip(gx, -2, 2)


@fault("avg_pool2d", "gradient not divided")
def _(right, x, *rest, **arguments):
    y = right(x, *rest, **arguments)
    sums = right(x, *rest, **{**arguments, "divisor_override": 1})
    return Shown(y.data)(sums)


@fault("avg_pool2d", "gradient divided by the whole window")
def _(right, x, kernel_size, *rest, **arguments):
    y = right(x, kernel_size, *rest, **arguments)
    area = int(np.prod(pair(kernel_size, "kernel_size")))
    a = {**arguments, "divisor_override": area}
    return Shown(y.data)(right(x, kernel_size, *rest, **a))


@fault("avg_pool2d", "largest value")
def _(
    right, x, kernel_size, stride=None, padding=0, ceil_mode=False, *_, dilation=1, **a
):
    return ops.max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)


# ---- max unpooling

changed("max_unpool2d", "output_size ignored", "output_size", lambda s: None)
changed("max_unpool2d", "padding ignored", "padding", lambda p: 0)
changed("max_unpool2d", "stride transposed", "stride", flipped)
changed("max_unpool2d", "stride is the kernel always", "stride", lambda s: None)
changed("max_unpool2d", "kernel transposed", "kernel_size", flipped)
in_single_precision("max_unpool2d")


def unpools_to(name, move):
    """Register an unpooling whose indices are changed, given the size (H, W)."""

    @fault("max_unpool2d", name)
    def _(right, x, indices, *rest, **arguments):
        size = right(x, indices, *rest, **arguments).shape[2:]
        moved = np.where(indices < 0, -1, move(indices, *size))
        return right(x, moved, *rest, **arguments)


unpools_to("indices read down the columns", lambda i, H, W: i % H * W + i // H)
unpools_to("indices from 1", lambda i, H, W: np.maximum(i - 1, 0))
unpools_to("indices of the first image", lambda i, H, W: i[:1] + 0 * i)
unpools_to("indices of the first channel", lambda i, H, W: i[:, :1] + 0 * i)
unpools_to("indices from the end", lambda i, H, W: H * W - 1 - i)


@fault("max_unpool2d", "no pixel is the last pixel")
def _(right, x, indices, *rest, **arguments):
    H, W = right(x, indices, *rest, **arguments).shape[2:]
    return right(x, indices % (H * W), *rest, **arguments)


def fills(name, forward, backward):
    """Register an unpooling that puts and takes values in another way.

    Both functions take flat images (P, H·W), indices and maxima (P, OH·OW).
    """

    @fault("max_unpool2d", name)
    def _(right, x, indices, *rest, **arguments):
        shape = right(x, indices, *rest, **arguments).shape
        P, pixels = shape[0] * shape[1], shape[2] * shape[3]
        flat = np.where(indices < 0, pixels, indices).reshape(P, -1)

        def put(x):
            y = np.zeros((P, pixels + 1), x.dtype)  # the last: no pixel
            forward(y, flat, x.reshape(P, -1))
            return y[:, :-1].reshape(shape)

        def take(gy, x):
            image = np.concatenate([gy.reshape(P, -1), np.zeros((P, 1), gy.dtype)], 1)
            return backward(image, flat).reshape(x.shape)

        return on_arrays(put, take)(x)


def add(y, indices, x):
    np.add.at(y, (np.arange(len(y))[:, None], indices), x)


def put_last(y, indices, x):
    for p, i in np.ndindex(*indices.shape):
        y[p, indices[p, i]] = x[p, i]


def put_first(y, indices, x):
    put_last(y, indices[:, ::-1], x[:, ::-1])


def put_largest(y, indices, x):
    y[...] = -np.inf
    np.maximum.at(y, (np.arange(len(y))[:, None], indices), x)
    y[np.isinf(y)] = 0


def take_all(gy, indices):
    return np.take_along_axis(gy, indices, axis=1)


def take_first(gy, indices):
    gx = take_all(gy, indices)
    for p, i in np.ndindex(*indices.shape):
        gx[p, i] *= indices[p, i] not in indices[p, :i]
    return gx


fills("values added where windows share a pixel", add, take_all)
fills("first of several values kept", put_first, take_first)
fills("largest of several values kept", put_largest, take_all)
fills("gradient to values that were written over", put_last, take_all)
fills("gradient to the first of several", put_last, take_first)


# ---- at the border


@fault("avg_pool2d", "gradient lost at the border")
def _(right, x, kernel_size, stride=None, padding=0, *rest, **arguments):
    """The right value, but no gradient from windows that see padding."""
    y = right(x, kernel_size, stride, padding, *rest, **arguments)
    inside = right(x, kernel_size, stride, 0, *rest, **arguments)
    if inside.shape != y.shape:
        raise ValueError
    return Shown(y.data)(inside)


@fault("max_pool2d", "mean")
def _(right, x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, **a):
    y = right(x, kernel_size, stride, padding, dilation, ceil_mode, **a)
    mean = ops.avg_pool2d(x, kernel_size, stride, padding, ceil_mode, dilation=dilation)
    return (mean, y[1]) if isinstance(y, tuple) else mean
