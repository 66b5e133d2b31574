"""Answers to the exercises of lesson 9 that a learner could give, wrong and right."""

import numpy as np

# ------------------------------------------------------------ transposed_output_size


def right_size(n, kernel, stride=1, padding=0):
    return (n - 1) * stride + kernel - 2 * padding


def times_the_stride(n, kernel, stride=1, padding=0):
    return n * stride - 2 * padding


def stamps_side_by_side(n, kernel, stride=1, padding=0):
    return n * stride + kernel - 2 * padding


def padding_added(n, kernel, stride=1, padding=0):
    return (n - 1) * stride + kernel + 2 * padding


def cut_at_one_end(n, kernel, stride=1, padding=0):
    return (n - 1) * stride + kernel - padding


def of_a_convolution(n, kernel, stride=1, padding=0):
    return (n + 2 * padding - kernel) // stride + 1


def one_too_few(n, kernel, stride=1, padding=0):
    return (n - 1) * stride + kernel - 2 * padding - 1


# ------------------------------------------------------------------ conv_transpose2d


def right_transposed(x, weight, stride=1):
    (N, _, H, W), (_, O, KH, KW) = x.shape, weight.shape
    y = np.zeros((N, O, (H - 1) * stride + KH, (W - 1) * stride + KW))
    for i, j in np.ndindex(KH, KW):
        rows = slice(i, i + (H - 1) * stride + 1, stride)
        columns = slice(j, j + (W - 1) * stride + 1, stride)
        y[:, :, rows, columns] += np.einsum("nchw,co->nohw", x, weight[:, :, i, j])
    return y


def overwritten(x, weight, stride=1):
    (N, C, H, W), (_, O, KH, KW) = x.shape, weight.shape
    y = np.zeros((N, O, (H - 1) * stride + KH, (W - 1) * stride + KW))
    for n, c, r, q in np.ndindex(N, C, H, W):
        top, left = r * stride, q * stride
        y[n, :, top : top + KH, left : left + KW] = x[n, c, r, q] * weight[c]
    return y


def kernel_flipped(x, weight, stride=1):
    return right_transposed(x, np.ascontiguousarray(weight[:, :, ::-1, ::-1]), stride)


def first_channel_alone(x, weight, stride=1):
    return right_transposed(x[:, :1], weight[:1], stride)


def first_kernel_for_all(x, weight, stride=1):
    return right_transposed(x, np.repeat(weight[:1], len(weight), 0), stride)


def stride_ignored(x, weight, stride=1):
    small = right_transposed(x, weight, 1)
    y = np.zeros_like(right_transposed(x, weight, stride))
    y[:, :, : small.shape[2], : small.shape[3]] = small
    return y


def mean_of_stamps(x, weight, stride=1):
    count = right_transposed(np.ones_like(x[:, :1]), np.ones_like(weight[:1]), stride)
    return right_transposed(x, weight, stride) / np.maximum(count, 1)


def rows_and_columns_swapped(x, weight, stride=1):
    turned = np.ascontiguousarray(weight.swapaxes(2, 3)).reshape(weight.shape)
    return right_transposed(x, turned, stride)


# --------------------------------------------------------------------- bilinear_taps


def right_taps(f):
    k = 2 * f - f % 2
    return 1 - np.abs(np.arange(k) - (k - 1) / 2) / f


def always_two_f(f):
    return 1 - np.abs(np.arange(2 * f) - (2 * f - 1) / 2) / f


def summing_to_one(f):
    return right_taps(f) / right_taps(f).sum()


def peaked_at_one(f):
    return right_taps(f) / right_taps(f).max()


def flat(f):
    return np.full(2 * f - f % 2, 1 / 2)


def too_steep(f):
    k = 2 * f - f % 2
    return np.maximum(0, 1 - np.abs(np.arange(k) - (k - 1) / 2) / (f / 2))


def off_by_half(f):
    k = 2 * f - f % 2
    return 1 - np.abs(np.arange(k) - k // 2) / f


def square(f):
    return np.outer(right_taps(f), right_taps(f))


RIGHT = {
    "transposed_output_size": right_size,
    "conv_transpose2d": right_transposed,
    "bilinear_taps": right_taps,
}
WRONG = {
    "transposed_output_size": [
        times_the_stride,
        stamps_side_by_side,
        padding_added,
        cut_at_one_end,
        of_a_convolution,
        one_too_few,
    ],
    "conv_transpose2d": [
        overwritten,
        kernel_flipped,
        first_channel_alone,
        first_kernel_for_all,
        stride_ignored,
        mean_of_stamps,
        rows_and_columns_swapped,
    ],
    "bilinear_taps": [
        always_two_f,
        summing_to_one,
        peaked_at_one,
        flat,
        too_steep,
        off_by_half,
        square,
    ],
}
