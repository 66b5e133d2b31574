"""Answers to the exercises of lesson 6 that a learner could give, wrong and right."""

import numpy as np

# ----------------------------------------------------------------- matrix_to_kernels


def right_kernel(matrix, C, K):
    return np.stack([row.reshape(C, K, K) for row in matrix])


def channels_last(matrix, C, K):
    kernels = matrix.reshape(len(matrix), K, K, C).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(kernels)


def rows_and_columns_swapped(matrix, C, K):
    return np.ascontiguousarray(right_kernel(matrix, C, K).swapaxes(2, 3))


def flipped(matrix, C, K):
    return np.ascontiguousarray(right_kernel(matrix, C, K)[:, :, ::-1, ::-1])


def transposed_matrix(matrix, C, K):
    return np.ascontiguousarray(matrix.T).reshape(len(matrix), C, K, K)


def in_one_dimension(matrix, C, K):
    return matrix.reshape(len(matrix), C, K * K)


def whole_numbers(matrix, C, K):
    return right_kernel(matrix, C, K).astype(int)


# --------------------------------------------------------------------- answer_window


def right_window(r, q, size, stride):
    top, left = stride * r, stride * q
    return top, left, top + size, left + size


def rows_for_columns(r, q, size, stride):
    return right_window(q, r, size, stride)


def stride_ignored(r, q, size, stride):
    return right_window(r, q, size, 1)


def steps_of_size(r, q, size, stride):
    return right_window(r, q, size, size)


def last_pixel_inside(r, q, size, stride):
    top, left, bottom, right = right_window(r, q, size, stride)
    return top, left, bottom - 1, right - 1


def around_the_middle(r, q, size, stride):
    top, left = r * stride - size // 2, q * stride - size // 2
    return top, left, top + size, left + size


def size_for_corner(r, q, size, stride):
    return r * stride, q * stride, size, size


# ---------------------------------------------------------------- conv_multiply_adds


def right_count(weight_shape, size):
    O, C, KH, KW = weight_shape
    return O * C * KH * KW * size[0] * size[1]


def weights_alone(weight_shape, size):
    return int(np.prod(weight_shape))


def pixels_that_go_in(weight_shape, size):
    O, C, KH, KW = weight_shape
    return O * C * KH * KW * (size[0] + KH - 1) * (size[1] + KW - 1)


def one_channel(weight_shape, size):
    O, _, KH, KW = weight_shape
    return O * KH * KW * size[0] * size[1]


def one_kernel(weight_shape, size):
    _, C, KH, KW = weight_shape
    return C * KH * KW * size[0] * size[1]


def twice(weight_shape, size):
    return 2 * right_count(weight_shape, size)


def square_output(weight_shape, size):
    return right_count(weight_shape, (size[0], size[0]))


RIGHT = {
    "matrix_to_kernels": right_kernel,
    "answer_window": right_window,
    "conv_multiply_adds": right_count,
}
WRONG = {
    "matrix_to_kernels": [
        channels_last,
        rows_and_columns_swapped,
        flipped,
        transposed_matrix,
        in_one_dimension,
        whole_numbers,
    ],
    "answer_window": [
        rows_for_columns,
        stride_ignored,
        steps_of_size,
        last_pixel_inside,
        around_the_middle,
        size_for_corner,
    ],
    "conv_multiply_adds": [
        weights_alone,
        pixels_that_go_in,
        one_channel,
        one_kernel,
        twice,
        square_output,
    ],
}
