"""Training on a device: a GPU, or the emulated one, which takes the very same steps."""

import math
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn import arrays, emulated
from minifcn.data import Batch, open_dataset
from minifcn.training import (
    Trainer,
    TrainingFailed,
    TrainingStopped,
    checkpoint,
    evaluate,
    feeding,
    loop,
    predict,
    resume,
    start,
)
from tests.training.runs import same_arrays, tiny

SLIM = {
    "net": "fcn8s",
    "width": 1 / 16,
    "fc_channels": 32,
    "batch_size": 2,
    "iterations": 20,
    "lr": 0.02,
    "momentum": 0.9,
    "weight_decay": 0.0005,
}


@pytest.fixture
def emulation() -> None:
    """For what looks into the emulated device; skips where it cannot be had."""
    require_compiler()


def require_compiler() -> None:
    try:
        emulated.compiler()
    except emulated.NoCompiler as error:
        pytest.skip(str(error))


def losses(trainer: Trainer) -> list[float]:
    return [row["loss"] for row in trainer.journal.read() if "loss" in row]


def trained_on(device: str, data: Path, folder: Path, **changes: Any) -> Trainer:
    trainer = start(tiny(data, **changes), folder, device, talk=False)
    trainer.train()
    return trainer


def same_runs(ours: Trainer, theirs: Trainer) -> bool:
    one, other = (checkpoint.load(t.folder / "last.npz") for t in (ours, theirs))
    return same_arrays(one.model, other.model) and same_arrays(
        one.velocity, other.velocity
    )


def test_slim_fcn8s_has_the_losses_of_the_cpu(
    device: str, data: Path, tmp_path: Path
) -> None:
    slim = SLIM | {"dropout": 0.0}
    cpu, other = (
        trained_on(name, data, tmp_path / name, **slim) for name in ("cpu", device)
    )
    assert len(losses(other)) == 20
    np.testing.assert_allclose(losses(other), losses(cpu), rtol=0, atol=1e-4)
    assert losses(cpu)[-1] < 0.8 * losses(cpu)[0]  # there was something to compute
    for name, array in cpu.model.state_dict().items():
        moved = other.model.state_dict()[name]
        assert arrays.device_of(moved) == device
        np.testing.assert_allclose(moved.get(), array, rtol=0, atol=1e-4, err_msg=name)
    # Not a law (one pixel at a kink could turn), but of this run it is true.
    for name, score in cpu.scores().items():
        assert other.scores()[name] == pytest.approx(score, abs=0.01)


def test_same_seed_gives_the_same_bits(device: str, data: Path, tmp_path: Path) -> None:
    changes = {"dropout": 0.5, "class_weights": "balanced"}
    one, other = (trained_on(device, data, tmp_path / name, **changes) for name in "ab")
    third = trained_on(device, data, tmp_path / "c", seed=1, **changes)
    assert losses(one) == losses(other) != losses(third)
    assert same_runs(one, other)
    assert not same_runs(one, third)


def test_a_step_brings_nothing_back(
    emulation: None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an array nor a number: a GPU would be waited for."""
    slim = SLIM | {"class_weights": "balanced"}
    trainer = start(tiny(data, **slim), tmp_path, "emulated", talk=False)
    batches = trainer.loader.epoch(0, 0)
    (group, *_) = loop.grouped(feeding.moved(batches, "emulated"), 2)

    def read(*_: Any) -> Any:
        raise AssertionError("a number was read back")

    trainer.step(group)  # compiles
    for name in ("get", "item", "tolist", "__bool__", "__float__", "__int__"):
        monkeypatch.setattr(emulated.EmulatedArray, name, read)
    monkeypatch.setattr(loop, "READ_AFTER", math.inf)
    trainer.step(group)
    with pytest.raises(AssertionError, match="read back"):
        trainer.read_losses()


def test_order_of_the_threads_changes_no_bit(
    emulation: None, data: Path, tmp_path: Path
) -> None:
    from minifcn.cuda import host

    one = trained_on("emulated", data, tmp_path / "one", epochs=1)
    host.shuffle(20150611)
    try:
        other = trained_on("emulated", data, tmp_path / "other", epochs=1)
    finally:
        host.shuffle(0)
    assert same_runs(one, other)


def test_resumed_run_is_the_run_that_never_stopped(
    device: str, data: Path, tmp_path: Path
) -> None:
    whole = trained_on(device, data, tmp_path / "whole")
    cut = start(tiny(data), tmp_path / "cut", device, talk=False)
    take = cut.step

    def step(group: Any) -> None:
        take(group)
        cut.stop.requested = cut.at.iteration == 3

    cut.step = step  # type: ignore[method-assign]
    with pytest.raises(TrainingStopped):
        cut.train()
    rest = resume(tmp_path / "cut", device)
    rest.train()
    assert same_runs(rest, whole)
    log = (rest.folder / "log.csv").read_bytes()
    assert log == (whole.folder / "log.csv").read_bytes()


def test_run_goes_on_where_it_did_not_begin(
    device: str, data: Path, tmp_path: Path
) -> None:
    half = trained_on(device, data, tmp_path / "run", iterations=4)
    saved = checkpoint.load(half.folder / "last.npz")
    assert all(type(array) is np.ndarray for array in saved.model.values())
    assert saved.velocity
    on_cpu = resume(half.folder)
    assert on_cpu.device == "cpu"
    assert same_arrays(on_cpu.model.state_dict(), saved.model)


# ----------------------------------------------------------- losses that are read late


def test_losses_are_read_when_it_is_time(
    device: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "READ_AFTER", math.inf)
    trainer = start(tiny(data, batch_size=1), tmp_path / "run", device, talk=False)
    batches = list(feeding.moved(trainer.loader.epoch(0), device))
    for batch in batches[:3]:
        trainer.step([batch])
    assert losses(trainer) == []
    assert len(trainer.unread) == 3

    monkeypatch.setattr(loop, "READ_AFTER", 0)
    trainer.step(batches[3:5])
    rows = trainer.journal.read()
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4]
    assert trainer.unread == []
    assert trainer.at.seconds == pytest.approx(
        sum(r[2] for r in trainer.progress.recent)
    )

    monkeypatch.setattr(loop, "READ_AFTER", math.inf)
    trainer.step(batches[5:6])
    trainer.save("last.npz")  # a checkpoint knows of all steps before it
    assert len(losses(trainer)) == 5


def test_loss_that_is_not_finite_is_found_late_and_not_saved(
    device: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "READ_AFTER", math.inf)
    trainer = start(tiny(data, batch_size=1), tmp_path / "run", device, talk=False)
    first, second, third, *_ = feeding.moved(trainer.loader.epoch(0), device)
    trainer.step([first])
    trainer.save("last.npz")
    before = (tmp_path / "run" / "last.npz").read_bytes()
    second.x[...] = math.inf
    with np.errstate(invalid="ignore"):
        trainer.step([second])
        trainer.step([third])
    with pytest.raises(TrainingFailed, match=f"nan at iteration 1.*{second.ids[0]}"):
        trainer.save("last.npz")
    assert (tmp_path / "run" / "last.npz").read_bytes() == before


# ------------------------------------------------------------------------- evaluation


def test_evaluation_counts_on_the_device(
    emulation: None, trained: Trainer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = open_dataset(data, "val")
    saved = checkpoint.load(trained.folder / "last.npz")
    expected = evaluate(checkpoint.restore_model(saved), val)
    model = checkpoint.restore_model(saved).to("emulated")
    brought: list[tuple[int, ...]] = []
    get = emulated.EmulatedArray.get

    def watched(array: Any) -> np.ndarray:
        brought.append(array.shape)
        return get(array)

    monkeypatch.setattr(emulated.EmulatedArray, "get", watched)
    hist = evaluate(model, val, "emulated")
    n = len(val.class_names)
    assert brought == [(n * n + 1,)] * len(val)  # the tables, and nothing else
    assert type(hist) is np.ndarray
    # A score or two may be so near to another that rounding decides.
    assert np.abs(hist - expected).sum() <= 4
    assert hist.sum() == expected.sum()


def test_prediction_is_a_label_in_the_computers_memory(
    device: str, trained: Trainer, data: Path
) -> None:
    image, _ = open_dataset(data, "val")[0]
    saved = checkpoint.load(trained.folder / "last.npz")
    ours = predict(checkpoint.restore_model(saved), image)
    model = checkpoint.restore_model(saved).to(device)
    theirs = predict(model, image, device=device)
    assert type(theirs) is np.ndarray
    assert theirs.dtype == np.uint8
    assert (ours != theirs).mean() < 0.01


# ---------------------------------------------------------------- batches on their way


def some_batches(count: int) -> Iterator[Batch]:
    for i in range(count):
        x = np.full((1, 3, 2 + i, 5), i, np.float32)
        target = np.full((1, 2 + i, 5), i, np.uint8)
        yield Batch(x, target, [str(i)], [(2 + i, 5)])


def test_batches_are_moved(device: str) -> None:
    for given, batch in zip(
        some_batches(3), feeding.moved(some_batches(3), device), strict=True
    ):
        assert arrays.device_of(batch.x) == arrays.device_of(batch.target) == device
        np.testing.assert_array_equal(batch.x.get(), given.x)
        np.testing.assert_array_equal(batch.target.get(), given.target)
        assert batch.ids == given.ids
    same = next(some_batches(1))
    (batch,) = feeding.moved([same], "cpu")
    assert batch.x is same.x


class Stage:
    """What `Copier` uses of CuPy, written down: streams, events and copies as words."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.main = Stream(self, "main")
        self.cuda = self
        self.pinned: list[Any] = []

    def Stream(self, non_blocking: bool) -> "Stream":
        assert non_blocking  # the default stream would wait for a blocking one
        return Stream(self, "copy")

    def get_current_stream(self) -> "Stream":
        return self.main

    def alloc_pinned_memory(self, size: int) -> "Pinned":
        memory = Pinned(size + 7)  # CuPy's is rounded up, too
        self.pinned.append(weakref.ref(memory))
        return memory

    def empty(self, shape: Any, dtype: Any) -> Any:
        stage = self

        class Array(np.ndarray):
            def set(self, source: np.ndarray, stream: Any) -> None:
                self[...] = source
                stage.said.append(f"{stream.name} copies {int(source.flat[0])}")

        return np.empty(shape, dtype).view(Array)


class Pinned(bytearray):
    """Memory of which one can know whether it is still held."""


class Stream:
    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self.name = stage, name

    def record(self) -> "Event":
        return Event(self.stage, self.name)

    def wait_event(self, event: "Event") -> None:
        self.stage.said.append(f"{self.name} waits for {event.stream}")

    def synchronize(self) -> None:
        self.stage.said.append(f"host waits for {self.name}")


class Event:
    def __init__(self, stage: Stage, stream: str) -> None:
        self.stage, self.stream = stage, stream

    def synchronize(self) -> None:
        self.stage.said.append(f"host waits for {self.stream}")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(feeding, "cupy", lambda: stage)
    return stage


COPY = ["copy waits for main", "copy copies {0}", "copy copies {0}"]
COPIED = [[word.format(i) for word in COPY] for i in range(3)]
STEPS = [["main waits for copy", f"step {i}", "host waits for copy"] for i in range(3)]


def test_next_batch_is_copied_while_one_is_worked_on(stage: Stage) -> None:
    for i, batch in enumerate(feeding.moved(some_batches(3), "cuda")):
        stage.said.append(f"step {i}")
        np.testing.assert_array_equal(batch.x, np.full((1, 3, 2 + i, 5), i))
        np.testing.assert_array_equal(batch.target, np.full((1, 2 + i, 5), i))
        assert all(memory() is not None for memory in stage.pinned[2 * i :])
    first, second, third = COPIED
    parts = [first, second, STEPS[0], third, *STEPS[1:], ["host waits for copy"]]
    assert stage.said == [word for part in parts for word in part]


def test_copies_under_way_are_waited_for_when_nobody_wants_more(stage: Stage) -> None:
    """Else their memory would be used again while they write to it."""
    batches = iter(feeding.moved(some_batches(3), "cuda"))
    next(batches)
    assert stage.said == [*COPIED[0], *COPIED[1], "main waits for copy"]
    batches.close()  # type: ignore[attr-defined]
    assert stage.said[7:] == ["host waits for copy"]


def unreadable_third() -> Iterator[Batch]:
    yield from some_batches(2)
    raise OSError("the third cannot be read")


@pytest.mark.parametrize("device", arrays.DEVICES)
def test_batches_before_one_that_cannot_be_read_all_come(
    stage: Stage, device: str
) -> None:
    if device == "emulated":
        require_compiler()
    batches = iter(feeding.moved(unreadable_third(), device))
    assert [next(batches).ids for _ in range(2)] == [["0"], ["1"]]
    with pytest.raises(OSError, match="the third cannot be read"):
        next(batches)
    if device == "cuda":
        assert stage.said[-1] == "host waits for copy"


def test_no_batches_are_none(stage: Stage) -> None:
    assert list(feeding.moved([], "cuda")) == []
