"""Enlargements, costs and agreement, of which the experiment `upsampling` is made."""

from typing import Any

import numpy as np
import pytest

from minifcn import Tensor, models, nn, no_grad, ops
from minifcn.data import IGNORE, to_input
from minifcn.data.files import Pixels
from minifcn.data.palettes import voc_palette
from minifcn.experiments import agreement, costs, enlarging
from minifcn.laws.gradcheck import check_module

CLASSES = 3
SIZE = (70, 109)  # 3 × 4 cells, the last ones cut


def net(geometry: str = "same", name: str = "fcn32s") -> Any:
    """A small net with scores that differ."""
    nn.seed(3)
    made = models.NETWORKS[name](
        CLASSES,
        trunk="vgg11",
        width=(2, 3, 4, 5, 4),
        geometry=geometry,
        fc_channels=(6, 5),
        fc_kernel=3,
        dropout=0.0,
    ).eval()
    for score in ("score_fr", "score_pool4", "score_pool3"):
        if hasattr(made, score):
            weight = getattr(made, score).weight
            weight.data = nn.he_normal(weight.shape)
    for name, bias in made.named_parameters():
        if name.endswith("bias"):
            bias.data = 20 * nn.he_normal(bias.shape)
    return made


def photo(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> Tensor:
    return Tensor(rng.uniform(-100, 120, (1, 3, *size)).astype(np.float32))


def make(head: str) -> enlarging.Enlargement:
    return getattr(enlarging, head)(CLASSES, 32)


def run(whole: nn.Module, x: Tensor) -> np.ndarray:
    with no_grad():
        return whole(x).data


# --------------------------------------------------------------------- enlargements


@pytest.mark.parametrize("geometry", ["same", "caffe"])
@pytest.mark.parametrize("head", ["transposed", "stack"])
def test_a_ramp_of_scores_lies_where_their_coordinates_are(
    head: str, geometry: str
) -> None:
    coarse = net(geometry)
    other: Any = enlarging.with_enlargement(coarse, make(head))
    cells = (8, 9)
    rows, columns = np.indices(cells).astype(np.float32)
    ramp = Tensor(np.stack([rows, columns, -columns])[None])
    place = coarse.maps["fc7"]
    with no_grad():
        whole = other.upscore(ramp)
    y = ops.crop(whole, other.crops["upscore"], (120, 140)).data[0]
    # Bilinear interpolation keeps a ramp, but for the cells at the border.
    for u in range(60, 110):
        for v in (61, 80, 111):
            down, across = float(place(u)), float(place(v))
            np.testing.assert_allclose(y[:, u, v], [down, across, -across], atol=1e-5)


@pytest.mark.parametrize("geometry", ["same", "caffe"])
def test_nearest_takes_the_scores_whose_place_is_nearest(
    rng: np.random.Generator, geometry: str
) -> None:
    coarse = net(geometry)
    x = photo(rng)
    y = run(enlarging.with_enlargement(coarse, make("nearest")), x)
    with no_grad():
        cells = coarse.coarse()(x).data
    assert y.shape == (1, CLASSES, *SIZE)
    place = coarse.maps["fc7"]
    for u, v in [(0, 0), (69, 108), (15, 16), (31, 32), (32, 31), (40, 77)]:
        # half a cell further, the place after rounding down
        r, q = (int(np.floor(float(place(n)) + 0.5)) for n in (u, v))
        np.testing.assert_array_equal(y[0, :, u, v], cells[0, :, r, q])


def test_what_learns_begins_as_the_net_it_is_made_of(rng: np.random.Generator) -> None:
    coarse, x = net(), photo(rng)
    other: Any = enlarging.with_enlargement(coarse, make("transposed"))
    np.testing.assert_array_equal(run(other, x), run(coarse, x))
    assert other.upscore.weight.requires_grad
    assert not coarse.upscore.weight.requires_grad
    assert coarse.crops == models.fcn32s(CLASSES, width=0.1, geometry="same").crops


def test_stack_begins_as_bilinear_enlargements_one_after_the_other(
    rng: np.random.Generator,
) -> None:
    x = rng.normal(size=(2, CLASSES, 3, 4)).astype(np.float32)  # of either sign
    stack = enlarging.Stack(CLASSES, 3)
    y = Tensor(x)
    for _ in range(3):
        y = nn.Upsample(CLASSES, 2)(y)
    np.testing.assert_allclose(stack(Tensor(x)).data, y.data, atol=1e-5)
    assert y.shape == (2, CLASSES, 8 * 3 + 14, 8 * 4 + 14)


def test_relu_makes_the_stack_nonlinear_once_it_has_learned(
    rng: np.random.Generator,
) -> None:
    stack = enlarging.Stack(CLASSES, 2)
    x = rng.normal(size=(1, CLASSES, 3, 4)).astype(np.float32)

    def bent() -> float:
        return abs(stack(Tensor(x)).data + stack(Tensor(-x)).data).max()

    assert bent() < 1e-5  # f(−x) = −f(x)
    stack.weights[0].data[:, CLASSES:] *= 0.5
    assert bent() > 0.01


def test_gradients_of_the_stack(rng: np.random.Generator) -> None:
    stack = enlarging.Stack(2, 3).to(dtype=np.float64)
    for weight in stack.parameters():
        weight.data += rng.normal(0, 0.3, weight.shape)
    check_module(stack, [rng.normal(size=(2, 2, 3, 2))])


def test_multiply_adds_of_the_stack() -> None:
    # (3, 6), (6, 6) and (6, 3) kernels of 16 taps over 10, 40 and 160 scores
    expected = 16 * (18 * 10 + 36 * 40 + 18 * 160)
    assert enlarging.Stack(CLASSES, 3).multiply_adds(10) == expected


def test_nets_with_skips_have_no_one_enlargement() -> None:
    with pytest.raises(ValueError, match="3 streams; it must have one"):
        enlarging.with_enlargement(net(name="fcn8s"), make("stack"))


# ------------------------------------------------------------------------- learning


class Drawn:
    """Images of unequal sizes, whose labels are their left and right halves."""

    mean_bgr = (10.0, 20.0, 30.0)
    ignore_index = IGNORE
    palette = voc_palette(CLASSES)
    sizes = (SIZE, (64, 64), (50, 120))

    def __init__(self) -> None:
        self.class_names = ["left", "right", "none"]
        self.ids = ["a", "b", "c"]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> tuple[Pixels, Pixels]:
        H, W = self.sizes[index]
        image = np.random.default_rng(index).integers(0, 256, (H, W, 3))
        label = np.repeat(np.arange(W)[None] >= W // 2, H, axis=0).astype(np.uint8)
        label[:5] = IGNORE
        return image.astype(np.uint8), label


def test_drawn_are_the_net_s_own_scores() -> None:
    coarse, dataset = net(), Drawn()
    drawn = enlarging.draw(coarse, dataset, 5, seed=7)
    batch = round(enlarging.PIXELS / (SIZE[0] * SIZE[1]))
    assert [len(known) for known in drawn] == [batch] * 5
    seen = set()
    for known in (one for batch in drawn for one in batch):
        index = dataset.sizes.index(known.label.shape[1:])  # type: ignore[arg-type]
        image, label = dataset[index]
        np.testing.assert_array_equal(known.label[0], label)
        x = Tensor(to_input(image, dataset.mean_bgr)[None])
        with no_grad():
            np.testing.assert_array_equal(known.scores, coarse.coarse()(x).data)
        seen.add(index)
    assert len(seen) > 1
    again = enlarging.draw(coarse, dataset, 5, seed=7)
    other = enlarging.draw(coarse, dataset, 5, seed=8)
    sizes = [
        [k.label.shape for batch in d for k in batch] for d in (drawn, again, other)
    ]
    assert sizes[0] == sizes[1] != sizes[2]


@pytest.mark.parametrize(("head", "rate"), [("transposed", 20.0), ("stack", 0.02)])
def test_the_enlargement_learns_and_nothing_else_does(head: str, rate: float) -> None:
    coarse = net()
    before = {n: a.copy() for n, a in coarse.state_dict().items()}
    other: Any = enlarging.with_enlargement(coarse, make(head))
    start = [w.data.copy() for w in other.upscore.parameters()]
    drawn = enlarging.draw(coarse, Drawn(), 12, seed=1)
    losses = enlarging.learn(other, drawn, rate)
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < 0.97 * losses[0]
    for name, array in coarse.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    for weight, was in zip(other.upscore.parameters(), start, strict=True):
        assert (weight.data != was).mean() > 0.3
        assert weight.grad is None


def test_a_step_is_one_of_gradient_descent_on_the_mean(
    rng: np.random.Generator,
) -> None:
    coarse = net()
    drawn = enlarging.draw(coarse, Drawn(), 1, seed=2)
    (batch,) = drawn
    one: Any
    other: Any
    one, other = (enlarging.with_enlargement(coarse, make("stack")) for _ in "12")
    losses = enlarging.learn(one, drawn, 0.5)
    expected = 0.0
    for known in batch:
        x = other.upscore(Tensor(known.scores))
        x = ops.crop(x, other.crops["upscore"], known.label.shape[1:])
        loss = ops.cross_entropy(x, known.label)
        (loss / len(batch)).backward()
        expected += loss.item() / len(batch)
    assert losses == [pytest.approx(expected)]
    for a, b in zip(one.upscore.parameters(), other.upscore.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data - 0.5 * b.grad, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------------------- costs


@pytest.mark.parametrize(
    ("name", "enlargements"),
    [
        ("fcn32s", [(64, 3 * 4)]),
        ("fcn8s", [(4, 3 * 4), (4, 5 * 7), (16, 9 * 14)]),  # pools of (70, 109) pixels
    ],
)
def test_fixed_enlargements_count_channel_by_channel(
    name: str, enlargements: list[tuple[int, int]]
) -> None:
    whole = net(name=name)
    trunk = costs.of_trunk(whole, SIZE)
    # score_pool4 and score_pool3: 1 × 1 over 5 and 4 channels
    skips = CLASSES * (5 * 5 * 7 + 4 * 9 * 14) if name == "fcn8s" else 0
    own = sum(CLASSES * k * k * pixels for k, pixels in enlargements)
    assert costs.of_fixed(whole, SIZE) == trunk + skips + own
    full = sum(CLASSES**2 * k * k * pixels for k, pixels in enlargements)
    assert models.multiply_adds(whole, SIZE) == trunk + skips + full


@pytest.mark.parametrize("geometry", ["same", "caffe"])
def test_cells_are_those_of_the_coarse_scores(
    rng: np.random.Generator, geometry: str
) -> None:
    whole, x = net(geometry), photo(rng)
    with no_grad():
        h, w = whole.coarse()(x).shape[2:]
    assert costs.cells(whole, SIZE) == h * w


class Noted(nn.Module):
    """Notes that it ran, and moves the clock on."""

    def __init__(self, name: str, clock: list[float], ran: list[str], takes: float):
        self.name, self.clock, self.ran, self.takes = name, clock, ran, takes

    def forward(self, *inputs: Tensor) -> Tensor:
        self.ran.append(self.name)
        self.clock[0] += self.takes * (1 + (len(self.ran) == 1))  # at first twice
        return inputs[0] * len(self.ran)


def test_ways_are_timed_in_turn_and_slow_ones_less_often(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, ran = [0.0], list[str]()
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    ways = {
        "quick": Noted("quick", clock, ran, 0.25),
        "slow": Noted("slow", clock, ran, 1),
    }
    x = photo(rng, (4, 5))
    timings = costs.race(ways, x, "cpu")
    assert ran == ["quick", "slow"] * 2 + ["quick"] * 3
    assert timings["quick"][:2] == (0.25, 5)  # the median: not the first, of 0.5
    assert timings["slow"][:2] == (1, 2)
    np.testing.assert_array_equal(timings["slow"].answer.data, 4 * x.data)


def test_peak_is_of_what_lives_at_the_same_time() -> None:
    megabyte = 1 << 20

    def one_after_the_other() -> None:
        for _ in range(3):
            np.ones(4 * megabyte, np.uint8)

    def together() -> None:
        kept = [np.ones(4 * megabyte, np.uint8) for _ in range(3)]
        del kept

    there = np.ones(16 * megabyte, np.uint8)  # does not count
    assert costs.peak_bytes(one_after_the_other) == pytest.approx(
        4 * megabyte, rel=0.02
    )
    assert costs.peak_bytes(together) == pytest.approx(12 * megabyte, rel=0.02)
    assert there.size


# ------------------------------------------------------------------------- agreement


def test_agreement_by_hand() -> None:
    a = np.zeros((1, 2, 1, 3))
    a[0, 0] = [1, 2, -4]
    b = a.copy()
    b[0, 1, 0, 0] = 2  # another class at the first pixel
    found = agreement.agreement(Tensor(a), Tensor(b))
    assert found == (0.5, 2, 3)
    assert found.and_also(agreement.Agreement(0.75, 1, 4)) == (0.75, 3, 7)
    assert agreement.agreement(Tensor(a), Tensor(a)) == (0, 3, 3)


@pytest.mark.parametrize("stride", [4, 8])
def test_nothing_differs_in_whole_numbers(
    rng: np.random.Generator, stride: int
) -> None:
    chain, x = net().coarse(), photo(rng, (40, 51)).data
    whole, image = agreement.in_whole_numbers(chain, x)
    exact = agreement.compared(whole, image, stride)
    assert exact.difference == 0
    assert exact.same == exact.pixels > 1600 // stride**2
    rounded = agreement.compared(*agreement.in_float64(chain, x), stride)
    assert 0 < rounded.difference < 1e-13


def test_whole_numbers_are_whole_and_far_from_overflow(
    rng: np.random.Generator,
) -> None:
    chain, x = net().coarse(), photo(rng, (40, 51)).data
    whole, y = agreement.in_whole_numbers(chain, x)
    assert y.dtype == np.float64
    with no_grad():
        for _, layer in whole.children():
            for parameter in layer.parameters():
                np.testing.assert_array_equal(parameter.data, np.rint(parameter.data))
            if isinstance(layer, nn.Conv2d):
                assert layer.algorithm == "bands"  # Winograd's sums are not exact
                assert abs(layer.weight.data).max() == agreement.LARGEST
                largest = abs(layer.weight.data).sum(axis=(1, 2, 3)).max()
                assert largest * abs(y.data).max() < 2**53
            y = layer(Tensor(y.data.copy()))
            np.testing.assert_array_equal(y.data, np.rint(y.data))
    # and it is still much the same net
    with no_grad():
        scores = chain(Tensor(x)).data
    assert np.corrcoef(scores.ravel(), y.data.ravel())[0, 1] > 0.99
    assert all(p.dtype == np.float32 for p in chain.parameters())  # left as it was


def test_a_difference_is_seen(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, x = net().coarse(), photo(rng, (40, 51))
    a_trous = models.a_trous

    def wrong(chain: nn.Module, stride: int) -> nn.Module:
        dense = a_trous(chain, stride)
        return lambda x: dense(x * 1.001)  # type: ignore[return-value]

    monkeypatch.setattr(models, "a_trous", wrong)
    assert agreement.compared(chain, x, 8).difference > 1e-5
