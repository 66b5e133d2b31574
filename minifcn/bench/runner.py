"""Running one case of the operators' benchmark, in whichever library."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minifcn import Tensor, arrays, metrics, nn, ops, optim, pictures
from minifcn.data.palettes import voc_palette

from . import devices, worker
from .cases import Case, normal

TURN = 0.02  # seconds: shorter work is run again in the same turn
MOST_RUNS = 25
DESCENT = {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}


class Runner:
    """Runs a case's operator and its gradients; a subclass for each library.

    Attributes:
        case: what was loaded.
        call: runs it forward.
        floats: the library's tensors that may want gradients.
        gy: the gradient from above, made once the result's shape is known.
        given: bytes of the last result of forward.
    """

    case: Case
    call: Callable[[], Any]
    floats: list[Any]
    gy: Any
    given: int

    def __init__(self, settings: worker.Settings):
        self.settings = settings
        library = worker.library_of(settings)
        self.wait, _ = devices.clockwork(library, settings["device"])

    def run(self, direction: str) -> tuple[float, Any]:
        """Run one direction; return its seconds and the result of forward."""
        wanted = self.case.directions[direction]
        self.want(wanted)
        seconds, y = worker.timed(self.call, self.wait)
        self.given = prod(y.shape) * y.dtype.itemsize
        if direction != "forward":
            if self.gy is None:
                rng = np.random.default_rng(self.settings["seed"] + 1)
                self.gy = self.there(normal(rng, tuple(y.shape)))
            seconds, _ = worker.timed(lambda: y.backward(self.gy), self.wait)
        return seconds, y

    def results(self, direction: str) -> list[np.ndarray]:
        """Run one direction; return what it computes, as NumPy arrays."""
        _, y = self.run(direction)
        if direction == "forward":
            return [self.here(y)]
        wanted = self.case.directions[direction]
        return [self.here(self.floats[i].grad) for i in wanted]

    def times(self, direction: str) -> list[float]:
        """Return the seconds of several runs, of one if it takes long."""
        seconds = [self.run(direction)[0]]
        while sum(seconds) < TURN and len(seconds) < MOST_RUNS:
            seconds.append(self.run(direction)[0])
        return seconds

    def load(self, case: Case) -> bool:
        """Draw the inputs; return whether the library has the operator."""
        raise NotImplementedError

    def want(self, which: list[int]) -> None:
        """Ask for the gradients of these floats, and of no others."""
        raise NotImplementedError

    def there(self, array: np.ndarray) -> Any:
        """Move an array to where the library computes."""
        raise NotImplementedError

    def here(self, result: Any) -> np.ndarray:
        """Move a result back."""
        raise NotImplementedError


class OfMinifcn(Runner):
    """Runs minifcn's operators."""

    def load(self, case: Case) -> bool:
        """Draw the inputs; there is nothing that we have not."""
        self.case, self.gy = case, None
        floats, wholes = case.draw(self.settings["seed"])
        self.floats = [Tensor(self.there(array)) for array in floats]
        others = [self.there(array) for array in wholes]
        self.call = self._call(others)
        return True

    def _call(self, others: list[Any]) -> Callable[[], Any]:
        name, how, floats = self.case.operator, self.case.options, self.floats
        if name == "sgd":
            return self._descent()
        if name == "most_likely":
            return lambda: metrics.most_likely(floats[0].data)
        if name == "confusion_matrix":
            return lambda: metrics.confusion_matrix(*others, **how)
        if name == "colour":
            return lambda: pictures.colour(others[0], voc_palette())
        if name == "concat":
            return lambda: ops.concat(floats)
        operator = getattr(ops, name)
        if name in ("nll_loss", "cross_entropy"):
            how = how | {"check": False}  # as training has it: a GPU is not waited for
        return lambda: operator(*floats, *others, **how)

    def _descent(self) -> Callable[[], Any]:
        weight, gradient = (tensor.data for tensor in self.floats)
        parameter = nn.Parameter(weight)
        parameter.grad = gradient
        descent = optim.SGD([parameter], **DESCENT)

        def step() -> Any:
            descent.step()
            return parameter

        return step

    def want(self, which: list[int]) -> None:
        """Mark the tensors, and forget their gradients."""
        for i, tensor in enumerate(self.floats):
            tensor.requires_grad, tensor.grad = i in which, None

    def there(self, array: np.ndarray) -> Any:
        """Move an array to the device."""
        return arrays.to_device(array, self.settings["device"])

    def here(self, result: Any) -> np.ndarray:
        """Return an array of the result's numbers."""
        return arrays.to_numpy(result.data if isinstance(result, Tensor) else result)
