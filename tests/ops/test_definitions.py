"""The definitions refuse what is illegal as the operators do, and say so."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.ops import convolution, definitions

X = np.arange(16.0).reshape(1, 1, 4, 4)
W = np.ones((2, 1, 2, 2))
LABELS = np.zeros((1, 4, 4), int)


def test_there_is_one_of_each_operator_but_of_dropout():
    assert set(definitions.__all__) == set(ops.__all__) - {"dropout"}
    assert "dropout" in definitions.__doc__
    for name in definitions.__all__:
        assert getattr(definitions, name).__name__ == name


def test_help_names_the_operator_and_where_its_formula_is():
    define = definitions.conv2d
    assert define.__wrapped__ is convolution.conv2d_definition
    assert "help(minifcn.ops.conv2d)" in define.__doc__
    assert list(inspect.signature(define).parameters)[:2] == ["x", "weight"]


WHOLE = X.astype(int)


@pytest.mark.parametrize(
    "name, given",
    [
        ("softmax", (WHOLE, 3)),
        ("conv2d", (WHOLE, W * 0.3)),
        ("conv2d", (X, W, np.ones(2, int))),
        ("avg_pool2d", (WHOLE, 2)),
        ("max_pool2d", (WHOLE, 2)),
        ("scale", (WHOLE, 0.5)),
        ("local_response_norm", (WHOLE, 3)),
        ("cross_entropy", (WHOLE, LABELS)),
        ("concat", ([X, WHOLE],)),
        ("relu", (X.astype(np.float16),)),
    ],
)
def test_other_numbers_than_floats_are_refused(name, given):
    with pytest.raises(TypeError, match=r"(int64|float16); definitions take arrays of"):
        getattr(definitions, name)(*given)


def test_tensors_are_refused():
    for given in ((Tensor(X), W), (X, Tensor(W))):
        with pytest.raises(TypeError, match=r"is a Tensor; .*conv2d takes plain array"):
            definitions.conv2d(*given)
    with pytest.raises(TypeError, match="target is a Tensor"):
        definitions.nll_loss(X, Tensor(LABELS))
    with pytest.raises(TypeError, match=r"tensors\[1\] is a Tensor"):
        definitions.concat([X, Tensor(X)])
    with pytest.raises(TypeError, match="concat takes a list or tuple of arrays"):
        definitions.concat(X)
    with pytest.raises(TypeError, match="x is of type NoneType"):
        definitions.relu(None)


def test_lists_are_converted():
    np.testing.assert_array_equal(definitions.relu([-1, 2]), [0.0, 2.0])
    assert definitions.relu([-1, 2]).dtype == np.float64
    np.testing.assert_array_equal(
        definitions.concat([[[1, 2]], [[3.0]]]), [[1.0, 2.0, 3.0]]
    )
    assert definitions.nll_loss(X, LABELS.tolist(), [2]) == -7.5


def test_whole_numbers_stay_where_operators_take_them():
    y, indices = definitions.max_pool2d(X, 2, return_indices=True)
    np.testing.assert_array_equal(indices, [[[[5, 7], [13, 15]]]])
    np.testing.assert_array_equal(
        definitions.max_unpool2d(y, indices, 2)[0, 0, 1], [0, 5, 0, 7]
    )
    np.testing.assert_array_equal(definitions.scale(X, [2]), 2 * X)


@pytest.mark.parametrize(
    "name, given",
    [
        ("conv2d", (X, np.ones((2, 5, 2, 2)))),
        ("conv2d", (X, np.ones((2, 1, 9, 9)))),
        ("conv2d", (X, W.astype("f"))),
        ("conv_transpose2d", (X, W)),
        ("interleave", (X, 2)),
        ("max_pool2d", (X, 9)),
        ("im2col", (X, 9)),
        ("col2im", (X[0], 4, 2)),
        ("nll_loss", (X, LABELS + 7)),
        ("upsample", (X[0], 2)),
        ("add", (X, X[0])),
        ("crop", (X, 3, 4)),
        ("softmax", (X, 4)),
    ],
)
def test_what_the_operator_refuses_is_refused_in_its_words(name, given):
    kinds = [getattr(getattr(x, "dtype", None), "kind", None) for x in given]
    tensors = [
        Tensor(x) if kind == "f" else x for x, kind in zip(given, kinds, strict=True)
    ]
    with pytest.raises((TypeError, ValueError)) as operators:
        getattr(ops, name)(*tensors)
    with pytest.raises(type(operators.value)) as refusal:
        getattr(definitions, name)(*given)
    assert str(refusal.value) == str(operators.value)


def test_the_operator_does_no_work(monkeypatch):
    """A yardstick must not depend on what it measures."""
    monkeypatch.delattr(convolution.Conv2d, "forward")
    np.testing.assert_array_equal(
        definitions.conv2d(X, W)[0, 0], X[0, 0, :3, :3] * 4 + 10
    )


def test_relu_in_place_writes_over_the_array():
    x = np.array([-1.0, 2.0])
    assert definitions.relu(x, inplace=True) is x
    np.testing.assert_array_equal(x, [0, 2])


# ---- what the README says of their names


def test_readme_names_the_operators_that_torch_has_not_or_has_otherwise():
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"The others are (.*?) All work on their own", readme, re.S)
    others = set(re.findall(r"`(\w+)`", said)) & set(ops.__all__)
    as_torchs = {
        name
        for name in ops.__all__
        if f"As `torch.nn.functional.{name}"
        in " ".join(getattr(ops, name).__doc__.split())
    }
    # pad's order of sides is another.
    assert others == (set(ops.__all__) - as_torchs) | {"pad"}


def test_readme_tells_the_default_of_ignore_index():
    for loss in (ops.nll_loss, ops.cross_entropy):
        assert inspect.signature(loss).parameters["ignore_index"].default == 255
