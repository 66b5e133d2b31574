"""Telling OpenBLAS its kernels: the rule on made-up processors, and when it is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minifcn import coretype
from minifcn.coretype import AVX512, VARIABLE, better_kernels

ROOT = Path(__file__).parents[1]


def cpuinfo(vendor="AuthenticAMD", family=26, flags=AVX512):
    """A processor's lines, as Linux writes them."""
    return (
        f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\n"
        "model\t\t: 17\nmodel name\t: A: processor\n"
        f"flags\t\t: fpu sse2 avx2 fma {' '.join(sorted(flags))}\n"
        "bugs\t\t: spectre_v1\npower management:\n"
    )


ARM = "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\n"
ZEN5 = cpuinfo()
PROCESSORS = {
    "Zen 5": (ZEN5, "SkylakeX"),
    "a family to come": (cpuinfo(family=27), "SkylakeX"),
    "a virtual AMD": (cpuinfo(family=15), "SkylakeX"),
    "more than AVX-512": (cpuinfo(flags=AVX512 | {"avx512_bf16"}), "SkylakeX"),
    "Zen 4": (cpuinfo(family=25), ""),
    "Zen 2": (cpuinfo(family=23, flags=set()), ""),
    "Xeon": (cpuinfo(vendor="GenuineIntel", family=6), ""),
    "AVX-512 in part": (cpuinfo(flags={"avx512f", "avx512cd"}), ""),
    **{f"no {flag}": (cpuinfo(flags=AVX512 - {flag}), "") for flag in sorted(AVX512)},
    "ARM": (ARM, ""),
    "no flags": ("vendor_id\t: AuthenticAMD\ncpu family\t: 26\n", ""),
    "not Linux": ("", ""),
    "nonsense": ("flags\n:\n\x00", ""),
}


def mistakes(rule):
    """The processors for which `rule` names the wrong kernels."""
    return {name for name, (text, best) in PROCESSORS.items() if rule(text) != best}


def test_kernels_fit_every_processor():
    assert mistakes(better_kernels) == set()


@pytest.mark.parametrize(
    "name, value",
    [
        ("AVX512", {"avx512f"}),
        ("AVX512", AVX512 - {"avx512vl"}),
        ("AVX512", AVX512 | {"avx512_bf16"}),
        ("AVX512", {"avx2"}),
        ("KNOWN_FAMILIES", set()),
        ("KNOWN_FAMILIES", {"25", "26"}),
    ],
)
def test_a_wrong_table_is_found_out(monkeypatch, name, value):
    monkeypatch.setattr(coretype, name, value)
    assert mistakes(better_kernels)


@pytest.mark.parametrize(
    "text, misread",
    [
        ("AuthenticAMD", "AuthenticAmd"),  # no vendor is known
        ("GenuineIntel", "AuthenticAMD"),  # every vendor is AMD
        ("flags", "features"),
    ],
)
def test_a_wrong_reading_is_found_out(text, misread):
    assert mistakes(lambda info: better_kernels(info.replace(text, misread)))


def test_only_the_first_processor_is_read(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(f"{ZEN5}\n{cpuinfo(family=25)}\n")
    monkeypatch.setattr(coretype, "CPUINFO", file)
    assert coretype.first_processor() == ZEN5
    monkeypatch.setattr(coretype, "CPUINFO", tmp_path / "missing")
    assert coretype.first_processor() == ""


# ---- when it is told


@pytest.fixture
def zen5(monkeypatch, tmp_path):
    """This machine, made to look like a Zen 5 on which NumPy is not yet imported."""
    (tmp_path / "cpuinfo").write_text(ZEN5)
    monkeypatch.setattr(coretype, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(coretype, "_told", "")
    monkeypatch.delitem(sys.modules, "numpy")


@pytest.mark.usefixtures("zen5")
def test_tell_sets_the_variable_and_remembers():
    environment = {"HOME": "/root"}
    assert coretype.tell(environment) == coretype.told() == "SkylakeX"
    assert environment == {"HOME": "/root", VARIABLE: "SkylakeX"}


@pytest.mark.usefixtures("zen5")
@pytest.mark.parametrize("own", ["Haswell", "SkylakeX", ""])
def test_what_the_user_has_set_stays(own):
    environment = {VARIABLE: own}
    assert coretype.tell(environment) == coretype.told() == ""
    assert environment == {VARIABLE: own}


@pytest.mark.usefixtures("zen5")
def test_after_numpy_it_is_too_late(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    environment = {}
    assert coretype.tell(environment) == ""
    assert environment == {}


# ---- the programs, in processes of their own
#
# NumPy is played by a module that prints the variable and ends the process: the real
# one would run AVX-512 kernels on whatever processor this is.

NUMPY = f"""
import os
print("NumPy sees", os.environ.get({VARIABLE!r}), flush=True)
os._exit(0)
"""
PROGRAMS = {
    "command": "from minifcn.cli import main; main(['doctor'])",
    "module": "import runpy; sys.argv[1:] = ['doctor'];"
    "runpy.run_module('minifcn', run_name='__main__')",
    "library": "import minifcn; minifcn.Tensor",
    "room": "import minifcn.cli, minifcn.ops",
}


def printed(tmp_path, code, text=ZEN5, **environment):
    """What `code` prints where /proc/cpuinfo holds `text`."""
    (tmp_path / "cpuinfo").write_text(text)
    (tmp_path / "numpy.py").write_text(NUMPY)
    before = (
        "import os, sys, pathlib; from minifcn import coretype;"
        f"coretype.CPUINFO = pathlib.Path({str(tmp_path / 'cpuinfo')!r});"
    )
    around = {name: value for name, value in os.environ.items() if name != VARIABLE}
    around |= {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **environment}
    command = [sys.executable, "-c", before + code]
    ran = subprocess.run(command, env=around, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("program", ["command", "module"])
def test_command_line_tells_it_before_numpy_is_imported(tmp_path, program):
    assert printed(tmp_path, PROGRAMS[program]) == "NumPy sees SkylakeX\n"


def test_command_line_keeps_what_the_user_has_set(tmp_path):
    own = {VARIABLE: "Haswell"}
    assert printed(tmp_path, PROGRAMS["command"], **own) == "NumPy sees Haswell\n"


@pytest.mark.parametrize("text", [cpuinfo(family=25), ARM, ""])
def test_command_line_leaves_other_processors_alone(tmp_path, text):
    assert printed(tmp_path, PROGRAMS["command"], text) == "NumPy sees None\n"


@pytest.mark.parametrize("program", ["library", "room"])
def test_a_library_sets_nothing(tmp_path, program):
    assert printed(tmp_path, PROGRAMS[program]) == "NumPy sees None\n"


def test_workers_inherit_it(tmp_path):
    worker = "import os; print(os.environ.get('OPENBLAS_CORETYPE'))"
    code = f"""
from minifcn.cli import main; main(['--help']);
import subprocess; subprocess.run([sys.executable, '-c', {worker!r}])"""
    assert printed(tmp_path, code.strip()).endswith("SkylakeX\n")


def test_help_does_not_wait_for_numpy(tmp_path):
    code = (
        "from minifcn.cli import main; main(['--help']); print('numpy' in sys.modules)"
    )
    assert printed(tmp_path, code).endswith("False\n")
