"""The kernels under AddressSanitizer and UBSan: no read or write beyond an array."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from minifcn.cuda import host
from minifcn.emulated import NoCompiler, compiler

from .launches import missing, recorded
from .planting import planted

ROOT = Path(__file__).resolve().parents[2]

# Every launch, in a process of its own each where asked; what was done is told as JSON.
RUN = """
import json, os, pickle, sys, tempfile
from minifcn.cuda import host

launched, asked = set(), host.function
def noting(source, kernel, variant):
    launched.add((source.path.name, kernel.expression(variant)))
    return asked(source, kernel, variant)
host.function = noting

def run(launches):
    for one in launches:
        for dtype in one.dtypes():
            for grid in one.grids():
                one.run(dtype, grid)

def words(launches):
    # What a process of its own says before it ends, or "" if all is well.
    with tempfile.TemporaryFile() as said:
        if (child := os.fork()) == 0:
            os.dup2(said.fileno(), 2)
            run(launches)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return said.read().decode() if status else ""

with open(sys.argv[1], "rb") as file:
    groups = pickle.load(file)
if len(groups) == 1:
    run(*groups)
    print(json.dumps(sorted(launched)))
else:
    print(json.dumps([words(group) for group in groups]))
"""


def asan_library():
    """The compiler's own, which must be there before Python; "" if it has none."""
    try:
        words = compiler()
    except NoCompiler:
        return ""
    found = subprocess.run(
        [*words, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    return found if Path(found).is_absolute() else ""


@cache
def why_not():
    """What is missing; "" where sanitizers are to be had."""
    try:
        name = " ".join(compiler())
    except NoCompiler as error:
        return str(error)
    if not asan_library():
        return f"{name} has no libasan.so (Debian: apt install libasan8)"
    flags = (*host.FLAGS, *host.SANITIZERS)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "watched.so"
        try:
            host.compile_to(made, "int f(int* x) { return x[1]; }", flags, "a test")
        except RuntimeError as error:
            return f"{name} has no AddressSanitizer: {error}"
        if b"__asan_" not in made.read_bytes():
            return f"{name} takes -fsanitize=address, and watches nothing"
    return ""


needs_sanitizers = pytest.mark.skipif(bool(why_not()), reason=why_not() or "are here")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Function of code that runs it with the sanitizers before everything else."""
    environment = {
        **os.environ,
        "MINIFCN_SANITIZE": "1",
        "LD_PRELOAD": asan_library(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "OPENBLAS_NUM_THREADS": "1",
    }

    def run(code, *arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    return run


@pytest.fixture
def again(run, tmp_path):
    """Function of groups of launches that runs them with the sanitizers."""

    def again(groups):
        (tmp_path / "launches").write_bytes(pickle.dumps(groups))
        done = run(RUN, tmp_path / "launches")
        assert done.returncode == 0, done.stderr[-6000:]
        return json.loads(done.stdout)

    return again


@needs_sanitizers
def test_every_kernel_is_clean(again):
    launched = again([recorded()])
    assert not missing(map(tuple, launched)), "no launch in launches.py"


# What each kernel is given is enough to see these: beyond an array, beyond 31 bits,
# between two numbers. Kernel, what stands there, what shall stand there, what is said.
BEYOND, BITS, BETWEEN = "heap-buffer-overflow", "runtime error: signed", "misaligned"
OFF = "*(const {0}*)((const char*)({1}) + 1)"  # the number at an address, one byte on
FAULTS = {
    "activation.cu": [
        ("relu", ": x[i];", ": x[i + 1];", BEYOND),
        ("relu", ": x[i];", ": x[i - 1];", BEYOND),
        ("relu", "y[i] =", "y[i + 1] =", BEYOND),
        ("relu", ": x[i];", ": x[i + (n << 61)];", ""),
        ("relu", ": x[i];", ": 1 << (i + 32);", "runtime error: shift exponent"),
        ("relu", ": x[i];", ": T((int)(i + 0x7fffffff - n) + (int)n + 1);", BITS),
    ],
    "metrics.cu": [
        ("most_likely", "scores[c * S]", "scores[c * S + 1]", BEYOND),
        ("most_likely", "y[k] =", "y[k + 1] =", BEYOND),
        ("most_likely", "i = k % S;", "i = (int)k * 2000000000 % S;", BITS),
        ("most_likely", "scores[c * S]", OFF.format("T", "scores + c * S"), BETWEEN),
        ("count_pairs", "t = target[i]", "t = target[i + 1]", BEYOND),
        ("count_pairs", "t * n + p]", "t * n + p + n]", BEYOND),
        ("count_pairs", "t * n + p]", "(int)t * 2000000000]", BITS),
        (
            "count_pairs",
            "t = target[i]",
            f"t = {OFF.format('Index', 'target + i')}",
            BETWEEN,
        ),
    ],
    "optim.cu": [
        ("sgd", "g[i]", "g[i + 1]", BEYOND),
        ("sgd", "v[i] = step", "v[i + 1] = step", BEYOND),
        ("sgd", "w[i] = w", "w[(int)i * 2000000000 % n] = w", BITS),
        ("sgd", "g[i]", OFF.format("T", "g + i"), BETWEEN),
    ],
    "pictures.cu": [
        ("paint", "label[i]", "label[i + 1]", BEYOND),
        ("paint", "+ channel]", "+ channel + 3]", BEYOND),
        ("paint", "y[k] =", "y[k + 1] =", BEYOND),
        ("paint", "y[k] =", "y[(int)k * 2000000000 % 3] =", BITS),
        ("paint", "label[i]", "*(const unsigned*)(label + i)", BETWEEN),
    ],
}


@needs_sanitizers
@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_caught_at_their_line(again, tmp_path, name):
    path, places = planted(tmp_path, name, [fault[:3] for fault in FAULTS[name]])
    groups = [
        [
            replace(one, path=path, name=called)
            for one in recorded()
            if (one.path.name, one.name) == (name, kernel)
        ]
        for (kernel, *_), (called, _) in zip(FAULTS[name], places, strict=True)
    ]
    for (*_, new, kind), (_, line), words in zip(
        FAULTS[name], places, again(groups), strict=True
    ):
        assert f"{name}:{line}" in words, f"{new}: {words[-3000:]}"
        assert kind in words, new


@needs_sanitizers
def test_barriers_are_clean(run):
    code = """
import numpy as np
from minifcn.cuda import Kernels
from minifcn.emulated import to_emulated
x, y = to_emulated(np.arange(1000.0)), to_emulated(np.zeros(4))
Kernels("tests/cuda/kernels/sums.cu").block_sums(1000, x, y, 1000)
assert y.get().sum() == 999 * 500
print("done")
"""
    done = run(code)
    assert done.stdout == "done\n", done.stderr
