"""``minifcn predict``: label maps and overlays of photographs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from minifcn.arrays import check_device
from minifcn.cli.common import add_device, add_seed, example
from minifcn.data.files import SUFFIXES, open_picture, read_image
from minifcn.training import album, checkpoint, predict
from minifcn.training.progress import bar


def add_options(parser: ArgumentParser) -> None:
    """Add the options of ``minifcn predict``."""
    parser.add_argument("checkpoint", help="a checkpoint, or the folder of a run")
    parser.add_argument("photos", nargs="+", help="photographs, or folders of them")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="predictions",
        help="where to write (predictions)",
    )
    add_device(parser)
    add_seed(parser)
    example(parser, "minifcn predict runs/photos beach.jpg holiday/ --out predictions")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Predict every photograph; write ``<name>.png`` and ``<name>_overlay.png``."""
    check_device(args.device)
    saved = checkpoint.load(args.checkpoint)
    photos = find_photos(args.photos)
    out = Path(args.out)
    check_apart(photos, out)
    model = checkpoint.restore_model(saved).to(args.device)
    out.mkdir(parents=True, exist_ok=True)
    for index in bar("predicting")(range(len(photos))):
        image = read_image(photos[index])
        label = predict(model, image, saved.mean_bgr, args.device)
        album.save_prediction(out / photos[index].stem, image, label, saved)
    print(f"{len(photos)} label maps and overlays are in {out}")
    return 0


def find_photos(names: Iterable[str]) -> list[Path]:
    """Return the photographs that are named, those of folders in sorted order.

    Raises:
        FileNotFoundError: one is missing.
        ValueError: a folder without any, no picture, or two results of one name.
    """
    photos = [photo for name in names for photo in _expand(Path(name))]
    taken: dict[str, Path] = {}
    for photo in photos:
        for written in (f"{photo.stem}.png", f"{photo.stem}_overlay.png"):
            other = taken.setdefault(written, photo)
            if other is not photo:
                raise ValueError(
                    f"{other} and {photo} would both be written to {written}: "
                    "predict them one after the other, with another --out"
                )
        open_picture(photo).close()
    return photos


def check_apart(photos: Iterable[Path], out: Path) -> None:
    """Raise ValueError where a label would be written over its photograph."""
    for photo in photos:
        if photo.resolve() == (out / f"{photo.stem}.png").resolve():
            raise ValueError(
                f"the label of {photo} would replace it: choose another --out"
            )


def _expand(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES]
    if not found:
        raise ValueError(f"folder {path} holds no photographs ({', '.join(SUFFIXES)})")
    return found
