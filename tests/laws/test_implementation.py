"""The operators on trial: arrays go in and come out, whoever wrote the operator."""

import doctest

import numpy as np
import pytest

from minifcn import Tensor, ops
from minifcn.laws import Implementation, LawError, implementation, laws_of, on_arrays
from minifcn.ops import definitions

X = np.array([[-1.0, 2.0, 3.0]])


def test_examples_in_the_docstrings():
    result = doctest.testmod(implementation, extraglobs={"np": np})
    assert result.attempted >= 6
    assert not result.failed


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_go_in_and_come_out(dtype):
    library = Implementation(dtype=dtype)
    y = library.relu(X)
    (gx,) = library.gradients("relu", [[4, 5, 6]], X)
    assert (y.dtype, gx.dtype) == (dtype, dtype)
    assert y.tolist() == [[0, 2, 3]]
    assert gx.tolist() == [[0, 5, 6]]


def test_what_does_not_reach_the_output_has_gradient_zero():
    first = Implementation(operators={"add": lambda x, y: x * 2.0})
    gx, gy = first.gradients("add", np.ones((1, 3)), X, X)
    assert (gx.tolist(), gy.tolist()) == ([[2, 2, 2]], [[0, 0, 0]])


def test_several_outputs():
    x = np.arange(8.0).reshape(1, 1, 2, 4)
    y, indices = Implementation().max_pool2d(x, 2, return_indices=True)
    assert (y.tolist(), indices.tolist()) == ([[[[5, 7]]]], [[[[5, 7]]]])


# -------------------------------------------------------------------------- on_arrays


def test_forward_alone():
    mine = Implementation(operators={"relu": on_arrays(lambda x: np.maximum(x, 0))})
    assert mine.relu(X).tolist() == [[0, 2, 3]]
    with pytest.raises(AssertionError, match="on_arrays was given no backward"):
        mine.gradients("relu", X, X)


@pytest.mark.parametrize("wrap", [lambda g: g, lambda g: (g,), lambda g: [g]])
def test_backward_returns_a_gradient_or_several(wrap):
    relu = on_arrays(lambda x: np.maximum(x, 0), lambda gy, x: wrap(gy * (x > 0)))
    mine = Implementation(operators={"relu": relu})
    assert mine.gradients("relu", X, X)[0].tolist() == [[0, 2, 3]]


def test_labels_have_no_gradient():
    pick = on_arrays(
        lambda x, target: x[np.arange(len(x)), target],
        lambda gy, x, target: gy[:, None] * np.eye(x.shape[1])[target],
    )
    mine = Implementation(operators={"nll_loss": pick})
    (gx,) = mine.gradients("nll_loss", [5.0], X, np.array([1]))
    assert gx.tolist() == [[0, 5, 0]]


def test_concat_takes_a_list():
    concat = on_arrays(
        lambda arrays, axis=1: np.concatenate(arrays, axis),
        lambda gy, arrays, axis=1: np.split(gy, [arrays[0].shape[axis]], axis),
    )
    mine = Implementation(operators={"concat": concat})
    assert mine.concat([X, X[:, :1]]).tolist() == [[-1, 2, 3, -1]]
    ga, gb = mine.gradients("concat", [[1, 2, 3, 4]], [X, X[:, :1]])
    assert (ga.tolist(), gb.tolist()) == ([[1, 2, 3]], [[4]])


@pytest.mark.parametrize("gradients", [(), None, (X, X), 0.5])
def test_backward_that_returns_something_else(gradients):
    relu = on_arrays(lambda x: x, lambda gy, x: gradients)
    mine = Implementation(operators={"relu": relu})
    with pytest.raises(AssertionError, match="of each array of floats, 1 in all"):
        mine.gradients("relu", X, X)


# ----------------------------------------------------------------------------- misuse


def test_operator_that_returns_no_tensor():
    mine = Implementation(operators={"relu": lambda x: x.data})
    with pytest.raises(AssertionError, match="relu returned ndarray; it must return a"):
        mine.relu(X)


def test_inputs_cannot_be_written_over():
    def force(x: Tensor) -> Tensor:
        x.data.flags.writeable = True
        x.data[...] = 0
        return ops.relu(x)

    mine, x = Implementation(operators={"relu": force}), X.copy()
    with pytest.raises(AssertionError, match=r"relu wrote over its input of shape"):
        mine.relu(x)
    assert (x == X).all()


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"device": "abacus"}, "device is 'abacus'; it must be 'cpu' or 'cuda'"),
        ({"dtype": "int8"}, "dtype is 'int8'; it must be 'float64' or 'float32'"),
        ({"operators": {"paint": ops.relu}}, "operators holds paint; there are add,"),
    ],
)
def test_misuse(settings, said):
    with pytest.raises(ValueError, match=said):
        Implementation(**settings)


def test_unknown_operator():
    with pytest.raises(AttributeError, match="there is no operator 'paint'"):
        Implementation().paint(X)


NO_GRADIENT = "on_arrays was given no backward"


@pytest.mark.parametrize("operator", definitions.__all__)
def test_definitions_as_ones_own_break_no_law_of_values(operator):
    mine = Implementation("mine", operators={operator: plain(operator)})
    for law in laws_of(operator):
        try:
            law.hold(mine, cases=3, shrink=False)
        except LawError as error:
            assert NO_GRADIENT in " ".join(str(error).split())  # noqa: PT017


def plain(operator):
    """The definition, as a function of arrays; bilinear_kernel takes none."""
    define = getattr(definitions, operator)
    return define if operator == "bilinear_kernel" else on_arrays(define)
