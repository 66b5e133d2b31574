"""im2col and col2im: by hand, the grids they read, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.laws.cases import unequal
from minifcn.ops.im2col import col2im_definition, im2col_definition, overlap, read_grid
from tests.ops import common


def test_im2col_by_hand():
    x = Tensor(np.arange(1.0, 7).reshape(1, 1, 2, 3))
    cols = ops.im2col(x, (2, 2), stride=(1, 1), padding=((0, 0), (1, 0)))
    # three windows: the first hangs over the left border
    expected = [[0, 1, 2], [1, 2, 3], [0, 4, 5], [4, 5, 6]]
    np.testing.assert_array_equal(cols.data, [expected])
    told = im2col_definition(x.data, (2, 2), stride=(1, 1), padding=((0, 0), (1, 0)))
    np.testing.assert_array_equal(told, [expected])


def test_col2im_by_hand_adds_overlaps():
    cols = Tensor(np.array([[[1.0, 10], [2, 20]]]))  # two windows of 1 × 2
    x = ops.col2im(cols, (1, 3), (1, 2))
    np.testing.assert_array_equal(x.data, [[[[1, 2 + 10, 20]]]])
    np.testing.assert_array_equal(col2im_definition(cols.data, (1, 3), (1, 2)), x.data)


def test_an_empty_batch():
    x = ops.im2col(Tensor(np.ones((0, 3, 5, 4))), (2, 3))
    assert x.shape == (0, 18, 8)
    assert ops.col2im(x, (5, 4), (2, 3)).shape == (0, 3, 5, 4)


def test_windows_as_large_as_the_image_and_beside_it(rng):
    """They reach over as many pixels as x has, but begin in the padding."""
    x = rng.normal(size=(2, 3, 4, 6))
    arguments = dict(kernel_size=(2, 3), stride=(2, 3), padding=((1, 0), (1, 0)))
    cols = ops.im2col(Tensor(x), **arguments)
    expected = im2col_definition(x, **arguments)
    np.testing.assert_array_equal(cols.data, expected)
    back = ops.col2im(cols, (4, 6), **arguments)
    expected = col2im_definition(expected, (4, 6), **arguments)
    np.testing.assert_array_equal(back.data, expected)


def test_result_may_not_be_written_over():
    """A 1 × 1 window is the image itself: im2col of it may share its memory."""
    x = Tensor(np.array([[[[-1.0, 2], [3, -4], [5, 6]]]]), requires_grad=True)
    for y in (ops.im2col(x, 1), ops.col2im(ops.im2col(x, 1), (3, 2), 1)):
        with pytest.raises(ValueError, match="cannot overwrite"):
            ops.relu(y, inplace=True)


@common.FEW
@given(st.integers(0, 9), st.integers(0, 9), st.integers(-9, 9), st.integers(1, 4))
def test_overlap_finds_what_lies_inside(n_out, n_in, start, step):
    inside = [q for q in range(n_out) if 0 <= start + step * q < n_in]
    outputs, inputs = overlap(n_out, n_in, start, step)
    assert list(range(n_out))[outputs] == inside
    assert list(range(n_in))[inputs] == [start + step * q for q in inside]


@common.FEW
@given(unequal(1, 6), unequal(1, 7), unequal(-6, 6), unequal(1, 3))
def test_read_grid_reads_point_by_point(size, out_size, start, step):
    x = np.arange(2.0 * size[0] * size[1]).reshape(2, *size)
    out = np.full((2, *out_size), -5.0)
    read_grid(x, out, start, step, fill=7)
    for r, q in np.ndindex(*out_size):
        h, w = start[0] + step[0] * r, start[1] + step[1] * q
        inside = 0 <= h < size[0] and 0 <= w < size[1]
        np.testing.assert_array_equal(out[:, r, q], x[:, h, w] if inside else 7)


@pytest.mark.parametrize(
    "words, call",
    [
        ("im2col needs", lambda: ops.im2col(Tensor(np.ones((4, 5))), 2)),
        (
            "larger than the padded",
            lambda: ops.im2col(Tensor(np.ones((1, 1, 4, 5))), 5),
        ),
        (
            r"cols has shape \(4, 5\); col2im with output_size",
            lambda: ops.col2im(Tensor(np.ones((4, 5))), 4, 2),
        ),
        (
            r"cols has shape \(1, 5, 6\).* \(N, a multiple of 4, 6\)",
            lambda: ops.col2im(Tensor(np.ones((1, 5, 6))), (3, 4), 2),
        ),
        (
            r"\(1, 4, 7\); .*output_size \(3, 4\), kernel_size \(2, 2\), stride",
            lambda: ops.col2im(Tensor(np.ones((1, 4, 7))), (3, 4), 2),
        ),
        ("a multiple of 4", lambda: ops.col2im(Tensor(np.ones((1, 0, 6))), (3, 4), 2)),
        ("C, H and W of 1", lambda: ops.im2col(Tensor(np.ones((1, 0, 4, 5))), 2)),
        ("kernel_size must", lambda: ops.im2col(Tensor(np.ones((1, 1, 4, 5))), 0)),
    ],
)
def test_bad_input_is_refused(words, call):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    "x", [np.ones((1, 4, 3, 4)), Tensor(np.ones((1, 4, 3, 4), int))]
)
def test_what_is_no_tensor_of_floats_is_refused(x):
    with pytest.raises(TypeError, match=r"im2col takes Tensors|x must be a Tensor of"):
        ops.im2col(x, 2)
    cols = x.reshape(1, 4, 12)
    with pytest.raises(TypeError, match=r"col2im takes Tensors|cols must be a Tensor"):
        ops.col2im(cols, (4, 5), 2)
