"""The doctor on this machine, and on machines made up for it."""

import json
import sys
import types

import numpy as np
import pytest

from minifcn import doctor
from minifcn.doctor import BROKEN, MISSING, OK, SLOW, Finding, Gpu, Product, Report

HASWELL = {
    "user_api": "blas",
    "internal_api": "openblas",
    "version": "0.3.31",
    "architecture": "Haswell",
    "num_threads": 2,
    "filepath": "/venv/numpy.libs/libscipy_openblas64.so",
}
AVX512 = {"SSE2", "AVX2", "X86_V3", "AVX512_SKX", "X86_V4"}
AVX2 = {"SSE2", "AVX2", "X86_V3"}


@pytest.fixture(scope="module")
def report():
    return doctor.examine()


def test_this_machine_is_well(report):
    status = {finding.name: finding.status for finding in report.findings}
    assert {status[name] for name in doctor.PACKAGES} == {OK}
    assert {"Python", "minifcn", "processor", "cores", "memory"} <= status.keys()
    assert {"BLAS", "matrix product", "GPU", "CuPy"} <= status.keys()
    assert report.exit_status == 0


def test_compiler_is_looked_for(monkeypatch):
    found = doctor.cxx()
    assert found.status in (OK, MISSING)
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = doctor.cxx()
    assert (found.status, found.mend) == (MISSING, "unset CXX")
    assert "no-such-compiler" in found.detail
    monkeypatch.setenv("CXX", "false")  # there is such a program
    found = doctor.cxx()
    assert (found.status, found.mend) == (MISSING, "unset CXX")
    assert "compiles nothing" in found.detail
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    assert doctor.cxx().mend == "apt install g++"


def test_detail_names_the_version_in_use(report):
    detail = {finding.name: finding.detail for finding in report.findings}
    assert detail["numpy"] == np.__version__
    assert sys.executable in detail["Python"]


def test_report_survives_json(report):
    read = json.loads(json.dumps(report.as_dict()))
    assert [Finding(**row) for row in read["findings"]] == report.findings
    assert read["exit_status"] == 0


def test_render_puts_the_mend_under_its_finding():
    report = Report(
        [Finding("BLAS", SLOW, "old kernels", "do this"), Finding("a", OK, "b")]
    )
    assert doctor.render(report).splitlines() == [
        "slow     BLAS  old kernels",
        "               mend: do this",
        "ok       a     b",
        "",
        "Everything that is required works.",
    ]


@pytest.mark.parametrize(
    "status, expected", [(OK, 0), (SLOW, 0), (MISSING, 0), (BROKEN, 1)]
)
def test_only_what_is_required_fails(status, expected):
    report = Report([Finding("Python", OK, ""), Finding("numpy", status, "")])
    assert report.exit_status == expected
    assert ("numpy." in doctor.render(report)) == bool(expected)


# ---- packages


def test_a_package_that_is_not_there():
    name, status, _, mend = doctor.package("no-such-thing", "no_such_thing", "2.0")
    assert (name, status) == ("no-such-thing", BROKEN)
    assert mend.endswith("-m pip install 'no-such-thing>=2.0'")


def test_a_package_that_is_too_old():
    found = doctor.package("numpy", "numpy", "999.1")
    assert found.status == BROKEN
    assert found.detail == f"{np.__version__}; 999.1 or newer is needed"
    assert found.mend.endswith("-m pip install 'numpy>=999.1'")


def test_a_package_that_is_damaged(tmp_path, monkeypatch):
    (tmp_path / "damaged_thing.py").write_text("raise OSError('wrong ELF class')")
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.package("numpy", "damaged_thing")
    assert (found.status, found.detail) == (BROKEN, "wrong ELF class")
    assert found.mend.endswith("pip install --force-reinstall numpy")


def test_versions_compare_by_number():
    assert doctor.package("numpy", "numpy", "1.100").status == OK


def test_extras_are_not_required(monkeypatch):
    lines = [
        "numpy>=999",
        'pillow>=999; extra == "test"',
        'cupy[ctk]>=14; extra == "x"',
    ]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "2.5")
    status = {finding.name: finding.status for finding in doctor.packages()}
    assert (status["numpy"], status["pillow"]) == (BROKEN, OK)


# ---- processor, memory


@pytest.mark.parametrize(
    "files, expected",
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
    ],
)
def test_container_cpu_limit(tmp_path, files, expected):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert doctor.cgroup_cpu_limit(tmp_path) == expected


def test_cores_beyond_the_containers_share(monkeypatch):
    monkeypatch.setattr(doctor, "cgroup_cpu_limit", lambda: 2.5)
    monkeypatch.setattr(doctor.arrays, "usable_processors", lambda: 8)
    found = doctor.cores()
    assert (found.status, found.mend) == (SLOW, "taskset -c 0-1 minifcn ...")
    assert "the time of 2.5" in found.detail


def test_container_memory_limit(tmp_path):
    whole = doctor.memory_limit(tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor.memory_limit(tmp_path) == whole
    (tmp_path / "memory.max").write_text("1048576\n")
    assert doctor.memory_limit(tmp_path) == 1048576


# ---- BLAS


def test_blas_is_named_with_its_kernels():
    expected = "openblas 0.3.31, Haswell kernels, 2 threads"
    assert doctor.blas([HASWELL]) == Finding("BLAS", OK, expected)


@pytest.mark.parametrize(
    "kernels, features, better",
    [
        ("Haswell", AVX512, "SkylakeX"),
        ("Zen", AVX512, "SkylakeX"),
        ("Nehalem", AVX2, "Haswell"),
        ("Sandybridge", AVX512, "SkylakeX"),
        ("SkylakeX", AVX512, ""),
        ("SapphireRapids", AVX512, ""),
        ("Haswell", AVX2, ""),
        ("Zen", AVX2, ""),
        ("Sandybridge", {"SSE2"}, ""),
        ("neoversev1", {"NEON", "ASIMD"}, ""),
    ],
)
def test_faster_kernels(kernels, features, better):
    assert doctor.faster_kernels(kernels, features) == better


def test_numpys_own_blas_is_the_one_that_counts():
    other = HASWELL | {"filepath": "/venv/torch/lib/libmkl.so", "internal_api": "mkl"}
    openmp = {"user_api": "openmp", "filepath": "/usr/lib/libgomp.so"}
    assert "openblas" in doctor.blas([openmp, other, HASWELL]).detail


def test_numpy_without_a_fast_blas(monkeypatch):
    built = {"Build Dependencies": {"blas": {"name": "blas"}}}
    monkeypatch.setattr(doctor.np, "show_config", lambda mode: built)
    found = doctor.blas([])
    assert found.status == SLOW
    assert found.mend.endswith(
        "pip install --force-reinstall --only-binary=numpy numpy"
    )
    built["Build Dependencies"]["blas"]["name"] = "accelerate"
    assert doctor.blas([]) == Finding("BLAS", OK, "accelerate")


def test_matrix_product_counts_two_operations_per_product(monkeypatch):
    monkeypatch.setattr(doctor, "_best_time", lambda task, seconds: 0.002)
    assert doctor.product_rate(size=1000) == 1000
    monkeypatch.setattr(doctor, "product_rate", lambda: 429.6)
    assert doctor.matrix_product().detail == "430 GFLOP/s in float32"


# ---- what other kernels are worth


class Machine:
    """Measures as a machine with these rates would, and notes what it was asked for."""

    def __init__(self, by_itself, **rates):
        self.by_itself, self.rates, self.asked = by_itself, rates, []

    def __call__(self, kernels):
        self.asked.append(kernels)
        kernels = kernels or self.by_itself
        rate = self.rates.get(kernels)
        return Product(kernels, rate) if rate else None


def kernels_found(machine, running, features=AVX512, told=""):
    pools = [HASWELL | {"architecture": running}]
    found = doctor.blas_kernels(pools, features, told, machine)
    assert found.name == "BLAS kernels"
    return found


def test_other_kernels_are_worth_their_ratio():
    zen5 = Machine("Haswell", Haswell=250.0, SkylakeX=430.0)
    found = kernels_found(zen5, "Haswell")
    assert (found.status, found.mend) == (SLOW, "export OPENBLAS_CORETYPE=SkylakeX")
    assert found.detail == (
        "SkylakeX is 1.72 times as fast as Haswell (430 and 250 GFLOP/s)"
    )
    assert zen5.asked == ["", "SkylakeX", "", "SkylakeX"]


def test_what_the_command_line_has_set_is_compared_with_what_a_library_gets():
    zen5 = Machine("Haswell", Haswell=250.0, SkylakeX=430.0)
    found = kernels_found(zen5, "SkylakeX", told="SkylakeX")
    assert (found.status, found.mend) == (SLOW, "export OPENBLAS_CORETYPE=SkylakeX")
    assert "1.72 times as fast as Haswell" in found.detail
    assert "a program that imports minifcn must" in found.detail


@pytest.mark.parametrize("told, asked", [("", []), ("SkylakeX", [""])])
def test_nothing_is_to_be_set_where_openblas_chooses_well(told, asked):
    machine = Machine("SkylakeX", SkylakeX=430.0)
    found = kernels_found(machine, "SkylakeX", told=told)
    assert (found.status, found.mend) == (OK, "")
    assert found.detail == "SkylakeX fits this processor: nothing is to be set"
    assert machine.asked == asked


def test_nothing_is_to_be_set_where_it_would_gain_nothing():
    found = kernels_found(Machine("Zen", Zen=187.0, SkylakeX=193.0), "Zen")
    assert (found.status, found.mend) == (OK, "")
    assert "1.03 times as fast as Zen" in found.detail


def test_each_kind_of_kernels_counts_at_its_best():
    rates = iter([100.0, 430.0, 250.0, 100.0])

    def measure(kernels):
        return Product(kernels or "Haswell", next(rates))

    assert "1.72 times" in kernels_found(measure, "Haswell").detail


@pytest.mark.parametrize(
    "machine, expected",
    [
        (
            Machine("Haswell", Haswell=250.0),
            "SkylakeX should be faster than Haswell, but could not be tried",
        ),
        (Machine("Haswell"), "not measured: a process of its own gave no answer"),
    ],
    ids=["they crash", "nothing answers"],
)
def test_kernels_that_cannot_be_tried(machine, expected):
    found = kernels_found(machine, "Haswell")
    assert found == Finding("BLAS kernels", OK, expected)


def test_openblas_built_without_the_better_kernels():
    def measure(kernels):
        return Product("Haswell", 250.0)

    found = kernels_found(measure, "Haswell")
    assert (found.status, found.mend) == (OK, "")
    assert found.detail == "Haswell; this OpenBLAS has no SkylakeX"


def test_another_blas_has_no_kernels_to_choose():
    mkl = HASWELL | {"internal_api": "mkl", "architecture": "Haswell"}
    assert doctor.blas_kernels([mkl], AVX512) is None
    assert doctor.blas_kernels([], AVX512) is None


def test_products_are_timed_in_a_process_of_their_own(monkeypatch):
    own = doctor.numpys_blas(doctor.threadpool_info()) or {}
    if own.get("internal_api") != "openblas" or doctor.platform.machine() != "x86_64":
        pytest.skip("needs OpenBLAS on x86-64")
    old = "Nehalem"  # which every x86-64 can run
    product = doctor.measure_kernels(old)
    assert product.kernels == old
    assert product.rate > 0
    monkeypatch.setenv("OPENBLAS_CORETYPE", old)
    assert doctor.measure_kernels("").kernels == old
    monkeypatch.setattr(doctor.coretype, "_told", old)  # now the user has not set it
    assert doctor.measure_kernels("").kernels != old


def test_a_process_without_an_answer_is_no_measurement(monkeypatch):
    monkeypatch.setattr(doctor.sys, "executable", "/bin/false")
    assert doctor.measure_kernels("") is None


# ---- GPU


@pytest.mark.parametrize(
    "driver, capability, extra",
    [
        ("580.65.06", "9.0", "cuda13"),
        ("595.10", "7.5", "cuda13"),
        ("580.65.06", "7.0", "cuda12"),  # a V100: CUDA 13 left it out
        ("535.129.03", "9.0", "cuda12"),
        ("525.60.13", "12.0", "cuda12"),
        ("470.82.01", "8.0", ""),
        ("580.65.06", "3.7", ""),
        ("[N/A]", "[N/A]", ""),
    ],
)
def test_extra_fits_driver_and_gpu(driver, capability, extra):
    assert doctor.cuda_extra(Gpu("a GPU", "24 GiB", driver, capability)) == extra


def pretend_gpu(monkeypatch, tmp_path, line, status=0):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{line}'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def pretend_cupy(monkeypatch, names, module):
    monkeypatch.setattr(doctor, "installed_cupy", lambda: names)
    monkeypatch.setitem(sys.modules, "cupy", module)  # None: the import fails


def cupy_module(arange):
    runtime = types.SimpleNamespace(runtimeGetVersion=lambda: 13010)
    return types.SimpleNamespace(
        __version__="14.0.1",
        float32="float32",
        arange=arange,
        cuda=types.SimpleNamespace(runtime=runtime),
    )


def no_compiler(*_, **__):
    raise RuntimeError("CuPy failed to load libnvrtc.so.13\nmore lines")


H200 = "NVIDIA H200, 143771 MiB, 580.65.06, 9.0"


def test_gpu_without_cupy(monkeypatch, tmp_path):
    pretend_gpu(monkeypatch, tmp_path, H200)
    pretend_cupy(monkeypatch, [], None)
    gpu, cupy = doctor.gpu()
    assert gpu == Finding("GPU", OK, "NVIDIA H200, 143771 MiB, driver 580.65.06")
    assert cupy.status == MISSING
    assert cupy.mend.endswith("-m pip install 'minifcn[cuda13]'")


def test_gpu_with_cupy(monkeypatch, tmp_path):
    pretend_gpu(monkeypatch, tmp_path, H200)
    pretend_cupy(monkeypatch, ["cupy-cuda13x"], cupy_module(np.arange))
    assert doctor.gpu()[1] == Finding("CuPy", OK, "14.0.1, CUDA 13.1")


def test_cupy_that_cannot_compile(monkeypatch, tmp_path):
    pretend_gpu(monkeypatch, tmp_path, H200)
    pretend_cupy(monkeypatch, ["cupy-cuda12x"], cupy_module(no_compiler))
    cupy = doctor.gpu()[1]
    assert cupy.detail == "does not work: CuPy failed to load libnvrtc.so.13"
    remove, install = cupy.mend.split(" && ")
    assert remove.endswith("pip uninstall -y cupy-cuda12x")
    assert install.endswith("pip install 'minifcn[cuda13]'")


def test_two_cupys(monkeypatch, tmp_path):
    pretend_gpu(monkeypatch, tmp_path, H200)
    pretend_cupy(monkeypatch, ["cupy", "cupy-cuda13x"], cupy_module(np.arange))
    cupy = doctor.gpu()[1]
    assert cupy.status == MISSING
    assert "pip uninstall -y cupy cupy-cuda13x && " in cupy.mend


def test_driver_too_old(monkeypatch, tmp_path):
    pretend_gpu(monkeypatch, tmp_path, "NVIDIA A100, 40536 MiB, 470.82.01, 8.0")
    _, cupy = doctor.gpu()
    assert (cupy.status, cupy.mend) == (MISSING, "install NVIDIA's driver 580 or newer")
    assert cupy.detail == "driver 470.82.01 is too old for CUDA 12"


def test_gpu_too_old(monkeypatch, tmp_path):
    pretend_gpu(monkeypatch, tmp_path, "Tesla K80, 11441 MiB, 535.10, 3.7")
    _, cupy = doctor.gpu()
    assert (cupy.status, cupy.mend) == (MISSING, "")
    assert cupy.detail == "CUDA 12 leaves out Tesla K80 (capability 3.7)"


@pytest.mark.parametrize("line, status", [("no devices were found", 0), (H200, 9)])
def test_nvidia_smi_without_an_answer(monkeypatch, tmp_path, line, status):
    pretend_gpu(monkeypatch, tmp_path, line, status)
    assert doctor.nvidia_smi() == []


def test_no_gpu_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "has_nvidia_card", lambda: False)
    pretend_cupy(monkeypatch, [], None)
    assert [(row.status, row.mend) for row in doctor.gpu()] == [(MISSING, "")] * 2


@pytest.mark.parametrize(
    "vendor, kind, expected",
    [
        ("0x10de", "0x030000", True),
        ("0x10de", "0x040300", False),  # the sound device of a graphics card
        ("0x8086", "0x030000", False),
    ],
)
def test_card_without_driver(tmp_path, vendor, kind, expected):
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0/vendor").write_text(f"{vendor}\n")
    (tmp_path / "0000:01:00.0/class").write_text(f"{kind}\n")
    assert doctor.has_nvidia_card(tmp_path) is expected
