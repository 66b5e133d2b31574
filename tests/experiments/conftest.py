"""Quick runs of small scenes that share their nets."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from minifcn.experiments import frame, lab
from minifcn.experiments.frame import Settings

Quick = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def quick(shared: Path) -> Iterator[Quick]:
    """Run an experiment of a name quickly, of two seeds; return its result.json."""

    def run(name: str, **settings: Any) -> dict[str, Any]:
        given = {"out": shared, "seed": 3, "seeds": 2, "quick": True, **settings}
        result = frame.conduct(name, Settings(**given))
        folder = given["out"] / name
        with Image.open(folder / f"{name}.png") as picture:
            assert min(picture.size) > 250
        assert (folder / "table.csv").read_text().count("\n") == 1 + len(result["rows"])
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "SIZE", (48, 80))
        yield run
