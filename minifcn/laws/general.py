"""What is true of every operator, whatever it computes.

It equals its definition. Its gradients are those of central differences, and linear in
the gradient that comes in. float32 and float64, and any layout in memory, give the same
numbers. One image of a batch does not see the others, nor one call another. Where an
operator is linear in an input, its values add up, and its backward pass is its adjoint.

`judge` makes these laws for one operator; the modules beside this one add its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from ..ops import definitions
from .cases import Case
from .gradcheck import GradientError, check_gradients
from .implementation import Implementation, Judged
from .statement import Difference, add_law, equal, inner, note_error

FULL_SIZE = 24  # inputs of so many elements are differentiated at each of them


@dataclass(frozen=True)
class Operator:
    """What the general laws need to know about an operator.

    Attributes:
        name: as in `minifcn.ops`.
        cases: the strategy that draws its calls.
        linear: the inputs in which it is linear, the others held fixed; a constant,
            such as a bias, may be added.
        by_image: the inputs whose first axis counts images that do not meet.
        smooth: cases to differentiate, if not all.
        source: the paper's section or the like.
    """

    name: str
    cases: SearchStrategy[Case] = field(repr=False)
    linear: Sequence[str] = ()
    by_image: Sequence[str] = ("x",)
    smooth: SearchStrategy[Case] | None = field(default=None, repr=False)
    source: str = ""


def judge(operator: Operator) -> None:
    """Add the general laws of an operator."""
    o = operator
    differentiated = o.smooth if o.smooth is not None else o.cases
    laws: list[tuple[str, Any, str, Callable[..., None]]] = [
        (
            "equals its definition",
            o.cases,
            "y = its definition, number by number",
            _definition,
        ),
        (THE_DERIVATIVE, differentiated, DERIVATIVE, _derivative),
        (
            "gradient is linear in the one above",
            differentiated,
            "g(v + 2w) = g(v) + 2 g(w)",
            _linear_backward,
        ),
        ("type and layout change nothing", o.cases, LAYOUT, _layouts),
        ("calls do not meet", o.cases, CALLS, _calls),
    ]
    if o.by_image:
        body = _for(_images, o.by_image)
        laws.append(("images do not meet", o.cases, "f(x)[n] = f(x[n])", body))
    for name in o.linear:
        body, formula = _for(_linear, name), LINEAR.format(x=name)
        laws.append((f"is linear in {name}", o.cases, formula, body))
        body, formula = _for(_adjoint, name), ADJOINT.format(x=name)
        laws.append((f"gradient of {name} is the adjoint", o.cases, formula, body))
    for title, drawn, formula, body in laws:
        source = o.source if body is _definition else ""
        add_law(o.name, title, drawn, formula, source, body)


THE_DERIVATIVE = "gradient is the derivative"
DERIVATIVE = "⟨g(v), d⟩ = (⟨v, f(x + hd)⟩ − ⟨v, f(x − hd)⟩) / 2h"
CALLS = "g(v) of f(x) is the same after f(x′)"
LAYOUT = "f(x as float32, with strides, read-only) = f(x), in x's type"
LINEAR = "f({x} + 2u) + 2 f(0) = f({x}) + 2 f(u)"
ADJOINT = "⟨f({x}) − f(0), v⟩ = ⟨{x}, g(v)⟩"


def call(ops: Implementation, case: Case, **changed: np.ndarray) -> np.ndarray:
    """Run the case's operator, with some inputs changed."""
    case = replace(case, inputs=case.inputs | changed)
    return ops.run(case.operator, *case.positional, **case.arguments)


def pull_back(
    ops: Implementation, case: Case, gy: np.ndarray, **changed: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the gradients of the case's inputs by name, with some inputs changed."""
    case = replace(case, inputs=case.inputs | changed)
    found = ops.gradients(case.operator, gy, *case.positional, **case.arguments)
    return dict(zip(_leaves(case), found, strict=True))


def _leaves(case: Case) -> list[str]:
    """Name the inputs that have gradients: those of floats."""
    return [name for name, x in case.inputs.items() if x.dtype.kind == "f"]


def _for(body: Callable[..., None], *settings: Any) -> Callable[..., None]:
    @wraps(body)  # for its docstring
    def with_settings(ops: Implementation, case: Case) -> None:
        body(ops, case, *settings)

    return with_settings


def _definition(ops: Implementation, case: Case) -> None:
    """The fast way and the obviously right way give the same numbers."""
    define = getattr(definitions, case.operator)
    equal(call(ops, case), define(*case.positional, **case.arguments))


def _derivative(ops: Implementation, case: Case) -> None:
    """Move the inputs a little: the output moves as the backward pass foretells."""
    leaves = _leaves(case)

    def function(*arrays: Any) -> Any:
        data = [x.data for x in arrays]
        changed = case.inputs | dict(zip(leaves, data, strict=True))
        return Judged(ops, replace(case, inputs=changed))(*arrays)

    function.__name__ = case.operator
    arrays = [case.inputs[name] for name in leaves]
    try:
        found = check_gradients(
            function, arrays, seed=case.seed, full_size=FULL_SIZE, directions=2
        )
    except GradientError as error:
        said = str(error).removeprefix(f"{case.operator}: ")
        for i, name in enumerate(leaves):
            said = said.replace(f"input {i}", name)
        raise Difference(said) from error
    note_error(found.worst_error)


def _linear_backward(ops: Implementation, case: Case) -> None:
    """The backward pass is a product with the Jacobian: twice as much in, twice out."""
    y = call(ops, case)
    # Sevenths have digits without end, so that a coarser number shows.
    v, w = case.another(y, 1) / 7, case.another(y, 2) / 7
    together = pull_back(ops, case, v + 2 * w)
    first, second = pull_back(ops, case, v), pull_back(ops, case, w)
    for name in together:
        equal(together[name], first[name] + 2 * second[name], f"the gradient of {name}")


def _layouts(ops: Implementation, case: Case) -> None:
    """How the numbers lie in memory is nobody's business, and their type is kept."""
    floats = set(_leaves(case))
    # Sevenths have digits without end: a type with fewer of them shows.
    plain = {n: x / 7 if n in floats else x for n, x in case.inputs.items()}
    y = call(ops, case, **plain)
    v = case.another(y) / 7
    gradients = pull_back(ops, case, v, **plain)
    for dtype, whole in (("float64", np.int32), ("float32", np.uint8)):
        other = Implementation(ops.name, ops.device, dtype, ops.operators)
        for laid_out in (np.array, strided):
            inputs = {
                n: laid_out(x.astype(dtype) if n in floats else _narrowed(x, whole))
                for n, x in plain.items()
            }
            how = f"of {dtype}" + (", strided" if laid_out is strided else "")
            _same(call(other, case, **inputs), y, dtype, f"y {how}")
            found = pull_back(other, case, laid_out(v.astype(dtype)), **inputs)
            for name, g in found.items():
                _same(g, gradients[name], dtype, f"the gradient of {name} {how}")


def _narrowed(x: np.ndarray, dtype: Any) -> np.ndarray:
    """Return whole numbers (labels, places) in a narrower type, if they fit."""
    narrow = x.astype(dtype)
    return narrow if np.array_equal(narrow, x) else x


def _calls(ops: Implementation, case: Case) -> None:
    """What backward needs belongs to its own call, not to the last one."""
    y, pull = ops.forward(case.operator, *case.positional, **case.arguments)
    v = case.another(y)
    others = {name: case.another(case.inputs[name], 1) for name in _leaves(case)}
    call(ops, case, **others)
    found = dict(zip(_leaves(case), pull(v), strict=True))
    for name, g in pull_back(ops, case, v).items():
        equal(found[name], g, f"the gradient of {name} after another call", 0)


def _same(came: np.ndarray, expected: np.ndarray, dtype: str, what: str) -> None:
    if came.dtype != dtype:
        raise Difference(f"{what} has type {came.dtype}, expected {dtype}")
    equal(came, expected, what)


def strided(x: np.ndarray) -> np.ndarray:
    """The same values as every other one of a larger array, its axes in reverse."""
    if not x.ndim:
        return x
    wide = np.full([2 * n for n in x.T.shape], 77, x.dtype)
    view = wide[tuple([slice(1, None, 2)] * x.ndim)].T
    view[...] = x
    return view


def _images(ops: Implementation, case: Case, names: Sequence[str]) -> None:
    """Each image of a batch comes out as if it were alone."""
    y = call(ops, case)
    v = case.another(y)
    gradients = pull_back(ops, case, v)
    N = len(case.inputs[names[0]])
    # Each image, and none at all.
    for here in (*(slice(n, n + 1) for n in range(N)), slice(0, 0)):
        alone = {name: case.inputs[name][here] for name in names}
        which = f"images {here.start} to {here.stop} alone"
        equal(call(ops, case, **alone), y[here], f"y of {which}")
        found = pull_back(ops, case, v[here], **alone)
        for name in alone.keys() & found.keys():
            expected = gradients[name][here]
            equal(found[name], expected, f"the gradient of {name} of {which}")


def _linear(ops: Implementation, case: Case, name: str) -> None:
    """Sums of inputs give sums of outputs, once the constant f(0) is accounted for."""
    x = case.inputs[name]
    v, zero = case.another(x), np.zeros_like(x)
    together = call(ops, case, **{name: x + 2 * v}) + 2 * call(
        ops, case, **{name: zero}
    )
    equal(together, call(ops, case) + 2 * call(ops, case, **{name: v}))


def _adjoint(ops: Implementation, case: Case, name: str) -> None:
    """The backward pass of a linear map is its transpose."""
    x = case.inputs[name]
    y = call(ops, case) - call(ops, case, **{name: np.zeros_like(x)})
    v = case.another(y)
    back = pull_back(ops, case, v)[name]
    equal(inner(x, back), inner(y, v), "⟨x, g(v)⟩")
