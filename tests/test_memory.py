"""Memory that is kept: fewer pages from the system, and never without being asked."""

import platform
import subprocess
import sys

import pytest

from minifcn import memory

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the C library is another than glibc"
)

# Pages that the system gave while an array of 64 MiB was made and freed ten times.
FAULTS = """
import resource
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(1 << 23)
before = faults()
for _ in range(10):
    np.ones(1 << 23)
print(faults() - before)
"""
KEEP = "from minifcn import memory; memory.keep();"
COMMAND = "import io, sys; out, sys.stdout = sys.stdout, io.StringIO();"
COMMAND += "from minifcn.cli import main; main(['--help']); sys.stdout = out;"


def faults_after(code):
    ran = subprocess.run(
        [sys.executable, "-c", code + FAULTS], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout)


@needs_glibc
def test_what_is_kept_needs_no_new_pages():
    assert faults_after(KEEP) <= 10
    assert faults_after(COMMAND) <= 10


@needs_glibc
def test_a_library_keeps_nothing():
    # 2 MiB to a page at the most: 32 to an array.
    assert faults_after("import minifcn, minifcn.memory, minifcn.ops;") >= 320


class Library:
    """A C library that notes how mallopt is called."""

    def __init__(self, accepts=1, **names):
        self.calls, self.accepts = [], accepts
        vars(self).update(names)

    def mallopt(self, *call):
        self.calls.append(call)
        return self.accepts


@pytest.mark.parametrize(
    "library, environment",
    [
        (Library(), {}),  # musl: its mallopt, if any, is not glibc's
        (None, {}),  # Windows
        (Library(gnu_get_libc_version=str), {"MALLOC_TRIM_THRESHOLD_": "0"}),
        (Library(gnu_get_libc_version=str), {"MALLOC_MMAP_THRESHOLD_": "1"}),
        (Library(gnu_get_libc_version=str), {"GLIBC_TUNABLES": "glibc.malloc.check=3"}),
    ],
)
def test_others_are_left_alone(monkeypatch, library, environment):
    monkeypatch.setattr(memory, "_c_library", lambda: library)
    assert memory.keep(environment) is False
    assert library is None or library.calls == []


@pytest.mark.parametrize("accepts", [0, 1])
def test_says_whether_malloc_took_it(monkeypatch, accepts):
    library = Library(accepts, gnu_get_libc_version=str)
    monkeypatch.setattr(memory, "_c_library", lambda: library)
    assert memory.keep({"HOME": "/root"}) is bool(accepts)
    assert (memory.M_MMAP_THRESHOLD, memory.STORED) in library.calls
