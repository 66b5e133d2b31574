"""Cross-entropy: definition, reductions, ignored pixels, gradients, planted faults."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minifcn import Tensor, arrays, ops
from minifcn.laws import GradientError, check_gradients
from minifcn.ops.softmax import REDUCTIONS, cross_entropy_definition
from tests.ops import cases


@st.composite
def classifications(draw):
    """Scores, labels (some ignored), weights or None, and the label to ignore."""
    rng, C = draw(cases.generators()), draw(st.integers(2, 6))
    shape = draw(st.integers(2, 3)), *draw(cases.unequal(1, 5))
    ignore = draw(st.sampled_from([255, 0, 1, -100]))
    kind = draw(st.sampled_from([np.uint8, np.int64])) if ignore >= 0 else np.int64
    target = rng.integers(0, C, shape).astype(kind)
    target[rng.random(shape) < 0.3] = ignore
    assume((target != ignore).any())
    x = 3 * rng.standard_normal((shape[0], C, *shape[1:]))
    weight = rng.uniform(0.2, 3, C) if draw(st.booleans()) else None
    return x, target, weight, ignore


def reduced(loss, target, weight, ignore, reduction):
    """The four reductions of the losses of single pixels, spelled out."""
    valid = target != ignore
    ones = np.ones(256) if weight is None else weight
    total = sum(ones[t] for t in target[valid])
    return {
        "none": loss,
        "sum": np.array(loss.sum()),
        "mean": np.array(loss.sum() / total),
        "batch": np.array(loss.sum() / len(target)),
    }[reduction]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@cases.FEW
@given(classifications(), cases.dtypes, cases.layouts)
def test_loss_equals_its_definition(reduction, drawn, dtype, layout):
    x, target, weight, ignore = drawn
    pixels = cross_entropy_definition(x, target, weight, ignore)
    (leaf,) = cases.tensors([x], dtype, layout)
    target = layout(target)
    target.flags.writeable = False
    y = ops.cross_entropy(leaf, target, weight, ignore, reduction)
    expected = reduced(pixels, target, weight, ignore, reduction)
    assert y.dtype == dtype
    assert y.shape == expected.shape
    np.testing.assert_allclose(
        y.data, expected, rtol=100 * cases.TOLERANCE[dtype], atol=1e-6
    )
    if dtype == "float64":
        np.testing.assert_allclose(y.data, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@cases.FEWEST
@given(classifications())
def test_gradient(reduction, drawn):
    x, target, weight, ignore = drawn
    check_gradients(
        lambda x: ops.cross_entropy(x, target, weight, ignore, reduction), [x]
    )


def test_by_hand():
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


def test_ignored_pixels_have_no_gradient_whatever_their_scores(rng):
    x = rng.normal(size=(2, 3, 4, 5))
    target = rng.integers(0, 3, (2, 4, 5))
    target[:, 1, 2:4] = 255
    x[:, :, 1, 2] = 1e4
    leaf = Tensor(x, requires_grad=True)
    ops.cross_entropy(leaf, target).backward()
    assert (leaf.grad[:, :, 1, 2:4] == 0).all()
    assert (leaf.grad[:, :, 0] != 0).all()
    np.testing.assert_allclose(leaf.grad.sum(axis=1), 0, atol=1e-15)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_without_a_valid_pixel_loss_and_gradient_are_zero(rng, reduction):
    leaf = Tensor(rng.normal(size=(2, 3, 4, 5)), requires_grad=True)
    loss = ops.cross_entropy(
        leaf, np.full((2, 4, 5), 255, np.uint8), None, 255, reduction
    )
    loss.backward(np.ones(loss.shape))
    assert (loss.data == 0).all()
    assert (leaf.grad == 0).all()


@pytest.mark.parametrize("dtype", cases.TOLERANCE)
def test_huge_scores_neither_overflow_nor_lose_the_loss(dtype):
    x = np.array([[[[1e4]], [[0.0]], [[-1e4]]]], dtype)
    leaf = Tensor(x, requires_grad=True)
    loss = ops.cross_entropy(leaf, np.array([[[1]]]))
    loss.backward()
    assert loss.item() == 1e4
    np.testing.assert_array_equal(leaf.grad.ravel(), [1, -1, 0])


def test_shifting_all_scores_changes_nothing(rng):
    x, target = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    shifted = x + rng.normal(size=(2, 1, 4, 5)) * 100
    np.testing.assert_allclose(
        ops.cross_entropy(Tensor(shifted), target).data,
        ops.cross_entropy(Tensor(x), target).data,
        rtol=1e-12,
    )


def test_sum_in_float32_of_a_large_image_is_exact_enough():
    """500 × 500 pixels of loss log 21: float32 alone would drift."""
    x = Tensor(np.zeros((1, 21, 500, 500), np.float32))
    loss = ops.cross_entropy(x, np.zeros((1, 500, 500), np.uint8), reduction="sum")
    assert loss.item() == pytest.approx(250_000 * math.log(21), rel=2e-7)


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_numbers(rng, threads):
    x, target = rng.normal(size=(5, 3, 4, 6)), rng.integers(0, 3, (5, 4, 6))
    results = []
    try:
        for count in (1, threads):
            arrays.set_threads(count)
            leaf = Tensor(x, requires_grad=True)
            loss = ops.cross_entropy(leaf, target)
            loss.backward()
            results.append((loss.data, leaf.grad))
    finally:
        arrays.set_threads(0)
    for one, several in zip(*results):
        np.testing.assert_array_equal(several, one)


# ---- planted faults


def mean_over_all(x, target, weight, ignore):
    total = ops.cross_entropy(x, target, weight, ignore, "sum")
    return total * (1.0 / target.size)


def ignored_counted(x, target, weight, ignore):
    labels = np.where(target == ignore, 0, target)
    return ops.cross_entropy(x, labels, weight, -1, "mean")


def sum_for_mean(x, target, weight, ignore):
    return ops.cross_entropy(x, target, weight, ignore, "sum")


def weights_forgotten(x, target, weight, ignore):
    return ops.cross_entropy(x, target, None, ignore, "mean")


def mean_over_the_number_of_pixels(x, target, weight, ignore):
    total = ops.cross_entropy(x, target, weight, ignore, "sum")
    return total * (1.0 / (target != ignore).sum())


def labels_transposed(x, target, weight, ignore):
    return ops.cross_entropy(x, target[::-1], weight, ignore, "mean")


FAULTS = [
    mean_over_all,
    ignored_counted,
    sum_for_mean,
    weights_forgotten,
    mean_over_the_number_of_pixels,
    labels_transposed,
]


@pytest.mark.parametrize("wrong", FAULTS)
def test_faults_of_the_value_are_caught(rng, wrong):
    x, target = rng.normal(size=(3, 4, 5, 6)), rng.integers(0, 4, (3, 5, 6))
    target[rng.random(target.shape) < 0.3] = 255
    weight = np.array([0.5, 2, 3, 0.1])
    pixels = cross_entropy_definition(x, target, weight, 255)
    expected = reduced(pixels, target, weight, 255, "mean")
    right = ops.cross_entropy(Tensor(x), target, weight)
    assert right.item() == pytest.approx(float(expected), rel=1e-12)
    assert abs(wrong(Tensor(x), target, weight, 255).item() - expected) > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, t: ops.cross_entropy(x, t) * 2.0 - ops.cross_entropy(x, t).detach(),
        lambda x, t: (
            ops.cross_entropy(x, np.where(t == 255, 0, t))
            + (
                ops.cross_entropy(x, t) - ops.cross_entropy(x, np.where(t == 255, 0, t))
            ).detach()
        ),
        lambda x, t: ops.cross_entropy(x.detach(), t) + x.sum() * 0.0,
    ],
)
def test_faults_of_the_gradient_are_caught(rng, wrong):
    x, target = rng.normal(size=(2, 3, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    target[0, 0] = 255
    with pytest.raises(GradientError):
        check_gradients(lambda x: wrong(x, target), [x])


# ---- errors


def loss(x=(2, 3, 4, 5), target=None, **arguments):
    target = np.zeros((2, 4, 5), int) if target is None else target
    return ops.cross_entropy(Tensor(np.zeros(x)), target, **arguments)


LABELS = np.zeros((2, 4, 5), int)


@pytest.mark.parametrize(
    "error, words, call",
    [
        (ValueError, r"target \(N, H, W\); their shapes are", lambda: loss((3, 4, 5))),
        (ValueError, "their shapes are", lambda: loss(target=LABELS[:1])),
        (ValueError, "their shapes are", lambda: loss(target=LABELS.swapaxes(1, 2))),
        (
            TypeError,
            "whole numbers; its type is float64",
            lambda: loss(target=LABELS * 1.0),
        ),
        (
            ValueError,
            r"target holds 3; it must be a class 0 … 2 or ignore_index = 255",
            lambda: loss(target=LABELS + 3),
        ),
        (
            ValueError,
            "target holds -1, 7;",
            lambda: loss(target=np.where(np.arange(5) > 2, 7, LABELS - 1)),
        ),
        (
            ValueError,
            "target holds 255; .* ignore_index = 0",
            lambda: loss(target=LABELS + 255, ignore_index=0),
        ),
        (
            ValueError,
            "reduction is 'total'; it must be one of",
            lambda: loss(reduction="total"),
        ),
        (
            ValueError,
            r"weight has shape \(4,\); 3 classes need \(3,\)",
            lambda: loss(weight=np.ones(4)),
        ),
    ],
)
def test_bad_input_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call()


def test_whole_number_scores_are_refused():
    with pytest.raises(TypeError, match="x must be a Tensor of float32"):
        ops.cross_entropy(Tensor(np.zeros((2, 3, 4, 5), int)), LABELS)
