"""Neither the order of blocks and threads nor the grid changes a bit of any result."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from minifcn.cuda.source import read

from .common import FILES, needs_compiler
from .launches import Launch, missing, recorded
from .planting import planted

pytestmark = needs_compiler

SEEDS = range(4)
KERNELS = [(path, name) for path in FILES for name in read(path).kernels]


def told(value):
    return value.name if isinstance(value, Path) else str(value)


def launches(path, name):
    return [one for one in recorded() if (one.path, one.name) == (path, name)]


def results(one: Launch, like: Launch | None = None):
    """What all orders and grids give, by type; one result each, if all is well.

    `like` is the launch whose grids and types are taken: of the kernel without fault.
    """
    like = like or one
    return {
        dtype: {
            tuple(one.run(dtype, grid, seed)) for grid in like.grids() for seed in SEEDS
        }
        for dtype in like.dtypes()
    }


def test_every_kernel_is_launched_on_grids_that_walk():
    walked = {
        (one.path.name, one.kernel.expression(variant))
        for one in recorded()
        if one.loops()
        for variant in one.kernel.variants()
    }
    assert not missing(walked), "no law, and nothing in launches.py, launches them"


@pytest.mark.parametrize("path, name", KERNELS, ids=told)
def test_no_bit_depends_on_order_or_grid(path, name):
    given = launches(path, name)
    assert given, f"no law, and nothing in launches.py, launches {name}"
    for one in given:
        for dtype, found in results(one).items():
            assert len(found) == 1, f"{name} over {one.size} items of {dtype}"


def is_caught(path, name, copy, planted_name):
    """Whether some launch gives other bits, or stops, by a copy with a fault."""
    for one in launches(path, name):
        try:
            found = results(replace(one, path=copy, name=planted_name), like=one)
        except RuntimeError as error:
            if "some threads of a block wait at this __syncthreads()" in str(error):
                return True
            raise
        if found != results(one):
            return True
    return False


# ---- faults


def test_what_does_not_compile_is_not_caught(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # so that the compiler quotes the line, barrier and all
    copy, ((called, _),) = planted(
        tmp_path,
        "summing.cu",
        [("channel_sums", "shared[t] = sum;", "shared[t] = nothing; __syncthreads();")],
    )
    (path,) = [path for path in FILES if path.name == "summing.cu"]
    with pytest.raises(RuntimeError, match=r"(?s)not compile.*__syncthreads\(\)"):
        is_caught(path, "channel_sums", copy, called)


@pytest.mark.parametrize(
    "name, kernel, old, new",
    [
        ("optim.cu", "sgd", "weight - step;", "weight - v[i ? i - 1 : 0];"),
        ("optim.cu", "sgd", "w[i] =", "__shared__ T kept[256]; w[i] = kept[0] +"),
        ("metrics.cu", "most_likely", "y[k] =", "y[k / 2] ="),
        ("metrics.cu", "most_likely", "y[k] =", "__shared__ int c; y[k] = c +"),
        ("metrics.cu", "count_pairs", "1ULL", "1ULL + hist[0]"),
        ("metrics.cu", "count_pairs", "if (", "__shared__ int c; if (c < 0 ||"),
        ("pictures.cu", "paint", "y[k] =", "y[k / 2] ="),
        ("pictures.cu", "paint", "y[k] =", "__shared__ int c; y[k] = c +"),
    ],
)
def test_fault_is_caught(tmp_path, name, kernel, old, new):
    # Two threads at one place, or shared memory that nobody wrote.
    copy, ((called, _),) = planted(tmp_path, name, [(kernel, old, new)])
    (path,) = [path for path in FILES if path.name == name]
    assert is_caught(path, kernel, copy, called)


BARRIERS = [
    (path, match.start())
    for path in FILES
    for match in re.finditer(r"__syncthreads\(\);", path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("path, at", BARRIERS, ids=told)
def test_missing_barrier_is_caught(tmp_path, path, at):
    text = path.read_text(encoding="utf-8")
    copy = tmp_path / path.name
    copy.write_text(text[:at] + text[at:].replace("__syncthreads();", "", 1), "utf-8")
    line = text.count("\n", 0, at) + 1
    waiting = [
        kernel.name for kernel in read(path).kernels.values() if kernel.has_barriers
    ]
    assert any(is_caught(path, name, copy, name) for name in waiting), (
        f"{path.name}:{line}: without this barrier all results are the same: it is not "
        "needed, or no launch shows what it is for"
    )
