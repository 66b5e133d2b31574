"""Products in pieces: the same as whole ones, and small enough for BLAS."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import arrays
from minifcn.ops import matrices

from . import common

sides = st.integers(1, 13)
lengths = st.integers(1, 200)
stacks = st.sampled_from([(), (3,), (2, 3)])


@contextmanager
def cutting(work=60, least=1, tile=4):
    """Cut even the smallest products, on any processor."""
    with (
        mock.patch.multiple(matrices, WORK=work, LEAST=least, TILE=tile),
        mock.patch.object(matrices, "reads_in_place", return_value=True),
    ):
        yield


def whole_numbers(shape, layout=np.ascontiguousarray, dtype=np.float32):
    """Of which all sums are exact, so that their order does not matter."""
    numbers = np.random.default_rng(len(shape)).integers(-9, 10, shape)
    return layout(numbers.astype(dtype))


def filled(function, a, b, shape):
    """What the function makes of an array, and the shapes of its products."""
    out = np.full(shape, np.nan, a.dtype)
    with mock.patch.object(matrices.np, "matmul", wraps=np.matmul) as matmul:
        function(a, b, out)
    return out, [call.kwargs["out"].shape for call in matmul.call_args_list]


@common.FEW
@given(stacks, sides, sides, lengths, common.layouts, common.dtypes)
def test_multiply(stack, M, K, N, layout, dtype):
    a = whole_numbers((M, K), dtype=dtype)
    b = whole_numbers((*stack, K, N), layout, dtype)
    with cutting():
        out, _ = filled(matrices.multiply, a, b, (*stack, M, N))
    np.testing.assert_array_equal(out, a @ b)


@common.FEW
@given(stacks, sides, lengths, sides, common.layouts, common.dtypes)
def test_multiply_transposed(stack, M, K, N, layout, dtype):
    a = whole_numbers((*stack, M, K), layout, dtype)
    b = whole_numbers((*stack, N, K), layout, dtype)
    with cutting():
        out, _ = filled(matrices.multiply_transposed, a, b, (*stack, M, N))
    np.testing.assert_array_equal(out, a @ b.swapaxes(-1, -2))


def test_pieces_are_small_enough_and_hardly_more_than_needed():
    a, b = whole_numbers((3, 5)), whole_numbers((5, 23))
    with cutting(work=90):  # six columns of 3 · 5
        _, shapes = filled(matrices.multiply, a, b, (3, 23))
    assert shapes == [(4, 3, 5), (3, 3)]  # four of five columns, and three left over
    a, b = whole_numbers((6, 47)), whole_numbers((10, 47))
    with cutting(work=90):  # 3 × 3 … 4 × 4 numbers of a tile
        _, shapes = filled(matrices.multiply_transposed, a, b, (6, 10))
    assert shapes == [(6, 10)]  # ten have no three equal parts of up to four
    b = whole_numbers((8, 47))
    with cutting(work=90):  # 3 × 4 numbers of a tile, seven terms
        _, shapes = filled(matrices.multiply_transposed, a, b, (6, 8))
    assert shapes == [(7, 2, 2, 3, 4)]


def test_nothing_is_cut_where_a_piece_would_be_too_thin():
    a, b = whole_numbers((3, 5)), whole_numbers((5, 23))
    with cutting(work=90, least=7):
        assert filled(matrices.multiply, a, b, (3, 23))[1] == [(3, 23)]


def test_nothing_is_cut_where_blas_packs_all():
    with (
        cutting(),
        mock.patch.object(matrices, "reads_in_place", return_value=False),
    ):
        a, b = whole_numbers((3, 5)), whole_numbers((5, 23))
        assert filled(matrices.multiply, a, b, (3, 23))[1] == [(3, 23)]
        a, b = whole_numbers((3, 50)), whole_numbers((4, 50))
        assert filled(matrices.multiply_transposed, a, b, (3, 4))[1] == [(3, 4)]


@pytest.mark.parametrize(
    "kernels, direct", [("SkylakeX", True), ("Haswell", False), ("", False)]
)
def test_the_kernels_that_read_in_place(kernels, direct):
    with mock.patch.object(matrices, "blas_kernels", return_value=kernels):
        assert matrices.reads_in_place.__wrapped__() is direct


def test_blas_tells_its_kernels_or_nothing():
    assert isinstance(arrays.blas_kernels(), str)
    with mock.patch.object(arrays, "_blas") as blas:
        blas().info.return_value = []  # one that threadpoolctl does not know
        assert arrays.blas_kernels() == ""


@pytest.mark.parametrize("way", ["bands", "winograd"])
def test_laws_of_convolution_hold_in_pieces(way):
    """Of a few numbers each, whatever BLAS there is."""
    with common.using(way), cutting(work=40, tile=2):
        common.hold("conv2d")
