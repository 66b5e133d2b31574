"""The kernels under AddressSanitizer and UBSan: no read or write beyond an array."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minifcn.cuda.source import read
from minifcn.emulated import NoCompiler, compiler

from .common import FILES

ROOT = Path(__file__).resolve().parents[2]
CASES = 2

LAWS = """
from minifcn.laws import LAWS, Implementation
ops = Implementation(device="emulated")
left = {law.subject: 4 for law in LAWS}
left["max_pool2d"] = 99  # a later law asks for the indices
for law in LAWS:
    if left[law.subject] and "large" not in law.name:
        left[law.subject] -= 1
        law.hold(ops, CASES)
"""

# What the device is asked for is noted, to see that no kernel is left out.
NOTES = """
import atexit
from minifcn.cuda import host
launched, asked = set(), host.function
def noting(source, kernel, variant):
    launched.add(kernel.name)
    return asked(source, kernel, variant)
host.function = noting
atexit.register(lambda: print("launched", *sorted(launched)))
"""


def why_not():
    """What is missing; "" where sanitizers are to be had."""
    try:
        name = compiler()
    except NoCompiler as error:
        return str(error)
    found = subprocess.run(
        [name, "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    if not Path(found).is_absolute():
        return f"{name} has no libasan.so (Debian and Ubuntu: apt install libasan8)"
    return ""


needs_sanitizers = pytest.mark.skipif(bool(why_not()), reason=why_not() or "are here")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Function of code that runs it with the sanitizers before everything else."""
    library = subprocess.run(
        [compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "MINIFCN_SANITIZE": "1",
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "OPENBLAS_NUM_THREADS": "1",
    }

    def run(code):
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    return run


@needs_sanitizers
def test_all_operators_are_clean(run):
    done = run(NOTES + LAWS.replace("CASES", str(CASES)))
    assert done.returncode == 0, done.stderr[-6000:]
    launched = set(done.stdout.split()[1:])
    operators = {
        name
        for path in FILES
        if path.parent.name == "ops"
        for name in read(path).kernels
    }
    assert launched >= operators, f"not launched: {operators - launched}"


def planted(folder, name, old, new):
    """Write a copy of a .cu file with a fault; return its path and the fault's line."""
    (path,) = [path for path in FILES if path.name == name]
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    copy = folder / name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return copy, text[: text.index(old)].count("\n") + 1


RELU = """
import numpy as np
from minifcn.cuda import Kernels
from minifcn.emulated import to_emulated
x, y = (to_emulated(np.ones(1000, "f4")) for _ in range(2))
Kernels({path!r}).relu(1000, x, y, 1000)
print("done")
"""


@needs_sanitizers
@pytest.mark.parametrize(
    "new, kind",
    [
        ("y[i] = x[i + 1];", "heap-buffer-overflow"),
        ("y[i] = x[i - 1];", "heap-buffer-overflow"),
        ("y[i + 1] = x[i];", "heap-buffer-overflow"),
        ("y[i] = x[i + (n << 61)];", ""),
        ("y[i] = 1 << (i + 32);", "runtime error: shift exponent"),
        ("y[i] = T((int)(i + 0x7fffffff - n) + (int)n + 1);", "runtime error: signed"),
    ],
)
def test_planted_faults_are_caught_at_their_line(run, tmp_path, new, kind):
    path, line = planted(
        tmp_path, "activation.cu", "y[i] = x[i] <= 0 ? T(0) : x[i];", new
    )
    done = run(RELU.format(path=str(path)))
    assert done.returncode != 0
    assert "done" not in done.stdout
    assert kind in done.stderr
    assert f"activation.cu:{line}" in done.stderr, done.stderr[-3000:]


@needs_sanitizers
def test_the_kernel_without_fault_is_clean(run):
    (path,) = [path for path in FILES if path.name == "activation.cu"]
    done = run(RELU.format(path=str(path)))
    assert done.stdout == "done\n", done.stderr


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
