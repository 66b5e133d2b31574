"""A recipe: every setting of a training run, checked, to be read from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minifcn import optim
from minifcn.data.loader import ORDERS
from minifcn.models import NETWORKS
from minifcn.models.fcn import FUSIONS
from minifcn.models.trunks import FIRST_PADDING, LAYOUTS
from minifcn.nn import INITIALISERS
from minifcn.training import recipes, rules

SCHEDULES = ("constant", "step", "poly")
REDUCTIONS = ("mean", "batch", "sum")


def setting(default: Any, help: str, **more: Any) -> Any:
    """Return a field with its explanation; the command line makes an option of it."""
    return dataclasses.field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True)
class Recipe:
    """What is trained on what, and how. Everything but the device it runs on.

    The defaults are a slim net that two processor cores train overnight at most; the
    paper's net has ``width=1.0``, ``fc_channels=4096`` and ``geometry="caffe"``.

    Raises:
        ValueError: a setting is out of range; names it, its value and what is allowed.
    """

    data: str = setting("", "folder of the data set")
    train_split: str = setting("train", "list of images to train on")
    val_split: str = setting("val", "list of images to validate on, or 'none'")

    net: str = setting("fcn8s", "which FCN", choices=tuple(NETWORKS))
    trunk: str = setting("vgg16", "convolutions below the head", choices=tuple(LAYOUTS))
    width: float | tuple[int, ...] = setting(
        (16, 32, 64, 128, 128), "channels of the five stages, or a multiple of VGG's"
    )
    geometry: str = setting(
        "same",
        "borders: 'caffe' pads by 100 as the paper does",
        choices=tuple(FIRST_PADDING),
    )
    fc_channels: int | tuple[int, int] = setting(256, "channels of fc6 and fc7")
    fc_kernel: int = setting(7, "size of fc6's kernel, odd")
    initialiser: str = setting(
        "he", "how new weights are drawn", choices=tuple(INITIALISERS)
    )
    dropout: float = setting(0.5, "share of fc6 and fc7 dropped while training")
    skip_scales: tuple[float, float] | None = setting(
        None, "factors of pool4 and pool3 before they are scored"
    )
    fusion: str = setting(
        "sum", "how a pool's scores join the coarser ones", choices=tuple(FUSIONS)
    )
    learned_upsampling: bool = setting(
        False, "let training change the bilinear enlargements"
    )
    weights: str | None = setting(None, "file of pretrained weights for the trunk")
    trunk_lr: float = setting(1.0, "what was pretrained learns so many times as fast")
    freeze: str = setting("", "layers that stay as they are, e.g. conv1_,conv2_1")
    init_from: str | None = setting(None, "checkpoint of a coarser net to start from")

    epochs: int = setting(30, "how often every image is seen")
    iterations: int | None = setting(None, "steps in all, instead of epochs")
    batch_size: int = setting(4, "images that go through the net together")
    iter_size: int = setting(1, "batches whose gradients make one step")
    loss: str = setting(
        "mean", "over valid pixels; 'batch': sum / images", choices=REDUCTIONS
    )
    sample: float = setting(
        1.0, "patch sampling: share of the 32 x 32 cells that the loss counts"
    )
    class_weights: str | tuple[float, ...] = setting(
        "none", "'none', 'balanced' (median frequency), or one number per class"
    )
    weight_power: float = setting(1.0, "balanced: (median / frequency)^power")
    weight_limit: float = setting(10.0, "balanced weights stay in 1/limit .. limit")

    lr: float = setting(0.01, "learning rate at the start")
    momentum: float = setting(0.9, "share of the last step that is taken again")
    weight_decay: float = setting(5e-4, "pull of the weights towards 0")
    schedule: str = setting("poly", "how lr falls", choices=SCHEDULES)
    power: float = setting(0.9, "poly: lr·(1 - iteration/iterations)^power")
    step_every: int = setting(1000, "step: iterations between two falls")
    gamma: float = setting(0.1, "step: factor of each fall")

    warm_up: int = setting(0, "iterations in which lr grows to what it should be")

    mirror: bool = setting(True, "swap left and right of every second image")
    scale: tuple[float, float] = setting(
        (1.0, 1.0), "smallest and largest random factor of size"
    )
    crop: tuple[int, int] | None = setting(None, "height and width of random crops")
    jitter: int = setting(0, "pixels by which images are shifted at most, at random")
    order: str = setting(
        "shuffle",
        "of the images in an epoch; 'replacement': each drawn from all",
        choices=ORDERS,
    )
    seed: int = setting(0, "of everything random")
    workers: int = setting(2, "threads that read images")
    cache: int = setting(512, "megabytes of images to keep in memory")

    validate_every: int = setting(1, "epochs between two validations")
    pictures: int = setting(3, "validation images to draw each time")
    save_every: int = setting(0, "iterations between two saves; 0: after each epoch")
    keep_every: int = setting(
        0, "epochs between two checkpoints that are kept; 0: none"
    )

    def __post_init__(self) -> None:
        """Check every setting."""
        fields = dataclasses.fields(self)
        for field in fields:
            allowed = field.metadata.get("choices")
            value = getattr(self, field.name)
            if allowed and value not in allowed:
                raise ValueError(f"{field.name} is {value!r}; {_one_of(allowed)}")
        rules.check({field.name: getattr(self, field.name) for field in fields})

    def lr_schedule(self, total: int) -> Callable[[int], float]:
        """Return the learning rate as a function of the iteration, of ``total``."""
        return optim.warm_up(self._falling(total), self.warm_up)

    def _falling(self, total: int) -> Callable[[int], float]:
        if self.schedule == "poly":
            return optim.poly(self.lr, total, self.power)
        if self.schedule == "step":
            return optim.step(self.lr, self.step_every, self.gamma)
        return optim.constant(self.lr)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings by name, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Recipe:
        """Make a recipe of what :meth:`as_dict` gave, after JSON too.

        Raises:
            ValueError: a name that is no setting, or a value out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is no setting of a recipe; {_one_of(known)}"
            )
        return cls(**{name: _tuples(value) for name, value in settings.items()})

    @classmethod
    def read(cls, recipe: str | Path) -> Recipe:
        """Read a packaged recipe by its name, or a file: TOML, or JSON as ``run.json``.

        Raises:
            FileNotFoundError: there is neither; names the packaged ones.
            ValueError: the file is no recipe; names it, and says why.
        """
        path = recipes.find(recipe)
        settings = recipes.read(path)
        try:
            return cls.from_dict(settings)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _one_of(allowed: Any) -> str:
    return "it must be one of " + ", ".join(str(value) for value in allowed)
