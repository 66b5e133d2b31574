"""The paper's first comparison in small: FCN-32s, then 16s from it, then 8s from that.

Nets on a slim VGG-11 learn to name the toys of generated scenes.
Each begins with the weights of the coarser one before it (Long et al. 2015, section
4.2), and is scored on scenes that none has seen.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from minifcn import pictures
from minifcn.data import PairFiles, open_dataset, scenes
from minifcn.data.files import Pixels
from minifcn.training import Recipe, Trainer, predict, start

NETS = {"fcn32s": "FCN-32s", "fcn16s": "FCN-16s", "fcn8s": "FCN-8s"}
STEPS = {"fcn32s": 600, "fcn16s": 400, "fcn8s": 1350}
RATES = {"fcn32s": 0.05, "fcn16s": 0.04, "fcn8s": 0.04}
SIZE = (112, 144)  # pixels, height and width
N_TRAIN, N_VAL = 840, 60
SHOWN = (0, 1, 2, 3)  # scenes in the picture

Scores = dict[str, dict[str, float]]


def recipe(data: Path, net: str, coarser: Path | None, seed: int) -> Recipe:
    """Return how the demo trains ``net``, beginning with the weights of ``coarser``."""
    return Recipe(
        data=str(data),
        net=net,
        trunk="vgg11",
        width=(16, 32, 64, 96, 96),
        fc_channels=128,
        dropout=0.0,
        init_from=None if coarser is None else str(coarser),
        iterations=STEPS[net],
        batch_size=3,
        lr=RATES[net],
        warm_up=30,
        validate_every=1000,  # epochs: at the end alone
        seed=seed,
    )


def run(
    out: str | Path, seed: int = 0, device: str = "cpu", talk: bool = True
) -> Scores:
    """Draw scenes, train the three nets in the paper's order, compare them.

    Args:
        out: a folder; gets ``scenes``, the three runs, and ``demo.png``: photo, truth
            and what each net makes of it.
        seed: of the scenes and of everything random in training.
        device: one of `arrays.DEVICES`.
        talk: whether to write a line per validation on standard error.

    Returns:
        {"fcn32s": {"pixel_accuracy": ..., ...}, "fcn16s": ..., "fcn8s": ...}
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    data = scenes.write(out / "scenes", N_TRAIN, N_VAL, SIZE, seed)
    val = open_dataset(data, "val")
    scores: Scores = {}
    columns = _photos_and_truth(val)
    coarser = None
    for net, title in NETS.items():
        folder = _empty_run(out / net, data)
        plan = recipe(data, net, coarser, seed)
        trainer = start(plan, folder, device, title, talk)
        scores[net] = trainer.train()
        columns.append(_predictions(trainer, val))
        coarser = folder / "last.npz"
    _draw(out / "demo.png", columns, val)
    return scores


def _empty_run(folder: Path, data: Path) -> Path:
    """Remove the run of an earlier demo, and nothing else."""
    settings = folder / "run.json"
    if settings.is_file() and Path(Recipe.read(settings).data) == data.resolve():
        shutil.rmtree(folder)
    return folder


def _photos_and_truth(val: PairFiles) -> list[list[Pixels]]:
    pairs = [val[index] for index in SHOWN]
    truth = [pictures.colour(label, val.palette) for _, label in pairs]
    return [[image for image, _ in pairs], truth]


def _predictions(trainer: Trainer, val: PairFiles) -> list[Pixels]:
    labels = [
        predict(trainer.model, val[index][0], val.mean_bgr, trainer.device)
        for index in SHOWN
    ]
    return [pictures.colour(label, val.palette) for label in labels]


def _draw(path: Path, columns: list[list[Pixels]], val: PairFiles) -> None:
    rows = list(zip(*columns, strict=True))
    titles = ("photo", "truth", *NETS.values())
    sheet = pictures.grid(rows, titles, val.class_names, val.palette, cell=256)
    pictures.save_image(path, sheet)
