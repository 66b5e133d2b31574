"""The classifier that nets on scenes begin with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn import Tensor, models, no_grad, weights
from minifcn.arrays import to_numpy
from minifcn.data.drawing import portrait
from minifcn.data.shapes import TOYS
from minifcn.experiments import pretraining
from minifcn.experiments.pretraining import Plan, Portraits
from minifcn.training import Recipe
from minifcn.training.setup import build_model

FEW = Plan(steps=3, portraits=6, held_out=4)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pretrained") / "classifier.npz"
    return pretraining.pretrained(path, FEW, seed=3)


def test_portraits_show_each_toy_alone_near_the_middle() -> None:
    drawn = [portrait((48, 64), 5, i) for i in range(40)]
    kinds = {kind for _, kind in drawn}
    assert kinds == set(range(len(TOYS)))
    image, kind = drawn[7]
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    again, same = portrait((48, 64), 5, 7)
    assert (same, again.tobytes()) == (kind, image.tobytes())
    for other in (portrait((48, 64), 6, 7), drawn[8]):
        assert np.any(other[0] != image)
    # Most of a toy's paint lies in the inner half: the mean difference is larger there.
    stack = np.stack([image.astype(float) for image, _ in drawn])
    varies = stack.std(axis=0).mean(axis=2)
    inner = varies[12:36, 16:48].mean()
    assert inner > 1.1 * np.delete(varies.ravel(), _inside(varies.shape)).mean()


def _inside(shape: tuple[int, ...]) -> np.ndarray:
    numbers = np.arange(np.prod(shape)).reshape(shape)
    return numbers[12:36, 16:48].ravel()


def test_its_score_is_that_of_fully_connected_layers() -> None:
    """By products of matrices, from pool5's map of the whole portrait on."""
    net = pretraining.classifier(seed=1)
    net.eval()
    x = Tensor(np.random.default_rng(0).normal(0, 60, (2, 3, 96, 96)).astype("float32"))
    y: Any = x
    with no_grad():
        for name, layer in net.coarse().children():
            y = layer(y)
            if name == "pool5":
                break
        scores = pretraining.scores_of(net, x).data
    flat = y.data.reshape(2, -1).astype(np.float64)  # (2, C·3·3)
    for name in ("fc6", "fc7", "score_fr"):
        layer = getattr(net, name)
        matrix = to_numpy(layer.weight.data).reshape(len(layer.weight.data), -1)
        flat = flat @ matrix.T + to_numpy(layer.bias.data)
        flat = flat if name == "score_fr" else np.maximum(flat, 0)
    assert scores.shape == (2, len(TOYS), 1, 1)
    np.testing.assert_allclose(scores[:, :, 0, 0], flat, rtol=1e-4, atol=1e-4)


def test_file_is_what_a_recipe_takes_as_weights(file: Path, tmp_path: Path) -> None:
    arrays = weights.load(file)
    assert not any(name.startswith(("score", "upscore")) for name in arrays)
    recipe = Recipe(
        data=str(tmp_path),
        net="fcn32s",
        trunk="vgg11",
        width=pretraining.WIDTH,
        fc_channels=pretraining.FC_CHANNELS,
        fc_kernel=pretraining.FC_KERNEL,
        weights=str(file),
    )
    net = build_model(recipe, 6)
    for name, parameter in net.named_parameters():
        if not name.startswith(("score", "upscore")):
            np.testing.assert_array_equal(parameter.data, arrays[name])
    assert not net.score_fr.weight.data.any()


def test_restored_is_the_classifier_that_was_trained(file: Path) -> None:
    """The share that it names rightly, counted again, is the one in the file."""
    held_out = pretraining.portraits(10, 3).part(6)
    net = pretraining.restored(file)
    assert pretraining.accuracy(net, held_out) == pretraining.accuracy_of(file)
    assert net.score_fr.weight.data.any()


def test_it_is_trained_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()
    monkeypatch.setattr(pretraining, "train", pytest.fail)
    assert pretraining.pretrained(file, FEW, seed=4) == file
    assert file.read_bytes() == before


def test_same_seed_same_bits(file: Path, tmp_path: Path) -> None:
    again = pretraining.pretrained(tmp_path / "again.npz", FEW, seed=3)
    other = pretraining.pretrained(tmp_path / "other.npz", FEW, seed=4)
    ours, theirs, third = (weights.load(path) for path in (file, again, other))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert np.any(ours["fc6.weight"] != third["fc6.weight"])


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three portraits by heart, of three toys."""
    drawn = pretraining.portraits(3, 0)
    assert len(set(drawn.kind)) == 3
    net = pretraining.classifier(0)
    monkeypatch.setattr(pretraining, "BATCH", 4)
    monkeypatch.setattr(pretraining, "RATE", 0.005)
    pretraining.train(net, drawn, Plan(steps=120), 0)
    assert pretraining.accuracy(net, drawn) == 1.0


def test_accuracy_counts_what_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    n = pretraining.BATCH + 3  # more than a batch
    x = np.zeros((n, 3, 96, 96), np.float32)
    x[:, 0, 0, 0] = np.arange(n) % 5
    kind = np.arange(n) % 5
    kind[[1, n - 1]] += 1  # these two are named wrongly

    def scores(net: models.FCN, x: Tensor) -> Tensor:
        classes = x.data[:, 0, 0, 0].astype(int)
        return Tensor(np.eye(5, dtype=np.float32)[classes][:, :, None, None])

    monkeypatch.setattr(pretraining, "scores_of", scores)
    found = pretraining.accuracy(pretraining.classifier(0), Portraits(x, kind))
    assert found == (n - 2) / n
