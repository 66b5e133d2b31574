"""Answers to the exercises of lesson 4 that a learner could give, wrong and right."""

import numpy as np

# ------------------------------------------------------------------------ max_pool2d


def cut(x, k):
    """Cut into windows: (N, C, H // k, W // k, k·k)."""
    N, C, H, W = x.shape
    R, Q = H // k, W // k
    six = x[:, :, : R * k, : Q * k].reshape(N, C, R, k, Q, k)
    return six.transpose(0, 1, 2, 4, 3, 5).reshape(N, C, R, Q, k * k)


def right_max(x, k):
    return cut(x, k).max(axis=4)


def mean_for_max(x, k):
    return cut(x, k).mean(axis=4)


def with_zero(x, k):
    return np.maximum(right_max(x, k), 0)


def every_kth_pixel(x, k):
    return np.ascontiguousarray(cut(x, k)[..., 0])


def of_size(x, k):
    return np.abs(cut(x, k)).max(axis=4)


def over_channels(x, k):
    y = right_max(x, k)
    return np.broadcast_to(y.max(axis=1, keepdims=True), y.shape).copy()


def a_row_alone(x, k):
    return cut(x, k)[..., :k].max(axis=4)


# --------------------------------------------------------------- max_pool2d_backward


def right_backward(gy, x, k):
    gx = np.zeros_like(x)
    for n, c, r, q in np.ndindex(*gy.shape):
        window = x[n, c, r * k : r * k + k, q * k : q * k + k]
        i, j = np.unravel_index(window.argmax(), window.shape)
        gx[n, c, r * k + i, q * k + j] = gy[n, c, r, q]
    return gx


def spread(gy, x, k):
    whole = np.repeat(np.repeat(gy, k, 2), k, 3)
    gx = np.zeros_like(x)
    gx[:, :, : whole.shape[2], : whole.shape[3]] = whole
    return gx


def shared_evenly(gy, x, k):
    return spread(gy, x, k) / k**2


def all_that_are_equal(gy, x, k):
    best = spread(right_max(x, k), x, k)
    return np.where(x == best, spread(gy, x, k), 0.0)


def the_last_of_equals(gy, x, k):
    gx = np.zeros_like(x)
    for n, c, r, q in np.ndindex(*gy.shape):
        window = x[n, c, r * k : r * k + k, q * k : q * k + k]
        number = k * k - 1 - window.ravel()[::-1].argmax()
        i, j = divmod(int(number), k)
        gx[n, c, r * k + i, q * k + j] = gy[n, c, r, q]
    return gx


def the_smallest(gy, x, k):
    return right_backward(gy, -x, k)


def first_pixel(gy, x, k):
    gx = np.zeros_like(x)
    R, Q = gy.shape[2:]
    gx[:, :, : R * k : k, : Q * k : k] = gy
    return gx


def ones_for_gy(gy, x, k):
    return right_backward(np.ones_like(gy), x, k)


# ------------------------------------------------------------------- receptive_field


def right_field(layers):
    size, stride = 1, 1
    for kernel, step in layers:
        size, stride = size + (kernel - 1) * stride, stride * step
    return size, stride


def strides_ignored(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers), 1


def stride_first(layers):
    size, stride = 1, 1
    for kernel, step in layers:
        stride *= step
        size += (kernel - 1) * stride
    return size, stride


def strides_added(layers):
    size, stride = 1, 1
    for kernel, step in layers:
        size, stride = size + (kernel - 1) * stride, stride + step - 1
    return size, stride


def kernels_multiplied(layers):
    size, stride = 1, 1
    for kernel, step in layers:
        size, stride = size * kernel, stride * step
    return size, stride


def from_the_top(layers):
    return right_field(layers[::-1])


def one_too_many(layers):
    size, stride = 1, 1
    for kernel, step in layers:
        size, stride = size + kernel * stride, stride * step
    return size, stride


RIGHT = {
    "max_pool2d": right_max,
    "max_pool2d_backward": right_backward,
    "receptive_field": right_field,
}
WRONG = {
    "max_pool2d": [
        mean_for_max,
        with_zero,
        every_kth_pixel,
        of_size,
        over_channels,
        a_row_alone,
    ],
    "max_pool2d_backward": [
        spread,
        shared_evenly,
        all_that_are_equal,
        the_last_of_equals,
        the_smallest,
        first_pixel,
        ones_for_gy,
    ],
    "receptive_field": [
        strides_ignored,
        stride_first,
        strides_added,
        kernels_multiplied,
        from_the_top,
        one_too_many,
    ],
}
