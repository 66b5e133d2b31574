"""Keep freed memory at hand, where the system would take it back and clear it again.

glibc's `malloc` asks the system for every array of more than 32 MiB, and gives it back
when it is freed. What comes next is as large, and new to the process: the system must
clear it first, page by page. A training step of FCN-8s at 500 × 500 makes some hundred
such maps; that took a sixth of its time (1.65 of 10.2 seconds of processor time, and
0.05 of 8.4 with what is done here), for 8 % more memory at its peak.

So the command line tells malloc to serve maps from its own store, and to keep in it
what is freed. That changes how the whole process works, not minifcn alone: whoever
imports minifcn as a library decides for himself, `minifcn.memory.keep()`.
"""

import os
from collections.abc import Mapping
from typing import Any

# What mallopt(3) calls them, and where the user may have set them already.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
VARIABLES = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"

STORED = 1 << 30  # bytes: what is larger comes from the system and goes back there
KEPT = (
    1 << 31
) - 1  # bytes that may lie free at the end of the store; the most it takes


def keep(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell malloc to keep what is freed; return whether it does.

    It does not where the C library is another than glibc, or the user has told malloc
    himself what to do.
    """
    if any(variable in environment for variable in VARIABLES):
        return False
    library = _c_library()
    if not hasattr(library, "gnu_get_libc_version"):  # mallopt may mean something else
        return False
    done = library.mallopt(M_MMAP_THRESHOLD, STORED)
    return bool(done and library.mallopt(M_TRIM_THRESHOLD, KEPT))


def _c_library() -> Any:
    import ctypes

    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has none that goes by no name
        return None
