"""Arrays: which library one belongs to, moving it, and the threads that share its work.

Every operator asks `array_module` whose array it was given, so the same lines run on
NumPy and on CuPy. On the CPU an operator cuts its work into bands and hands them to
`parallel`, which keeps one BLAS thread per worker: two workers, two bands, no contest.
"""

import math
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import pairwise
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from . import emulated

Array = Any  # numpy.ndarray or cupy.ndarray: the two share one interface
Item = TypeVar("Item")
Result = TypeVar("Result")

DEVICES = ("cpu", "cuda", "emulated")  # where arrays can lie

PIECE = 1 << 18  # elements: 1 MiB of float32
SMALL = 1 << 22  # multiply-adds that a core does in about 0.1 ms
LEAST_TASKS = 4  # so that several threads share even one small image

_local = threading.local()  # the workspaces of each thread


def array_module(*arrays: Array) -> Any:
    """Return the library of the arrays: NumPy, unless one is of another device.

    That of the GPU is CuPy, that of the emulated device `emulated.library`.
    """
    for array in arrays:
        device = device_of(array)
        if device != "cpu":
            return cupy() if device == "cuda" else emulated.library
    return np


def cupy() -> ModuleType:
    """Import CuPy.

    Raises:
        ValueError: CuPy is not installed, or finds no GPU.
    """
    try:
        import cupy
    except ImportError as error:
        raise ValueError(
            "device 'cuda' needs CuPy, which is not installed: "
            "pip install 'minifcn[cuda13]' (or 'minifcn[cuda12]' for an older driver)"
        ) from error
    try:
        cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise ValueError(
            f"device 'cuda' needs a GPU, and none answers: {error}"
        ) from error
    return cupy


def set_tf32(allowed: bool) -> None:
    """Let float32 products on a GPU round their factors to 10 bits, or forbid it.

    TensorFloat-32 is faster from NVIDIA's Ampere on, and less exact. CuPy looks for
    CUPY_TF32 in the environment at its first product, and then never again; it goes by
    it in products of two matrices, and not in those of stacks of them.

    Raises:
        ValueError: CuPy is imported already, and was told otherwise.
    """
    if allowed != has_tf32() and "cupy" in sys.modules:
        raise ValueError(
            f"TF32 is to be {'on' if allowed else 'off'}, and CuPy, imported already, "
            f"may work with it {'off' if allowed else 'on'}: call "
            f"minifcn.arrays.set_tf32({allowed}) before anything imports CuPy, or "
            f"start Python with CUPY_TF32={int(allowed)}"
        )
    os.environ["CUPY_TF32"] = str(int(allowed))


def has_tf32() -> bool:
    """Whether CuPy is allowed TF32: it is not, unless someone says so."""
    return os.environ.get("CUPY_TF32", "0").strip() not in ("", "0")


def device_of(array: Array) -> str:
    """Return on which of `DEVICES` an array lies."""
    if isinstance(array, emulated.EmulatedArray):
        return "emulated"
    # By its name, so that CuPy need not be installed.
    return "cuda" if type(array).__module__.partition(".")[0] == "cupy" else "cpu"


def on_cpu(array: Array) -> bool:
    """Whether NumPy works on the array; else kernels do."""
    return device_of(array) == "cpu"


def to_device(array: Array, device: str) -> Array:
    """Return the array on `device`, one of `DEVICES`; no copy if it is there."""
    check_device(device)
    if device_of(array) == device:
        return array
    array = to_numpy(array)
    if device == "emulated":
        return emulated.to_emulated(array)
    return array if device == "cpu" else cupy().asarray(array, order="C")


def check_device(device: str) -> None:
    """Refuse a device that there is not, or that this machine cannot use.

    Raises:
        ValueError: names the devices, or what is missing.
    """
    if device not in DEVICES:
        names = " or ".join(repr(name) for name in DEVICES)
        raise ValueError(f"device is {device!r}; it must be {names}")
    if device == "cuda":
        cupy()
    if device == "emulated":
        emulated.compiler()


def to_numpy(array: Array) -> np.ndarray:
    """Return the array in the computer's own memory, as NumPy's."""
    return np.asarray(array) if on_cpu(array) else array.get()


def contiguous(array: Array) -> Array:
    """Return the array with its numbers one after the other; itself where they are."""
    return array_module(array).ascontiguousarray(array).reshape(array.shape)


def check_float(array: Array, name: str) -> None:
    """Refuse whatever is not an array of float32 or float64.

    Raises:
        TypeError: with the argument's name and what was given.
    """
    if isinstance(array, memoryview):  # .data of an array is no array
        raise TypeError(f"{name} is a plain array; wrap it: minifcn.Tensor({name})")
    if getattr(array, "dtype", None) not in (np.float32, np.float64):
        given = getattr(array, "dtype", type(array).__name__)
        raise TypeError(
            f"{name} must be a Tensor of float32 or float64; its type is {given}: "
            'convert the array first, .astype("float32")'
        )


def threads() -> int:
    """Return how many workers `parallel` uses.

    That is the number set by `set_threads`; or else what the environment asks for, as
    other libraries have it; or else all processors.
    """
    return _threads or min(_asked or usable_processors(), usable_processors())


def threads_asked_for(environment: Mapping[str, str]) -> int:
    """Read OPENBLAS_NUM_THREADS, or else OMP_NUM_THREADS; 0 if neither is a number."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        first = environment.get(name, "").split(",")[0].strip()  # of nested levels
        if first.isdecimal() and int(first) > 0:
            return int(first)
    return 0


def usable_processors() -> int:
    """Count the processors this process may run on."""
    # A container or taskset may leave this process fewer than there are.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_threads = 0  # not set
_asked = threads_asked_for(os.environ)


def set_threads(count: int) -> None:
    """Set how many workers `parallel` uses; 0 means as many as before any setting."""
    global _threads
    if count < 0:
        raise ValueError(f"the number of threads is {count}; it must be 0 or more")
    _threads = count


@lru_cache(maxsize=4)
def _pool(count: int) -> ThreadPoolExecutor:
    # The caller's own thread is the last one.
    return ThreadPoolExecutor(count - 1, thread_name_prefix="minifcn")


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


def blas_kernels() -> str:
    """Return for which processor BLAS's kernels were written, as it calls it; or ""."""
    return str(next((pool.get("architecture") for pool in _blas().info()), ""))


def parallel(task: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return `[task(item) for item in items]`, computed by all workers at once.

    NumPy lets go of Python's lock while it copies, adds and multiplies matrices, so
    threads do run side by side. The one that calls is one of them. Results come in the
    order of the items, whatever the order in which they were done; a task must not call
    `parallel` itself. After an error no further task is begun.
    """
    items = list(items)
    with _blas().limit(limits=1):
        workers = min(threads(), len(items))
        if workers < 2:
            return [task(item) for item in items]
        results: dict[int, Result] = {}
        left = iter(range(len(items)))

        def work() -> None:
            for i in left:  # whoever is done takes the next
                try:
                    results[i] = task(items[i])
                except BaseException:
                    for _ in left:  # leave none to the others
                        pass
                    raise

        others = [_pool(threads()).submit(work) for _ in range(workers - 1)]
        try:
            work()
        finally:
            # Nothing is left to do for those that no thread has begun; the rest may be
            # writing into the caller's arrays.
            begun = [other for other in others if not other.cancel()]
            wait(begun)
        for other in begun:
            other.result()  # or its error
        return [results[i] for i in range(len(items))]


def elementwise(task: Callable[..., Any], *arrays: Array) -> None:
    """Run `task` on matching pieces of arrays of one shape, by all workers at once.

    The pieces stay in the cache between the steps of a task.
    """
    size = arrays[0].size
    # Flattened, other arrays would be copies, and the results lost.
    plain = all(array.flags.c_contiguous for array in arrays)
    if not on_cpu(arrays[0]) or not plain or size <= PIECE:
        task(*arrays)
        return
    flat = [array.reshape(-1) for array in arrays]
    parallel(lambda piece: task(*(array[piece] for array in flat)), blocks(size, PIECE))


def shares(work: int) -> int:
    """Return into how many tasks to cut work of so many multiply-adds, at the least.

    One where it is done before a second thread would have begun.
    """
    return LEAST_TASKS if work >= SMALL else 1


def workspace(slot: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return uninitialised memory that this thread uses again at its next call.

    The array is valid until the same thread asks for the same slot.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    kept = getattr(_local, slot, None)
    if kept is None or kept.size < size:
        kept = _pages(size)
        setattr(_local, slot, kept)
    return kept[:size].view(dtype).reshape(shape)


def _pages(size: int) -> np.ndarray:
    """Return so many bytes of memory that lies apart from all that comes and goes.

    Kept among a step's arrays, it would split the room that they leave, and the largest
    of the next step, 411 MB, would no longer fit.
    """
    private = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
    flags = {"flags": private} if private else {}  # Windows has none
    try:
        return np.frombuffer(mmap.mmap(-1, max(size, 1), **flags), np.uint8)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes to work in cannot be had") from error


def blocks(length: int, size: int) -> list[slice]:
    """Cut `range(length)` into consecutive slices of at most `size`, nearly equal."""
    count = max(1, -(-length // max(1, size)))  # ⌈length / size⌉
    edges = [length * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]
