"""Every kernel launched, each with what the library gives it, to be run once more.

`recorded()` lets the laws and the rest of the library work on the emulated device, and
notes each launch with its arrays. A `Launch` can be run again: on copies that are just
as long as the arrays, in float32 and float64, in another order, on another grid.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import Tensor, metrics, models, ops, optim, pictures
from minifcn.cuda import host, launch
from minifcn.cuda.source import FLOATS, Kernel, read
from minifcn.emulated import to_emulated
from minifcn.laws import LAWS, Implementation

from .common import FILES

CASES = 2  # of each law
LONGEST = 20_000  # numbers of an array; longer ones show nothing new
MOST = 24  # launches of each kernel: the largest, no two with the same numbers
FEW = 6  # of a kernel with barriers, whose threads are slow to change


@dataclass(frozen=True)
class Launch:
    """What one kernel was given; arrays are NumPy's."""

    path: Path
    name: str
    size: int
    arguments: tuple[Any, ...]

    @property
    def kernel(self) -> Kernel:
        return read(self.path).kernels[self.name]

    def run(self, dtype: str, grid: tuple[int, int], seed: int = 0) -> list[bytes]:
        """Run it on copies; return the arrays that it writes.

        Args:
            dtype: of its T.
            grid: threads of a block, and the most blocks.
            seed: of the order of blocks and threads.
        """
        given = [
            _copy(argument, dtype if parameter.type == "T" else argument.dtype)
            if parameter.is_array
            else argument
            for parameter, argument in zip(self.kernel.parameters, self.arguments)
        ]
        with arranged(grid, seed):
            launch.launch(read(self.path), self.kernel, self.size, *given)
        pairs = zip(self.kernel.parameters, given)
        return [array.tobytes() for parameter, array in pairs if parameter.is_written]

    def dtypes(self) -> list[str]:
        return list(FLOATS) if self.kernel.is_template else [""]

    def grids(self) -> list[tuple[int, int]]:
        """Return a grid of a thread for each item, and one that must walk over them."""
        threads = launch.SHARING if self.kernel.has_barriers else 8
        return [(threads, 1 << 16), (threads, 2)]

    def loops(self) -> bool:
        """Whether on the second of these grids some threads do several items."""
        threads, blocks = self.grids()[1]
        return self.size > threads * blocks


def _copy(array: np.ndarray, dtype: Any) -> Any:
    with np.errstate(all="ignore"):  # what nobody has written yet may be anything
        return to_emulated(array.astype(dtype))


@contextmanager
def arranged(grid: tuple[int, int], seed: int) -> Iterator[None]:
    """Launch on another grid, (threads of a block, most blocks), in another order."""
    before = launch.THREADS, launch.MOST_BLOCKS
    launch.THREADS, launch.MOST_BLOCKS = grid
    host.shuffle(seed)
    try:
        yield
    finally:
        launch.THREADS, launch.MOST_BLOCKS = before
        host.shuffle(0)


@cache
def recorded() -> tuple[Launch, ...]:
    """Return the largest launches of each kernel, in the order of files and kernels."""
    found: dict[Any, Launch] = {}
    usual = launch.launch

    def noting(source: Any, kernel: Any, size: int, *arguments: Any) -> None:
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        # Of keys, each is as good as another.
        numbers = [a for a in arguments if isinstance(a, int) and a < 1 << 32]
        which = (source.path, kernel.name, size, *numbers)
        longest = max(array.size for array in arrays)
        if which not in found and size and longest <= LONGEST:
            kept = [a.get() if isinstance(a, np.ndarray) else a for a in arguments]
            found[which] = Launch(source.path, kernel.name, size, tuple(kept))
        usual(source, kernel, size, *arguments)

    launch.launch = noting
    try:
        for law in LAWS:
            law.hold(Implementation(device="emulated"), CASES)
        judge_and_paint()
        train()
    finally:
        launch.launch = usual
    largest = sorted(found.values(), key=lambda one: -one.size)
    return tuple(
        one
        for path in FILES
        for kernel in read(path).kernels.values()
        for one in [x for x in largest if (x.path, x.name) == (path, kernel.name)][
            : FEW if kernel.has_barriers else MOST
        ]
    )


def judge_and_paint() -> None:
    """Let a device find classes, count them and colour them."""
    rng = np.random.default_rng(0)
    for N, C, H, W in ((1, 2, 3, 5), (2, 21, 13, 10), (3, 1, 7, 4)):
        metrics.most_likely(to_emulated(rng.normal(size=(N, C, H, W))))
        truth, found = rng.integers(0, C, (2, N, H, W))
        truth.flat[::3] = 255
        metrics.confusion_matrix(to_emulated(truth), to_emulated(found), C)
        label = np.where(truth[0] == 255, truth[0], found[0]).astype(np.uint8)
        pictures.colour(to_emulated(label), pictures.voc_palette())


def train() -> None:
    """Take two steps of training with a slim FCN-8s."""
    rng = np.random.default_rng(0)
    net = models.fcn8s(n_classes=3, width=1 / 64)
    net.to(device="emulated")
    steps = optim.SGD(net.named_parameters(), 1e-4, 0.9, 5e-4)
    x = Tensor(to_emulated(rng.normal(size=(1, 3, 90, 70)).astype(np.float32)))
    target = to_emulated(rng.integers(0, 3, (1, 90, 70)))
    for _ in range(2):
        steps.zero_grad()
        ops.cross_entropy(net(x), target).backward()
        steps.step()


def missing(launched: Any) -> set[str]:
    """Return the kernels of the project, by file and type, that are not `launched`."""
    every = {
        (path.name, kernel.expression(variant))
        for path in FILES
        for kernel in read(path).kernels.values()
        for variant in kernel.variants()
    }
    return {f"{file}: {name}" for file, name in every - set(launched)}
