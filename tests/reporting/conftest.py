from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minifcn import arrays
from minifcn.data import scenes
from tests.training.runs import run


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    arrays.set_threads(1)
    yield
    arrays.set_threads(0)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven scenes to train on and four to validate on; one class has a wild name."""
    root = scenes.write(tmp_path_factory.mktemp("data") / "scenes", 7, 4, (32, 40), 1)
    names = (root / "classes.txt").read_text(encoding="utf-8")
    (root / "classes.txt").write_text(
        names.replace("star", "<i>\"st&ar'</i>"), encoding="utf-8"
    )
    return root


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two runs whose nets see all classes; not to be written to."""
    root = tmp_path_factory.mktemp("runs")
    folders = [root / "quick & <b>", root / "slow"]
    rng = np.random.default_rng(7)
    for trainer in (
        run(data, folders[0], epochs=3),
        run(data, folders[1], net="fcn16s", lr=0.0005, seed=4),
    ):
        for name, p in trainer.model.named_parameters():
            if name.startswith("score"):
                p.data[...] = rng.normal(size=p.shape) if p.data.ndim > 1 else 0
        trainer.save("best.npz")
    return folders
