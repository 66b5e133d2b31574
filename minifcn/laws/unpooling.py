"""What is true of max unpooling: the way back that max pooling's indices show.

It is told by the pooling that it undoes: where no two windows share a pixel, it is the
adjoint of picking the maxima, and so max pooling's own backward pass.
"""

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from . import cases as drawn
from .cases import Case, distinct, tied, unequal, whole_numbers
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .pooling import frame, with_arguments, with_image
from .sources import ZEILER
from .statement import equal, inner, law


def tilings(values: Any = distinct) -> SearchStrategy[Case]:
    """Draw poolings whose windows do not overlap, and are not dilated."""

    def apart(case: Case) -> Case:
        a = case.arguments
        pairs = zip(a["stride"], a["kernel_size"], strict=True)
        # a stride of a kernel or more
        return with_arguments(case, stride=tuple(max(pair) for pair in pairs))

    cases = drawn.poolings(values=values, dilation=(1, 1))
    return cases.map(apart).filter(_fits)


def _fits(case: Case) -> bool:
    """Whether the padding is within half of the window, which is not dilated now."""
    return all(
        2 * max(sides) <= k
        for k, sides in zip(
            case.arguments["kernel_size"], case.arguments["padding"], strict=True
        )
    )


def undoing(case: Case) -> dict[str, Any]:
    """Return the arguments of the max_unpool2d that undoes a pooling."""
    kept = {name: case.arguments[name] for name in ("kernel_size", "stride", "padding")}
    return kept | {"output_size": case.x.shape[2:]}


@st.composite
def unpoolings(draw: DrawFn) -> Case:
    """Draw values and a pixel for each: one of its own, or one of a few, or none."""
    maxima, kernel, stride = (draw(unequal(1, most)) for most in (4, 3, 3))
    padding = [
        (draw(st.integers(0, k // 2)), draw(st.integers(0, k // 2))) for k in kernel
    ]
    usual = usual_size(maxima, kernel, stride, padding)
    # the sizes that a pool takes to the same number of windows
    more = [draw(st.integers(1 - s, s - 1)) for s in stride]
    size = [n + m for n, m in zip(usual, more, strict=True)]
    assume(min(*usual, *size) > 0)  # the padding may take all
    # x and indices are (N, C, *maxima)
    N, C, seed = draw(drawn.batches()), draw(st.integers(1, 3)), draw(drawn.seeds())
    rng, shape = np.random.default_rng(seed), (N, C, *maxima)
    inputs = {
        "x": whole_numbers(rng, shape),
        "indices": pixels_for(rng, shape, size[0] * size[1]),
    }
    arguments = {"kernel_size": kernel, "stride": stride, "padding": tuple(padding)}
    arguments["output_size"] = (size[0], size[1])
    return Case("max_unpool2d", inputs, arguments, seed)


def usual_size(maxima: Any, kernel: Any, stride: Any, padding: Any) -> list[int]:
    """Return (OH − 1)·SH − top − bottom + KH, and the same of the width."""
    sides = zip(maxima, kernel, stride, padding, strict=True)
    return [(n - 1) * s - sum(p) + k for n, k, s, p in sides]


def pixels_for(
    rng: np.random.Generator, shape: tuple[int, ...], pixels: int
) -> np.ndarray:
    """Draw a pixel for each value, of so many; −1 is none."""
    values = shape[2] * shape[3]
    if values <= pixels and rng.random() < 0.5:  # each its own
        planes = [rng.permutation(pixels)[:values] for _ in range(shape[0] * shape[1])]
        return np.array(planes).reshape(shape)
    few = np.append(rng.integers(0, pixels, 3), -1)  # many values for one pixel
    return rng.choice(few, shape)


judge(
    Operator(
        "max_unpool2d",
        unpoolings(),
        ("x",),
        ("x", "indices"),
        source=ZEILER,
    )
)


def pooled_with_indices(
    ops: Implementation, case: Case
) -> tuple[np.ndarray, np.ndarray]:
    """Pool the case's image; return the maxima and their pixels."""
    y, indices = ops.max_pool2d(case.x, **case.arguments, return_indices=True)
    return y, indices


@law(
    "max_unpool2d",
    tilings(lambda rng, shape: -distinct(rng, shape)),  # above 0: the zeros around lose
    "pool(unpool(pool x)) = pool x for x > 0, windows apart",
    ZEILER,
)
def pooling_undoes_it(ops: Implementation, case: Case) -> None:
    """The maxima stand where they stood, and zeros around them lose."""
    y, indices = pooled_with_indices(ops, case)
    image = ops.max_unpool2d(y, indices, **undoing(case))  # (N, C, H, W)
    again, found = pooled_with_indices(ops, with_image(case, image))
    equal(again, y, "pool(unpool(pool x))", tolerance=0)
    equal(found, indices, "the indices of the image put back", tolerance=0)
    equal(image, np.where(image > 0, case.x, 0), "the image put back", tolerance=0)


@law(
    "max_unpool2d",
    tilings(values=tied),
    "⟨x[indices], v⟩ = ⟨x, unpool(v, indices)⟩, windows apart",
    ZEILER,
)
def it_is_the_adjoint_of_picking_the_maxima(ops: Implementation, case: Case) -> None:
    """And of that picking, its own backward pass is the forward."""
    y, indices = pooled_with_indices(ops, case)
    v = case.another(y)
    image = ops.max_unpool2d(v, indices, **undoing(case))
    equal(inner(case.x, image), inner(y, v), "⟨x, unpool v⟩")
    gy = case.another(image, 1)
    (gx,) = ops.gradients("max_unpool2d", gy, v, indices, **undoing(case))
    flat = gy.reshape(*gy.shape[:2], -1)  # (N, C, H·W)
    picked = np.take_along_axis(flat, indices.reshape(*flat.shape[:2], -1), axis=-1)
    equal(gx, picked.reshape(gx.shape), "gy[indices]", tolerance=0)


@law(
    "max_unpool2d",
    tilings(values=tied),
    "unpool(v, indices) = the gradient of pool for v, windows apart",
)
def it_is_the_backward_pass_of_max_pooling(ops: Implementation, case: Case) -> None:
    """Where no two windows share a pixel: else the one adds, and the other chooses."""
    y, indices = pooled_with_indices(ops, case)
    v = case.another(y)
    image = ops.max_unpool2d(v, indices, **undoing(case))
    # The pool's indices and its backward pass name the same pixels.
    (gx,) = ops.gradients("max_pool2d", v, case.x, **case.arguments)
    equal(image, gx, "unpool(v, indices)", tolerance=0)


@law(
    "max_unpool2d",
    unpoolings(),
    "y[indices[r, q]] = x[r, q], the last if several, else 0",
)
def each_value_is_where_its_index_says(ops: Implementation, case: Case) -> None:
    """Of several for one pixel the last stays, and it alone gets the gradient."""
    y = call(ops, case)
    planes = case.x.shape[0] * case.x.shape[1]  # a plane for each image and channel
    values, indices = case.x.reshape(planes, -1), case.indices.reshape(planes, -1)
    gy = case.another(y)
    (gx,) = pull_back(ops, case, gy).values()
    expected, gradient = np.zeros((planes, y[0, 0].size)), np.zeros_like(values)
    for plane in range(planes):
        # later values take an earlier one's place
        last = {at: i for i, at in enumerate(indices[plane].tolist()) if at >= 0}
        pixels, kept = list(last), list(last.values())
        expected[plane, pixels] = values[plane, kept]
        gradient[plane, kept] = gy.reshape(planes, -1)[plane, pixels]
    equal(y.reshape(planes, -1), expected, "y by planes", tolerance=0)
    equal(gx.reshape(planes, -1), gradient, "gx by planes", tolerance=0)


@law(
    "max_unpool2d",
    unpoolings(),
    "(h − 1)·SH − top − bottom + KH rows of h; by output_size up to SH − 1 more",
)
def a_larger_output_only_has_more_zeros(ops: Implementation, case: Case) -> None:
    """The rows that a stride passed over; a pixel's number changes with the width."""
    a, x = dict(case.arguments), case.x
    del a["output_size"]
    H, W = usual_size(x.shape[2:], *a.values())
    nowhere = np.full(x.shape, -1)  # so that only the size is seen
    zeros = np.zeros((*x.shape[:2], H, W))
    equal(ops.max_unpool2d(x, nowhere, **a), zeros, "the size if none is given")
    rng = np.random.default_rng(case.seed)
    rows, cols = (rng.integers(0, n, x.shape) for n in (H, W))
    y = ops.max_unpool2d(x, rows * W + cols, **a)  # the number of pixel (row, column)
    # one more would be one window more
    larger = H + a["stride"][0] - 1, W + a["stride"][1] - 1
    wider = frame(y, ((0, larger[0] - H), (0, larger[1] - W)), 0)
    for given in (larger, (*x.shape[:2], *larger)):
        came = ops.max_unpool2d(x, rows * larger[1] + cols, **a, output_size=given)
        equal(came, wider, f"y of output_size {given}", tolerance=0)


@law("max_unpool2d", tilings(), "unpool(x, i, k) = unpool(x, i, k, stride = k)")
def without_a_stride_the_windows_are_tiles(ops: Implementation, case: Case) -> None:
    """As the pool that it undoes: side by side, without padding."""
    kernel = case.arguments["kernel_size"]
    size = 2 * kernel[0], 3 * kernel[1]
    x = np.resize(case.x, (*case.x.shape[:2], *size))  # 2 × 3 tiles, none of them 0
    y, indices = ops.max_pool2d(x, kernel, return_indices=True)
    image = ops.max_unpool2d(y, indices, kernel)
    equal(image.shape, x.shape, "size")
    equal(image, np.where(image != 0, x, 0), "the image put back", tolerance=0)
    equal((image != 0).sum(axis=(2, 3)), np.full(x.shape[:2], 6), "maxima put back")
