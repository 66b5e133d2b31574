"""From a coarse net's scores to pixels: enlargements to put in place of its own.

All take the same scores, one for every 32 × 32 pixels, and the trunk below stays as it
is, so that learning one of them is cheap: the scores are computed once per image.

nearest      each pixel has the scores of its cell
bilinear     fixed, as the net was trained
transposed   a transposed convolution of kernel 64 and stride 32, begun as bilinear
stack        five of kernel 4 and stride 2 with ReLU between, begun as bilinear

Source: Long, Shelhamer and Darrell 2015, section 3.3.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minifcn import Tensor, nn, no_grad, ops
from minifcn.arrays import Array, array_module, to_device, to_numpy
from minifcn.data import Dataset, to_input
from minifcn.data.files import Pixels
from minifcn.geometry import Deconv, chain_map, crop_offset
from minifcn.models import FCN
from minifcn.optim import SGD, poly, warm_up
from minifcn.training.evaluation import evaluating
from minifcn.training.progress import Progress, bar

PIXELS = 1 << 15  # of a step, about: two scenes, or one larger picture
_STREAM = 5  # of random numbers


class Enlargement(NamedTuple):
    """A layer, and what it is along either axis: transposed convolutions in turn."""

    layer: nn.Module
    axis: Sequence[Deconv]


class Nearest(nn.Module):
    """Each score stands for a cell of f × f pixels."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, f·H, f·W); not on the tape."""
        (x,) = inputs
        xp = array_module(x.data)
        return Tensor(xp.repeat(xp.repeat(x.data, self.factor, 2), self.factor, 3))


class Stack(nn.Module):
    """Transposed convolutions of kernel 4 and stride 2, with a ReLU between any two.

    A score may be negative, which a ReLU forgets. So between two layers each channel
    is there twice, once with either sign:

        u = relu(u) − relu(−u)

    and the stack begins as so many bilinear enlargements by 2 (whose kernel is smoother
    than that of a single one), from which it may depart in any nonlinear way.

    Args:
        channels: C, of what comes in and goes out.
        times: of enlargement by 2, at least 2.
    """

    def __init__(self, channels: int, times: int = 5) -> None:
        kernel = nn.bilinear((channels, channels, 4, 4))
        once, both = np.ones(1, np.float32), np.array([1, -1], np.float32)
        ends = [once, *[both] * (times - 1), once]
        self.weights = [
            # signs (i, o) times kernels (C, C, 4, 4): (i·C, o·C, 4, 4)
            nn.Parameter(np.kron(np.outer(below, above)[:, :, None, None], kernel))
            for below, above in pairwise(ends)
        ]

    def forward(self, *inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, 2ᵗ·H + 2·(2ᵗ − 1), …) after t enlargements."""
        (x,) = inputs
        *lower, last = self.weights
        for weight in lower:
            x = ops.relu(ops.conv_transpose2d(x, weight, stride=2))
        return ops.conv_transpose2d(x, last, stride=2)

    def multiply_adds(self, pixels: int) -> int:
        """Count those of all layers over so many scores."""
        # A layer sees four times as many as the one before; borders left out.
        return sum(w.size * pixels * 4**i for i, w in enumerate(self.weights))


def nearest(channels: int, factor: int) -> Enlargement:
    """Repeat scores; the same as a transposed convolution by ones."""
    return Enlargement(Nearest(factor), [Deconv(factor, factor)])


def transposed(channels: int, factor: int) -> Enlargement:
    """Make a transposed convolution that learns, bilinear at first."""
    layer = nn.Upsample(channels, factor, learned=True)
    return Enlargement(layer, [Deconv(layer.kernel_size, factor)])


def stack(channels: int, factor: int) -> Enlargement:
    """Make a stack of enlargements by 2 for a factor that is a power of 2."""
    times = factor.bit_length() - 1
    return Enlargement(Stack(channels, times), [Deconv(4, 2)] * times)


def with_enlargement(net: FCN, enlargement: Enlargement) -> FCN:
    """Return an FCN-32s with another enlargement, cropped where that one needs it.

    The other layers are the net's own, not copies.

    Raises:
        ValueError: a net with skips; an enlargement by another factor.
    """
    if len(net.streams) > 1:
        raise ValueError(f"the net has {len(net.streams)} streams; it must have one")
    ((name, _, _),) = net.streams
    here = chain_map(enlargement.axis).compose(net.maps[net.table[-1].name])
    other = copy.copy(net)
    setattr(other, name, enlargement.layer)
    other.crops = {name: crop_offset(here, net.maps["data"])}
    return other


# -------------------------------------------------------------------------- learning


class Known(NamedTuple):
    """Scores (1, C, h, w) of an image that do not change, and its label (1, H, W)."""

    scores: NDArray[np.float32]
    label: Pixels


Loss = Callable[[Tensor, Array], Tensor]


def draw(
    net: FCN, dataset: Dataset, steps: int, seed: int, device: str = "cpu"
) -> list[list[Known]]:
    """Draw what each step learns from; the scores of an image are computed once.

    Args:
        net: on the device; its trunk is not to learn any more.
        dataset: drawn from with replacement.
        steps: how many batches; one has about as many pixels as two scenes.
        seed: of what is drawn.
        device: one of `arrays.DEVICES`.
    """
    rng = np.random.default_rng((seed, _STREAM))
    batch = max(1, round(PIXELS / dataset[0][1].size))
    chosen = rng.integers(len(dataset), size=(steps, batch)).tolist()
    coarse, found = net.coarse(), {}
    with evaluating(coarse), no_grad():
        for i in bar("coarse scores")(sorted(set(chain.from_iterable(chosen)))):
            image, label = dataset[i]
            x = to_device(to_input(image, dataset.mean_bgr)[None], device)
            found[i] = Known(to_numpy(coarse(Tensor(x)).data), label[None])
    return [[found[i] for i in batch] for batch in chosen]


def learn(
    net: FCN,
    drawn: Sequence[Sequence[Known]],
    rate: float,
    loss_of: Loss = ops.cross_entropy,
    device: str = "cpu",
) -> list[float]:
    """Train the enlargement of a net by SGD, and nothing else of it.

    Args:
        net: of `with_enlargement`, on the device.
        drawn: as of `draw`, by the same trunk: a step each, with momentum 0.9.
        rate: at the start; it falls to 0.
        loss_of: of scores (1, C, H, W) and a label (1, H, W).
        device: one of `arrays.DEVICES`.

    Returns:
        The loss at each step.
    """
    ((name, _, _),) = net.streams
    layer, corner = getattr(net, name), net.crops[name]
    sgd = SGD(layer.named_parameters(), lr=rate, momentum=0.9)
    falling = warm_up(poly(rate, len(drawn), 0.9), min(20, len(drawn)))
    losses = []
    with Progress(len(drawn), title=type(layer).__name__.lower()) as progress:
        for step, batch in enumerate(drawn):
            total = 0.0
            for scores, label in batch:  # one by one: their sizes may differ
                x = layer(Tensor(to_device(scores, device)))
                x = ops.crop(x, corner, label.shape[1:])
                loss = loss_of(x, to_device(label, device))
                loss.backward()  # gradients add up
                total += loss.item()
            sgd.lr = falling(step)
            sgd.step(divide_by=len(batch))
            sgd.zero_grad()
            losses.append(total / len(batch))
            progress.step(losses[-1], len(batch), 1.0)
    return losses
