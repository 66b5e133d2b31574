"""What the value of each setting of a recipe must be, and the sentence if it is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def check(settings: dict[str, Any]) -> None:
    """Check every setting.

    Raises:
        ValueError: a setting is out of range; names it, its value and what is allowed.
    """
    for names, rule, passes in _RULES:
        for name in names.split():
            _check(name, settings[name], rule, passes)
    _check_class_weights(settings["class_weights"])


def _check(name: str, value: Any, rule: str, passes: Callable[[Any], bool]) -> None:
    try:
        well = passes(value)
    except (TypeError, OverflowError):  # no number; one beyond all floats
        well = False
    if not well:
        raise ValueError(f"{name} is {value!r}; it must be {rule}")


def _check_class_weights(value: str | tuple[float, ...]) -> None:
    named = value in ("none", "balanced")
    numbers = isinstance(value, tuple) and all(_is_number(w) and w >= 0 for w in value)
    if not named and not numbers:
        raise ValueError(
            f"class_weights is {value!r}; it must be 'none', 'balanced' or one "
            "number per class, none below 0"
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) or _is_whole(value)) and math.isfinite(value)


def _all_whole(value: Any, count: int) -> bool:
    return len(value) == count and all(_is_whole(v) and v > 0 for v in value)


_RULES: list[tuple[str, str, Callable[[Any], bool]]] = [
    (
        "data train_split val_split freeze",
        "text",
        lambda v: isinstance(v, str),
    ),
    (
        "weights init_from",
        "the name of a file, or nothing",
        lambda v: v is None or isinstance(v, str),
    ),
    ("mirror learned_upsampling", "true or false", lambda v: isinstance(v, bool)),
    (
        "epochs batch_size iter_size step_every validate_every fc_kernel",
        "a whole number of at least 1",
        lambda v: _is_whole(v) and v >= 1,
    ),
    (
        "seed workers cache pictures warm_up save_every keep_every jitter",
        "a whole number of at least 0",
        lambda v: _is_whole(v) and v >= 0,
    ),
    (
        "iterations",
        "a whole number of at least 1, or nothing",
        lambda v: v is None or (_is_whole(v) and v >= 1),
    ),
    (
        "lr trunk_lr weight_decay weight_power power gamma",
        "a number of at least 0",
        lambda v: _is_number(v) and v >= 0,
    ),
    (
        "dropout momentum",
        "at least 0 and below 1",
        lambda v: _is_number(v) and 0 <= v < 1,
    ),
    (
        "sample",
        "a share above 0 and at most 1",
        lambda v: _is_number(v) and 0 < v <= 1,
    ),
    ("weight_limit", "at least 1", lambda v: _is_number(v) and v >= 1),
    (
        "scale",
        "two numbers, lowest and highest factor, above 0",
        lambda v: len(v) == 2 and all(map(_is_number, v)) and 0 < v[0] <= v[1],
    ),
    (
        "skip_scales",
        "two numbers above 0, or nothing",
        lambda v: (
            v is None or (len(v) == 2 and all(_is_number(x) and x > 0 for x in v))
        ),
    ),
    (
        "crop",
        "two whole numbers, height and width, or nothing",
        lambda v: v is None or _all_whole(v, 2),
    ),
    (
        "width",
        "a factor above 0, or five whole numbers above 0",
        lambda v: (_is_number(v) and v > 0) or _all_whole(v, 5),
    ),
    (
        "fc_channels",
        "a whole number above 0, or two",
        lambda v: (_is_whole(v) and v > 0) or _all_whole(v, 2),
    ),
]
