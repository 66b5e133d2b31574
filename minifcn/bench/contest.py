"""Contenders: worker processes that are asked, in turn, to do a piece of work."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minifcn.arrays import check_device

from . import machine

PEERS = ("torch", "torch channels_last")  # the two memory layouts


class Contender:
    """A worker process, which answers a line of JSON with another.

    Attributes:
        name: "minifcn", or one of `PEERS`.
        about: what it said of itself: {"device_name": …, "library": {…}}.
    """

    def __init__(self, name: str, worker: str, settings: dict[str, Any]):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"minifcn.bench.{worker}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.about = self.ask({**settings, "contender": name})
        except BaseException:
            self.close()
            raise

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and wait for the answer.

        Raises:
            ValueError: the worker cannot do it, and says why; or it ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ValueError(
                f"the benchmark of {self.name} ended; see its message above"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(f"the benchmark of {self.name}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


@contextmanager
def contest(
    against: str | None, worker: str, settings: dict[str, Any]
) -> Iterator[list[Contender]]:
    """Start minifcn and, where asked for, its peers; end them afterwards.

    Args:
        against: "torch", or None for minifcn alone.
        worker: the module of this package that is run.
        settings: handed to each.
    """
    contenders: list[Contender] = []
    try:
        for name in ("minifcn", *(PEERS if against else ())):
            contenders.append(Contender(name, worker, settings))
        yield contenders
    finally:
        for contender in contenders:
            contender.close()


def check(against: str | None, device: str, **counts: Any) -> None:
    """Refuse what cannot be measured.

    Args:
        against: "torch", or None.
        device: one of `arrays.DEVICES`.
        counts: numbers, or sequences of them, that must be finite and greater than 0.

    Raises:
        ValueError: PyTorch is asked for and not installed; a device that cannot be had;
            a count that is not positive, or not finite.
    """
    if against and importlib.util.find_spec("torch") is None:
        raise ValueError("--against torch needs PyTorch: pip install torch")
    check_device(device)
    for name, value in counts.items():
        if not (np.asarray(value) > 0).all():
            raise ValueError(f"{name} is {value}; it must be positive")
        if (np.asarray(value) == np.inf).any():
            raise ValueError(f"{name} is {value}; it must be finite")


def described(contenders: list[Contender]) -> dict[str, Any]:
    """Return {"machine": …, "device_name": …}, the beginning of all figures."""
    libraries = {c.name: c.about["library"] for c in contenders}
    libraries.pop(PEERS[1], None)  # the same library as the other layout's
    return {
        "machine": machine.describe() | {"libraries": libraries},
        "device_name": contenders[0].about["device_name"],
    }
