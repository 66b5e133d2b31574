"""Dense prediction: shift-and-stitch = à trous = the net wherever it can look."""

import tracemalloc
from fractions import Fraction
from math import prod
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minifcn import Tensor, geometry, models, nn, no_grad, ops, optim
from minifcn.models import a_trous, counting, dense, shift_and_stitch
from minifcn.models.dense import Extent

MOST_RUNS = 40
SOME = settings(max_examples=150)


def answers(net, x):
    with no_grad():
        return net(Tensor(x)).data


def stitched(net, x, stride=1):
    return shift_and_stitch(net, Tensor(x), stride).data


def integers(net, seed=0):
    """A net of float64 whose parameters are small whole numbers: sums are exact."""
    rng = np.random.default_rng(seed)
    for parameter in net.to(dtype=np.float64).parameters():
        if parameter.requires_grad:
            parameter.data[...] = rng.integers(-2, 3, parameter.shape)
    return net.eval()


def image(*shape, seed=0):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(float)


# ---- by hand


def test_a_pool_of_two_by_hand():
    net = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 1, (1, 2))).to(dtype="f8")
    net.layers[1].weight.data[...] = [10, 1]
    x = np.array([[[[1, 2, 3, 4, 5, 6.0], [0, 9, 0, 7, 0, 8]]]])
    # Maxima of windows at 0, 1, …: 9 9 7 7 8. The filter's taps stand 2 apart.
    np.testing.assert_array_equal(answers(net, x), [[[[97, 78]]]])  # 10·9 + 7, …
    np.testing.assert_array_equal(stitched(net, x), [[[[97, 97, 78]]]])
    np.testing.assert_array_equal(answers(a_trous(net), x), [[[[97, 97, 78]]]])
    assert a_trous(net).layers[1].dilation == (2, 2)


def test_a_pool_that_rounds_up_by_hand():
    net = nn.MaxPool2d((1, 2), ceil_mode=True)
    x = np.array([[[[-3.0, -1, -2]]]])
    np.testing.assert_array_equal(answers(net, x), [[[[-1, -2]]]])
    # The window at 2 lacks a pixel, wherever windows begin.
    np.testing.assert_array_equal(stitched(net, x), [[[[-1, -1, -2]]]])
    np.testing.assert_array_equal(answers(a_trous(net), x), [[[[-1, -1, -2]]]])


@pytest.mark.parametrize(
    "right, ceil, include, expected",
    [
        (1, False, True, [3, 9, 15, 9]),  # (0 + 6) / 2, …, (18 + 0) / 2
        (1, False, False, [6, 9, 15, 18]),  # 6 / 1: the padding does not count
        (0, True, True, [3, 9, 15, 18]),  # what hangs over does not count
        (0, True, False, [6, 9, 15, 18]),
    ],
)
def test_means_count_what_the_strided_pool_counts(right, ceil, include, expected):
    x = np.array([[[[6.0, 12, 18]]]])
    pool = nn.AvgPool2d((1, 2), (1, 2), ((0, 0), (1, right)), ceil, include)
    np.testing.assert_array_equal(answers(pool, x)[0, 0, 0], expected[::2])
    np.testing.assert_array_equal(stitched(pool, x)[0, 0, 0], expected)
    np.testing.assert_array_equal(answers(a_trous(pool), x)[0, 0, 0], expected)


@pytest.mark.parametrize("include, expected", [(False, [12, 0, 6]), (True, [6, 0, 3])])
def test_a_window_that_counts_nothing_has_the_mean_0(include, expected):
    """Of · · 6 12 · · the windows see · 12, then · · (0 / 0 it would be), then 6 · ."""
    padding = (0, 0), (2, 2)
    pool = nn.AvgPool2d((1, 2), (1, 2), padding, False, include, dilation=3)
    x = np.array([[[[6.0, 12]]]])
    np.testing.assert_array_equal(answers(pool, x)[0, 0, 0], expected[::2])
    np.testing.assert_array_equal(stitched(pool, x)[0, 0, 0], expected)
    np.testing.assert_array_equal(answers(a_trous(pool), x)[0, 0, 0], expected)


# ---- drawn nets

strides = st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2), (2, 3), (3, 2), (2, 2)])
kernels = st.tuples(st.integers(1, 3), st.integers(1, 3))
dilations = st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2)])


@st.composite
def frames(draw, kernel, dilation, framed):
    if not framed:
        return 0
    most = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    side = [st.integers(0, n // 2) for n in most]  # what pools allow
    return tuple((draw(one), draw(one)) for one in side)


@st.composite
def windows(draw, framed):
    kernel, dilation = draw(kernels), draw(dilations)
    return dict(
        kernel_size=kernel,
        stride=draw(strides),
        dilation=dilation,
        padding=draw(frames(kernel, dilation, framed)),
    )


@st.composite
def layers(draw, channels, framed, kinds):
    """A layer, and its number of output channels; never more than four."""
    kind = draw(st.sampled_from(kinds))
    if kind == "conv":
        groups = draw(st.sampled_from([1, channels]))
        out = groups * draw(st.integers(1, 4 // groups))
        return nn.Conv2d(channels, out, groups=groups, **draw(windows(framed))), out
    if kind == "relu":
        return nn.ReLU(), channels
    if kind == "lrn":
        return nn.LocalResponseNorm(draw(st.integers(1, 3)), alpha=0.5), channels
    if kind == "frame":
        sides = st.tuples(st.integers(0, 2), st.integers(0, 2))
        return nn.Pad((draw(sides), draw(sides)), draw(st.integers(-2, 2))), channels
    arguments = draw(windows(framed))
    ceil = framed and draw(st.booleans())
    if kind == "max":
        return nn.MaxPool2d(**arguments, ceil_mode=ceil), channels
    if kind == "sum":
        return nn.AvgPool2d(**arguments, ceil_mode=ceil, divisor_override=1), channels
    include = draw(st.booleans())
    pool = nn.AvgPool2d(**arguments, ceil_mode=ceil, count_include_pad=include)
    return pool, channels


@st.composite
def branches(draw, channels):
    """An inception module in small, one branch with two layers; all keep the size."""
    first, second = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    stride = draw(strides)
    both = nn.Branches(
        nn.Conv2d(channels, first, 1, stride),
        nn.Sequential(
            nn.Conv2d(channels, 2, (3, 1), padding=(1, 0)),
            nn.ReLU(),
            nn.Conv2d(2, second, (1, 3), stride, padding=(0, 1)),
        ),
        pool=nn.MaxPool2d(3, stride, 1),
    )
    return both, first + second + channels


EXACT = ["conv", "max", "max", "relu", "sum"]
ALL = [*EXACT, "avg", "avg", "lrn"]


@st.composite
def chains(draw, kinds=EXACT, framed=True):
    """A net of one to four layers of two input channels, and an image."""
    kinds = kinds + ["frame", "branches"] * framed
    parts, channels = [], 2
    for _ in range(draw(st.integers(1, 4))):
        if kinds[-1] == "branches" and draw(st.integers(0, 5)) == 5:
            layer, channels = draw(branches(channels))
        else:
            rest = [kind for kind in kinds if kind != "branches"]
            layer, channels = draw(layers(min(channels, 9), framed, rest))
        parts.append(layer)
        if channels > 4:  # as groups = channels stays small
            parts.append(nn.Conv2d(channels, 2, 1))
            channels = 2
    net = integers(nn.Sequential(*parts), draw(st.integers(0, 99)))
    assume(prod(dense.extent_of(net).stride) <= MOST_RUNS)
    H, W = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    x = image(2, 2, H, W + (H == W), seed=draw(st.integers(0, 99)))
    try:
        answers(net, x)
    except ValueError:
        assume(False)  # the image is smaller than the first windows
    return net, x


def in_both_ways(net, x, stride=1):
    """Both dense maps. A window of nothing but padding has the maximum −∞, and sums of
    −∞ are no numbers: such cases are skipped where both ways agree that they are so."""
    with np.errstate(invalid="ignore"):
        maps = stitched(net, x, stride), answers(a_trous(net, stride), x)
    assume(any(np.isfinite(y).all() for y in maps))
    return maps


@SOME
@given(chains())
def test_both_ways_are_equal_to_the_last_digit(case):
    net, x = case
    one, other = in_both_ways(net, x)
    np.testing.assert_array_equal(one, other, strict=True)
    (SH, SW) = dense.extent_of(net).stride
    np.testing.assert_array_equal(one[:, :, ::SH, ::SW], answers(net, x), strict=True)


@SOME
@given(chains(ALL), st.sampled_from(["float64", "float32"]))
def test_both_ways_agree_where_sums_are_rounded(case, dtype):
    net, x = case
    rng = np.random.default_rng(1)
    for parameter in net.to(dtype=dtype).parameters():
        parameter.data[...] = rng.normal(size=parameter.shape)
    one, other = in_both_ways(net, x.astype(dtype))
    assert one.dtype == other.dtype == dtype
    tolerance = {"float64": 1e-12, "float32": 1e-4}[dtype] * max(1, abs(one).max())
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@SOME
@given(chains(["conv", "avg", "avg"]))
def test_means_of_whole_numbers_are_equal_to_the_last_digit(case):
    """Sums are exact up to the first mean, which divides equal sums by equal counts."""
    net, x = case
    parts = net.layers
    means = [i for i, part in enumerate(parts) if isinstance(part, nn.AvgPool2d)]
    net = nn.Sequential(*parts[: (means[0] if means else 0) + 1])
    np.testing.assert_array_equal(stitched(net, x), answers(a_trous(net), x))


@SOME
@given(chains(), st.data())
def test_partial_strides_keep_every_so_manyth_answer(case, data):
    net, x = case
    f = dense.extent_of(net).stride
    stride = tuple(
        data.draw(st.sampled_from([s for s in range(1, n + 1) if n % s == 0]))
        for n in f
    )
    one, other = in_both_ways(net, x, stride)
    np.testing.assert_array_equal(one, other, strict=True)
    full = in_both_ways(net, x)[0][:, :, :: stride[0], :: stride[1]]
    np.testing.assert_array_equal(one, full, strict=True)


@SOME
@given(chains(["conv", "max", "sum", "relu"], framed=False))
def test_without_padding_it_is_the_net_on_the_shifted_image(case):
    net, x = case
    whole, (FH, FW) = stitched(net, x), dense.extent_of(net).stride
    for a in range(min(FH, whole.shape[2])):
        for b in range(min(FW, whole.shape[3])):
            expected = answers(net, x[:, :, a:, b:])
            np.testing.assert_array_equal(whole[:, :, a::FH, b::FW], expected)


def fields(net):
    """(height, width) of what one answer sees."""
    sizes = []
    for axis in (0, 1):
        layers = [dense.axes_of(layer)[axis] for layer in net.layers]
        sizes.append(geometry.chain_receptive_field(layers).size)
    return sizes


@settings(max_examples=25)
@given(chains(["conv", "max", "sum", "relu"], framed=False))
def test_without_padding_it_is_the_net_on_every_patch(case):
    net, x = case
    whole, (KH, KW) = answers(a_trous(net), x), fields(net)
    assert whole.shape[2:] == (x.shape[2] - KH + 1, x.shape[3] - KW + 1)
    rng = np.random.default_rng(0)
    for u, v in {tuple(rng.integers(whole.shape[2:])) for _ in range(30)}:
        patch = x[:, :, u : u + KH, v : v + KW]
        np.testing.assert_array_equal(
            whole[:, :, u : u + 1, v : v + 1], answers(net, patch)
        )


def test_frames_inside_the_net_stay_at_the_border():
    """Shifting the picture moves them: it agrees where no answer sees them only."""
    net = integers(
        nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2))
    )
    net.layers[1].bias.data[...] = 7
    x = image(1, 1, 24, 28)
    whole = stitched(net, x)
    shifted = answers(net, x[:, :, 1:, 3:])
    inside = np.s_[:, :, 1:-1, 1:-1]
    np.testing.assert_array_equal(whole[:, :, 1::4, 3::4][inside], shifted[inside])
    assert (whole[:, :, 1::4, 3::4] != shifted).any()


def test_runs_that_lie_beyond_a_small_image_answer_from_their_frames():
    """One pixel, stride 3: two of three runs begin behind it, in the padding."""
    net = integers(
        nn.Sequential(
            nn.Conv2d(1, 2, 1, stride=3),
            nn.ReLU(),
            nn.Branches(nn.Conv2d(2, 1, 3, padding=2), nn.Conv2d(2, 2, 3, padding=2)),
            nn.Pad(1, -2.0),
        )
    )
    x = image(1, 1, 1, 2)
    one, other = stitched(net, x), answers(a_trous(net), x)
    np.testing.assert_array_equal(one, other, strict=True)
    assert one.shape == (1, 3, 1 + 3 * 4, 2 + 3 * 4)


def alexnet(n):
    """AlexNet in small: stride 4, groups, LRN, overlapping pools that round up."""
    return nn.Sequential(
        conv1=nn.Conv2d(3, n, 11, 4, padding=20),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
        norm1=nn.LocalResponseNorm(5),
        conv2=nn.Conv2d(n, 2 * n, 5, padding=2, groups=2),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(3, 2, ceil_mode=True),
        norm2=nn.LocalResponseNorm(5),
        conv3=nn.Conv2d(2 * n, 2 * n, 3, padding=1),
        relu3=nn.ReLU(),
        conv5=nn.Conv2d(2 * n, n, 3, padding=1, groups=2),
        pool5=nn.MaxPool2d(3, 2, ceil_mode=True),
        fc6=nn.Conv2d(n, 4, 3),
    )


@pytest.mark.parametrize("stride", [(32, 4), 16, (2, 16)])
def test_alexnet(stride):
    net = alexnet(4).to(dtype=np.float64).eval()
    x = image(1, 3, 101, 83)
    one, other = stitched(net, x, stride), answers(a_trous(net, stride), x)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * abs(one).max())
    steps = [32 // s for s in np.broadcast_to(stride, 2)]
    np.testing.assert_array_equal(one[:, :, :: steps[0], :: steps[1]], answers(net, x))


def test_an_empty_batch_gives_empty_maps():
    net = nn.Sequential(nn.Conv2d(2, 3, 3, 2), nn.MaxPool2d(2))
    x = np.zeros((0, 2, 11, 9), np.float32)
    one, other = stitched(net, x), answers(a_trous(net), x)
    assert one.shape == other.shape == (0, 3, 7, 5)


@pytest.mark.parametrize("first", [[], [nn.Dropout()]])
def test_a_relu_in_place_leaves_the_image_as_it_is(first):
    """Net and dense net write over theirs, as they are told; many runs share one."""
    net = integers(
        nn.Sequential(
            *first, nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(1, 1, 2)
        )
    )
    kept = image(1, 1, 9, 11)
    x = Tensor(kept.copy())
    y = shift_and_stitch(net, x)
    np.testing.assert_array_equal(x.data, kept)
    np.testing.assert_array_equal(y.data, answers(a_trous(net), kept.copy()))
    dense.run_at(net, x, (1, 0))
    np.testing.assert_array_equal(x.data, kept)


MEANS = dict(ceil_mode=True, count_include_pad=False)


@SOME
@given(chains(["conv", "max", "avg", "avg"]), st.data())
def test_what_is_dense_in_part_can_be_made_dense(case, data):
    net, x = case
    f = dense.extent_of(net).stride
    part = [data.draw(st.sampled_from([s for s in (1, 2, 3) if n % s == 0])) for n in f]
    half = a_trous(net, tuple(part))
    assert dense.extent_of(half).stride == tuple(part)
    with np.errstate(invalid="ignore"):
        expected, one = stitched(net, x), stitched(half, x)
        other = answers(a_trous(half), x)
    assume(np.isfinite(expected).all())
    tolerance = 1e-12 * max(1, abs(expected).max(initial=0))
    for came in (one, other):
        np.testing.assert_allclose(came, expected, rtol=0, atol=tolerance)


def test_means_that_are_dense_in_part_by_hand():
    pool = nn.AvgPool2d((1, 2), (1, 4), ((0, 0), (1, 1)), **MEANS)
    half, x = a_trous(pool, (1, 2)), np.array([[[[6.0, 12, 18, 24]]]])
    assert isinstance(half, dense.CountingAvgPool2d)
    expected = [6, 9, 15, 21, 24]  # 6 / 1, (6 + 12) / 2, …
    np.testing.assert_array_equal(answers(half, x)[0, 0, 0], expected[::2])
    for came in (answers(a_trous(half), x), stitched(half, x), stitched(pool, x)):
        np.testing.assert_array_equal(came[0, 0, 0, :5], expected)
    costs = models.dense_costs(half, (1, 4))
    assert set(costs.values()) == {0}  # it can be counted; it costs nothing


# ---- the net that comes back


def small_net():
    return integers(
        nn.Sequential(
            conv1=nn.Conv2d(2, 3, 3, stride=2, padding=1),
            relu1=nn.ReLU(),
            norm1=nn.LocalResponseNorm(3),
            pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
            side=nn.Branches(nn.Conv2d(3, 2, 1), wide=nn.Conv2d(3, 2, 3, padding=1)),
            drop=nn.Dropout(),
            pool2=nn.AvgPool2d(2, ceil_mode=True),
            score=nn.Conv2d(4, 3, 2),
        )
    )


def test_the_parameters_are_the_same_objects_under_the_same_names():
    net = small_net()
    other = a_trous(net)
    assert dict(net.named_parameters()) == dict(other.named_parameters())
    assert list(net.state_dict()) == list(other.state_dict())
    assert not other.training
    assert not other.drop.training
    other.train()
    assert not net.drop.training  # modes are each net's own
    assert (net.score.dilation, other.score.dilation) == (1, (8, 8))
    assert (other.conv1.stride, other.pool1.stride) == ((1, 1), (1, 1))


def test_training_one_trains_the_other():
    net, x = small_net(), image(2, 2, 31, 26)
    other, before = a_trous(net), answers(net, x)
    sgd = optim.SGD(list(other.parameters()), lr=1e-3)
    other(Tensor(x)).sum().backward()
    sgd.step()
    assert (answers(net, x) != before).all()
    np.testing.assert_allclose(stitched(net, x), answers(other, x), rtol=1e-10)


def test_the_gradient_is_the_sum_of_the_gradients_of_all_runs(rng):
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, (2, 1)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 2, (2, 1))
    ).to(dtype=np.float64)
    x, weights = rng.normal(size=(2, 2, 17, 14)), None
    y = a_trous(net)(Tensor(x))
    weights = rng.normal(size=y.shape)
    y.backward(weights)
    gradients = [parameter.grad for parameter in net.parameters()]
    net.zero_grad()
    for a in range(4):
        for b in range(2):
            run = net(Tensor(np.ascontiguousarray(x[:, :, a:, b:])))
            run.backward(np.ascontiguousarray(weights[:, :, a::4, b::2]))
    for parameter, gradient in zip(net.parameters(), gradients):
        np.testing.assert_allclose(gradient, parameter.grad, rtol=1e-9, atol=1e-9)


def test_memory_is_that_of_one_run_and_the_result():
    net = integers(
        nn.Sequential(
            nn.Conv2d(2, 16, 3, padding=1),
            nn.ReLU(),
            *(nn.MaxPool2d(2) for _ in range(3)),
            nn.Conv2d(16, 2, 1),
        )
    )
    x = image(1, 2, 120, 130)

    def peak(work):
        work()  # what is kept from call to call is there
        tracemalloc.start()
        work()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    result = stitched(net, x).nbytes
    one = peak(lambda: answers(net, x))
    assert peak(lambda: stitched(net, x)) < 1.1 * one + 2 * result
    assert not shift_and_stitch(net, Tensor(x)).requires_grad


# ---- layers of one's own


class Leaky(nn.Module):
    """A layer of somebody's own: x where it is positive, else slope · x."""

    pointwise = True

    def __init__(self):
        self.slope = nn.Parameter(np.array(3.0))

    def forward(self, *inputs):
        (x,) = inputs
        return ops.relu(x) - ops.relu(-x) * self.slope


def test_pointwise_layers_of_ones_own_are_made_dense():
    net = integers(
        nn.Sequential(
            nn.Conv2d(2, 3, 3, 2, 1), leaky := Leaky(), nn.MaxPool2d(2), Leaky()
        )
    )
    x = image(1, 2, 15, 18)
    dense = a_trous(net)
    np.testing.assert_array_equal(answers(dense, x), stitched(net, x))
    np.testing.assert_array_equal(stitched(net, x)[:, :, ::4, ::4], answers(net, x))
    assert any(p is leaky.slope for p in dense.parameters())


def test_only_the_author_of_a_forward_can_call_it_pointwise():
    class Blurred(nn.ReLU):
        def forward(self, *inputs):
            return ops.avg_pool2d(*inputs, 3, 1, 1)

    class Named(nn.ReLU):
        pass

    with pytest.raises(TypeError, match=r"Blurred cannot.* pointwise = True"):
        a_trous(nn.Sequential(Blurred()))
    a_trous(nn.Sequential(Named()))


def test_docstrings_say_what_dropout_does_and_how_large_the_answers_are():
    for function in (a_trous, shift_and_stitch):
        assert "eval()" in function.__doc__
        assert "UH = H − (the" in function.__doc__
    net = integers(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 1, 2))
    )
    # receptive field 3 + 1 + 2 = 6
    assert stitched(net, image(1, 1, 13, 10)).shape == (1, 1, 13 - 6 + 1, 10 - 6 + 1)
    assert answers(a_trous(net), image(1, 1, 13, 10)).shape == (1, 1, 8, 5)


# ---- refusals


class Doubled(nn.Conv2d):
    def forward(self, *inputs):
        return super().forward(*inputs) * 2


@pytest.mark.parametrize(
    "make", [a_trous, lambda net: stitched(net, image(1, 2, 9, 8))]
)
def test_unknown_layers_are_refused_by_name(make):
    for layer in (nn.Upsample(2, 2), Doubled(2, 2, 1)):
        name = type(layer).__name__
        with pytest.raises(TypeError, match=f"{name} cannot be made dense.* Conv2d"):
            make(nn.Sequential(nn.ReLU(), layer))


@pytest.mark.parametrize("stride", [3, 8, (4, 3)])
def test_a_stride_that_does_not_divide_is_refused(stride):
    net = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2))
    with pytest.raises(ValueError, match=r"stride is .* output stride, \(4, 4\)"):
        a_trous(net, stride)
    with pytest.raises(ValueError, match=r"stride is .* output stride, \(4, 4\)"):
        stitched(net, image(1, 2, 9, 8), stride)


def test_branches_that_do_not_fit_are_refused():
    net = nn.Branches(nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, 2))
    assert answers(net, image(1, 2, 8, 8)).shape == (1, 4, 4, 4)  # and others do not
    with pytest.raises(ValueError, match=r"maps of one size, but 0 has .* growth"):
        a_trous(net)


@pytest.mark.parametrize(
    "use",
    [
        a_trous,
        lambda net: stitched(net, image(1, 2, 9, 8)),
        lambda net: models.multiply_adds(net, 9),
    ],
)
def test_branches_without_a_branch_are_refused(use):
    with pytest.raises(ValueError, match=r"Branches\(\) has no branch; it needs at"):
        use(nn.Sequential(nn.ReLU(), nn.Branches()))


def test_bad_input_is_refused():
    net = small_net()
    with pytest.raises(TypeError, match="shift_and_stitch takes Tensors"):
        shift_and_stitch(net, image(1, 2, 9, 8))
    with pytest.raises(ValueError, match="the kernel is larger than the padded"):
        stitched(net, image(1, 2, 1, 1))
    with pytest.raises(ValueError, match="stride must be at least 1, not 0"):
        a_trous(net, 0)
    for name in ("fcn16s", "fcn8s"):
        fcn = models.NETWORKS[name](**THIN)
        for refused in (a_trous, lambda f: stitched(f, image(1, 3, 9, 8))):
            with pytest.raises(ValueError, match=r"net\.coarse\(\), or take fcn32s"):
                refused(fcn)


# ---- FCN-32s

THIN = dict(width=(1, 2, 1, 2, 1), fc_channels=(2, 1))
GEOMETRIES = ["caffe", "same"]


def fcn32s(geometry="caffe", seed=3, name="fcn32s", **settings):
    net = models.NETWORKS[name](2, **{**THIN, **settings}, geometry=geometry)
    rng = np.random.default_rng(seed)
    for parameter in net.to(dtype=np.float64).parameters():
        if parameter.requires_grad and parameter.ndim == 1:
            parameter.data[...] = rng.integers(-1, 2, parameter.shape)
        elif parameter.requires_grad:
            # Two taps of each filter: sixteen layers on, sums are exact still.
            parameter.data[...] = 0
            filters = parameter.data.reshape(len(parameter.data), -1)
            for taps in filters:
                taps[rng.integers(taps.size, size=2)] = 1
    return net.eval()


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_coarse_stream_is_the_fcn_without_its_enlargement(geometry):
    net, x = fcn32s(geometry), image(1, 3, 45, 61)
    coarse = net.coarse()
    names = [name for name in net.state_dict() if name != "upscore.weight"]
    assert list(coarse.state_dict()) == names
    assert coarse.score_fr is net.score_fr
    assert dense.extent_of(coarse).stride == (32, 32)
    y = net.upscore(Tensor(answers(coarse, x)))
    crop = net.crops["upscore"]
    np.testing.assert_array_equal(ops.crop(y, crop, (45, 61)).data, answers(net, x))


def test_the_coarse_stream_drops_as_the_fcn_does():
    net, x = models.fcn32s(2, width=1 / 16).train(), image(1, 3, 9, 8).astype("f4")
    net.score_fr.weight.data[...] = 1
    assert (answers(net.coarse(), x) != answers(net.coarse(), x)).any()
    np.testing.assert_array_equal(
        answers(net.eval().coarse(), x), answers(net.coarse(), x)
    )
    assert not net.coarse().training


@pytest.mark.parametrize("size", [(45, 61), (1, 33), (64, 3)])
@pytest.mark.parametrize("stride", [32, 16, (8, 32)])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_both_ways_give_scores_on_the_pixels(geometry, stride, size):
    net, x = fcn32s(geometry), image(2, 3, *size)
    one, other = stitched(net, x, stride), answers(a_trous(net, stride), x)
    assert one.shape == (2, 2, *size)
    np.testing.assert_array_equal(one, other)
    assert len(np.unique(one)) > 8  # alive
    if stride == 32:
        np.testing.assert_allclose(one, answers(net, x), rtol=1e-12)


@pytest.mark.parametrize("name, own", [("fcn_pool4", 16), ("fcn_pool3", 8)])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_both_ways_give_the_scores_of_a_pool_alone(geometry, name, own):
    net, x = fcn32s(geometry, name=name), image(2, 3, 45, 61)
    for stride in (own, (2, own), 4):
        one, other = stitched(net, x, stride), answers(a_trous(net, stride), x)
        np.testing.assert_array_equal(one, other)
        assert len(np.unique(one)) > 8  # alive
        if stride == own:
            np.testing.assert_allclose(one, answers(net, x), rtol=1e-12)


def test_an_fcn_a_trous_is_a_module_with_the_same_names():
    net = fcn32s()
    other = a_trous(net, 8)
    assert isinstance(other, nn.Module)
    assert list(other.state_dict()) == list(net.coarse().state_dict())
    assert not other.training
    for name, parameter in other.named_parameters():
        assert dict(net.named_parameters())[name] is parameter
    scores = other(Tensor(image(1, 3, 20, 31)))
    scores.backward(np.ones(scores.shape))
    assert abs(net.conv1_1.weight.grad).max() > 0


def test_each_pixel_is_answered_by_the_patch_around_it():
    """Without biases, padding and the empty surroundings of the image are the same: the
    answer for pixel (h, w) is the unpadded net's on 404 × 404 pixels around it."""
    net = fcn32s()
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            parameter.data[...] = 0
    x, rng = image(1, 3, 37, 50), np.random.default_rng(0)
    whole = answers(a_trous(net), x)
    assert len(np.unique(whole)) > 100  # alive
    patches = net.coarse()
    for layer in patches.layers:
        if isinstance(layer, nn.Conv2d):
            layer.padding = 0
    wide = np.pad(x, ((0, 0), (0, 0), (202, 202), (202, 202)))
    places = [
        (0, 0),
        (36, 49),
        *zip(rng.integers(37, size=4), rng.integers(50, size=4)),
    ]
    for h, w in places:  # in wide, pixel (h, w) is (h + 202, w + 202)
        expected = answers(patches, wide[:, :, h : h + 404, w : w + 404])
        assert expected.shape == (1, 2, 1, 1)
        np.testing.assert_array_equal(whole[:, :, h : h + 1, w : w + 1], expected)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("stride, shift", [(1, 0.5), (2, 0), (8, 0), (16, 0), (32, 0)])
def test_scores_lie_where_the_image_does(geometry, stride, shift):
    """Every kernel is 1: the answer to a pixel spreads evenly to both sides of it.

    At stride 1 the map lies half a pixel off the image's, and the half is rounded."""
    net = models.fcn32s(1, width=(1,) * 5, fc_channels=1, geometry=geometry)
    for name, parameter in net.to(dtype=np.float64).named_parameters():
        if not name.startswith("up"):
            parameter.data[...] = float(name.endswith("weight"))
    places = 304 + np.arange(stride)
    x = np.zeros((stride, 3, 1, 640))
    x[np.arange(stride), :, 0, places] = 1
    y = answers(a_trous(net.eval(), (32, stride)), x)[:, 0, 0]  # (stride, 640)
    assert (y[:, [0, -1]] == 0).all()
    mean = (y @ np.arange(640)) / y.sum(axis=1) - places
    assert mean.mean() == pytest.approx(shift, abs=1e-6)


def test_margins_and_corners():
    place = dense.Placement.of
    # 32 · shift: −12.5 and −15.5; enlarged by s they move by (s − 1) / 2
    assert place(fcn32s(), 1).margins == ((13, 0), (13, 0))
    assert place(fcn32s(), (8, 32)).margins == ((9, 0), (0, 0))
    assert place(fcn32s(), (8, 32)).corner == (0, 3)
    assert place(fcn32s("same"), (1, 32)).margins == ((16, 0), (0, 0))
    # fc6 of 1 × 1 in VGG's place sees less: the map begins before the image
    assert place(fcn32s(fc_kernel=1), 1).margins == ((0, 0), (0, 0))
    assert place(fcn32s(fc_kernel=1), 1).corner == (83, 83)
    # A map that begins 5 pixels before the image and has 3 more would end too soon.
    assert dense._align(Fraction(5), 1, 3) == ((0, 2), 5)


# ---- multiply-adds


class Counter:
    """Multiply-adds of the convolutions that really run."""

    def __init__(self):
        self.total = 0

    def count(self, operator, of_input):
        def wrapped(x, weight, *rest, **named):
            y = operator(x, weight, *rest, **named)
            pixels = x if of_input else y
            images = 1 if of_input else len(y.data)
            # Enlargement treats channels as images: each of them is counted.
            self.total += weight.size * pixels.size // pixels.shape[1] // images
            return y

        return wrapped

    def __call__(self, work):
        self.total = 0
        down = self.count(ops.conv2d, of_input=False)
        relu = self.count(ops.conv2d_relu, of_input=False)
        up = self.count(ops.conv_transpose2d, of_input=True)
        with (
            mock.patch.object(ops, "conv2d", down),
            mock.patch.object(ops, "conv2d_relu", relu),
            mock.patch.object(ops, "conv_transpose2d", up),
            mock.patch("minifcn.ops.upsampling.conv_transpose2d", up),
        ):
            work()
        return self.total


@settings(max_examples=25)
@given(chains(ALL), st.booleans())
def test_multiply_adds_are_those_that_run(case, partly):
    net, x = case
    x = x[:1]
    stride = dense.extent_of(net).stride if partly else 1
    costs, count = models.dense_costs(net, x.shape[2:], stride), Counter()
    assert costs["net"] == count(lambda: answers(net, x))
    with np.errstate(invalid="ignore"):
        assert costs["a_trous"] == count(lambda: answers(a_trous(net, stride), x))
        runs = count(lambda: stitched(net, x, stride))
    assert costs["shift_and_stitch"] == runs


@pytest.mark.parametrize("fusion", ["sum", "max"])
@pytest.mark.parametrize("name", models.NETWORKS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_multiply_adds_of_an_fcn_are_those_that_run(name, geometry, fusion):
    settings = dict(geometry=geometry, fusion=fusion)
    net = models.NETWORKS[name](3, **THIN, **settings).to(dtype="f8").eval()
    x, count = image(1, 3, 45, 70), Counter()
    assert models.multiply_adds(net, (45, 70)) == count(lambda: answers(net, x))


@pytest.mark.parametrize("stride", [32, (8, 16), (1, 32)])
def test_multiply_adds_of_a_dense_fcn_are_those_that_run(stride):
    net, x, count = fcn32s("same"), image(1, 3, 45, 70), Counter()
    costs = models.dense_costs(net, (45, 70), stride)
    assert costs["a_trous"] == count(lambda: answers(a_trous(net, stride), x))
    assert costs["shift_and_stitch"] == count(lambda: stitched(net, x, stride))


def test_multiply_adds_of_the_paper_s_networks():
    """At 500 × 500 pixels; 180.9 billion without the enlargement."""
    net = models.fcn32s(trunk="vgg16", width=1.0)
    assert models.multiply_adds(net.coarse(), 500) == 180_903_432_960
    enlarging = 21 * 21 * 64 * 64 * 16 * 16
    assert models.multiply_adds(net, 500) == 180_903_432_960 + enlarging
    costs = models.dense_costs(net, 500)
    # Each of the 32 · 32 runs costs about what one does; à trous a fifth of that.
    assert costs["shift_and_stitch"] / costs["net"] == pytest.approx(1050, rel=0.01)
    assert costs["a_trous"] / costs["net"] == pytest.approx(219, rel=0.01)
    table = models.costs_table(costs).splitlines()
    assert table[1].split() == ["net", "181,365,854,976", "1.00"]
    assert [row.split()[0] for row in table[1:]] == list(costs)


def test_an_image_that_is_too_small_is_not_counted():
    with pytest.raises(ValueError, match="the kernel is larger than the padded"):
        models.multiply_adds(nn.Conv2d(1, 1, 3), (2, 5))
    with pytest.raises(TypeError, match="Upsample cannot be made dense"):
        counting.multiply_adds(nn.Upsample(1, 2), 3)
    assert Extent().after(dense.axes_of(nn.Conv2d(1, 1, 3, 2))) == ((-2, -2), (2, 2))
