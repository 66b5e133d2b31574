"""Modules and parameters: networks as trees of layers.

A Module finds its own parameters and children among its attributes, so that a network
is written as plain assignments. Names are the attributes' paths: `conv1_1.weight`.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from inspect import signature
from textwrap import indent
from typing import Any, TypeGuard, TypeVar

import numpy as np

from . import ops
from .arrays import Array, array_module, contiguous, device_of, on_cpu, to_device
from .autograd import Tensor
from .geometry import pair
from .ops import activation

Kind = TypeVar("Kind", bound="Module")

_generator = np.random.default_rng(0)  # of initialisers


def seed(number: int) -> None:
    """Start the random numbers of initialisers and of dropout anew."""
    global _generator
    _generator = np.random.default_rng(number)
    activation.seed(number)


random_state = activation.random_state  # of dropout: weights are drawn but once
set_random_state = activation.set_random_state


class Parameter(Tensor):
    """A tensor that training changes.

    Attributes:
        lr_mult: multiplies the learning rate; 0 freezes the parameter, which then
            requires no gradient (Caffe's layers work out none either).
        decay_mult: multiplies the weight decay.
    """

    def __init__(self, array: Array, lr_mult: float = 1.0, decay_mult: float = 1.0):
        super().__init__(array, requires_grad=lr_mult != 0)
        self.lr_mult, self.decay_mult = lr_mult, decay_mult

    def freeze(self) -> None:
        """Leave this parameter as it is from now on."""
        self.lr_mult, self.requires_grad = 0.0, False


class Module:
    """A piece of a network: parameters, other modules, and `forward`.

    Attributes:
        training: whether dropout drops; set by `train` and `eval`.
        pointwise: whether `forward` keeps the shape, and each pixel of its answer reads
            that pixel alone, in whatever channels. A class that says so beside its own
            `forward` can be made dense (`models.a_trous`, `models.shift_and_stitch`).
    """

    training = True  # on the class, so that subclasses need no super().__init__()
    pointwise = False

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run `forward`."""
        return self.forward(*inputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the output; every subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def _settings(self) -> list[str]:
        """Say for `repr` what the constructor was given, but for what it has anyway."""
        settings = []
        for name, parameter in signature(type(self)).parameters.items():
            value = vars(self).get(name, parameter.default)
            # Arrays are no settings: repr is short.
            if repr(value) != repr(parameter.default) and not hasattr(value, "shape"):
                settings.append(f"{name}={value!r}")
        return settings

    def __repr__(self) -> str:
        """Name the layer and its settings, or its layers, one a line."""
        name, below = type(self).__name__, list(self.children())
        if not below:
            return f"{name}({', '.join(self._settings())})"
        lines = [indent(f"{path}: {layer!r}", "  ") for path, layer in below]
        return "\n".join([f"{name}(", *lines, ")"])

    def attributes(self) -> Iterator[tuple[str, Any]]:
        """Yield all attributes with their names, the items of lists as `layers.0`."""
        # vars() keeps the order of assignment: from the image to the scores.
        for name, value in vars(self).items():
            if isinstance(value, list):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(value))
            else:
                yield name, value

    def children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield the modules among the attributes, with their names."""
        for name, value in self.attributes():
            if isinstance(value, Module):
                yield name, value

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter below this module with its path, `conv1_1.weight`."""
        for name, value in self.attributes():
            if isinstance(value, Parameter):
                yield prefix + name, value
            elif isinstance(value, Module):
                yield from value.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter below this module."""
        for _, parameter in self.named_parameters():
            yield parameter

    def train(self, mode: bool = True) -> "Module":
        """Switch to training (dropout drops), or out of it; return self."""
        self.training = mode
        for _, child in self.children():
            child.train(mode)
        return self

    def eval(self) -> "Module":
        """Switch to evaluation; return self."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None  # not zeros: the next one is taken as it is

    def to(self, device: str | None = None, dtype: Any = None) -> "Module":
        """Move the parameters to one of `arrays.DEVICES`, or change their dtype."""
        for parameter in self.parameters():
            array = parameter.data if dtype is None else parameter.data.astype(dtype)
            if device is not None:
                # Kernels take nothing else; NumPy's arrays may lie in any order.
                array = array if device == "cpu" else contiguous(array)
                array = to_device(array, device)
            parameter.data = array
            parameter.grad = None  # of the old device and dtype
        return self

    def state_dict(self) -> dict[str, Array]:
        """Return {path: array} of all parameters (the arrays themselves, no copies)."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy arrays into the parameters of the same names.

        Raises:
            ValueError: names are missing or too many, or a shape differs; nothing is
                copied then.
        """
        own = dict(self.named_parameters())
        missing, unknown = sorted(own.keys() - state), sorted(state.keys() - own)
        if missing or unknown:
            raise ValueError(
                "state does not fit this network: "
                f"{_some(missing)} missing, {_some(unknown)} unknown"
            )
        # All shapes are looked at before the first copy: all or nothing.
        for name, parameter in own.items():
            if np.shape(state[name]) != parameter.shape:
                raise ValueError(
                    f"{name} has shape {np.shape(state[name])} in the state; this "
                    f"network's is {parameter.shape}"
                )
        for name, parameter in own.items():
            # In place, so that the parameter keeps its dtype and its device.
            parameter.data[...] = to_device(state[name], device_of(parameter.data))


def _some(names: list[str]) -> str:
    if not names:
        return "no names"
    return ", ".join(names[:4]) + (
        f" and {len(names) - 4} more" if len(names) > 4 else ""
    )


def he_normal(shape: tuple[int, ...]) -> np.ndarray:
    """Draw normal weights of variance 2 / fan-in, which keep a ReLU network's scale.

    Fan-in is C·KH·KW for (O, C, KH, KW). Source: He et al. 2015, equation 10.
    """
    deviation = math.sqrt(2 / math.prod(shape[1:]))  # shape[1:] is (C, KH, KW)
    return _generator.standard_normal(shape, np.float32) * np.float32(deviation)


def xavier_normal(shape: tuple[int, ...]) -> np.ndarray:
    """Draw normal weights of variance 1 / fan-in (Caffe's "xavier" has this variance).

    Under ReLU the signal halves in power with each layer: a start that is more careful
    than He's where many new layers follow pretrained ones.
    """
    return he_normal(shape) * np.float32(math.sqrt(0.5))  # variance 2 / n → 1 / n


INITIALISERS = {"he": he_normal, "xavier": xavier_normal}


def bilinear(shape: tuple[int, ...]) -> np.ndarray:
    """Put the bilinear kernel on the channel diagonal of (C, C, KH, KW), else zeros.

    A transposed convolution by it enlarges each channel by itself.

    Raises:
        ValueError: the two numbers of channels differ.
    """
    if shape[0] != shape[1]:
        raise ValueError(
            f"shape is {shape}; bilinear weights need as many channels in as out"
        )
    weight = np.zeros(shape, np.float32)
    # Zeros off the diagonal: no channel leaks into another.
    weight[range(shape[0]), range(shape[0])] = ops.bilinear_kernel(
        shape[2:], np.float32
    )
    return weight


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros: how score layers begin, so that all classes are equally likely."""
    return np.zeros(shape, np.float32)


class Conv2d(Module):
    """A convolution with weight and bias (see `ops.conv2d`).

    Kernel, stride and dilation are ints or pairs, padding may have four sides. Bias
    learns twice as fast and does not decay, as in the authors' networks.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        initialiser: Any = he_normal,
        algorithm: str = "auto",
    ):
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.weight = Parameter(
            initialiser((out_channels, in_channels // groups, *self.kernel_size))
        )
        self.bias = Parameter(zeros((out_channels,)), lr_mult=2, decay_mult=0)
        self.stride, self.padding = stride, padding
        self.dilation, self.groups = dilation, groups
        self.algorithm = algorithm

    def _settings(self) -> list[str]:
        """In and out channels, kernel_size and what is not the default."""
        O, C = self.weight.shape[:2]  # C: of one group
        return [str(C * self.groups), str(O), *super()._settings()]

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, OH, OW)."""
        (x,) = inputs
        return ops.conv2d(x, *self._arguments(), self.algorithm)

    def forward_relu(self, x: Tensor, p: float = 0.0) -> Tensor:
        """Run the layer, a ReLU, and a Dropout by p, as one operator."""
        return ops.conv2d_relu(x, *self._arguments(), p, self.algorithm)

    def _arguments(self) -> tuple[Parameter, Parameter, Any, Any, Any, int]:
        return (
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )


class Upsample(Module):
    """Enlargement by `factor`: a transposed convolution by the bilinear kernel.

    Kernel 2f for even f, as in the authors' VGG networks. Fixed by default, as
    released; `learned` lets training change it, from the same start.
    """

    def __init__(
        self,
        channels: int,
        factor: int,
        kernel_size: int | None = None,
        learned: bool = False,
    ):
        k = kernel_size or 2 * factor - factor % 2  # ⌊(k + 1) / 2⌋ = f
        # lr_mult 0 freezes the weight: it stays bilinear.
        self.weight = Parameter(
            bilinear((channels, channels, k, k)), lr_mult=float(learned)
        )
        self.factor, self.kernel_size = factor, k

    def _settings(self) -> list[str]:
        """Channels, factor and kernel_size, and whether it learns."""
        learned = ["learned=True"] if self.weight.requires_grad else []
        return [str(len(self.weight)), *super()._settings(), *learned]

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, (H − 1)·f + k, (W − 1)·f + k)."""
        (x,) = inputs
        return ops.conv_transpose2d(x, self.weight, stride=self.factor)


class Dropout(Module):
    """Dropout in training, nothing in evaluation (see `ops.dropout`)."""

    pointwise = True

    def __init__(self, p: float = 0.5):
        self.p = p

    def forward(self, *inputs: Tensor) -> Tensor:
        """Any shape → the same."""
        (x,) = inputs
        return ops.dropout(x, self.p, self.training)


class ReLU(Module):
    """max(x, 0) (see `ops.relu`); `inplace` writes it over x."""

    pointwise = True

    def __init__(self, inplace: bool = False):
        self.inplace = inplace

    def forward(self, *inputs: Tensor) -> Tensor:
        """Any shape → the same."""
        (x,) = inputs
        return ops.relu(x, self.inplace)


class MaxPool2d(Module):
    """The largest value of each window (see `ops.max_pool2d`)."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ):
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, OH, OW)."""
        (x,) = inputs
        return ops.max_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
        )


class AvgPool2d(Module):
    """The mean of each window (see `ops.avg_pool2d`)."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        dilation: Any = 1,
    ):
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, OH, OW)."""
        (x,) = inputs
        return ops.avg_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
            self.dilation,
        )


class LocalResponseNorm(Module):
    """Channels damp their neighbours (see `ops.local_response_norm`)."""

    pointwise = True  # the neighbours are channels at the same pixel

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ):
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        (x,) = inputs
        return ops.local_response_norm(x, self.size, self.alpha, self.beta, self.k)


class Pad(Module):
    """A frame of one value around each map (see `ops.pad`)."""

    def __init__(self, padding: Any, value: float = 0.0):
        self.padding, self.value = padding, value

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, top + H + bottom, left + W + right)."""
        (x,) = inputs
        return ops.pad(x, self.padding, self.value)


class Layers(Module):
    """Several modules, each under a name: what Sequential and Branches have in common.

    `Sequential(a, b)` calls them "0" and "1", `Sequential(conv1=a, pool1=b)` as it is
    told; parameters are named after them: "0.weight", "conv1.weight".
    """

    def __init__(self, *layers: Module, **named: Module):
        every = {str(i): layer for i, layer in enumerate(layers)} | named
        for name, layer in every.items():
            if not isinstance(layer, Module):
                raise TypeError(f"layer {name} is no Module but {layer!r}")
            if hasattr(self, name):
                raise ValueError(
                    f"a layer cannot be called {name!r}: {type(self).__name__} has an "
                    "attribute of this name"
                )
            setattr(self, name, layer)

    @property
    def layers(self) -> list[Module]:
        """The modules in their order."""
        return [layer for _, layer in self.children()]


class Sequential(Layers):
    """Layers one after the other."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Hand each layer what the one before it gave."""
        (x,) = inputs
        for _, step in fused(self.children()):
            x = step(x)
        return x


Step = Callable[[Tensor], Tensor]


def fused(layers: Iterable[tuple[str, Module]]) -> Iterator[tuple[str, Step]]:
    """Yield layers that follow each other as steps to be called, each with its name.

    A Conv2d, the ReLU behind it and the Dropout behind that are one step, under the
    name of the last: the same numbers, in one pass over them (`ops.conv2d_relu`).
    """
    left = list(layers)
    while left:
        name, layer = left.pop(0)
        step: Step = layer
        if _is(layer, Conv2d) and left and _is(left[0][1], ReLU):
            name, _ = left.pop(0)
            p, after = 0.0, left[0][1] if left else None
            if after is not None and _is(after, Dropout):
                name, _ = left.pop(0)
                activation.check_probability(after.p)
                p = after.p if after.training else 0.0
            step = partial(layer.forward_relu, p=p)
        yield name, step


def _is(layer: Module, kind: type[Kind]) -> TypeGuard[Kind]:
    """Whether the layer does what `kind` does: nobody wrote it another `forward`."""
    return (
        isinstance(layer, kind)
        and type(layer).forward is kind.forward
        and type(layer).__call__ is Module.__call__
        and not vars(layer).keys() & {"forward", "forward_relu"}
    )


class Branches(Layers):
    """Layers side by side over one input, their channels joined (an inception module).

    All must give maps of one size. Source: Szegedy et al. 2015, figure 2.
    """

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, all the branches' channels, OH, OW)."""
        (x,) = inputs
        return ops.concat([branch(x) for branch in self.layers])


def count_parameters(module: Module) -> int:
    """Count the numbers in all parameters, frozen ones included."""
    return sum(parameter.size for parameter in module.parameters())


def clip_gradients(parameters: Iterator[Parameter], largest: float) -> Array:
    """Scale all gradients down so that their common norm is at most `largest`.

    Returns the norm before, ‖g‖ = √Σ g². For gradients on a device it is an array of a
    single number there: nothing waits for it until somebody asks for `float(norm)`.
    Source: Caffe's `clip_gradients`.
    """
    # A list, as the gradients are gone through twice.
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not all(map(on_cpu, gradients)):
        return _clip_on_device(gradients, largest)
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients))
    if norm > largest:
        for gradient in gradients:
            gradient *= largest / norm  # in place: it is the parameter's
    return norm


def _clip_on_device(gradients: list[Array], largest: float) -> Array:
    xp = array_module(*gradients)
    norm = xp.sqrt(sum(xp.vdot(g, g).astype(np.float64) for g in gradients))
    # 1 where the norm is small enough; to choose by `if` would be to wait for it.
    least = np.finfo(np.float64).tiny  # no 0 / 0
    scale = largest / xp.maximum(norm, max(largest, least))
    for gradient in gradients:
        gradient *= scale.astype(gradient.dtype)
    return norm
