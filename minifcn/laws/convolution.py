"""What is true of convolution, its transpose, its ReLU, and of im2col and col2im.

Convolution is linear, so it is a matrix; its transpose is the transposed convolution.
im2col writes that matrix as windows, and a kernel times windows is a convolution.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from ..geometry import conv_output_size, span
from .cases import (
    Case,
    convolutions,
    foldings,
    rectified_convolutions,
    seeded,
    shares,
    transposed_convolutions,
    unfoldings,
    whole_numbers,
)
from .general import Operator, call, judge
from .implementation import Implementation
from .sources import DUMOULIN, LONG, NAIR
from .statement import equal, inner, law

judge(
    Operator("conv2d", convolutions(), ("x", "weight"), ("x",), source=DUMOULIN + "2.4")
)
judge(
    Operator(
        "conv_transpose2d",
        transposed_convolutions(),
        ("x", "weight"),
        source=LONG + "3.3",
    )
)
judge(
    Operator(
        "conv2d_relu",
        rectified_convolutions(),
        source=NAIR,
    )
)
judge(Operator("im2col", unfoldings(), ("x",), source="Chellapilla et al. 2006"))
judge(Operator("col2im", foldings(), ("cols",), ("cols",)))


# ---- convolution


@law(
    "conv2d",
    convolutions(bias=False),
    "⟨conv x, v⟩ = ⟨x, convᵀ v⟩, output_padding = the rows that the stride loses",
    LONG + "3.3",
)
def its_adjoint_is_the_transposed_convolution(ops: Implementation, case: Case) -> None:
    """Forward and backward of one are backward and forward of the other."""
    y = ops.conv2d(case.x, case.weight, **case.arguments)
    v = case.another(y)
    back = ops.conv_transpose2d(  # (N, C, H, W), as x
        v, case.weight, output_padding=_remainder(case), **case.arguments
    )
    equal(inner(case.x, back), inner(y, v), "⟨x, convᵀ v⟩")
    (gx, _) = ops.gradients("conv2d", v, case.x, case.weight, **case.arguments)
    equal(back, gx, "convᵀ v")


def _remainder(case: Case) -> tuple[int, int]:
    """Return the rows and columns at the end of x that the stride loses."""
    a = case.arguments
    down, right = (
        (n + sum(p) - span(k, d)) % s  # what is left after the last window
        for n, p, k, d, s in zip(
            case.x.shape[2:],
            a["padding"],
            case.weight.shape[2:],
            a["dilation"],
            a["stride"],
            strict=True,
        )
    )
    return down, right


@law(
    "conv2d",
    convolutions(bias=False, largest_kernel=3, largest_padding=1),
    "conv x = M · flat x, convᵀ v = Mᵀ · flat v",
    DUMOULIN + "4.1",
)
def it_is_a_matrix_and_its_transpose_the_other(ops: Implementation, case: Case) -> None:
    """Column k of M is the convolution of the k-th unit image."""
    assume(case.x[0].size <= 60)  # M has a column for each pixel
    units = np.eye(case.x[0].size).reshape(-1, *case.x.shape[1:])  # a batch of them
    columns = ops.conv2d(units, case.weight, **case.arguments)
    matrix = columns.reshape(len(units), -1).T  # (O·OH·OW, C·H·W)
    y = ops.conv2d(case.x, case.weight, **case.arguments)
    N = len(y)
    # images are rows: y = x Mᵀ
    equal(y.reshape(N, -1), case.x.reshape(N, -1) @ matrix.T, "y as a matrix product")
    v = case.another(y)
    back = ops.conv_transpose2d(
        v, case.weight, output_padding=_remainder(case), **case.arguments
    )
    equal(back.reshape(N, -1), v.reshape(N, -1) @ matrix, "Mᵀ v")


@law(
    "conv2d",
    convolutions(),
    "conv(x moved by i·s, j·s) = (conv x) moved by i, j, where no border is seen",
)
def it_moves_with_the_image(ops: Implementation, case: Case) -> None:
    """Equivariance: an image s pixels on gives an output one pixel on."""
    (SH, SW), inputs = case.arguments["stride"], case.inputs
    arguments = case.arguments | {"padding": 0}
    rows, cols = (p[0] for p in case.arguments["padding"])  # how far to move
    # What was padded becomes part of the image; then the image begins further on.
    x = np.pad(case.x, ((0, 0), (0, 0), *case.arguments["padding"]))
    moved = np.pad(x, ((0, 0), (0, 0), (rows * SH, 0), (cols * SW, 0)))
    near = ops.conv2d(x, *list(inputs.values())[1:], **arguments)  # (N, O, OH, OW)
    far = ops.conv2d(moved, *list(inputs.values())[1:], **arguments)
    OH, OW = near.shape[2:]
    equal(far[:, :, rows : rows + OH, cols : cols + OW], near, "y of the moved image")


@law(
    "conv2d",
    convolutions(),
    "conv(x, w, padding p) = conv(x framed with p zeros, w)",
)
def padding_is_a_frame_of_zeros(ops: Implementation, case: Case) -> None:
    """Four sides, each of its own width."""
    # (N, C, H + top + bottom, W + left + right)
    framed = np.pad(case.x, ((0, 0), (0, 0), *case.arguments["padding"]))
    plain = ops.conv2d(
        framed, *list(case.inputs.values())[1:], **case.arguments | {"padding": 0}
    )
    equal(call(ops, case), plain)


@law("conv2d", convolutions(), "conv(x, w, stride s)[r, q] = conv(x, w)[r·s, q·s]")
def a_stride_leaves_out_outputs(ops: Implementation, case: Case) -> None:
    """Stride s keeps every s-th output of stride 1."""
    SH, SW = case.arguments["stride"]
    inputs = case.inputs.values()
    dense = ops.conv2d(*inputs, **case.arguments | {"stride": 1})
    equal(call(ops, case), dense[:, :, ::SH, ::SW])


@law(
    "conv2d",
    convolutions(),
    "conv(x, w, dilation d) = conv(x, rarefied w)",
    LONG + "3.2",
)
def dilation_is_a_rarefied_filter(ops: Implementation, case: Case) -> None:
    """The filter f′[i, j] = f[i/d, j/d] where d divides both, else 0."""
    x, weight, *bias = case.inputs.values()
    # (O, C / G, DH·(KH − 1) + 1, DW·(KW − 1) + 1)
    sparse = ops.rarefy(weight, case.arguments["dilation"])
    y = ops.conv2d(x, sparse, *bias, **case.arguments | {"dilation": 1})
    equal(call(ops, case), y)


@law(
    "conv2d",
    convolutions(),
    "conv(x, w, groups G) = concat over g of conv(x_g, w_g)",
    "Krizhevsky et al. 2012, section 3.2",
)
def groups_do_not_meet(ops: Implementation, case: Case) -> None:
    """Each group is a convolution of its own channels."""
    G = case.arguments["groups"]
    inputs = [np.split(case.x, G, axis=1)]  # G of (N, C / G, H, W)
    # weight and bias: by output channels
    inputs += [np.split(a, G) for a in list(case.inputs.values())[1:]]
    parts = [
        ops.conv2d(*part, **case.arguments | {"groups": 1})
        for part in zip(*inputs, strict=True)
    ]
    equal(call(ops, case), np.concatenate(parts, axis=1))


@st.composite
def covered_images(draw: Any) -> Case:
    """Draw a convolution whose kernel covers the image: a fully-connected layer."""
    case = draw(convolutions(bias=True))
    x, weight, bias = case.inputs.values()
    C = x.shape[1]
    rng = np.random.default_rng([case.seed, 1])  # other numbers than x
    weight = whole_numbers(rng, (len(weight), C, *x.shape[2:]))  # (O, C, H, W)
    return Case("conv2d", {"x": x, "weight": weight, "bias": bias}, {}, case.seed)


@law(
    "conv2d",
    covered_images(),
    "conv(x, w, b) = w.reshape(O, −1) · flat x + b where w is as large as x",
    LONG + "3.1",
)
def a_fully_connected_layer_is_a_convolution(ops: Implementation, case: Case) -> None:
    """The weights of the layer, (O, C·H·W), are those of the kernel, in that order."""
    N, O = len(case.x), len(case.weight)
    rows = case.weight.reshape(O, -1)  # (O, C·H·W)
    y = case.x.reshape(N, -1) @ rows.T + case.bias  # (N, O)
    equal(call(ops, case), y[:, :, None, None])


@law(
    "conv2d",
    convolutions(bias=True),
    "conv(x, w, b) = conv(x, w) + b, gb[o] = Σ over n, r, q of v[n, o, r, q]",
)
def every_output_sees_the_bias(ops: Implementation, case: Case) -> None:
    """Without a bias it is 0; its gradient is the sum over all pixels."""
    without = ops.conv2d(case.x, case.weight, **case.arguments)
    y = call(ops, case)
    equal(y, without + case.bias[:, None, None])
    v = case.another(y)
    gb = ops.gradients("conv2d", v, *case.positional, **case.arguments)[2]
    # each pixel of an output has the bias once
    equal(gb, v.sum(axis=(0, 2, 3)), "the gradient of bias")


# ---- convolution and ReLU


@law(
    "conv2d_relu",
    convolutions(),
    "conv2d_relu(x, w, b) = relu(conv(x, w, b)); so its gradients",
)
def it_is_the_two_one_after_the_other(ops: Implementation, case: Case) -> None:
    """To the last digit, zeros included."""
    y = ops.conv2d_relu(*case.positional, **case.arguments)
    between = ops.conv2d(*case.positional, **case.arguments)
    equal(y, ops.relu(between), "conv2d_relu", tolerance=0)
    v = case.another(y)
    (g,) = ops.gradients("relu", v, between)
    _same_gradients(ops, case, v, g)


@st.composite
def dropped_convolutions(draw: Any) -> Case:
    """Draw a convolution, and the share p that dropout leaves out."""
    case = draw(rectified_convolutions())
    return replace(case, arguments=case.arguments | {"p": draw(shares())})


@law(
    "conv2d_relu",
    dropped_convolutions(),
    "conv2d_relu(x, w, b, p) = dropout(relu(conv(x, w, b)), p), one mask for each seed",
)
def dropout_draws_as_ever(ops: Implementation, case: Case) -> None:
    """Numbers that are left are 1 / (1 − p) as large; so is what flows back."""
    arguments = {name: a for name, a in case.arguments.items() if name != "p"}
    between = ops.conv2d(*case.positional, **arguments)
    with seeded(case.seed):
        y = ops.conv2d_relu(*case.positional, **case.arguments)
    with seeded(case.seed):
        expected = ops.dropout(ops.relu(between), case.arguments["p"])
    equal(y, expected, "conv2d_relu with dropout")
    v = case.another(y)
    with seeded(case.seed):
        (g,) = ops.gradients("dropout", v, ops.relu(between), case.arguments["p"])
    (g,) = ops.gradients("relu", g, between)
    _same_gradients(ops, case, v, g)


def _same_gradients(
    ops: Implementation, case: Case, v: np.ndarray, g: np.ndarray
) -> None:
    """Compare the gradients above v with those of the convolution alone above g."""
    alone = {name: a for name, a in case.arguments.items() if name != "p"}
    with seeded(case.seed):
        came = ops.gradients("conv2d_relu", v, *case.positional, **case.arguments)
    expected = ops.gradients("conv2d", g, *case.positional, **alone)
    for name, a, b in zip(case.inputs, came, expected, strict=True):
        equal(a, b, f"the gradient of {name}")


@st.composite
def pairs_of_convolutions(draw: Any) -> Case:
    """Draw x, a kernel below and a kernel above it, with strides; no padding."""
    lower = draw(convolutions(bias=False, largest_kernel=3, largest_padding=0))
    kernel, stride = (
        draw(st.tuples(*[st.integers(1, 3)] * 2)),
        draw(st.tuples(*[st.integers(1, 3)] * 2)),
    )
    assume(kernel[0] != kernel[1] and stride[0] != stride[1])
    below = lower.weight.shape[2:]
    arguments = {"below": (below, lower.arguments["stride"]), "above": (kernel, stride)}
    return Case("conv2d", {}, arguments, lower.seed)


@law(
    "conv2d",
    pairs_of_convolutions(),
    "f_ks ∘ g_k′s′ = (f ∘ g) with kernel k′ + (k − 1)·s′ and stride s·s′",
    LONG + "3",
)
def two_layers_compose_into_one(ops: Implementation, case: Case) -> None:
    """Kernels of ones: an output is 0 unless its receptive field holds the impulse."""
    (below, inner_stride), (above, outer_stride) = case.arguments.values()
    sizes = [
        k1 + (k2 - 1) * s1
        for k1, k2, s1 in zip(below, above, inner_stride, strict=True)
    ]
    strides = [s1 * s2 for s1, s2 in zip(inner_stride, outer_stride, strict=True)]
    # An image in which the composed window stands 2 × 3 times, and its unit impulses.
    H, W = (n + (c - 1) * s for n, c, s in zip(sizes, (2, 3), strides, strict=True))
    units = np.eye(H * W).reshape(H * W, 1, H, W)
    # (H·W, 1, rows, columns)
    y = ops.conv2d(units, np.ones((1, 1, *below)), stride=inner_stride)
    y = ops.conv2d(y, np.ones((1, 1, *above)), stride=outer_stride)
    seen = np.asarray(y.reshape(H, W, *y.shape[2:]) > 0)  # which output, which pixel
    expected = np.zeros((H, W, 2, 3), bool)
    for r, q in np.ndindex(2, 3):
        top, left = r * strides[0], q * strides[1]
        expected[top : top + sizes[0], left : left + sizes[1], r, q] = True
    if any(s > k for s, k in zip(inner_stride, below, strict=True)):
        # Windows with gaps between them: the field's border is what the rule tells.
        seen, expected = _borders(seen), _borders(expected)
    equal(seen, expected, "pixels seen")


def _borders(seen: np.ndarray) -> np.ndarray:
    """Return first and last row and column that each output sees, (4, OH, OW)."""
    # (H, OH, OW), (W, OH, OW): the rows and the columns of which something is seen.
    by_axis = [np.logical_or.reduce(seen, axis=axis) for axis in (1, 0)]
    firsts = [axis.argmax(axis=0) for axis in by_axis]
    lasts = [axis[::-1].argmax(axis=0) for axis in by_axis]
    return np.array([*firsts, *lasts])


# ---- transposed convolution


@law(
    "conv_transpose2d",
    transposed_convolutions(bias=False),
    "⟨convᵀ x, v⟩ = ⟨x, (conv v)[: H, : W]⟩ for x of H × W pixels",
    LONG + "3.3",
)
def its_adjoint_is_the_convolution(ops: Implementation, case: Case) -> None:
    """The same weight, and output_padding as rows that conv passes over."""
    y = ops.conv_transpose2d(case.x, case.weight, **case.arguments)
    v = case.another(y)
    arguments = dict(case.arguments)
    del arguments["output_padding"]
    H, W = case.x.shape[2:]
    # Beyond H, W lie windows that output_padding alone made room for.
    down = ops.conv2d(v, case.weight, **arguments)[:, :, :H, :W]
    equal(inner(case.x, down), inner(y, v), "⟨x, conv v⟩")


@st.composite
def impulses(draw: Any) -> Case:
    """Draw a transposed convolution of one pixel that is 1, in one channel."""
    case = draw(transposed_convolutions(bias=False))
    arguments = case.arguments | {
        "padding": ((0, 0), (0, 0)),
        "output_padding": (0, 0),
        "dilation": (1, 1),
        "groups": 1,
    }
    rng = np.random.default_rng([case.seed, 1])  # other numbers than x
    x = np.zeros((1, *case.x.shape[1:]))  # (1, C, H, W)
    x.reshape(-1)[rng.integers(x.size)] = 1
    O, (KH, KW) = case.weight.shape[1], case.weight.shape[2:]
    weight = whole_numbers(rng, (x.shape[1], O, KH, KW))
    return Case("conv_transpose2d", {"x": x, "weight": weight}, arguments, case.seed)


@law(
    "conv_transpose2d",
    impulses(),
    "convᵀ(impulse at c, r, q) = w[c], stamped at r·s, q·s; padding 0",
    DUMOULIN + "4",
)
def of_an_impulse_it_is_the_kernel(ops: Implementation, case: Case) -> None:
    """Not flipped; zero everywhere else."""
    _, c, r, q = np.argwhere(case.x)[0]
    y = call(ops, case)
    (SH, SW), (KH, KW) = case.arguments["stride"], case.weight.shape[2:]
    expected = np.zeros_like(y)
    expected[0, :, r * SH : r * SH + KH, q * SW : q * SW + KW] = case.weight[c]
    equal(y, expected)


@law(
    "conv_transpose2d",
    transposed_convolutions(),
    "size of conv(convᵀ x) = n + e // s for x of size n and output_padding e",
    DUMOULIN + "4",
)
def its_size_is_undone_by_a_convolution(ops: Implementation, case: Case) -> None:
    """Up to what a dilated output_padding adds beyond a stride."""
    y = call(ops, case)
    a = dict(case.arguments)
    extra = a.pop("output_padding")
    for n, m, k, s, p, e, d in zip(
        y.shape[2:],
        case.x.shape[2:],
        case.weight.shape[2:],
        a["stride"],
        a["padding"],
        extra,
        a["dilation"],
        strict=True,
    ):
        # A dilated window may take an output_padding of a stride and more.
        equal(conv_output_size(n, k, s, p, d), m + e // s, "size")


@law(
    "conv_transpose2d",
    transposed_convolutions(),
    "convᵀ(x, output_padding e)[: OH, : OW] = convᵀ(x), of OH × OW pixels",
    DUMOULIN + "4",
)
def its_output_padding_lies_at_the_end(ops: Implementation, case: Case) -> None:
    """More rows below and columns to the right; what there is stays where it is."""
    y, (rows, cols) = call(ops, case), case.arguments["output_padding"]
    OH, OW = y.shape[2] - rows, y.shape[3] - cols
    assume(OH > 0 and OW > 0)  # else the extra rows are all there is
    plain = case.arguments | {"output_padding": 0}
    equal(
        y[:, :, :OH, :OW], ops.conv_transpose2d(*case.positional, **plain), "y[: OH …]"
    )


@law(
    "conv_transpose2d",
    transposed_convolutions(bias=True),
    "convᵀ(x, w, b) = convᵀ(x, w) + b",
)
def its_bias_is_added_to_each_channel(ops: Implementation, case: Case) -> None:
    """Once for every output pixel, however many windows reach it."""
    without = ops.conv_transpose2d(case.x, case.weight, **case.arguments)
    equal(call(ops, case), without + case.bias[:, None, None])


# ---- im2col and col2im


@law("im2col", unfoldings(), "⟨im2col x, v⟩ = ⟨x, col2im v⟩")
def its_adjoint_is_col2im(ops: Implementation, case: Case) -> None:
    """Reading windows, and adding them where they were read."""
    cols = call(ops, case)
    v = case.another(cols)  # (N, C·KH·KW, OH·OW)
    back = ops.col2im(v, case.x.shape[2:], **case.arguments)
    equal(inner(case.x, back), inner(cols, v), "⟨x, col2im v⟩")


@law(
    "im2col",
    unfoldings(),
    "w.reshape(O, C·KH·KW) @ im2col(x) = conv(x, w).reshape(N, O, OH·OW)",
    "Chellapilla et al. 2006",
)
def a_kernel_times_columns_is_a_convolution(ops: Implementation, case: Case) -> None:
    """What im2col is for."""
    a = dict(case.arguments)
    kernel = a.pop("kernel_size")
    weight = case.another((4, case.x.shape[1], *kernel))  # (O, C, KH, KW)
    y = ops.conv2d(case.x, weight, **a)  # (N, 4, OH, OW)
    product = weight.reshape(4, -1) @ call(ops, case)  # (N, 4, OH·OW)
    equal(product.reshape(y.shape), y, "weight @ im2col(x)")


@law("col2im", foldings(), "⟨col2im c, v⟩ = ⟨c, im2col v⟩")
def its_adjoint_is_im2col(ops: Implementation, case: Case) -> None:
    """Adding windows where they lie, and reading them there."""
    image = call(ops, case)  # (N, C, H, W)
    v, a = case.another(image), dict(case.arguments)
    del a["output_size"]
    equal(inner(case.cols, ops.im2col(v, **a)), inner(image, v), "⟨c, im2col v⟩")


@law("col2im", unfoldings(), "col2im(im2col x) = x · count, count = col2im(im2col 1)")
def after_im2col_it_counts_the_windows(ops: Implementation, case: Case) -> None:
    """Each pixel comes back as often as windows see it."""
    H, W = case.x.shape[2:]
    back = ops.col2im(ops.im2col(case.x, **case.arguments), (H, W), **case.arguments)
    equal(back, case.x * _window_count(case), "col2im(im2col x)")


def _window_count(case: Case) -> np.ndarray:
    """Count the windows that see each pixel, (H, W)."""
    a = case.arguments
    by_axis = []
    for i, n in enumerate(case.x.shape[2:]):
        k, s, d, (before, after) = (
            a[name][i] for name in ("kernel_size", "stride", "dilation", "padding")
        )
        seen = np.zeros(n)
        for first in range(-before, n + after - span(k, d) + 1, s):
            taps = [p for p in range(first, first + span(k, d), d) if 0 <= p < n]
            seen[taps] += 1
        by_axis.append(seen)
    return np.outer(*by_axis)  # windows are rectangles: rows times columns
