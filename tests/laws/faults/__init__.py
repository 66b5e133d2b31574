"""Wrong variants of the operators, each of which the laws must catch.

    @fault("relu", "slope below zero")
    def _(relu, x):
        return relu(x) + x * 0.01

A fault is a function of the right operator and of what the operator is called with.
Where a fault does not fit a case (it would not be legal), the right operator answers:
a fault must be seen, not heard.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minifcn import Function, Tensor, ops
from minifcn.laws.implementation import FUNCTIONS


class Fault(NamedTuple):
    """A wrong operator, by the name of the right one and of what is wrong.

    `subject` tells whose laws must catch it: the operator's own, if not others.
    """

    operator: str
    name: str
    function: Callable[..., Any]
    subject: str


FAULTS: list[Fault] = []


def fault(operator: str, name: str, subject: str | None = None) -> Callable[..., Any]:
    """Register the function below as a wrong variant of an operator."""
    right = FUNCTIONS.get(operator) or getattr(ops, operator)
    module = right.__module__.split(".")[-1]
    subject = subject or (module if module in ("geometry", "metrics") else operator)

    def register(wrong):
        def variant(*inputs, **arguments):
            try:
                return wrong(right, *inputs, **arguments)
            except (ValueError, IndexError, TypeError):  # does not fit this case
                return right(*inputs, **arguments)

        FAULTS.append(Fault(operator, name, variant, subject))
        return wrong

    return register


def changed(
    operator: str,
    name: str,
    argument: str,
    change: Callable,
    subject: str | None = None,
) -> None:
    """Register an operator that is called with one argument changed."""

    @fault(operator, name, subject)
    def _(right, *inputs, **arguments):
        call = inspect.signature(right).bind(*inputs, **arguments)
        call.apply_defaults()
        call.arguments[argument] = change(call.arguments[argument])
        return right(*call.args, **call.kwargs)


class WrongBackward(Function):
    """The right values, and gradients that are changed."""

    def __init__(self, right, change, fixed, arguments):
        self.right, self.change = right, change
        self.fixed, self.arguments = fixed, arguments

    def forward(self, *arrays):
        self.leaves = [Tensor(array, requires_grad=True) for array in arrays]
        inputs, leaves = list(self.fixed), iter(self.leaves)
        inputs = [next(leaves) if x is None else x for x in inputs]
        self.y = self.right(*inputs, **self.arguments)
        return self.y.data

    def backward(self, gy):
        self.y.backward(gy)
        gradients = [leaf.grad.copy() for leaf in self.leaves]
        arrays = [leaf.data for leaf in self.leaves]
        return tuple(self.change(gradients, gy, arrays))


def wrong_gradient(
    operator: str, name: str, input_number: int = 0, subject: str | None = None
) -> Callable:
    """Register an operator whose gradient of one input is changed.

    The function below takes the right gradient, gy, and the arrays of all inputs.
    """

    def register(change):
        def change_all(gradients, gy, arrays):
            if input_number < len(gradients):
                wrong = change(gradients[input_number], gy, arrays)
                gradients[input_number] = wrong.astype(gradients[input_number].dtype)
            return gradients

        @fault(operator, name, subject)
        def _(right, *inputs, **arguments):
            if arguments.get("return_indices"):
                _, indices = right(*inputs, **arguments)
                rest = {**arguments, "return_indices": False}
                return backwards(right, inputs, rest), indices
            return backwards(right, inputs, arguments)

        def backwards(right, inputs, arguments):
            fixed = [None if isinstance(x, Tensor) else x for x in inputs]
            tensors = [x for x in inputs if isinstance(x, Tensor)]
            return WrongBackward(right, change_all, fixed, arguments)(*tensors)

        return change

    return register


def wrong_value(operator: str, name: str) -> Callable:
    """Register an operator whose values are others, and whose gradients are right.

    The function below takes the right values, and the call in arrays.
    """

    def register(change):
        @fault(operator, name)
        def _(right, *inputs, **arguments):
            y = right(*inputs, **arguments)
            arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
            if isinstance(y, tuple):
                return Shown(change(y[0].data, *arrays, **arguments))(y[0]), *y[1:]
            return Shown(change(y.data, *arrays, **arguments))(y)

        return change

    return register


class Shown(Function):
    """Other values than those of the operand, on its place on the tape."""

    def __init__(self, values):
        self.values = values

    def forward(self, x):
        return self.values.astype(x.dtype)

    def backward(self, gy):
        return gy


class Cast(Function):
    """The operand in another type of floats."""

    def __init__(self, dtype):
        self.dtype = dtype

    def forward(self, x):
        self.before = x.dtype
        return x.astype(self.dtype)

    def backward(self, gy):
        return gy.astype(self.before)


def in_single_precision(operator: str) -> None:
    """Register an operator that goes through float32, whatever it is given."""

    def single(x):
        if isinstance(x, list | tuple):
            return [single(item) for item in x]
        return Cast(np.float32)(x) if isinstance(x, Tensor) else x

    def dtype_of(x):
        return x[0].dtype if isinstance(x, list | tuple) else x.dtype

    @fault(operator, "in single precision")
    def _(right, *inputs, **arguments):
        y = right(*map(single, inputs), **arguments)
        back = Cast(dtype_of(inputs[0]))
        return (back(y[0]), *y[1:]) if isinstance(y, tuple) else back(y)


def flipped(pair: Any) -> Any:
    """(height, width) → (width, height); the same for four-sided padding."""
    return pair[::-1] if isinstance(pair, tuple) else pair


def swapped_sides(padding: Any) -> Any:
    """((top, bottom), (left, right)) → ((bottom, top), (right, left))."""
    return tuple(ends[::-1] for ends in padding)


def one_later(padding: Any) -> Any:
    """One row more above, one less below."""
    (top, bottom), sides = padding
    return (top + 1, bottom - 1), sides


def on_data(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Tensor], Tensor]:
    """Move the numbers of a Tensor linearly, on the tape: gradients move back.

    `change` must be a permutation, possibly with zeros (it is applied to indices).
    """

    def move(x: Tensor) -> Tensor:
        return Permute(change)(x)

    return move


class Permute(Function):
    """The elements of the input in another order; the gradient in the old one."""

    def __init__(self, change):
        self.change = change

    def forward(self, x):
        self.shape = x.shape
        self.order = self.change(np.arange(x.size).reshape(x.shape))
        return x.reshape(-1)[self.order]

    def backward(self, gy):
        gx = np.zeros(int(np.prod(self.shape)), gy.dtype)
        np.add.at(gx, self.order.reshape(-1), gy.reshape(-1))
        return gx.reshape(self.shape)


from . import (  # noqa: E402
    activation,  # noqa: F401
    convolution,  # noqa: F401
    extremes,  # noqa: F401
    fusion,  # noqa: F401
    general,  # noqa: F401
    geometry,  # noqa: F401
    metrics,  # noqa: F401
    nets,  # noqa: F401
    normalization,  # noqa: F401
    pooling,  # noqa: F401
    resampling,  # noqa: F401
    softmax,  # noqa: F401
)
