"""Every operator by its definition, flat: `definitions.conv2d(x, weight, …)`.

Explicit loops and sums over plain arrays, with the operator's own arguments; slow, and
obviously right. They are the yardstick of the fast forms, and stand beside them, as
`conv2d_definition` in the module of `conv2d`.

Here each is guarded: arrays of float32 or float64 where the operator takes Tensors
(lists become float64), and what the operator refuses is refused, with its own sentence.
`dropout` has no definition, as it draws: there is no one right result.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..autograd import Tensor
from .activation import relu_definition
from .averaging import avg_pool2d_definition
from .convolution import (
    conv2d_definition,
    conv2d_relu_definition,
    conv_transpose2d_definition,
)
from .fusion import (
    add_definition,
    concat_definition,
    maximum_definition,
    scale_definition,
)
from .im2col import col2im_definition, im2col_definition
from .normalization import local_response_norm_definition
from .pooling import max_pool2d_definition
from .resampling import (
    crop_definition,
    deinterleave_definition,
    interleave_definition,
    pad_definition,
    rarefy_definition,
)
from .softmax import (
    cross_entropy_definition,
    log_softmax_definition,
    nll_loss_definition,
    softmax_definition,
)
from .unpooling import max_unpool2d_definition
from .upsampling import bilinear_kernel_definition, upsample_definition

Given = ParamSpec("Given")
Result = TypeVar("Result")

TENSORS = (Tensor, Tensor | None, Sequence[Tensor])  # how operators annotate them


class _Legal(Exception):
    """Raised in an operator once all its checks are passed."""


class _Unread(Tensor):
    """A Tensor that ends an operator between its checks and its work.

    The work begins with a Function, which first asks whether to write on the tape.
    """

    @property
    def requires_grad(self) -> bool:  # type: ignore[override]
        raise _Legal

    @requires_grad.setter
    def requires_grad(self, _: bool) -> None:
        """Take what Tensor sets at first."""


def _guarded(definition: Callable[Given, Result]) -> Callable[Given, Result]:
    """Return a definition that refuses what its operator refuses."""
    name = definition.__name__.removesuffix("_definition")
    operator = definition.__globals__[name]  # it stands in the same module
    signature = inspect.signature(operator)
    floats = [p.name for p in signature.parameters.values() if p.annotation in TENSORS]

    @wraps(definition)
    def guarded(*given: Given.args, **named: Given.kwargs) -> Result:
        call = signature.bind(*given, **named)
        for argument, value in call.arguments.items():
            take = _floats if argument in floats else _no_tensor
            call.arguments[argument] = take(name, argument, value)
        _check(operator, call, floats)
        return definition(*call.args, **call.kwargs)

    guarded.__name__ = guarded.__qualname__ = name
    guarded.__module__ = __name__
    guarded.__doc__ = (
        f"{definition.__doc__}\n\nFormula and arguments: help(minifcn.ops.{name})."
    )
    return guarded


def _floats(name: str, argument: str, value: Any) -> Any:
    """Return what takes the place of a Tensor, or of several, as arrays of floats."""
    if argument == "tensors":  # concat's
        if not isinstance(value, list | tuple):
            raise TypeError(
                f"tensors is {type(value).__name__}; definitions.{name} takes a list "
                "or tuple of arrays"
            )
        return [_floats(name, f"tensors[{i}]", x) for i, x in enumerate(value)]
    if argument == "bias" and value is None:
        return None
    if isinstance(value, list | tuple):
        return np.asarray(value, np.float64)
    value = _no_tensor(name, argument, value)
    if getattr(value, "dtype", None) not in (np.float32, np.float64):
        given = getattr(value, "dtype", type(value).__name__)
        raise TypeError(
            f"{argument} is of type {given}; definitions take arrays of float32 or "
            'float64: .astype("float64")'
        )
    return value


def _no_tensor(name: str, argument: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        raise TypeError(
            f"{argument} is a Tensor; definitions.{name} takes plain arrays: "
            f"{argument}.data"
        )
    return value


def _check(
    operator: Callable[..., Any], call: inspect.BoundArguments, floats: list[str]
) -> None:
    """Run the operator's own checks, and nothing of its work."""
    unread = {
        argument: _unread(value) if argument in floats else value
        for argument, value in call.arguments.items()
    }
    if floats:  # bilinear_kernel takes none
        with suppress(_Legal):
            operator(**unread)


def _unread(value: Any) -> Any:
    if isinstance(value, list):  # concat's
        return [_Unread(x) for x in value]
    return None if value is None else _Unread(value)


relu = _guarded(relu_definition)
avg_pool2d = _guarded(avg_pool2d_definition)
conv2d = _guarded(conv2d_definition)
conv2d_relu = _guarded(conv2d_relu_definition)
conv_transpose2d = _guarded(conv_transpose2d_definition)
add = _guarded(add_definition)
concat = _guarded(concat_definition)
maximum = _guarded(maximum_definition)
scale = _guarded(scale_definition)
col2im = _guarded(col2im_definition)
im2col = _guarded(im2col_definition)
local_response_norm = _guarded(local_response_norm_definition)
max_pool2d = _guarded(max_pool2d_definition)
crop = _guarded(crop_definition)
deinterleave = _guarded(deinterleave_definition)
interleave = _guarded(interleave_definition)
pad = _guarded(pad_definition)
rarefy = _guarded(rarefy_definition)
cross_entropy = _guarded(cross_entropy_definition)
log_softmax = _guarded(log_softmax_definition)
nll_loss = _guarded(nll_loss_definition)
softmax = _guarded(softmax_definition)
max_unpool2d = _guarded(max_unpool2d_definition)
bilinear_kernel = _guarded(bilinear_kernel_definition)
upsample = _guarded(upsample_definition)

__all__ = [
    "add",
    "avg_pool2d",
    "bilinear_kernel",
    "col2im",
    "concat",
    "conv2d",
    "conv2d_relu",
    "conv_transpose2d",
    "crop",
    "cross_entropy",
    "deinterleave",
    "im2col",
    "interleave",
    "local_response_norm",
    "log_softmax",
    "max_pool2d",
    "max_unpool2d",
    "maximum",
    "nll_loss",
    "pad",
    "rarefy",
    "relu",
    "scale",
    "softmax",
    "upsample",
]
