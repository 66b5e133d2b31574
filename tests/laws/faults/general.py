"""Faults that any operator may have: types, layouts, batches, linearity."""

import numpy as np

from minifcn import Tensor
from minifcn.laws import laws_of
from minifcn.laws.statement import subjects

from . import Cast, Permute, fault, on_data, wrong_gradient, wrong_value

for operator in subjects():
    judged = {law.name for law in laws_of(operator)}
    if "type and layout change nothing" not in judged:
        continue

    @fault(operator, "always in double precision")
    def _(right, *inputs, **arguments):
        y = right(*inputs, **arguments)
        up = Cast(np.float64)
        return (up(y[0]), *y[1:]) if isinstance(y, tuple) else up(y)

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


def as_in_memory(x):
    """The Tensor's numbers one after the other, whatever its strides say."""
    if isinstance(x, list | tuple) and all(isinstance(item, Tensor) for item in x):
        return [as_in_memory(item) for item in x]
    if not isinstance(x, Tensor) or x.data.flags.c_contiguous:
        return x
    numbers = np.empty_like(x.data, dtype=np.int64)  # laid out as x is
    numbers[...] = np.arange(x.size).reshape(x.shape)
    return Permute(lambda a: numbers.ravel(order="K").reshape(x.shape))(x)
