"""Weight files: what comes out is what went in, under the names of the networks."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from minifcn import models, nn, weights


def draw(rng):
    return {
        "conv1_1.weight": rng.normal(size=(4, 3, 3, 2)).astype(np.float32),
        "conv1_1.bias": rng.normal(size=4),
    }


def same(actual, expected):
    assert list(actual) == list(expected)
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        np.testing.assert_array_equal(actual[name], array)


def test_npz_and_safetensors_give_what_was_saved(rng, tmp_path):
    arrays = draw(rng)
    np.savez(tmp_path / "w.npz", **arrays)
    save_file(arrays, tmp_path / "w.safetensors")
    same(weights.load(tmp_path / "w.npz"), arrays)
    loaded = weights.load(str(tmp_path / "w.safetensors"))
    same(dict(sorted(loaded.items(), reverse=True)), arrays)


def test_names_joined_by_slashes_come_out_with_dots(rng, tmp_path):
    arrays = draw(rng)
    slashed = {name.replace(".", "/"): array for name, array in arrays.items()}
    np.savez(tmp_path / "w.npz", **slashed)
    same(weights.load(tmp_path / "w.npz"), arrays)


def test_checkpoint_gives_its_networks_weights_alone(rng, tmp_path):
    arrays = draw(rng)
    content = {f"model/{name}": array for name, array in arrays.items()}
    content |= {f"velocity/{name}": 9 * array for name, array in arrays.items()}
    np.savez(tmp_path / "c.npz", **content, meta=np.array("{}"))
    same(weights.load(tmp_path / "c.npz"), arrays)


def test_file_of_another_state_starts_a_network(rng, tmp_path):
    def net(seed):
        nn.seed(seed)
        return models.fcn32s(3, width=(1, 2, 1, 2, 3), fc_channels=2, geometry="same")

    source, target = net(1), net(2)
    np.savez(tmp_path / "net.npz", **source.state_dict())
    target.load_state_dict(weights.load(tmp_path / "net.npz"))
    for name, array in target.state_dict().items():
        np.testing.assert_array_equal(array, source.state_dict()[name])


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weight file .*nothing\.npz"):
        weights.load(tmp_path / "nothing.npz")


def test_unknown_suffix_is_refused(tmp_path):
    path = tmp_path / "w.h5"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"none of \.npz, \.safetensors.*'\.h5'"):
        weights.load(path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
def test_damaged_files_are_refused(rng, tmp_path, suffix, damage):
    path = tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **draw(rng))
    else:
        save_file(draw(rng), path)
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "truncated": whole[:-150], "text": b"hello"}[damage]
    )
    with pytest.raises(ValueError, match=f"w\\{suffix} is damaged, or no \\{suffix}"):
        weights.load(path)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match=r"w\.npz is damaged, or no \.npz"):
        weights.load(path)


def test_single_array_is_refused(tmp_path):
    with open(tmp_path / "w.npz", "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match=r"no \.npz archive: it is a single array"):
        weights.load(tmp_path / "w.npz")
