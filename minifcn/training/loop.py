"""The training loop: forward, loss, backward, step; validate; save; go on later.

On a device (a GPU, or the emulated one) a step hands over its work and does not wait
for it: the batch is on its way ahead of time, and the loss stays where it is until it
is time to show and log it. On the CPU, where a loss is there as soon as it is computed,
it is read at every step.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from minifcn import arrays, metrics, nn, ops
from minifcn.autograd import Tensor
from minifcn.data import Augment, Batch, Dataset, Loader
from minifcn.models import FCN
from minifcn.optim import SGD
from minifcn.training import album, checkpoint
from minifcn.training.checkpoint import Checkpoint
from minifcn.training.evaluation import Prediction, brought_back, predictions_on
from minifcn.training.feeding import moved
from minifcn.training.journal import Journal
from minifcn.training.multipliers import multipliers
from minifcn.training.progress import Progress, bar
from minifcn.training.recipe import Recipe
from minifcn.training.sampling import sampled
from minifcn.training.stop import StopRequest

Item = TypeVar("Item")

READ_AFTER = 0.5  # seconds between two looks at the losses on a device


class TrainingFailed(RuntimeError):
    """A run that cannot go on; its last checkpoint is as it was."""


class TrainingStopped(Exception):
    """A run that was asked to stop and has saved; ``folder`` holds it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"stopped; the run is saved in {folder}")
        self.folder = folder


@dataclasses.dataclass
class Position:
    """Where a run stands.

    Attributes:
        epoch: the epoch under way, from 0.
        batch: its next batch; behind the last one, validation is still to come.
        iteration: steps taken.
        rows: rows of the journal.
        best: the best mean IU so far.
        seconds: time spent in steps.
    """

    epoch: int = 0
    batch: int = 0
    iteration: int = 0
    rows: int = 0
    best: float | None = None
    seconds: float = 0.0


@dataclasses.dataclass
class Taken:
    """A step that was taken, and whose losses may still be on the device.

    Attributes:
        row: what the journal gets beside the loss: iteration, epoch, lr.
        losses: of each batch of the group; arrays of a single number.
        ids: the names of each batch's images.
    """

    row: dict[str, Any]
    losses: list[arrays.Array]
    ids: list[list[str]]


class Trainer:
    """Trains a net as a recipe says and keeps the run in a folder.

    The folder gets ``log.csv``, ``curves.png``, ``epoch_NNN.png`` of some validation
    images, ``last.npz`` and ``best.npz`` (highest mean IU).

    Args:
        recipe: the settings.
        model: a net with initialised arrays.
        train: what to learn from.
        val: what to validate on; None: no validation.
        folder: where the run is kept; must exist.
        device: one of `arrays.DEVICES`; the net is moved there.
        class_weights: (n_classes,) weights of the loss, or None.
        saved: a checkpoint of this very run to go on from.
        title: stands before the progress bar.
        talk: whether to write a line per epoch on standard error.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: FCN,
        train: Dataset,
        val: Dataset | None,
        folder: str | Path,
        *,
        device: str = "cpu",
        class_weights: np.ndarray | None = None,
        saved: Checkpoint | None = None,
        title: str = "",
        talk: bool = True,
    ) -> None:
        self.recipe = recipe
        self.model = model
        model.to(device)
        self.train_set, self.val_set = train, val
        self.folder = Path(folder)
        self.device = device
        self.class_weights = class_weights
        self.loss_weights = (
            None if class_weights is None else arrays.to_device(class_weights, device)
        )
        self.optimizer = SGD(
            model.named_parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        self.loader = _make_loader(recipe, train)
        self.total = _count_steps(recipe, len(self.loader))
        self.schedule = recipe.lr_schedule(self.total)
        self.at = self._restore(saved) if saved else Position()
        self.progress = Progress(self.total, self.at.iteration, title, talk)
        self.stop = StopRequest()
        self.journal = Journal(self.folder / "log.csv", self.at.rows)
        self.last_ids: list[str] = []
        self.unread: list[Taken] = []
        self.unread_since = 0.0  # on the clock of time.perf_counter

    @property
    def finished(self) -> bool:
        """Whether all steps are taken and the last validation is done."""
        return self.at.iteration >= self.total and self.at.batch == 0

    def train(self) -> dict[str, float]:
        """Train to the end; return the scores of the last validation.

        Raises:
            TrainingStopped: after Ctrl-C (or SIGTERM) the run was saved.
            TrainingFailed: the loss or the weights are not finite.
        """
        with self.stop, self.progress:
            while not self.finished:
                self.run_epoch()
                self.end_epoch()
        return self.scores()

    def run_epoch(self) -> None:
        """Take the steps that are left of the epoch under way."""
        self.model.train()
        batches = self.loader.epoch(self.at.epoch, self.at.batch)
        # Left early (a stop, an error), the loader's threads must end too.
        with closing(cast(Generator[Batch], batches)):
            counted = self._sampled(batches)
            groups = grouped(moved(counted, self.device), self.recipe.iter_size)
            # The last epoch may hold more batches than there are steps left.
            for group in islice(groups, self.total - self.at.iteration):
                self.step(group)
                self.pause_if_asked()
                self.save_if_due()

    def _sampled(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Leave out of the loss what the recipe's `sample` does not draw."""
        return sampled(
            batches,
            self.recipe.sample,
            self.recipe.seed,
            self.at.epoch,
            self.at.batch,
            self.train_set.ignore_index,
        )

    def step(self, group: list[Batch]) -> None:
        """Take one step of SGD on the mean gradient of a group of batches."""
        if not self.unread:
            self.unread_since = time.perf_counter()
        self.last_ids = [id for batch in group for id in batch.ids]
        self.optimizer.zero_grad()
        self.optimizer.lr = self.schedule(self.at.iteration)
        losses = []
        for left, batch in zip(reversed(range(len(group))), group, strict=True):
            loss = self.loss_of(batch)
            if left:
                loss.backward()  # gradients add up
            else:
                self.optimizer.descend(loss, divide_by=len(group))
            losses.append(loss.data)
        self.at.iteration += 1
        self.at.batch += len(group)
        row = {
            "iteration": self.at.iteration,
            "epoch": self.at.epoch + 1,
            "lr": self.optimizer.lr,
        }
        self.unread.append(Taken(row, losses, [batch.ids for batch in group]))
        waited = time.perf_counter() - self.unread_since
        if self.device == "cpu" or waited > READ_AFTER:
            self.read_losses()

    def loss_of(self, batch: Batch) -> Tensor:
        """Run a batch forward; return its loss."""
        x = Tensor(arrays.to_device(batch.x, self.device))
        target = arrays.to_device(batch.target, self.device)
        loss = ops.cross_entropy(
            self.model(x),
            target,
            weight=self.loss_weights,
            ignore_index=self.train_set.ignore_index,
            reduction=self.recipe.loss,
            check=False,  # as they were when read: here a GPU would be waited for
        )
        if self.device == "cpu":
            self._check_loss(loss.item(), batch.ids, self.at.iteration)
        return loss

    def read_losses(self) -> None:
        """Log and show the steps whose losses were not read yet.

        Raises:
            TrainingFailed: a loss is not finite. On a device that is seen some steps
                later than it happened, but before anything is saved.
        """
        taken, self.unread = self.unread, []
        # The first to be read waits for the device: before the clock is looked at.
        losses = [[float(loss) for loss in step.losses] for step in taken]
        seconds = time.perf_counter() - self.unread_since
        for step, values in zip(taken, losses, strict=True):
            for value, ids in zip(values, step.ids, strict=True):
                self._check_loss(value, ids, step.row["iteration"] - 1)
            self._record(step, sum(values) / len(values), seconds / len(taken))

    def end_epoch(self) -> None:
        """Validate where it is due, move to the next epoch, and save."""
        self.read_losses()
        samples = self.validate() if self._validation_due() else None
        self.at.epoch += 1
        self.at.batch = 0
        # Before anything is saved: a broken net replaces no checkpoint.
        self._check_weights()
        if samples is not None:
            self._publish(samples)
        every = self.recipe.keep_every
        if every and self.at.epoch % every == 0:
            self.save(f"epoch_{self.at.epoch:03d}.npz")
        self.save("last.npz")

    def validate(self) -> list[Prediction]:
        """Score the validation set into the journal; return samples to look at."""
        assert self.val_set is not None
        n = len(self.val_set.class_names)
        shown = set(_spread(len(self.val_set), self.recipe.pictures))
        hist = np.zeros((n, n), np.int64)
        samples = []
        watch = bar("validating")
        for sample in predictions_on(self.device, self.model, self.val_set, watch):
            hist += metrics.confusion_matrix(sample.label, sample.predicted, n)
            samples += [brought_back(sample)] if sample.number in shown else []
            self.pause_if_asked()
        self.journal.append(
            iteration=self.at.iteration, epoch=self.at.epoch + 1, **metrics.scores(hist)
        )
        return samples

    def scores(self) -> dict[str, float]:
        """Return the four scores of the last validation; {} before the first."""
        rows = [row for row in self.journal.read() if "mean_iu" in row]
        # scores([[1]]): only the names of the four are wanted.
        return {k: rows[-1][k] for k in metrics.scores([[1]])} if rows else {}

    def pause_if_asked(self) -> None:
        """Save and raise TrainingStopped if Ctrl-C was pressed."""
        if self.stop.requested:
            self.save("last.npz")
            raise TrainingStopped(self.folder)

    def save_if_due(self) -> None:
        """Save if the recipe wants it after this many steps."""
        every = self.recipe.save_every
        if every and self.at.iteration % every == 0:
            self.save("last.npz")

    def save(self, name: str) -> None:
        """Write a checkpoint of this moment into the folder."""
        self.read_losses()
        self._check_weights()
        self.at.rows = self.journal.rows
        weights = self.class_weights
        meta = {
            "model": self.model.config,
            **checkpoint.about(self.train_set),
            "images": checkpoint.fingerprint(self.train_set),
            "recipe": self.recipe.as_dict(),
            "class_weights": None if weights is None else weights.tolist(),
            "multipliers": multipliers(self.model),
            "position": dataclasses.asdict(self.at),
            "random_state": nn.random_state(),
        }
        model = _to_numpy(self.model.state_dict())
        velocity = _to_numpy(self.optimizer.state_dict())
        checkpoint.save(self.folder / name, Checkpoint(model, meta, velocity))

    def _restore(self, saved: Checkpoint) -> Position:
        self.optimizer.load_state_dict(saved.velocity)
        nn.set_random_state(saved.meta["random_state"])
        return Position(**saved.meta["position"])

    def _record(self, step: Taken, loss: float, seconds: float) -> None:
        self.at.seconds += seconds
        self.journal.append(**step.row, loss=loss)
        self.progress.step(loss, sum(map(len, step.ids)), seconds)

    def _publish(self, samples: list[Prediction]) -> None:
        """Say how validation went, draw it, and keep the net if it is the best."""
        scores = self.scores()
        epoch, iu = self.at.epoch, scores["mean_iu"]
        self.progress.say(_epoch_line(epoch, self.at.iteration, scores))
        if not math.isnan(iu) and (self.at.best is None or iu > self.at.best):
            self.at.best = iu
            self.save("best.npz")
        album.draw_samples(
            self.folder / f"epoch_{epoch:03d}.png", samples, self.train_set
        )
        album.draw_curves(self.folder / "curves.png", self.journal.read())

    def _validation_due(self) -> bool:
        last = self.at.iteration >= self.total
        due = (self.at.epoch + 1) % self.recipe.validate_every == 0
        return self.val_set is not None and (last or due)

    def _check_loss(self, loss: float, ids: list[str], iteration: int) -> None:
        if not math.isfinite(loss):
            self._fail(f"the loss is {loss}", ids, iteration)

    def _check_weights(self) -> None:
        # Waits for the device once a parameter: it is done before a save, no oftener.
        for name, parameter in self.model.named_parameters():
            xp = arrays.array_module(parameter.data)
            if not xp.isfinite(parameter.data).all():
                what = f"the weights {name} are no longer finite"
                self._fail(what, self.last_ids, self.at.iteration)

    def _fail(self, what: str, ids: list[str], iteration: int) -> None:
        lr = self.schedule(iteration)
        raise TrainingFailed(
            f"{what} at iteration {iteration} (images {', '.join(ids)}; "
            f"learning rate {lr:g}); the last checkpoint is as it was. "
            "A lower --lr often helps"
        )


def grouped(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of ``size`` items; the last may be shorter."""
    items = iter(items)
    while group := list(islice(items, size)):
        yield group


def _make_loader(recipe: Recipe, dataset: Dataset) -> Loader:
    blue, green, red = dataset.mean_bgr
    augment = Augment(
        mirror=recipe.mirror,
        scale=(recipe.scale[0], recipe.scale[1]),
        crop=recipe.crop,
        jitter=recipe.jitter,
        fill=(round(red), round(green), round(blue)),  # RGB
    )
    return Loader(
        dataset,
        recipe.batch_size,
        seed=recipe.seed,
        augment=augment,
        order=recipe.order,
        workers=recipe.workers,
        cache_bytes=recipe.cache << 20,  # MiB → bytes
    )


def _count_steps(recipe: Recipe, batches: int) -> int:
    steps_per_epoch = -(-batches // recipe.iter_size)  # the last may have fewer
    return recipe.iterations or recipe.epochs * steps_per_epoch


def _spread(n: int, count: int) -> list[int]:
    """Return ``count`` indices spread over 0 .. n - 1."""
    # The middles of `count` equal parts.
    return [(2 * k + 1) * n // (2 * count) for k in range(count)]


def _to_numpy(state: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: arrays.to_numpy(array) for name, array in state.items()}


def _epoch_line(epoch: int, iteration: int, scores: dict[str, float]) -> str:
    return (
        f"epoch {epoch:3d}   iteration {iteration:6d}   "
        f"pixel accuracy {100 * scores['pixel_accuracy']:5.1f}   "
        f"mean IU {100 * scores['mean_iu']:5.1f}"
    )
