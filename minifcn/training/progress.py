"""What a person sees of a run while it goes on, on standard error."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType

from tqdm import tqdm

AVERAGED = 20  # steps in the loss and the speed shown (Caffe's average_loss)


class Progress:
    """A bar with loss, images per second and time left; none without a terminal.

    Args:
        total: steps of the run.
        done: steps that an earlier session took.
        title: stands before the bar.
        talk: whether :meth:`say` says anything.
    """

    def __init__(
        self, total: int, done: int = 0, title: str = "", talk: bool = True
    ) -> None:
        self.total, self.done, self.title = total, done, title
        self.talk = talk
        self.bar: tqdm | None = None
        self.recent: deque[tuple[float, int, float]] = deque(maxlen=AVERAGED)

    def step(self, loss: float, images: int, seconds: float) -> None:
        """Show one more step: its loss, and how many images took how long."""
        self.recent.append((loss, images, seconds))
        if self.bar is None or self.bar.disable:
            return
        losses, counts, times = (sum(column) for column in zip(*self.recent))
        self.bar.set_postfix_str(
            f"loss {losses / len(self.recent):.4f}, {counts / times:.1f} images/s",
            refresh=False,
        )
        self.bar.update()

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        if self.talk:
            tqdm.write(line, file=sys.stderr)

    def __enter__(self) -> Progress:
        self.bar = tqdm(
            total=self.total,
            initial=self.done,
            desc=self.title or None,
            unit="step",
            disable=None,  # None: where standard error is no terminal
            dynamic_ncols=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.close()


def bar(title: str) -> Callable[[Iterable[int]], Iterable[int]]:
    """Return a wrapper that shows a bar while its iterable is walked."""

    def wrap(items: Iterable[int]) -> Iterable[int]:
        return tqdm(items, desc=title, leave=False, disable=None, dynamic_ncols=True)

    return wrap
