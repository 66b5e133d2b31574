"""One generated scene: a ground, clutter, then toys over one another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .files import Pixels
from .shapes import TOYS, Field, Toy, capsule, cover, disc

SPLITS = ("train", "val")
_PORTRAITS = len(SPLITS)  # where a split's number stands in a scene's seed

_SHADOW = np.array((40.0, 34.0, 48.0))
# RGB: the paints of toys and clutter alike, and the ends of background gradients.
_PAINTS = np.array(
    [
        (224, 82, 59),
        (244, 172, 50),
        (250, 238, 214),
        (121, 178, 93),
        (42, 157, 160),
        (62, 109, 178),
        (132, 84, 140),
        (54, 60, 92),
    ],
    float,
)
_GROUNDS = np.array(
    [
        [(236, 222, 198), (205, 178, 150)],
        [(201, 221, 222), (141, 170, 184)],
        [(216, 220, 190), (162, 180, 144)],
        [(230, 206, 204), (184, 152, 168)],
        [(124, 134, 160), (84, 92, 122)],
        [(178, 152, 128), (128, 106, 96)],
    ],
    float,
)


class _Spot(NamedTuple):
    """Where a thing lies: its middle (row, column) and radius in pixels, its turn."""

    middle: Field
    radius: float
    tilt: float

    def window(self, size: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and columns in which the thing and its shadow lie."""
        reach = 1.6 * self.radius + 6
        low = np.clip(np.floor(self.middle - reach), 0, size).astype(int)
        high = np.clip(np.ceil(self.middle + reach), 0, size).astype(int)
        return slice(low[0], high[0]), slice(low[1], high[1])

    def local(
        self, window: tuple[slice, slice], moved: float = 0.0
    ) -> tuple[Field, Field]:
        """Return (u, v) of the window's pixel centres, for a thing moved down right."""
        rows, columns = (
            (np.arange(part.start, part.stop) + 0.5 - centre - moved) / self.radius
            for part, centre in zip(window, self.middle, strict=True)
        )
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        u = c * columns[None, :] + s * rows[:, None]
        v = c * rows[:, None] - s * columns[None, :]
        return u, v


def draw(
    size: tuple[int, int], seed: int, split: str = "train", index: int = 0
) -> tuple[Pixels, Pixels]:
    """Draw one scene.

    Args:
        size: (height, width) in pixels.
        seed: with ``split`` ("train" or "val") and ``index`` decides everything.

    Returns:
        Image (H, W, 3) RGB and label (H, W), both uint8.
    """
    rng = np.random.default_rng((seed, SPLITS.index(split), index))
    canvas = _ground(size, rng)
    for _ in range(rng.integers(6, 11)):
        _add_clutter(canvas, rng)
    label = np.zeros(size, np.uint8)
    for value, toy, place in _choose_toys(size, rng):
        _add_toy(canvas, label, value, toy, place, rng)
    return _finish(canvas, rng), label


def portrait(size: tuple[int, int], seed: int, index: int = 0) -> tuple[Pixels, int]:
    """Draw one toy alone, near the middle, for a classifier of whole images.

    Args:
        size: (height, width) in pixels.
        seed: with ``index`` decides everything.

    Returns:
        Image (H, W, 3) RGB uint8, and which toy it shows: 0 … of `shapes.TOYS`.
    """
    rng = np.random.default_rng((seed, _PORTRAITS, index))
    canvas = _ground(size, rng)
    for _ in range(rng.integers(3, 7)):
        _add_clutter(canvas, rng)
    kind = int(rng.integers(len(TOYS)))
    middle = rng.uniform(0.4, 0.6, 2) * size
    _add_toy(canvas, np.zeros(size, np.uint8), kind + 1, TOYS[kind], middle, rng)
    return _finish(canvas, rng), kind


def _ground(size: tuple[int, int], rng: np.random.Generator) -> Field:
    ends = _GROUNDS[rng.integers(len(_GROUNDS))][:: rng.choice((-1, 1))]
    rows, columns = _grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = 0.5 + 0.5 * (np.cos(angle) * columns + np.sin(angle) * rows)
    ramp += 0.35 * _clouds(size, rng)
    ramp = np.clip(ramp, 0, 1)[..., None]
    return ends[0] * ramp + ends[1] * (1 - ramp)


def _clouds(size: tuple[int, int], rng: np.random.Generator) -> Field:
    """Return smooth noise in about -1 .. 1: a few plane waves."""
    rows, columns = _grid(size)
    waves = np.zeros(size)
    for _ in range(5):
        fy, fx, phase = rng.uniform((-6, -6, 0), (6, 6, 2 * np.pi))
        waves += np.sin(fy * rows + fx * columns + phase)
    return waves / 3


def _grid(size: tuple[int, int]) -> tuple[Field, Field]:
    """Return pixel centres' rows (H, 1) and columns (1, W), from -1 to 1."""
    rows, columns = ((2 * np.arange(n) + 1) / n - 1 for n in size)
    return rows[:, None], columns[None, :]


def _add_clutter(canvas: Field, rng: np.random.Generator) -> None:
    """Paint a disc out of focus, a patch of texture, or a twig."""
    size = canvas.shape[:2]
    radius = min(size) * rng.uniform(0.06, 0.2)
    spot = _Spot(rng.uniform((0, 0), size), radius, rng.uniform(0, 2 * np.pi))
    window = spot.window(size)
    mask = _clutter_mask(*spot.local(window), 1 / radius, rng)
    paint = _PAINTS[rng.integers(len(_PAINTS))]
    _blend(canvas[window], paint, mask * rng.uniform(0.25, 0.6))


def _clutter_mask(u: Field, v: Field, pixel: float, rng: np.random.Generator) -> Field:
    kind = rng.integers(3)
    if kind == 0:
        return cover(disc(u, v), rng.uniform(0.1, 0.5))
    if kind == 1:
        texture = TOYS[rng.integers(len(TOYS))].texture(u, v)
        return cover(disc(u, v), 0.8) * cover(-texture, 2 * pixel)
    return cover(capsule(u, v, -1.5, 1.5, 0.8 * pixel), pixel)


def _choose_toys(
    size: tuple[int, int], rng: np.random.Generator
) -> list[tuple[int, Toy, Field]]:
    """Choose 2 to 4 toys, no kind twice, and places that are not too close."""
    kinds = rng.permutation(len(TOYS))[: rng.integers(2, len(TOYS))]
    places = np.empty((0, 2))
    for _ in kinds:
        places = np.vstack((places, _farthest(size, places, rng)))
    return [
        (int(kind) + 1, TOYS[kind], place)
        for kind, place in zip(kinds, places, strict=True)
    ]


def _farthest(size: tuple[int, int], places: Field, rng: np.random.Generator) -> Field:
    """Return that of a few random places which is farthest from those taken."""
    tries = rng.uniform(0.18, 0.82, (12, 2)) * size
    gaps = np.linalg.norm(tries[:, None] - places, axis=2)
    return tries[gaps.min(axis=1, initial=np.inf).argmax()]


def _add_toy(
    canvas: Field,
    label: Pixels,
    value: int,
    toy: Toy,
    middle: Field,
    rng: np.random.Generator,
) -> None:
    """Paint a toy over what is there, its shadow first, and write its label."""
    size = label.shape
    radius = min(size) * rng.uniform(*toy.radius)
    spot = _Spot(middle, radius, rng.uniform(-toy.tilt, toy.tilt))
    window = spot.window(size)
    below = canvas[window]
    thin = max(1.6, 0.0175 * min(size)) / radius
    shade = toy.outline(*spot.local(window, moved=0.035 * min(size)), thin)
    _blend(below, _SHADOW, 0.4 * cover(shade, 6 / radius))
    u, v = spot.local(window)
    distance = toy.outline(u, v, thin)
    paint = _paint(toy.texture(u, v), 1 / radius, rng)
    paint *= _light(distance, spot, window)[..., None]
    _blend(below, paint, cover(distance, 1 / radius))
    label[window][distance < 0] = value


def _paint(texture: Field, pixel: float, rng: np.random.Generator) -> Field:
    """Return two paints, the second where the texture is above 0."""
    base, accent = _PAINTS[rng.permutation(len(_PAINTS))[:2]]
    paint = np.empty((*texture.shape, 3))
    paint[:] = base
    _blend(paint, accent, cover(-texture, pixel))
    return paint


def _light(distance: Field, spot: _Spot, window: tuple[slice, slice]) -> Field:
    """Return brightness: more towards the upper left, less along the rim."""
    u, v = spot._replace(tilt=0.0).local(window)
    slope = 1 - 0.16 * np.clip((u + v) / 1.4, -1, 1)
    rim = cover(-distance - 1.5 / spot.radius, 3 / spot.radius)
    return slope * (1 - 0.35 * rim)


def _blend(canvas: Field, paint: Field, share: Field) -> None:
    canvas += (paint - canvas) * share[..., None]


def _finish(canvas: Field, rng: np.random.Generator) -> Pixels:
    """Add a vignette and grain, and round."""
    rows, columns = _grid(canvas.shape[:2])
    canvas = canvas * (1.03 - 0.12 * (rows**2 + columns**2) / 2)[..., None]
    canvas += rng.normal(0, 3, canvas.shape[:2])[..., None]
    canvas += rng.normal(0, 1.5, canvas.shape)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
