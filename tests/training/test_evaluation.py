from pathlib import Path

import numpy as np
import pytest

from minifcn import Tensor, metrics, models, nn, no_grad, training
from minifcn.data import open_dataset
from minifcn.models import FCN
from minifcn.training import Trainer
from minifcn.training.evaluation import evaluating

MEAN_BGR = (104.00699, 116.66877, 122.67892)


@pytest.fixture
def net(rng: np.random.Generator) -> FCN:
    """A net whose score layers say something, in training mode."""
    nn.seed(2)
    model = models.fcn8s(6, width=(4, 6, 8, 8, 8), fc_channels=8, geometry="same")
    for name, p in model.named_parameters():
        if name.startswith("score"):
            p.data[...] = rng.normal(size=p.shape)
    return model


def predict_by_hand(model: FCN, image: np.ndarray) -> np.ndarray:
    blue_first = image[:, :, ::-1].astype(np.float64) - MEAN_BGR
    x = blue_first.transpose(2, 0, 1)[None].astype(np.float32)
    model.eval()
    with no_grad():
        scores = model(Tensor(x)).data
    model.train()
    _, C, H, W = scores.shape
    return np.array(
        [
            [max(range(C), key=lambda c: scores[0, c, h, w]) for w in range(W)]
            for h in range(H)
        ]
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (33, 2), (32, 48)])
def test_prediction_has_the_size_of_the_photograph(
    net: FCN, rng: np.random.Generator, size: tuple[int, int]
) -> None:
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    label = training.predict(net, image)
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, predict_by_hand(net, image))


def test_evaluation_equals_a_count_by_hand(net: FCN, data: Path) -> None:
    dataset = open_dataset(data, "val")
    n = len(dataset.class_names)
    counts = np.zeros((n, n), int)
    for i in range(len(dataset)):
        image, label = dataset[i]
        predicted = predict_by_hand(net, image)
        for t, p in zip(label.ravel(), predicted.ravel(), strict=True):
            counts[t, p] += t != 255
    hist = training.evaluate(net, dataset)
    np.testing.assert_array_equal(hist, counts)
    assert (counts.sum(axis=0) > 20).sum() >= 3  # several classes are predicted


def test_validation_is_an_evaluation(trained: Trainer, data: Path) -> None:
    hist = training.evaluate(trained.model, open_dataset(data, "val"))
    assert trained.scores() == metrics.scores(hist)


def test_pixels_to_ignore_do_not_count(net: FCN, data: Path) -> None:
    dataset = open_dataset(data, "val")
    image, label = dataset[0]
    label[:, 20:] = 255

    class One:
        class_names, mean_bgr = dataset.class_names, dataset.mean_bgr

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return image, label

    assert training.evaluate(net, One()).sum() == 32 * 20


@pytest.mark.parametrize("mode", [True, False])
def test_evaluating_restores_the_mode(net: FCN, mode: bool) -> None:
    net.train(mode)
    seen = []

    def fail() -> None:
        with evaluating(net):
            seen.append(net.training)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert seen == [False]
    assert net.training is mode
