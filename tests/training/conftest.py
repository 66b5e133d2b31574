from collections.abc import Iterator
from pathlib import Path

import pytest

from minifcn import arrays
from minifcn.data import scenes
from minifcn.training import Trainer
from tests.training.runs import run


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """So small are these nets that sharing them out would take longer than the work."""
    arrays.set_threads(1)
    yield
    arrays.set_threads(0)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven scenes to train on (an odd last batch) and three to validate on."""
    return scenes.write(tmp_path_factory.mktemp("data") / "scenes", 7, 3, (32, 48), 1)


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A finished run of two epochs; its folder is not to be written to."""
    return run(data, tmp_path_factory.mktemp("trained") / "run")
