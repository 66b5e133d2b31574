"""The cases: every operator, at the shapes that the network itself runs."""

import numpy as np
import pytest

from minifcn import Tensor, models, no_grad, ops
from minifcn.bench import cases

SIZE, BATCH, WIDTH = (9, 12), 2, 1 / 64


@pytest.fixture(scope="module")
def tiny():
    return cases.cases(SIZE, BATCH, WIDTH)


def test_every_operator_has_a_case(tiny):
    assert {case.operator for case in tiny} == set(cases.names())


def test_convolutions_have_the_shapes_of_the_network(tiny, monkeypatch):
    ran = []

    def spy(operator):
        def run(x, weight, *others, **options):
            ran.append((x.shape, weight.shape))
            return operator(x, weight, *others, **options)

        return run

    for name in cases.CONVOLUTIONS:
        monkeypatch.setattr(ops, name, spy(getattr(ops, name)))
    net = models.fcn8s(cases.N_CLASSES, width=WIDTH).eval()
    with no_grad():
        net(Tensor(np.zeros((BATCH, 3, *SIZE), np.float32)))
    operators = ("conv2d", "conv_transpose2d")
    planned = [case.shapes[:2] for case in tiny if case.operator in operators]
    assert sorted(planned) == sorted(ran)
    assert len(ran) == 15 + 3 + 3  # VGG-16 with fc6 and fc7, scores, enlargements


def test_conv1_1_is_padded_by_100():
    plain = cases.cases((500, 500), width=WIDTH)
    by_name = {c.at: c for c in plain if c.operator in cases.CONVOLUTIONS}
    assert by_name["conv1_1"].options == {"padding": 100}
    assert by_name["conv1_2"].shapes[0] == (1, 1, 698, 698)  # as the plan has it
    assert by_name["upscore8"].shapes[0] == (1, 21, 70, 70)


def test_crop_is_the_networks_own(tiny):
    (crop,) = (case for case in tiny if case.operator == "crop")
    assert crop.options == {"offset": 31, "size": SIZE}


def test_flops_and_bytes_by_hand():
    # x (2, 3, 4, 5), w (7, 3, 2, 2): two rows and three columns more by the padding
    case = cases.Case("conv2d", "here", ((2, 3, 4, 5), (7, 3, 2, 2), (7,)), flops=1)
    x, w, b, y = 4 * 120, 4 * 84, 4 * 7, 4 * 168
    assert case.n_bytes("forward", y) == x + w + b + y
    assert case.n_bytes("input gradient", y) == x + w + y
    assert case.n_bytes("weight gradient", y) == x + w + b + y
    both = cases.Case("maximum", "here", ((3, 5), (3, 5)))
    assert both.n_bytes("backward", 60) == 4 * 60 + 60
    labelled = cases.Case(
        "nll_loss", "here", ((1, 2, 3, 4),), wholes=(("labels", (9,)),)
    )
    assert labelled.n_bytes("forward", 4) == 4 * 24 + 8 * 9 + 4
    assert cases.Case("sgd", "here", ((6,), (6,))).n_bytes("forward", 24) == 5 * 24


def test_flops_of_a_padded_convolution():
    (first, *_) = cases.cases(SIZE, BATCH, WIDTH)
    H, W = SIZE[0] + 198, SIZE[1] + 198
    assert first.flops == 2 * BATCH * H * W * 3 * 3 * 3  # one kernel over 3 colours


def test_gradients_are_timed_apart(tiny):
    for case in tiny:
        if case.operator in cases.CONVOLUTIONS:
            weights = list(range(1, len(case.shapes)))
            assert case.directions["input gradient"] == [0]
            assert case.directions["weight gradient"] == weights
            assert set(case.directions) - {"forward"} == {
                "input gradient",
                "weight gradient",
            }
        elif case.operator in cases.KERNELS:
            assert list(case.directions) == ["forward"]
        else:
            assert list(case.directions) == ["forward", "backward"]


def test_draws_are_repeatable_and_maxima_lie_in_their_windows(tiny):
    (case,) = (case for case in tiny if case.operator == "max_unpool2d")
    floats, (indices,) = case.draw(3)
    again, _ = case.draw(3)
    assert (floats[0] == again[0]).all()
    assert floats[0].dtype == np.float32
    *_, H, W = indices.shape
    r, q = indices // (2 * W), indices % (2 * W)
    assert (r // 2 == np.arange(H)[:, None]).all()
    assert (q // 2 == np.arange(W)).all()
    assert set(np.unique(r % 2)) == set(np.unique(q % 2)) == {0, 1}


def test_no_sum_is_near_the_kink():
    shapes = (2, 8, 9, 11), (16, 8, 3, 3), (16,)
    (x, w, b), _ = cases.Case("conv2d_relu", "here", shapes).draw(0)
    y = ops.conv2d(Tensor(x), Tensor(w), Tensor(b)).data
    assert b.dtype == np.float32
    assert abs(y).min() > 1
    passing = (y > 0).mean(axis=(0, 2, 3))
    assert set(passing) == {0, 1}  # whole channels, of both kinds


def test_enlargements_are_bilinear(tiny):
    (case,) = (
        c for c in tiny if (c.operator, c.at) == ("conv_transpose2d", "upscore2")
    )
    _, weight = case.draw(0)[0]
    assert weight.shape == (21, 21, 4, 4)
    assert weight[2, 2, 1].tolist() == [3 / 16, 9 / 16, 9 / 16, 3 / 16]
    assert not weight[2, 3].any()
