"""The law of every backward pass: its gradients are those of central differences.

A function f is seen through a random upstream gradient v, as the number L = Σ v · f
(never v = 1: a wrong permutation has the same sum). For each input x and direction d,

    ⟨∂L/∂x, d⟩ = (L(x + h·d) − L(x − h·d)) / 2h + O(h²)

where d runs over every single element of a small input (all of vᵀJ), and over random
directions of a large one. At a kink (ReLU at 0, a tie of a maximum) there is no
gradient to compare with. It shows without looking at the gradient in question: halving
h leaves a smooth slope as it is, and halves the difference of the slopes on both sides.
Such elements are left out and counted, such directions drawn again.

Source: Chainer's gradient_check; Baydin et al. 2018, "Automatic differentiation in
machine learning", section 2.1.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from ..autograd import Tensor, no_grad
from ..geometry import whole
from ..nn import Module

DRAWS = 20  # of a direction without a kink, before giving up


class GradientError(AssertionError):
    """A gradient that differs from central differences, or cannot be compared."""


class Coverage(NamedTuple):
    """How many slopes were compared, how many left out at kinks, and the worst error.

    The error is relative to the largest slope.
    """

    compared: int
    kinks: int
    worst_error: float = 0.0

    def plus(self, other: "Coverage") -> "Coverage":
        """Of both together."""
        return Coverage(  # kinks add up; the worst is the worst of all
            self.compared + other.compared,
            self.kinks + other.kinks,
            max(self.worst_error, other.worst_error),
        )


@dataclass(frozen=True)
class Settings:
    """How a check is made (see `check_gradients`)."""

    seed: int = 0
    step: float = 1e-5
    tolerance: float = 1e-6
    full_size: int = 600
    directions: int = 3

    @staticmethod
    def of(checker: str, settings: dict[str, Any]) -> "Settings":
        """Read the settings that a checker was given; clear errors for any other."""
        names = [field.name for field in fields(Settings)]
        for name in settings:
            if name not in names:
                raise TypeError(
                    f"{checker} has no setting {name!r}; there are {', '.join(names)}"
                )
        return Settings(**settings)

    def __post_init__(self) -> None:
        for name in ("step", "tolerance"):
            number = getattr(self, name)
            if not 0 < number < math.inf:
                raise ValueError(f"{name} is {number}; it must be greater than 0")
        whole(self.full_size, "full_size")
        whole(self.directions, "directions", 1)


def check_gradients(
    function: Callable[..., Tensor],
    inputs: Sequence[Any],
    wrt: int | Sequence[int] | None = None,
    **settings: Any,
) -> Coverage:
    """Compare the gradients of `function` with central differences, in float64.

    Args:
        function: takes one Tensor for each input, returns a Tensor of any shape; the
            same at every call (fix the seed of a dropout).
        inputs: a list of arrays of floats, or numbers; copied, and handed over as
            float64. Whole numbers such as labels have no gradient, and are closed over:
            `check_gradients(lambda x: cross_entropy(x, target), [x])`.
        wrt: which input or inputs to check, counted from 0; all if None.
        settings: `seed` of v and of the directions; `step` h; `tolerance`, relative to
            the largest slope; inputs of up to `full_size` elements are checked at each
            element, larger ones along that many random `directions`.

    Returns:
        How many slopes were compared and left out, over all inputs.

    Raises:
        GradientError: names function, input, element, what was got and expected.
        TypeError: inputs that are not a list of arrays of floats; a function that
            returns no Tensor; an unknown setting.
        ValueError: no such input; a setting out of range.
    """
    read = Settings.of("check_gradients", settings)
    leaves = _leaves("check_gradients", inputs)
    named = {f"input {i}": leaves[i] for i in _chosen(wrt, len(leaves))}
    name = getattr(function, "__name__", type(function).__name__)
    return _check(name, lambda: function(*leaves), named, read)


def check_module(module: Module, inputs: Sequence[Any], **settings: Any) -> Coverage:
    """Compare a module's gradients: in every parameter that learns, and every input.

    Args:
        module: with parameters of float64; left as it is, gradients included.
        inputs: a list of arrays for its `forward`, as in `check_gradients`.
        settings: as in `check_gradients`.

    Raises:
        GradientError, ValueError: as `check_gradients`.
        TypeError: so, too; a parameter that is not of float64.
    """
    read = Settings.of("check_module", settings)
    leaves = _leaves("check_module", inputs)
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    for name, parameter in named.items():
        if parameter.dtype != np.float64:
            raise TypeError(
                f"{name} is {parameter.dtype}; use module.to(dtype='float64')"
            )
    # whoever trains has gradients of his own
    kept = {name: parameter.grad for name, parameter in named.items()}
    # parameters, then inputs
    everything = named | {f"input {i}": leaf for i, leaf in enumerate(leaves)}
    try:
        return _check(
            type(module).__name__,
            lambda: module(*leaves),
            everything,
            read,
        )
    finally:
        for name, parameter in named.items():
            parameter.grad = kept[name]


def _leaves(checker: str, inputs: Any) -> list[Tensor]:
    """Return copies of the inputs in float64, which gradients flow to."""
    if not isinstance(inputs, list | tuple):
        shape = getattr(inputs, "shape", None)
        raise TypeError(
            f"inputs is {type(inputs).__name__}"
            + (f" of shape {shape}" if shape is not None else "")
            + f"; {checker} takes a list with one array for each input: [x]"
        )
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor):
            raise TypeError(
                f"input {i} is a Tensor; {checker} takes arrays, and makes Tensors of "
                "them: x.data"
            )
        # A bare number, 2 say, may well stand for 2.0.
        kind = np.asarray(x).dtype
        if kind.kind != "f" and not isinstance(x, int | float):
            raise TypeError(
                f"input {i} is of type {kind}; gradients are those of floats. Close "
                "over labels, lambda x: cross_entropy(x, target), and turn other "
                'numbers into floats, .astype("float64")'
            )
    return [Tensor(np.array(x, np.float64), requires_grad=True) for x in inputs]


def _chosen(wrt: int | Sequence[int] | None, count: int) -> Sequence[int]:
    """Return the numbers of the inputs to check."""
    if wrt is None:
        wrt = range(count)
    chosen = [wrt] if not isinstance(wrt, Sequence) else wrt
    numbers = [whole(number, "wrt", minimum=number) for number in chosen]
    if not all(0 <= number < count for number in numbers) or not numbers:
        raise ValueError(
            f"wrt is {wrt!r}; there are {count} inputs, counted from 0, and one or "
            "more are to be checked"
        )
    return numbers


def _check(
    name: str,
    run: Callable[[], Tensor],
    leaves: dict[str, Tensor],
    settings: Settings,
) -> Coverage:
    probe = _Probe(name, run, leaves, settings)
    total = Coverage(0, 0)
    for label, leaf in leaves.items():
        # else a pass for each element would take too long
        small = leaf.size <= settings.full_size
        check = _every_element if small else _some_directions
        total = total.plus(check(probe, label, leaf, probe.gradients[label]))
    return total


class _Probe:
    """L = Σ v · f of the leaves' present values, its gradients and its slopes."""

    def __init__(
        self,
        name: str,
        run: Callable[[], Tensor],
        leaves: dict[str, Tensor],
        settings: Settings,
    ):
        self.name, self.run, self.settings = name, run, settings
        self.rng = np.random.default_rng(settings.seed)
        before = {label: leaf.data.copy() for label, leaf in leaves.items()}
        y = run()
        if not isinstance(y, Tensor):
            several = ", so choose one" if isinstance(y, tuple | list) else ""
            raise TypeError(
                f"{name} returns {type(y).__name__}; it must return a Tensor{several}"
            )
        if y.dtype != np.float64:
            raise GradientError(f"{name} of float64 inputs gives {y.dtype}")
        self.v = self.rng.standard_normal(y.shape)
        self.value = float(np.vdot(self.v, y.data))
        # what rounding may do to L
        self.noise = np.finfo(float).eps * float(np.vdot(abs(self.v), abs(y.data)))
        self.gradients = self._backward(y, leaves)
        for label, leaf in leaves.items():
            if not np.array_equal(leaf.data, before[label], equal_nan=True):
                raise GradientError(f"{name} changed its {label}")
        if self.loss() != self.value:  # to the last digit: else slopes would be noise
            raise GradientError(f"{name} gives another result at the second call")

    def _backward(self, y: Tensor, leaves: dict[str, Tensor]) -> dict[str, np.ndarray]:
        """Return the gradients; zeros where none arrives."""
        for leaf in leaves.values():
            leaf.grad = None
        if y.requires_grad:
            y.backward(self.v)  # without a graph no gradient arrives
        return {label: self._gradient(label, leaf) for label, leaf in leaves.items()}

    def _gradient(self, label: str, leaf: Tensor) -> np.ndarray:
        gradient = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad
        if gradient.shape != leaf.shape or gradient.dtype != leaf.dtype:
            raise GradientError(
                f"{self.name}: the gradient of {label} is {gradient.dtype} of shape "
                f"{gradient.shape}; {label} is {leaf.dtype} of shape {leaf.shape}"
            )
        return gradient

    def loss(self) -> float:
        """Return L, off the tape."""
        with no_grad():
            return float(np.vdot(self.v, self.run().data))

    def along(self, leaf: Tensor, direction: np.ndarray, distance: float) -> float:
        """Return L where the leaf is moved along the direction, and move it back."""
        before = leaf.data.copy()
        leaf.data += distance * direction  # in place: the function holds this leaf
        try:
            return self.loss()
        finally:
            leaf.data[...] = before

    def slope(self, leaf: Tensor, direction: np.ndarray) -> tuple[float, float]:
        """Return L's slope along the direction, and how far a kink may falsify it."""
        h, L = self.settings.step, self.value
        ahead, behind = (self.along(leaf, direction, t) for t in (h, -h))  # L(x ± h·d)
        # L(x ± h·d / 2)
        near, back = (self.along(leaf, direction, t) for t in (h / 2, -h / 2))
        slope = (near - back) / h  # the nearer the better
        # How far the slopes ahead and behind differ: where L is smooth half as much at
        # h / 2 as at h, at a kink as much.
        bend, half_bend = (ahead - 2 * L + behind) / h, 2 * (near - 2 * L + back) / h
        doubt = max(abs(slope - (ahead - behind) / (2 * h)), abs(2 * half_bend - bend))
        return slope, doubt

    def margin(self, scale: float) -> float:
        """Return the difference allowed between slopes of this size."""
        rounding = 20 * self.noise / self.settings.step  # four values of L, and room
        return self.settings.tolerance * scale + rounding


def _every_element(
    probe: _Probe, label: str, leaf: Tensor, gradient: np.ndarray
) -> Coverage:
    found = [probe.slope(leaf, unit) for unit in _units(leaf.shape)]
    slopes, doubts = np.array(found).reshape(-1, 2).T  # (elements,) each
    scale = abs(slopes).max(initial=0)
    margin = probe.margin(scale)
    smooth = ~(doubts > margin)  # nan is none: it must fail below, not be left out
    if 2 * smooth.sum() < smooth.size:
        raise GradientError(
            f"{probe.name}: {label} lies at a kink in {(~smooth).sum()} of "
            f"{smooth.size} elements; draw inputs away from kinks (0 is one of relu)"
        )
    errors = np.where(smooth, abs(gradient.ravel() - slopes), 0)  # (elements,)
    wrong = ~(errors <= margin)  # nan is wrong
    if wrong.any():
        # nan is the worst
        worst = int(np.nanargmax(np.where(np.isnan(errors), np.inf, errors)))
        element = tuple(int(i) for i in np.unravel_index(worst, leaf.shape))
        raise GradientError(
            f"{probe.name}: the gradient of {label} at {element} is "
            f"{gradient[element]:.9g}, expected {slopes[worst]:.9g} by central "
            f"differences ({wrong.sum()} of {wrong.size} elements differ; this is the "
            "worst)"
        )
    worst_error = float(errors.max(initial=0) / max(scale, 1e-300))  # of zeros, 0
    return Coverage(int(smooth.sum()), int((~smooth).sum()), worst_error)


def _units(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the arrays that are 1 at one element and 0 elsewhere."""
    for element in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[element] = 1
        yield unit


def _some_directions(
    probe: _Probe, label: str, leaf: Tensor, gradient: np.ndarray
) -> Coverage:
    if not np.isfinite(gradient).all():
        raise GradientError(
            f"{probe.name}: the gradient of {label}, of shape {leaf.shape}, holds nan "
            "or infinity, expected finite numbers"
        )
    redrawn, worst, norm = 0, 0.0, float(np.linalg.norm(gradient))  # the slope uphill
    for number in range(probe.settings.directions):
        direction, slope, draws = _smooth_direction(probe, label, leaf, norm)
        redrawn += draws - 1
        got = float(np.vdot(gradient, direction))  # ⟨∂L/∂x, d⟩
        scale = max(norm, abs(slope))  # along a random d the slope is about the norm
        worst = max(worst, abs(got - slope) / max(scale, 1e-300))
        if not abs(got - slope) <= probe.margin(scale):
            raise GradientError(
                f"{probe.name}: the gradient of {label}, of shape {leaf.shape}, is "
                f"{got:.9g} along random direction {number}, expected {slope:.9g} by "
                "central differences"
            )
    return Coverage(probe.settings.directions, redrawn, worst)


def _smooth_direction(
    probe: _Probe, label: str, leaf: Tensor, norm: float
) -> tuple[np.ndarray, float, int]:
    """Return a direction without a kink, the slope along it, and the draws it took."""
    for draw in range(DRAWS):
        direction = probe.rng.standard_normal(leaf.shape)
        # no use of the gradient: a wrong one is no kink
        slope, doubt = probe.slope(leaf, direction)
        if doubt <= probe.margin(max(norm, abs(slope))):
            return direction, slope, draw + 1
    raise GradientError(
        f"{probe.name}: {DRAWS} directions of {label}, of shape {leaf.shape}, all meet "
        f"a kink within a step of {probe.settings.step}; draw inputs away from kinks "
        "(0 is one of relu), or where none is exactly at one, use a smaller step"
    )
