"""Enlargement channel by channel: what fits it, and the plain way's numbers."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import Tensor, arrays, nn, ops
from minifcn.laws import check_gradients
from minifcn.ops import convolution, diagonal
from minifcn.ops.convolution import conv_transpose2d_definition
from tests.ops import common


@pytest.fixture(autouse=True)
def thread_count():
    yield
    arrays.set_threads(0)


def weight_of(kernels, groups=1):
    """(C, KH, KW), the kernel of each channel → (C, C / groups, KH, KW)."""
    C = len(kernels)
    w = np.zeros((C, C // groups, *kernels.shape[1:]), kernels.dtype)
    for c in range(C):
        w[c, c % (C // groups)] = kernels[c]
    return w


def outer_products(rng, C, KH, KW):
    """A different one for each channel, with negative numbers."""
    rows, cols = rng.normal(size=(C, KH, 1)), rng.normal(size=(C, 1, KW))
    return rows * cols


sides = st.integers(1, 4)


@st.composite
def enlargements(draw):
    """(x, weight, arguments of conv_transpose2d): of any geometry that it takes."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    groups = draw(st.sampled_from([1, 2, 4]))
    KH, KW, SH, SW, DH, DW = (draw(sides) for _ in range(6))
    H, W = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    # What falls away above and below, before an output of no row would be left.
    tall, wide = (H - 1) * SH + DH * (KH - 1), (W - 1) * SW + DW * (KW - 1)
    top, left = draw(st.integers(0, min(3, tall))), draw(st.integers(0, min(3, wide)))
    bottom = draw(st.integers(0, min(3, tall - top)))
    right = draw(st.integers(0, min(3, wide - left)))
    more = draw(st.integers(0, max(SH, DH) - 1)), draw(st.integers(0, max(SW, DW) - 1))
    arguments = dict(
        stride=(SH, SW),
        padding=((top, bottom), (left, right)),
        output_padding=more,
        dilation=(DH, DW),
        groups=groups,
    )
    # Some channels have the kernel of their neighbour.
    some = draw(
        st.sampled_from([[0, 1, 2, 3], [0, 0, 1, 1], [0, 1, 1, 0], [2, 2, 2, 2]])
    )
    w = weight_of(outer_products(rng, 4, KH, KW)[some], groups)
    return rng.normal(size=(2, 4, H, W)), w, arguments


@given(enlargements(), common.dtypes)
@common.FEW
def test_the_same_as_the_plain_way(case, dtype):
    x, w, arguments = case
    results = []
    for fits in (diagonal.fits, lambda w, groups: False):
        with mock.patch.object(diagonal, "fits", fits):
            x_, w_ = common.tensors([x, w], dtype)
            y = ops.conv_transpose2d(x_, w_, **arguments)
            y.backward(common.upstream(y))
        results.append((y.data, x_.grad, w_.grad))
    assert diagonal.fits(w.astype(dtype), arguments["groups"])
    for ours, plain in zip(*results, strict=True):
        common.close(ours, plain, dtype)


def test_the_same_as_the_definition(rng):
    x, w = rng.normal(size=(2, 3, 4, 5)), weight_of(outer_products(rng, 3, 3, 4))
    geometry = dict(stride=(2, 3), padding=((1, 0), (0, 2)), output_padding=(1, 0))
    y = ops.conv_transpose2d(*common.tensors([x, w]), **geometry)
    common.close(y.data, conv_transpose2d_definition(x, w, **geometry))
    check_gradients(lambda x: ops.conv_transpose2d(x, Tensor(w), **geometry), [x])


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 16, 32])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bilinear_enlargements_fit(factor, dtype):
    k = 2 * factor - factor % 2
    kernel = ops.bilinear_kernel(k, dtype)
    assert diagonal.fits(weight_of(np.stack([kernel] * 5)), 1)


def unfit(rng):
    """Weights just beside those that fit."""
    kernels = outer_products(rng, 4, 3, 4)
    between, apart, nan = (weight_of(kernels) for _ in range(3))
    between[2, 1, 0, 3] = 1e-9  # from one channel to another
    apart[1, 1, 2, 0] *= 1.001  # no outer product any more
    nan[3, 3, 0, 0] = np.nan
    return {
        "between channels": (between, 1),
        "no outer product": (apart, 1),
        "not a number": (nan, 1),
        "more outputs": (np.zeros((4, 5, 3, 4)), 1),
        "in another group": (weight_of(kernels)[:, ::-1][:, :2], 2),
    }


@pytest.mark.parametrize("name", unfit(np.random.default_rng(0)))
def test_what_does_not_fit_goes_the_plain_way(rng, name):
    w, groups = unfit(rng)[name]
    assert not diagonal.fits(w, groups)
    x, w = common.tensors([rng.normal(size=(1, 4, 3, 2)), w])
    with mock.patch.object(diagonal, "enlarge", side_effect=AssertionError):
        y = ops.conv_transpose2d(x, w, groups=groups, stride=2)
    plain = conv_transpose2d_definition(x.data, w.data, groups=groups, stride=2)
    np.testing.assert_allclose(y.data, plain, rtol=1e-12)


def test_all_zeros_fit_and_give_zeros():
    x, w = common.tensors([np.ones((1, 3, 2, 5)), np.zeros((3, 3, 4, 2))])
    y = ops.conv_transpose2d(x, w, stride=3)
    np.testing.assert_array_equal(y.data, np.zeros((1, 3, 7, 14)))


def test_any_number_of_threads_gives_the_same_digits(rng):
    x, w = rng.normal(size=(2, 5, 40, 61)), nn.bilinear((5, 5, 16, 16))
    found = []
    for count in (1, 3):
        arrays.set_threads(count)
        x_, w_ = common.tensors([x, w], "float32")
        y = ops.conv_transpose2d(x_, w_, stride=8)
        y.backward(common.upstream(y))
        found.append((y.data, x_.grad))
    for one, three in zip(*found, strict=True):
        np.testing.assert_array_equal(one, three)


def test_an_enlargement_multiplies_no_channel_with_another(rng):
    """That of FCN-8s goes the short way, forward and backward."""
    x = Tensor(rng.normal(size=(1, 21, 9, 8)).astype("float32"), requires_grad=True)
    never = dict(side_effect=AssertionError)
    with (
        mock.patch.object(convolution, "convolve_input", **never),
        mock.patch.object(convolution, "convolve", **never),
    ):
        nn.Upsample(21, 8)(x).sum().backward()
    assert x.grad.all()
