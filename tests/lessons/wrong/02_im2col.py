"""Answers to the exercises of lesson 2 that a learner could give, wrong and right."""

import numpy as np

# ---------------------------------------------------------------------------- im2col


def right_im2col(x, kernel, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    N, C, KH, KW, OH, OW = windows.shape
    return windows.reshape(N, C * KH * KW, OH * OW)


def stride_ignored(x, kernel, stride=1):
    return right_im2col(x, kernel)


def pixels_behind_places(x, kernel, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    N, C, OH, OW, KH, KW = windows.shape
    return windows.reshape(N, C * KH * KW, OH * OW)


def column_by_column(x, kernel, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 1, 5, 4, 2, 3)
    N, C, KW, KH, OH, OW = windows.shape
    return windows.reshape(N, C * KH * KW, OH * OW)


def channels_last(x, kernel, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride].transpose(0, 4, 5, 1, 2, 3)
    N, KH, KW, C, OH, OW = windows.shape
    return windows.reshape(N, C * KH * KW, OH * OW)


def turned(x, kernel, stride=1):
    return right_im2col(x, kernel, stride).swapaxes(1, 2)


def kernel_flipped(x, kernel, stride=1):
    N, C = x.shape[:2]
    cols = right_im2col(x, kernel, stride)
    places = cols.shape[2]
    return cols.reshape(N, C, -1, places)[:, :, ::-1].reshape(N, -1, places)


def type_lost(x, kernel, stride=1):
    return right_im2col(x, kernel, stride).astype(int)


# --------------------------------------------------------------- conv2d_from_columns


def right_product(weight, cols, size):
    flat = weight.reshape(len(weight), -1)
    return np.einsum("ok,nkp->nop", flat, cols).reshape(len(cols), -1, *size)


def of_the_first_image_alone(weight, cols, size):
    y = weight.reshape(len(weight), -1) @ cols[0]
    return np.stack([y.reshape(len(weight), *size)] * len(cols))


def weight_read_backwards(weight, cols, size):
    return right_product(weight[:, ::-1, ::-1, ::-1], cols, size)


def weight_transposed(weight, cols, size):
    return right_product(weight.swapaxes(2, 3), cols, size)


def rows_and_columns_swapped(weight, cols, size):
    N, O = len(cols), len(weight)
    return right_product(weight, cols, size[::-1]).reshape(N, O, *size[::-1])


def output_turned(weight, cols, size):
    y = right_product(weight, cols, size)
    return np.ascontiguousarray(y.swapaxes(2, 3)).reshape(y.shape)


def left_flat(weight, cols, size):
    return weight.reshape(len(weight), -1) @ cols


# --------------------------------------------------------------------- columns_bytes


def right_bytes(shape, kernel, itemsize):
    C, H, W = shape
    KH, KW = kernel
    return C * KH * KW * (H - KH + 1) * (W - KW + 1) * itemsize


def as_many_windows_as_pixels(shape, kernel, itemsize):
    C, H, W = shape
    return C * kernel[0] * kernel[1] * H * W * itemsize


def one_window_too_few(shape, kernel, itemsize):
    C, H, W = shape
    KH, KW = kernel
    return C * KH * KW * (H - KH) * (W - KW) * itemsize


def numbers_for_bytes(shape, kernel, itemsize):
    return right_bytes(shape, kernel, 1)


def one_channel(shape, kernel, itemsize):
    return right_bytes((1, *shape[1:]), kernel, itemsize)


def square_kernel(shape, kernel, itemsize):
    return right_bytes(shape, (kernel[0], kernel[0]), itemsize)


def height_for_width(shape, kernel, itemsize):
    C, H, W = shape
    KH, KW = kernel
    return C * KH * KW * (H - KW + 1) * (W - KH + 1) * itemsize


RIGHT = {
    "im2col": right_im2col,
    "conv2d_from_columns": right_product,
    "columns_bytes": right_bytes,
}
WRONG = {
    "im2col": [
        stride_ignored,
        pixels_behind_places,
        column_by_column,
        channels_last,
        turned,
        kernel_flipped,
        type_lost,
    ],
    "conv2d_from_columns": [
        of_the_first_image_alone,
        weight_read_backwards,
        weight_transposed,
        rows_and_columns_swapped,
        output_turned,
        left_flat,
    ],
    "columns_bytes": [
        as_many_windows_as_pixels,
        one_window_too_few,
        numbers_for_bytes,
        one_channel,
        square_kernel,
        height_for_width,
    ],
}
