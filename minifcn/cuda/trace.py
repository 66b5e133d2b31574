"""What each thread of a launch reads and writes, on the emulated device.

>>> import numpy as np
>>> from minifcn import ops, Tensor
>>> from minifcn.cuda import trace
>>> from minifcn.emulated import to_emulated
>>> with trace.record(threads=2) as traces:
...     y = ops.relu(Tensor(to_emulated(np.array([1.0, -2.0, 3.0]))))
>>> print(traces[0])
relu: 2 blocks of 2 threads
block 0 thread 0: reads x[0] x[0]; writes y[0]
block 0 thread 1: reads x[1]; writes y[1]
block 1 thread 0: reads x[2] x[2]; writes y[2]
block 1 thread 1: nothing

The kernels are the same, but for their pointers: those note each access (`trace.h`).
"""

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import host, launch
from .source import TYPES, Kernel, Source

_POINTER = re.compile(
    rf"\b(const\s+)?({'|'.join(['T', *TYPES])})\s*\*(?:\s*__restrict__)?\s*"
)
_FUNCTIONS = """
extern "C" void begin_trace() { tracing::accesses.clear(); }
extern "C" Index count_trace() { return tracing::accesses.size(); }
extern "C" const void* read_trace() { return tracing::accesses.data(); }
"""


@dataclass(frozen=True)
class Access:
    """One number read or written: by which thread of which block, and where.

    Attributes:
        array: the kernel's name for it.
        kind: "read" or "write".
        index: in the array as it lies in memory.
        is_outside: of the array; such an access is noted, and not done.
        is_atomic: part of an atomicAdd or atomicMax, in which threads take turns.
    """

    block: int
    thread: int
    array: str
    kind: str
    index: int
    is_outside: bool = False
    is_atomic: bool = False

    def __str__(self) -> str:
        return f"{self.array}[{self.index}]" + (
            " (outside!)" if self.is_outside else ""
        )


@dataclass(frozen=True)
class Trace:
    """All that one launch read and wrote, in the order in which it was done.

    Attributes:
        kernel: its name.
        blocks, threads: of the grid, and of each block.
        sizes: how many numbers each array holds.
        memory: where each array begins, and how many bytes a number of it has.
        accesses: in order. What shared memory and registers hold is not followed.
    """

    kernel: str
    blocks: int
    threads: int
    sizes: dict[str, int]
    memory: dict[str, tuple[int, int]]
    accesses: tuple[Access, ...]

    def of(self, block: int, thread: int) -> list[Access]:
        """Return what one thread did, in order."""
        at = (block, thread)
        return [
            access for access in self.accesses if (access.block, access.thread) == at
        ]

    def races(self) -> list[str]:
        """Return the places that one thread writes while another uses them: ["y[0]"].

        What they hold then depends on who comes first, and of two sums that both read
        before either writes one is lost. Atomics take turns, and among them there is no
        race. Barriers are not looked at. Arrays may share memory; a place has the name
        by which it is written.
        """
        users: dict[Any, set[tuple[int, int]]] = {}
        written: dict[Any, Access] = {}
        plain = set()
        for access in self.accesses:
            place = self._place(access)
            users.setdefault(place, set()).add((access.block, access.thread))
            if access.kind == "write":
                written.setdefault(place, access)
            if not access.is_atomic:
                plain.add(place)
        names = [*self.memory]
        found = sorted(
            (names.index(write.array), write.index)
            for place, write in written.items()
            if place in plain and len(users[place]) > 1
        )
        return [f"{names[array]}[{index}]" for array, index in found]

    def _place(self, access: Access) -> Any:
        if access.is_outside:  # not done, and no use of what lies there
            return access.array, access.index
        start, width = self.memory[access.array]
        return start + access.index * width

    def __str__(self) -> str:
        grid = f"{self.kernel}: {self.blocks} blocks of {self.threads} threads"
        rows = [
            f"block {block} thread {thread}: {_told(self.of(block, thread))}"
            for block in range(self.blocks)
            for thread in range(self.threads)
        ]
        return "\n".join([grid, *rows])

    def draw(self, path: str | Path) -> None:
        """Draw it as a PNG: threads are rows, memory columns, an array each panel."""
        from matplotlib.figure import Figure

        # The smallest arrays still need room for their names.
        widths = [max(size, 4) for size in self.sizes.values()]
        rows = self.blocks * self.threads
        size = (min(2 + 0.22 * sum(widths), 24), min(1.6 + 0.22 * rows, 24))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(
            *(1, len(widths)), sharey=True, squeeze=False, width_ratios=widths
        )[0]
        for panel, (name, count) in zip(panels, self.sizes.items(), strict=True):
            _draw_array(panel, self, name, count)
        panels[0].set_ylabel("block.thread")
        figure.suptitle(f"{self.kernel}: blue is read, orange is written")
        figure.savefig(path, format="png", dpi=100)


def _told(accesses: Sequence[Access]) -> str:
    parts = []
    for kind in ("read", "write"):
        places = [str(access) for access in accesses if access.kind == kind]
        if places:
            parts.append(f"{kind}s {' '.join(places)}")
    return "; ".join(parts) or "nothing"


def _draw_array(panel: Any, trace: Trace, name: str, count: int) -> None:
    rows = trace.blocks * trace.threads
    own = [access for access in trace.accesses if access.array == name]
    # Side by side where some are read and some are written, else in the middle.
    aside = 0.2 if len({access.kind for access in own}) == 2 else 0.0
    for kind, colour, shift in (
        ("read", "tab:blue", -aside),
        ("write", "tab:orange", aside),
    ):
        found = [access for access in own if access.kind == kind]
        panel.scatter(
            [access.index + shift for access in found],
            [access.block * trace.threads + access.thread for access in found],
            s=18,
            color=colour,
            marker="s",
        )
    for block in range(1, trace.blocks):
        panel.axhline(block * trace.threads - 0.5, color="grey", linewidth=1)
    step = -(-rows // 64)
    labels = [f"{i // trace.threads}.{i % trace.threads}" for i in range(rows)]
    panel.set_yticks(range(0, rows, step), labels[::step], fontsize=7)
    panel.set_ylim(rows - 0.5, -0.5)
    indices = [0, count - 1, *(access.index for access in own)]  # some lie outside
    panel.set_xlim(min(indices) - 0.5, max(indices) + 0.5)
    panel.set_xticks(np.arange(0, count, -(-count // 8)))
    panel.set_axisbelow(True)
    panel.grid(color="0.9")
    panel.set_title(name)


@contextmanager
def record(threads: int = launch.THREADS) -> Iterator[list[Trace]]:
    """Note every launch on the emulated device: a list that grows by a Trace each.

    Args:
        threads: of each block; few, so that a small launch has several blocks. Those of
            a kernel with barriers keep their number, for which its shared memory is.

    Raises:
        ValueError: threads is not in 1 .. 1024.
        NoCompiler: there is no compiler.
        RuntimeError: a kernel does what cannot be traced, as the address &x[i] of an
            input; with the compiler's words.
    """
    if not 1 <= threads <= 1024:
        raise ValueError(f"threads is {threads}; a block has 1 to 1024")
    traces: list[Trace] = []

    def recorder(source: Source, kernel: Kernel, variant: str) -> Any:
        return _function(source, kernel, variant, traces)

    before = launch.THREADS, host.recorder
    launch.THREADS, host.recorder = threads, recorder
    try:
        yield traces
    finally:
        launch.THREADS, host.recorder = before


def _function(
    source: Source, kernel: Kernel, variant: str, traces: list[Trace]
) -> Callable[[int, int, Sequence[Any]], None]:
    compiled = _library(source)
    run = host.runner(source, kernel, getattr(compiled, host.symbol(kernel, variant)))
    names = [parameter.name for parameter in kernel.parameters]

    def traced(blocks: int, threads: int, values: Sequence[Any]) -> None:
        counts = [v.size if isinstance(v, np.ndarray) else 0 for v in values]
        sizes = np.array(counts, np.int64)
        ctypes.c_void_p.in_dll(compiled, "trace_sizes").value = sizes.ctypes.data
        compiled.begin_trace()
        run(blocks, threads, values)
        arrays = {p.name: v for p, v in zip(kernel.parameters, values) if p.is_array}
        held = {name: array.size for name, array in arrays.items()}
        lie = {name: (a.ctypes.data, a.itemsize) for name, a in arrays.items()}
        accesses = tuple(_accesses(compiled, names))
        traces.append(Trace(kernel.name, blocks, threads, held, lie, accesses))

    return traced


def _accesses(compiled: Any, names: Sequence[str]) -> Iterator[Access]:
    compiled.count_trace.restype = ctypes.c_longlong
    compiled.read_trace.restype = ctypes.POINTER(ctypes.c_longlong)
    rows, numbers = compiled.count_trace(), compiled.read_trace()
    for r in range(rows):
        block, thread, array, index, *flags = numbers[7 * r : 7 * r + 7]
        is_write, is_outside, is_atomic = map(bool, flags)
        kind = "write" if is_write else "read"
        yield Access(block, thread, names[array], kind, index, is_outside, is_atomic)


@cache
def _library(source: Source) -> ctypes.CDLL:
    """Compile a file with pointers that note what goes through them."""
    head = ['#include "emulate.h"', '#include "trace.h"', _FUNCTIONS]
    code = _POINTER.sub(lambda m: f"Traced<{m[1] or ''}{m[2]}> ", source.code)
    return host.load(host.assembled(source, head, code, _unpacked), source.path.name)


def _unpacked(i: int, c_type: str) -> str:
    if not c_type.endswith("*"):
        return f"*({c_type}*)a[{i}]"
    return f"Traced<{c_type[:-1]}>(*({c_type}*)a[{i}], trace_sizes[{i}], {i})"
