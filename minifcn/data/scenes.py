"""Generated scenes: toys on a table, for a net to learn from within minutes.

What a toy is shows in its shape and texture: all classes share one set of colours, and
so does the clutter behind them. Where it is shows in fine boundaries, overlaps, and
sticks and poles a few pixels wide.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from minifcn.data.files import DataError, Pixels
from minifcn.data.palettes import voc_palette
from minifcn.data.shapes import TOYS, Field, Toy, capsule, cover, disc

CLASSES = ("background", *(toy.name for toy in TOYS))
SPLITS = ("train", "val")

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


def write(
    root: str | Path,
    n_train: int,
    n_val: int,
    size: tuple[int, int] = (96, 128),
    seed: int = 0,
) -> Path:
    """Draw scenes and write them in PASCAL VOC's layout, for :class:`Voc` to read.

    Args:
        root: the folder to write; scenes that are there already are replaced.
        n_train: scenes in ``train.txt``.
        n_val: scenes in ``val.txt``.
        size: (height, width) in pixels, at least 32 each.
        seed: scene i of a split depends on (seed, split, i) alone.

    Returns:
        ``root`` as a path.

    Raises:
        ValueError: a number is out of range.
        DataError: ``root`` holds something else than scenes.
    """
    root = Path(root)
    _check(root, n_train, n_val, size, seed)
    beside = root.with_name(root.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (beside / folder).mkdir(parents=True)
    (beside / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    for split, n in zip(SPLITS, (n_train, n_val), strict=True):
        _write_split(beside, split, n, size, seed)
    if root.exists():
        shutil.rmtree(root)
    beside.rename(root)
    return root


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
    """Paint a plain disc out of focus, a patch of texture, or a twig."""
    size = canvas.shape[:2]
    kind = rng.integers(3)
    radius = min(size) * rng.uniform(0.06, 0.2)
    place = rng.uniform((0, 0), size)
    u, v = _local(size, place, rng.uniform(0, 2 * np.pi), radius)
    pixel = 1 / radius
    if kind == 0:
        mask = cover(disc(u, v), rng.uniform(0.1, 0.5))
    elif kind == 1:
        texture = TOYS[rng.integers(len(TOYS))].texture(u, v)
        mask = cover(disc(u, v), 0.8) * cover(-texture, 2 * pixel)
    else:
        mask = cover(capsule(u, v, -1.5, 1.5, 0.8 * pixel), pixel)
    paint = _PAINTS[rng.integers(len(_PAINTS))]
    _blend(canvas, paint, mask * rng.uniform(0.25, 0.6))


def _choose_toys(
    size: tuple[int, int], rng: np.random.Generator
) -> list[tuple[int, Toy, Field]]:
    """Choose 3 to 5 toys, no kind twice, and places that are not too close."""
    kinds = rng.permutation(len(TOYS))[: rng.integers(3, len(TOYS) + 1)]
    places = np.empty((0, 2))
    for _ in kinds:
        places = np.vstack((places, _farthest(size, places, rng)))
    return [
        (int(kind) + 1, TOYS[kind], place)
        for kind, place in zip(kinds, places, strict=True)
    ]


def _farthest(size: tuple[int, int], places: Field, rng: np.random.Generator) -> Field:
    """Return that of a few random places which is farthest from those taken."""
    tries = rng.uniform(0.15, 0.85, (6, 2)) * size
    gaps = np.linalg.norm(tries[:, None] - places, axis=2)
    return tries[gaps.min(axis=1, initial=np.inf).argmax()]


def _add_toy(
    canvas: Field,
    label: Pixels,
    value: int,
    toy: Toy,
    place: Field,
    rng: np.random.Generator,
) -> None:
    """Paint a toy over what is there, its shadow first, and write its label."""
    size = label.shape
    radius = min(size) * rng.uniform(*toy.radius)
    tilt = rng.uniform(-toy.tilt, toy.tilt)
    thin = max(1.5, 0.0175 * min(size)) / radius
    u, v = _local(size, place, tilt, radius)
    distance = toy.outline(u, v, thin)
    shade = _local(size, place + 0.035 * min(size), tilt, radius)
    shadow = cover(toy.outline(*shade, thin), 6 / radius)
    _blend(canvas, np.array((40, 34, 48)), 0.4 * shadow)
    base, accent = _PAINTS[rng.permutation(len(_PAINTS))[:2]]
    paint = np.empty_like(canvas)
    paint[:] = base
    _blend(paint, accent, cover(-toy.texture(u, v), 1 / radius))
    _light(paint, distance, size, place, radius)
    _blend(canvas, paint, cover(distance, 1 / radius))
    label[distance < 0] = value


def _light(
    paint: Field, distance: Field, size: tuple[int, ...], place: Field, radius: float
) -> None:
    """Shade a toy: lighter towards the upper left, darker along its rim."""
    u, v = _local(size, place, 0.0, radius)
    paint *= (1 - 0.16 * np.clip((u + v) / 1.4, -1, 1))[..., None]
    paint *= (1 - 0.35 * cover(-distance - 1.5 / radius, 3 / radius))[..., None]


def _local(
    size: tuple[int, ...], place: Field, tilt: float, radius: float
) -> tuple[Field, Field]:
    """Return (u, v) of all pixel centres for a toy at ``place`` (row, column)."""
    rows = (np.arange(size[0]) + 0.5 - place[0])[:, None] / radius
    columns = (np.arange(size[1]) + 0.5 - place[1])[None, :] / radius
    c, s = np.cos(tilt), np.sin(tilt)
    return c * columns + s * rows, c * rows - s * columns


def _blend(canvas: Field, paint: Field, share: Field) -> None:
    canvas += (paint - canvas) * share[..., None]


def _finish(canvas: Field, rng: np.random.Generator) -> Pixels:
    """Add a vignette and grain, and round."""
    rows, columns = _grid(canvas.shape[:2])
    canvas = canvas * (1.03 - 0.12 * (rows**2 + columns**2) / 2)[..., None]
    canvas += rng.normal(0, 3, canvas.shape[:2])[..., None]
    canvas += rng.normal(0, 1.5, canvas.shape)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _write_split(
    root: Path, split: str, n: int, size: tuple[int, int], seed: int
) -> None:
    ids = [f"{split}_{index:04d}" for index in range(n)]
    for index, id in enumerate(ids):
        image, label = draw(size, seed, split, index)
        Image.fromarray(image).save(
            root / "JPEGImages" / f"{id}.jpg", quality=95, subsampling=0
        )
        _to_palette(label).save(root / "SegmentationClass" / f"{id}.png")
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    listed.write_text("\n".join(ids) + "\n", encoding="utf-8")


def _to_palette(label: Pixels) -> Image.Image:
    picture = Image.frombytes("P", label.shape[::-1], label.tobytes())
    picture.putpalette(voc_palette().tobytes())
    return picture


def _check(
    root: Path, n_train: int, n_val: int, size: tuple[int, int], seed: int
) -> None:
    if min(n_train, n_val) < 1:
        raise ValueError(
            f"n_train and n_val must be at least 1, not {n_train} and {n_val}"
        )
    if min(size) < 32:
        raise ValueError(f"size must be at least 32 x 32, not {size[0]} x {size[1]}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    if root.exists() and not _is_scenes(root):
        raise DataError(f"{root} exists and holds no generated scenes: name another")


def _is_scenes(root: Path) -> bool:
    names = root / "classes.txt"
    if not root.is_dir() or not any(root.iterdir()):
        return root.is_dir()
    return names.is_file() and names.read_text(encoding="utf-8").split() == [*CLASSES]
