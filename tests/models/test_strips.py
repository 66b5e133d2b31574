"""Layers in strips: the numbers of the whole, whatever the layers and the strips."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minifcn import Tensor, models, nn, no_grad
from minifcn.models import strips
from tests.ops import common

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def layers(draw, channels):
    """A layer that strips take, and how many channels it gives."""
    kind = draw(st.sampled_from(["conv", "pool", "relu", "dropout"]))
    kernel, stride = draw(PAIRS), draw(PAIRS)
    if kind == "conv":
        sides = st.tuples(st.integers(0, 4), st.integers(0, 4))
        out, padding = draw(st.integers(1, 4)), (draw(sides), draw(sides))
        dilation = draw(st.sampled_from([1, 1, (2, 1), (1, 3)]))
        return nn.Conv2d(channels, out, kernel, stride, padding, dilation), out
    if kind == "pool":
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        return nn.MaxPool2d(kernel, stride, padding, 1, draw(st.booleans())), channels
    return (nn.ReLU() if kind == "relu" else nn.Dropout()).eval(), channels


@st.composite
def chains(draw):
    """Some layers over an image (N, 3, H, W) of float64."""
    chain, channels = [], 3
    for _ in range(draw(st.integers(1, 5))):
        layer, channels = draw(layers(channels))
        chain.append(layer.to(dtype=np.float64))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    H, W = draw(st.integers(5, 30)), draw(st.integers(5, 12))
    for layer in chain:
        if isinstance(layer, nn.Conv2d):
            layer.bias.data = rng.normal(size=layer.bias.shape)
    return chain, rng.normal(size=(2, 3, H, W))


def whole(chain, x):
    with no_grad():
        return nn.Sequential(*chain)(Tensor(x)).data


def wrong(chain, x, most_bytes):
    """Whether strips give anything else."""
    with no_grad():
        y = strips.run(chain, Tensor(x), most_bytes).data
    expected = whole(chain, x)
    return y.shape != expected.shape or not np.allclose(y, expected, 1e-10, 1e-10)


@settings(max_examples=150)
@given(chains(), st.sampled_from([1, 500, 2000]))
def test_strips_are_parts_of_the_whole(case, most_bytes):
    chain, x = case
    try:
        whole(chain, x)
    except ValueError:  # a kernel larger than what is left
        assume(False)
    assert not wrong(chain, x, most_bytes)


def test_what_a_strip_reads_by_hand():
    """A kernel of 3, padded by 1 above and 2 below, over 10 rows."""
    conv = nn.Conv2d(3, 4, (3, 2), padding=((1, 2), (0, 1)))
    assert strips.strip_below(conv, 10, slice(0, 2)) == (slice(0, 3), (1, 0))
    assert strips.strip_below(conv, 10, slice(4, 6)) == (slice(3, 7), (0, 0))
    assert strips.strip_below(conv, 10, slice(9, 11)) == (slice(8, 10), (0, 2))
    # The last window of a pool that rounds up has one row, without padding.
    pool = nn.MaxPool2d(2, ceil_mode=True)
    assert strips.strip_below(pool, 9, slice(3, 5)) == (slice(6, 9), (0, 0))
    assert strips.strip_below(nn.ReLU(), 9, slice(3, 5)) == (slice(3, 5), (0, 0))


BLOCK = [
    nn.Conv2d(3, 4, 3, padding=(5, 1)).to(dtype=np.float64),
    nn.ReLU(),
    nn.Conv2d(4, 2, (3, 1), dilation=(2, 1), padding=1).to(dtype=np.float64),
    nn.ReLU(),
    nn.MaxPool2d(2, ceil_mode=True),
]


def fails_or_differs(x):
    try:
        return wrong(BLOCK, x, 6000)
    except ValueError as error:  # the strips do not fit together
        return "broadcast" in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows, pad: (slice(rows.start + 1, rows.stop), pad),
        lambda rows, pad: (slice(rows.start, rows.stop - 1), pad),
        lambda rows, pad: (slice(max(0, rows.start - 1), rows.stop), pad),
        lambda rows, pad: (rows, (0, pad[1])),
        lambda rows, pad: (rows, (pad[0], 0)),
        lambda rows, pad: (rows, (pad[0], pad[1] + 1)),
    ],
)
def test_a_wrong_strip_is_seen(rng, change):
    own, x = strips.strip_below, rng.normal(size=(2, 3, 23, 9))
    assert not wrong(BLOCK, x, 6000)

    def changed(layer, height, rows):
        return strips.Strip(*change(*own(layer, height, rows)))

    with mock.patch.object(strips, "strip_below", changed):
        assert fails_or_differs(x)


def test_layers_that_read_their_border_otherwise_run_in_one_go(rng):
    x, block = rng.normal(size=(1, 3, 20, 7)), [*BLOCK, nn.AvgPool2d(3, 1, 1)]
    assert not strips.takes(block[-1])
    assert not wrong(block, x, 1)


def test_a_network_without_a_tape_runs_in_strips(rng):
    net = models.create({"name": "fcn8s", "n_classes": 5, "width": 0.125})
    net.to(dtype=np.float64).eval()
    net.score_fr.weight.data = rng.normal(size=net.score_fr.weight.shape)
    x = Tensor(rng.normal(size=(2, 3, 40, 30)))
    plain = net(x).data
    own, heights = strips.run, []

    def small(layers, x):
        heights.append(x.shape[2])
        return own(layers, x, 100_000)

    with mock.patch.object(strips, "run", small), no_grad():
        y = net(x).data
    assert heights == [40, 119, 60, 30, 15]
    common.close(y, plain)


def test_large_maps_never_exist_as_a_whole(rng):
    net = models.create({"name": "fcn32s", "n_classes": 3, "width": 0.25}).eval()
    x = Tensor(rng.normal(size=(1, 3, 620, 400)).astype(np.float32))
    first = 16 * 818 * 598 * 4  # bytes of conv1_1's map, and of conv1_2's
    own = strips.run
    small = mock.patch.object(strips, "run", lambda a, b: own(a, b, 4 << 20))
    with small, no_grad():
        _, peak = common.peak_of(lambda: net(x))
    _, without = common.peak_of(lambda: net(x))
    assert without > 2 * first > peak
