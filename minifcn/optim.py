"""Stochastic gradient descent as Caffe has it, and schedules for its learning rate."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .arrays import (
    Array,
    array_module,
    device_of,
    elementwise,
    on_cpu,
    to_device,
    to_numpy,
    workspace,
)
from .autograd import Tensor
from .cuda import Kernels
from .nn import Parameter

KERNELS = Kernels(__file__)

Schedule = Callable[[int], float]


class SGD:
    """Gradient descent with momentum and weight decay.

    For each parameter w with gradient g:

        v ← momentum · v + lr · lr_mult · (g + weight_decay · decay_mult · w)
        w ← w − v

    The learning rate stands inside the velocity, and the decay is coupled to the
    gradient. A parameter without a gradient, or frozen, is left alone.
    Source: Caffe's sgd_solver.cpp; Long et al. 2015, section 4.3.

    Args:
        params: Parameters, or (name, Parameter) pairs as `named_parameters()` gives.
        lr: learning rate; may be set between steps.
        momentum: share of the velocity that is kept, in [0, 1).
        weight_decay: strength of the pull towards zero.

    Raises:
        ValueError: a setting out of range, or no parameters.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0,
        weight_decay: float = 0,
    ):
        self.params = _named(params)
        if not self.params:
            raise ValueError("params is empty; SGD needs at least one parameter")
        if not lr >= 0 or not weight_decay >= 0 or not 0 <= momentum < 1:
            raise ValueError(
                f"lr is {lr}, momentum {momentum} and weight_decay {weight_decay}; "
                "they must be ≥ 0, in [0, 1) and ≥ 0"
            )
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.velocity: dict[str, Array] = {}  # v, by the parameter's name

    def step(self, divide_by: int = 1) -> None:
        """Move every parameter once.

        `divide_by` divides the gradients first: Caffe's `iter_size`, the number of
        batches over which they were added up.
        """
        for name, parameter in self.params.items():
            if parameter.grad is not None and parameter.lr_mult:
                self._move(name, parameter, divide_by)

    def descend(self, loss: Tensor, divide_by: int = 1) -> None:
        """Do what `loss.backward()`, `step` and `zero_grad` do, with less memory.

        Each parameter moves as soon as its gradient is complete, which is then
        forgotten: there are never all of them at once. Those of FCN-8s take 538 MB, and
        fc6's 411 MB would be the first to come and the last to go. (Not for a loss that
        needs a parameter once more where no gradient of it flows, by `detach`.)

        Args:
            loss: a single number; parameters that it does not depend on move, too, if
                they have a gradient.
            divide_by: as of `step`.
        """
        names = {parameter: name for name, parameter in self.params.items()}

        def move(leaf: Tensor) -> None:
            name = names.get(leaf)  # type: ignore[call-overload]
            if name is not None and self.params[name].lr_mult:
                self._move(name, self.params[name], divide_by)
                leaf.grad = None

        loss.backward(then=move)
        self.step(divide_by)
        self.zero_grad()

    def _move(self, name: str, parameter: Parameter, divide_by: int) -> None:
        w, g = parameter.data, parameter.grad
        # Made at the first move: what is frozen takes no memory.
        if name not in self.velocity:
            self.velocity[name] = array_module(w).zeros(w.shape, w.dtype)
        rate = self.lr * parameter.lr_mult
        decay = self.weight_decay * parameter.decay_mult
        v, number = self.velocity[name], w.dtype.type  # float32 stays float32
        if not on_cpu(w):
            numbers = map(number, (rate, self.momentum, decay, 1 / divide_by))
            KERNELS.sgd(w.size, g, v, w, w.size, *numbers)
            return
        # lr · (g / n + decay · w) = lr / n · (g + n · decay · w): a pass less over g.
        share, pull = number(rate / divide_by), number(divide_by * decay)
        momentum = number(self.momentum)

        # Runs on matching pieces of the three arrays, which stay in the cache: each
        # number comes from memory once, and w and v go back once.
        def move(w: Array, g: Array, v: Array) -> None:
            change = workspace("change", w.shape, w.dtype)  # g stays as it is
            if pull:  # 0 for biases
                np.multiply(w, pull, out=change)
                change += g
                change *= share  # inside the velocity, as in Caffe
            else:
                np.multiply(g, share, out=change)
            v *= momentum
            v += change
            w -= v

        elementwise(move, w, g, v)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.params.values():
            parameter.grad = None

    def state_dict(self) -> dict[str, Array]:
        """Return {name: velocity}; a parameter that never moved has none."""
        return dict(self.velocity)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the velocities of `state_dict`.

        Raises:
            ValueError: a name or a shape that is not among the parameters.
        """
        for name, velocity in state.items():
            if name not in self.params or self.params[name].shape != np.shape(velocity):
                raise ValueError(
                    f"velocity {name} of shape {np.shape(velocity)} belongs to no "
                    "parameter"
                )
        self.velocity = {
            # Copies, since steps change velocities in place.
            name: to_device(_copy(velocity), device_of(self.params[name].data))
            for name, velocity in state.items()
        }


def _copy(array: Any) -> np.ndarray:
    return np.array(to_numpy(array), order="C")


def _named(params: Iterable[Any]) -> dict[str, Parameter]:
    # Velocities are kept by name: nameless parameters are numbered.
    pairs = [
        item if isinstance(item, tuple) else (str(number), item)
        for number, item in enumerate(params)
    ]
    if len({id(parameter) for _, parameter in pairs}) < len(pairs):
        raise ValueError("params holds the same parameter twice; it would move twice")
    if len(dict(pairs)) < len(pairs):
        raise ValueError("params holds two parameters of the same name")
    return dict(pairs)


def constant(lr: float) -> Schedule:
    """lr at every iteration."""
    return lambda iteration: lr


def step(lr: float, every: int, gamma: float = 0.1) -> Schedule:
    """lr · gamma^⌊iteration / every⌋ (Caffe's "step")."""
    if every < 1:
        raise ValueError(f"every is {every}; it must be 1 iteration or more")
    return lambda iteration: lr * gamma ** (iteration // every)


def poly(lr: float, total: int, power: float = 0.9) -> Schedule:
    """lr · (1 − iteration / total)^power, which ends at 0 (Caffe's "poly")."""
    if total < 1:
        raise ValueError(f"total is {total}; it must be 1 iteration or more")
    # Beyond `total` the base would be negative, and its power complex.
    return lambda iteration: lr * max(0.0, 1 - iteration / total) ** power


def warm_up(schedule: Schedule, iterations: int) -> Schedule:
    """Let `schedule` begin with a rate that grows linearly at first."""

    def warmed(iteration: int) -> float:
        # + 1: the very first step moves, too.
        return schedule(iteration) * min(1.0, (iteration + 1) / max(1, iterations))

    return warmed
