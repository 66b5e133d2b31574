"""Tell OpenBLAS which kernels to take, where it would take slower ones by itself.

OpenBLAS multiplies NumPy's matrices. It carries kernels for many processors, named
after the first that they were written for ("core types"), and chooses when NumPy is
imported. It knows AMD's processors by their family: of those with AVX-512 it has long
known 25 (Zen 4), and learnt 26 (Zen 5) only after version 0.3.34. One that it does not
know can end up with kernels that leave half of every vector unused: a Zen 5 was seen to
multiply at 250 GFLOP/s (Haswell) instead of 430 (SkylakeX).

| vendor | family | flags | OPENBLAS_CORETYPE |
|---|---|---|---|
| AuthenticAMD | any but 25 | all of `AVX512` | SkylakeX |
| any other case | | | left alone |

Where OpenBLAS finds its way after all, this changes nothing: its kernels for younger
processors (Cooperlake) multiply float32 as SkylakeX does. A BLAS of another make does
not look at the variable. Nothing is imported here that would import NumPy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
CPUINFO = Path("/proc/cpuinfo")  # Linux alone has it

# Kernels of SkylakeX use all of these; a processor that lacks one would stop at it.
AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
KNOWN_FAMILIES = {"25"}  # AMD's with AVX-512 for which OpenBLAS chooses well

_told = ""


def tell(environment: MutableMapping[str, str] = os.environ) -> str:
    """Set OPENBLAS_CORETYPE where that is of use; return what it was set to, or "".

    What the user has set stays, and once NumPy is imported it is too late.
    """
    global _told
    if VARIABLE in environment or "numpy" in sys.modules:
        return ""
    if kernels := better_kernels(first_processor()):
        environment[VARIABLE] = _told = kernels
    return kernels


def told() -> str:
    """Return the kernels that `tell` has set in this process, or ""."""
    return _told


def better_kernels(cpuinfo: str) -> str:
    """Return the kernels to name to OpenBLAS, or "" where it is left alone.

    Args:
        cpuinfo: a processor's lines of /proc/cpuinfo; "" where there is none.
    """
    pairs = (line.partition(":") for line in cpuinfo.splitlines())
    about = {name.strip(): value.strip() for name, _, value in pairs}
    if about.get("vendor_id") != "AuthenticAMD":
        return ""
    if about.get("cpu family") in KNOWN_FAMILIES:
        return ""
    return "SkylakeX" if set(about.get("flags", "").split()) >= AVX512 else ""


def first_processor() -> str:
    """Read the first processor's lines of /proc/cpuinfo; "" on other systems."""
    lines = []
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as file:
            for line in file:  # hundreds of processors would take a while
                if not line.strip():
                    break
                lines.append(line)
    except OSError:
        return ""
    return "".join(lines)
