"""Trained nets for the experiments: each is trained once, kept, and shared.

Under ``--out`` beside the experiments' own folders:

    scenes-…/         the generated scenes (without --data)
    classifier-….npz  what nets on scenes begin with (see `pretraining`)
    nets/NAME-SEED/   a run of `minifcn train` each: run.json, log.csv, last.npz, …

A net that another experiment trained by the same recipe is taken as it is, and one
whose training was interrupted is trained to its end; it is trained anew where the
recipe, the list of images or the file that it began with has changed. A run gives the
same bits whenever it is done, so that nothing depends on which experiments came before.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from minifcn import training
from minifcn.data import PairFiles, open_dataset, scenes
from minifcn.models import FCN
from minifcn.training import CheckpointError, Recipe, Trainer, checkpoint

from . import pretraining, seeds
from .frame import Cell, Column, Settings

SIZE = (112, 144)  # of a scene, height and width in pixels
N_TRAIN, N_VAL = 840, 60
STEPS = 400  # of a whole training
QUICK = 100  # with --quick that many times fewer of everything
NEVER = 10**6  # epochs between validations: at the end alone

Change = Callable[[FCN], None]


class Trained(NamedTuple):
    """A net at the end of its training.

    Attributes:
        folder: its run.
        scores: the four measures on the validation images, as fractions.
        seconds: time spent in steps.
        log: the rows of log.csv: iteration, lr, loss, …
    """

    folder: Path
    scores: dict[str, float]
    seconds: float
    log: list[dict[str, float]]

    @property
    def last(self) -> Path:
        """The checkpoint, for `init_from`."""
        return self.folder / "last.npz"

    def net(self) -> FCN:
        """Return the net itself, in evaluation mode, on the CPU."""
        net = checkpoint.restore_model(checkpoint.load(self.last))
        net.eval()
        return net


class Lab:
    """Where nets are trained on one data set, scenes unless another is named."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seeds = range(settings.seed, settings.seed + settings.seeds)

    @cached_property
    def data(self) -> Path:
        """The folder of the data set; scenes are drawn when first asked for."""
        if self.settings.data is not None:
            return self.settings.data
        return self.scenes(self._few(N_TRAIN, 4), self._few(N_VAL, 4), SIZE)

    def scenes(self, n_train: int, n_val: int, size: tuple[int, int]) -> Path:
        """Draw scenes, unless they are there; return their folder."""
        seed = self.settings.seed
        name = f"scenes-{n_train}-{n_val}-{size[0]}x{size[1]}-{seed}"
        path = self.settings.shared / name
        if not path.is_dir():
            scenes.write(path, n_train, n_val, size, seed)
        return path

    @cached_property
    def val(self) -> PairFiles:
        """The images that are scored."""
        return open_dataset(self.data, self.settings.split)

    @cached_property
    def classifier(self) -> Path:
        """The pretrained weights of nets on scenes; trained when first asked for."""
        plan = pretraining.Plan(*(self._few(n, 2) for n in pretraining.Plan()))
        seed = self.settings.seed
        path = self.settings.shared / f"classifier-{plan.steps}-{seed}.npz"
        return pretraining.pretrained(path, plan, seed, self.settings.device)

    def recipe(self, net: str = "fcn32s", share: float = 1.0, **changes: Any) -> Recipe:
        """Return how a net is trained here.

        Args:
            net: one of `models.NETWORKS`.
            share: of the steps of a whole training.
            changes: settings of the recipe that differ.
        """
        base = self._base
        if "init_from" in changes:  # what that net began with is in it
            changes = {"weights": None, **changes}
        changes = {"iterations": max(1, round(share * self.steps)), **changes}
        return dataclasses.replace(base, net=net, **changes)

    @cached_property
    def steps(self) -> int:
        """Steps of a whole training."""
        base = self._base
        if base.iterations is not None:
            return base.iterations
        images = len(open_dataset(base.data, base.train_split))
        return base.epochs * -(-images // (base.batch_size * base.iter_size))

    @cached_property
    def _base(self) -> Recipe:
        """What all trainings here have in common."""
        common: dict[str, Any] = {
            "data": str(self.data.resolve()),
            "val_split": self.settings.split,
            "validate_every": NEVER,
            "pictures": 1,
            "save_every": 500,  # an interrupted training goes on from there
        }
        if self.settings.data is None:
            return self._on_scenes(common)
        recipe = Recipe.read(self.settings.recipe or "slim")
        if self.settings.weights is not None:
            common |= {"weights": str(self.settings.weights), "init_from": None}
        if self.settings.quick:
            common["iterations"] = self._few(STEPS, 2)
        return dataclasses.replace(recipe, **common)

    def _on_scenes(self, common: dict[str, Any]) -> Recipe:
        return Recipe(
            trunk="vgg11",
            width=pretraining.WIDTH,
            fc_channels=pretraining.FC_CHANNELS,
            fc_kernel=pretraining.FC_KERNEL,
            dropout=0.0,
            weights=str(self.classifier.resolve()),
            freeze="conv1_1",
            iterations=self._few(STEPS, 2),
            batch_size=3,
            lr=0.06,
            warm_up=20,
            **common,
        )

    def train(
        self, name: str, recipe: Recipe, seed: int, change: Change | None = None
    ) -> Trained:
        """Train a net by a recipe, or take the one that is there.

        Args:
            name: what the net is, for its folder: letters, digits, - and _.
            recipe: as of :meth:`recipe`; its seed is replaced.
            seed: of everything random.
            change: alters the arrays or multipliers of the new net before it learns.
                Its name must tell that, as the recipe does not.

        Raises:
            ValueError: no pixel of the labels that are scored counts.
        """
        recipe = dataclasses.replace(recipe, seed=seed)
        folder = self.settings.shared / "nets" / f"{name}-{seed}"
        trainer = self._trainer(folder, recipe, f"{name} {seed}", change)
        scores = trainer.scores() if trainer.finished else trainer.train()
        if math.isnan(scores["mean_iu"]):
            raise ValueError(
                f"nothing can be scored: no pixel of the labels of {self.data} "
                f"({self.settings.split}) counts, all are to be ignored"
            )
        return Trained(folder, scores, trainer.at.seconds, _steps_of(trainer))

    def train_all(
        self,
        name: str,
        recipe: Recipe | Sequence[Recipe],
        change: Change | None = None,
    ) -> list[Trained]:
        """Train a net with every seed; ``recipe`` may be one for each."""
        recipes = [recipe] * len(self.seeds) if isinstance(recipe, Recipe) else recipe
        return [
            self.train(name, one, seed, change)
            for one, seed in zip(recipes, self.seeds, strict=True)
        ]

    def coarse_nets(self) -> list[Trained]:
        """Return the FCN-32s that most comparisons begin with, for every seed."""
        return self.train_all("fcn32s", self.recipe("fcn32s"))

    def remark(self) -> str:
        """Say in a line how nets were trained and scored."""
        classes = "" if self.settings.data else ", on a classifier of portraits"
        count = len(self.seeds)
        means = f"mean of {count} seeds (lowest to highest)"
        return (
            f"{self.steps} steps in a whole training{classes}; scored on "
            f"{len(self.val)} images; per cent, {means if count > 1 else 'one seed'}"
        )

    def _trainer(
        self, folder: Path, recipe: Recipe, title: str, change: Change | None
    ) -> Trainer:
        trainer = self._kept(folder, recipe, title)
        if trainer is not None:
            return trainer
        if (folder / "run.json").is_file():
            shutil.rmtree(folder)
        device = self.settings.device
        trainer = training.start(recipe, folder, device, title, talk=False)
        if change is not None:
            change(trainer.model)
        return trainer

    def _kept(self, folder: Path, recipe: Recipe, title: str) -> Trainer | None:
        """Take up a run of this very recipe and these images; None if it is another."""
        run, last = folder / "run.json", folder / "last.npz"
        if not (run.is_file() and last.is_file()) or Recipe.read(run) != recipe:
            return None
        if _is_newer(recipe.init_from, run) or _is_newer(recipe.weights, run):
            return None  # it began with what that file held before
        try:
            return training.resume(folder, self.settings.device, title, talk=False)
        except CheckpointError:  # of other images, or damaged
            return None

    def _few(self, n: int, least: int) -> int:
        return max(least, n // QUICK) if self.settings.quick else n


def _is_newer(path: str | None, run: Path) -> bool:
    """Whether a file was written after a run had begun."""
    return path is not None and Path(path).stat().st_mtime > run.stat().st_mtime


def _steps_of(trainer: Trainer) -> list[dict[str, float]]:
    return [row for row in trainer.journal.read() if "loss" in row]


MEASURES = (
    Column("mean_iu", "mean IU", "spread"),
    Column("pixel_accuracy", "pixel accuracy", "spread"),
    Column("mean_accuracy", "mean accuracy", "spread"),
    Column("frequency_weighted_iu", "f.w. IU", "spread"),
)
"""The columns of what :func:`measured` returns."""


def measured(nets: Sequence[Trained]) -> dict[str, Cell]:
    """Return the cells of a row: the four measures over the seeds."""
    cells: dict[str, Cell] = {}
    for column in MEASURES:
        cells |= seeds.spread(column.key, scores_of(nets, column.key))
    return cells


def scores_of(nets: Sequence[Trained], measure: str = "mean_iu") -> list[float]:
    """Return one of the four measures of each net."""
    return [net.scores[measure] for net in nets]
