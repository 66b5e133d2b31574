"""The operators on trial: the library's on some device, or somebody's own.

A law speaks of plain NumPy arrays. An `Implementation` carries them to the operators
and back, whatever those run on:

>>> ops = Implementation()
>>> ops.relu(np.array([-1.0, 2.0]))
array([0., 2.])
>>> ops.gradients("relu", np.array([5.0, 7.0]), np.array([-1.0, 2.0]))
(array([0., 7.]),)

The functions of `geometry` and `metrics` are on trial too. They take whole numbers and
counts, and no Tensors:

>>> ops.conv_output_size(7, kernel=3, stride=2)
3
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from .. import geometry, metrics, models
from .. import ops as library
from ..arrays import check_device, to_device, to_numpy
from ..autograd import Function, Tensor
from .cases import Case

FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        library.bilinear_kernel,
        geometry.span,
        geometry.conv_output_size,
        geometry.pool_output_size,
        geometry.conv_transpose_output_size,
        geometry.chain_output_size,
        geometry.chain_receptive_field,
        geometry.chain_map,
        geometry.crop_offset,
        metrics.confusion_matrix,
        metrics.iu_per_class,
        metrics.accuracy_per_class,
        metrics.scores,
        models.shift_and_stitch,
        models.a_trous,
    )
}
"""What takes no Tensors and is on trial all the same: called as it is."""


class Raised(AssertionError):
    """An operator that raised an error on a case that is legal."""


class Implementation:
    """Operators to be held against the laws; each is an attribute that takes arrays.

    Attributes:
        name: how messages and tables call it.
        device: where the library's operators run, one of `arrays.DEVICES`.
        dtype: what the arrays of floats are handed over as, "float64" or "float32".
        operators: {name: function of Tensors}, with the arguments of `minifcn.ops`, in
            the place of the library's; also those of `FUNCTIONS`, without Tensors.
    """

    def __init__(
        self,
        name: str = "minifcn",
        device: str = "cpu",
        dtype: str = "float64",
        operators: Mapping[str, Callable[..., Any]] | None = None,
    ):
        check_device(device)
        if dtype not in ("float64", "float32"):
            raise ValueError(f"dtype is {dtype!r}; it must be 'float64' or 'float32'")
        self.name, self.device, self.dtype = name, device, dtype
        self.operators = dict(operators or {})
        self.last_call: dict[str, np.ndarray] = {}  # its arrays by name, for messages
        known = list(dict.fromkeys([*library.__all__, *FUNCTIONS]))
        unknown = sorted(self.operators.keys() - set(known))
        if unknown:
            raise ValueError(
                f"operators holds {', '.join(unknown)}; there are {', '.join(known)}"
            )

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if operator not in library.__all__ and operator not in FUNCTIONS:
            raise AttributeError(f"there is no operator {operator!r}")
        return partial(self.run, operator)

    def run(self, operator: str, *inputs: Any, **arguments: Any) -> Any:
        """Run an operator on arrays; return NumPy arrays.

        Arrays of whole numbers go as they are, those of floats as read-only Tensors.

        Raises:
            Raised: the operator raised an error, wrote over an input, or returned
                what is no Tensor.
        """
        if operator in FUNCTIONS:
            function = self.operators.get(operator, FUNCTIONS[operator])
            plain = [_read_only(x) for x in inputs]
            return self._guarded(operator, lambda: function(*plain, **arguments), [])
        y, _ = self._call(operator, inputs, arguments)
        return _unwrapped(y)

    def gradients(
        self, operator: str, gy: Any, *inputs: Any, **arguments: Any
    ) -> tuple[np.ndarray, ...]:
        """Run an operator and its backward pass; return the gradients of its inputs.

        Args:
            gy: the gradient of the (first) output.
            inputs: as for `run`; those of floats get a gradient each, zeros where none
                arrives.

        Raises:
            Raised: as `run`.
        """
        _, pull_back = self.forward(operator, *inputs, **arguments)
        return pull_back(gy)

    def forward(self, operator: str, *inputs: Any, **arguments: Any) -> tuple[Any, Any]:
        """Run an operator on arrays; return its first output, and its backward pass.

        The latter is a function of gy, to be called once: as `gradients`, but other
        calls may come between.
        """
        y, leaves = self._call(operator, inputs, arguments)
        y, given = (y[0] if isinstance(y, tuple) else y), self.last_call

        def pull_back(gy: Any) -> tuple[np.ndarray, ...]:
            gy = np.asarray(gy, self.dtype)  # laid out in memory as it came
            self.last_call = {"v (the gradient above)": gy, **given}
            if y.requires_grad:
                self._backward(operator, y, gy, leaves)
            return tuple(
                np.zeros(leaf.shape, self.dtype)
                if leaf.grad is None
                else to_numpy(leaf.grad)
                for leaf in leaves
            )

        return _unwrapped(y), pull_back

    def _backward(self, operator: str, y: Tensor, gy: Any, leaves: list[Tensor]) -> Any:
        before, above = gy.copy(), to_device(gy, self.device)
        self._guarded(f"backward of {operator}", lambda: y.backward(above), leaves)
        # Another reader of y may be given the same array.
        if not np.array_equal(to_numpy(above), before, equal_nan=True):
            gy[...] = before
            raise Raised(f"backward of {operator} wrote over the gradient above")

    def _call(self, operator: str, inputs: Any, arguments: Any) -> Any:
        function = self.operators.get(operator) or getattr(library, operator)
        leaves: list[Tensor] = []
        wrapped = [self._wrapped(x, leaves) for x in inputs]
        self.last_call = _named(operator, inputs)
        y = self._guarded(operator, lambda: function(*wrapped, **arguments), leaves)
        first = y[0] if isinstance(y, tuple) and y else y
        if not isinstance(first, Tensor):
            raise Raised(
                f"{operator} returned {type(first).__name__}; it must return a Tensor "
                "(on_arrays makes such an operator from functions of arrays)"
            )
        return y, leaves

    def _wrapped(self, x: Any, leaves: list[Tensor]) -> Any:
        """Hand a NumPy array over: floats as a leaf, whole numbers as they are."""
        if isinstance(x, list | tuple):  # the tensors of a concatenation
            return [self._wrapped(item, leaves) for item in x]
        if not isinstance(x, np.ndarray):
            return x
        if x.dtype.kind != "f":
            return _read_only(to_device(x, self.device))
        array = to_device(x.astype(self.dtype, copy=False), self.device)
        leaves.append(Tensor(_read_only(array), requires_grad=True))
        return leaves[-1]

    def _guarded(self, operator: str, task: Any, leaves: list[Tensor]) -> Any:
        before = [leaf.data.copy() for leaf in leaves]
        try:
            y = task()
        except Exception as error:
            sentence = f"{operator} raised {type(error).__name__}: {error}"
            if "'Tensor'" in str(error) and operator in self.operators:
                sentence += (
                    "; operators are called with Tensors: on_arrays makes one from "
                    "functions of arrays"
                )
            raise Raised(sentence) from error
        for leaf, old in zip(leaves, before, strict=True):
            same = (leaf.data == old) | ((leaf.data != leaf.data) & (old != old))  # nan
            if not same.all():
                leaf.data[...] = old  # or the message would show what it wrote
                raise Raised(f"{operator} wrote over its input of shape {leaf.shape}")
        return y


class Judged(Function):
    """A case's operator on trial as a Function, for checks that want one."""

    def __init__(self, ops: Implementation, case: Case):
        self.ops, self.case = ops, case

    def forward(self, *_: np.ndarray) -> np.ndarray:
        case = self.case
        return self.ops.run(case.operator, *case.positional, **case.arguments)

    def backward(self, gy: np.ndarray) -> tuple[np.ndarray, ...]:
        case = self.case
        return self.ops.gradients(case.operator, gy, *case.positional, **case.arguments)


class OnArrays(Function):
    """A forward and a backward of plain arrays, put on the tape (see `on_arrays`).

    Attributes:
        more: what forward returned after its array.
    """

    def __init__(self, forward: Any, backward: Any, hand_over: Callable[..., Any]):
        self.functions, self.hand_over = (forward, backward), hand_over

    def forward(self, *arrays: Any) -> Any:
        self.arrays = arrays
        y = self.hand_over(self.functions[0], arrays)
        y, *self.more = y if isinstance(y, tuple) and y else (y,)
        if not hasattr(y, "dtype"):
            given = type(y).__name__
            raise TypeError(f"forward returned {given}; it must return an array")
        return y

    def backward(self, gy: Any) -> Any:
        found = self.hand_over(partial(self.functions[1], _read_only(gy)), self.arrays)
        found = list(found) if isinstance(found, tuple | list) else [found]
        floats = [x for x in self.arrays if x.dtype.kind == "f"]
        if len(found) != len(floats) or not all(hasattr(g, "dtype") for g in found):
            given = ", ".join(type(g).__name__ for g in found)
            raise TypeError(
                f"backward returned ({given}); it must return the gradient of each "
                f"array of floats, {len(floats)} in all"
            )
        for x, g in zip(floats, found, strict=True):
            if g.dtype != x.dtype:
                raise TypeError(
                    f"backward returned {g.dtype} for an array of {x.dtype}"
                )
        # Labels and other whole numbers have no gradient.
        return tuple(found.pop(0) if x.dtype.kind == "f" else None for x in self.arrays)


def on_arrays(
    forward: Callable[..., Any], backward: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Make an operator of Tensors from functions of arrays, such as a learner writes.

    Args:
        forward: takes the operator's arrays and arguments as it is called with them
            (strides and the like as pairs, padding with four sides), returns an
            array, or a tuple that begins with it. concat takes its arrays in a list.
        backward: takes the gradient of the output, then what forward takes; returns
            the gradient of the array of floats, or of each in a tuple. Laws of
            gradients fail without it.

    >>> relu = on_arrays(lambda x: np.maximum(x, 0))
    >>> mine = Implementation("mine", operators={"relu": relu})
    >>> mine.relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def operator(*inputs: Any, **arguments: Any) -> Any:
        packed = bool(inputs) and isinstance(inputs[0], list)
        count = 1 if packed else sum(map(_is_array, inputs))
        rest = inputs[count:]  # arguments in their places, after the arrays

        def hand_over(function: Callable[..., Any], arrays: Any) -> Any:
            arrays = (list(arrays),) if packed else arrays
            return function(*arrays, *rest, **arguments)

        made = OnArrays(forward, backward or _missing, hand_over)
        y = made(*(inputs[0] if packed else inputs[:count]))
        return (y, *made.more) if made.more else y

    return operator


def _is_array(x: Any) -> bool:
    return isinstance(x, Tensor) or hasattr(x, "dtype")


def _named(operator: str, inputs: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a call by the names of the library's parameters."""
    names = inspect.signature(getattr(library, operator)).parameters
    given = dict(zip(names, inputs, strict=False))
    if inputs and isinstance(inputs[0], list | tuple):
        given = {f"tensors[{i}]": x for i, x in enumerate(inputs[0])}
    return {name: x for name, x in given.items() if isinstance(x, np.ndarray)}


def _missing(*_: Any, **__: Any) -> None:
    raise NotImplementedError("on_arrays was given no backward, and the law needs it")


def _read_only(x: Any) -> Any:
    """Return a view of an array that cannot be written over; anything else as it is."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x


def _unwrapped(y: Any) -> Any:
    if isinstance(y, tuple):
        return tuple(_unwrapped(item) for item in y)
    return to_numpy(y.data if isinstance(y, Tensor) else y)


__all__ = ["FUNCTIONS", "Implementation", "Judged", "Raised", "on_arrays"]
