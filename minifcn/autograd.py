"""The tape: a Tensor remembers which Function made it, and backward walks the way back.

Running a network writes the tape (define by run). Each Function keeps what its own
backward needs and where its inputs came from: an earlier Function, or a leaf, that is a
Tensor made by the user. `Tensor.backward` visits the Functions in the reverse of the
order in which they ran, which is always a topological order, hands each the gradient of
its output, and lets go of what it kept.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .arrays import Array, array_module, check_float

_clock = itertools.count()  # one order for all that is on the tape
_recording = ContextVar("recording", default=True)  # each thread has its own


@contextmanager
def no_grad() -> Iterator[None]:
    """Switch the tape off inside a `with` block: nothing is kept for backward."""
    before = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(before)


def is_recording() -> bool:
    """Whether the tape is written: not inside of `no_grad`."""
    return _recording.get()


class Tensor:
    """An array that knows how it was made.

    Attributes:
        data: the array (NumPy's or CuPy's).
        grad: the gradient of what `backward` was called on, with respect to this leaf;
            an array like `data`, or None. Gradients add up until set to None.
        requires_grad: whether gradients flow to this tensor.
        maker: the Function that computed it, or None for a leaf.
    """

    __array_ufunc__ = None  # so that array + tensor calls Tensor.__radd__

    def __init__(self, array: Any, requires_grad: bool = False):
        if isinstance(array, Tensor):
            raise TypeError(
                "Tensor is made from an array; use .detach() to copy a Tensor"
            )
        # Arrays of NumPy and CuPy stay as they are; lists and numbers become arrays.
        is_array = hasattr(array, "dtype") and hasattr(array, "shape")
        self.data: Array = array if is_array else np.asarray(array)
        if requires_grad:
            check_float(self.data, "a tensor that requires a gradient")
        self.requires_grad = requires_grad
        self.grad: Array | None = None
        self.maker: Function | None = None
        self.readers = 0  # how many others use the same array: Functions, tensors

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        return self.data.shape

    @property
    def dtype(self) -> Any:
        """The number type of `data`."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    def item(self) -> float:
        """Return the only element as a Python number."""
        return self.data.item()

    def detach(self) -> "Tensor":
        """Return a leaf with the same array, off the tape."""
        leaf = Tensor(self.data)
        leaf.readers += 1  # each holds the other's array
        self.readers += 1
        return leaf

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, at: Any) -> Any:
        raise TypeError(
            "a Tensor takes no [...]: use .data[...] for numbers without gradients, or "
            "ops.crop to cut out a part through which gradients flow"
        )

    def __repr__(self) -> str:
        note = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({self.data!r}{note})"

    def backward(
        self, gradient: Any = None, then: Callable[["Tensor"], None] | None = None
    ) -> None:
        """Add to `.grad` of every leaf the gradient of this tensor.

        Args:
            gradient: what flows in from above, of this tensor's shape (the vector v of
                the product vᵀJ); may be left out for a single element, where it is 1.
            then: called with each leaf as soon as nothing more will be added to it, and
                nothing on the way back needs the leaf any more.

        Raises:
            ValueError: nothing on the tape, or the gradient is missing or misshapen.
            RuntimeError: the tape was already walked, and let go of its arrays.
        """
        if not self.requires_grad:
            raise ValueError(
                "backward() needs a tensor computed from one that requires_grad"
            )
        # A leaf has no maker and takes the gradient itself.
        _walk(self.maker or self, _first_gradient(self, gradient), then)

    def __add__(self, other: "Operand") -> "Tensor":
        return Add()(self, other)

    def __mul__(self, other: "Operand") -> "Tensor":
        return Multiply()(self, other)

    def __truediv__(self, other: "Operand") -> "Tensor":
        return Divide()(self, other)

    def __neg__(self) -> "Tensor":
        return Multiply()(self, -1.0)

    def __sub__(self, other: "Operand") -> "Tensor":
        return Add()(self, Multiply()(other, -1.0))

    def __rsub__(self, other: "Operand") -> "Tensor":
        return Add()(Multiply()(self, -1.0), other)

    def __rtruediv__(self, other: "Operand") -> "Tensor":
        return Divide()(other, self)

    __radd__ = __add__  # both commute
    __rmul__ = __mul__

    def sum(self) -> "Tensor":
        """Return the sum of all elements."""
        return Sum()(self)

    def mean(self) -> "Tensor":
        """Return the mean of all elements."""
        return self.sum() * (1.0 / self.size)

    def reshape(self, *shape: int) -> "Tensor":
        """Return the same elements in another shape."""
        return Reshape(shape)(self)


Operand = Tensor | Array | float


class Function:
    """One operation on the tape: `forward` on arrays, `backward` on gradients.

    A subclass keeps on `self` what its backward needs. `backward(gy)` returns one
    gradient per input (alone, or in a tuple); where `self.wants[i]` is False the i-th
    may be None. `output_is_shared` says that the output's array is kept for backward,
    or is also somebody else's, so that nothing may be written over it.
    `makes_gradients` says that backward's results are new arrays that nobody else
    holds; the next backward may then write over its gy, where `owns_gradient` says so.

    An instance stands for one place on the tape: make a new one for each call.
    """

    output_is_shared = False
    makes_gradients = False
    owns_gradient = False  # set by the walk

    def __call__(self, *operands: Operand) -> Tensor:
        """Run forward and, where a gradient will be wanted, write it on the tape.

        Raises:
            RuntimeError: this very Function is on the tape already.
        """
        if hasattr(self, "time"):
            name = type(self).__name__
            raise RuntimeError(
                f"this {name} is on the tape already, and keeps what its backward "
                f"needs: call a new one each time, {name}(...)(x)"
            )
        inputs = _as_tensors(operands)
        self.wants = [tensor.requires_grad and _recording.get() for tensor in inputs]
        y = Tensor(self.forward(*(tensor.data for tensor in inputs)))
        # From now on relu(inplace=True) must leave these arrays alone.
        for tensor in inputs:
            tensor.readers += 1
        if any(self.wants):
            self.time = next(_clock)
            # Makers, not tensors: an array that nobody else holds can be freed.
            self.sources = [tensor.maker or tensor for tensor in inputs]
            y.requires_grad, y.maker = True, self
        else:
            # Without a maker to ask, a reader says that the array is shared.
            y.readers = int(self.output_is_shared)
        return y

    def forward(self, *arrays: Array) -> Array:
        """Compute the output from the inputs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, gy: Array) -> Any:
        """Compute the inputs' gradients from the output's."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def gradients(self, gy: Array) -> list[tuple["Function | Tensor", Array]]:
        """Run backward once; return (source, gradient) pairs and free what was kept."""
        if not hasattr(self, "sources"):
            raise RuntimeError(
                "backward() came here a second time, but the first freed what it "
                "needs: run the forward pass again, or add up the losses before one "
                "backward()"
            )
        result = self.backward(gy)
        result = result if isinstance(result, tuple) else (result,)
        self._check(result)
        pairs = [
            (source, gradient)
            for source, gradient, wanted in zip(
                self.sources, result, self.wants, strict=True
            )
            if wanted
        ]
        time = self.time
        self.__dict__.clear()  # frees what forward kept
        self.time = time  # its place on the tape, should another walk come by
        return pairs

    def _check(self, result: tuple[Any, ...]) -> None:
        name = f"{type(self).__name__}.backward"
        if len(result) != len(self.wants):
            raise ValueError(
                f"{name} returned {len(result)} gradients for {len(self.wants)} inputs"
            )
        for i, (source, gradient) in enumerate(zip(self.sources, result, strict=True)):
            if not self.wants[i]:
                continue
            if gradient is None:
                raise ValueError(f"{name} returned None for input {i}, which wants one")
            # Only a leaf's shape is known: a Function's output may be gone by now.
            if isinstance(source, Tensor) and gradient.shape != source.shape:
                raise ValueError(
                    f"{name} returned a gradient of shape {gradient.shape} for input "
                    f"{i}, whose shape is {source.shape}"
                )


def _as_tensors(operands: tuple[Operand, ...]) -> list[Tensor]:
    # Numbers take type and device of the first tensor of floats beside them.
    arrays = (t.data for t in operands if isinstance(t, Tensor))
    like = next((array for array in arrays if array.dtype.kind == "f"), np.zeros(()))
    return [t if isinstance(t, Tensor) else _constant(t, like) for t in operands]


def _constant(value: Any, like: Array) -> Tensor:
    # A bare number takes the tensor's type: float32 stays float32.
    is_number = isinstance(value, float | int | np.number)
    return Tensor(array_module(like).asarray(value, like.dtype) if is_number else value)


def _first_gradient(tensor: Tensor, gradient: Any) -> Array:
    xp = array_module(tensor.data)
    if gradient is None:
        if tensor.size != 1:
            raise ValueError(
                f"backward() of a tensor of shape {tensor.shape} needs a gradient of "
                "that shape; only a single element needs none"
            )
        return xp.ones_like(tensor.data)  # ∂y/∂y
    gradient = gradient.data if isinstance(gradient, Tensor) else xp.asarray(gradient)
    if gradient.shape != tensor.shape:
        raise ValueError(
            f"gradient has shape {gradient.shape}; the tensor's is {tensor.shape}"
        )
    return gradient.astype(tensor.dtype, copy=False)


def _walk(
    start: Function | Tensor, gradient: Array, then: Callable[[Tensor], None] | None
) -> None:
    """Visit the tape from the newest Function to the oldest, passing gradients down."""
    if isinstance(start, Tensor):
        _add_to_leaf(start, gradient, shared=True)  # the caller may hold it
        if then:
            then(start)
        return
    uses = _uses(start) if then else Counter[Tensor]()
    # {Function: the gradient of its output so far, and whether it alone holds that}
    pending = {start: (gradient, False)}
    queue = [(-start.time, start)]  # newest first; times are unique
    while queue:
        _, function = heapq.heappop(queue)
        for leaf in _pass_down(function, pending, queue):
            uses[leaf] -= 1
            if then and not uses[leaf]:
                then(leaf)


def _pass_down(
    function: Function,
    pending: dict[Function, tuple[Array, bool]],
    queue: list[tuple[int, Function]],
) -> list[Tensor]:
    """Run one Function backward; return the leaves that it reads."""
    gy, function.owns_gradient = pending.pop(function)
    makes = function.makes_gradients
    handed_out = [] if function.owns_gradient else [gy]  # what others may hold
    leaves = []
    for source, gradient in function.gradients(gy):
        if isinstance(source, Tensor):
            # Add gives one array to both inputs: a leaf must not share its own.
            same = array_module(gy).may_share_memory
            shared = any(same(gradient, other) for other in handed_out)
            _add_to_leaf(source, gradient, shared)
            leaves.append(source)
        elif source in pending:
            total, owned = pending[source]
            if owned:
                total += gradient
            else:
                total = total + gradient
            pending[source] = total, True
        else:
            pending[source] = gradient, makes
            heapq.heappush(queue, (-source.time, source))
        handed_out.append(gradient)
    return leaves


def _uses(start: Function) -> Counter[Tensor]:
    """Count how often each leaf is read by the Functions that a walk will visit."""
    uses: Counter[Tensor] = Counter()
    met, ahead = {start}, [start]
    while ahead:
        function = ahead.pop()
        if not hasattr(function, "sources"):  # visited before: `gradients` will say so
            continue
        for source, wanted in zip(function.sources, function.wants, strict=True):
            if wanted and isinstance(source, Tensor):
                uses[source] += 1
            elif isinstance(source, Function) and source not in met:
                met.add(source)
                ahead.append(source)
    return uses


def _add_to_leaf(leaf: Tensor, gradient: Array, shared: bool) -> None:
    if leaf.grad is None:
        # Later gradients are added in place, so this array must be the leaf's own.
        leaf.grad = gradient.astype(leaf.dtype, order="C", copy=shared)
    else:
        leaf.grad += gradient


def _sum_to(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which `shape` was broadcast: broadcasting's adjoint."""
    extra = gradient.ndim - len(shape)  # axes that broadcasting put in front
    ones = [i + extra for i, n in enumerate(shape) if n == 1]  # axes stretched from 1
    axes = (*range(extra), *ones)
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient


class Add(Function):
    """a + b, broadcast; ∂/∂a = ∂/∂b = 1."""

    def forward(self, a: Array, b: Array) -> Array:
        self.shapes = a.shape, b.shape
        return a + b

    def backward(self, gy: Array) -> Any:
        return tuple(_sum_to(gy, shape) for shape in self.shapes)


class Multiply(Function):
    """a · b, element by element, broadcast; ∂/∂a = b, ∂/∂b = a."""

    def forward(self, a: Array, b: Array) -> Array:
        self.a, self.b = a, b
        return a * b

    def backward(self, gy: Array) -> Any:
        ga = _sum_to(gy * self.b, self.a.shape) if self.wants[0] else None
        gb = _sum_to(gy * self.a, self.b.shape) if self.wants[1] else None
        return ga, gb


class Divide(Function):
    """a / b, element by element, broadcast; ∂/∂a = 1/b, ∂/∂b = −a/b²."""

    def forward(self, a: Array, b: Array) -> Array:
        self.a, self.b = a, b
        return a / b

    def backward(self, gy: Array) -> Any:
        ga = gy / self.b
        gb = -ga * self.a / self.b  # −gy · a / b²
        return _sum_to(ga, self.a.shape), _sum_to(gb, self.b.shape)


class Sum(Function):
    """The sum of all elements; ∂/∂x = 1 everywhere."""

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.sum()

    def backward(self, gy: Array) -> Array:
        return array_module(gy).broadcast_to(gy, self.shape)  # no copy: stride 0


class Reshape(Function):
    """The same elements in another shape; the gradient goes back to the old one."""

    output_is_shared = True  # a view of the input

    def __init__(self, shape: tuple[int, ...]):
        self.new_shape = shape

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(self.new_shape)

    def backward(self, gy: Array) -> Array:
        return gy.reshape(self.shape)
