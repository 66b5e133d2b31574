import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from minifcn import arrays
from minifcn.cuda import Kernels, host
from minifcn.emulated import NoCompiler, command, compiler

from .common import SAMPLE, SUMS, needs_compiler, put, zeros

SCALE = """
import numpy as np
from minifcn.cuda import Kernels
from minifcn.emulated import to_emulated
kernels = Kernels({path!r})
x, y = to_emulated(np.ones(3, "f4")), to_emulated(np.zeros(3, "f4"))
kernels.scale(3, x, y, 3, 2.0)
print(y.get().tolist())
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=host.EMULATION.parents[2],
    )


def test_importing_needs_neither_cupy_nor_compiler():
    code = (
        "import sys, subprocess\n"
        "subprocess.Popen = subprocess.run = None\n"
        "import minifcn\n"
        "assert not {'cupy', 'minifcn.cuda.trace'} & {*sys.modules}"
    )
    done = run(code, PATH="", CXX="")
    assert not done.stderr


@needs_compiler
def test_file_is_compiled_once_and_kept(tmp_path):
    code = SCALE.format(path=str(SAMPLE.path))
    done = run(code, XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout == "[2.0, 2.0, 2.0]\n", done.stderr
    (kept,) = (tmp_path / "minifcn").iterdir()  # and nothing half-written
    assert kept.name.startswith("sample-")
    before = kept.stat().st_mtime_ns
    never = "import subprocess\nsubprocess.run = None\n"  # compiling would raise
    done = run(never + code, XDG_CACHE_HOME=str(tmp_path))
    assert done.stdout == "[2.0, 2.0, 2.0]\n", done.stderr
    assert kept.stat().st_mtime_ns == before


@needs_compiler
def test_changed_file_is_compiled_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "sample.cu"
    kernels, x, y = Kernels(path), put(1, 2), zeros(2)
    for i, factor in enumerate(("2", "3")):
        path.write_text(SAMPLE.source.text.replace("a * x[i]", f"{factor} * x[i]"))
        os.utime(path, ns=(i, i))
        kernels.scale(2, x, y, 2, 1.0)
        assert y.get().tolist() == [int(factor), 2 * int(factor)]


@needs_compiler
@pytest.mark.parametrize("place", ["file/folder", "file"])
def test_cache_that_cannot_be_written_is_done_without(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    done = run(
        SCALE.format(path=str(SAMPLE.path)), XDG_CACHE_HOME=str(tmp_path / place)
    )
    assert done.stdout == "[2.0, 2.0, 2.0]\n", done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@needs_compiler
def test_kernel_that_does_not_compile_is_told_at_its_line(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "broken.cu"
    path.write_text(
        "// A comment.\n__global__ void broken(float* x, Index n) {\n"
        "    FOR_EACH(i, n) x[i] = y[i];\n}\n"
    )
    with pytest.raises(RuntimeError) as error:
        Kernels(path).broken(1, zeros(1), 1)
    assert str(error.value).startswith("broken.cu does not compile:\n")
    assert "broken.cu:3:" in str(error.value)
    assert "declared" in str(error.value)


def test_without_compiler_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(NoCompiler, match=r"apt install g\+\+.*name yours in CXX"):
        compiler()
    host.library.cache_clear()
    with pytest.raises(NoCompiler, match=r"none was found \(c\+\+, g\+\+, clang\+\+\)"):
        SAMPLE.scale(1, zeros(1), zeros(1), 1, 1.0)


# ---- the compiler that CXX names


@pytest.mark.parametrize(
    "given, told",
    [
        ("nope-g++", r"CXX is 'nope-g\+\+', and there is no program 'nope-g\+\+': set"),
        ("nope -m64", r"CXX is 'nope -m64', and there is no program 'nope': set CXX"),
        ("g++ '-m64", "which is no command: No closing quotation"),
    ],
)
def test_compiler_that_is_none_is_told(monkeypatch, given, told):
    monkeypatch.setenv("CXX", given)
    with pytest.raises(NoCompiler, match=told):
        compiler()
    with pytest.raises(ValueError, match=told):
        arrays.check_device("emulated")  # as every command does first


@pytest.mark.parametrize(
    "environment, told",
    [
        ({"PATH": "", "CXX": ""}, "install one (Debian and Ubuntu: apt install g++;"),
        ({"CXX": "nope -m64"}, "CXX is 'nope -m64', and there is no program 'nope'"),
        ({"CXX": "false"}, "false compiles nothing: false made nothing of it"),
    ],
)
def test_command_line_says_what_is_missing(environment, told):
    done = subprocess.run(
        [sys.executable, "-m", "minifcn", "verify", "--device", "emulated"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=host.EMULATION.parents[2],
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1  # and no traceback


def test_compiler_may_be_named_with_arguments(monkeypatch, tmp_path):
    spaced = tmp_path / "a folder"
    spaced.mkdir()
    (spaced / "g++").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(spaced))
    for given, words in (
        ("", ("g++",)),
        (" ", ("g++",)),
        ("g++", ("g++",)),
        ("g++ -m64 '-DNAME=a b'", ("g++", "-m64", "-DNAME=a b")),
        (f"{spaced}/g++", (f"{spaced}/g++",)),
    ):
        monkeypatch.setenv("CXX", given)
        assert command() == words


@needs_compiler
def test_arguments_of_the_compiler_are_heeded(tmp_path):
    command = shlex.join(["env", *compiler(), "-DAsleep=1", "-include", "cmath"])
    done = run(
        SCALE.format(path=str(SAMPLE.path)), CXX=command, XDG_CACHE_HOME=str(tmp_path)
    )
    assert done.stdout == "[2.0, 2.0, 2.0]\n", done.stderr


BROKEN = {
    "g++ --no-such-flag": "no-such-flag",
    "false": "false made nothing of it",
    "ls": "ls",
    f"{sys.executable} -c ''": "made nothing of it",
}


def broken_compiler(words):
    if words.startswith("g++") and not shutil.which("g++"):
        pytest.skip("needs g++")
    return words


@pytest.mark.parametrize("given", BROKEN)
def test_compiler_that_compiles_nothing_is_no_fault_of_a_kernel(given, tmp_path):
    done = run(
        SCALE.format(path=str(SAMPLE.path)),
        CXX=broken_compiler(given),
        XDG_CACHE_HOME=str(tmp_path),
    )
    told = done.stderr.splitlines()[-1]
    assert "NoCompiler: device 'emulated' compiles kernels with a C++ comp" in told
    assert f"{given.split()[0]} " in told
    assert "compiles nothing: " in told
    assert BROKEN[given] in told
    assert "sample.cu" not in told


@pytest.mark.parametrize("given", BROKEN)
def test_compiler_that_compiles_nothing_is_refused_first(monkeypatch, given):
    monkeypatch.setenv("CXX", broken_compiler(given))
    with pytest.raises(NoCompiler, match="compiles nothing"):
        compiler()
    with pytest.raises(ValueError, match="compiles nothing"):
        arrays.check_device("emulated")


def test_compiler_for_another_machine_is_refused(monkeypatch, tmp_path):
    script = tmp_path / "cross-g++"
    # The last but one argument is the file to write.
    script.write_text('#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\necho no > "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    with pytest.raises(NoCompiler, match=r"cross-g\+\+ compiles nothing: .*trial\.so"):
        compiler()


def test_file_that_is_no_program_is_refused(monkeypatch, tmp_path):
    file = tmp_path / "c++"
    file.write_bytes(b"\x00\x01")
    file.chmod(0o755)
    monkeypatch.setenv("CXX", str(file))
    with pytest.raises(NoCompiler, match=r"compiles nothing: .*format"):
        compiler()


@needs_compiler
def test_compiler_is_tried_once(monkeypatch):
    compiler()
    monkeypatch.setattr(subprocess, "run", None)  # calling it would raise
    assert compiler() == command()


# ---- barriers and shared memory


def sums_by(name, seed, n=1000):
    x = np.random.default_rng(seed).random(n)
    given = np.zeros(-(-n // 256) * 256)
    given[:n] = x
    sums = zeros(-(-n // 256), "float64")
    host.shuffle(seed)
    try:
        getattr(SUMS, name)(n, put(*x, dtype="float64"), sums, n)
    finally:
        host.shuffle(0)
    return np.allclose(sums.get(), given.reshape(-1, 256).sum(1), rtol=1e-12)


@needs_compiler
@pytest.mark.parametrize("seed", range(5))
def test_sum_in_shared_memory_is_right_in_any_order(seed):
    assert sums_by("block_sums", seed)


@needs_compiler
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("which", ["first", "second"])
def test_missing_barrier_is_caught(which, seed):
    assert not sums_by(f"without_{which}_barrier", seed)


@needs_compiler
def test_threads_that_end_while_others_wait_are_told():
    with pytest.raises(RuntimeError, match=r"sums\.cu:48: ends_early: some threads"):
        sums_by("ends_early", 0)
    assert sums_by("block_sums", 1)  # the next launch is not harmed


@needs_compiler
def test_threads_that_wait_at_two_barriers_are_told():
    with pytest.raises(RuntimeError, match=r"sums\.cu:56: two_places: .* at another"):
        sums_by("two_places", 0)


@needs_compiler
def test_barrier_in_a_helper_is_waited_for():
    x, y = put(*range(256), dtype="int64"), zeros(256, "int64")
    SUMS.waits_in_helper(256, x, y, 256)
    assert y.get().tolist() == [*range(1, 256), 0]


@needs_compiler
def test_shared_memory_begins_with_what_nobody_wrote():
    x, seen = put(*[7.0] * 1024), zeros(1024)
    SUMS.first_look(1024, x, seen, 1024)
    found = seen.get().view(np.uint32)
    assert not np.isin(found, put(0, 7).get().view(np.uint32)).any()
    assert len(np.unique(found)) > 1000  # in every block other bits
