"""Answers to the exercises of lesson 1 that a learner could give, wrong and right.

A file like this stands here for every lesson: WRONG has at least five functions for
each exercise, each with one mistake, and RIGHT one that is right; all are called as the
exercise's own function is.
"""

import numpy as np

# ------------------------------------------------------------------ conv_output_size


def right_size(n, kernel, stride=1, padding=0):
    return (n + 2 * padding - kernel) // stride + 1


def one_too_few(n, kernel, stride=1, padding=0):
    return (n + 2 * padding - kernel) // stride


def stride_ignored(n, kernel, stride=1, padding=0):
    return n + 2 * padding - kernel + 1


def padded_at_one_end(n, kernel, stride=1, padding=0):
    return (n + padding - kernel) // stride + 1


def divided_too_late(n, kernel, stride=1, padding=0):
    return (n + 2 * padding - kernel + 1) // stride


def a_float(n, kernel, stride=1, padding=0):
    return (n + 2 * padding - kernel) / stride + 1


def rounded_up(n, kernel, stride=1, padding=0):
    return -(-(n + 2 * padding - kernel) // stride) + 1


# ---------------------------------------------------------------------------- window


def right_window(x, r, q, kernel, stride=1, dilation=1):
    i = r * stride + np.arange(kernel[0]) * dilation
    j = q * stride + np.arange(kernel[1]) * dilation
    return x[:, i[:, None], j]


def stride_of_places_ignored(x, r, q, kernel, stride=1, dilation=1):
    return right_window(x, r, q, kernel, 1, dilation)


def dilation_ignored(x, r, q, kernel, stride=1, dilation=1):
    return right_window(x, r, q, kernel, stride, 1)


def rows_and_columns_swapped(x, r, q, kernel, stride=1, dilation=1):
    return right_window(x, q, r, kernel[::-1], stride, dilation)


def dilation_moves_the_window(x, r, q, kernel, stride=1, dilation=1):
    return right_window(x, r * dilation, q * dilation, kernel, stride, dilation)


def cut_short(x, r, q, kernel, stride=1, dilation=1):
    top, left = r * stride, q * stride
    return x[
        :,
        top : top + kernel[0] : dilation,
        left : left + kernel[1] : dilation,
    ]


def one_channel(x, r, q, kernel, stride=1, dilation=1):
    return right_window(x, r, q, kernel, stride, dilation)[:1]


# ---------------------------------------------------------------------------- conv2d


def right_conv2d(x, weight, stride=1, padding=0, dilation=1):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    KH, KW = ((k - 1) * dilation + 1 for k in weight.shape[2:])
    views = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))
    seen = views[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncrqij,ocij->norq", seen, weight)


def kernel_flipped(x, weight, stride=1, padding=0, dilation=1):
    return right_conv2d(x, weight[:, :, ::-1, ::-1], stride, padding, dilation)


def stride_left_out(x, weight, stride=1, padding=0, dilation=1):
    return right_conv2d(x, weight, 1, padding, dilation)


def padding_left_out(x, weight, stride=1, padding=0, dilation=1):
    return right_conv2d(x, weight, stride, 0, dilation)


def dilation_left_out(x, weight, stride=1, padding=0, dilation=1):
    return right_conv2d(x, weight, stride, padding, 1)


def mean_for_sum(x, weight, stride=1, padding=0, dilation=1):
    y = right_conv2d(x, weight, stride, padding, dilation)
    return y / weight[0].size


def first_channel_only(x, weight, stride=1, padding=0, dilation=1):
    return right_conv2d(x[:, :1], weight[:, :1], stride, padding, dilation)


def first_image_only(x, weight, stride=1, padding=0, dilation=1):
    y = right_conv2d(x, weight, stride, padding, dilation)
    y[1:] = y[:1]
    return y


def kernel_transposed(x, weight, stride=1, padding=0, dilation=1):
    turned = weight.swapaxes(2, 3).reshape(weight.shape)
    return right_conv2d(x, turned, stride, padding, dilation)


def whole_numbers(x, weight, stride=1, padding=0, dilation=1):
    return right_conv2d(x, weight, stride, padding, dilation).astype(int)


def writes_into_x(x, weight, stride=1, padding=0, dilation=1):
    y = right_conv2d(x, weight, stride, padding, dilation)
    x += 1
    return y


WRONG = {
    "conv_output_size": [
        one_too_few,
        stride_ignored,
        padded_at_one_end,
        divided_too_late,
        a_float,
        rounded_up,
    ],
    "window": [
        stride_of_places_ignored,
        dilation_ignored,
        rows_and_columns_swapped,
        dilation_moves_the_window,
        cut_short,
        one_channel,
    ],
    "conv2d": [
        kernel_flipped,
        stride_left_out,
        padding_left_out,
        dilation_left_out,
        mean_for_sum,
        first_channel_only,
        first_image_only,
        kernel_transposed,
        whole_numbers,
        writes_into_x,
    ],
}
RIGHT = {
    "conv_output_size": right_size,
    "window": right_window,
    "conv2d": right_conv2d,
}
