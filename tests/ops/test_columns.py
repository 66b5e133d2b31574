"""Convolution by columns, on the emulated GPU: bounded pieces, and faulty kernels."""

import importlib
from unittest import mock

import numpy as np
import pytest

from minifcn import Tensor, arrays, ops
from minifcn.cuda import Kernels, host
from minifcn.laws import Implementation, LawError, laws_of
from minifcn.ops import columns, epilogue
from minifcn.ops.columns import pieces

DEVICE = "emulated"
# The module: minifcn.ops.im2col is the operator.
im2col = importlib.import_module("minifcn.ops.im2col")


@pytest.fixture(scope="module", autouse=True)
def device():
    try:
        arrays.check_device(DEVICE)
    except ValueError as error:
        pytest.skip(str(error))


def hold(*operators, cases=3):
    for law in (law for operator in operators for law in laws_of(operator)):
        law.hold(Implementation(DEVICE, DEVICE), cases, shrink=False)


@pytest.mark.parametrize("work", [1, 40, 300])  # single rows, some rows, some images
def test_the_laws_hold_however_small_the_pieces(work):
    with mock.patch.object(columns, "WORK", work):
        hold("conv2d", "conv2d_relu", "conv_transpose2d")


def test_the_columns_of_a_piece_stay_below_the_limit():
    w = np.empty((64, 64, 3, 3))
    cut = pieces((1, 64, 698, 698), w)  # conv1_2 of a 500 × 500 image
    assert len(cut) == 5
    assert all(64 * 9 * (r.stop - r.start) * 698 <= columns.WORK for _, r in cut)
    # Few channels in, many out: y itself is what is large.
    assert len(pieces((2, 300, 698, 698), np.empty((300, 1, 1, 2)))) == 6


@pytest.mark.parametrize("shape, work", [((3, 2, 5, 4), 80), ((3, 2, 5, 4), 700)])
def test_pieces_cover_every_output_once(shape, work):
    seen = np.zeros(shape, int)
    with mock.patch.object(columns, "WORK", work):
        for n, r in pieces(shape, np.empty((2, 2, 2, 3))):
            seen[n, :, r] += 1
    np.testing.assert_array_equal(seen, 1)


def test_a_piece_takes_several_images_where_they_fit():
    with mock.patch.object(columns, "WORK", 2 * 12 * 20):
        cut = pieces((5, 2, 5, 4), np.empty((2, 2, 2, 3)))
    assert [n.stop - n.start for n, _ in cut] == [1, 2, 2]
    assert all(r == slice(0, 5) for _, r in cut)


def test_memory_stays_bounded(rng):
    """No columns of a pass are larger than a piece."""
    sizes = []

    def to_columns(*arguments):
        cols = im2col.to_columns(*arguments)
        sizes.append(cols.size)
        return cols

    def from_columns(cols, *arguments):
        sizes.append(cols.size)
        return im2col.from_columns(cols, *arguments)

    x, w = (
        Tensor(arrays.to_device(rng.normal(size=shape), DEVICE), True)
        for shape in [(2, 3, 30, 21), (4, 3, 3, 2)]
    )
    with (
        mock.patch.object(columns, "WORK", 4000),
        mock.patch.object(columns, "to_columns", to_columns),
        mock.patch.object(columns, "from_columns", from_columns),
    ):
        y = ops.conv2d(x, w, stride=(1, 2), padding=1)
        y.backward(arrays.to_device(rng.normal(size=y.shape), DEVICE))
    # Forward, and for the gradients of x and w.
    assert len(sizes) == 3 * 4
    assert max(sizes) <= 4000


def test_the_same_bits_from_run_to_run(rng):
    """However the blocks and threads are shuffled: each pixel is summed by one."""
    cols = Tensor(arrays.to_device(rng.normal(size=(2, 18, 20)), DEVICE))
    try:
        shuffled = []
        for seed in range(3):
            host.shuffle(seed)
            shuffled.append(ops.col2im(cols, (6, 6), (2, 3)).data.get())
    finally:
        host.shuffle(0)
    for again in shuffled[1:]:
        np.testing.assert_array_equal(again, shuffled[0])


# ---- planted faults


FAULTS = {
    "a row too low": ("im2col", "h = top +", "h = top + 1 +"),
    "the stride forgotten": ("im2col", "left + q * SW", "left + q"),
    "the dilation forgotten": ("im2col", "+ j * DW;", "+ j;"),
    "rows alone looked at": (
        "im2col",
        " && w >= 0 && w < W",
        " && w >= 0 && h * W + w < H * W",
    ),
    "every image the first": ("im2col", "to = cols + n * image", "to = cols"),
    "windows between the strides": ("col2im", "after == r * stride && ", ""),
    "the last window missed": ("col2im", "r < count", "r + 1 < count"),
    "the last tap missed": ("col2im", "Index i = 0; i < KH;", "Index i = 1; i < KH;"),
}


EPILOGUE_FAULTS = {
    "every channel the first": ("+ o * channel", ""),
    "every image the first": ("first + n * image", "first"),
    "every piece at the beginning": ("first + n", "n"),
    "images before channels": ("total[(o * N + n)", "total[(n * O + o)"),
    "the first bias for all": ("bias[o]", "bias[0]"),
    "bias behind the ReLU": (
        "if (relu && value <= 0) value = 0;",
        "if (relu && value - bias[o] <= 0) value = bias[o];",
    ),
    "ReLU unasked": ("relu && ", ""),
    "nothing dropped": ("limit > 0", "false"),
    "drawn by the place in the piece": ("drawn(key + at)", "drawn(key + i)"),
    "not enlarged": ("value * scale", "value"),
}


@pytest.mark.parametrize("fault", EPILOGUE_FAULTS)
def test_faults_in_the_epilogue_are_caught(fault, tmp_path):
    right, wrong = EPILOGUE_FAULTS[fault]
    text = epilogue.KERNELS.path.read_text()
    assert right in text
    (tmp_path / "faulty.cu").write_text(text.replace(right, wrong))
    # Small pieces, so that it matters where they begin.
    with (
        mock.patch.object(epilogue, "KERNELS", Kernels(tmp_path / "faulty.cu")),
        mock.patch.object(columns, "WORK", 40),
        pytest.raises(LawError, match="breaks"),
    ):
        hold("conv2d", "conv2d_relu", cases=30)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_the_kernels_are_caught(fault, tmp_path):
    operator, right, wrong = FAULTS[fault]
    before, kernel, after = im2col.KERNELS.path.read_text().partition(
        "// Along one axis"
    )
    text = [before, kernel + after]
    place = 0 if operator == "im2col" else 1
    assert right in text[place]
    text[place] = text[place].replace(right, wrong)
    (tmp_path / "faulty.cu").write_text("".join(text))
    faulty = mock.patch.object(im2col, "KERNELS", Kernels(tmp_path / "faulty.cu"))
    for subject in (operator, "conv2d"):
        with faulty, pytest.raises(LawError, match="breaks"):
            hold(subject, cases=20)
