"""One pass or crop by crop: the same scores, and what is concluded of the times."""

from pathlib import Path

import numpy as np
import pytest

from minifcn import Tensor, no_grad
from minifcn.data import scenes
from minifcn.experiments import convolutionalise, patches, pretraining
from minifcn.experiments.convolutionalise import PORTRAIT, Found, OverAll, Scores, Timed
from minifcn.experiments.frame import Settings
from minifcn.experiments.patches import Seconds, Source
from tests.experiments.conftest import Quick


def test_quick_run_gives_the_same_scores(quick: Quick) -> None:
    result = quick("convolutionalise")
    assert [v["held"] for v in result["verdicts"]][:2] == [True, True]
    assert [row["answers"] for row in result["rows"]] == [2, 6, 100]
    assert [row["image"] for row in result["rows"]][:2] == ["96 × 128", "160 × 128"]
    paper = result["rows"][-1]
    assert paper["gain_forward"] == pytest.approx(100 * 1.2 / 22, abs=0.06)
    assert paper["gain_backward"] == pytest.approx(100 * 2.4 / 37, abs=0.06)
    assert paper["gain_single"] == pytest.approx(100 * 5.4 / 22, abs=0.06)


def test_a_crop_alone_gets_the_middle_answer() -> None:
    net = pretraining.classifier(0)
    net.eval()
    x = np.random.default_rng(0).normal(0, 60, (2, 3, 96, 96)).astype(np.float32)
    with no_grad():
        ours = OverAll(net)(Tensor(x)).data
        theirs = pretraining.scores_of(net, Tensor(x)).data
    np.testing.assert_array_equal(ours, theirs)
    with no_grad():
        wide = OverAll(net)(Tensor(np.zeros((1, 3, 160, 96 + 5 * 32), "float32")))
    assert wide.shape == (1, 5, 3, 6)


def test_scores_of_crops_stand_where_the_image_has_them(tmp_path: Path) -> None:
    """Two rows and three columns, of a net without padding; and one that is wrong."""
    source = Source(Settings(tmp_path))
    net = pretraining.classifier(1)
    net.to(dtype=np.float64)
    grid = patches.seen_by(net)
    chain = patches.unpadded(net)
    whole, crops = convolutionalise.of_both(chain, grid, source, 0, (2, 3), "cpu")
    assert whole.shape == crops.shape == (1, 5, 2, 3)
    assert convolutionalise.apart(whole, crops) < 1e-12
    turned = crops.reshape(1, 5, 3, 2).swapaxes(2, 3)
    assert convolutionalise.apart(whole, turned) > 1e-3


def test_what_is_saved_is_counted_by_hand() -> None:
    """Of 10 × 10 crops of 96 pixels in 384: every pixel is in 6.25 of them."""
    net = pretraining.classifier(0)
    assert convolutionalise.saved(net, (10, 10)) == 100 * 96**2 / 384**2
    assert convolutionalise.saved(net, (1, 1)) == 1
    assert convolutionalise.saved(net, (2, 3)) == 6 * 96**2 / (128 * 160)


def test_by_matrix_uses_a_matrix(tmp_path: Path) -> None:
    net = pretraining.classifier(1)
    net.to(dtype=np.float64)
    net.eval()
    source = Source(Settings(tmp_path))
    product, convolved = convolutionalise.by_matrix(net, source, 0, "cpu")
    assert product.shape == convolved.shape == (pretraining.FC_CHANNELS,)
    assert convolutionalise.apart(product, convolved) < 1e-12
    # and it is what the net itself computes there, before its ReLU
    x = Tensor(source.sample((96, 96), 0)[0].astype(np.float64))
    with no_grad():
        for name, layer in net.coarse().children():
            x = layer(x)
            if name == "fc6":
                break
    np.testing.assert_allclose(x.data[0, :, 1, 1], product, rtol=1e-9, atol=1e-9)


def timed(whole: float, batches: float, single: float, cells: tuple) -> Timed:
    return Timed(
        cells,
        {
            "whole": Seconds(whole, 2 * whole),
            "batches": Seconds(batches, 2 * batches),
            "single": Seconds(single, single),
        },
    )


def test_verdicts_are_of_a_hundred_answers_in_every_seed() -> None:
    scores = Scores(1e-16, 1e-15, 0.2, 0.9)
    slow, fast = timed(1, 4, 8, (2, 3)), timed(1, 6, 8, (10, 10))
    one = Found([slow, fast], scores)
    assert [v.held for v in convolutionalise.verdicts([one])] == [True] * 4
    other = Found([slow, timed(1, 4.5, 8, (10, 10))], scores)
    held = [v.held for v in convolutionalise.verdicts([one, other])]
    assert held == [True, True, False, False]
    bad = Found([slow, fast], Scores(1e-3, 1e-3, 0.2, 0.9))
    assert [v.held for v in convolutionalise.verdicts([bad])][:2] == [False, False]
    assert slow.gain("forward") == 4
    assert slow.gain("backward", "single") == 4


def test_a_data_set_of_its_own(quick: Quick, tmp_path: Path) -> None:
    data = scenes.write(tmp_path / "data", 1, 2, (40, 64), 0)
    result = quick("convolutionalise", out=tmp_path / "out", data=data, seeds=1)
    assert "He's rule" in result["remarks"][-1]


def test_glow_lights_the_cells_that_are_asked() -> None:
    image = np.full((160, 192, 3), 200, np.uint8)
    share = np.zeros((3, 4))
    share[1, 2] = 1.0
    lit = convolutionalise._glow(image, share)
    rows, columns = np.nonzero(lit[:, :, 0] == 200)
    # answer (1, 2) sees the crop that begins at (32, 64): its middle cell is 32 further
    assert (rows.min(), rows.max()) == (64, 95)
    assert (columns.min(), columns.max()) == (96, 127)
    assert PORTRAIT.image((3, 4)) == (160, 192)
