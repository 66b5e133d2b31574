"""The loop: what a step is, and that a run can be cut anywhere and go on."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minifcn import Tensor, metrics, nn, ops
from minifcn.data import open_dataset, scenes
from minifcn.training import (
    Recipe,
    Trainer,
    TrainingFailed,
    TrainingStopped,
    checkpoint,
    evaluate,
    resume,
    start,
)
from minifcn.training.setup import build_model
from tests.training.runs import run, same_arrays, tiny

FIXTURE = Path(__file__).parents[1] / "fixtures" / "first_losses.json"


def losses(trainer: Trainer) -> list[float]:
    return [row["loss"] for row in trainer.journal.read() if "loss" in row]


# ------------------------------------------------------------ to be cut and to go on


def stop_after(trainer: Trainer, steps: int) -> None:
    """Press Ctrl-C in the given step, and train until it takes effect."""
    take = trainer.step

    def step(group: Any) -> None:
        take(group)
        trainer.stop.requested = trainer.at.iteration == steps

    trainer.step = step  # type: ignore[method-assign]
    with pytest.raises(TrainingStopped):
        trainer.train()


@pytest.mark.parametrize(
    "steps, changes",
    [
        (1, {"scale": (0.7, 1.3), "crop": (40, 32)}),
        (4, {}),  # the last step of the first epoch: validation is still to come
        (6, {"class_weights": "balanced", "schedule": "step", "step_every": 3}),
        (3, {"iter_size": 3, "order": "replacement"}),
        (2, {"order": "replacement", "workers": 0, "batch_size": 1}),
        (3, {"sample": 0.5}),
        (2, {"sample": 0.25, "iter_size": 2, "loss": "sum", "lr": 1e-5}),
        (5, {"jitter": 9, "mirror": False}),
        (6, {"jitter": 32, "sample": 0.5, "order": "replacement", "crop": (40, 32)}),
        (3, {"iterations": 6, "workers": 0, "validate_every": 2}),
        (6, {"iterations": 6, "net": "fcn32s", "loss": "batch", "lr": 1e-5}),
    ],
)
def test_resumed_run_is_the_run_that_never_stopped(
    data: Path, tmp_path: Path, steps: int, changes: dict[str, Any]
) -> None:
    whole = run(data, tmp_path / "whole", **changes)
    stop_after(start(tiny(data, **changes), tmp_path / "cut", talk=False), steps)
    nn.seed(12345)  # another process has another state
    resume(tmp_path / "cut").train()

    for name in ("last.npz", "best.npz"):
        ours, theirs = (checkpoint.load(tmp_path / f / name) for f in ("cut", "whole"))
        assert same_arrays(ours.model, theirs.model)
        assert same_arrays(ours.velocity, theirs.velocity)
        for meta in (ours.meta, theirs.meta):
            del meta["position"]["seconds"]
        assert ours.meta == theirs.meta
    log = (tmp_path / "cut" / "log.csv").read_bytes()
    assert log == (whole.folder / "log.csv").read_bytes()
    assert len(losses(whole)) == whole.total


def test_stop_during_validation(data: Path, tmp_path: Path) -> None:
    whole = run(data, tmp_path / "whole")
    cut = start(tiny(data), tmp_path / "cut", talk=False)
    validate = cut.validate

    def stopped() -> Any:
        cut.stop.requested = True
        return validate()

    cut.validate = stopped  # type: ignore[method-assign]
    with pytest.raises(TrainingStopped):
        cut.train()
    assert cut.at.epoch == 0  # not after the validation
    again = resume(tmp_path / "cut")
    again.train()
    log = (tmp_path / "cut" / "log.csv").read_text()
    assert log == (whole.folder / "log.csv").read_text()
    assert same_arrays(again.model.state_dict(), whole.model.state_dict())


def test_crash_loses_what_came_after_the_checkpoint(data: Path, tmp_path: Path) -> None:
    whole = run(data, tmp_path / "whole", save_every=3)
    cut = start(tiny(data, save_every=3), tmp_path / "cut", talk=False)

    def crash() -> Any:
        raise OSError("the disk is gone")

    cut.validate = crash  # type: ignore[method-assign]
    with pytest.raises(OSError, match=r"disk"):
        cut.train()
    again = resume(tmp_path / "cut")
    assert again.at.iteration == 3
    again.train()
    log = (tmp_path / "cut" / "log.csv").read_text()
    assert log == (whole.folder / "log.csv").read_text()
    assert same_arrays(again.model.state_dict(), whole.model.state_dict())


def test_complete_run_has_nothing_left(trained: Trainer) -> None:
    before = (trained.folder / "last.npz").read_bytes()
    again = resume(trained.folder)
    assert again.finished
    assert again.train() == trained.scores()
    assert (trained.folder / "last.npz").read_bytes() == before


def test_resume_needs_the_same_classes(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "scenes")
    run(tmp_path / "scenes", tmp_path / "run", iterations=1)
    with open(tmp_path / "scenes" / "classes.txt", "a") as file:
        file.write("another\n")
    with pytest.raises(checkpoint.CheckpointError, match=r"6 classes .* has 7"):
        resume(tmp_path / "run")


def test_resume_needs_the_same_images(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "scenes")
    run(tmp_path / "scenes", tmp_path / "run", iterations=1)
    listed = tmp_path / "scenes" / "ImageSets" / "Segmentation" / "train.txt"
    ids = listed.read_text().splitlines()
    listed.write_text("\n".join(ids[1:]))
    with pytest.raises(checkpoint.CheckpointError, match="have changed since"):
        resume(tmp_path / "run")
    listed.write_text("\n".join(ids[::-1]))  # another order gives another run, too
    with pytest.raises(checkpoint.CheckpointError, match="have changed since"):
        resume(tmp_path / "run")


@pytest.mark.parametrize(
    "key, value",
    [
        ("palette", [[300, 0, 0]] * 6),
        ("palette", [[0, 0, 0]] * 5),
        ("palette", "red"),
        ("class_names", None),
        ("mean_bgr", [1.0, float("nan"), 2.0]),
        ("mean_bgr", [1.0, 2.0]),
    ],
)
def test_senseless_description_is_refused(
    trained: Trainer, tmp_path: Path, key: str, value: Any
) -> None:
    saved = checkpoint.load(trained.folder / "last.npz")
    saved.meta[key] = value
    checkpoint.save(tmp_path / "last.npz", saved)
    with pytest.raises(checkpoint.CheckpointError, match="do not agree"):
        checkpoint.load(tmp_path / "last.npz")


def test_resume_needs_a_run(trained: Trainer, tmp_path: Path) -> None:
    saved = checkpoint.load(trained.folder / "last.npz")
    del saved.meta["position"]
    checkpoint.save(tmp_path / "last.npz", saved)
    with pytest.raises(checkpoint.CheckpointError, match=r"lacks position"):
        resume(tmp_path)


# ------------------------------------------------------------------------ what it does


def test_first_losses() -> None:
    """The first 20 losses; tests/fixtures/make_first_losses.py makes them anew."""
    from tests.fixtures.make_first_losses import first_losses

    stored = json.loads(FIXTURE.read_text())["losses"]
    assert len(stored) == 20
    np.testing.assert_allclose(first_losses(), stored, rtol=1e-3)


def test_two_scenes_are_learned_by_heart(tmp_path: Path) -> None:
    root = scenes.write(tmp_path / "scenes", 2, 1, (32, 48), seed=1)
    trainer = run(
        root,
        tmp_path / "run",
        val_split="none",
        iterations=100,
        lr=0.05,
        weight_decay=0.0,
        dropout=0.0,
        mirror=False,
        width=(8, 12, 16, 16, 16),
        fc_channels=24,
    )
    first = losses(trainer)[0]
    assert first == pytest.approx(math.log(6), rel=1e-3)  # score layers begin at zero
    figures = metrics.scores(evaluate(trainer.model, open_dataset(root, "train")))
    assert figures["pixel_accuracy"] > 0.9
    assert figures["mean_iu"] > 0.7
    assert not (trainer.folder / "best.npz").exists()


def test_step_is_forward_loss_backward_update(data: Path, tmp_path: Path) -> None:
    recipe = tiny(data, class_weights=(1.0, 2.0, 0.5, 3.0, 1.5, 1.0), dropout=0.0)
    trainer = start(recipe, tmp_path / "run")
    batches = list(trainer.loader.epoch(0))[:2]
    w, expected = np.array([1, 2, 0.5, 3, 1.5, 1], np.float32), []
    for batch in batches:
        y = trainer.model(Tensor(batch.x))
        loss = ops.cross_entropy(y, batch.target, w)
        loss.backward()
        expected.append(loss.item())
    gradients = {n: p.grad for n, p in trainer.model.named_parameters()}
    before = {n: p.data.copy() for n, p in trainer.model.named_parameters()}
    trainer.step(batches)
    assert losses(trainer) == [pytest.approx(sum(expected) / 2)]
    for name, p in trainer.model.named_parameters():
        if p.lr_mult == 0:
            assert np.array_equal(p.data, before[name])
            continue
        decay = 5e-4 * p.decay_mult * before[name]
        moved = before[name] - 0.02 * p.lr_mult * (gradients[name] / 2 + decay)
        np.testing.assert_allclose(p.data, moved, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", ["sum", "batch", "mean"])
def test_batches_add_up_as_in_caffe(data: Path, tmp_path: Path, loss: str) -> None:
    """Two batches of one image, summed and halved, against one batch of both."""
    shared = dict(order="sequential", mirror=False, dropout=0.0, iterations=1)
    # by images: batch / 2; one by one, then halved: the same. sum: twice as much.
    lr = 2e-6 if loss != "mean" else 0.02
    one = run(
        data,
        tmp_path / "one",
        **shared,
        loss=loss,
        lr=lr / 2 if loss == "sum" else lr,
    )
    two = run(
        data, tmp_path / "two", **shared, loss=loss, lr=lr, batch_size=1, iter_size=2
    )
    ours, theirs = one.model.state_dict(), two.model.state_dict()
    begun = build_model_of(data).state_dict()
    assert any(np.abs(ours[k] - begun[k]).max() > 1e-6 for k in ours)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-7)


def build_model_of(data: Path) -> nn.Module:
    return build_model(tiny(data), 6)


def test_learning_rate_follows_the_schedule(trained: Trainer) -> None:
    rates = [row["lr"] for row in trained.journal.read() if "lr" in row]
    assert rates == pytest.approx([0.02 * (1 - i / 8) ** 0.9 for i in range(8)])


def test_journal_tells_of_every_step_and_validation(trained: Trainer) -> None:
    rows = trained.journal.read()
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert [row["epoch"] for row in rows] == [1] * 5 + [2] * 5
    assert ["mean_iu" in row for row in rows] == ([False] * 4 + [True]) * 2


def test_best_is_the_best(data: Path, tmp_path: Path) -> None:
    trainer = start(tiny(data, epochs=5), tmp_path / "run", talk=False)
    ious = iter([0.2, 0.5, 0.4, 0.5, float("nan")])

    def validate() -> list[Any]:
        scores = dict.fromkeys(metrics.scores([[1]]), 0.9) | {"mean_iu": next(ious)}
        trainer.journal.append(
            iteration=trainer.at.iteration, epoch=trainer.at.epoch + 1, **scores
        )
        return []

    trainer.validate = validate  # type: ignore[method-assign]
    trainer.train()
    best = checkpoint.load(tmp_path / "run" / "best.npz").meta["position"]
    assert (best["epoch"], best["best"]) == (2, 0.5)
    last = checkpoint.load(tmp_path / "run" / "last.npz").meta["position"]
    assert (last["epoch"], last["best"]) == (5, 0.5)


def test_training_is_in_training_mode(
    data: Path, tmp_path: Path, trained: Trainer
) -> None:
    trainer = start(tiny(data), tmp_path / "run", talk=False)
    trainer.model.eval()
    trainer.train()
    assert losses(trainer) == losses(trained)


def test_replacement_learns_some_images_twice(data: Path, tmp_path: Path) -> None:
    trainer = start(
        tiny(data, order="replacement", val_split="none"), tmp_path / "run", talk=False
    )
    seen: list[list[str]] = [[], []]
    take = trainer.step

    def step(group: Any) -> None:
        seen[trainer.at.epoch] += [id for batch in group for id in batch.ids]
        take(group)

    trainer.step = step  # type: ignore[method-assign]
    trainer.train()
    assert [len(epoch) for epoch in seen] == [7, 7]
    assert all(len(set(epoch)) < 7 for epoch in seen)
    assert seen[0] != seen[1]


def test_jitter_shifts_what_is_learned(data: Path, tmp_path: Path) -> None:
    recipe = tiny(data, jitter=20, mirror=False, order="sequential", batch_size=1)
    trainer = start(recipe, tmp_path / "run", talk=False)
    shifts = set()
    for index, batch in enumerate(trainer.loader.epoch(0)):
        rows, columns = np.nonzero(batch.target[0] != 255)
        label = trainer.train_set[index][1]
        (down, right), n = (rows.min(), columns.min()), len(rows)
        if down and right:  # moved down and right: what is left is the beginning
            h, w = label[: 32 - down, : 48 - right].shape
            assert h * w == n
            np.testing.assert_array_equal(batch.target[0, down:, right:], label[:h, :w])
        shifts.add((down, right, n))
    assert len(shifts) == 7
    assert all(n >= 12 * 28 for _, _, n in shifts)


def test_pictures_and_recipe_lie_in_the_folder(trained: Trainer, data: Path) -> None:
    names = {path.name for path in trained.folder.iterdir()}
    assert names == {
        "run.json",
        "log.csv",
        "curves.png",
        "epoch_001.png",
        "epoch_002.png",
        "last.npz",
        "best.npz",
    }
    assert Recipe.read(trained.folder / "run.json") == trained.recipe
    with Image.open(trained.folder / "epoch_002.png") as picture:
        colours = {c for _, c in picture.convert("RGB").getcolors(1 << 24) or []}
    truth = np.unique(open_dataset(data, "val")[0][1])
    assert {tuple(c) for c in trained.train_set.palette[truth].tolist()} <= colours


def test_checkpoints_to_keep(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "run", epochs=4, keep_every=2, validate_every=4)
    kept = sorted(path.name for path in (tmp_path / "run").glob("epoch_*.npz"))
    assert kept == ["epoch_002.npz", "epoch_004.npz"]


# ------------------------------------------------------------------ what can go wrong


def write_folder(root: Path, labels: list[np.ndarray]) -> Path:
    """A data set of one's own with the given labels and noise for photographs."""
    rng = np.random.default_rng(3)
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    (root / "classes.txt").write_text("ground\nthing\n")
    ids = [f"{i:02d}" for i in range(len(labels))]
    for id, label in zip(ids, labels, strict=True):
        noise = rng.integers(0, 256, (*label.shape, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / "images" / f"{id}.png")
        Image.fromarray(label).save(root / "labels" / f"{id}.png")
    (root / "train.txt").write_text("\n".join(ids))
    return root


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_batch_without_a_valid_pixel(tmp_path: Path, weights: str) -> None:
    void = np.full((20, 31), 255, np.uint8)
    half = (np.arange(20 * 31).reshape(20, 31) % 7 < 3).astype(np.uint8)
    root = write_folder(tmp_path / "own", [void, half, void])
    trainer = run(
        root,
        tmp_path / "run",
        batch_size=1,
        order="sequential",
        val_split="none",
        class_weights=weights,
    )
    assert [loss > 0 for loss in losses(trainer)] == [False, True, False] * 2
    assert all(np.isfinite(a).all() for a in trainer.model.state_dict().values())


def test_batch_of_unequal_sizes(tmp_path: Path) -> None:
    sizes = [(20, 31), (33, 9), (1, 1), (12, 40)]
    labels = [np.indices(size).sum(axis=0).astype(np.uint8) % 2 for size in sizes]
    root = write_folder(tmp_path / "own", labels)
    trainer = run(root, tmp_path / "run", val_split="train", batch_size=3)
    rows = trainer.journal.read()
    assert all(math.isfinite(row.get("loss", 0)) for row in rows)
    hist = evaluate(trainer.model, trainer.train_set)
    assert hist.sum() == sum(h * w for h, w in sizes)


def test_loss_that_is_not_finite(data: Path, tmp_path: Path) -> None:
    trainer = start(tiny(data, save_every=1), tmp_path / "run", talk=False)
    take = trainer.step

    def step(group: Any) -> None:
        if trainer.at.iteration == 2:
            trainer.model.fc7.bias.data[3] = np.inf
        take(group)

    trainer.step = step  # type: ignore[method-assign]
    with np.errstate(all="ignore"), pytest.raises(TrainingFailed) as error:
        trainer.train()
    ids = list(trainer.loader.epoch(0))[2].ids
    assert "the loss is nan at iteration 2" in str(error.value)
    assert f"images {ids[0]}, {ids[1]}; learning rate 0.0154" in str(error.value)
    saved = checkpoint.load(tmp_path / "run" / "last.npz")
    assert saved.meta["position"]["iteration"] == 2
    assert all(np.isfinite(a).all() for a in saved.model.values())


def test_weights_that_are_not_finite_are_not_saved(data: Path, tmp_path: Path) -> None:
    trainer = start(tiny(data), tmp_path / "run", talk=False)
    trainer.save("last.npz")
    before = (tmp_path / "run" / "last.npz").read_bytes()
    trainer.model.conv2_1.weight.data[0, 1, 2, 0] = np.nan
    with pytest.raises(TrainingFailed, match=r"weights conv2_1.weight .* iteration 0"):
        trainer.save("last.npz")
    assert (tmp_path / "run" / "last.npz").read_bytes() == before


def test_folder_with_a_run_is_left_alone(trained: Trainer, data: Path) -> None:
    with pytest.raises(ValueError, match=r"holds a run already: --resume"):
        start(tiny(data), trained.folder)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"class_weights": (1.0, 2.0)}, "has 2 numbers; .* has 6"),
        ({"val_split": "test"}, "no list .*test.txt"),
        ({"init_from": "nowhere.npz"}, "no checkpoint nowhere.npz"),
        ({"weights": "nowhere.npz"}, "nowhere.npz"),
    ],
)
def test_misuse_is_found_before_anything_is_written(
    data: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        start(tiny(data, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sizes_are_compared_before_training(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "own", [np.zeros((20, 31), np.uint8)] * 2)
    Image.fromarray(np.zeros((31, 20), np.uint8)).save(root / "labels" / "01.png")
    with pytest.raises(ValueError, match=r"01.png is 31x20 .* is 20x31") as error:
        start(tiny(root, val_split="none"), tmp_path / "run")
    assert "they must be equal" in str(error.value)
    assert not (tmp_path / "run").exists()
