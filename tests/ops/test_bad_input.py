"""Every operator refuses senseless input before any work, and names all the sizes."""

import re
from typing import Any, NamedTuple

import numpy as np
import pytest

from minifcn import Tensor, ops

LABELS = np.zeros((2, 5, 4), int)
PLACES = np.zeros((2, 3, 2, 1), int)


class Call(NamedTuple):
    """A legal call: the shapes of its Tensors by name, and the rest."""

    operator: str
    shapes: dict[str, tuple[int, ...]]
    arguments: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    ranks: bool = True  # whether another number of axes is refused


X = {"x": (2, 3, 5, 4)}
CALLS = [
    Call("conv2d", {**X, "weight": (6, 3, 3, 2), "bias": (6,)}),
    Call("conv2d_relu", {**X, "weight": (6, 3, 3, 2), "bias": (6,)}, {"p": 0.5}),
    Call("conv_transpose2d", {**X, "weight": (3, 6, 3, 2), "bias": (6,)}),
    Call("im2col", X, {"kernel_size": (3, 2)}),
    Call(
        "col2im", {"cols": (2, 18, 9)}, {"output_size": (5, 4), "kernel_size": (3, 2)}
    ),
    Call("max_pool2d", X, {"kernel_size": (3, 2)}),
    Call("avg_pool2d", X, {"kernel_size": (3, 2)}),
    Call("max_unpool2d", {"x": (2, 3, 2, 1)}, {"indices": PLACES, "kernel_size": 2}),
    Call("relu", X, ranks=False),
    Call("dropout", X, ranks=False),
    Call("local_response_norm", X, {"size": 3}),
    Call("softmax", X, ranks=False),
    Call("log_softmax", X, ranks=False),
    Call("nll_loss", X, {"target": LABELS}),
    Call("cross_entropy", X, {"target": LABELS}),
    Call("crop", X, {"offset": (2, 1), "size": (3, 2)}, ranks=False),
    Call("pad", X, {"padding": ((1, 0), (2, 3))}, ranks=False),
    Call("interleave", {"x": (2, 6, 5, 4)}, {"factor": (3, 2)}),
    Call("deinterleave", {"x": (2, 3, 6, 4)}, {"factor": (3, 2)}),
    Call("rarefy", {"weight": (6, 3, 3, 2)}, {"factor": (3, 2)}, ranks=False),
    Call("upsample", X, {"factor": (3, 2)}),
    Call("add", {**X, "y": (2, 3, 5, 4)}, ranks=False),
    Call("maximum", {**X, "y": (2, 3, 5, 4)}, ranks=False),
    Call("scale", {**X, "factors": (3,)}),
    Call("concat", {"x": (2, 3, 5, 4), "y": (2, 1, 5, 4)}, ranks=False),
]
SPECIAL = {"bilinear_kernel"}  # takes no Tensor


def run(call: Call, **changed: Any) -> Any:
    inputs = {n: Tensor(np.ones(shape)) for n, shape in call.shapes.items()} | changed
    positional = list(inputs.values())
    if call.operator == "concat":
        positional = [positional]
    if call.operator == "max_unpool2d":  # indices come second
        return ops.max_unpool2d(positional[0], **call.arguments)
    return getattr(ops, call.operator)(*positional, **call.arguments)


def every_input(calls=CALLS):
    return [
        pytest.param(call, name, id=f"{call.operator} {name}")
        for call in calls
        for name in call.shapes
    ]


def test_no_operator_is_forgotten():
    assert {call.operator for call in CALLS} | SPECIAL == set(ops.__all__)
    for call in CALLS:
        run(call)


@pytest.mark.parametrize("call, name", every_input())
def test_plain_arrays_and_other_things_are_refused(call, name):
    if (call.operator, name) == ("scale", "factors"):
        pytest.skip("factors may be an array")
    for thing in (np.ones(call.shapes[name]), [1.0, 2.0], "x"):
        with pytest.raises(TypeError, match=r"Tensor"):
            run(call, **{name: thing})


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "complex128"])
@pytest.mark.parametrize("call, name", every_input())
def test_other_types_of_numbers_are_refused(call, name, dtype):
    said = rf'float32 or float64; its type is {dtype}: .*\.astype\("float32"\)'
    with pytest.raises(TypeError, match=said):
        run(call, **{name: Tensor(np.ones(call.shapes[name], dtype))})


@pytest.mark.parametrize(
    "call, name", every_input([c for c in CALLS if len(c.shapes) > 1])
)
def test_mixed_types_are_refused_and_named(call, name):
    single = Tensor(np.ones(call.shapes[name], np.float32))
    with pytest.raises(TypeError, match="is float32") as refusal:
        run(call, **{name: single})
    assert "is float64" in str(refusal.value)
    for shape in call.shapes.values():
        assert str(shape) in str(refusal.value)
    assert "all of one type: convert" in str(refusal.value)


@pytest.mark.parametrize("call, name", every_input([c for c in CALLS if c.ranks]))
def test_wrong_ranks_are_refused_with_the_shape(call, name):
    shape = call.shapes[name]
    for wrong in {shape[1:], (1, *shape)} - {()}:  # one factor for all is fine
        with pytest.raises(ValueError, match=re.escape(str(wrong))):
            run(call, **{name: Tensor(np.ones(wrong))})


@pytest.mark.parametrize("call, name", every_input())
def test_axes_of_no_size_are_refused_with_the_shape(call, name):
    shape = call.shapes[name]
    begin = 0 if name in ("bias", "factors") else 1  # no images are fine
    if call.operator in (
        *("relu", "dropout", "add", "maximum", "scale", "softmax", "log_softmax"),
    ):
        pytest.skip("element by element, nothing from nothing is right")
    for axis in range(begin, len(shape)):
        empty = tuple(0 if i == axis else n for i, n in enumerate(shape))
        with pytest.raises(ValueError, match=re.escape(str(empty))):
            run(call, **{name: Tensor(np.ones(empty))})


@pytest.mark.parametrize("call, name", every_input([c for c in CALLS if c.ranks]))
def test_sizes_that_do_not_fit_are_refused_with_all_shapes(call, name):
    """One more channel than fits."""
    if len(call.shapes) == 1 and call.operator in (
        *("im2col", "max_pool2d", "avg_pool2d", "local_response_norm"),
        *("deinterleave", "upsample", "nll_loss", "cross_entropy"),
    ):
        pytest.skip("any number of channels fits")
    shape = list(call.shapes[name])
    shape[min(1, len(shape) - 1)] += 1
    with pytest.raises(ValueError, match=re.escape(str(tuple(shape)))) as refusal:
        run(call, **{name: Tensor(np.ones(shape))})
    for other, size in {**call.shapes, name: tuple(shape)}.items():
        if other in (name, "x", "weight"):
            assert str(size) in str(refusal.value), str(refusal.value)


NUMBERS = ("kernel_size", "stride", "padding", "dilation", "output_padding", "factor")


@pytest.mark.parametrize(
    "call, argument",
    [
        pytest.param(call, argument, id=f"{call.operator} {argument}")
        for call in CALLS
        for argument in NUMBERS
        if argument in getattr(ops, call.operator).__code__.co_varnames[:9]
    ],
)
def test_senseless_numbers_are_refused_by_name(call, argument):
    def with_value(value):
        return call._replace(arguments={**call.arguments, argument: value})

    least = 0 if argument.endswith("padding") else 1
    for bad in (least - 1, (1, least - 1)):
        with pytest.raises(ValueError, match=f"{argument} must be at least {least}"):
            run(with_value(bad))
    for bad in (1.5, "2", (1, 2.0)):
        with pytest.raises(TypeError, match=f"{argument}"):
            run(with_value(bad))
    with pytest.raises(ValueError, match=f"{argument} must be"):
        run(with_value((1, 1, 1)))


def test_forms_of_padding_are_told():
    forms = r"\(p_height, p_width\) or \(\(top, bottom\), \(left, right\)\)"
    for call in CALLS:
        if "padding" in getattr(ops, call.operator).__code__.co_varnames[:9]:
            for bad in ("same", (1, 0, 1, 0)):
                with pytest.raises((TypeError, ValueError), match=forms):
                    run(call._replace(arguments={**call.arguments, "padding": bad}))


@pytest.mark.parametrize(
    "call, argument",
    [
        pytest.param(call, argument, id=f"{call.operator} {argument}")
        for call in CALLS
        for argument in ("kernel_size", "dilation")
        if call.operator in ("im2col", "max_pool2d", "avg_pool2d")
    ],
)
def test_empty_outputs_are_refused_with_all_sizes(call, argument):
    with pytest.raises(ValueError, match="larger than the padded height") as refusal:
        run(call._replace(arguments={**call.arguments, argument: (9, 1)}))
    for words in ("height 5", "kernel", "stride", "padding", "dilation", "9"):
        assert words in str(refusal.value)


def test_the_kernel_of_no_image_is_refused():
    for bad in (0, (2, 0), -1):
        with pytest.raises(ValueError, match="kernel_size must be at least 1"):
            ops.bilinear_kernel(bad)
    with pytest.raises(TypeError, match="kernel_size must be an integer"):
        ops.bilinear_kernel(2.5)
