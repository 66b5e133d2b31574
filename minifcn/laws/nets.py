"""What is true of nets of several layers.

A whole-image pass is all its patches at once, forwards and backwards. Layers compose by
the paper's rule, up to the receptive field of VGG. Shift-and-stitch, à trous and the
net on every patch are one and the same map.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .. import nn
from ..arrays import to_device, to_numpy
from ..autograd import Tensor
from ..geometry import ReceptiveField, chain_map
from ..models.trunks import LAYOUTS, ConvLayer, vgg
from .cases import Case
from .chains import (
    build,
    chains,
    is_whole,
    output_strides,
    receptive_fields,
    strided_chains,
)
from .implementation import Implementation
from .statement import add_law, equal, law

LONG = "Long et al. 2015, section "


def _on_device(ops: Implementation, case: Case) -> tuple[nn.Module, Tensor]:
    """Return the net and the image of a case, where the operators run."""
    x = to_device(case.x.astype(ops.dtype), ops.device)  # a copy: nets may overwrite it
    return build(case).to(ops.device, ops.dtype), Tensor(x)


def _patches(case: Case, x: Any) -> list[list[Any]]:
    """Cut x into the patch of every pixel, as large as an answer sees: rf × rf."""
    (KH, _), (KW, _) = receptive_fields(case.arguments["layers"])
    H, W = x.shape[2:]
    return [
        # Copies, as a net may rectify its image in place.
        [x[:, :, r : r + KH, q : q + KW].copy() for q in range(W - KW + 1)]
        for r in range(H - KH + 1)
    ]


def _answers(net: nn.Module, patches: list[list[Any]]) -> np.ndarray:
    """Run a net on each patch, and lay out its answers: (N, O, rows, columns)."""
    rows = [
        # Each answer is (N, O, 1, 1).
        np.concatenate([to_numpy(net(Tensor(patch)).data) for patch in row], axis=3)
        for row in patches
    ]
    return np.concatenate(rows, axis=2)


# ---- dense prediction


def _tolerance(ops: Implementation, case: Case) -> float | None:
    """Return 0 where all sums are exact; None for the usual tolerance."""
    # Float32 counts to 2²⁴ only; some chains go beyond.
    return 0 if is_whole(case) and ops.dtype == "float64" else None


def _dense(ops: Implementation, way: str, case: Case, stride: Any = 1) -> np.ndarray:
    """Make the case's net dense by either way, and run it."""
    net, x = _on_device(ops, case)
    if way == "a_trous":
        return to_numpy(ops.a_trous(net, stride)(x).data)
    y = to_numpy(ops.shift_and_stitch(net, x, stride).data)
    # The next run needs it, and so does the caller: no ReLU may write over it.
    equal(to_numpy(x.data), case.x, "x, afterwards,", 0)
    return y


def _on_every_patch(ops: Implementation, case: Case, way: str) -> None:
    """It is what the net would say if it were run at every pixel, to the last digit."""
    net, x = _on_device(ops, case)
    expected = _answers(net, _patches(case, x.data))
    equal(_dense(ops, way, case), expected, tolerance=_tolerance(ops, case))


def _own_answers(ops: Implementation, case: Case, way: str) -> None:
    """Being dense adds answers between the net's own, and leaves those as they are."""
    net, x = _on_device(ops, case)
    FH, FW = output_strides(case)
    y = _dense(ops, way, case)[:, :, ::FH, ::FW]  # offset (0, 0): no shift, no hole
    equal(y, to_numpy(net(x).data), "every f-th answer", _tolerance(ops, case))


def _partial(ops: Implementation, case: Case, way: str) -> None:
    """A net made half dense gives some of the dense answers, and those are the same."""
    SH, SW = case.arguments["stride"]  # divides f, and may be f itself
    y, dense = _dense(ops, way, case, (SH, SW)), _dense(ops, way, case)
    equal(y, dense[:, :, ::SH, ::SW], f"y of stride {SH}, {SW}", _tolerance(ops, case))


def _as_the_other(ops: Implementation, case: Case, way: str) -> None:
    """Moving the image and spreading the filters are two ways to one result."""
    other = "shift_and_stitch" if way == "a_trous" else "a_trous"
    one, two = _dense(ops, way, case), _dense(ops, other, case)
    equal(one, two, tolerance=_tolerance(ops, case))


# What is true of both ways: name, cases, formula and body.
DENSE: list[tuple[str, Any, str, Callable[..., None]]] = [
    (
        "its answers are those of the net on every patch",
        chains(padded=False),
        "dense[u, v] = net(x[u : u + rf, v : v + rf])",
        _on_every_patch,
    ),
    (
        "every fth answer is the net's own",
        chains(),
        "dense[f·r, f·q] = net(x)[r, q]",
        _own_answers,
    ),
    (
        "a stride leaves out answers",
        strided_chains(),
        "dense of stride s [r, q] = dense[s·r, s·q], s | f",
        _partial,
    ),
    (
        "both ways agree, borders included",
        chains(),
        "shift-and-stitch of net = (net à trous)(x)",
        _as_the_other,
    ),
]

for _way in ("shift_and_stitch", "a_trous"):
    for _name, _cases, _formula, _body in DENSE:
        _fixed = partial(_body, way=_way)
        add_law(_way, _name, _cases, _formula, LONG + "3.2", _fixed)


def _gradients(net: nn.Module) -> dict[str, np.ndarray]:
    """Return the gradients of all parameters, and forget them."""
    found = {name: to_numpy(p.grad) for name, p in net.named_parameters()}
    net.zero_grad()
    return found


def _learn(ops: Implementation, net: nn.Module, x: np.ndarray, v: np.ndarray) -> None:
    """Add the gradients of ⟨v, net(x)⟩ to those of the net's parameters."""
    image, above = (
        to_device(np.array(a, ops.dtype, order="C"), ops.device) for a in (x, v)
    )
    net(Tensor(image)).backward(above)


@law(
    "a_trous",
    chains(padded=False, learns=True),
    "∂⟨v, dense⟩/∂w = Σ over a, b < f of ∂⟨v[a::f, b::f], net(x[a:, b:])⟩/∂w",
    LONG + "3.2",
)
def it_learns_from_every_answer(ops: Implementation, case: Case) -> None:
    """To train the dense net is to train the net itself on every shifted image."""
    net, x = _on_device(ops, case)
    dense = ops.a_trous(net)
    v = case.another(dense(x).shape)  # for all answers, those in between too
    _learn(ops, dense, case.x, v)
    found = _gradients(net)
    FH, FW = output_strides(case)
    for a, b in np.ndindex(FH, FW):
        part = v[:, :, a::FH, b::FW]  # (N, O, ⌈(OH − a) / FH⌉, ⌈(OW − b) / FW⌉)
        if part.size:  # else the image is too small to be shifted as far
            _learn(ops, net, case.x[:, :, a:, b:], part)
    for name, g in _gradients(net).items():
        equal(found[name], g, f"the gradient of {name}")


@law(
    "a_trous",
    chains(learns=True),
    "∂⟨v, dense[::f, ::f]⟩/∂w = ∂⟨v, net(x)⟩/∂w",
    LONG + "3.2",
)
def it_learns_as_the_net_at_the_nets_own_answers(
    ops: Implementation, case: Case
) -> None:
    """A gradient of the dense net arrives at the net it was made of, past borders."""
    net, x = _on_device(ops, case)
    dense = ops.a_trous(net)
    v = np.zeros(dense(x).shape)
    FH, FW = output_strides(case)
    own = v[:, :, ::FH, ::FW]  # a view: the answers in between stay 0
    own[...] = case.another(own.shape)
    _learn(ops, dense, case.x, v)
    found = _gradients(net)
    _learn(ops, net, case.x, own)
    for name, g in _gradients(net).items():
        equal(found[name], g, f"the gradient of {name}")


# ---- the whole image at once


@st.composite
def whole_images(draw: Any) -> Case:
    """Draw an image larger than a patch, and a net of convolution, relu, pool, conv."""
    # Kernels of both convolutions, and the pool's stride: (height, width), unequal.
    k, s, above = (draw(st.sampled_from(((1, 2), (2, 1), (3, 2)))) for _ in range(3))
    # Channels of the image, of the maps between, of the answers.
    C, M, O = draw(st.permutations((1, 2, 3)))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    fields = [
        ReceptiveField().then(k[i]).then(k[i], s[i]).then(above[i]) for i in range(2)
    ]
    # Two or three patches along each axis.
    H, W = (f.size + draw(st.integers(1, 2)) * f.stride for f in fields)
    # So small that all sums are exact.
    inputs = {
        "x": rng.integers(-9, 10, (2, C, H, W + (H == W))) * 1.0,
        "weight0": rng.integers(-3, 4, (M, C, *k)) * 1.0,
        "weight1": rng.integers(-3, 4, (O, M, *above)) * 1.0,
    }
    return Case("net", inputs, {"kernel": k, "stride": s, "above": above}, seed)


def _forward(ops: Implementation, case: Case, x: np.ndarray) -> list[np.ndarray]:
    """conv, relu, max pool, conv: every layer's output, the image first."""
    k, s, _ = case.arguments.values()
    maps = [x, ops.conv2d(x, case.weight0)]  # (N, C, H, W), (N, M, …)
    maps.append(ops.relu(maps[-1]))
    maps.append(ops.max_pool2d(maps[-1], k, s))
    return [*maps, ops.conv2d(maps[-1], case.weight1)]


def _backward(
    ops: Implementation, case: Case, maps: list[np.ndarray], gy: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return the gradients of x, weight0 and weight1."""
    k, s, _ = case.arguments.values()
    # From the answers down; each layer is given what it was given on the way up.
    g, g1 = ops.gradients("conv2d", gy, maps[3], case.weight1)
    (g,) = ops.gradients("max_pool2d", g, maps[2], kernel_size=k, stride=s)
    (g,) = ops.gradients("relu", g, maps[1])
    gx, g0 = ops.gradients("conv2d", g, maps[0], case.weight0)
    return gx, g0, g1


def _windows(case: Case) -> tuple[Any, Any]:
    """Return the receptive field of the net of `_forward`, along both axes."""
    k, s, above = case.arguments.values()
    # ReLU sees one pixel, and adds nothing.
    rows, cols = (
        ReceptiveField().then(k[i]).then(k[i], s[i]).then(above[i]) for i in range(2)
    )
    return rows, cols


@law(
    "nets",
    whole_images(),
    "net(x)[r, q] = net(x[f·r : f·r + rf, f·q : f·q + rf])",
    LONG + "3.1",
)
def a_whole_image_pass_is_all_its_patches(ops: Implementation, case: Case) -> None:
    """One pass gives what the net gives patch by patch, with no pixel done twice."""
    rows, cols = _windows(case)
    y = _forward(ops, case, case.x)[-1]
    for r, q in np.ndindex(*y.shape[2:]):
        top, left = r * rows.stride, q * cols.stride
        patch = case.x[:, :, top : top + rows.size, left : left + cols.size]
        alone = _forward(ops, case, patch)[-1][:, :, 0, 0]  # (N, O, 1, 1) → (N, O)
        equal(y[:, :, r, q], alone, f"y of the patch at ({top}, {left})", 0)


@law(
    "nets",
    whole_images(),
    "∂Σ_rq ℓ_rq/∂θ = Σ_rq ∂ℓ_rq/∂θ of the patch alone",
    LONG + "3.1",
)
def its_gradient_is_the_sum_of_the_patches(ops: Implementation, case: Case) -> None:
    """So training on whole images is training on a batch of all their patches."""
    rows, cols = _windows(case)
    maps = _forward(ops, case, case.x)
    v = case.another(maps[-1])  # ∂ℓ_rq/∂answer, another for every patch
    gx, g0, g1 = _backward(ops, case, maps, v)
    sums = [np.zeros_like(gx), np.zeros_like(g0), np.zeros_like(g1)]
    for r, q in np.ndindex(*v.shape[2:]):
        here = (
            slice(None),
            slice(None),
            slice(r * rows.stride, r * rows.stride + rows.size),
            slice(q * cols.stride, q * cols.stride + cols.size),
        )
        alone = _forward(ops, case, case.x[here])
        parts = _backward(ops, case, alone, v[:, :, r : r + 1, q : q + 1])
        # Patches overlap: a pixel gets what each of them sends it.
        sums[0][here] += parts[0]
        sums[1] += parts[1]
        sums[2] += parts[2]
    for name, whole, total in zip(
        ("x", "weight0", "weight1"), (gx, g0, g1), sums, strict=True
    ):
        equal(whole, total, f"the gradient of {name}")


# ---- receptive fields of real nets


# {layer: (receptive field, stride)}
TABLE_1 = {"pool3": (44, 8), "pool4": (100, 16), "fc7": (404, 32)}  # of VGG-16


@st.composite
def trunks(draw: Any) -> Case:
    """Draw one of the VGG trunks, up to one of its pools or to its end."""
    layout = draw(st.sampled_from(sorted(LAYOUTS)))
    end = draw(st.sampled_from(("pool3", "pool4", "fc7")))
    return Case("net", {}, {"trunk": layout, "end": end})


@law(
    "nets",
    trunks(),
    "VGG-16 up to pool3, pool4, fc7 sees 44, 100, 404 pixels, 8, 16, 32 apart",
    LONG + "4.1, table 1",
)
def a_trunk_sees_what_the_rule_says(ops: Implementation, case: Case) -> None:
    """Impulses at the edges of a receptive field: inside it answers, outside not."""
    names = [layer.name for layer in vgg(case.arguments["trunk"], geometry="same")]
    table = vgg(case.arguments["trunk"], geometry="same")
    table = table[: names.index(case.arguments["end"]) + 1]
    geometry = [layer.geometry for layer in table]
    field, whole_way = ops.chain_receptive_field(geometry), chain_map(geometry)
    if case.arguments["trunk"] == "vgg16":
        equal(field, TABLE_1[case.arguments["end"]], "receptive field and stride")
    unit = -(-field.size // (2 * field.stride)) + 1  # far enough from the border
    # The unit's field is centred on the pixel that its coordinate comes from.
    first = int(whole_way.inverse()(unit) - (field.size - 1) / 2)
    last, across = first + field.size - 1, first + field.size // 2
    # (4, 1, H, W): one impulse an image, on a line through the unit's centre.
    x = np.zeros((4, 1, across + field.size // 2 + 1, last + 2))
    for image, column in enumerate((first - 1, first, last, last + 1)):
        x[image, 0, across, column] = 1
    # Down a column and along a row: (4, 1, h, w) → (4, h, w), where impulses arrive.
    seen = [_trunk(ops, table, a)[:, 0] > 0 for a in (x, x.swapaxes(2, 3))]
    along = [seen[0][:, unit, unit], seen[1][:, unit, unit]]
    equal(np.array(along), np.array([[False, True, True, False]] * 2), "answers", 0)


def _trunk(ops: Implementation, table: Any, x: np.ndarray) -> np.ndarray:
    """Run a trunk of kernels of ones; an impulse stays positive, nothing else is."""
    for layer in table:
        shape = layer.geometry
        if isinstance(layer, ConvLayer):
            k = shape.kernel
            x = ops.conv2d(x, np.ones((1, 1, k, k)), padding=shape.padding)
            x = np.minimum(x, 1)  # however many paths lead here
        else:
            x = ops.max_pool2d(x, shape.kernel, shape.stride, ceil_mode=shape.ceil)
    return x
