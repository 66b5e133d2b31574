"""A training step in float32 makes no larger array of float64 on its way."""

import sys
import threading

import numpy as np
import pytest

from minifcn import Tensor, autograd, models, nn, ops, optim

LARGE = 1000  # numbers


def doubles(work):
    """The functions of minifcn that held or returned a large float64 array."""
    found = set()

    def watch(frame, event, returned):
        name = frame.f_globals.get("__name__", "")
        if event != "return" or not name.startswith("minifcn"):
            return
        held = [
            array
            for array in (returned, *frame.f_locals.values())
            if isinstance(array, np.ndarray) and array.size >= LARGE
        ]
        if any(array.dtype == np.float64 for array in held):
            found.add(f"{name}.{frame.f_code.co_name}")

    threading.setprofile(watch)  # of workers that begin now
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return found


def step(dtype=np.float32):
    nn.seed(0)
    # Wide enough for large weights, and for every algorithm of convolution.
    net = models.fcn8s_at_once(5, width=0.25)
    net.train()
    for name, parameter in net.named_parameters():
        if name.startswith("score") and parameter.ndim == 4:  # zeros would hide much
            parameter.data += np.float32(0.01)
    descent = optim.SGD(net.named_parameters(), 1e-6, 0.9, 5e-4)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 3, 41, 58), np.float32).astype(dtype)
    target = rng.integers(0, 5, (1, 41, 58))
    weight = np.arange(1, 6, dtype=np.float32)
    if dtype != np.float32:
        net.to(dtype="float64")
    return lambda: descent.descend(ops.cross_entropy(net(Tensor(x)), target, weight))


@pytest.fixture(autouse=True)
def own_workers(monkeypatch):
    """Threads of this test alone, which begin while it watches."""
    from minifcn import arrays

    arrays._pool.cache_clear()
    monkeypatch.setattr(arrays, "threads", lambda: 2)
    yield
    arrays._pool.cache_clear()


def test_no_hidden_double_precision():
    assert doubles(step()) == set()


def test_the_watch_sees_double_precision(monkeypatch):
    assert len(doubles(step(np.float64))) > 20
    own = autograd.Add.backward
    monkeypatch.setattr(
        autograd.Add, "backward", lambda self, gy: own(self, gy * np.float64(1.0))
    )
    assert doubles(step())
