"""Whether a page, or a picture, is what it was: but for the last digits of numbers.

Products of matrices are summed in another order on another machine.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from PIL import Image

ROUND_OFF = 1e-6  # both smaller: what is left of sums that should be zero
PART = 0.01  # of a number that is not whole
SIDE = 32  # to which pictures are shrunk
GREY = 12  # of 255, between those on the average

_PRINTED = re.compile(r"^```text\n(.*?)^```$", re.S | re.M)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


def differences(came: str, stored: str) -> list[str]:
    """Return what differs between two pages.

    Text and code have to be alike; so has what was printed but for numbers that are
    not whole.
    """
    found = []
    if _PRINTED.sub("", came) != _PRINTED.sub("", stored):
        found.append("text, code or pictures differ: run minifcn lesson build")
    printed = _PRINTED.findall(came), _PRINTED.findall(stored)
    found += [f"{a!r} was {b!r}" for a, b in zip(*printed) if not _alike(a, b)]
    return found


def _alike(came: str, stored: str) -> bool:
    numbers = _NUMBER.findall(came), _NUMBER.findall(stored)
    words = ["".join(_NUMBER.sub("#", text).split()) for text in (came, stored)]
    return words[0] == words[1] and all(_near(*pair) for pair in zip(*numbers))


def _near(came: str, stored: str) -> bool:
    if came == stored:
        return True
    if not {".", "e"} & {*came, *stored}:
        return False
    a, b = float(came), float(stored)
    if max(abs(a), abs(b)) < ROUND_OFF:
        return True
    return math.isclose(a, b, rel_tol=PART, abs_tol=1.5 * _unit(stored))


def _unit(number: str) -> float:
    """Return the worth of a number's last digit."""
    digits, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def pictures_differ(came: Path, stored: Path) -> str:
    """Say in what two pictures differ, "" if in nothing that is seen from afar."""
    with Image.open(came) as first, Image.open(stored) as second:
        sizes = np.array(first.size), np.array(second.size)
        if (abs(sizes[0] - sizes[1]) > 0.02 * sizes[1] + 2).any():
            return f"its size is {first.size}, and was {second.size}"
        small = [
            np.asarray(one.convert("RGB").resize((SIDE, SIDE)), float)
            for one in (first, second)
        ]
    apart = abs(small[0] - small[1]).mean()
    return f"it is another: {apart:.1f} of 255 apart" if apart > GREY else ""
