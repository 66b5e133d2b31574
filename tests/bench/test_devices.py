"""The stopwatch's view of a device; of a GPU through a stand-in for CuPy."""

from types import SimpleNamespace

import pytest

from minifcn.bench import devices


@pytest.mark.parametrize("device", ["cpu", "emulated"])
def test_without_a_gpu_the_memory_is_the_process(device):
    wait, peak = devices.clockwork("minifcn", device)
    assert wait() is None
    before = peak()
    held = bytearray(64 << 20)
    held[::4096] = b"x" * len(held[::4096])  # every page is really there
    assert peak() >= max(before, 64 << 20)


def test_a_gpu_is_waited_for_and_its_pool_is_asked(monkeypatch):
    # No GPU has run this; the names are those of CuPy's documentation.
    waited = []
    stream = SimpleNamespace(synchronize=lambda: waited.append(1))
    runtime = SimpleNamespace(
        getDevice=lambda: 1, getDeviceProperties=lambda n: {"name": b"GPU %d" % n}
    )
    fake = SimpleNamespace(
        cuda=SimpleNamespace(get_current_stream=lambda: stream, runtime=runtime),
        get_default_memory_pool=lambda: SimpleNamespace(total_bytes=lambda: 12345),
    )
    monkeypatch.setattr(devices, "cupy", lambda: fake)
    wait, peak = devices.clockwork("minifcn", "cuda")
    wait()
    assert waited == [1]
    assert peak() == 12345
    assert devices.name("minifcn", "cuda") == "GPU 1"


def test_torch_runs_on_the_gpu_only_beside_us():
    assert [devices.of_torch(d) for d in ("cpu", "emulated", "cuda")] == [
        "cpu",
        "cpu",
        "cuda",
    ]
