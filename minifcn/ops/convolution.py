"""Convolution and transposed convolution: one pair of adjoints, three linear maps.

    convolve(x, w)             y[r, q]  = Σ w[c, i, j] x[c, r·S + i·D − P, …]
    convolve_input(gy, w)      its adjoint in x
    convolve_weight(x, gy)     its adjoint in w

conv2d runs the first forward and the other two backward. conv_transpose2d runs the
second forward, and the other two backward: that is all the difference between them.

A stride is taken out first (`strides`); what is left has one of several algorithms
(`algorithms`).
"""

from typing import Any

import numpy as np

from ..arrays import Array, array_module, on_cpu
from ..autograd import Function, Tensor
from . import diagonal
from .activation import (
    check_probability,
    draw_mask,
    relu_definition,
    relu_gradient,
)
from .algorithms import Geometry, algorithm_for
from .epilogue import Epilogue
from .inputs import check_tensors
from .strides import UnitStride
from .summing import channel_sums


def conv2d_definition(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Array:
    """Say convolution by its definition: one output number at a time (see `conv2d`)."""
    geometry = Geometry.of(stride, padding, dilation, groups)
    (SH, SW), (DH, DW) = geometry.stride, geometry.dilation
    (N, _, _, _), (O, C, KH, KW) = x.shape, weight.shape  # C: of one group
    framed = np.pad(x, ((0, 0), (0, 0), *geometry.padding))
    y = np.zeros((N, O, *geometry.output_size(x.shape, (KH, KW))), x.dtype)
    for n, o, r, q in np.ndindex(*y.shape):
        first = o // (O // groups) * C  # where o's group begins
        for c, i, j in np.ndindex(C, KH, KW):
            pixel = framed[n, first + c, r * SH + i * DH, q * SW + j * DW]
            y[n, o, r, q] += weight[o, c, i, j] * pixel
    return y if bias is None else y + bias[:, None, None]


def conv2d_relu_definition(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    p: float = 0.0,
    algorithm: str = "auto",
) -> Array:
    """Say it by its definition: the convolution's, then ReLU's, then what is drawn."""
    y = conv2d_definition(x, weight, bias, stride, padding, dilation, groups)
    y = relu_definition(y)
    return np.where(draw_mask(p, y.shape), y / (1 - p), 0) if p else y


def conv_transpose2d_definition(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    algorithm: str = "auto",
) -> Array:
    """Say transposed convolution by its definition: each input stamps the kernel.

    y[n, o, r·SH + i·DH − top, q·SW + j·DW − left] += x[n, c, r, q] · weight[c, o, i, j]
    """
    geometry = Geometry.of(stride, padding, dilation, groups)
    (SH, SW), (DH, DW) = geometry.stride, geometry.dilation
    (top, _), (left, _) = geometry.padding
    (N, C, H, W), (_, O, KH, KW) = x.shape, weight.shape  # O: of one group
    OH, OW = geometry.transposed_size((H, W), (KH, KW), output_padding)
    y = np.zeros((N, O * groups, OH, OW), x.dtype)
    for n, c, r, q in np.ndindex(N, C, H, W):
        first = c // (C // groups) * O  # where c's group begins
        for o, i, j in np.ndindex(O, KH, KW):
            h, w = r * SH + i * DH - top, q * SW + j * DW - left
            if 0 <= h < OH and 0 <= w < OW:  # what lies in the padding falls away
                y[n, first + o, h, w] += x[n, c, r, q] * weight[c, o, i, j]
    return y if bias is None else y + bias[:, None, None]


def convolve(
    x: Array,
    w: Array,
    bias: Array | None,
    geometry: Geometry,
    relu: bool = False,
    p: float = 0.0,
) -> Array:
    """Compute the convolution: x (N, C, H, W), w (O, C/G, KH, KW) → (N, O, OH, OW).

    With ReLU and dropout behind it, where asked for.
    """
    OH, OW = geometry.output_size(x.shape, w.shape[2:])
    y = array_module(x).empty((x.shape[0], w.shape[0], OH, OW), x.dtype)
    if not y.size:  # an empty batch
        return y
    epilogue = Epilogue.drawn(y, bias, relu, p)
    if on_cpu(x):  # where no window sees x, there is nothing to multiply
        rows, cols = geometry.seeing(x.shape[2:], w.shape[2:], (OH, OW))
        epilogue, geometry = epilogue.inside(rows, cols), geometry.cut(rows, cols)
    if epilogue.y.size:
        _correlate(x, w, geometry, epilogue)
    return y


def _correlate(x: Array, w: Array, geometry: Geometry, epilogue: Epilogue) -> None:
    unit = UnitStride(geometry, w.shape[2:], epilogue.y.shape[2:], on_cpu(x))
    # x (N, C·A·B, h, w), w (O, C·A·B / G, kh, kw): stride 1 from here on, on the CPU.
    x, w = unit.split_image(x), unit.split_kernel(w)
    way = algorithm_for(epilogue.y, w, unit.dilation, geometry)
    # o and c: the channels of one group.
    for o, c in _groups(w.shape[0], x.shape[1], geometry.groups):
        way.correlate(x[:, c], w[o], unit.start, unit.dilation, epilogue.of(o))


def convolve_input(
    gy: Array, w: Array, geometry: Geometry, size: tuple[int, int]
) -> Array:
    """Compute the adjoint in x: gy (N, O, OH, OW), w (O, C/G, …) → (N, C, *size)."""
    if not gy.size:  # an empty batch
        C = w.shape[1] * geometry.groups
        return array_module(gy).zeros((gy.shape[0], C, *size), gy.dtype)
    unit = UnitStride(geometry, w.shape[2:], gy.shape[2:], on_cpu(gy))
    w = unit.split_kernel(w)
    C = w.shape[1] * geometry.groups  # of all groups, each with its phases
    # (N, C·A·B, h, w), the gradient of the grids; at stride 1 that of x itself.
    gx = array_module(gy).empty((gy.shape[0], C, *unit.image_size(size)), gy.dtype)
    way = algorithm_for(gy, w, unit.dilation, geometry)
    for o, c in _groups(w.shape[0], C, geometry.groups):
        way.input_gradient(gy[:, o], w[o], unit.start, unit.dilation, gx[:, c])
    return unit.join_image(gx, size)  # (N, C, *size)


def convolve_weight(
    x: Array, gy: Array, geometry: Geometry, kernel: tuple[int, int]
) -> Array:
    """Compute the adjoint in w: x (N, C, …), gy (N, O, …) → (O, C/G, *kernel)."""
    O = gy.shape[1]
    if on_cpu(x):  # where no window sees x, gy changes nothing
        rows, cols = geometry.seeing(x.shape[2:], kernel, gy.shape[2:])
        gy, geometry = gy[:, :, rows, cols], geometry.cut(rows, cols)
    if not gy.size:  # an empty batch, or nothing but padding
        shape = (O, x.shape[1] // geometry.groups, *kernel)
        return array_module(x).zeros(shape, x.dtype)
    unit = UnitStride(geometry, kernel, gy.shape[2:], on_cpu(gy))
    x = unit.split_image(x)  # (N, C·A·B, h, w)
    # (O, C·A·B / G, kh, kw).
    gw = array_module(x).empty(
        (O, x.shape[1] // geometry.groups, *unit.kernel_size), x.dtype
    )
    way = algorithm_for(gy, gw, unit.dilation, geometry)
    for o, c in _groups(O, x.shape[1], geometry.groups):
        way.weight_gradient(x[:, c], gy[:, o], unit.start, unit.dilation, gw[o])
    return unit.join_kernel(gw)  # (O, C/G, KH, KW)


def _groups(O: int, C: int, groups: int) -> list[tuple[slice, slice]]:
    """Return the output and input channels of each group."""
    o, c = O // groups, C // groups
    return [
        (slice(g * o, (g + 1) * o), slice(g * c, (g + 1) * c)) for g in range(groups)
    ]


class Conv2d(Function):
    """y = convolve(x, w) + b; backward runs its two adjoints."""

    makes_gradients = True

    def __init__(self, geometry: Geometry):
        self.geometry = geometry

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        # Later reshapes are then views: fc6's 411 MB are never copied.
        self.x, self.w = _contiguous(x, w)
        return convolve(self.x, self.w, bias, self.geometry)

    def backward(self, gy: Array) -> Any:
        (gy,) = _contiguous(gy)
        x, w, wants = self.x, self.w, self.wants
        # Nobody wants the image's own gradient: the first layer saves the work.
        gx = convolve_input(gy, w, self.geometry, x.shape[2:]) if wants[0] else None
        gw = convolve_weight(x, gy, self.geometry, w.shape[2:]) if wants[1] else None
        # Every pixel sees the bias: gb (O,) sums gy over all of them.
        gb = channel_sums(gy) if any(wants[2:]) else None
        return (gx, gw, gb)[: len(wants)]


class Conv2dReLU(Conv2d):
    """y = dropout(relu(convolve(x, w) + b)); y alone tells what passes backward."""

    # y is kept for backward, but not shared: a ReLU over it would change nothing.

    def __init__(self, geometry: Geometry, p: float):
        self.geometry, self.p = geometry, p

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        self.x, self.w = _contiguous(x, w)
        self.y = convolve(self.x, self.w, bias, self.geometry, True, self.p)
        return self.y

    def backward(self, gy: Array) -> Any:
        gy = relu_gradient(self.y, gy, self.p, overwrite=self.owns_gradient)
        del self.y  # as large as gy, and no longer needed
        return super().backward(gy)


class ConvTranspose2d(Function):
    """y = convolve_input(x, w) + b; backward convolves."""

    makes_gradients = True

    def __init__(self, geometry: Geometry, size: tuple[int, int]):
        self.geometry, self.size = geometry, size

    def forward(self, x: Array, w: Array, bias: Array | None = None) -> Array:
        x, w = _contiguous(x, w)
        self.x, self.w = x, w
        # Each channel by itself, as a bilinear enlargement does?
        free = self.geometry.algorithm == "auto" and on_cpu(x)
        self.diagonal = free and diagonal.fits(w, self.geometry.groups)
        way = diagonal.enlarge if self.diagonal else convolve_input
        y = way(x, w, self.geometry, self.size)
        if bias is not None:
            y += bias[:, None, None]
        return y

    def backward(self, gy: Array) -> Any:
        (gy,) = _contiguous(gy)
        x, w, wants = self.x, self.w, self.wants
        gx = self._input_gradient(gy, w) if wants[0] else None
        # The roles are swapped: the convolution's input is y, and x its output.
        gw = convolve_weight(gy, x, self.geometry, w.shape[2:]) if wants[1] else None
        gb = channel_sums(gy) if any(wants[2:]) else None
        return (gx, gw, gb)[: len(wants)]

    def _input_gradient(self, gy: Array, w: Array) -> Array:
        if self.diagonal:
            return diagonal.reduce(gy, w, self.geometry, self.x.shape[2:])
        # With output_padding the convolution of gy may be larger than x.
        gx = convolve(gy, w, None, self.geometry)  # (N, C, ≥ H, ≥ W)
        return gx[:, :, : self.x.shape[2], : self.x.shape[3]]


def _contiguous(*arrays: Array) -> list[Array]:
    return [array_module(array).ascontiguousarray(array) for array in arrays]


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Tensor:
    """Slide a kernel over an image (cross-correlation, as in every such framework).

        y[n, o, r, q] = b[o] + Σ over c, i, j of
            weight[o, c, i, j] · x[n, c, r·SH + i·DH − top, q·SW + j·DW − left]

    with zeros outside of x. As `torch.nn.functional.conv2d`. (What is no number, or
    infinite, shows in all windows that see it. With a stride, or by Winograd's
    algorithm, it may show in some beside them as well: there zeros fill the kernel up,
    or outputs are computed four at a time.)

    Args:
        x: (N, C, H, W).
        weight: (O, C / groups, KH, KW).
        bias: (O,), or None.
        stride, dilation: int or (height, width); pixels.
        padding: int, (height, width) or ((top, bottom), (left, right)); pixels.
        groups: outputs and inputs are cut into so many groups that do not meet.
        algorithm: how it is computed: "auto" chooses by the shapes; else "bands",
            "windows", "winograd" or "products" on the CPU, "columns" on a GPU. Only the
            rounding differs.

    Returns:
        (N, O, OH, OW), OH = ⌊(H + top + bottom − DH·(KH − 1) − 1) / SH⌋ + 1.

    Raises:
        ValueError: shapes that do not fit; a kernel larger than the padded x.
        TypeError: numbers other than float32 or float64, or both mixed.
    """
    geometry = Geometry.of(stride, padding, dilation, groups, algorithm)
    inputs = _checked("conv2d", x, weight, bias, geometry)
    return Conv2d(geometry)(*inputs)


def conv2d_relu(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    p: float = 0.0,
    algorithm: str = "auto",
) -> Tensor:
    """Return relu(conv2d(x, …)), and dropout of that, in one go.

        y = dropout(max(conv2d(x, weight, bias), 0), p)

    The same numbers as of the three operators, without writing the map and reading it
    again for each: `nn.Sequential` runs a Conv2d, a ReLU and a Dropout in a row so.
    Where y > 0 the gradient is gy / (1 − p) on its way to the convolution, else 0.

    Args:
        x, weight, bias, stride, padding, dilation, groups, algorithm: as `conv2d`.
        p: the probability of dropout, 0 ≤ p < 1.

    Returns:
        (N, O, OH, OW), as `conv2d`.

    Raises:
        ValueError, TypeError: as `conv2d` and `dropout`.
    """
    geometry = Geometry.of(stride, padding, dilation, groups, algorithm)
    inputs = _checked("conv2d_relu", x, weight, bias, geometry)
    check_probability(p)
    return Conv2dReLU(geometry, p)(*inputs)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    algorithm: str = "auto",
) -> Tensor:
    """Run a convolution backwards ("deconvolution"): the adjoint of `conv2d`.

        y[n, o, r·SH + i·DH − top, q·SW + j·DW − left] +=
            x[n, c, r, q] · weight[c, o, i, j]

    With stride f and a bilinear kernel of size 2f it enlarges f times. As
    `torch.nn.functional.conv_transpose2d`. Source: Long et al. 2015, section 3.3.

    Args:
        x: (N, C, H, W).
        weight: (C, O / groups, KH, KW): that of the convolution it is the adjoint of.
        bias: (O,), or None.
        stride, dilation: int or (height, width); pixels.
        padding: what the convolution pads, here cut off.
        output_padding: rows and columns added at the end, less than stride or dilation.
        groups, algorithm: as in `conv2d`.

    Returns:
        (N, O, OH, OW),
        OH = (H − 1)·SH − top − bottom + DH·(KH − 1) + output_padding + 1.

    Raises:
        ValueError, TypeError: as `conv2d`.
    """
    geometry = Geometry.of(stride, padding, dilation, groups, algorithm)
    form = "C, O/groups, KH, KW"
    C, O = _check("conv_transpose2d", x, weight, bias, geometry.groups, form)
    if x.shape[1] != C:
        raise ValueError(
            f"x has {x.shape[1]} channels, but weight {weight.shape} takes {C} "
            f"(x has shape {x.shape}, groups is {groups})"
        )
    _check_bias(bias, O * geometry.groups, x, weight)
    size = geometry.transposed_size(x.shape[2:], weight.shape[2:], output_padding)
    inputs = (x, weight) if bias is None else (x, weight, bias)
    return ConvTranspose2d(geometry, size)(*inputs)


def _checked(
    name: str, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry
) -> tuple[Tensor, ...]:
    """Check what a convolution is given; return its inputs."""
    O, C = _check(name, x, weight, bias, geometry.groups, "O, C/groups, KH, KW")
    if x.shape[1] != C * geometry.groups:
        raise ValueError(
            f"x has {x.shape[1]} channels, but weight {weight.shape} with groups "
            f"{geometry.groups} takes {C * geometry.groups} (x has shape {x.shape})"
        )
    _check_bias(bias, O, x, weight)
    geometry.output_size(x.shape, weight.shape[2:])
    return (x, weight) if bias is None else (x, weight, bias)


def _check(
    name: str, x: Tensor, weight: Tensor, bias: Any, groups: int, form: str
) -> tuple[int, int]:
    """Check what both convolutions ask of their inputs; return weight's channels."""
    optional = {} if bias is None else {"bias": bias}
    check_tensors(name, x=x, weight=weight, **optional)
    if x.ndim != 4 or weight.ndim != 4 or 0 in (*x.shape[1:], *weight.shape):
        raise ValueError(
            f"{name} needs x (N, C, H, W) and weight ({form}), all but N 1 or more; "
            f"their shapes are {x.shape} and {weight.shape}"
        )
    # The first axis counts the channels of all groups, the second those of one.
    if weight.shape[0] % groups:
        raise ValueError(
            f"groups is {groups}, which does not divide weight's first axis, "
            f"{weight.shape[0]} (x has shape {x.shape}, weight {weight.shape})"
        )
    return weight.shape[0], weight.shape[1]


def _check_bias(bias: Tensor | None, channels: int, x: Tensor, weight: Tensor) -> None:
    if bias is not None and bias.shape != (channels,):
        raise ValueError(
            f"bias has shape {bias.shape}; it must be ({channels},) (x has shape "
            f"{x.shape}, weight {weight.shape})"
        )
