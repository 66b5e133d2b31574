"""Values and gradients of every operator against PyTorch's.

The stored cases (see tests/fixtures/make_fixtures.py) need no PyTorch; where it is
installed, hypothesis draws more.
"""

from collections import Counter
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.laws.cases import generators, unequal
from minifcn.laws.general import strided
from tests.fixtures import make_fixtures as fixtures

CASES = fixtures.load(fixtures.FILE)
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


def close(actual, expected, dtype):
    """Equal to a part of the largest value; same shape, and the dtype asked for."""
    tolerance = TOLERANCE[dtype] * np.abs(expected).max(initial=0)
    tolerance += 4 * np.finfo(dtype).eps  # which a log of 1 + that does not see
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE[dtype], atol=tolerance)


def prepare(arrays, dtype, layout):
    """Arrays in that dtype (whole numbers stay) and memory layout, read-only."""
    ready = {
        name: layout(array if array.dtype.kind in "iu" else array.astype(dtype))
        for name, array in arrays.items()
    }
    for array in ready.values():
        array.flags.writeable = False
    return ready


def operator(name):
    """The operator of that name, its inputs one by one."""
    if name == "concat":
        return lambda *tensors, **arguments: ops.concat(tensors, **arguments)
    return getattr(ops, name)


def check(case, op=None, dtype="float64", layout=np.ascontiguousarray):
    """Run forward and backward; compare y and all gradients with case.results."""
    op = op or operator(case.op)
    arrays = prepare(case.inputs, dtype, layout)
    leaves = {name: Tensor(arrays[name], requires_grad=True) for name in case.leaves}
    inputs = arrays | leaves
    y = op(*inputs.values(), **prepare(case.constants, dtype, layout), **case.arguments)
    close(y.data, case.results["y"], dtype)
    y.backward(case.results["gy"].astype(dtype))
    for name, leaf in leaves.items():
        assert leaf.grad is not None, f"{name} got no gradient"
        close(leaf.grad, case.results["g" + name], dtype)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, strided])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_stored_case(name, dtype, layout):
    check(CASES[name], dtype=dtype, layout=layout)


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].op == "max_pool2d"])
def test_pool_indices(name):
    check_indices(CASES[name])


def check_indices(case):
    x = Tensor(case.inputs["x"])
    y, indices = ops.max_pool2d(x, **case.arguments, return_indices=True)
    np.testing.assert_array_equal(y.data, case.results["y"])
    np.testing.assert_array_equal(indices, case.results["indices"])


# ---- the check itself: wrong operators must not pass it


def ignoring(argument):
    def wrong(op, *inputs, **arguments):
        arguments.pop(argument, None)
        return op(*inputs, **arguments)

    return wrong


def ignoring_input(index):
    return lambda op, *inputs, **arguments: op(*inputs[:index], **arguments)


def reversing(argument):
    def wrong(op, *inputs, **arguments):
        value = arguments.get(argument, 0)
        flipped = value[::-1] if isinstance(value, tuple) else value
        return op(*inputs, **{**arguments, argument: flipped})

    return wrong


def flipped_kernel(op, x, weight, *bias, **arguments):
    return op(x, Tensor(weight.data[:, :, ::-1, ::-1]), *bias, **arguments)


def detached(index):
    """The right value, but one input gets no gradient."""

    def wrong(op, *inputs, **arguments):
        inputs = [x.detach() if i == index else x for i, x in enumerate(inputs)]
        y = op(*inputs, **arguments)
        return y if y.requires_grad else y + Tensor(np.zeros(y.shape), True)

    return wrong


def doubled_gradient(op, *inputs, **arguments):
    y = op(*inputs, **arguments)
    return y + y - y.detach()


def reversed_factors(op, x, factors):
    return op(x, Tensor(factors.data[::-1]))


def taps_reversed(cols, arguments):
    return cols[:, ::-1]


def channels_last(cols, arguments):
    N, taps = len(cols), np.prod(arguments["kernel_size"])
    return cols.reshape(N, -1, taps, cols.shape[2]).swapaxes(1, 2).reshape(cols.shape)


def windows_shifted(cols, arguments):
    return np.roll(cols, 1, axis=2)


def reordered(order):
    """The right sums over columns in a wrong order."""

    def wrong(op, cols, **arguments):
        return op(Tensor(order(cols.data, arguments)), **arguments)

    return wrong


def zero_padded_pool(op, x, kernel_size, padding=0, **arguments):
    top, left = padding if isinstance(padding, tuple) else (padding, padding)
    x = ops.pad(x, ((top, top), (left, left)))
    return op(x, kernel_size, **arguments)


def mean_of_all(op, x, target, **arguments):
    total = op(x, target, **{**arguments, "reduction": "sum"})
    return total * (1 / target.size)


def mean_of_images(op, x, target, reduction, **arguments):
    reduction = "batch" if reduction == "mean" else reduction
    return op(x, target, reduction=reduction, **arguments)


def changing(argument, change):
    """The operator with another value of one argument."""

    def wrong(op, *inputs, **arguments):
        if argument in arguments:
            arguments[argument] = change(arguments[argument])
        return op(*inputs, **arguments)

    return wrong


def displaced(change):
    """The operator with each input's values at other places; gradients as they come."""

    def wrong(op, *inputs, **arguments):
        return op(*(Tensor(change(x.data), True) for x in inputs), **arguments)

    return wrong


def result(change):
    """The operator whose result is changed afterwards."""
    return lambda op, *inputs, **arguments: change(op(*inputs, **arguments))


def with_gradient(y, *wrong):
    """y, with wrong gradients beside the right ones: of (leaf, factor) pairs."""
    for leaf, factor in wrong:
        y = y + (leaf - leaf.detach()) * Tensor(factor)
    return y


def ties_to_both(op, x, z):
    half = (x.data == z.data) / 2
    return with_gradient(op(x, z), (x, half), (z, half))


def ties_to_first(op, x, z):
    half = (x.data == z.data) / 2
    return with_gradient(op(x, z), (x, half), (z, -half))


def indices_changed(change):
    def wrong(op, x, indices, **arguments):
        return op(x, np.ascontiguousarray(change(indices)), **arguments)

    return wrong


def channels_swapped(op, x, factor):
    """Interleave as if the phases came before the channels (depth to space, DCR)."""
    FH, FW = fixtures.pair(factor)
    N, C, H, W = x.shape
    phases = x.data.reshape(N, FH * FW, -1, H, W).swapaxes(1, 2)
    return op(Tensor(phases.reshape(x.shape), True), factor)


def phases_swapped(op, x, factor):
    """Deinterleave with the phases before the channels."""
    y = op(x, factor)
    N, C, H, W = y.shape
    phases = y.data.reshape(N, x.shape[1], -1, H, W).swapaxes(1, 2)
    return Tensor(phases.reshape(y.shape), True)


def repeated(op, x, factor):
    """Each number over again: the nearest neighbour."""
    FH, FW = fixtures.pair(factor)
    return Tensor(np.repeat(np.repeat(x.data, FH, -2), FW, -1), True)


def repeated_taps(op, weight, factor):
    taps = repeated(op, weight, factor).data
    FH, FW = fixtures.pair(factor)
    return Tensor(taps[..., : taps.shape[-2] - FH + 1, : taps.shape[-1] - FW + 1], True)


def border_repeated(op, x, factor):
    """Bilinear with the border's pixels repeated beyond it, as resizing does."""
    FH, FW = fixtures.pair(factor)
    frame = Tensor(np.pad(x.data, ((0, 0), (0, 0), (1, 1), (1, 1)), "edge"), True)
    return Tensor(op(frame, factor).data[:, :, FH:-FH, FW:-FW], True)


def turned(axis):
    return lambda array: np.flip(array, axis)


def shifted(axis):
    return lambda array: np.roll(array, 1, axis)


CONVOLUTIONS = [
    *map(ignoring, ["stride", "padding", "dilation"]),
    *map(reversing, ["stride", "padding", "dilation"]),
    ignoring_input(2),
    flipped_kernel,
    *map(detached, range(3)),
]
MUTANTS = {
    "conv2d": CONVOLUTIONS,
    "conv2d_relu": [
        *CONVOLUTIONS,
        lambda op, *inputs, **named: ops.conv2d(*inputs, **named),
        result(lambda y: y * 1.01),
        doubled_gradient,
    ],
    "conv_transpose2d": [
        *map(ignoring, ["stride", "padding", "output_padding", "dilation"]),
        *map(reversing, ["stride", "padding", "output_padding", "dilation"]),
        ignoring_input(2),
        flipped_kernel,
        *map(detached, range(3)),
    ],
    "max_pool2d": [
        *map(ignoring, ["stride", "padding", "dilation", "ceil_mode"]),
        reversing("kernel_size"),
        zero_padded_pool,
    ],
    "relu": [lambda op, x: x * 1, lambda op, x: op(x) + 0.01 * x, doubled_gradient],
    "pad": [
        reversing("padding"),
        ignoring("value"),
        changing("value", lambda value: -value),
        changing("padding", lambda sides: tuple(ends[::-1] for ends in sides)),
        result(lambda y: y + 1),
        doubled_gradient,
    ],
    "crop": [reversing("offset"), reversing("size"), doubled_gradient],
    "add": [lambda op, x, z: x - z, lambda op, x, z: op(x, x), detached(1)],
    "scale": [reversed_factors, detached(1), doubled_gradient],
    "cross_entropy": [
        *map(ignoring, ["weight", "reduction", "ignore_index"]),
        mean_of_all,
        doubled_gradient,
    ],
    "avg_pool2d": [
        *map(ignoring, ["stride", "padding", "ceil_mode", "dilation"]),
        *map(ignoring, ["count_include_pad", "divisor_override"]),
        reversing("kernel_size"),
        result(lambda y: y * 4),
        doubled_gradient,
    ],
    "max_unpool2d": [
        *map(ignoring, ["stride", "padding", "output_size"]),
        *map(indices_changed, [turned(2), turned(3), shifted(1), lambda i: i // 2]),
        doubled_gradient,
        detached(0),
    ],
    "softmax": [
        ignoring("dim"),
        changing("dim", lambda dim: (dim + 1) % 4),
        lambda op, x, dim: op(x * 2.0, dim),
        lambda op, x, dim: ops.log_softmax(x, dim),
        lambda op, x, dim: op(x, dim) * x.shape[dim],
        doubled_gradient,
        detached(0),
    ],
    "log_softmax": [
        ignoring("dim"),
        changing("dim", lambda dim: (dim + 1) % 4),
        lambda op, x, dim: op(x * 2.0, dim),
        lambda op, x, dim: ops.softmax(x, dim),
        lambda op, x, dim: x - x.detach() + op(x, dim).detach(),  # no Σ gy
        doubled_gradient,
    ],
    "nll_loss": [
        *map(ignoring, ["weight", "reduction", "ignore_index"]),
        mean_of_all,
        mean_of_images,
        result(lambda y: y * -1.0),
        lambda op, x, target, **a: ops.cross_entropy(x, target, **a),
        doubled_gradient,
    ],
    "local_response_norm": [
        *map(ignoring, ["alpha", "beta", "k"]),
        changing("size", lambda size: size + 1),
        lambda op, x, size, alpha=1e-4, **a: op(x, size, alpha=alpha * size, **a),
        displaced(shifted(1)),
        lambda op, x, **a: Tensor(  # a window of even size leans to the other side
            np.flip(op(Tensor(np.flip(x.data, 1)), **a).data, 1), True
        ),
        lambda op, x, **a: x * Tensor(op(x, **a).data / x.data),  # no gradient of sums
        doubled_gradient,
    ],
    "concat": [
        ignoring("dim"),
        changing("dim", lambda dim: 3 - dim % 4),
        lambda op, *tensors, **a: op(*tensors[::-1], **a),
        lambda op, *tensors, **a: op(tensors[0], *tensors[:-1], **a),
        detached(0),
        detached(1),
        doubled_gradient,
    ],
    "maximum": [
        lambda op, x, z: x + z,
        lambda op, x, z: op(x * -1.0, z * -1.0) * -1.0,  # the minimum
        ties_to_both,
        ties_to_first,
        detached(0),
        detached(1),
        doubled_gradient,
    ],
    "interleave": [
        reversing("factor"),
        channels_swapped,
        *map(displaced, [shifted(1), turned(1), turned(2)]),
        doubled_gradient,
    ],
    "deinterleave": [
        reversing("factor"),
        phases_swapped,
        *map(displaced, [shifted(2), shifted(3), turned(3)]),
        doubled_gradient,
    ],
    "rarefy": [
        reversing("factor"),
        changing("factor", lambda f: tuple(n + 1 for n in fixtures.pair(f))),
        repeated_taps,
        *map(displaced, [turned(2), turned(3), shifted(3)]),
        doubled_gradient,
    ],
    "upsample": [
        reversing("factor"),
        repeated,
        border_repeated,
        result(lambda y: y * 4.0),
        *map(displaced, [turned(2), shifted(3)]),
        doubled_gradient,
    ],
    "im2col": [
        *map(ignoring, ["stride", "padding", "dilation"]),
        reversing("kernel_size"),
        doubled_gradient,
    ],
    "col2im": [
        *map(reordered, [taps_reversed, channels_last, windows_shifted]),
        doubled_gradient,
    ],
}


def verdict(case, wrong):
    """How it ends: "refused" where the operator will not take the arguments at all."""
    right = operator(case.op)
    try:
        check(case, lambda *inputs, **arguments: wrong(right, *inputs, **arguments))
    except AssertionError:
        return "caught"
    except ValueError:
        return "refused"
    return "passed"


@pytest.mark.parametrize("name", MUTANTS)
def test_right_operator_passes(name):
    """What the mutants change must be all that is wrong with them."""
    cases = [case for case in CASES.values() if case.op == name]
    assert {verdict(case, lambda op, *x, **a: op(*x, **a)) for case in cases} == {
        "passed"
    }


@pytest.mark.parametrize(
    "name, wrong",
    [(name, wrong) for name, mutants in MUTANTS.items() for wrong in mutants],
)
def test_wrong_operator_is_caught(name, wrong):
    cases = [case for case in CASES.values() if case.op == name]
    assert "caught" in [verdict(case, wrong) for case in cases]


# ---- PyTorch itself, where it is installed: 500 cases of each operator


def images(least_channels=1):
    """A shape (N, C, H, W) of unequal sizes; now and then one pixel of each channel."""
    sizes = st.lists(st.integers(1, 7), min_size=4, max_size=4, unique=True)
    single = st.tuples(st.integers(2, 3), st.integers(1, 5), st.just(1), st.just(1))
    shapes = st.one_of(*[sizes] * 9, single).map(tuple)
    return shapes.filter(lambda shape: shape[1] >= least_channels)


KINDS = ["usual"] * 6 + ["one window", "far apart", "one pixel"]


@st.composite
def windows(draw, pooling=False, sides=True):
    """Size of an image, kernel, and stride, padding, dilation: no two alike.

    But for stride 1, which has a way of its own, and the extremes: a kernel as large
    as the padded input, a stride beyond the kernel, an image of a single pixel. With
    `pooling` no padding is wider than half a window; with `sides` it may differ on all
    four.
    """
    kind, kernel = draw(st.sampled_from(KINDS)), draw(unequal(1, 4))
    stride = draw(st.one_of(st.just((1, 1)), unequal(1, 4)))
    dilation = draw(st.one_of(st.just((1, 1)), unequal(1, 3)))
    if kind == "far apart":
        stride = kernel[0] + stride[0], kernel[1] + stride[1]
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    most = [span // 2 if pooling else 3 for span in spans]
    if kind == "one pixel":  # the windows must fit into the padding
        padding = tuple((span // 2, span // 2) for span in spans)
    else:
        padding = tuple(tuple(draw(st.integers(0, m)) for _ in "ab") for m in most)
    if not (sides and draw(st.booleans())):
        padding = tuple(max(ends) for ends in padding)
    pads = [sum(ends) if sides_differ(ends) else 2 * ends for ends in padding]
    least = [max(1, span - pad) for span, pad in zip(spans, pads)]
    more = 5 if kind in ("usual", "far apart") else 0
    H, W = (n + draw(st.integers(0, more)) for n in least)
    size = (H, W + (H == W and more > 0))
    return size, kernel, dict(stride=stride, padding=padding, dilation=dilation)


def sides_differ(padding):
    return isinstance(padding, tuple)


@st.composite
def channels(draw):
    """Input channels, output channels and groups; also as many groups as channels."""
    groups = draw(st.integers(1, 3))
    n_in, n_out = draw(st.one_of(unequal(1, 3), st.just((1, 1))))
    return groups * n_in, groups * n_out, groups


@st.composite
def convolutions(draw):
    (size, kernel, arguments), (C, O, groups) = draw(windows()), draw(channels())
    rng, bias = draw(generators()), draw(st.booleans())
    shape = (draw(st.integers(2, 3)), C, *size)
    return rng, fixtures.convolution(
        rng, shape, O, kernel, bias, groups=groups, **arguments
    )


def rectified(drawn):
    rng, case = drawn
    return rng, replace(case, op="conv2d_relu")


@st.composite
def transposed_convolutions(draw):
    (_, kernel, arguments), (C, O, groups) = draw(windows()), draw(channels())
    shape = draw(st.integers(2, 3)), C, *draw(st.one_of(unequal(1, 6), st.just((1, 1))))
    steps = zip(arguments["stride"], arguments["dilation"])
    extra = tuple(draw(st.integers(0, max(pair) - 1)) for pair in steps)
    for i, padding in enumerate(arguments["padding"]):
        full = (shape[2 + i] - 1) * arguments["stride"][i] + extra[i] + 1
        full += arguments["dilation"][i] * (kernel[i] - 1)
        assume(full > (sum(padding) if sides_differ(padding) else 2 * padding))
    rng, bias = draw(generators()), draw(st.booleans())
    arguments["output_padding"] = extra
    return rng, fixtures.transposed(
        rng, shape, O, kernel, bias, groups=groups, **arguments
    )


@st.composite
def poolings(draw):
    size, kernel, arguments = draw(windows(pooling=True))
    rng, arguments["ceil_mode"] = draw(generators()), draw(st.booleans())
    shape = (2, draw(st.integers(1, 3)), *size)
    # Else the yardstick is a maximum over unfolded windows, for which PyTorch does not
    # say where the gradient of equals goes.
    tied = draw(st.booleans()) and fixtures.torch_pools(kernel, arguments["padding"])
    return rng, fixtures.pooling(
        rng, shape, values=3 * tied, kernel_size=kernel, **arguments
    )


@st.composite
def averages(draw):
    size, kernel, arguments = draw(windows(pooling=True))
    rng = draw(generators())
    arguments |= dict(
        kernel_size=kernel,
        ceil_mode=draw(st.booleans()),
        count_include_pad=draw(st.booleans()),
        divisor_override=draw(st.sampled_from([None, None, 1, 5, -3])),
    )
    shape = (2, draw(st.integers(1, 3)), *size)
    return rng, fixtures.unary("avg_pool2d", rng, shape, **arguments)


@st.composite
def unpoolings(draw):
    kernel, stride = draw(unequal(1, 4)), draw(unequal(1, 4))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    shape, rng = draw(images()), draw(generators())
    sides = zip(shape[2:], kernel, stride, padding)
    usual = [(n - 1) * s - 2 * p + k for n, k, s, p in sides]
    arguments = dict(kernel_size=kernel, stride=stride, padding=padding)
    size = [n + draw(st.integers(1 - s, s - 1)) for n, s in zip(usual, stride)]
    if draw(st.booleans()):
        size = usual
    else:
        arguments["output_size"] = tuple(size)
    # Each value its own pixel: PyTorch leaves open which of several stays.
    assume(min(size) > 0 and np.prod(size) >= np.prod(shape[2:]))
    assume(min(usual) > 0)  # PyTorch checks it even where output_size is given
    return rng, fixtures.unpooling(rng, shape, size, **arguments)


@st.composite
def unfoldings(draw):
    size, kernel, arguments = draw(windows())
    rng, shape = draw(generators()), (2, draw(st.integers(1, 3)), *size)
    return rng, fixtures.unary("im2col", rng, shape, kernel_size=kernel, **arguments)


@st.composite
def foldings(draw):
    size, kernel, arguments = draw(windows(sides=False))  # torch's fold has no others
    steps = zip(size, kernel, *arguments.values())
    grid = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in steps]
    rng, C = draw(generators()), draw(st.integers(1, 3))
    columns = int(np.prod(grid))
    return rng, fixtures.folding(rng, 2, C, size, kernel, columns, **arguments)


@st.composite
def losses(draw, op):
    rng, shape = draw(generators()), draw(images())
    case = fixtures.classification(
        rng,
        shape,
        spread=draw(st.sampled_from([1.0, 30.0])),
        weighted=draw(st.booleans()),
        ignore_index=draw(st.sampled_from([255, 0, shape[1] - 1])),
        op=op,
        reduction=draw(st.sampled_from(["mean", "sum", "none", "batch"])),
    )
    # PyTorch's mean over no pixels is 0/0; ours is 0.
    assume((case.inputs["target"] != case.arguments["ignore_index"]).any())
    return rng, case


@st.composite
def unaries(draw, op, arguments):
    """An operator of one image with arguments that do not depend on its shape."""
    rng, shape = draw(generators()), draw(images())
    return rng, fixtures.unary(op, rng, shape, **draw(arguments))


def named(**strategies):
    return st.fixed_dictionaries(strategies)


def of_generator(build, *strategies):
    """build(rng, …) of drawn values."""
    drawn = st.tuples(generators(), *strategies)
    return drawn.map(lambda values: (values[0], build(*values)))


@st.composite
def crops(draw):
    shape, rng = draw(images()), draw(generators())
    size = tuple(draw(st.integers(1, n)) for n in shape[2:])
    offset = tuple(draw(st.integers(0, n - m)) for n, m in zip(shape[2:], size))
    return rng, fixtures.unary("crop", rng, shape, offset=offset, size=size)


@st.composite
def joinings(draw):
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dim = draw(st.integers(-4, 3))
    return draw(of_generator(lambda *a: fixtures.joining(*a, sizes, dim=dim), images()))


FACTORS = st.one_of(st.integers(1, 4), unequal(1, 4))


@st.composite
def stitchings(draw, op):
    rng, factor, (N, C, H, W) = draw(generators()), draw(FACTORS), draw(images())
    FH, FW = fixtures.pair(factor)
    more = {
        "interleave": (N, C * FH * FW, H, W),
        "deinterleave": (N, C, H * FH, W * FW),
    }
    return rng, fixtures.unary(op, rng, more[op], factor=factor)


ENDS = st.tuples(st.integers(0, 3), st.integers(0, 3))
AXIS = named(dim=st.integers(-4, 3))

DRAWN = {
    "conv2d": convolutions(),
    "conv2d_relu": convolutions().map(rectified),
    "conv_transpose2d": transposed_convolutions(),
    "max_pool2d": poolings(),
    "avg_pool2d": averages(),
    "max_unpool2d": unpoolings(),
    "relu": of_generator(fixtures.rectified, images()),
    "pad": unaries(
        "pad", named(padding=st.tuples(ENDS, ENDS), value=st.sampled_from([0.0, -2.5]))
    ),
    "crop": crops(),
    "add": of_generator(fixtures.addition, images()),
    "scale": of_generator(fixtures.scaling, images()),
    "maximum": of_generator(fixtures.fusion, images()),
    "concat": joinings(),
    "softmax": unaries("softmax", AXIS),
    "log_softmax": unaries("log_softmax", AXIS),
    "nll_loss": losses("nll_loss"),
    "cross_entropy": losses("cross_entropy"),
    "local_response_norm": unaries(
        "local_response_norm",
        named(
            size=st.integers(1, 8),
            alpha=st.sampled_from([1e-4, 0.5, 2.0]),
            beta=st.sampled_from([0.5, 0.75, 1.0]),
            k=st.sampled_from([0.5, 1.0, 2.0]),
        ),
    ),
    "im2col": unfoldings(),
    "col2im": foldings(),
    "interleave": stitchings("interleave"),
    "deinterleave": stitchings("deinterleave"),
    "rarefy": of_generator(fixtures.rarefaction, images(), FACTORS),
    "upsample": unaries("upsample", named(factor=FACTORS)),
}
DRAWS = 500


def test_every_operator_is_compared():
    assert set(DRAWN) == set(fixtures.OPERATORS) == set(MUTANTS)
    # What is left has no counterpart in PyTorch, or is random.
    assert set(ops.__all__) - set(DRAWN) == {"bilinear_kernel", "dropout"}


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", DRAWN)
def test_drawn_cases(name):
    import torch

    torch.set_num_threads(1)  # small cases: more threads only wait for each other
    compared = Counter()

    @settings(max_examples=DRAWS, database=None)
    @given(
        DRAWN[name],
        st.sampled_from(["float64", "float64", "float64", "float32"]),
        st.sampled_from([np.ascontiguousarray, strided]),
    )
    def compare(drawn, dtype, layout):
        rng, case = drawn
        assert case.op == name
        fixtures.solve(case, rng)
        # A window of max_pool2d may lie in the padding alone: PyTorch gives −∞, and
        # its backward pass then writes beside the gradient's memory.
        assume(np.isfinite(case.results["y"]).all())
        check(case, dtype=dtype, layout=layout)
        if name == "max_pool2d":
            check_indices(case)
        compared[dtype] += 1

    compare()
    print(f"{name}: values and gradients as PyTorch's in {dict(compared)} cases")
    assert compared.total() >= DRAWS
    assert min(compared["float64"], compared["float32"]) >= DRAWS / 10
