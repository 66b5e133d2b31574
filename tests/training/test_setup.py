"""Where a net's first weights come from, and how fast each layer then learns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minifcn import Tensor, models, nn, no_grad, ops
from minifcn.data import scenes
from minifcn.optim import SGD
from minifcn.training import checkpoint, resume, start
from minifcn.training.multipliers import multipliers
from minifcn.training.setup import PIXEL_DEVIATION, build_model, fit_first_layer
from tests.training.runs import run, same_arrays, tiny


def small_net() -> models.FCN:
    nn.seed(4)
    settings: dict[str, Any] = dict(geometry="same", fc_channels=8, dropout=0.0)
    model = models.fcn32s(3, width=(4, 6, 8, 8, 8), **settings)
    # zero scores would keep the gradient from the trunk at first
    model.score_fr.weight.data[...] = np.linspace(-1, 1, 24).reshape(3, 8, 1, 1)
    return model


def test_first_layer_learns_pixels_as_it_would_unit_inputs(
    rng: np.random.Generator,
) -> None:
    """w = u/s, trained on x, stays u/s of the net trained on x/s."""
    fitted, plain = small_net(), small_net()
    fit_first_layer(fitted)
    inputs = ((fitted, 1.0), (plain, 1 / PIXEL_DEVIATION))
    optimizers = [
        SGD(m.named_parameters(), 0.01, momentum=0.9, weight_decay=0.1)
        for m, _ in inputs
    ]
    for _ in range(4):
        x = rng.normal(0, PIXEL_DEVIATION, (2, 3, 24, 33)).astype(np.float32)
        target = rng.integers(0, 3, (2, 24, 33))
        for (model, factor), optimizer in zip(inputs, optimizers, strict=True):
            optimizer.zero_grad()
            y = model(Tensor(x * np.float32(factor)))
            ops.cross_entropy(y, target).backward()
            optimizer.step()
    begun = small_net().state_dict()
    ours, theirs = fitted.state_dict(), plain.state_dict()
    assert np.abs(theirs["conv1_1.weight"] / begun["conv1_1.weight"] - 1).min() > 1e-5
    for name, array in theirs.items():
        factor = PIXEL_DEVIATION if name == "conv1_1.weight" else 1
        np.testing.assert_allclose(
            factor * ours[name], array, rtol=1e-3, atol=1e-5, err_msg=name
        )


@pytest.fixture
def pretrained(tmp_path: Path, rng: np.random.Generator) -> Path:
    shapes = {"conv1_1": (4, 3, 3, 3), "conv1_2": (4, 4, 3, 3)}
    arrays = {
        f"{layer}/weight": rng.normal(0, 0.1, shape).astype(np.float32)
        for layer, shape in shapes.items()
    }
    np.savez(tmp_path / "pretrained.npz", **arrays)
    return tmp_path / "pretrained.npz"


def test_pretrained_layers_learn_at_their_own_pace(
    data: Path, pretrained: Path
) -> None:
    recipe = tiny(data, weights=str(pretrained), trunk_lr=0.25, freeze="conv1_2")
    model = build_model(recipe, 6)
    with np.load(pretrained) as file:
        for name in file.files:
            ours = model.state_dict()[name.replace("/", ".")]
            np.testing.assert_array_equal(ours, file[name])
    paces = multipliers(model)
    assert paces["conv1_1.weight"] == [0.25, 1]
    assert paces["conv1_1.bias"] == [2, 0]  # was not in the file
    assert paces["conv1_2.weight"] == [0, 1]
    assert paces["conv2_1.weight"] == [1, 1]


def test_paces_survive_resuming(data: Path, tmp_path: Path, pretrained: Path) -> None:
    changes = dict(weights=str(pretrained), trunk_lr=0.25, freeze="conv1_2,score_pool3")
    whole = run(data, tmp_path / "whole", **changes)
    cut = start(tiny(data, **changes), tmp_path / "cut", talk=False)
    cut.run_epoch()
    cut.save("last.npz")
    pretrained.unlink()  # is not needed any more
    again = resume(tmp_path / "cut")
    again.train()
    assert same_arrays(again.model.state_dict(), whole.model.state_dict())
    begun = build_model(tiny(data), 6).state_dict()
    assert np.any(whole.model.state_dict()["conv2_1.weight"] != begun["conv2_1.weight"])
    frozen = "score_pool3.weight"
    assert np.array_equal(whole.model.state_dict()[frozen], begun[frozen])


def test_finer_net_begins_with_the_coarser_ones_prediction(
    data: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    coarse = run(data, tmp_path / "32s", net="fcn32s", iterations=6)
    recipe = tiny(data, net="fcn16s", init_from=str(tmp_path / "32s" / "last.npz"))
    fine = start(recipe, tmp_path / "16s")
    x = Tensor(rng.normal(0, 50, (2, 3, 96, 130)).astype(np.float32))
    with no_grad():
        ours, theirs = fine.model.eval()(x).data, coarse.model.eval()(x).data
    assert np.abs(theirs).max() > 0.01
    # bilinear by 2 and then by 16 is nearly, not exactly, bilinear by 32
    inner = np.s_[:, :, 16:-16, 16:-16]
    assert np.corrcoef(ours[inner].ravel(), theirs[inner].ravel())[0, 1] > 0.99
    # conv1_1 goes on at the pace that it had
    assert multipliers(fine.model)["conv1_1.weight"][0] == 1 / PIXEL_DEVIATION**2


def test_net_for_other_classes_keeps_the_trunk(data: Path, tmp_path: Path) -> None:
    coarse = run(data, tmp_path / "6", iterations=4)
    two = scenes.write(tmp_path / "two", 1, 1, (32, 40))
    (two / "classes.txt").write_text("nothing\nsomething\n")
    model = build_model(tiny(two, init_from=str(tmp_path / "6" / "last.npz")), 2)
    ours, theirs = model.state_dict(), coarse.model.state_dict()
    np.testing.assert_array_equal(ours["fc7.weight"], theirs["fc7.weight"])
    assert theirs["score_fr.weight"].any()
    assert not ours["score_fr.weight"].any()


@pytest.mark.parametrize("name", ["fcn_pool4", "fcn_pool3"])
def test_pool_alone_goes_on_from_a_whole_trunk(
    data: Path, tmp_path: Path, name: str
) -> None:
    whole = run(data, tmp_path / "32s", net="fcn32s", iterations=2, trunk="vgg11")
    begin = {"net": name, "init_from": str(tmp_path / "32s")}
    model = build_model(tiny(data, trunk="vgg11", **begin), 6)
    ours, theirs = model.state_dict(), whole.model.state_dict()
    shared = [n for n in ours if n.startswith("conv")]
    assert same_arrays({n: ours[n] for n in shared}, {n: theirs[n] for n in shared})
    assert multipliers(model)["conv1_1.weight"][0] == 1 / PIXEL_DEVIATION**2
    assert not ours[f"{model.score_layer}.weight"].any()
    deeper = tiny(data, trunk="vgg16", **begin)
    with pytest.raises(ValueError, match=r"another model: \d+ of .* conv1_2.weight"):
        build_model(deeper, 6)


def test_fusion_reaches_the_net(data: Path) -> None:
    assert build_model(tiny(data, fusion="max"), 6).fusion == "max"
    assert build_model(tiny(data), 6).fusion == "sum"


def test_start_from_another_trunk_is_refused(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "32s", net="fcn32s", iterations=1, val_split="none")
    recipe = tiny(
        data, net="fcn16s", width=(4, 6, 10, 8, 8), init_from=str(tmp_path / "32s")
    )
    with pytest.raises(ValueError, match=r"another model: \d+ of .* conv3_1.weight"):
        start(recipe, tmp_path / "16s")


@pytest.mark.parametrize(
    "arrays, said",
    [
        ({"resnet.weight": np.zeros(3)}, "does not fit this net: no name"),
        ({"conv1_1.weight": np.zeros((9, 3, 3, 3))}, "conv1_1.weight has shape"),
    ],
)
def test_weights_that_do_not_fit(
    data: Path, tmp_path: Path, arrays: dict[str, np.ndarray], said: str
) -> None:
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(ValueError, match=r"other.npz") as error:
        start(tiny(data, weights=str(tmp_path / "other.npz")), tmp_path / "run")
    assert said in str(error.value)


def test_real_trunk_fits(real_data: Path) -> None:
    name = "vgg19_slim16x_conv1_1-conv5_1"
    path = real_data / "weights" / name / f"{name}.npz"
    recipe = tiny(
        Path("camvid"), trunk="vgg19", width=(16, 32, 64, 128, 128), weights=str(path)
    )
    model = build_model(recipe, 11)
    with np.load(path) as file:
        ours = model.state_dict()["conv5_1.weight"]
        np.testing.assert_array_equal(ours, file["conv5_1/weight"])


def test_checkpoint_keeps_the_paces(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "run", iterations=1, val_split="none")
    saved = checkpoint.load(tmp_path / "run")
    pace = saved.meta["multipliers"]["conv1_1.weight"]
    assert pace == [1 / PIXEL_DEVIATION**2, PIXEL_DEVIATION**2]
