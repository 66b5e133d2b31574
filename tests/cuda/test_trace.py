from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from minifcn import Tensor, ops
from minifcn.cuda import Kernels, launch, trace
from minifcn.cuda.source import read
from minifcn.cuda.trace import Access
from minifcn.emulated import to_emulated

from .common import FILES, SAMPLE, SUMS, needs_compiler, put, zeros
from .launches import recorded
from .planting import planted

pytestmark = needs_compiler


def relu(*values):
    with trace.record(threads=2) as traces:
        y = ops.relu(Tensor(put(*values)))
    (one,) = traces
    assert y.data.get().tolist() == [max(value, 0) for value in values]
    return one


def test_relu_reads_and_writes_its_own_elements():
    one = relu(1, -2, 3)
    assert (one.kernel, one.blocks, one.threads) == ("relu", 2, 2)
    assert one.sizes == {"x": 3, "y": 3}
    assert one.of(1, 0) == [
        Access(1, 0, "x", "read", 2),
        Access(1, 0, "x", "read", 2),  # compared with 0, then copied
        Access(1, 0, "y", "write", 2),
    ]
    assert one.of(1, 1) == []  # beyond n
    assert len(one.accesses) == 8
    assert str(one).splitlines() == [
        "relu: 2 blocks of 2 threads",
        "block 0 thread 0: reads x[0] x[0]; writes y[0]",
        "block 0 thread 1: reads x[1]; writes y[1]",
        "block 1 thread 0: reads x[2] x[2]; writes y[2]",
        "block 1 thread 1: nothing",
    ]


def test_pooling_reads_its_windows():
    x = np.random.default_rng(0).permutation(np.arange(20.0)).reshape(1, 1, 4, 5)
    with trace.record(threads=4) as traces:
        y = ops.max_pool2d(Tensor(to_emulated(x)), 3, 1)
    (one,) = traces
    windows = np.arange(20).reshape(4, 5)
    for k, (r, q) in enumerate(np.ndindex(2, 3)):
        done = one.of(*divmod(k, 4))
        seen = {a.index for a in done if (a.array, a.kind) == ("x", "read")}
        assert seen == {*windows[r : r + 3, q : q + 3].ravel().tolist()}
        assert {a.index for a in done if a.kind == "write"} == {k}
        assert y.data.get().ravel()[k] == x[0, 0, r : r + 3, q : q + 3].max()


def test_what_lies_outside_is_told_and_not_done(tmp_path):
    path = tmp_path / "beyond.cu"
    path.write_text(
        "__global__ void beyond(const float* x, float* y, Index n) {\n"
        "    FOR_EACH(i, n) y[i] = x[i + 1];\n}\n"
    )
    with trace.record() as traces:
        Kernels(path).beyond(2, put(5, 6), zeros(2), 2)
    assert "thread 1: reads x[2] (outside!); writes y[1]" in str(traces[0])
    assert [a.is_outside for a in traces[0].accesses].count(True) == 1


def test_sums_and_atomics_are_traced():
    with trace.record(threads=4) as traces:
        sums = zeros(1)
        SUMS.block_sums(4, put(1, 2, 3, 4), sums, 4)
        SAMPLE.visits(1, *(zeros(1, "int64") for _ in range(4)), 1)
    assert sums.get().tolist() == [10]
    assert [str(a) for a in traces[0].accesses if a.kind == "write"] == ["sums[0]"]
    assert [str(a) for a in traces[1].accesses] == [
        *("count[0]", "count[0]", "block[0]", "clock[0]", "clock[0]", "order[0]")
    ]


def test_tracing_changes_no_result():
    x, target = np.random.default_rng(0).normal(size=(1, 3, 5, 7)), np.ones((1, 5, 7))

    def loss():
        given = Tensor(to_emulated(x)), to_emulated(target.astype(np.int64))
        return ops.cross_entropy(*given).data.get().tolist()

    untraced = loss()
    with trace.record(threads=3) as traces:
        assert loss() == untraced
    shared = {one.kernel: one.threads for one in traces}
    assert (shared["cross_entropy"], shared["channel_sums"]) == (3, launch.SHARING)


def test_afterwards_nothing_is_recorded():
    before = launch.THREADS
    with pytest.raises(KeyError), trace.record(threads=2) as traces:
        raise KeyError
    ops.relu(Tensor(put(1)))
    assert traces == []
    assert launch.THREADS == before
    with pytest.raises(ValueError, match="threads is 0; a block has 1 to 1024"):
        trace.record(threads=0).__enter__()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kernel_of_the_package_can_be_traced(path):
    trace._library(read(path))


# ---- races


def traced(one):
    with trace.record(threads=4) as traces:
        one.run("float32", (4, 1 << 16))
    return traces[0]


def short(path, name):
    """Launches of a kernel that are soon traced."""
    found = [one for one in recorded() if (one.path, one.name) == (path, name)]
    return sorted(found, key=lambda one: abs(one.size - 300))[:2]


@pytest.mark.parametrize(
    "path, name",
    [(path, name) for path in FILES for name in read(path).kernels],
    ids=lambda value: getattr(value, "name", value),
)
def test_no_thread_writes_what_another_uses(path, name):
    launches = short(path, name)
    assert launches, f"no law, and nothing in launches.py, launches {name}"
    for one in launches:
        assert traced(one).races() == []


@pytest.fixture
def kernels(tmp_path):
    """Function of a kernel's parameters and body that makes it, and runs it by `k`."""

    def kernels(parameters, body):
        path = tmp_path / "k.cu"
        path.write_text(f"__global__ void k({parameters}) {{\n    {body}\n}}\n")
        return Kernels(path)

    return kernels


SHIFT = "const float* x, float* y, Index n", "FOR_EACH(i, n - 1) y[i] = x[i + 1];"


def test_memory_of_two_names_is_one_memory(kernels):
    k = kernels(*SHIFT).k
    x = put(*range(13))
    with trace.record(threads=4) as traces:
        k(12, x, x, 13)  # thread i reads what thread i + 1 writes
        k(12, x, zeros(13), 13)
        k(6, x[:7], x[6:], 7)  # they meet in x[6] alone
    same, apart, overlapping = traces
    assert same.races() == [f"y[{i}]" for i in range(1, 12)]  # y[2] before y[10]
    assert apart.races() == []
    assert overlapping.races() == ["y[0]"]


def test_what_lies_outside_is_no_other_array(kernels):
    x = put(*range(12))
    with trace.record(threads=4) as traces:
        # x[6], outside, would be y[0].
        kernels(SHIFT[0], "FOR_EACH(i, n) y[i] = x[i + 1];").k(6, x[:6], x[6:], 6)
    assert traces[0].races() == []


def test_threads_of_one_number_in_two_blocks_are_two(kernels):
    body = "FOR_EACH(i, n) y[0] = i;"
    with trace.record(threads=1) as traces:
        kernels("float* y, Index n", body).k(2, zeros(1), 2)
    assert (traces[0].blocks, traces[0].races()) == (2, ["y[0]"])


def test_what_follows_an_atomic_is_none(kernels):
    body = "FOR_EACH(i, n) { atomicAdd(&sum[0], 1.0f); last[0] = i; }"
    with trace.record(threads=4) as traces:
        kernels("float* sum, float* last, Index n", body).k(3, zeros(1), zeros(1), 3)
    assert traces[0].races() == ["last[0]"]


CELL = "hist[wrong ? n * n : t * n + p]"


@pytest.mark.parametrize(
    "file, kernel, old, new",
    [
        # The emulation runs one thread at a time, and so counts right all the same.
        ("metrics.cu", "count_pairs", f"atomicAdd(&{CELL}, 1ULL)", f"{CELL} += 1"),
        ("optim.cu", "sgd", "weight - step;", "weight - v[i ^ 1];"),
        ("pictures.cu", "paint", "y[k] =", "y[i] ="),
    ],
)
def test_races_are_told(tmp_path, file, kernel, old, new):
    copy, ((called, _),) = planted(tmp_path, file, [(kernel, old, new)])
    (path,) = [path for path in FILES if path.name == file]
    assert any(
        traced(replace(one, path=copy, name=called)).races()
        for one in short(path, kernel)
    )


def test_picture_shows_reads_and_writes(tmp_path):
    relu(1, -2, 3).draw(tmp_path / "relu.png")
    pixels = np.asarray(Image.open(tmp_path / "relu.png").convert("RGB")).reshape(-1, 3)
    for colour in ((31, 119, 180), (255, 127, 14)):
        assert (pixels == colour).all(1).sum() > 100
