"""A classifier of whole images, for nets to begin with: the ImageNet of these toys.

The paper's nets begin as classifiers trained on another task, images with one label
each. Here those images are portraits: one toy near the middle, over clutter, drawn by
the generator of the scenes. The classifier is the coarse stream of the FCN-32s that it
is to become; a portrait is three cells high and wide, and fc6's 3 × 3 kernel at the
middle one sees them all. There alone a score is asked for:

    fc6 over 3 × 3 cells  =  a fully-connected layer over the whole portrait

Source: Long, Shelhamer and Darrell 2015, sections 3.1 and 4.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import Tensor, metrics, models, nn, no_grad, ops, weights
from minifcn.arrays import to_device
from minifcn.data.batch import to_input
from minifcn.data.dataset import VOC_MEAN_BGR
from minifcn.data.drawing import portrait
from minifcn.data.shapes import TOYS
from minifcn.files import replacing
from minifcn.optim import SGD, poly, warm_up
from minifcn.training.progress import Progress, bar
from minifcn.training.setup import fit_first_layer

SIZE = (96, 96)  # of a portrait: 3 × 3 cells of 32 pixels
WIDTH = (16, 32, 64, 96, 96)
FC_CHANNELS, FC_KERNEL = 128, 3
MIDDLE = 1  # row and column of the cell whose windows are the whole portrait
BATCH, RATE = 16, 0.02


class Plan(NamedTuple):
    """How long to learn, from how many portraits; ``held_out`` are for the score."""

    steps: int = 450
    portraits: int = 1500
    held_out: int = 200


class Portraits(NamedTuple):
    """Inputs (N, 3, H, W) float32 as of `data.to_input`, and which toy each shows."""

    x: NDArray[np.float32]
    kind: NDArray[np.intp]

    def part(self, first: int, last: int | None = None) -> Portraits:
        """Return those from number `first` to before `last`."""
        return Portraits(self.x[first:last], self.kind[first:last])


def pretrained(path: Path, plan: Plan, seed: int, device: str = "cpu") -> Path:
    """Train a classifier, unless the file is there.

    Args:
        path: an .npz to write: the trunk's arrays, fc6 and fc7 included, its score
            layer as fc8 (no net has that, or begins with it), and "accuracy", the
            share of held-out portraits that it names rightly.
        plan: how long.
        seed: of the portraits and of everything random in training.
        device: one of `arrays.DEVICES`.
    """
    if path.is_file():
        return path
    drawn = portraits(plan.portraits + plan.held_out, seed)
    net = classifier(seed)
    train(net, drawn.part(0, plan.portraits), plan, seed, device)
    held_out = drawn.part(plan.portraits)
    arrays = {
        name.replace("score_fr", "fc8"): array
        for name, array in net.to("cpu").state_dict().items()
        if not name.startswith("upscore")
    }
    right = np.array(accuracy(net, held_out))
    with replacing(path) as file:
        np.savez(file, accuracy=right, **arrays)  # type: ignore[arg-type]
    return path


def accuracy_of(path: Path) -> float:
    """Return what the classifier of a file scored on portraits that it had not seen."""
    return float(weights.load(path)["accuracy"])


def portraits(n: int, seed: int) -> Portraits:
    """Draw n portraits and make inputs of them."""
    wrap = bar("drawing portraits")
    drawn = [portrait(SIZE, seed, index) for index in wrap(range(n))]
    x = np.stack([to_input(image, VOC_MEAN_BGR) for image, _ in drawn])
    return Portraits(x, np.array([kind for _, kind in drawn]))


def restored(path: Path) -> models.FCN:
    """Return the classifier of a file, in evaluation mode, on the CPU."""
    net, arrays = classifier(0), weights.load(path)
    arrays["score_fr.weight"], arrays["score_fr.bias"] = (
        arrays[f"fc8.{name}"] for name in ("weight", "bias")
    )
    models.warm_start(net, arrays)
    net.eval()
    return net


def classifier(seed: int, n_classes: int = len(TOYS)) -> models.FCN:
    """Build the net, its score layer drawn at random (a classifier begins so)."""
    nn.seed(seed)
    net = models.fcn32s(
        n_classes,
        trunk="vgg11",
        width=WIDTH,
        geometry="same",
        fc_channels=FC_CHANNELS,
        fc_kernel=FC_KERNEL,
        dropout=0.0,
    )
    fit_first_layer(net)
    net.score_fr.weight.data = nn.he_normal(net.score_fr.weight.shape)
    return net


def scores_of(net: models.FCN, x: Tensor) -> Tensor:
    """Return a classifier's scores of portraits: (N, 3, H, W) → (N, classes, 1, 1)."""
    return ops.crop(net.coarse()(x), MIDDLE, (1, 1))


def train(
    net: models.FCN, learned: Portraits, plan: Plan, seed: int, device: str = "cpu"
) -> None:
    """Train a classifier by SGD on portraits, half of them mirrored."""
    net.to(device).train()
    rng = np.random.default_rng((seed, 3))
    rate = warm_up(poly(RATE, plan.steps, 0.9), min(30, plan.steps))
    sgd = SGD(net.named_parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
    with Progress(plan.steps, title="classifier") as progress:
        for step in range(plan.steps):
            chosen = rng.integers(len(learned.x), size=BATCH)
            x = learned.x[chosen, :, :, :: rng.choice((-1, 1))]  # mirrored or not
            target = learned.kind[chosen, None, None]
            scores = scores_of(net, Tensor(to_device(x, device)))
            loss = ops.cross_entropy(scores, to_device(target, device))
            sgd.lr = rate(step)
            sgd.zero_grad()
            sgd.descend(loss)
            progress.step(loss.item(), BATCH, 1.0)


def accuracy(net: models.FCN, held_out: Portraits) -> float:
    """Return the share of portraits named rightly by a net that is on the CPU."""
    net.eval()
    right = 0
    with no_grad():
        for first in range(0, len(held_out.x), BATCH):
            part = slice(first, first + BATCH)
            scores = scores_of(net, Tensor(held_out.x[part])).data
            named = metrics.most_likely(scores)[:, 0, 0]
            right += int((named == held_out.kind[part]).sum())
    return right / len(held_out.x)
