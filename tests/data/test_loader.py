"""The loader: what it gives, in which order, and that it leaves no thread behind."""

import itertools
import signal
import threading
import time

import numpy as np
import pytest

from minifcn.data import Augment, DataError, Loader, voc_palette


class Toys:
    """A data set in memory: sample i is filled with i; reading takes a while."""

    ignore_index = 255
    mean_bgr = (0.0, 0.0, 0.0)

    def __init__(self, n: int = 11, delays: tuple[float, ...] = (0.0,)) -> None:
        self.ids = [f"toy {k}" for k in range(n)]
        self.class_names = ["nothing", *self.ids]
        self.palette = voc_palette(n + 1)
        self.delays = delays
        self.reads: list[int] = []

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.reads.append(index)
        time.sleep(self.delays[index % len(self.delays)])
        size = (8 + index % 3, 10 + index % 2)
        return np.full((*size, 3), index, np.uint8), np.full(size, index, np.uint8)


class Broken(Toys):
    """Sample 6 cannot be read."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if index == 6:
            raise DataError("toy 6 is damaged")
        return super().__getitem__(index)


def indices(batches) -> list[int]:
    return [int(id.split()[1]) for batch in batches for id in batch.ids]


def assert_same(some, others) -> None:
    pairs = list(itertools.zip_longest(some, others))
    assert pairs
    for one, other in pairs:
        assert one.ids == other.ids
        assert one.sizes == other.sizes
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.target, other.target)


def loader_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("minifcn-loader")]


@pytest.fixture(autouse=True)
def no_thread_left():
    assert not loader_threads()
    yield
    assert not loader_threads()


# order -------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_sequential(workers) -> None:
    loader = Loader(Toys(), 4, order="sequential", workers=workers)
    batches = list(loader.epoch(5))
    assert len(loader) == len(batches) == 3
    assert indices(batches) == list(range(11))
    assert [len(batch.x) for batch in batches] == [4, 4, 3]
    assert batches[1].x[2, :, 0, 0].tolist() == [6, 6, 6]
    assert batches[1].target[2, 0, 0] == 6


def test_shuffle_takes_each_once_and_epochs_differ() -> None:
    loader = Loader(Toys(40), 3, seed=7)
    first, second = (indices(loader.epoch(e)) for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert first != list(range(40))
    assert indices(Loader(Toys(40), 3, seed=8).epoch(0)) != first


def test_replacement_draws_some_twice() -> None:
    loader = Loader(Toys(40), 3, order="replacement")
    drawn = indices(loader.epoch(0))
    assert len(drawn) == 40
    assert 15 < len(set(drawn)) < 35


def test_order_does_not_share_a_stream_with_the_samples() -> None:
    """default_rng((s, e)) is default_rng((s, e, 0)): the order must not use it."""
    order = Loader(Toys(50), seed=3).epoch_order(2)
    for i in range(50):
        assert (
            order.tolist() != np.random.default_rng((3, 2, i)).permutation(50).tolist()
        )


def test_sample_i_of_epoch_e_has_a_stream_of_its_own() -> None:
    thrown = {}

    def augment(image, label, rng):
        thrown[int(label[0, 0])] = rng.random()
        return image, label

    loader = Loader(Toys(), 4, seed=9, augment=augment)
    order = indices(loader.epoch(2))
    for i, index in enumerate(order):
        assert thrown[index] == np.random.default_rng((9, 2, i)).random()


# the same bits whatever the workers --------------------------------------------


@pytest.mark.parametrize("order", ["shuffle", "sequential", "replacement"])
@pytest.mark.parametrize(("workers", "prefetch"), [(1, 1), (2, 4), (5, 2), (3, 30)])
def test_same_batches_whatever_the_timing(order, workers, prefetch) -> None:
    augment = Augment(True, (0.5, 2.0), (7, 9))
    plain = Loader(Toys(), 2, seed=4, augment=augment, order=order, workers=0)
    slow = Toys(delays=(0.0, 0.02, 0.003, 0.01))
    threaded = Loader(
        slow,
        2,
        seed=4,
        augment=augment,
        order=order,
        workers=workers,
        prefetch=prefetch,
    )
    assert_same(plain.epoch(3), threaded.epoch(3))


@pytest.mark.parametrize("order", ["shuffle", "replacement"])
@pytest.mark.parametrize("start", [0, 1, 3, 5])
def test_an_epoch_is_entered_again_in_the_middle(order, start) -> None:
    augment = Augment(True, (0.5, 2.0), (7, 9))
    whole = list(Loader(Toys(), 2, seed=4, augment=augment, order=order).epoch(3))
    again = Loader(Toys(), 2, seed=4, augment=augment, order=order)
    assert_same(whole[start:], again.epoch(3, start))
    assert list(again.epoch(3, len(whole))) == []


def test_two_epochs_at_once() -> None:
    loader = Loader(Toys(), 2)
    pairs = list(zip(loader.epoch(1), loader.epoch(1), strict=True))
    assert_same(*zip(*pairs, strict=True))


# reading ahead -----------------------------------------------------------------


class InPairs(Toys):
    """A sample is read only while another is being read, too."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.meeting = threading.Barrier(2, timeout=30)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.meeting.wait()
        return super().__getitem__(index)


def test_workers_read_at_the_same_time() -> None:
    loader = Loader(InPairs(12), workers=2, prefetch=8)
    assert sorted(indices(loader.epoch(0))) == list(range(12))


def test_reads_ahead_while_a_batch_is_used_but_not_further() -> None:
    toys = Toys(60)
    batches = Loader(toys, 2, order="sequential", prefetch=3).epoch(0)
    next(batches)
    time.sleep(0.2)
    assert sorted(toys.reads) == list(range(2 * (1 + 3)))
    batches.close()


def test_cache_reads_each_sample_once() -> None:
    toys, plain = Toys(), Toys()
    augment = Augment(True, (0.5, 2.0), (7, 9))
    cached = Loader(toys, 3, augment=augment, cache_bytes=1 << 20)
    uncached = Loader(plain, 3, augment=augment)
    for epoch in range(3):
        assert_same(cached.epoch(epoch), uncached.epoch(epoch))
    assert sorted(toys.reads) == list(range(11))
    assert len(plain.reads) == 33


def test_what_the_cache_keeps_cannot_be_written_over() -> None:
    def spoil(image, label, rng):
        image[:] = 0
        return image, label

    loader = Loader(Toys(4), augment=spoil, workers=0, cache_bytes=1 << 20)
    with pytest.raises(ValueError, match="read-only"):
        list(loader.epoch(0))


def test_cache_keeps_its_budget() -> None:
    toys = Toys(9)
    loader = Loader(toys, order="sequential", cache_bytes=1000, workers=1)
    for _ in range(2):
        list(loader.epoch(0))
    # 8x10, 9x11, 10x10 ... pixels of 4 bytes: the first two fit, and none after them
    assert toys.reads == [*range(9), *range(2, 9)]


# leaving -----------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_break_ends_the_threads(workers) -> None:
    toys = Toys(60, delays=(0.01,))
    for number, _ in enumerate(Loader(toys, workers=workers, prefetch=40).epoch(0)):
        assert loader_threads()
        if number == 2:
            break
    assert not loader_threads()
    assert len(toys.reads) < 12


def test_exception_in_the_loop_ends_the_threads() -> None:
    def train() -> None:
        for _ in Loader(Toys(60)).epoch(0):
            raise FloatingPointError("the loss is not finite")

    with pytest.raises(FloatingPointError):
        train()
    assert not loader_threads()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_exception_in_a_worker_comes_out_as_itself(workers) -> None:
    taken = []
    loader = Loader(Broken(), 2, order="sequential", workers=workers)
    with pytest.raises(DataError, match=r"^toy 6 is damaged$"):
        taken.extend(loader.epoch(0))
    assert indices(taken) == [0, 1, 2, 3, 4, 5]
    assert not loader_threads()


def test_ctrl_c_while_waiting_ends_the_threads() -> None:
    toys = Toys(60, delays=(0.1,))
    interrupt = threading.Timer(0.15, signal.raise_signal, [signal.SIGINT])
    # started in the background by a shell, a process ignores Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            list(Loader(toys, 5).epoch(0))
    finally:
        interrupt.join()
        signal.signal(signal.SIGINT, before)
    assert len(toys.reads) < 60
    assert not loader_threads()


def test_epoch_never_begun_starts_nothing() -> None:
    toys = Toys()
    Loader(toys).epoch(0)
    assert not toys.reads


# arguments ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"prefetch": 0}, "prefetch must be at least 1"),
        ({"workers": -1}, "workers must be at least 0"),
        ({"seed": -3}, "seed must be at least 0, not -3"),
        ({"cache_bytes": -1}, "cache_bytes must be at least 0"),
        ({"order": "random"}, "order must be one of shuffle, sequential, replacement"),
    ],
)
def test_bad_arguments(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        Loader(Toys(), **arguments)


@pytest.mark.parametrize(("epoch", "start"), [(-1, 0), (0, -1), (0, 5)])
def test_bad_epoch(epoch, start) -> None:
    with pytest.raises(ValueError, match=r"epoch|start"):
        Loader(Toys(), 3).epoch(epoch, start)
