"""Faults that any operator may have: types, layouts, batches, linearity."""

import numpy as np

from minifcn import Function, Tensor
from minifcn.laws import laws_of
from minifcn.laws.statement import subjects

from . import (
    Cast,
    Permute,
    WrongBackward,
    fault,
    on_data,
    wrong_gradient,
    wrong_value,
)

for operator in subjects():
    judged = {law.name for law in laws_of(operator)}
    if "type and layout change nothing" not in judged:
        continue

    @fault(operator, "always in double precision")
    def _(right, *inputs, **arguments):
        y = right(*inputs, **arguments)
        up = Cast(np.float64)
        return (up(y[0]), *y[1:]) if isinstance(y, tuple) else up(y)

    @fault(operator, "gradient above written over")
    def _(right, *inputs, **arguments):
        return seen_through(WritesOver, right(*inputs, **arguments))

    @fault(operator, "gradient above read as it lies in memory")
    def _(right, *inputs, **arguments):
        return seen_through(Misreads, right(*inputs, **arguments))

    @fault(operator, "single precision cut to half")
    def _(right, *inputs, **arguments):
        return right(*map(halved, inputs), **arguments)

    @fault(operator, "gradient in single precision")
    def _(right, *inputs, **arguments):
        return seen_through(Coarse, right(*inputs, **arguments))

    @fault(operator, "numbers read as they lie in memory")
    def _(right, *inputs, **arguments):
        return right(*map(as_in_memory, inputs), **arguments)

    if operator != "concat":

        @wrong_gradient(operator, "gradient clipped")
        def _(gx, gy, arrays):
            return np.clip(gx, -0.1, 0.1)

    if "images do not meet" in judged and operator != "concat":

        @fault(operator, "images mixed")
        def _(right, x, *rest, **arguments):
            others = on_data(lambda a: np.roll(a, 1, axis=0))(x)
            return right(x + others / 8, *rest, **arguments)

    if any(name.startswith("is linear in") for name in judged):

        @wrong_value(operator, "not quite linear")
        def _(y, *inputs, **arguments):
            return y + y * y / 64


NOT_LINEAR = ("conv2d", "max_pool2d", "relu", "maximum", "scale", "cross_entropy")

for operator in (*NOT_LINEAR, "local_response_norm", "softmax", "log_softmax"):
    last = {}

    @fault(operator, "gradient of the last call")
    def _(right, *inputs, last=last, **arguments):
        fixed = [None if isinstance(x, Tensor) else x for x in inputs]
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        made = OfTheLast(right, lambda g, *_: g, fixed, arguments)
        made.last = last
        return made(*tensors)


class OfTheLast(WrongBackward):
    """Keeps what backward needs where the next call keeps it, too."""

    def forward(self, *arrays):
        y = super().forward(*arrays)
        self.last["call"] = self.leaves, self.y
        return y

    def backward(self, gy):
        leaves, y = self.last["call"]
        if y.shape == gy.shape:
            self.leaves, self.y = leaves, y
        for leaf in self.leaves:
            leaf.grad = None
        return super().backward(gy)


class Identity(Function):
    """y itself; what becomes of its gradient, a subclass says."""

    def forward(self, y):
        return y


class WritesOver(Identity):
    """The right gradient, and the place where it lay is used for something else."""

    def backward(self, gy):
        mine = gy.copy()
        gy[...] = 0
        return mine


class Misreads(Identity):
    """The gradient's numbers one after the other, whatever its strides say."""

    def backward(self, gy):
        if gy.flags.c_contiguous:
            return gy
        return gy.ravel(order="K").reshape(gy.shape)


class Coarse(Identity):
    """The gradient in single precision, as if nothing were lost."""

    def backward(self, gy):
        return gy.astype(np.float32).astype(gy.dtype)


def seen_through(kind, y):
    """Put a Function behind an operator."""
    return (kind()(y[0]), *y[1:]) if isinstance(y, tuple) else kind()(y)


def halved(x):
    """What half precision leaves of a Tensor of single precision."""
    if isinstance(x, list | tuple) and all(isinstance(item, Tensor) for item in x):
        return [halved(item) for item in x]
    if not isinstance(x, Tensor) or x.dtype != np.float32:
        return x
    lost = x.data.astype(np.float16).astype(np.float32) - x.data
    return x + Tensor(lost)


def as_in_memory(x):
    """The Tensor's numbers one after the other, whatever its strides say."""
    if isinstance(x, list | tuple) and all(isinstance(item, Tensor) for item in x):
        return [as_in_memory(item) for item in x]
    if not isinstance(x, Tensor) or x.data.flags.c_contiguous:
        return x
    numbers = np.empty_like(x.data, dtype=np.int64)  # laid out as x is
    numbers[...] = np.arange(x.size).reshape(x.shape)
    return Permute(lambda a: numbers.ravel(order="K").reshape(x.shape))(x)
