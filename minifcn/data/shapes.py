"""The toys of the generated scenes: outlines as signed distances, and textures.

Everything is a function of (u, v): the coordinates of pixel centres, u to the right
and v down, (0, 0) in the toy's middle, in units of its radius. Arrays are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]


class Toy(NamedTuple):
    """A class of things.

    Attributes:
        name: of the class.
        outline: (u, v, thin) -> signed distance, negative inside; ``thin`` is half the
            width of sticks and poles.
        texture: (u, v) -> where the second colour lies: above 0 yes, below 0 no, with
            about the distance to the edge as its size.
        radius: smallest and largest, as a share of the scene's shorter side.
        tilt: largest turn to either side in radians.
    """

    name: str
    outline: Callable[[Field, Field, float], Field]
    texture: Callable[[Field, Field], Field]
    radius: tuple[float, float]
    tilt: float


def cover(distance: Field, width: float) -> Field:
    """Return how much of each pixel is inside: 1 within, 0 outside, a ramp between.

    Args:
        distance: signed distance to the edge, negative inside.
        width: of the ramp, in the units of ``distance``; one pixel antialiases.
    """
    return np.clip(0.5 - distance / width, 0, 1)


def disc(u: Field, v: Field, radius: float = 1.0) -> Field:
    """Return the signed distance to a circle around the origin."""
    return np.hypot(u, v) - radius


def capsule(u: Field, v: Field, top: float, bottom: float, half: float) -> Field:
    """Return the signed distance to an upright stick with round ends."""
    return np.hypot(u, v - np.clip(v, top, bottom)) - half


def polygon(u: Field, v: Field, corners: list[tuple[float, float]]) -> Field:
    """Return the signed distance to a polygon (Quilez 2019, 2D distance functions)."""
    squared = np.full(u.shape, np.inf)
    inside = np.zeros(u.shape, bool)
    for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1], strict=True):
        du, dv = u1 - u0, v1 - v0
        along = np.clip(((u - u0) * du + (v - v0) * dv) / (du * du + dv * dv), 0, 1)
        squared = np.minimum(
            squared, (u - u0 - along * du) ** 2 + (v - v0 - along * dv) ** 2
        )
        # a ray to the right crosses this edge
        left_of = (u - u0) * dv - (v - v0) * du < 0
        inside ^= ((v0 <= v) != (v1 <= v)) & (left_of == (dv > 0))
    return np.where(inside, -1, 1) * np.sqrt(squared)


def _ball(u: Field, v: Field, thin: float) -> Field:
    return disc(u, v)


def _block(u: Field, v: Field, thin: float) -> Field:
    corner = 0.72
    return (
        polygon(
            u,
            v,
            [
                (-corner, -corner),
                (corner, -corner),
                (corner, corner),
                (-corner, corner),
            ],
        )
        - 0.1
    )


def _star(u: Field, v: Field, thin: float) -> Field:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2, 0.54, 1.05)
    points = zip(radii * np.cos(angles), radii * np.sin(angles), strict=True)
    return polygon(u, v, [(float(a), float(b)) for a, b in points]) - 0.05


def _pennant(u: Field, v: Field, thin: float) -> Field:
    cloth = polygon(u, v, [(-0.5, -1.0), (0.9, -0.38), (-0.5, 0.24)]) - 0.03
    return np.minimum(cloth, capsule(u + 0.5, v, -1.0, 1.0, thin))


def _lollipop(u: Field, v: Field, thin: float) -> Field:
    return np.minimum(disc(u, v + 0.4, 0.62), capsule(u, v, 0.0, 1.0, thin))


def _dots(u: Field, v: Field) -> Field:
    # a hexagonal lattice: each second row is moved by half a step
    step = 0.56
    row = np.round(v / (0.87 * step))
    across = u - step * (row % 2) / 2
    across = across - step * np.round(across / step)
    return 0.17 - np.hypot(across, v - 0.87 * step * row)


def _checks(u: Field, v: Field) -> Field:
    side = 0.41
    return 0.25 * np.sin(np.pi * u / side) * np.sin(np.pi * v / side)


def _stripes(u: Field, v: Field) -> Field:
    cloth = 0.1 * np.sin(2 * np.pi * (u + 0.3) / 0.42)
    return np.where(np.abs(u + 0.5) < 0.05, -0.1, cloth)


def _rays(u: Field, v: Field) -> Field:
    inner = 0.42
    return np.abs(np.hypot(u, v) - inner) * np.sign(inner - np.hypot(u, v))


def _swirl(u: Field, v: Field) -> Field:
    v = v + 0.4
    distance = np.hypot(u, v)
    turn = np.arctan2(v, u) * 2 + distance * 9
    return np.where(distance < 0.62, distance * np.sin(turn) * 0.5, 0.5)


TOYS = (
    Toy("ball", _ball, _dots, (0.20, 0.29), np.pi),
    Toy("block", _block, _checks, (0.20, 0.29), np.pi),
    Toy("star", _star, _rays, (0.25, 0.34), np.pi),
    Toy("pennant", _pennant, _stripes, (0.32, 0.42), 0.5),
    Toy("lollipop", _lollipop, _swirl, (0.32, 0.42), 0.9),
)
