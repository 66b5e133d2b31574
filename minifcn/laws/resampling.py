"""What is true of moving, spreading and enlarging pixels.

Cutting, framing and interleaving change no value, so they are held to the last digit.
Bilinear enlargement is a transposed convolution: constants and ramps go through it
unchanged, but for the border, beyond which it sees zeros.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..geometry import pads, pair, span
from ..ops import definitions
from .cases import Case, batches, images, seeds, unequal, whole_numbers
from .general import Operator, call, judge, pull_back
from .implementation import Implementation
from .sources import LONG
from .statement import Difference, equal, inner, law

CAFFE = "Caffe, crop_layer.cpp"
SHI = "Shi et al. 2016, section 3.2"
FILLER = "Caffe FCN, surgery.py"

# ---- cases

side = st.integers(0, 3)
four_sides = st.tuples(st.tuples(side, side), st.tuples(side, side))
# also (height, width), and one number
paddings = four_sides | four_sides | unequal(0, 3) | st.integers(0, 3)
factors = unequal(1, 3) | unequal(1, 3) | st.integers(1, 3)  # (FH, FW), or one for both


def frames(**fixed: Any) -> st.SearchStrategy[Case]:
    """Draw a pad of x (N, C, H, W)."""
    value = st.integers(-9, 9).map(float)
    return images("pad", **{"padding": paddings, "value": value, **fixed})


@st.composite
def cuts(draw: st.DrawFn) -> Case:
    """Draw a crop that lies within x (N, C, H, W)."""
    (height, width), (top, left) = draw(unequal(1, 5)), draw(unequal(0, 4))
    N, C, seed, (below, right) = draw(
        st.tuples(batches(), side, seeds(), unequal(0, 3))
    )
    x = whole_numbers(
        np.random.default_rng(seed),
        (N, C + 1, top + height + below, left + width + right),  # two channels at least
    )
    arguments = {"offset": (top, left), "size": (height, width)}
    return Case("crop", {"x": x}, arguments, seed)


@st.composite
def stitchings(draw: st.DrawFn, operator: str = "interleave") -> Case:
    """Draw an interleave of x (N, C·FH·FW, H, W), or its inverse of (N, C, H, W)."""
    factor, N, C, seed = draw(st.tuples(factors, batches(), st.integers(1, 3), seeds()))
    # of one channel, coarse
    (FH, FW), (H, W) = pair(factor, "factor"), draw(unequal(1, 4))
    shape = (
        (N, C * FH * FW, H, W) if operator == "interleave" else (N, C, H * FH, W * FW)
    )
    x = whole_numbers(np.random.default_rng(seed), shape)
    return Case(operator, {"x": x}, {"factor": factor}, seed)


@st.composite
def kernels(draw: st.DrawFn) -> Case:
    """Draw a rarefy of weight (O, C, KH, KW)."""
    (O, C), size = draw(unequal(2, 4)), draw(unequal(1, 4))  # (KH, KW)
    factor, seed = draw(factors), draw(seeds())
    weight = whole_numbers(np.random.default_rng(seed), (O, C, *size))
    return Case("rarefy", {"weight": weight}, {"factor": factor}, seed)


@st.composite
def enlargements(draw: st.DrawFn) -> Case:
    """Draw an upsample of x (N, C, H, W)."""
    larger = unequal(1, 4) | unequal(1, 4) | st.integers(1, 4)
    factor, N, C, seed = draw(st.tuples(larger, batches(), st.integers(1, 3), seeds()))
    x = whole_numbers(np.random.default_rng(seed), (N, C, *draw(unequal(1, 4))))
    return Case("upsample", {"x": x}, {"factor": factor}, seed)


@st.composite
def triangles(draw: st.DrawFn) -> Case:
    """Draw the size of a bilinear kernel."""
    largest = draw(st.sampled_from((6, 6, 64)))  # 64: FCN-32s
    size = draw(unequal(1, largest) | unequal(1, largest) | st.integers(1, largest))
    return Case("bilinear_kernel", {}, {"kernel_size": size})


judge(Operator("crop", cuts(), ("x",), source=CAFFE))
judge(Operator("pad", frames(), ("x",)))
judge(Operator("interleave", stitchings(), ("x",), source=SHI))
judge(Operator("deinterleave", stitchings("deinterleave"), ("x",), source=SHI))
judge(Operator("rarefy", kernels(), ("weight",), ("weight",), source=LONG + "3.2"))
judge(Operator("upsample", enlargements(), ("x",), source=LONG + "3.3"))


def any_axes_may_stand_before(ops: Implementation, case: Case) -> None:
    """One channel of one image is an image too, and all of them as one more axis."""
    ((name, x),), y = case.inputs.items(), call(ops, case)
    v = case.another(y)
    g = pull_back(ops, case, v)[name]
    for index in ((0, 0), (-1, -1), (None,)):  # 2 axes, and 5
        equal(call(ops, case, **{name: x[index]}), y[index], tolerance=0)
        found = pull_back(ops, case, v[index], **{name: x[index]})[name]
        equal(found, g[index], f"the gradient of {name}", tolerance=0)


for _name, _cases in (("crop", cuts()), ("pad", frames()), ("rarefy", kernels())):
    law(_name, _cases, f"{_name}(x)[n, c] = {_name}(x[n, c])")(
        any_axes_may_stand_before
    )


# ---- crop


def _rectangle(case: Case) -> tuple[Any, ...]:
    (top, left), (height, width) = case.arguments["offset"], case.arguments["size"]
    return ..., slice(top, top + height), slice(left, left + width)


@law("crop", cuts(), "⟨crop x, v⟩ = ⟨x, pad v⟩")
def its_adjoint_is_pad(ops: Implementation, case: Case) -> None:
    """What a crop leaves out gets no gradient: it is framed with zeros."""
    y = call(ops, case)
    v = case.another(y)
    (top, left), (height, width) = case.arguments["offset"], case.arguments["size"]
    H, W = case.x.shape[2:]
    # (N, C, H, W)
    back = ops.pad(v, ((top, H - top - height), (left, W - left - width)))
    equal(inner(case.x, back), inner(y, v), "⟨x, pad v⟩")
    equal(pull_back(ops, case, v)["x"], back, "the gradient of x", tolerance=0)


@law("crop", cuts(), "crop(x)[r, q] = x[top + r, left + q]", CAFFE)
def it_starts_at_the_offset(ops: Implementation, case: Case) -> None:
    """From the top-left corner, and not in the centre; its gradient goes back there."""
    y, place = call(ops, case), _rectangle(case)  # (N, C, height, width)
    equal(y, case.x[place], tolerance=0)
    v, expected = case.another(y), np.zeros_like(case.x)
    expected[place] = v
    equal(pull_back(ops, case, v)["x"], expected, "the gradient of x", tolerance=0)


@law("crop", cuts(), "the first pixel of crop(x, o, size) is x[o], whatever the size")
def its_size_moves_nothing(ops: Implementation, case: Case) -> None:
    """A central crop would begin elsewhere for every size."""
    (top, left), (height, width) = case.arguments["offset"], case.arguments["size"]
    whole = call(ops, case)
    for h in range(1, height + 1):
        part = ops.crop(case.x, (top, left), (h, width))
        equal(part, whole[:, :, :h], f"a crop of height {h}", tolerance=0)
    for w in range(1, width + 1):
        part = ops.crop(case.x, (top, left), (height, w))
        equal(part, whole[:, :, :, :w], f"a crop of width {w}", tolerance=0)


@law("crop", cuts(), "crop_o(crop_p(x)) = crop_{p+o}(x)")
def two_crops_make_one(ops: Implementation, case: Case) -> None:
    """Offsets add up; a crop of everything changes nothing."""
    (top, left), size = case.arguments["offset"], case.arguments["size"]
    H, W = case.x.shape[2:]
    equal(ops.crop(case.x, 0, (H, W)), case.x, "a crop of everything", tolerance=0)
    once = ops.crop(case.x, (top, 0), (H - top, W))  # rows first, then columns
    twice = ops.crop(once, (0, left), size)
    equal(twice, call(ops, case), "crop(crop x)", tolerance=0)


# ---- pad


@law("pad", frames(value=0.0), "⟨pad x, v⟩ = ⟨x, crop v⟩")
def its_adjoint_is_crop(ops: Implementation, case: Case) -> None:
    """What lies on the frame leads to no pixel of x."""
    y = call(ops, case)
    v = case.another(y)
    back = ops.crop(v, _corner(case), case.x.shape[2:])
    equal(inner(case.x, back), inner(y, v), "⟨x, crop v⟩")
    equal(pull_back(ops, case, v)["x"], back, "the gradient of x", tolerance=0)


def _corner(case: Case) -> tuple[int, int]:
    (top, _), (left, _) = pads(case.arguments["padding"])
    return top, left


@law("pad", frames(), "crop(pad(x, p), p, size of x) = x")
def crop_undoes_it(ops: Implementation, case: Case) -> None:
    """The picture lies behind the upper and the left part of the frame."""
    back = ops.crop(call(ops, case), _corner(case), case.x.shape[2:])
    equal(back, case.x, "crop(pad x)", tolerance=0)


@law("pad", frames(more=four_sides), "pad(pad(x, p), q) = pad(x, p + q), of one value")
def two_frames_make_one(ops: Implementation, case: Case) -> None:
    """Side by side, each width by itself."""
    a = case.arguments
    both = np.add(pads(a["padding"]), pads(a["more"]))  # top, bottom; left, right
    once = ops.pad(case.x, a["padding"], a["value"])
    twice = ops.pad(once, a["more"], a["value"])
    sides = tuple((int(first), int(last)) for first, last in both)
    equal(twice, ops.pad(case.x, sides, a["value"]), "pad(pad x)", tolerance=0)


@law(
    "pad",
    frames(value=st.sampled_from((-np.inf, np.inf, -1.5, 0.25))),
    "pad(x, p, value) = value outside of x; g(v) = crop v",
)
def the_frame_holds_the_value(ops: Implementation, case: Case) -> None:
    """Also −∞, which a maximum never picks; no value of the frame gets into gx."""
    y = call(ops, case)
    (top, bottom), (left, right) = pads(case.arguments["padding"])
    expected = np.pad(
        case.x,
        ((0, 0), (0, 0), (top, bottom), (left, right)),
        constant_values=case.arguments["value"],
    )
    equal(y, expected, tolerance=0)
    H, W = case.x.shape[2:]
    v = case.another(y)
    inside = v[:, :, top : top + H, left : left + W]  # (N, C, H, W)
    equal(pull_back(ops, case, v)["x"], inside, "the gradient of x", tolerance=0)


@law("pad", frames(), "pad(x, p) = pad(x, p, 0)")
def it_is_zero_where_no_value_is_given(ops: Implementation, case: Case) -> None:
    """Zero is what a convolution sees beyond the border."""
    padding = case.arguments["padding"]
    equal(ops.pad(case.x, padding), ops.pad(case.x, padding, 0.0), tolerance=0)
    total = case.x.sum(axis=(2, 3))  # (N, C)
    equal(ops.pad(case.x, padding).sum(axis=(2, 3)), total, "Σ y", tolerance=0)


# ---- interleave and deinterleave


def _sizes(case: Case) -> tuple[int, int]:
    return pair(case.arguments["factor"], "factor")


@law("interleave", stitchings(), "deinterleave(interleave x) = x", LONG + "3.2")
def deinterleave_undoes_it(ops: Implementation, case: Case) -> None:
    """No pixel is lost, none is doubled."""
    back = ops.deinterleave(call(ops, case), **case.arguments)
    equal(back, case.x, "deinterleave(interleave x)", tolerance=0)


@law(
    "deinterleave",
    stitchings("deinterleave"),
    "interleave(deinterleave x) = x",
    LONG + "3.2",
)
def interleave_undoes_it(ops: Implementation, case: Case) -> None:
    """Sorted by phase and stitched together, a map is what it was."""
    back = ops.interleave(call(ops, case), **case.arguments)
    equal(back, case.x, "interleave(deinterleave x)", tolerance=0)


@law("interleave", stitchings(), "⟨interleave x, v⟩ = ⟨x, deinterleave v⟩")
def its_adjoint_is_deinterleave(ops: Implementation, case: Case) -> None:
    """A permutation's transpose is its inverse."""
    _adjoint(ops, case, ops.deinterleave)


@law(
    "deinterleave",
    stitchings("deinterleave"),
    "⟨deinterleave x, v⟩ = ⟨x, interleave v⟩",
)
def its_adjoint_is_interleave(ops: Implementation, case: Case) -> None:
    """A permutation's transpose is its inverse."""
    _adjoint(ops, case, ops.interleave)


def _adjoint(ops: Implementation, case: Case, other: Any) -> None:
    y = call(ops, case)
    v = case.another(y)
    back = other(v, **case.arguments)
    equal(inner(case.x, back), inner(y, v), "⟨x, g(v)⟩")
    equal(pull_back(ops, case, v)["x"], back, "the gradient of x", tolerance=0)


@law("interleave", stitchings(), "y[n, c, a::FH, b::FW] = x[n, (c·FH + a)·FW + b]", SHI)
def each_channel_is_a_phase_of_the_result(ops: Implementation, case: Case) -> None:
    """Rows first: a counts rows and b columns, and b runs fastest."""
    y, (FH, FW) = call(ops, case), _sizes(case)
    for channel in range(case.x.shape[1]):
        (c, phase) = divmod(channel, FH * FW)  # channel = (c·FH + a)·FW + b
        a, b = divmod(phase, FW)
        what = f"y[:, {c}, {a}::{FH}, {b}::{FW}]"
        equal(y[:, c, a::FH, b::FW], case.x[:, channel], what, tolerance=0)


@law(
    "deinterleave",
    stitchings("deinterleave"),
    "y[n, (c·FH + a)·FW + b] = x[n, c, a::FH, b::FW]",
    SHI,
)
def each_phase_is_a_strided_slice(ops: Implementation, case: Case) -> None:
    """Every FH-th row from a on, every FW-th column from b on."""
    (FH, FW), C = _sizes(case), case.x.shape[1]
    phases = [
        case.x[:, c, a::FH, b::FW] for c, a, b in np.ndindex(C, FH, FW)
    ]  # of (N, H / FH, W / FW)
    equal(call(ops, case), np.stack(phases, axis=1), tolerance=0)


@st.composite
def stitchings_twice(draw: st.DrawFn) -> Case:
    """Draw an interleave by one factor, then by another."""
    first, then = draw(st.tuples(unequal(1, 3), unequal(1, 3)))
    N, C, seed = draw(st.tuples(batches(), st.integers(1, 2), seeds()))
    channels = C * int(np.prod([first, then]))
    shape = (N, channels, *draw(unequal(1, 3)))  # so small that both factors fit
    x = whole_numbers(np.random.default_rng(seed), shape)
    return Case("interleave", {"x": x}, {"first": first, "then": then}, seed)


def _phases_regrouped(case: Case) -> np.ndarray:
    """Let the channels count the phases of both factors as those of their product."""
    (GH, GW), (FH, FW) = case.arguments["first"], case.arguments["then"]
    N, channels, H, W = case.x.shape
    # Row r·GH·FH + a′·FH + a: the second factor's phase a runs fastest.
    by_phase = case.x.reshape(N, -1, FH, FW, GH, GW, H, W)
    # (N, C, GH, FH, GW, FW, H, W)
    return by_phase.transpose(0, 1, 4, 2, 5, 3, 6, 7).reshape(N, channels, H, W)


def _product(case: Case) -> tuple[int, int]:
    (GH, GW), (FH, FW) = case.arguments["first"], case.arguments["then"]
    return GH * FH, GW * FW


@law(
    "interleave",
    stitchings_twice(),
    "interleave_f ∘ interleave_g = interleave_{f·g}, but for the order of phases",
)
def two_stitchings_make_one(ops: Implementation, case: Case) -> None:
    """With the phases of the product in their order."""
    once = ops.interleave(case.x, case.arguments["first"])
    twice = ops.interleave(once, case.arguments["then"])
    y = ops.interleave(_phases_regrouped(case), _product(case))
    equal(twice, y, "interleave(interleave x)", tolerance=0)


@law(
    "deinterleave",
    stitchings_twice(),
    "deinterleave_g ∘ deinterleave_f = deinterleave_{f·g}, but for their order",
)
def two_sortings_make_one(ops: Implementation, case: Case) -> None:
    """As a stride f and then a stride g is a stride f·g."""
    y = _phases_regrouped(case)
    H, W = (n * m for n, m in zip(y.shape[2:], _product(case), strict=True))
    x = case.another((len(y), 2, H, W))
    once = ops.deinterleave(x, case.arguments["then"])
    twice = ops.deinterleave(once, case.arguments["first"])
    # Sorted twice, the channels are in the order of the two factors.
    twice = _phases_regrouped(Case("", {"x": twice}, case.arguments))
    expected = ops.deinterleave(x, _product(case))
    equal(twice, expected, "deinterleave(deinterleave x)", tolerance=0)


@st.composite
def strided_convolutions(draw: st.DrawFn) -> Case:
    """Draw a convolution whose dense output holds f × f shifted strided ones."""
    (FH, FW), (KH, KW) = draw(st.tuples(unequal(1, 3), unequal(1, 4)))
    (C, O), (OH, OW) = draw(unequal(1, 3)), draw(unequal(1, 3))
    N, seed = draw(batches()), draw(seeds())
    rng = np.random.default_rng(seed)
    inputs = {
        # OH·FH × OW·FW dense outputs
        "x": whole_numbers(rng, (N, C, OH * FH + KH - 1, OW * FW + KW - 1)),
        "weight": whole_numbers(rng, (O, C, KH, KW)),
    }
    return Case("conv2d", inputs, {"stride": (FH, FW)}, seed)


@law(
    "interleave",
    strided_convolutions(),
    "interleave of conv_{stride f}(x shifted by a, b) = conv_{stride 1}(x)",
    LONG + "3.2",
)
def shift_and_stitch_is_dense(ops: Implementation, case: Case) -> None:
    """The f × f coarse outputs are all the outputs of the layer without its stride."""
    dense = ops.conv2d(case.x, case.weight)  # (N, O, OH·FH, OW·FW)
    (FH, FW), (N, O, H, W) = case.arguments["stride"], dense.shape
    coarse = [
        # (N, O, OH, OW)
        call(ops, case, x=case.x[:, :, a:, b:])[:, :, : H // FH, : W // FW]
        for a, b in np.ndindex(FH, FW)
    ]
    # (N, O, FH·FW, OH, OW): the phases beside their channel.
    phases = np.stack(coarse, axis=2).reshape(N, O * FH * FW, H // FH, W // FW)
    equal(ops.interleave(phases, (FH, FW)), dense, "the stitched output")


# ---- rarefy


@law("rarefy", kernels(), "rarefy(w)[i·FH, j·FW] = w[i, j], else 0", LONG + "3.2")
def its_taps_are_those_of_the_kernel(ops: Implementation, case: Case) -> None:
    """Picked every FH-th row and FW-th column, with nothing but zeros between."""
    y, (FH, FW) = call(ops, case), _sizes(case)
    KH, KW = case.weight.shape[2:]
    equal(y.shape[2:], (span(KH, FH), span(KW, FW)), "size")
    equal(y[:, :, ::FH, ::FW], case.weight, "y[::FH, ::FW]", tolerance=0)
    # so all other taps are 0
    equal(np.abs(y).sum(), np.abs(case.weight).sum(), "Σ |y|", tolerance=0)


@law("rarefy", kernels(), "g(v) = v[::FH, ::FW]")
def its_adjoint_picks_the_taps(ops: Implementation, case: Case) -> None:
    """The gradient at the zeros goes nowhere: they are no weights."""
    y, (FH, FW) = call(ops, case), _sizes(case)
    v = case.another(y)
    g = pull_back(ops, case, v)["weight"]  # (O, C, KH, KW)
    equal(g, v[:, :, ::FH, ::FW], "the gradient of weight", tolerance=0)
    equal(inner(case.weight, g), inner(y, v), "⟨weight, v[::FH, ::FW]⟩")


@law("rarefy", kernels(), "rarefy_g(rarefy_f w) = rarefy_{f·g} w", LONG + "3.2")
def its_factors_multiply(ops: Implementation, case: Case) -> None:
    """So one stride after the other can be taken out of a net."""
    FH, FW = _sizes(case)
    twice = ops.rarefy(call(ops, case), (3, 2))
    # (O, C, 3·FH·(KH − 1) + 1, 2·FW·(KW − 1) + 1)
    y = ops.rarefy(case.weight, (3 * FH, 2 * FW))
    equal(twice, y, "rarefy(rarefy w)", tolerance=0)


# ---- the bilinear kernel


@law(
    "bilinear_kernel",
    triangles(),
    "w[i, j] = t(i, KH)·t(j, KW), t(i, k) = 1 − |i − (k − 1)/2| / f, f = ⌈k/2⌉",
    FILLER,
)
def equals_its_definition(ops: Implementation, case: Case) -> None:
    """The product of two triangles."""
    equal(call(ops, case), definitions.bilinear_kernel(**case.arguments))


@law("bilinear_kernel", triangles(), "w[i, j] = w[KH − 1 − i, KW − 1 − j]")
def it_is_symmetric(ops: Implementation, case: Case) -> None:
    """Flipped, it is itself; of exchanged sizes, it is transposed."""
    w = call(ops, case)
    equal(w, w[::-1], "w upside down")
    equal(w, w[:, ::-1], "w from right to left")
    KH, KW = pair(case.arguments["kernel_size"], "kernel_size")
    equal(w, ops.bilinear_kernel((KW, KH)).T, "the kernel of (KW, KH), transposed")


@law("bilinear_kernel", triangles(), "w[i, j] · Σ w = (Σ of row i)·(Σ of column j)")
def it_is_separable(ops: Implementation, case: Case) -> None:
    """Rows do not know of columns: a product, and no cone."""
    w = call(ops, case)
    # rows (KH,) times columns (KW,)
    equal(w * w.sum(), np.outer(w.sum(axis=1), w.sum(axis=0)), "w · Σ w")


def _enlargement(case: Case) -> tuple[int, int]:
    """Return f = ⌈k / 2⌉, for height and width."""
    KH, KW = pair(case.arguments["kernel_size"], "kernel_size")
    return -(-KH // 2), -(-KW // 2)


@law("bilinear_kernel", triangles(), "Σ w = FH·FW, F = ⌈k/2⌉ along each axis")
def it_sums_to_the_factor_squared(ops: Implementation, case: Case) -> None:
    """So the brightness is kept, as it is spread over FH·FW times as many pixels."""
    FH, FW = _enlargement(case)
    equal(call(ops, case).sum(), FH * FW, "Σ w")


@law(
    "bilinear_kernel",
    triangles(),
    "0 < w ≤ 1, and each axis rises in steps of 1 / f, f = ⌈k/2⌉",
)
def it_is_a_triangle(ops: Implementation, case: Case) -> None:
    """Along each axis it rises evenly to the middle, and falls as evenly."""
    w = call(ops, case)
    if not ((w > 0) & (w <= 1)).all():
        raise Difference(f"w is {w.min()} … {w.max()}, expected 0 < w ≤ 1")
    # rows are what is left once columns are summed, and the reverse
    for axis, f in zip((1, 0), _enlargement(case), strict=True):
        taps = f * w.sum(axis) / w.sum()  # the sum of a triangle is f
        up = [1 / f] * (f - 1)  # the steps up to the middle
        # An even one begins half a step up, and has two taps at its top.
        top = [1 / f] if len(taps) % 2 else [1 / f, 0]
        steps = np.array([*up, *top, *np.negative(up)])
        steps[0] /= 1 if len(taps) % 2 else 2  # half a step up
        equal(np.diff(taps, prepend=0), steps, "the steps of w")


@law(
    "bilinear_kernel",
    triangles(),
    "Σ over i ≡ a (mod FH), j ≡ b (mod FW) of w[i, j] = 1",
)
def its_phases_sum_to_one(ops: Implementation, case: Case) -> None:
    """A partition of unity: every pixel of the enlarged image is a mean of old ones."""
    w, (FH, FW) = call(ops, case), _enlargement(case)
    sums = np.array(
        [[w[a::FH, b::FW].sum() for b in range(FW)] for a in range(FH)]
    )  # (FH, FW)
    equal(sums, np.ones((FH, FW)), "the sums of the phases")


@law("bilinear_kernel", triangles(), "w as float32 = w as float64, within a rounding")
def its_type_is_the_one_asked_for(ops: Implementation, case: Case) -> None:
    """It is float64 where none is asked for."""
    w = call(ops, case)
    short = ops.bilinear_kernel(**case.arguments, dtype=np.float32)
    if (w.dtype, short.dtype) != (np.float64, np.float32):
        raise Difference(f"the types are {w.dtype}, {short.dtype}")
    equal(short, w, "w as float32")


@st.composite
def odd_enlargements(draw: st.DrawFn) -> Case:
    """Draw x (N, 1, H, W) and a factor f, for a kernel of 2f − 1 taps."""
    factor, N, seed = draw(st.tuples(unequal(1, 6), batches(), seeds()))
    x = whole_numbers(np.random.default_rng(seed), (N, 1, *draw(unequal(1, 4))))
    return Case("upsampling", {"x": x}, {"factor": factor}, seed)


@law(
    "bilinear_kernel",
    odd_enlargements(),
    "convᵀ(x, kernel of 2f − 1 taps, stride f)[f − 1 :: f] = x",
    "FCN-AlexNet: 63 taps, stride 32",
)
def an_odd_one_keeps_the_old_pixels(ops: Implementation, case: Case) -> None:
    """Its middle tap is 1: old pixels stay, new ones are put between."""
    FH, FW = case.arguments["factor"]
    kernel = ops.bilinear_kernel((2 * FH - 1, 2 * FW - 1))  # (2·FH − 1, 2·FW − 1)
    # (N, 1, (H + 1)·FH − 1, (W + 1)·FW − 1)
    y = ops.conv_transpose2d(case.x, kernel[None, None], stride=(FH, FW))
    old = y[:, :, FH - 1 :: FH, FW - 1 :: FW]
    equal(old, case.x, "y[f − 1 :: f]")


# ---- bilinear enlargement


@law(
    "upsample",
    enlargements(),
    "up x = convᵀ(x, kernel of k = 2f − f mod 2, stride f, padding (k − f)/2)",
    LONG + "3.3",
)
def it_is_a_transposed_convolution(ops: Implementation, case: Case) -> None:
    """With a kernel of k = 2f − f mod 2 taps for each channel by itself."""
    weight, arguments = _deconvolution(ops, case)
    equal(call(ops, case), ops.conv_transpose2d(case.x, weight, **arguments))


def _deconvolution(
    ops: Implementation, case: Case
) -> tuple[np.ndarray, dict[str, Any]]:
    C, factor = case.x.shape[1], _sizes(case)
    KH, KW = (2 * f - f % 2 for f in factor)  # as Caffe's bilinear filler has it
    kernel = ops.bilinear_kernel((KH, KW))
    padding = (KH - factor[0]) // 2, (KW - factor[1]) // 2
    arguments = {"stride": factor, "padding": padding, "groups": C}
    return np.stack([kernel] * C)[:, None], arguments  # (C, 1, KH, KW)


@law(
    "upsample",
    enlargements(),
    "⟨up x, v⟩ = ⟨x, conv(v, kernel, stride f, padding (k − f)/2, groups C)⟩",
)
def its_adjoint_is_a_strided_convolution(ops: Implementation, case: Case) -> None:
    """Its gradient is v made smaller by the same kernel."""
    weight, arguments = _deconvolution(ops, case)
    y = call(ops, case)
    v = case.another(y)
    down = ops.conv2d(v, weight, **arguments)  # (N, C, H, W)
    equal(inner(case.x, down), inner(y, v), "⟨x, conv v⟩")
    equal(pull_back(ops, case, v)["x"], down, "the gradient of x")


def _inside(n: int, factor: int) -> slice:
    """Select the output pixels that lie between the centres of input pixels."""
    return slice(factor // 2, n * factor - factor // 2)  # beyond, zeros are seen


def _centres(n: int, factor: int) -> np.ndarray:
    """Return where the centres of the output pixels are, in input pixels."""
    return (np.arange(n * factor) + 0.5) / factor - 0.5  # (n · factor,)


@law(
    "upsample", enlargements(), "up of a constant = the constant, inside", LONG + "3.3"
)
def of_a_constant_it_is_constant_inside(ops: Implementation, case: Case) -> None:
    """Up to f/2 from the border, where it begins to see the zeros beyond."""
    (FH, FW), (H, W) = _sizes(case), case.x.shape[2:]
    x = np.empty_like(case.x)
    x[...] = case.x[:, :, :1, :1]  # a constant for each channel
    y = call(ops, case, x=x)[:, :, _inside(H, FH), _inside(W, FW)]
    equal(y, np.zeros_like(y) + x[:, :, :1, :1])


@law(
    "upsample",
    enlargements(),
    "up(α·r + β·q)[i, j] = α·((i + ½)/FH − ½) + β·((j + ½)/FW − ½), inside",
)
def of_a_ramp_it_is_the_ramp_inside(ops: Implementation, case: Case) -> None:
    """Centres of pixels lie at halves; half a pixel off, the ramp would be moved."""
    (FH, FW), (H, W) = _sizes(case), case.x.shape[2:]
    slopes = case.another((2, *case.x.shape[:2], 1, 1))  # α, β of each channel

    def ramp(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return slopes[0] * rows[:, None] + slopes[1] * columns

    x = ramp(np.arange(H), np.arange(W))
    expected = ramp(_centres(H, FH), _centres(W, FW))
    inside = ..., _inside(H, FH), _inside(W, FW)
    equal(call(ops, case, x=x)[inside], expected[inside])


def _resized(x: np.ndarray, factor: tuple[int, int]) -> np.ndarray:
    """Resize bilinearly, half-pixel centres; beyond the border is the last pixel."""
    for axis, f in zip((2, 3), factor, strict=True):
        n = x.shape[axis]
        low = np.floor(_centres(n, f)).astype(int)
        share = _centres(n, f) - low
        # clipped: the last pixel, again
        near = np.take(x, np.clip(low, 0, n - 1), axis=axis)
        next_ = np.take(x, np.clip(low + 1, 0, n - 1), axis=axis)
        shape = [-1 if a == axis else 1 for a in range(4)]
        share = share.reshape(shape)
        x = (1 - share) * near + share * next_
    return x


@law(
    "upsample",
    enlargements(),
    "up x = resized x inside; on the border, times the share that x covers",
    LONG + "3.3",
)
def it_is_resizing_with_a_darker_border(ops: Implementation, case: Case) -> None:
    """Resizing repeats the last pixel beyond the border, convᵀ has zeros there."""
    factor, (H, W) = _sizes(case), case.x.shape[2:]
    resized = _resized(case.x, factor)
    y = call(ops, case)
    inside = ..., _inside(H, factor[0]), _inside(W, factor[1])
    equal(y[inside], resized[inside], "y inside")
    rows, columns = (
        np.minimum(1, np.minimum(1 + at, n - at))  # how much of the triangle is inside
        for n, at in ((H, _centres(H, factor[0])), (W, _centres(W, factor[1])))
    )
    # (H·FH, W·FW), for all images and channels
    equal(y, resized * np.outer(rows, columns))


@law("upsample", enlargements(), "up_1 x = x")
def by_one_it_changes_nothing(ops: Implementation, case: Case) -> None:
    """Along one axis alone, too."""
    FH, FW = _sizes(case)
    equal(ops.upsample(case.x, 1), case.x, "up by 1")
    apart = ops.upsample(ops.upsample(case.x, (FH, 1)), (1, FW))
    equal(apart, call(ops, case), "up by (FH, 1), then by (1, FW)")


@law("upsample", enlargements(), "up(flipped x) = flipped up x, up(xᵀ) = (up x)ᵀ")
def it_knows_no_direction(ops: Implementation, case: Case) -> None:
    """Up and down, left and right, rows and columns are treated alike."""
    y, (FH, FW) = call(ops, case), _sizes(case)
    equal(call(ops, case, x=case.x[:, :, ::-1]), y[:, :, ::-1], "y upside down")
    equal(call(ops, case, x=case.x[..., ::-1]), y[..., ::-1], "y right to left")
    turned = ops.upsample(case.x.swapaxes(2, 3), (FW, FH))
    equal(turned, y.swapaxes(2, 3), "the enlarged xᵀ")


@law("upsample", enlargements(), "up(x)[:, c] = up(x[:, c])")
def channels_do_not_meet(ops: Implementation, case: Case) -> None:
    """A kernel from every channel to every other would mix the classes."""
    y = call(ops, case)
    for c in range(case.x.shape[1]):
        alone = call(ops, case, x=case.x[:, c : c + 1])
        equal(alone, y[:, c : c + 1], f"y of channel {c} alone")


@st.composite
def fcn_enlargements(draw: st.DrawFn) -> Case:
    """Draw scores (N, C, H, W) and one of FCN's factors."""
    (H, W), (N, C), seed = draw(unequal(1, 3)), draw(unequal(1, 3)), draw(seeds())
    x = whole_numbers(np.random.default_rng(seed), (N, C, H, W))
    factor = draw(st.sampled_from((2, 8, 16, 32)))
    return Case("conv_transpose2d", {"x": x}, {"factor": factor}, seed)


@law(
    "upsample",
    fcn_enlargements(),
    "convᵀ(x, diag(kernel of 2f), stride f) less a border of f/2 = up_f x, even f",
    FILLER,
)
def fcn_enlarges_by_it(ops: Implementation, case: Case) -> None:
    """FCN fills the diagonal of a (C, C, 2f, 2f) weight: no class sees another."""
    f, (_, C, H, W) = case.arguments["factor"], case.x.shape
    weight = np.zeros((C, C, 2 * f, 2 * f))  # (C, C, KH, KW)
    weight[range(C), range(C)] = ops.bilinear_kernel(2 * f)
    y = ops.conv_transpose2d(case.x, weight, stride=f)
    y = ops.crop(y, f // 2, (H * f, W * f))  # (N, C, H·f, W·f)
    equal(y, ops.upsample(case.x, f), "convᵀ x, cropped")
    inside = ..., _inside(H, f), _inside(W, f)
    equal(y[inside], _resized(case.x, (f, f))[inside], "convᵀ x, cropped, inside")
