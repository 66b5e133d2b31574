"""Patches: where they lie, what they see, and how times are compared."""

from pathlib import Path

import numpy as np
import pytest

from minifcn import Tensor, nn
from minifcn.data import scenes
from minifcn.experiments import patches, pretraining
from minifcn.experiments.frame import Settings
from minifcn.experiments.patches import Grid, Seconds, Source


def test_patches_lie_a_stride_apart_row_by_row() -> None:
    grid = Grid(3, 2)
    assert grid.image((2, 4)) == (5, 9)
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 9))
    cut = grid.cut(x)
    assert cut.shape == (8, 2, 3, 3)
    for n in range(8):
        top, left = 2 * (n // 4), 2 * (n % 4)
        np.testing.assert_array_equal(cut[n], x[0, :, top : top + 3, left : left + 3])


@pytest.mark.parametrize("size", [3, 4])
def test_middles_are_those_of_the_patches(size: int) -> None:
    grid = Grid(size, 2)
    label = np.arange(7 * 11, dtype=np.uint8).reshape(7, 11)[: size + 2, : size + 6]
    found = grid.middles(label)
    cut = grid.cut(label[None, None])[:, 0]
    assert found.shape == (1, 2, 4)
    np.testing.assert_array_equal(found.ravel(), cut[:, size // 2, size // 2])


def test_an_unpadded_answer_sees_its_patch_and_nothing_else() -> None:
    """Where the gradient of one answer of a 2 × 2 map is not zero."""
    net = pretraining.classifier(0, 3)
    grid = patches.seen_by(net)
    assert grid == (214, 32)
    chain = patches.unpadded(net)
    x = Tensor(np.random.default_rng(0).normal(size=(1, 3, 246, 246)), True)
    chain.to(dtype=np.float64)
    y = chain(x)
    assert y.shape == (1, 3, 2, 2)
    gy = np.zeros(y.shape)
    gy[0, :, 1, 0] = 1
    y.backward(gy)
    rows, columns = np.nonzero(np.abs(x.grad).sum(axis=(0, 1)))
    assert rows.min() >= 32
    assert columns.max() < 214
    assert rows.max() > 214  # beyond what the answer above sees
    whole = chain(Tensor(x.data)).data
    for n, cut in enumerate(grid.cut(x.data)):
        alone = chain(Tensor(cut[None])).data
        place = np.unravel_index(n, (2, 2))
        np.testing.assert_allclose(alone[0, :, 0, 0], whole[0, :, *place], rtol=1e-9)


def test_gradients_add_up_over_all_that_is_given() -> None:
    nn.seed(0)
    net = nn.Sequential(score=nn.Conv2d(3, 4, (2, 3)))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(5, 3, 2, 3)).astype(np.float32)
    target = rng.integers(0, 4, (5, 1, 1))
    patches.passes(net, patches.pairs(x, target, 5))
    whole = {name: gradient.copy() for name, gradient in patches.gradients(net).items()}
    patches.passes(net, patches.pairs(x, target, 2))  # what was before is forgotten
    parts = patches.gradients(net)
    assert list(whole) == ["score.weight", "score.bias"]
    assert patches.apart(parts, whole) < 1e-6
    assert [len(one.x) for one in patches.pairs(x, target, 2)] == [2, 2, 1]


def test_apart_is_the_worst_relative_distance() -> None:
    a = {"u": np.array([3.0, 4.0]), "v": np.array([0.0])}
    b = {"u": np.array([3.0, 5.0]), "v": np.array([10.0])}
    assert patches.apart(a, b) == 1.0
    assert patches.apart({"u": a["u"]}, {"u": b["u"]}) == pytest.approx(1 / 34**0.5)
    assert patches.apart(b, b) == 0
    with pytest.raises(ValueError, match="cannot be compared"):
        patches.apart(a, {"u": b["u"]})


def test_a_race_runs_all_in_turn_and_takes_medians() -> None:
    order: list[str] = []
    times = {"a": iter([5.0, 1, 2]), "b": iter([1.0, 9, 4])}

    def way(name: str):  # type: ignore[no-untyped-def]
        def run() -> Seconds:
            order.append(name)
            return Seconds(next(times[name]), 10.0)

        return run

    found = patches.race({"a": way("a"), "b": way("b")}, 1e9, 3)
    assert order == ["a", "b"] * 3
    assert found == {"a": Seconds(2, 10), "b": Seconds(4, 10)}
    assert found["a"].both == 12
    order.clear()
    times["a"], times["b"] = iter([7.0]), iter([8.0])
    assert patches.race({"a": way("a")}, 0.0, 3)["a"].forward == 7
    assert order == ["a"]  # time was up, but one turn is taken


def test_source_resizes_images_and_labels_of_a_data_set(tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 1, 2, (40, 64), 0)
    source = Source(Settings(tmp_path, data))
    image, label = source.picture((20, 32), seed=0, index=1)
    assert (image.shape, label.shape) == ((20, 32, 3), (20, 32))
    full = source.pairs[1][1]  # type: ignore[index]
    assert set(np.unique(label)) <= set(np.unique(full))  # no class between two
    x, same = source.sample((20, 32), 0, 1)
    assert (x.shape, x.dtype) == ((1, 3, 20, 32), np.float32)
    np.testing.assert_array_equal(same, label)
    assert "He's rule" in source.remarks(Settings(tmp_path, data))[0]
    assert Source(Settings(tmp_path)).remarks(Settings(tmp_path)) == []
