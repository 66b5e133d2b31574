"""The doctor: what this machine has, what it lacks, and the command that mends it.

`examine` looks at Python, the packages, the processor, the matrix products and the GPU;
`render` writes what it found as a page of text. Nothing here needs a GPU, and a finding
that cannot be made is left out or said to be missing: the doctor itself does not fail.
"""

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

from . import arrays, coretype, emulated

OK, SLOW, MISSING, BROKEN = "ok", "slow", "missing", "broken"

# What is imported by the name on the right is installed by the name on the left.
PACKAGES = {
    "numpy": "numpy",
    "pillow": "PIL",
    "matplotlib": "matplotlib",
    "hypothesis": "hypothesis",
    "tqdm": "tqdm",
    "threadpoolctl": "threadpoolctl",
    "safetensors": "safetensors",
}

GIB = 2**30


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        name: what was looked at.
        status: "ok"; "slow" (works, and could be faster); "missing" (and not needed);
            "broken" (needed, and absent or out of order).
        detail: what was found.
        mend: the command that mends it, or "".
    """

    name: str
    status: str
    detail: str
    mend: str = ""


@dataclass
class Report:
    """All findings, in the order in which they are shown."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0 where everything required works, otherwise 1."""
        return int(any(finding.status == BROKEN for finding in self.findings))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as lists and dictionaries that JSON can hold."""
        findings = [finding._asdict() for finding in self.findings]
        return {"exit_status": self.exit_status, "findings": findings}


def examine() -> Report:
    """Look at this machine; takes three seconds or so, for imports and for products."""
    return Report(
        [
            python(),
            *packages(),
            processor(),
            cores(),
            memory(),
            *_present(blas(threadpool_info())),
            *_present(blas_kernels(threadpool_info(), cpu_features())),
            matrix_product(),
            cxx(),
            *gpu(),
        ]
    )


def render(report: Report) -> str:
    """Write the report as text: a line for each finding, and below it the mend."""
    widest = max((len(finding.name) for finding in report.findings), default=0)
    lines = []
    for name, status, detail, mend in report.findings:
        lines.append(f"{status:<8} {name:<{widest}}  {detail}")
        if mend:
            lines.append(f"{'':<8} {'':<{widest}}  mend: {mend}")
    return "\n".join([*lines, "", _verdict(report)])


def _verdict(report: Report) -> str:
    broken = [finding.name for finding in report.findings if finding.status == BROKEN]
    if broken:
        return f"To be mended before anything will work: {', '.join(broken)}."
    return "Everything that is required works."


def _present(finding: Finding | None) -> list[Finding]:
    return [finding] if finding else []


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _pip_install(what: str) -> str:
    # This Python's own pip: another may stand first on the PATH.
    return f"{shlex.quote(sys.executable)} -m pip install {what}"


# ---- Python and its packages


def python() -> Finding:
    """The Python that runs this."""
    detail = f"{platform.python_version()} at {sys.executable}"
    return Finding("Python", OK, detail)


def packages() -> list[Finding]:
    """Find minifcn and all it depends on."""
    try:
        own = importlib.metadata.version("minifcn")
        requirements = importlib.metadata.requires("minifcn") or []
    except importlib.metadata.PackageNotFoundError:
        own, requirements = "not installed, used from its folder", []
    least = _least_versions(requirements)
    found = [
        package(name, module, least.get(name)) for name, module in PACKAGES.items()
    ]
    return [Finding("minifcn", OK, own), *found]


def _least_versions(requirements: Iterable[str]) -> dict[str, str]:
    """From lines such as `numpy>=2.0`; those of the extras are passed over."""
    pairs = (re.fullmatch(r"([\w-]+)>=([\d.]+)", line) for line in requirements)
    return {match[1]: match[2] for match in pairs if match}


def package(name: str, module: str, least: str | None = None) -> Finding:
    """A required package: does it import, and is it of version `least` or newer."""
    mend = _pip_install(shlex.quote(f"{name}>={least}") if least else name)
    try:
        importlib.import_module(module)
        version = importlib.metadata.version(name)
    except ImportError as error:
        return Finding(name, BROKEN, _first_line(error), mend)
    except Exception as error:  # whatever a damaged package raises when imported
        repair = _pip_install(f"--force-reinstall {name}")
        return Finding(name, BROKEN, _first_line(error), repair)
    if least and _numbers(version) < _numbers(least):
        return Finding(name, BROKEN, f"{version}; {least} or newer is needed", mend)
    return Finding(name, OK, version)


def _numbers(version: str) -> list[int]:
    """`"2.4.0rc1"` → [2, 4, 0]."""
    parts = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in parts[0].split(".")] if parts else []


# ---- the processor


def cpu_features() -> set[str]:
    """The instruction sets of this processor, as NumPy names them."""
    try:
        internals: Any = importlib.import_module("numpy._core._multiarray_umath")
        features = internals.__cpu_features__
    except (ImportError, AttributeError):  # NumPy promises neither name
        return set()
    return {name for name, present in features.items() if present}


def vector_width(features: set[str]) -> str:
    """The widest vector instructions among `features`, by their usual name, or ""."""
    names = {
        "AVX-512": {"AVX512_SKX", "X86_V4"},
        "AVX2": {"AVX2", "X86_V3"},
        "NEON": {"NEON", "ASIMD"},
    }
    return next((name for name, any_of in names.items() if features & any_of), "")


def processor() -> Finding:
    """The processor's family and vector instructions."""
    vectors = vector_width(cpu_features())
    detail = platform.machine() + (f" with {vectors}" if vectors else "")
    return Finding("processor", OK, detail)


def cores() -> Finding:
    """How many processors this process may use, and what a container leaves of them."""
    usable, limit = arrays.usable_processors(), cgroup_cpu_limit()
    detail = f"{usable} of {os.cpu_count()} usable"
    if limit is None or limit >= usable:
        return Finding("cores", OK, detail)
    last = max(1, int(limit)) - 1
    detail += f", but the container grants the time of {limit:g}"
    return Finding("cores", SLOW, detail, f"taskset -c 0-{last} minifcn ...")


def cgroup_cpu_limit(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors' worth of time that a container may use; None where none is set."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        quota = _read(root / "cpu/cpu.cfs_quota_us")
        period = _read(root / "cpu/cpu.cfs_period_us")
    # "max" and -1 mean no limit
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def memory() -> Finding:
    """The machine's memory, or the container's share of it."""
    total = memory_limit()
    if total is None:
        return Finding("memory", OK, "size unknown")
    return Finding("memory", OK, f"{total / GIB:.1f} GiB")


def memory_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes this process can have; None where the system does not say."""
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    files = ("memory.max", "memory/memory.limit_in_bytes")
    limits = [text for file in files if (text := _read(root / file)).isdigit()]
    return min([physical, *map(int, limits)])


# ---- matrix products

# OpenBLAS names its kernels after processors. These are its x86 kernels from the time
# before AVX2, and those that know AVX2 but not AVX-512.
BEFORE_AVX2 = {
    *("Prescott", "Core2", "Penryn", "Dunnington", "Atom", "Nano", "Nehalem"),
    *("Sandybridge", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat"),
    *("Bulldozer", "Piledriver", "Steamroller", "Katmai", "Coppermine", "Northwood"),
}
BEFORE_AVX512 = BEFORE_AVX2 | {"Haswell", "Zen", "Excavator"}


def faster_kernels(architecture: str, features: set[str]) -> str:
    """The OpenBLAS kernels that would be faster than those of `architecture`, or ""."""
    vectors = vector_width(features)
    if vectors == "AVX-512" and architecture in BEFORE_AVX512:
        return "SkylakeX"
    if vectors == "AVX2" and architecture in BEFORE_AVX2:
        return "Haswell"
    return ""


def blas(pools: list[dict[str, Any]]) -> Finding | None:
    """The library that multiplies NumPy's matrices.

    Args:
        pools: what threadpoolctl found.
    """
    pool = numpys_blas(pools)
    if not pool:
        return _unlisted_blas()
    detail = f"{pool['internal_api']} {pool['version'] or ''}".strip()
    kernels = pool.get("architecture")
    detail += f", {kernels} kernels" if kernels else ""
    return Finding("BLAS", OK, f"{detail}, {pool['num_threads']} threads")


def numpys_blas(pools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """NumPy's own BLAS among what threadpoolctl found: other libraries bring theirs."""
    found = [pool for pool in pools if pool["user_api"] == "blas"]
    own = [pool for pool in found if "numpy" in pool["filepath"]]
    return next(iter(own or found), None)


def _unlisted_blas() -> Finding | None:
    """What NumPy was built with, for a BLAS that threadpoolctl does not know."""
    try:
        built: Any = np.show_config(mode="dicts")
        name = built["Build Dependencies"]["blas"]["name"]
    except (KeyError, TypeError):
        return None
    if name not in ("blas", "netlib", "none", "auto"):
        return Finding("BLAS", OK, name)
    mend = _pip_install("--force-reinstall --only-binary=numpy numpy")
    return Finding("BLAS", SLOW, f"NumPy without a fast BLAS ({name})", mend)


def matrix_product() -> Finding:
    """How fast this process multiplies matrices."""
    return Finding("matrix product", OK, f"{product_rate():.0f} GFLOP/s in float32")


def product_rate(size: int = 768, seconds: float = 0.25) -> float:
    """Multiply float32 matrices (size, size) for that many seconds; return GFLOP/s."""
    a = np.full((size, size), 0.5, np.float32)
    y = np.empty_like(a)
    best = _best_time(lambda: np.matmul(a, a, out=y), seconds)
    return 2 * size**3 / best / 1e9


def _best_time(task: Callable[[], object], seconds: float) -> float:
    """The shortest of the runs that fit into `seconds`; the first does not count."""
    start = time.perf_counter()
    task()
    best = float("inf")
    while best == float("inf") or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - before)
    return best


# ---- what other kernels are worth

WORTH = 1.1  # times as fast: less is noise, and not worth a setting


class Product(NamedTuple):
    """Matrix products of a process of its own: OpenBLAS's kernels, and GFLOP/s."""

    kernels: str
    rate: float


def blas_kernels(
    pools: list[dict[str, Any]],
    features: set[str],
    told: str | None = None,
    measure: Callable[[str], Product | None] | None = None,
) -> Finding | None:
    """Whether OpenBLAS takes the kernels that fit, and what those that do are worth.

    What counts is how it chooses in the user's own environment, as where minifcn is
    imported as a library; the command line may have chosen better (`coretype`).

    Args:
        pools: what threadpoolctl found in this process.
        features: as :func:`cpu_features`.
        told: the kernels that the command line has set; by default, as it has.
        measure: as :func:`measure_kernels`.
    """
    pool = numpys_blas(pools)
    if not pool or pool["internal_api"] != "openblas":
        return None
    told = coretype.told() if told is None else told
    measure = measure or measure_kernels
    kernels = pool.get("architecture", "")
    if not told and not faster_kernels(kernels, features):
        return _kernels_fit(kernels)
    return _try_kernels(features, bool(told), measure)


def _try_kernels(
    features: set[str], told: bool, measure: Callable[[str], Product | None]
) -> Finding:
    now = measure("")
    if not now:
        return _kernels("not measured: a process of its own gave no answer")
    better = faster_kernels(now.kernels, features)
    if not better:
        return _kernels_fit(now.kernels)
    faster = measure(better)
    if not faster:
        detail = f"{better} should be faster than {now.kernels}"
        return _kernels(f"{detail}, but could not be tried")
    if now.kernels == faster.kernels:
        return _kernels(f"{now.kernels}; this OpenBLAS has no {better}")
    # In turns: a machine that speeds up or slows down does so for both.
    now, faster = _fastest(now, measure("")), _fastest(faster, measure(better))
    return _compare(now, faster, told)


def _kernels(detail: str) -> Finding:
    return Finding("BLAS kernels", OK, detail)


def _kernels_fit(kernels: str) -> Finding:
    return _kernels(f"{kernels} fits this processor: nothing is to be set")


def _fastest(first: Product, second: Product | None) -> Product:
    return second if second and second.rate > first.rate else first


def _compare(now: Product, faster: Product, told: bool) -> Finding:
    ratio = faster.rate / now.rate
    detail = (
        f"{faster.kernels} is {ratio:.2f} times as fast as {now.kernels} "
        f"({faster.rate:.0f} and {now.rate:.0f} GFLOP/s)"
    )
    if ratio < WORTH:
        return _kernels(f"{detail}: nothing need be set")
    if told:
        detail += "; the command line sets it, a program that imports minifcn must"
    mend = f"export {coretype.VARIABLE}={faster.kernels}"
    return Finding("BLAS kernels", SLOW, detail, mend)


def measure_kernels(kernels: str) -> Product | None:
    """Time products in a new process, with these kernels; None if that fails.

    Args:
        kernels: a name for OpenBLAS, or "" for what the user's environment gives.
    """
    environment = dict(os.environ)
    if kernels:
        environment[coretype.VARIABLE] = kernels
    elif coretype.told():
        environment.pop(coretype.VARIABLE, None)
    command = [sys.executable, "-m", __name__]
    try:
        answer = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=20
        )
        return Product(**json.loads(answer.stdout))
    # Kernels that the processor cannot run end the process without an answer.
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def _answer() -> None:
    """Print this process's `Product`, for `measure_kernels`."""
    pool = numpys_blas(threadpool_info()) or {}
    product = Product(pool.get("architecture", ""), product_rate())
    print(json.dumps(product._asdict()))


# ---- the GPU

# The oldest driver, and the oldest compute capability, that CUDA 12 and 13 work with
# (NVIDIA's release notes).
DRIVER_FOR_CUDA12, DRIVER_FOR_CUDA13 = [525], [580]
MAXWELL, TURING = [5, 0], [7, 5]


class Gpu(NamedTuple):
    """What nvidia-smi says of a GPU: capability is 9.0 for a Hopper."""

    name: str
    memory: str
    driver: str
    capability: str


def cxx() -> Finding:
    """The C++ compiler, with which the device "emulated" runs the GPU's kernels."""
    try:
        return Finding("C++ compiler", OK, " ".join(emulated.compiler()))
    except emulated.NoCompiler as error:
        mend = "unset CXX" if os.environ.get("CXX") else "apt install g++"
        return Finding("C++ compiler", MISSING, str(error), mend)


def gpu() -> list[Finding]:
    """The GPUs, and whether CuPy can use them."""
    found = nvidia_smi()
    if not found:
        return [_no_gpu(), cupy("")]
    extra = cuda_extra(found[0])
    lines = [
        Finding("GPU", OK, f"{name}, {memory}, driver {driver}")
        for name, memory, driver, _ in found
    ]
    if extra:
        return [*lines, cupy(extra)]
    return [*lines, _too_old(found[0])]


def _too_old(found: Gpu) -> Finding:
    if _numbers(found.capability) < MAXWELL:
        detail = f"CUDA 12 leaves out {found.name} (capability {found.capability})"
        return Finding("CuPy", MISSING, detail)
    detail = f"driver {found.driver} is too old for CUDA 12"
    return Finding("CuPy", MISSING, detail, _NEW_DRIVER)


_NEW_DRIVER = f"install NVIDIA's driver {DRIVER_FOR_CUDA13[0]} or newer"


def nvidia_smi() -> list[Gpu]:
    """The GPUs that NVIDIA's driver knows; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    query = "--query-gpu=name,memory.total,driver_version,compute_cap"
    command = [program, query, "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.split(", ") for line in answer.stdout.splitlines()]
    return [Gpu(*row) for row in rows if len(row) == 4 and answer.returncode == 0]


def cuda_extra(found: Gpu) -> str:
    """The extra of minifcn that fits the driver: "cuda13", "cuda12", or "" for none."""
    driver, capability = _numbers(found.driver), _numbers(found.capability)
    if driver >= DRIVER_FOR_CUDA13 and capability >= TURING:
        return "cuda13"
    if driver >= DRIVER_FOR_CUDA12 and capability >= MAXWELL:
        return "cuda12"
    return ""


def _no_gpu() -> Finding:
    if has_nvidia_card():
        detail = "an NVIDIA card, but its driver does not answer (nvidia-smi)"
        return Finding("GPU", MISSING, detail, _NEW_DRIVER)
    return Finding("GPU", MISSING, "no NVIDIA GPU; all computing is done on the CPU")


def has_nvidia_card(devices: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether a graphics card (PCI class 03) by NVIDIA (vendor 10de) is plugged in."""
    return any(
        _read(device / "vendor") == "0x10de"
        and _read(device / "class").startswith("0x03")
        for device in devices.glob("*")
    )


def cupy(extra: str) -> Finding:
    """Whether CuPy imports and computes; `extra` is what would install it, or ""."""
    found = installed_cupy()
    if len(found) > 1:
        detail = f"{' and '.join(found)} overwrite each other's files"
        return Finding("CuPy", MISSING, detail, _install_cupy(extra, found))
    mend = _install_cupy(extra, [name for name in found if name != f"cupy-{extra}x"])
    try:
        return Finding("CuPy", OK, _try_cupy(compute=bool(extra)))
    except ModuleNotFoundError:
        return Finding("CuPy", MISSING, "not installed (only a GPU needs it)", mend)
    except (
        Exception
    ) as error:  # CuPy's own errors cannot be named before it is imported
        return Finding("CuPy", MISSING, f"does not work: {_first_line(error)}", mend)


def _try_cupy(compute: bool) -> str:
    import cupy

    if compute:
        cupy.arange(5, dtype=cupy.float32).sum().item()  # compiles and runs a kernel
    cuda = cupy.cuda.runtime.runtimeGetVersion()  # 12090 is CUDA 12.9
    return f"{cupy.__version__}, CUDA {cuda // 1000}.{cuda % 1000 // 10}"


def _install_cupy(extra: str, remove: list[str]) -> str:
    """The command that puts `extra` in the place of the packages `remove`."""
    steps = []
    if remove:
        python = shlex.quote(sys.executable)
        steps.append(f"{python} -m pip uninstall -y {' '.join(remove)}")
    if extra:
        steps.append(_pip_install(shlex.quote(f"minifcn[{extra}]")))
    return " && ".join(steps)


def installed_cupy() -> list[str]:
    """The names of the CuPy packages installed: one at most, if all is well."""
    names = {found.metadata["Name"] for found in importlib.metadata.distributions()}
    return sorted(
        name for name in names if re.fullmatch(r"cupy(-cuda\d+x)?", name or "")
    )


if __name__ == "__main__":
    _answer()
