"""Max unpooling: by hand, several windows on one pixel, sizes, bad input."""

from importlib.util import find_spec
from unittest import mock

import numpy as np
import pytest
from hypothesis import given

from minifcn import Tensor, arrays, ops
from minifcn.laws.cases import poolings
from minifcn.ops import definitions, pooling
from tests.ops import common


def test_unpooling_by_hand():
    x = Tensor(np.array([[[[7.0, -3], [5, 2]]]]), requires_grad=True)
    indices = np.array([[[[5, 2], [9, 14]]]])
    y = ops.max_unpool2d(x, indices, 2)
    expected = [[[[0, 0, -3, 0], [0, 7, 0, 0], [0, 5, 0, 0], [0, 0, 2, 0]]]]
    np.testing.assert_array_equal(y.data, expected)
    np.testing.assert_array_equal(
        definitions.max_unpool2d(x.data, indices, 2), expected
    )
    y.backward(np.arange(16.0).reshape(1, 1, 4, 4))
    np.testing.assert_array_equal(x.grad, [[[[5, 2], [9, 14]]]])


def test_the_last_of_several_windows_is_kept():
    x = Tensor(np.array([[[[7.0, 8, 9]]]]), requires_grad=True)
    y = ops.max_unpool2d(x, np.array([[[[1, 1, -1]]]]), (1, 2), stride=(1, 1))
    y.backward(np.array([[[[10.0, 20, 30, 40]]]]))
    np.testing.assert_array_equal(y.data, [[[[0, 8, 0, 0]]]])
    np.testing.assert_array_equal(x.grad, [[[[0, 20, 0]]]])


@pytest.mark.parametrize("kind", ["int32", "uint8", "uint64", "Tensor"])
def test_indices_may_be_of_any_whole_numbers(rng, kind):
    x, indices = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 80, (2, 3, 4, 5))
    given = Tensor(indices) if kind == "Tensor" else indices.astype(kind)
    y = ops.max_unpool2d(Tensor(x), given, 2)
    expected = definitions.max_unpool2d(x, indices, 2)
    np.testing.assert_array_equal(y.data, expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_laws_hold_cut_into_parts(threads):
    arrays.set_threads(threads)
    try:
        with mock.patch.object(pooling, "PART", 100):
            common.hold("max_unpool2d")
    finally:
        arrays.set_threads(0)


def test_an_empty_batch_gives_an_empty_result():
    x = Tensor(np.zeros((0, 3, 2, 4), np.float32), requires_grad=True)
    y = ops.max_unpool2d(x, np.zeros(x.shape, int), 2)
    y.backward(np.zeros(y.shape))
    assert y.shape == (0, 3, 4, 8)
    assert x.grad.shape == x.shape


@common.FEW
@given(poolings())
def test_every_pooling_can_be_unpooled(case):
    """Each maximum is back at its pixel, and pooling again finds the same.

    Dilated windows too, and those that overlap."""
    x, a = case.x, case.arguments
    y, indices = ops.max_pool2d(Tensor(x), **a, return_indices=True)
    spans = [d * (k - 1) + 1 for k, d in zip(a["kernel_size"], a["dilation"])]
    z = ops.max_unpool2d(y, indices, spans, a["stride"], a["padding"], x.shape)
    maxima = z.data != 0  # all of x is below zero
    np.testing.assert_array_equal(z.data[maxima], x[maxima])
    again = np.where(maxima, z.data, -np.inf)
    np.testing.assert_array_equal(ops.max_pool2d(Tensor(again), **a).data, y.data)


# ---- sizes


@pytest.mark.parametrize("output_size", [(3, 7), [4, 6], (5, 9), (1, 1, 4, 8)])
def test_sizes_within_a_stride_are_taken(output_size):
    # By default (2 − 1)·2 + 2 = 4 rows, (3 − 1)·3 + 2 = 8 columns.
    x, indices = Tensor(np.ones((1, 1, 2, 3))), np.zeros((1, 1, 2, 3), int)
    y = ops.max_unpool2d(x, indices, 2, (2, 3), output_size=output_size)
    assert y.shape == (1, 1, *output_size[-2:])


@pytest.mark.parametrize(
    "words, output_size",
    [
        (r"output_size is \(2, 8\); its height must lie from 3 to 5", (2, 8)),
        (r"output_size is \(6, 8\); its height must lie from 3 to 5", (6, 8)),
        (r"its width must lie from 6 to 10: x has shape \(1, 1, 2, 3\)", (4, 5)),
        (r"its width must lie from 6 to 10: x has shape \(1, 1, 2, 3\)", (4, 11)),
        ("output_size must be at least 1", (4, 0)),
        ("output_size must be an integer or a pair", (4, 8, 1)),
    ],
)
def test_other_sizes_are_refused(words, output_size):
    x, indices = Tensor(np.ones((1, 1, 2, 3))), np.zeros((1, 1, 2, 3), int)
    with pytest.raises(ValueError, match=words):
        ops.max_unpool2d(x, indices, 2, (2, 3), output_size=output_size)


def test_an_output_of_nothing_is_refused():
    x, indices = Tensor(np.ones((1, 1, 1, 3))), np.zeros((1, 1, 1, 3), int)
    for padding in ((1, 0), ((1, 0), (0, 0))):  # −1 rows, and none
        with pytest.raises(ValueError, match=r"nothing of the height: x has shape"):
            ops.max_unpool2d(x, indices, (1, 2), 1, padding)
    # with stride 2 the pooled image may have had one row: 1 − 2 + 1 < 1 + 1
    y = ops.max_unpool2d(x, indices, 2, 2, (1, 0), output_size=(1, 6))
    assert y.shape == (1, 1, 1, 6)
    with pytest.raises(ValueError, match=r"height \(output_size may say up to 1\): x"):
        ops.max_unpool2d(x, indices, 2, 2, (1, 0))


# What they compute is held against PyTorch's in test_against_torch.py.
@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
def test_the_sizes_are_torchs():
    from torch import tensor
    from torch.nn import functional

    x, indices = np.ones((1, 1, 3, 4)), np.zeros((1, 1, 3, 4), int)
    refused = 0
    for size in [*np.ndindex(9, 12), None]:
        a = dict(kernel_size=(2, 3), stride=(3, 2), padding=1, output_size=size)
        try:
            expected = functional.max_unpool2d(tensor(x), tensor(indices), **a)
        except ValueError:
            refused += 1
            with pytest.raises(ValueError, match="output_size"):
                ops.max_unpool2d(Tensor(x), indices, **a)
        else:
            assert ops.max_unpool2d(Tensor(x), indices, **a).shape == expected.shape
    assert 0 < refused < 109


# ---- errors

WIDE = np.ones((2, 3, 2, 3), int)


@pytest.mark.parametrize(
    "error, words, indices",
    [
        (ValueError, r"shape \(2, 3, 2, 3\); .* \(2, 3, 2, 4\)", WIDE),
        (ValueError, r"holds 32; .* \(4, 8\) has pixels from 0 to 31", 32),
        (ValueError, r"holds -2; an output of \(H, W\)", -2),
        (TypeError, "whole numbers; its type is float64", 1.0),
        (TypeError, "whole numbers; its type is bool", True),
        (TypeError, "whole numbers; its type is list", [0]),
    ],
)
def test_bad_indices_are_refused(error, words, indices):
    if isinstance(indices, int | float):
        indices = np.full((2, 3, 2, 4), indices)
    with pytest.raises(error, match=words):
        ops.max_unpool2d(Tensor(np.ones((2, 3, 2, 4))), indices, 2)


def test_a_padding_that_leaves_nothing_is_told_with_the_sizes():
    x = Tensor(np.ones((1, 1, 1, 1)))
    with pytest.raises(ValueError, match="leaves nothing of the height") as refusal:
        ops.max_unpool2d(x, np.zeros(x.shape, int), 2, padding=((1, 1), (1, 1)))
    for words in ("(1, 1, 1, 1)", "kernel_size (2, 2)", "padding ((1, 1), (1, 1))"):
        assert words in str(refusal.value)


def test_bad_arrays_are_refused():
    indices = np.zeros((2, 3, 2, 4), int)
    with pytest.raises(ValueError, match=r"shape \(6, 5\); max_unpool2d needs"):
        ops.max_unpool2d(Tensor(np.ones((6, 5))), indices, 2)
    with pytest.raises(TypeError, match="max_unpool2d takes Tensors, and x is ndarray"):
        ops.max_unpool2d(np.ones((2, 3, 2, 4)), indices, 2)
    with pytest.raises(TypeError, match=r"x must be a Tensor of float32 .* int64"):
        ops.max_unpool2d(Tensor(indices), indices, 2)
