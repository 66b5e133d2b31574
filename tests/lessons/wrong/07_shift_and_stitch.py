"""Answers to the exercises of lesson 7 that a learner could give, wrong and right."""

import numpy as np

# ------------------------------------------------------------------------ interleave


def right_interleave(parts):
    f, _, h, w = parts.shape
    return parts.transpose(2, 0, 3, 1).reshape(f * h, f * w)


def rows_and_columns_swapped(parts):
    return right_interleave(parts.swapaxes(0, 1))


def side_by_side(parts):
    f, _, h, w = parts.shape
    return parts.transpose(0, 2, 1, 3).reshape(f * h, f * w)


def runs_backwards(parts):
    return right_interleave(parts[::-1, ::-1])


def just_reshaped(parts):
    f, _, h, w = parts.shape
    return parts.reshape(f * h, f * w)


def columns_alone(parts):
    f, _, h, w = parts.shape
    return parts.transpose(0, 2, 3, 1).reshape(f * h, f * w)


def repeated(parts):
    f = len(parts)
    return np.repeat(np.repeat(parts[0, 0], f, 0), f, 1)


# ---------------------------------------------------------------------- deinterleave


def right_deinterleave(y, f):
    H, W = y.shape
    return y.reshape(H // f, f, W // f, f).transpose(1, 3, 0, 2).copy()


def axes_swapped(y, f):
    return right_deinterleave(y, f).swapaxes(0, 1).copy()


def blocks(y, f):
    H, W = y.shape
    return y.reshape(f, H // f, f, W // f).transpose(0, 2, 1, 3).copy()


def in_memory_order(y, f):
    H, W = y.shape
    return y.reshape(f, f, H // f, W // f).copy()


def backwards(y, f):
    return right_deinterleave(y, f)[::-1, ::-1].copy()


def first_run_alone(y, f):
    parts = right_deinterleave(y, f)
    return np.broadcast_to(parts[:1, :1], parts.shape).copy()


# ------------------------------------------------------------------------ dense_line


def right_dense(net, line, f, count):
    runs = [net(line[a:])[: count // f] for a in range(f)]
    return np.stack(runs, axis=1).ravel()


def one_run_repeated(net, line, f, count):
    return np.repeat(net(line), f)[:count]


def runs_in_a_row(net, line, f, count):
    return np.concatenate([net(line[a:])[: count // f] for a in range(f)])


def shifted_the_other_way(net, line, f, count):
    runs = [net(np.roll(line, a))[: count // f] for a in range(f)]
    return np.stack(runs, axis=1).ravel()


def last_run_first(net, line, f, count):
    runs = [net(line[a:])[: count // f] for a in reversed(range(f))]
    return np.stack(runs, axis=1).ravel()


def shifted_by_strides(net, line, f, count):
    runs = [net(np.roll(line, -a * f))[: count // f] for a in range(f)]
    return np.stack(runs, axis=1).ravel()


def between_two(net, line, f, count):
    coarse = net(line)
    places = np.arange(count) / f
    return np.interp(places, np.arange(len(coarse)), coarse)


RIGHT = {
    "interleave": right_interleave,
    "deinterleave": right_deinterleave,
    "dense_line": right_dense,
}
WRONG = {
    "interleave": [
        rows_and_columns_swapped,
        side_by_side,
        runs_backwards,
        just_reshaped,
        columns_alone,
        repeated,
    ],
    "deinterleave": [
        axes_swapped,
        blocks,
        in_memory_order,
        backwards,
        first_run_alone,
    ],
    "dense_line": [
        one_run_repeated,
        runs_in_a_row,
        shifted_the_other_way,
        last_run_first,
        shifted_by_strides,
        between_two,
    ],
}
