"""Wrong crops, frames, stitches, rarefied kernels and bilinear enlargements."""

import numpy as np

from minifcn import Tensor, ops
from minifcn.geometry import pads, pair
from minifcn.laws import on_arrays

from . import (
    Shown,
    changed,
    fault,
    flipped,
    in_single_precision,
    on_data,
    one_later,
    swapped_sides,
    wrong_gradient,
    wrong_value,
)

for operator in (
    "crop",
    "pad",
    "interleave",
    "deinterleave",
    "rarefy",
    "upsample",
):
    in_single_precision(operator)

    @wrong_gradient(operator, "gradient doubled")
    def _(gx, gy, arrays):
        return 2 * gx

    @wrong_gradient(operator, "gradient of another image")
    def _(gx, gy, arrays):
        return gx[::-1]

    @fault(operator, "no gradient")
    def _(right, x, *rest, **arguments):
        return right(x.detach(), *rest, **arguments)


# ---- crop and pad

changed("crop", "offset transposed", "offset", flipped)
changed("crop", "size transposed", "size", flipped)
changed("crop", "offset ignored", "offset", lambda o: 0)
changed("crop", "offset one further", "offset", lambda o: (o[0] + 1, o[1]))
changed("crop", "same offset on both axes", "offset", lambda o: o[0])


@fault("crop", "at the centre")
def _(crop, x, offset, size):
    (H, W), (h, w) = x.shape[-2:], pair(size, "size")
    return crop(x, ((H - h) // 2, (W - w) // 2), size)


@fault("crop", "offset from the end")
def _(crop, x, offset, size):
    (H, W), (h, w), (top, left) = x.shape[-2:], pair(size, "size"), pair(offset, "o")
    return crop(x, (H - h - top, W - w - left), size)


def crop_gradients(name, place):
    """Register a crop whose gradient begins at place(offset, H − h, W − w)."""

    @fault("crop", name)
    def _(crop, x, offset, size):
        (H, W), (h, w) = x.shape[-2:], pair(size, "size")
        top, left = place(*pair(offset, "offset"), H - h, W - w)
        back = crop(x, (top, left), size)
        return Shown(crop(x, offset, size).data)(back)


crop_gradients("gradient in the corner", lambda top, left, H, W: (0, 0))
crop_gradients("gradient at the centre", lambda top, left, H, W: (H // 2, W // 2))
crop_gradients("gradient transposed", lambda top, left, H, W: (left, top))
crop_gradients("gradient from the end", lambda top, left, H, W: (H - top, W - left))

changed("pad", "sides swapped", "padding", swapped_sides)
changed("pad", "height and width swapped", "padding", flipped)
changed("pad", "off by one", "padding", one_later)
changed("pad", "value ignored", "value", lambda v: 0.0)
changed("pad", "value of the other sign", "value", lambda v: -v)


def frames(name, mode):
    """Register a pad that fills the frame with what np.pad's mode says."""

    @wrong_value("pad", name)
    def _(y, x, padding, value=0.0):
        none = [(0, 0)] * (x.ndim - 2)
        return np.pad(x, [*none, *pads(padding)], mode=mode)


frames("border repeated", "edge")
frames("mirrored", "symmetric")
frames("closed to a ring", "wrap")
frames("mean of the image", "mean")


@wrong_value("pad", "value added to the image")
def _(y, x, padding, value=0.0):
    return y + np.where(np.isfinite(value), value, 0)


@wrong_value("pad", "corners left empty")
def _(y, x, padding, value=0.0):
    (top, bottom), (left, right) = pads(padding)
    y = y.copy()
    y[..., :top, :left] = 0
    return y


def pad_gradients(name, cut):
    """Register a pad whose gradient is cut(gy, x, ((top, bottom), (left, right)))."""

    @fault("pad", name)
    def _(pad, x, padding, value=0.0):
        y = pad(x, padding, value)

        def backward(gy, x):
            return np.ascontiguousarray(cut(gy, x, pads(padding)))

        return on_arrays(lambda x: y.data, backward)(x)


def inside(gy, x, top, left):
    return gy[..., top : top + x.shape[-2], left : left + x.shape[-1]]


pad_gradients("gradient from the corner", lambda g, x, p: inside(g, x, 0, 0))
pad_gradients(
    "gradient from the other side", lambda g, x, p: inside(g, x, p[0][1], p[1][1])
)
pad_gradients(
    "gradient of the frame added to the image",
    lambda g, x, p: (
        inside(g, x, p[0][0], p[1][0])
        + (g.sum() - inside(g, x, p[0][0], p[1][0]).sum()) / x.size
    ),
)


@fault("pad", "value in the gradient")
def _(pad, x, padding, value=0.0):
    y = pad(x, padding, value)
    return Shown(y.data)(y * (value if np.isfinite(value) else 1.0))


# ---- interleave and deinterleave

for operator in ("interleave", "deinterleave"):
    changed(operator, "factor transposed", "factor", flipped)


def stitches(name, order):
    """Register an interleave and its inverse with another order of the channels.

    order takes the numbers of the channels as (C, FH, FW), returns them moved.
    """

    def move(channels, factor, back):
        FH, FW = pair(factor, "factor")
        places = np.arange(channels).reshape(-1, FH, FW)
        places = order(places).reshape(-1)
        return np.argsort(places) if back else places

    @fault("interleave", name)
    def _(interleave, x, factor):
        places = move(x.shape[1], factor, back=False)
        return interleave(on_data(lambda a: a[:, places])(x), factor)

    @fault("deinterleave", name)
    def _(deinterleave, x, factor):
        y = deinterleave(x, factor)
        places = move(y.shape[1], factor, back=True)
        return on_data(lambda a: a[:, places])(y)


def phases_first(a):
    return np.moveaxis(a.reshape(-1).reshape(*a.shape[1:], a.shape[0]), -1, 0)


stitches(
    "x and y of the phase swapped",
    lambda a: a.reshape(a.shape[0], a.shape[2], a.shape[1]).swapaxes(1, 2),
)
stitches("channels after phases", phases_first)
stitches("phases in reverse", lambda a: a[:, ::-1, ::-1])
stitches("rows of phases in reverse", lambda a: a[:, ::-1])
stitches("columns of phases in reverse", lambda a: a[:, :, ::-1])
stitches("columns of phases off by one", lambda a: np.roll(a, 1, axis=2))
stitches("rows of phases off by one", lambda a: np.roll(a, 1, axis=1))


def side_by_side(a, factor):
    """(N, C·FH·FW, H, W) → tiles, not stitches: (N, C, FH·H, FW·W)."""
    (N, _, H, W), (FH, FW) = a.shape, pair(factor, "factor")
    tiles = a.reshape(N, -1, FH, FW, H, W).transpose(0, 1, 2, 4, 3, 5)
    return tiles.reshape(N, -1, FH * H, FW * W)


@fault("interleave", "side by side")
def _(interleave, x, factor):
    return on_data(lambda a: side_by_side(a, factor))(x)


@fault("deinterleave", "cut into quarters")
def _(deinterleave, x, factor):
    (N, C, H, W), (FH, FW) = x.shape, pair(factor, "factor")

    def tiles(a):
        parts = a.reshape(N, C, FH, H // FH, FW, W // FW).transpose(0, 1, 2, 4, 3, 5)
        return parts.reshape(N, C * FH * FW, H // FH, W // FW)

    if H % FH or W % FW:
        raise ValueError
    return on_data(tiles)(x)


@fault("interleave", "gradient not sorted")
def _(interleave, x, factor):
    y = interleave(x, factor)
    return on_arrays(lambda x: y.data, lambda gy, x: gy.reshape(x.shape))(x)


@fault("deinterleave", "gradient not stitched")
def _(deinterleave, x, factor):
    y = deinterleave(x, factor)
    return on_arrays(lambda x: y.data, lambda gy, x: gy.reshape(x.shape))(x)


# ---- rarefy

changed("rarefy", "factor transposed", "factor", flipped)
changed("rarefy", "one zero too many", "factor", lambda f: (f[0] + 1, f[1] + 1))
changed("rarefy", "one zero too few", "factor", lambda f: (f[0] - 1, f[1] - 1))
changed("rarefy", "rows alone", "factor", lambda f: (f[0], 1))


@fault("rarefy", "zeros after the last tap too")
def _(rarefy, weight, factor):
    FH, FW = pair(factor, "factor")
    return ops.pad(rarefy(weight, factor), ((0, FH - 1), (0, FW - 1)))


@fault("rarefy", "zeros at the end")
def _(rarefy, weight, factor):
    y = rarefy(weight, factor)
    (KH, KW), (H, W) = weight.shape[-2:], y.shape[-2:]
    return ops.pad(weight, ((0, H - KH), (0, W - KW)))


@wrong_value("rarefy", "taps repeated, not zeros")
def _(y, weight, factor):
    (FH, FW), (H, W) = pair(factor, "factor"), y.shape[-2:]
    wide = weight.repeat(FH, axis=-2).repeat(FW, axis=-1)
    return wide[..., :H, :W]


@fault("rarefy", "kernel flipped")
def _(rarefy, weight, factor):
    return rarefy(on_data(lambda a: a[..., ::-1, ::-1])(weight), factor)


@fault("rarefy", "divided by the zeros")
def _(rarefy, weight, factor):
    return rarefy(weight, factor) / float(np.prod(pair(factor, "factor")))


def rarefied_gradients(name, pick):
    """Register a rarefied kernel whose gradient is pick(gy, weight, FH, FW)."""

    @fault("rarefy", name)
    def _(rarefy, weight, factor):
        y = rarefy(weight, factor)

        def backward(gy, w):
            return np.ascontiguousarray(pick(gy, w, *pair(factor, "factor")))

        return on_arrays(lambda w: y.data, backward)(weight)


def summed_cells(gy, w, FH, FW):
    (KH, KW), none = w.shape[-2:], [(0, 0)] * (w.ndim - 2)
    whole = np.pad(gy, [*none, (0, FH - 1), (0, FW - 1)])
    return whole.reshape(*w.shape[:-2], KH, FH, KW, FW).sum(axis=(-3, -1))


rarefied_gradients("gradient of the zeros added", summed_cells)
rarefied_gradients(
    "gradient of the first taps",
    lambda gy, w, FH, FW: gy[..., : w.shape[-2], : w.shape[-1]],
)
rarefied_gradients(
    "gradient picked from the end",
    lambda gy, w, FH, FW: gy[..., ::-FH, ::-FW],
)


# ---- bilinear kernel


def kernels(name, triangle):
    """Register a kernel that is the outer product of triangle(k) (k,)."""

    @fault("bilinear_kernel", name)
    def _(right, kernel_size, dtype=np.float64):
        KH, KW = pair(kernel_size, "kernel_size")
        return np.outer(triangle(KH), triangle(KW)).astype(dtype)


def triangle(k, centre=None, factor=None):
    factor = (k + 1) // 2 if factor is None else factor
    centre = (k - 1) / 2 if centre is None else centre
    return np.maximum(0, 1 - abs(np.arange(k) - centre) / factor)


kernels("off by half a pixel", lambda k: triangle(k, k / 2))
kernels(
    "centre of odd kernels as of even ones", lambda k: triangle(k, (k + 1) // 2 - 0.5)
)
kernels(
    "centre of even kernels as of odd ones", lambda k: triangle(k, (k + 1) // 2 - 1)
)
kernels(
    "factor of odd kernels rounded down", lambda k: triangle(k, factor=max(1, k // 2))
)
kernels("corners aligned", lambda k: triangle(k, factor=(k - 1) / 2 or 1))
kernels("wider by a pixel", lambda k: triangle(k, factor=k / 2 + 1))
kernels("sums to one", lambda k: triangle(k) / triangle(k).sum())
kernels("top is one", lambda k: triangle(k) / triangle(k).max())
kernels("nearest neighbour", lambda k: (triangle(k) >= 0.5) * 1.0)
kernels("box", lambda k: np.ones(k))
kernels("in single precision", lambda k: triangle(k).astype(np.float32) / np.float32(1))
kernels("half of it", lambda k: triangle(k) * (np.arange(k) <= (k - 1) / 2))

changed("bilinear_kernel", "transposed", "kernel_size", flipped)
changed("bilinear_kernel", "type ignored", "dtype", lambda d: np.float64)


@fault("bilinear_kernel", "smaller of the two triangles")
def _(right, kernel_size, dtype=np.float64):
    KH, KW = pair(kernel_size, "kernel_size")
    return np.minimum.outer(triangle(KH), triangle(KW)).astype(dtype)


# ---- upsample

changed("upsample", "factor transposed", "factor", flipped)
changed("upsample", "factor of the height on both axes", "factor", lambda f: f[0])


def enlarges(name, row, gradient=None):
    """Register an enlargement along both axes: y = A x Bᵀ.

    Args:
        row: the weights (n,) of output u from n pixels, of row(u, n, factor).
        gradient: what the gradient goes through, if not the transpose of that.
    """

    def matrix(row, n, factor):
        return np.array([row(u, n, factor) for u in range(n * factor)])

    @fault("upsample", name)
    def _(upsample, x, factor):
        sizes = list(zip(x.shape[2:], pair(factor, "factor"), strict=True))
        A, B = (matrix(row, *n) for n in sizes)
        GA, GB = (matrix(gradient or row, *n) for n in sizes)
        return on_arrays(
            lambda x: (A @ x @ B.T).astype(x.dtype),
            lambda gy, x: (GA.T @ gy @ GB).astype(gy.dtype),
        )(x)


def tent(place, n):
    """The weights of n pixels at a place between them."""
    return np.maximum(0, 1 - abs(place - np.arange(n)))


def bilinear(u, n, f):
    return tent((u + 0.5) / f - 0.5, n)


def nearest(u, n, f):
    return np.eye(n)[u // f]


def clamped(u, n, f):
    return tent(np.clip((u + 0.5) / f - 0.5, 0, n - 1), n)


def of_sum_one(u, n, f):
    return bilinear(u, n, f) / bilinear(u, n, f).sum()


enlarges("border clamped", clamped)
enlarges("nearest neighbour", nearest)
enlarges("corners aligned", lambda u, n, f: tent(u * (n - 1) / max(1, n * f - 1), n))
enlarges("off by half a pixel", lambda u, n, f: tent(u / f - 0.5, n))
enlarges("pixels' corners, not their centres", lambda u, n, f: tent(u / f, n))
enlarges("off by one pixel", lambda u, n, f: bilinear(u - 1, n, f))
enlarges("weights made to sum to one", of_sum_one)
enlarges("weights squared", lambda u, n, f: bilinear(u, n, f) ** 2)
enlarges("in reverse", lambda u, n, f: bilinear(n * f - 1 - u, n, f))
enlarges("zeros between the pixels", lambda u, n, f: np.eye(n)[u // f] * (u % f == 0))
enlarges(
    "a pixel lost at the end",
    lambda u, n, f: bilinear(u, n, f) * (np.arange(n) < max(1, n - 1)),
)
enlarges("gradient of the nearest neighbour", bilinear, nearest)
enlarges("gradient of the clamped border", bilinear, clamped)
enlarges(
    "gradient averaged, not summed", bilinear, lambda u, n, f: bilinear(u, n, f) / f
)
enlarges("gradient off by one pixel", bilinear, lambda u, n, f: bilinear(u + 1, n, f))


@fault("upsample", "channels of the first")
def _(upsample, x, factor):
    return upsample(on_data(lambda a: a[:, [0] * a.shape[1]])(x), factor)


@fault("upsample", "channels added up")
def _(upsample, x, factor):
    y = upsample(x, factor)
    others = Tensor(np.zeros_like(y.data))
    for shift in range(y.shape[1]):
        others = others + on_data(lambda a, s=shift: np.roll(a, s, axis=1))(y)
    return others


@fault("upsample", "kernel of 2f taps for odd factors")
def _(upsample, x, factor):
    FH, FW = pair(factor, "factor")
    (N, C), (KH, KW) = x.shape[:2], (2 * FH, 2 * FW)
    kernel = Tensor(ops.bilinear_kernel((KH, KW), x.dtype)).reshape(1, 1, KH, KW)
    padding = (FH // 2, FH - FH // 2), (FW // 2, FW - FW // 2)
    planes = x.reshape(N * C, 1, *x.shape[2:])
    y = ops.conv_transpose2d(planes, kernel, stride=(FH, FW), padding=padding)
    return y.reshape(N, C, *y.shape[2:])
