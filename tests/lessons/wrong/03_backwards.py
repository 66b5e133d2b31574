"""Answers to the exercises of lesson 3 that a learner could give, wrong and right."""

import numpy as np

# ----------------------------------------------------------------------------- slope


def right_slope(function, x, h=1e-5):
    return (function(x + h) - function(x - h)) / h / 2


def forwards_alone(function, x, h=1e-5):
    return (function(x + h) - function(x)) / h


def divided_by_h(function, x, h=1e-5):
    return (function(x + h) - function(x - h)) / h


def times_two(function, x, h=1e-5):
    return (function(x + h) - function(x - h)) / 2 * h


def sign_turned(function, x, h=1e-5):
    return (function(x - h) - function(x + h)) / (2 * h)


def at_zero(function, x, h=1e-5):
    return (function(h) - function(-h)) / (2 * h)


# --------------------------------------------------------------------- relu_backward


def right_relu(gy, x):
    return gy * (x > 0)


def relu_of_gy(gy, x):
    return np.maximum(gy, 0)


def forward_again(gy, x):
    return np.maximum(x, 0)


def at_zero_too(gy, x):
    return np.where(x >= 0, gy, 0.0)


def below(gy, x):
    return np.where(x < 0, gy, 0.0)


def gy_forgotten(gy, x):
    return (x > 0).astype(x.dtype)


def of_both(gy, x):
    return np.where((x > 0) & (gy > 0), gy, 0.0)


def written_over(gy, x):
    gy[x <= 0] = 0
    return gy


# ------------------------------------------------------------------- weight_gradient


def right_weight(x, gy):
    OH, OW = gy.shape[2:]
    windows = np.lib.stride_tricks.sliding_window_view(x, (OH, OW), axis=(2, 3))
    return np.einsum("ncijrq,norq->ocij", windows, gy)


def mean_over_images(x, gy):
    return right_weight(x, gy) / len(x)


def first_image(x, gy):
    return right_weight(x[:1], gy[:1])


def flipped(x, gy):
    return np.ascontiguousarray(right_weight(x, gy)[:, :, ::-1, ::-1])


def channels_swapped(x, gy):
    return np.ascontiguousarray(right_weight(x, gy).swapaxes(0, 1))


def gy_of_ones(x, gy):
    return right_weight(x, np.ones_like(gy))


def one_place(x, gy):
    return right_weight(x, np.where(np.arange(gy.shape[3]) == 0, gy, 0))


def transposed_gy(x, gy):
    turned = np.ascontiguousarray(gy.swapaxes(2, 3)).reshape(gy.shape)
    return right_weight(x, turned)


# ---------------------------------------------------------------------------- col2im


def right_col2im(cols, size, kernel, add=True, order=(0, 1, 2, 3, 4, 5)):
    (KH, KW), (H, W) = kernel, size
    N, C = len(cols), cols.shape[1] // (KH * KW)
    OH, OW = H - KH + 1, W - KW + 1
    six = cols.reshape(N, C, KH, KW, OH, OW)
    x = np.zeros((N, C, H, W))
    for r, q in np.ndindex(OH, OW):
        old = x[:, :, r : r + KH, q : q + KW] if add else 0
        x[:, :, r : r + KH, q : q + KW] = old + six[..., r, q]
    return x


def written_not_added(cols, size, kernel):
    return right_col2im(cols, size, kernel, add=False)


def mean_of_windows(cols, size, kernel):
    return right_col2im(cols, size, kernel) / right_col2im(
        np.ones_like(cols), size, kernel
    )


def windows_reversed(cols, size, kernel):
    return right_col2im(np.ascontiguousarray(cols[:, :, ::-1]), size, kernel)


def kernel_reversed(cols, size, kernel):
    return right_col2im(np.ascontiguousarray(cols[:, ::-1]), size, kernel)


def first_pixel_alone(cols, size, kernel):
    taps = np.arange(cols.shape[1]) % (kernel[0] * kernel[1])
    return right_col2im(np.where((taps == 0)[:, None], cols, 0), size, kernel)


def columns_turned(cols, size, kernel):
    turned = np.ascontiguousarray(cols.swapaxes(1, 2)).reshape(cols.shape)
    return right_col2im(turned, size, kernel)


RIGHT = {
    "slope": right_slope,
    "relu_backward": right_relu,
    "weight_gradient": right_weight,
    "col2im": right_col2im,
}
WRONG = {
    "slope": [forwards_alone, divided_by_h, times_two, sign_turned, at_zero],
    "relu_backward": [
        relu_of_gy,
        forward_again,
        at_zero_too,
        below,
        gy_forgotten,
        of_both,
        written_over,
    ],
    "weight_gradient": [
        mean_over_images,
        first_image,
        flipped,
        channels_swapped,
        gy_of_ones,
        one_place,
        transposed_gy,
    ],
    "col2im": [
        written_not_added,
        mean_of_windows,
        windows_reversed,
        kernel_reversed,
        first_pixel_alone,
        columns_turned,
    ],
}
