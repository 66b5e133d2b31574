"""Softmax, its logarithm and the losses: by hand, extremes, any axes, bad input."""

import importlib
import math
from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, arrays, ops
from minifcn.laws import check_gradients
from minifcn.ops import definitions
from minifcn.ops.softmax import REDUCTIONS
from tests.ops import common

MODULE = importlib.import_module("minifcn.ops.softmax")  # ops.softmax: the function
SOFTMAXES, LOSSES = ["softmax", "log_softmax"], ["nll_loss", "cross_entropy"]


# ---- softmax and log_softmax


def test_softmax_by_hand():
    """Odds of 1 : 2 : 5 are probabilities of 1/8, 1/4 and 5/8."""
    p = np.array([[[1.0], [2], [5]]]) / 8
    x = Tensor(np.log(8 * p), requires_grad=True)
    y = ops.softmax(x)
    np.testing.assert_allclose(y.data, p, rtol=1e-15)
    np.testing.assert_allclose(ops.log_softmax(x).data, np.log(p), rtol=1e-15)
    np.testing.assert_allclose(definitions.softmax(x.data), p, rtol=1e-15)
    np.testing.assert_allclose(definitions.log_softmax(x.data), np.log(p), rtol=1e-15)
    y.backward(np.array([[[8.0], [0], [0]]]))
    # 8 · p_1 · ((c = 1) − p_c)
    np.testing.assert_allclose(x.grad.ravel(), [7 / 8, -2 / 8, -5 / 8])


@pytest.mark.parametrize("name", SOFTMAXES)
@pytest.mark.parametrize("dim", range(-5, 5))
def test_softmax_of_five_axes(rng, name, dim):
    x = rng.normal(size=(2, 3, 1, 4, 2))
    y = getattr(ops, name)(Tensor(x), dim)
    common.close(y.data, getattr(definitions, name)(x, dim))


@pytest.mark.parametrize("dtype", common.TOLERANCE)
@pytest.mark.parametrize("where", [ops, definitions])
def test_softmax_of_huge_scores_does_not_overflow(dtype, where):
    x = np.array([[1e4, 0, -1e4]], dtype)
    x = Tensor(x) if where is ops else x
    p, log_p = (np.asarray(getattr(y, "data", y)) for y in both(where, x))
    np.testing.assert_array_equal(p, [[1, 0, 0]])
    np.testing.assert_array_equal(log_p, [[0, -1e4, -2e4]])


def both(where, x):
    return where.softmax(x), where.log_softmax(x)


def test_score_of_minus_infinity_is_probability_0():
    x = Tensor(np.array([[-np.inf, 0, 0]]), requires_grad=True)
    p, log_p = both(ops, x)
    np.testing.assert_array_equal(p.data, [[0, 0.5, 0.5]])
    np.testing.assert_allclose(log_p.data, [[-np.inf, -math.log(2), -math.log(2)]])
    p.backward(np.array([[1.0, 2, 4]]))
    np.testing.assert_allclose(x.grad, [[0, -0.5, 0.5]])
    x.grad = None
    log_p.backward(np.array([[1.0, 2, 4]]))  # gy_c − p_c · 7
    np.testing.assert_allclose(x.grad, [[1, -1.5, 0.5]])


@pytest.mark.parametrize("name", SOFTMAXES)
def test_no_rows_give_none(name):
    x = Tensor(np.zeros((0, 3, 4), np.float32), requires_grad=True)
    y = getattr(ops, name)(x)
    y.backward(np.zeros((0, 3, 4)))
    assert y.shape == x.grad.shape == (0, 3, 4)
    assert y.dtype == np.float32


# ---- the losses


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["uint8", "int16", "int32", "uint64"])
def test_labels_may_be_of_any_whole_numbers(rng, name, kind):
    x, target = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    target[0, 1:3] = 255
    y = getattr(ops, name)(Tensor(x), target.astype(kind))
    common.close(y.data, getattr(definitions, name)(x, target))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [(), (5,), (4, 5), (2, 4, 3)])
def test_any_axes_stand_for_height_and_width(rng, name, size):
    x, target = rng.normal(size=(7, 3, *size)), rng.integers(0, 3, (7, *size))
    loss, definition = getattr(ops, name), getattr(definitions, name)
    for reduction in REDUCTIONS:
        y = loss(Tensor(x), target, reduction=reduction)
        common.close(y.data, definition(x, target, reduction=reduction))
    check_gradients(lambda x: loss(x, target, reduction="none"), [x])


@pytest.mark.parametrize("name", LOSSES)
def test_target_and_weight_may_be_tensors_or_lists(rng, name):
    x, target, weight = rng.normal(size=(2, 3, 1, 2)), [[[0, 2]], [[1, 1]]], [1, 2, 4]
    loss, plain = getattr(ops, name), (np.array(target), np.array(weight, float))
    expected = getattr(definitions, name)(x, *plain)
    common.close(loss(Tensor(x), target, weight).data, expected)
    common.close(loss(Tensor(x), *map(Tensor, plain)).data, expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_no_image_has_no_loss(name, reduction):
    x = Tensor(np.zeros((0, 3, 4, 5), np.float32), requires_grad=True)
    target = np.zeros((0, 4, 5), int)
    y = getattr(ops, name)(x, target, reduction=reduction)
    y.backward(np.ones(y.shape))
    expected = getattr(definitions, name)(x.data, target, reduction=reduction)
    common.close(y.data, expected, "float32")
    assert x.grad.shape == x.shape


def test_nll_loss_by_hand():
    """−w · x of the class asked for: 5 · 2, 3 · 4; the last pixel is ignored."""
    x = -np.arange(1.0, 13).reshape(1, 4, 1, 3)  # −1 −2 −3; −4 −5 −6; …
    target, weight = np.array([[[1, 0, 255]]]), np.array([3.0, 5, 1, 7])
    leaf = Tensor(x, requires_grad=True)
    for reduction, expected in [
        ("none", [[[20, 6, 0]]]),
        ("sum", 26),
        ("batch", 26),
        ("mean", 26 / 8),
    ]:
        y = ops.nll_loss(leaf, target, weight, reduction=reduction)
        np.testing.assert_allclose(y.data, expected)
        told = definitions.nll_loss(x, target, weight, reduction=reduction)
        np.testing.assert_allclose(told, expected)
    y.backward()
    expected = np.zeros((4, 3))
    expected[1, 0], expected[0, 1] = -5 / 8, -3 / 8
    np.testing.assert_allclose(leaf.grad[0, :, 0], expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_may_have_scores_of_minus_infinity(name, reduction):
    x = np.array([[[[-np.inf, 1]], [[0, 2]]]])  # (1, 2, 1, 2)
    leaf, target = Tensor(x, requires_grad=True), np.array([[[255, 1]]])
    y = getattr(ops, name)(leaf, target, reduction=reduction)
    expected = getattr(definitions, name)(x, target, reduction=reduction)
    np.testing.assert_allclose(y.data, expected)
    y.backward(np.ones(y.shape))
    assert (leaf.grad[..., 0] == 0).all()
    assert (leaf.grad[:, 1, :, 1] < 0).all()


def test_cross_entropy_by_hand():
    """Equal scores of C classes cost log C; weights and the ignored count as told."""
    x = Tensor(np.zeros((1, 4, 1, 3)))
    target, weight = np.array([[[0, 2, 255]]]), np.array([1.0, 5, 3, 7])
    log4 = math.log(4)
    for reduction, plain, weighted in [
        ("sum", 2 * log4, 4 * log4),
        ("mean", log4, log4),
        ("batch", 2 * log4, 4 * log4),
    ]:
        assert ops.cross_entropy(
            x, target, reduction=reduction
        ).item() == pytest.approx(plain)
        loss = ops.cross_entropy(x, target, weight, reduction=reduction)
        assert loss.item() == pytest.approx(weighted)
    none = ops.cross_entropy(x, target, weight, reduction="none")
    np.testing.assert_allclose(none.data, [[[log4, 3 * log4, 0]]])


@pytest.mark.parametrize("dtype", common.TOLERANCE)
def test_huge_scores_neither_overflow_nor_lose_the_loss(dtype):
    x = np.array([[[[1e4]], [[0.0]], [[-1e4]]]], dtype)
    leaf = Tensor(x, requires_grad=True)
    loss = ops.cross_entropy(leaf, np.array([[[1]]]))
    loss.backward()
    assert loss.item() == 1e4
    np.testing.assert_array_equal(leaf.grad.ravel(), [1, -1, 0])


def test_sum_in_float32_of_a_large_image_is_exact_enough():
    """500 × 500 pixels of loss log 21: float32 alone would drift."""
    x = Tensor(np.zeros((1, 21, 500, 500), np.float32))
    loss = ops.cross_entropy(x, np.zeros((1, 500, 500), np.uint8), reduction="sum")
    assert loss.item() == pytest.approx(250_000 * math.log(21), rel=2e-7)


@pytest.mark.parametrize("piece", [1, 3 * 4 * 6, 2 * 4 * 5 * 6])
@pytest.mark.parametrize("size", [(5, 6), (1, 6), (5,), (3, 2, 4), ()])
def test_pieces_of_any_size_give_the_same_numbers(rng, piece, size):
    """A row at a time, some rows, some images; from a part of a larger map."""
    larger = rng.normal(size=(5, 4, *(n + 1 for n in size)))
    x = larger[:, :, *(slice(n) for n in size)]
    target = rng.integers(0, 4, (5, *size))
    target[rng.random(target.shape) < 0.3] = 255

    def loss(x):
        return ops.cross_entropy(x, target, reduction="none")

    with mock.patch.object(MODULE, "PIECE", piece):
        (tensor,) = common.tensors([x], layout=lambda x: x)
        expected = definitions.cross_entropy(x, target, reduction="none")
        common.close(loss(tensor).data, expected)
        check_gradients(loss, [x])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_numbers(rng, threads):
    x, target = rng.normal(size=(5, 3, 4, 6)), rng.integers(0, 3, (5, 4, 6))
    whole, cut = (Tensor(x, requires_grad=True) for _ in range(2))
    y = ops.cross_entropy(whole, target, reduction="none")
    arrays.set_threads(threads)
    try:
        with mock.patch.object(MODULE, "PIECE", 2 * 3 * 4 * 6):  # two images
            z = ops.cross_entropy(cut, target, reduction="none")
    finally:
        arrays.set_threads(0)
    gy = rng.normal(size=y.shape)
    y.backward(gy)
    z.backward(gy)
    np.testing.assert_array_equal(z.data, y.data)
    np.testing.assert_array_equal(cut.grad, whole.grad)


# ---- errors


LABELS = np.zeros((2, 4, 5), int)
NAN = float("nan")


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    "error, words, arguments",
    [
        (
            ValueError,
            r"target \(N, H, W\), or .* shapes are \(3, 4, 5\) and \(2, 4, 5\)",
            dict(x=(3, 4, 5)),
        ),
        (ValueError, r"shapes are \(3,\) and \(\)", dict(x=(3,), target=0)),
        (ValueError, r"shapes are \(\) and \(\)", dict(x=(), target=0)),
        (
            ValueError,
            r"all but N 1 or more; their shapes are \(2, 0, 4, 5\) and",
            dict(x=(2, 0, 4, 5)),
        ),
        (
            ValueError,
            r"shapes are \(2, 3, 0, 5\)",
            dict(x=(2, 3, 0, 5), target=LABELS[:, :0]),
        ),
        (ValueError, "their shapes are", dict(target=LABELS[:1])),
        (ValueError, "their shapes are", dict(target=LABELS.swapaxes(1, 2))),
        (TypeError, "whole numbers; its type is float64", dict(target=LABELS * 1.0)),
        (TypeError, "whole numbers; its type is bool", dict(target=LABELS > 0)),
        (
            ValueError,
            r"target holds 3; it must be a class 0 … 2 or ignore_index = 255 "
            r"\(x has shape \(2, 3, 4, 5\), target \(2, 4, 5\)\)",
            dict(target=LABELS + 3),
        ),
        (
            ValueError,
            "target holds -1, 7;",
            dict(target=np.where(np.arange(5) > 2, 7, LABELS - 1)),
        ),
        (
            ValueError,
            "target holds 255; .* ignore_index = 0",
            dict(target=LABELS + 255, ignore_index=0),
        ),
        (TypeError, "ignore_index must be an integer", dict(ignore_index=255.0)),
        (ValueError, "reduction is 'total'; it must be one", dict(reduction="total")),
        (
            ValueError,
            r"weight has shape \(4,\); 3 classes need \(3,\) \(x has shape \(2, 3,",
            dict(weight=np.ones(4)),
        ),
        (ValueError, r"weight has shape \(\);", dict(weight=2.0)),
        (TypeError, "weight must hold real .* is complex", dict(weight=[1, 2, 3j])),
        (TypeError, "weight must hold real .* is bool", dict(weight=[True] * 3)),
        (ValueError, "weight holds -1.0; each of the 3", dict(weight=[1, 2, -1.0])),
        (ValueError, "weight holds nan; each", dict(weight=[1, NAN, 2])),
        (
            ValueError,
            r"weight holds 1e\+300; each of the 3 must be a finite number of float32",
            dict(weight=[1e300, 1, 2], dtype=np.float32),
        ),
        (ValueError, "weight holds inf; each", dict(weight=[np.inf, 1, 2])),
    ],
)
def test_bad_input_of_the_losses_is_refused(name, error, words, arguments):
    arguments = {"x": (2, 3, 4, 5), "target": LABELS} | arguments
    x = np.zeros(arguments.pop("x"), arguments.pop("dtype", np.float64))
    with pytest.raises(error, match=words):
        getattr(ops, name)(Tensor(x), **arguments)


@pytest.mark.parametrize("name", SOFTMAXES)
@pytest.mark.parametrize(
    "error, words, shape, dim",
    [
        (ValueError, r"dim is 4; x of shape \(2, 3, 4, 5\) .* -4 … 3", (2, 3, 4, 5), 4),
        (ValueError, r"dim is -2; x of shape \(3,\) has the axes -1 … 0", (3,), -2),
        (TypeError, "dim must be an integer, not 1.0", (2, 3), 1.0),
        (TypeError, "dim must be an integer, not True", (2, 3), True),
        (TypeError, "dim must be an integer, not None", (2, 3), None),
        (ValueError, r"x has shape \(\); (log_)?softmax needs one axis", (), 0),
        (ValueError, r"x of shape \(2, 0\) has size 0 along dim = 1", (2, 0), 1),
    ],
)
def test_bad_input_of_softmax_is_refused(name, error, words, shape, dim):
    with pytest.raises(error, match=words):
        getattr(ops, name)(Tensor(np.zeros(shape)), dim)


@pytest.mark.parametrize(
    "name, rest", [(n, [LABELS]) for n in LOSSES] + [(n, []) for n in SOFTMAXES]
)
def test_only_tensors_of_floats_are_taken(name, rest):
    x = np.zeros((2, 3, 4, 5))
    with pytest.raises(TypeError, match="x must be a Tensor of float32"):
        getattr(ops, name)(Tensor(x.astype(int)), *rest)
    with pytest.raises(TypeError, match=rf"{name} takes Tensors, and x is ndarray"):
        getattr(ops, name)(x, *rest)


# ---- without looking at the target


@pytest.mark.parametrize("loss", [ops.nll_loss, ops.cross_entropy])
@pytest.mark.parametrize("wrong", [-1, 3, 1 << 40])
def test_a_class_that_there_is_not_spoils_the_loss_on_a_device(loss, wrong):
    try:
        arrays.check_device("emulated")
    except ValueError as error:
        pytest.skip(str(error))
    x = Tensor(arrays.to_device(np.ones((2, 3, 2, 5)), "emulated"))
    target = np.zeros((2, 2, 5), np.int64)
    target[1, 0, 4] = wrong
    there = arrays.to_device(target, "emulated")
    assert np.isnan(loss(x, there, check=False).item())
    assert loss(x, there, ignore_index=wrong, check=False).item() == pytest.approx(
        loss(x, arrays.to_device(target * 0, "emulated")).item()
    )
    with pytest.raises(ValueError, match=f"target holds {wrong}; it must be a class"):
        loss(x, there)
    with pytest.raises(ValueError, match=f"target holds {wrong}; it must be a class"):
        loss(Tensor(x.data.get()), target, check=False)  # the CPU waits for nobody


@pytest.mark.parametrize("device, check", [("cpu", False), ("emulated", True)])
def test_a_weight_that_is_none_is_refused(device, check):
    try:
        arrays.check_device(device)
    except ValueError as error:
        pytest.skip(str(error))
    x = Tensor(arrays.to_device(np.ones((2, 3, 2, 5)), device))
    target = arrays.to_device(np.zeros((2, 2, 5), np.int64), device)
    weight = arrays.to_device(np.array([1.0, -2.0, 3.0]), device)
    with pytest.raises(ValueError, match=r"weight holds -2\.0"):
        ops.cross_entropy(x, target, weight, check=check)
