"""What is true of softmax, its logarithm, and the losses made of them.

Softmax turns scores into probabilities: differences of scores are logarithms of odds,
so a number added to all scores changes nothing. The losses add up over pixels that do
not see each other, and what is ignored has no part in them.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from .cases import Case, eighths, images, seeds, unequal
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .sources import LONG
from .statement import Difference, equal, inner, law

BRIDLE = "Bridle 1990"
CAFFE = "Caffe, softmax_loss_layer.cpp"

Body = Callable[[Implementation, Case], None]

# ---- cases


@st.composite
def scores(draw: st.DrawFn, operator: str) -> Case:
    """Draw scores x (N, C, H, W), and the axis of the classes or none."""
    case = draw(images(operator, eighths))  # moderate: exp of ±3
    # not 0: images do not meet
    dim = draw(st.sampled_from((None, 1, 2, 3, -1, -2, -3)))
    return replace(case, arguments={} if dim is None else {"dim": dim})


@st.composite
def losses(draw: st.DrawFn, operator: str) -> Case:
    """Draw x (N, C, H, W), target (N, H, W) with pixels to ignore, weights or none."""
    # size: (H, W)
    (C, N), size, seed = draw(unequal(1, 4)), draw(unequal(1, 4)), draw(seeds())
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {
        # 0 is a class, too
        "ignore_index": draw(st.sampled_from((None, None, -1, 77, 0))),
        # (C,), exact; 0 leaves a class out
        "weight": rng.integers(0, 9, C) / 4 if draw(st.booleans()) else None,
        "reduction": draw(st.sampled_from((None, "mean", "sum", "batch", "none"))),
    }
    arguments = {name: value for name, value in given.items() if value is not None}
    ignored, classes = arguments.get("ignore_index", 255), list(range(C))
    # some, none or all of the pixels are ignored
    labels = draw(st.sampled_from(([*classes, ignored], classes, [ignored])))
    x, target = eighths(rng, (N, C, *size)), rng.choice(labels, (N, *size))
    return Case(operator, {"x": x, "target": target}, arguments, seed)


for _name in ("softmax", "log_softmax"):
    judge(Operator(_name, scores(_name), source=BRIDLE))
judge(Operator("nll_loss", losses("nll_loss"), ("x",), by_image=()))
judge(Operator("cross_entropy", losses("cross_entropy"), by_image=(), source=CAFFE))


def of_both(
    operators: tuple[str, str], formula: str, source: str = ""
) -> Callable[[Body], Body]:
    """Make a law of each of two operators from the function below."""
    cases = scores if "softmax" in operators else losses

    def register(body: Body) -> Body:
        for name in operators:
            law(name, cases(name), formula.replace("f(", f"{name}("), source)(body)
        return body

    return register


SOFTMAXES = ("softmax", "log_softmax")
LOSSES = ("nll_loss", "cross_entropy")

# ---- softmax and log_softmax


def _dim(case: Case) -> int:
    return case.arguments.get("dim", 1)


def _row(case: Case) -> tuple[int, ...]:
    """Return the shape of one number for each row of classes."""
    shape = list(case.x.shape)
    shape[_dim(case)] = 1
    return tuple(shape)


@of_both(SOFTMAXES, "f(x + k) = f(x) where k is the same for all classes")
def a_shift_of_all_scores_changes_nothing(ops: Implementation, case: Case) -> None:
    """Only differences count, of each pixel by itself; so the largest may be taken."""
    y, x = call(ops, case), case.x + case.another(_row(case), 1)
    equal(call(ops, case, x=x), y, "y of the shifted scores")
    v = case.another(y)
    g = pull_back(ops, case, v)["x"]
    equal(pull_back(ops, case, v, x=x)["x"], g, "the gradient of the shifted scores")
    total = g.sum(axis=_dim(case))  # softmax: along (1, …, 1) nothing changes
    equal(total, np.zeros_like(total), "Σ over c of the gradient")


@of_both(SOFTMAXES, "f(x[π]) = f(x)[π]")
def classes_have_no_order(ops: Implementation, case: Case) -> None:
    """Their number is a name and no more: exchanged before or after."""
    dim = _dim(case)
    order = np.random.default_rng(case.seed).permutation(case.x.shape[dim])  # (C,)
    y, x = call(ops, case), np.take(case.x, order, dim)
    equal(call(ops, case, x=x), np.take(y, order, dim), "y of exchanged classes")
    v = case.another(y)
    came = pull_back(ops, case, np.take(v, order, dim), x=x)["x"]
    expected = np.take(pull_back(ops, case, v)["x"], order, dim)
    equal(came, expected, "the gradient of exchanged classes")


@of_both(SOFTMAXES, "f(x, dim) along an axis = f(x moved to axis 1), moved back")
def any_axis_holds_the_classes(ops: Implementation, case: Case) -> None:
    """Axis 1 where none is named; arrays of any rank."""
    dim, run = _dim(case), getattr(ops, case.operator)
    y = call(ops, case)
    rows = np.moveaxis(case.x, dim, -1)
    rows = rows.reshape(-1, rows.shape[-1])  # (pixels, classes)
    expected = np.moveaxis(y, dim, -1).reshape(rows.shape)
    equal(run(rows), expected, "y of a table")
    # (classes, pixels)
    equal(run(rows.T, dim=0), expected.T, "y of a table, classes on axis 0")
    equal(run(rows[0], dim=-1), expected[0], "y of a single row")


def _largest(x: np.ndarray, dim: int) -> np.ndarray:
    """Return where the largest scores are, as fractions that sum to 1."""
    won = x == x.max(axis=dim, keepdims=True)  # several, where equal
    return won / won.sum(axis=dim, keepdims=True)


def _huge(case: Case) -> np.ndarray:
    """Return scores −1e4, 0 and 1e4 of x's shape."""
    # thirds of each, so that ties occur
    return 1e4 * np.sign(np.trunc(case.another(case.x, 3) / 4))


@of_both(SOFTMAXES, "f(x) is exact for scores of ±1e4")
def huge_scores_do_not_overflow(ops: Implementation, case: Case) -> None:
    """exp(1e4) is no float: the m largest share the probability, 1/m each."""
    dim, x = _dim(case), _huge(case)
    p = _largest(x, dim)  # the rest have exp(−1e4) = 0, exactly
    log_p = x - x.max(axis=dim, keepdims=True) + np.log(p.max(axis=dim, keepdims=True))
    y, v = call(ops, case, x=x), case.another(x)
    gx = pull_back(ops, case, v, x=x)["x"]
    if case.operator == "softmax":
        equal(y, p)
        # Jᵀv, J = diag(p) − p·pᵀ
        expected = p * (v - (p * v).sum(axis=dim, keepdims=True))
    else:
        equal(y, log_p)
        expected = v - p * v.sum(axis=dim, keepdims=True)  # Jᵀv, J = 1 − (1, …, 1)·pᵀ
    equal(gx, expected, "the gradient of x")


@law("softmax", scores("softmax"), "Σ over c of y_c = 1, y > 0", BRIDLE)
def it_gives_probabilities(ops: Implementation, case: Case) -> None:
    """Whatever the scores; of a single class, 1."""
    y = call(ops, case)
    equal(y.sum(axis=_dim(case), keepdims=True), np.ones(_row(case)), "Σ y")
    if not (y > 0).all():
        raise Difference(f"y has a smallest value of {y.min()}, expected y > 0")


@law("softmax", scores("softmax"), "y_i / y_j = exp(x_i − x_j)", BRIDLE)
def differences_of_scores_are_odds(ops: Implementation, case: Case) -> None:
    """A score that is larger by 1 makes e times as likely; and larger stays larger."""
    y, dim = np.moveaxis(call(ops, case), _dim(case), 0), _dim(case)  # (C, …)
    x = np.moveaxis(case.x, dim, 0)
    # the odds against the first class
    equal(np.log(y / y[:1]), x - x[:1], "log(y / y_0)")
    larger = x[:, None] > x[None]  # every class and every other
    if not (y[:, None] > y[None])[larger].all():
        raise Difference(f"a larger score has no larger probability: x = {x}, y = {y}")


@law("softmax", scores("softmax"), "∂y_i / ∂x_j = y_i·((i = j) − y_j) = ∂y_j / ∂x_i")
def its_jacobian_is_symmetric(ops: Implementation, case: Case) -> None:
    """What score i does to probability j, score j does to probability i."""
    y, dim = call(ops, case), _dim(case)
    v, w = case.another(y, 1), case.another(y, 2)
    g = pull_back(ops, case, v)["x"]
    equal(g, y * v - y * (y * v).sum(axis=dim, keepdims=True), "the gradient of x")
    other = pull_back(ops, case, w)["x"]
    equal(inner(g, w), inner(other, v), "⟨J v, w⟩")  # ⟨Jᵀv, w⟩ = ⟨Jᵀw, v⟩ where J = Jᵀ


@of_both(SOFTMAXES, "f(−∞, x₁, …) = exp(−∞) = 0 or log 0 = −∞, f(x₁, …)")
def a_score_of_minus_infinity_is_out(ops: Implementation, case: Case) -> None:
    """The other classes are as likely as they would be without it; so they learn."""
    dim = _dim(case)
    assume(case.x.shape[dim] > 1)  # of −∞ alone there is no probability
    first, others = np.take(case.x, [0], dim), np.delete(case.x, 0, dim)
    x = np.concatenate([np.full_like(first, -np.inf), others], dim)
    y, rest = call(ops, case, x=x), call(ops, case, x=others)
    out = 0 if case.operator == "softmax" else -np.inf
    equal(np.take(y, [0], dim), np.full_like(first, out), "y of the class", tolerance=0)
    equal(np.delete(y, 0, dim), rest, "y of the other classes")
    v = case.another(rest)
    gx = pull_back(ops, case, np.concatenate([0 * first, v], dim), x=x)["x"]
    equal(np.take(gx, [0], dim), 0 * first, "the gradient of its score", tolerance=0)
    expected = pull_back(ops, case, v, x=others)["x"]
    equal(np.delete(gx, 0, dim), expected, "the gradient of the other scores")


@law("log_softmax", scores("log_softmax"), "log_softmax x = log(softmax x)", BRIDLE)
def it_is_the_logarithm_of_softmax(ops: Implementation, case: Case) -> None:
    """In one step; so exp of it sums to 1, and none is above 0."""
    y, dim = call(ops, case), _dim(case)
    equal(y, np.log(ops.softmax(case.x, **case.arguments)))
    equal(np.exp(y).sum(axis=dim, keepdims=True), np.ones(_row(case)), "Σ exp y")
    equal(np.minimum(y, 0), y, "min(y, 0)", tolerance=0)


@law("log_softmax", scores("log_softmax"), "y_i − y_j = x_i − x_j")
def it_keeps_differences(ops: Implementation, case: Case) -> None:
    """It moves the scores of a pixel, all by the same number."""
    moved = call(ops, case) - case.x
    first = np.take(moved, [0], _dim(case))  # by how much the first class moved
    equal(moved, np.zeros_like(moved) + first, "y − x")


@law("log_softmax", scores("log_softmax"), "g(v) = v − softmax(x)·Σ v")
def its_gradient_takes_from_all(ops: Implementation, case: Case) -> None:
    """As much as the score of a class gains, all lose together."""
    y, dim = call(ops, case), _dim(case)
    v = case.another(y)
    p = ops.softmax(case.x, **case.arguments)
    expected = v - p * v.sum(axis=dim, keepdims=True)
    equal(pull_back(ops, case, v)["x"], expected, "the gradient of x")


@law("log_softmax", scores("log_softmax"), "log_softmax(k, …, k) = −log C")
def equal_scores_are_equally_likely(ops: Implementation, case: Case) -> None:
    """1 / C each, whatever they are."""
    C = case.x.shape[_dim(case)]  # as many as are equally likely
    y = call(ops, case, x=np.zeros_like(case.x) + case.another(_row(case)))
    equal(y, np.full_like(y, -np.log(C)))


# ---- both losses


def asked(case: Case, **arguments: Any) -> Case:
    """Return the case with other arguments; those that are None left out."""
    arguments = case.arguments | arguments
    given = {name: value for name, value in arguments.items() if value is not None}
    return replace(case, arguments=given)


def _label(case: Case) -> int:
    return case.arguments.get("ignore_index", 255)


def _pixel_weights(case: Case) -> np.ndarray:
    """Return the weight of each pixel's class, 0 where it is ignored, (N, H, W)."""
    weight = case.arguments.get("weight", np.ones(case.x.shape[1]))
    valid = case.target != _label(case)
    # 255 is no index
    return np.where(valid, weight[np.where(valid, case.target, 0)], 0)


def _divisor(case: Case) -> float:
    """Return what the sum of the losses is divided by."""
    reduction = case.arguments.get("reduction", "mean")
    if reduction == "mean":
        return _pixel_weights(case).sum() or 1  # 1: the loss of nothing is 0
    return len(case.x) if reduction == "batch" else 1


@of_both(LOSSES, "sum = Σ none = mean·Σ weights of the valid pixels = batch·N", CAFFE)
def reductions_differ_by_a_divisor(ops: Implementation, case: Case) -> None:
    """Values and gradients alike: another reduction is another learning rate."""
    whole = asked(case, reduction="sum")
    # (), (N, C, H, W)
    total, g = call(ops, whole), pull_back(ops, whole, np.array(1.0))["x"]
    each = asked(case, reduction="none")
    one_by_one = call(ops, each)  # (N, H, W)
    equal(one_by_one.sum(), total, "Σ none")
    found = pull_back(ops, each, np.ones_like(one_by_one))["x"]
    equal(found, g, "the gradient of Σ none")
    for reduction in (None, "mean", "batch"):
        other = asked(case, reduction=reduction)
        divisor = _divisor(other)
        equal(call(ops, other) * divisor, total, f"{divisor} · {reduction}")
        found = pull_back(ops, other, np.array(1.0))["x"]
        equal(found * divisor, g, f"{divisor} · the gradient of {reduction}")


@of_both(LOSSES, "f(x) does not depend on x where target = ignore_index", LONG + "4")
def ignored_pixels_have_no_part(ops: Implementation, case: Case) -> None:
    """Neither a loss nor a gradient, whatever is predicted there."""
    valid = (case.target != _label(case))[:, None]  # (N, 1, H, W)
    # log 0; cross_entropy has no score of −∞ in all classes
    worst = -np.inf if case.operator == "nll_loss" else _huge(case)
    x = np.where(valid, case.x, worst)
    y, v = call(ops, case), case.another(call(ops, case))
    equal(call(ops, case, x=x), y, "the loss", tolerance=0)
    g = pull_back(ops, case, v)["x"]
    equal(g * ~valid, np.zeros_like(g), "the gradient where it is ignored", tolerance=0)
    found = pull_back(ops, case, v, x=x)["x"]
    equal(found, g, "the gradient", tolerance=0)


def _relabelled(case: Case, label: int) -> Case:
    """Give the pixels that are ignored another label."""
    target = np.where(case.target == _label(case), label, case.target)
    case = replace(case, inputs=case.inputs | {"target": target})
    return asked(case, ignore_index=label)


@of_both(
    LOSSES, "f(x, target with l for k, ignore_index l) = f(x, target, ignore_index k)"
)
def any_label_may_be_ignored(ops: Implementation, case: Case) -> None:
    """255 where none is named; also one that would be a class, or is negative."""
    y, v = call(ops, case), case.another(call(ops, case))
    g = pull_back(ops, case, v)["x"]
    for label in (-100, 99, 255, None):
        other = _relabelled(case, 255 if label is None else label)
        if label is None:
            del other.arguments["ignore_index"]  # 255 is what is ignored then
        equal(call(ops, other), y, f"the loss with label {label}", tolerance=0)
        found = pull_back(ops, other, v)["x"]
        equal(found, g, f"the gradient with label {label}", tolerance=0)


@of_both(LOSSES, "f((x, −∞), target) = f(x, target), its score's gradient 0")
def a_class_of_score_minus_infinity_is_out(ops: Implementation, case: Case) -> None:
    """A class that cannot be has no part, where it is not asked for."""
    extra = np.full_like(case.x[:, :1], -np.inf)
    x = np.concatenate([case.x, extra], axis=1)
    weight = case.arguments.get("weight")
    wider = asked(case, weight=None if weight is None else np.append(weight, 1))
    y = call(ops, case)
    equal(call(ops, wider, x=x), y, "the loss")
    v = case.another(y)
    expected = np.concatenate([pull_back(ops, case, v)["x"], 0 * case.x[:, :1]], axis=1)
    equal(pull_back(ops, wider, v, x=x)["x"], expected, "the gradient of x")


@of_both(LOSSES, "f(x, target) = 0, g(v) = 0 where all pixels are ignored")
def without_a_pixel_the_loss_is_zero(ops: Implementation, case: Case) -> None:
    """0, and not 0 / 0: an image without labels teaches nothing."""
    target = np.full_like(case.target, _label(case))
    for reduction in ("mean", "sum", "batch", "none"):
        other = asked(case, reduction=reduction)
        y = call(ops, other, target=target)
        equal(y, np.zeros_like(y), f"the {reduction} loss", tolerance=0)
        g = pull_back(ops, other, case.another(y), target=target)["x"]
        equal(g, np.zeros_like(case.x), f"the gradient of {reduction}", tolerance=0)


@of_both(LOSSES, "f(x, weight)[pixel] = weight[target]·f(x)[pixel]", LONG + "4.3")
def a_weight_multiplies_its_class(ops: Implementation, case: Case) -> None:
    """And the mean is divided by the weights: a common factor changes only the sum."""
    weight = case.arguments.get("weight", np.arange(1.0, 1 + case.x.shape[1]))
    weighted = asked(case, weight=weight, reduction="none")
    plain = {"reduction": "none", "ignore_index": _label(case)}  # without weights
    expected = _pixel_weights(weighted) * call(ops, replace(case, arguments=plain))
    equal(call(ops, weighted), expected, "the loss of each pixel")
    mean, total = (asked(case, weight=weight, reduction=r) for r in ("mean", "sum"))
    tripled = call(ops, asked(mean, weight=3 * weight))
    equal(tripled, call(ops, mean), "the mean with weights three times as large")
    tripled = call(ops, asked(total, weight=3 * weight))
    equal(tripled, 3 * call(ops, total), "the sum with weights three times as large")


@of_both(LOSSES, "f(x[:, π], π⁻¹(target), weight[π]) = f(x, target, weight)")
def classes_may_be_renumbered(ops: Implementation, case: Case) -> None:
    """A class is a name; its scores, labels and weight move together."""
    case = _relabelled(case, 255)
    C = case.x.shape[1]
    order = np.random.default_rng(case.seed).permutation(C)
    # The new number of each class, (256,); of 255: itself.
    place = np.append(np.argsort(order), [255] * (256 - C))
    inputs = {"x": case.x[:, order], "target": place[case.target]}
    weight = case.arguments.get("weight", np.ones(C))
    renumbered = asked(replace(case, inputs=inputs), weight=weight[order])
    y = call(ops, case)
    equal(call(ops, renumbered), y, "the loss")
    v = case.another(y)
    expected = pull_back(ops, case, v)["x"][:, order]
    equal(pull_back(ops, renumbered, v)["x"], expected, "the gradient")


@of_both(LOSSES, "f(x)[n, r, q] = f(x[n, :, r, q])", LONG + "3")
def each_pixel_is_judged_alone(ops: Implementation, case: Case) -> None:
    """One at a time, or as the rows of a table (N·H·W, C), the losses are the same."""
    case = asked(case, reduction="none")
    y, C = call(ops, case), case.x.shape[1]
    v = case.another(y)
    g = pull_back(ops, case, v)["x"].transpose(0, 2, 3, 1).reshape(-1, C)
    rows = case.x.transpose(0, 2, 3, 1).reshape(-1, C)  # (N·H·W, C)
    table = {"x": rows, "target": case.target.ravel()}  # (N·H·W,)
    equal(call(ops, case, **table), y.ravel(), "the losses of a table")
    found = pull_back(ops, case, v.ravel(), **table)["x"]
    equal(found, g, "the gradient of a table")
    for i in range(len(rows)):
        alone = {name: array[i : i + 1] for name, array in table.items()}
        equal(call(ops, case, **alone)[0], y.ravel()[i], f"the loss of pixel {i} alone")


# ---- each of the losses


@law(
    "nll_loss",
    losses("nll_loss"),
    "loss = −Σ weight[t]·x_t / divisor, gx = −weight[t]·v / divisor at t, else 0",
)
def it_reads_the_class_of_the_target(ops: Implementation, case: Case) -> None:
    """The scores of all other classes have no part."""
    shares = _pixel_weights(case) / _divisor(case)
    classes = np.where(case.target == _label(case), 0, case.target)[:, None]
    chosen = np.take_along_axis(case.x, classes, axis=1)[:, 0]  # (N, H, W)
    y = call(ops, case)
    each = case.arguments.get("reduction") == "none"
    expected = -shares * chosen
    equal(y, expected if each else expected.sum(), "the loss")
    v, gx = case.another(y), np.zeros_like(case.x)
    # ignored ones have a share of 0, and put it to class 0
    np.put_along_axis(gx, classes, -(shares * v)[:, None], axis=1)
    equal(pull_back(ops, case, v)["x"], gx, "the gradient of x")


@law(
    "cross_entropy",
    losses("cross_entropy"),
    "cross_entropy(x, …) = nll_loss(log_softmax x, …)",
)
def it_is_the_likelihood_of_softmax(ops: Implementation, case: Case) -> None:
    """In one step; values and gradients."""
    log_p, y = ops.log_softmax(case.x), call(ops, case)
    equal(y, ops.nll_loss(log_p, case.target, **case.arguments), "the loss")
    v = case.another(y)
    # the chain rule, one operator at a time
    (g,) = ops.gradients("nll_loss", v, log_p, case.target, **case.arguments)
    (g,) = ops.gradients("log_softmax", g, case.x)
    equal(pull_back(ops, case, v)["x"], g, "the gradient of x")


def _one_hot(case: Case) -> np.ndarray:
    """Return 1 at the class of each pixel, else 0, (N, C, H, W)."""
    classes = np.arange(case.x.shape[1])[:, None, None]
    return (case.target[:, None] == classes) * 1.0


@law(
    "cross_entropy",
    losses("cross_entropy"),
    "gx = weight[t]·(softmax x − onehot t)·v / divisor, so Σ over c of gx = 0",
    CAFFE,
)
def its_gradient_is_the_error(ops: Implementation, case: Case) -> None:
    """What is predicted less what is true; what one class gains the others lose."""
    shares, y = _pixel_weights(case) / _divisor(case), call(ops, case)  # (N, H, W)
    v = case.another(y)
    gx = pull_back(ops, case, v)["x"]
    expected = (ops.softmax(case.x) - _one_hot(case)) * (shares * v)[:, None]
    equal(gx, expected, "the gradient of x")
    equal(gx.sum(axis=1), np.zeros(case.target.shape), "Σ over c of the gradient")


@law(
    "cross_entropy",
    losses("cross_entropy"),
    "cross_entropy ≥ 0, and its mean is log C where all scores are equal",
)
def it_is_the_logarithm_of_the_classes_at_first(
    ops: Implementation, case: Case
) -> None:
    """What an untrained net shows: a loss of log C, 3.04 for the 21 classes of VOC."""
    y = call(ops, case)
    equal(np.maximum(y, 0), y, "max(loss, 0)", tolerance=0)  # as log p ≤ 0
    x = np.zeros_like(case.x) + case.another((len(case.x), 1, *case.x.shape[2:]))
    losses_ = _pixel_weights(case) / _divisor(case) * np.log(case.x.shape[1])
    each = case.arguments.get("reduction") == "none"
    y = call(ops, case, x=x)
    equal(y, losses_ if each else losses_.sum(), "the loss of equal scores")


@law(
    "cross_entropy",
    losses("cross_entropy"),
    "cross_entropy(x + k) = cross_entropy(x) where k is the same for all classes",
)
def only_differences_of_scores_count(ops: Implementation, case: Case) -> None:
    """Of each pixel by itself."""
    x = case.x + case.another((len(case.x), 1, *case.x.shape[2:]))
    y = call(ops, case)
    v = case.another(y)
    equal(call(ops, case, x=x), y, "the loss of shifted scores")
    g = pull_back(ops, case, v)["x"]
    equal(pull_back(ops, case, v, x=x)["x"], g, "the gradient of shifted scores")


@law(
    "cross_entropy",
    losses("cross_entropy"),
    "cross_entropy(x) is exact for scores of ±1e4",
)
def huge_scores_give_large_losses(ops: Implementation, case: Case) -> None:
    """A loss of 2e4 is large, and not infinite; its gradient is the error still."""
    x = _huge(case)
    p = _largest(x, 1)
    log_p = x - x.max(axis=1, keepdims=True) + np.log(p.max(axis=1, keepdims=True))
    shares = _pixel_weights(case) / _divisor(case)
    expected = -shares * (log_p * _one_hot(case)).sum(axis=1)
    y = call(ops, case, x=x)
    each = case.arguments.get("reduction") == "none"
    equal(y, expected if each else expected.sum(), "the loss")
    v = case.another(y)
    gx = (p - _one_hot(case)) * (shares * v)[:, None]
    equal(pull_back(ops, case, v, x=x)["x"], gx, "the gradient of x")
