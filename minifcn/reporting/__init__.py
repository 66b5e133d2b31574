"""A page that compares runs: settings, curves, scores, confusion, images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from minifcn.data import PairFiles, open_dataset
from minifcn.files import replacing
from minifcn.reporting import scoring
from minifcn.reporting.page import page
from minifcn.reporting.runs import Run, read_runs
from minifcn.reporting.scoring import Evaluation, Net
from minifcn.training import checkpoint
from minifcn.training.evaluation import Wrapper

__all__ = ["Evaluation", "Run", "compare", "page", "read_runs", "write"]


def compare(
    folders: Sequence[str | Path],
    split: str | None = None,
    images: int = 3,
    device: str = "cpu",
    wrap: Callable[[str], Wrapper] = lambda name: iter,
) -> list[Run]:
    """Gather what is known of some runs; score their nets where that is not known.

    What a net scores is kept in its run's folder as ``evaluation.json``. What cannot
    be had of a run is told in its ``missing``.

    Args:
        folders: of the runs.
        split: the list of images to score on; of each run its own validation's if None.
        images: how many of the best and of the worst images to keep, each.
        device: one of `minifcn.arrays.DEVICES`.
        wrap: makes of a run's name what may show the progress of its evaluation.

    Raises:
        FileNotFoundError: a folder is not there.
        ValueError: one holds no run, or is named twice.
    """
    runs = read_runs(folders)
    for run in runs:
        add_scores(run, split, images, device, wrap(run.name))
    return runs


def write(path: str | Path, runs: Sequence[Run]) -> None:
    """Write the page of some runs, a single file.

    Raises:
        FileNotFoundError: there is no folder to write in.
    """
    with replacing(path) as file:
        file.write(page(runs).encode("utf-8", "replace"))


def add_scores(
    run: Run, split: str | None, images: int, device: str, wrap: Wrapper
) -> None:
    """Add scores and images to a run, or say what hinders it."""
    split = chosen_split(run, split)
    dataset = _open(run, split)
    try:
        net = Net(checkpoint.find(run.folder), device)
        run.evaluation = _evaluation(run, net, dataset, split, wrap)
        if dataset and run.evaluation:
            _add_examples(run, net, dataset, images)
    except (ValueError, OSError) as error:
        run.missing.append(f"{error}.")
    if run.evaluation is None:
        run.missing.append("it has no scores, no confusion and no images here.")


def chosen_split(run: Run, split: str | None) -> str:
    """Return the list that was asked for, else that of the run's validation."""
    own = run.settings.get("val_split")
    return split or (own if isinstance(own, str) and own != "none" else "val")


def _open(run: Run, split: str) -> PairFiles | None:
    root = run.settings.get("data")
    if not isinstance(root, str) or not root:
        run.missing.append("it does not say on what data it was trained.")
        return None
    try:
        return open_dataset(root, split)
    except (ValueError, OSError) as error:
        run.missing.append(f"its images cannot be read: {error}.")
        return None


def _evaluation(
    run: Run, net: Net, dataset: PairFiles | None, split: str, wrap: Wrapper
) -> Evaluation | None:
    """Return what is kept, if it is still true; else compute it, and keep it."""
    known = scoring.kept(run.folder)
    if known and known.split != split:
        known = None
    if known and known.holds(net, dataset):
        return known
    if dataset is None:
        if known:
            run.missing.append(
                f"its scores are those of an earlier {known.checkpoint}, as kept in "
                f"{scoring.KEPT}."
            )
        return known
    evaluation = scoring.evaluate(net, dataset, split, wrap)
    try:
        scoring.keep(run.folder, evaluation)
    except OSError as error:
        run.missing.append(f"its scores could not be kept for the next time: {error}.")
    return evaluation


def _add_examples(run: Run, net: Net, dataset: PairFiles, images: int) -> None:
    assert run.evaluation is not None
    worst, best = scoring.ends(run.evaluation.ranked(), images)
    run.worst = scoring.examples(net, dataset, run.evaluation, worst)
    run.best = scoring.examples(net, dataset, run.evaluation, best)
