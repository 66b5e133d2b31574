import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn import data as datasets
from minifcn.training import CheckpointError, Trainer, checkpoint
from minifcn.training.checkpoint import Checkpoint
from tests.training.runs import same_arrays

META: dict[str, Any] = {
    "model": {"name": "fcn8s"},
    "class_names": ["sky", "road"],
    "palette": [[0, 0, 0], [128, 64, 0]],
    "mean_bgr": [1.0, 2.0, 3.0],
    "ignore_index": 255,
}


def write(path: Path, **meta: Any) -> Path:
    arrays = {"conv1_1.weight": np.arange(12.0, dtype=np.float32).reshape(1, 3, 2, 2)}
    checkpoint.save(path, Checkpoint(arrays, {**META, **meta}, {"w": np.ones(2)}))
    return path


def test_round_trip_keeps_every_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    model = {
        "conv1_1.weight": rng.normal(size=(4, 3, 3, 2)).astype(np.float32),
        "score_fr.bias": rng.normal(size=5),
    }
    velocity = {"conv1_1.weight": rng.normal(size=(4, 3, 3, 2)).astype(np.float32)}
    meta = {**META, "position": {"best": 0.1 + 0.2, "epoch": 3}}
    checkpoint.save(tmp_path / "a.npz", Checkpoint(model, meta, velocity))
    read = checkpoint.load(tmp_path / "a.npz")
    assert same_arrays(read.model, model)
    assert same_arrays(read.velocity, velocity)
    assert read.meta["position"] == {"best": 0.1 + 0.2, "epoch": 3}
    assert read.class_names == ["sky", "road"]
    assert read.palette.tolist() == META["palette"]
    assert read.mean_bgr == (1.0, 2.0, 3.0)


def test_keys_in_the_file_are_as_documented(trained: Trainer) -> None:
    with np.load(trained.folder / "last.npz", allow_pickle=False) as file:
        keys = set(file.files)
        meta = json.loads(str(file["meta"]))
    assert {"meta", "model/conv1_1.weight", "velocity/conv1_1.weight"} <= keys
    assert meta["recipe"]["epochs"] == 2
    assert meta["position"]["iteration"] == 8


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.npz").read_bytes()
    cut = tmp_path / "cut.npz"
    for share in (0.1, 0.5, 0.9, 0.999):
        cut.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError, match=r"cut.npz is damaged or cut short"):
            checkpoint.load(cut)


def test_flipped_bits_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / "flipped.npz")
    content = bytearray(path.read_bytes())
    # 7.0 of the array 0 ... 11
    content[content.index(np.float32(7).tobytes())] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "whole, changed",
    [
        (rb"(PK\x01\x02.{6})..", b"\\1\x63\x00"),  # compressed by method 99
        (rb"'shape': \(1, ", b"'shape': {1, "),  # a header that is no dictionary,
        (rb"2, 2\), \}", b"2, 2, (("),  # and one that does not end
    ],
)
def test_changed_headers_are_found(
    tmp_path: Path, whole: bytes, changed: bytes
) -> None:
    path = write(tmp_path / "changed.npz")
    content, count = re.subn(whole, changed, path.read_bytes(), flags=re.DOTALL)
    assert count
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged"):
        checkpoint.load(path)


def save_lone_array(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("epoch 1"),
        lambda path: path.write_bytes(b""),
        save_lone_array,
        lambda path: np.savez(path, weight=np.zeros(3)),
        lambda path: np.savez(path, meta=np.array('{"format": "another"}')),
        lambda path: np.savez(path, meta=np.array("not json")),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "thing.npz")
    with pytest.raises(CheckpointError, match=r"thing.npz is not a minifcn checkpoint"):
        checkpoint.load(tmp_path / "thing.npz")


def test_no_code_is_run_from_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", meta=np.array([print], dtype=object))
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "evil.npz")


def test_later_version_is_named(tmp_path: Path) -> None:
    write(tmp_path / "new.npz", version=checkpoint.VERSION + 1)
    with pytest.raises(CheckpointError, match=r"format version 2; .* up to version 1"):
        checkpoint.load(tmp_path / "new.npz")


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nowhere.npz"):
        checkpoint.load(tmp_path / "nowhere.npz")
    with pytest.raises(FileNotFoundError, match=r"holds no checkpoint"):
        checkpoint.load(tmp_path)


def test_folder_stands_for_its_best(tmp_path: Path) -> None:
    write(tmp_path / "last.npz")
    assert checkpoint.load(tmp_path).path.name == "last.npz"
    write(tmp_path / "best.npz")
    assert checkpoint.load(tmp_path).path.name == "best.npz"
    assert checkpoint.find(tmp_path, ("last.npz",)).name == "last.npz"


def test_failed_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "last.npz")
    before = path.read_bytes()

    def fails(file: Any, **arrays: Any) -> None:
        file.write(b"PK\x03\x04 half a checkpoint")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(KeyboardInterrupt):
        write(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.npz"]


def test_arrays_of_another_model(trained: Trainer, tmp_path: Path) -> None:
    saved = checkpoint.load(trained.folder / "last.npz")
    saved.model["fc7.weight"] = saved.model["fc7.weight"][:5]
    del saved.model["conv2_1.bias"]
    n = len(trained.model.state_dict())
    with pytest.raises(CheckpointError) as error:
        checkpoint.restore_model(saved)
    assert f"another model: 2 of {n} arrays differ" in str(error.value)
    assert "the first is conv2_1.bias (absent in the file, 6 in" in str(error.value)


def test_model_that_cannot_be_built(trained: Trainer) -> None:
    saved = checkpoint.load(trained.folder / "last.npz")
    saved.meta["model"] = {"name": "resnet"}
    with pytest.raises(CheckpointError, match=r"cannot be built"):
        checkpoint.restore_model(saved)


def test_number_of_classes(trained: Trainer, data: Path) -> None:
    saved = checkpoint.load(trained.folder / "last.npz")
    dataset = datasets.open_dataset(data, "val")
    checkpoint.check_classes(saved, dataset, data)
    saved.meta["class_names"] = saved.class_names[:4]
    with pytest.raises(CheckpointError, match=r"knows 4 classes .* has 6"):
        checkpoint.check_classes(saved, dataset, data)
