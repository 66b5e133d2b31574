"""Wrong variants of the operators, each of which the laws must catch.

    @fault("relu", "slope below zero")
    def _(relu, x):
        return relu(x) + x * 0.01

A fault is a function of the right operator and of what the operator is called with.
Where a fault does not fit a case (it would not be legal), the right operator answers:
a fault must be seen, not heard.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minifcn import Function, Tensor, ops


class Fault(NamedTuple):
    """A wrong operator, by the name of the right one and of what is wrong."""

    operator: str
    name: str
    function: Callable[..., Any]


FAULTS: list[Fault] = []


def fault(operator: str, name: str) -> Callable[..., Any]:
    """Register the function below as a wrong variant of an operator."""
    right = getattr(ops, operator)

    def register(wrong):
        def variant(*inputs, **arguments):
            try:
                return wrong(right, *inputs, **arguments)
            except (ValueError, IndexError):  # the fault does not fit this case
                return right(*inputs, **arguments)

        FAULTS.append(Fault(operator, name, variant))
        return wrong

    return register


def changed(operator: str, name: str, argument: str, change: Callable) -> None:
    """Register an operator that is called with one argument changed."""

    @fault(operator, name)
    def _(right, *inputs, **arguments):
        value = arguments.get(argument)
        return right(*inputs, **{**arguments, argument: change(value)})


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


def wrong_gradient(operator: str, name: str, input_number: int = 0) -> Callable:
    """Register an operator whose gradient of one input is changed.

    The function below takes the right gradient, gy, and the arrays of all inputs.
    """

    def register(change):
        def change_all(gradients, gy, arrays):
            if input_number < len(gradients):
                wrong = change(gradients[input_number], gy, arrays)
                gradients[input_number] = wrong.astype(gradients[input_number].dtype)
            return gradients

        @fault(operator, name)
        def _(right, *inputs, **arguments):
            fixed = [None if isinstance(x, Tensor) else x for x in inputs]
            tensors = [x for x in inputs if isinstance(x, Tensor)]
            return WrongBackward(right, change_all, fixed, arguments)(*tensors)

        return change

    return register


def flipped(pair: Any) -> Any:
    """(height, width) → (width, height); the same for four-sided padding."""
    return pair[::-1] if isinstance(pair, tuple) else pair


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


from . import convolution  # noqa: E402, F401
