import re

import numpy as np
import pytest

from minifcn.cuda import host, launch
from minifcn.emulated import to_emulated
from minifcn.ops import summing

from .common import SAMPLE, needs_compiler, put, zeros

X, Y = put(1, 2, 3), zeros(3)
KEPT = put(1, 2, 3)
KEPT.flags.writeable = False


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernel_runs_for_both_types(dtype):
    x, y = put(1, -2, 3, dtype=dtype), zeros(3, dtype)
    SAMPLE.scale(3, x, y, 3, 2.5)
    np.testing.assert_array_equal(y.get(), [2.5, -5, 7.5])
    assert y.dtype == dtype


@needs_compiler
def test_numbers_arrive_as_what_they_are():
    x, y = put(1, 255, dtype="uint8"), zeros(2, "int64")
    SAMPLE.flags(2, x, y, np.int64(2), True, (1 << 63) + 1)
    assert y.get().tolist() == [2 - (1 << 63), 256 - (1 << 63)]
    SAMPLE.flags(2, x, y, 2, np.bool_(False), 7)
    assert y.get().tolist() == [1, 255]


@pytest.mark.parametrize(
    "arguments, kind, sentence",
    [
        ((X, Y, 3), TypeError, "takes 4 arguments (x, y, n, a), not 3"),
        ((X, Y, 3, 1.0, 2), TypeError, "takes 4 arguments (x, y, n, a), not 5"),
        ((X, zeros(3, "float64"), 3, 1.0), TypeError, "y is float64, and must be floa"),
        ((zeros(3, "int64"), Y, 3, 1.0), TypeError, "takes float32 or float64, not in"),
        (([1, 2], Y, 3, 1.0), TypeError, "takes float32 or float64, not list"),
        ((X, None, 3, 1.0), TypeError, "y is NoneType, and must be float32"),
        ((X, Y, 3.5, 1.0), TypeError, "n is 3.5, and must be a number of type Index"),
        ((X, Y, True, 1.0), TypeError, "n is True, and must be a number of type Index"),
        (
            (X, Y, 3, "1"),
            TypeError,
            "a is '1', and must be a number of type float32 or fl",
        ),
        (
            (X, Y, 3, X),
            TypeError,
            "a is EmulatedArray, and must be a number of type fl",
        ),
        ((X, Y, 3, X[0:1].sum()), TypeError, "a is"),
        ((X, Y, 1 << 63, 1.0), ValueError, "n is 9223372036854775808, and must lie"),
        ((X[::2], Y, 2, 1.0), ValueError, "x of shape (2,) is not contiguous"),
        ((X, Y[::-1], 3, 1.0), ValueError, "y of shape (3,) is not contiguous"),
        ((X, KEPT, 3, 1.0), ValueError, "y of shape (3,) is read-only, and the kernel"),
        ((X, np.zeros(3, "f4"), 3, 1.0), ValueError, "lie on several devices (minifc"),
        ((X.get(), Y.get(), 3, 1.0), ValueError, "kernels do not run on NumPy's arr"),
    ],
)
def test_wrong_arguments_are_named(arguments, kind, sentence):
    with pytest.raises(kind) as error:
        SAMPLE.scale(3, *arguments)
    assert str(error.value).startswith("sample.cu: scale") or "sample.cu" in str(error)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "number, kind", [(-1, ValueError), (1 << 64, ValueError), (1.0, TypeError)]
)
def test_numbers_without_sign_have_none(number, kind):
    with pytest.raises(kind, match=r"sample\.cu: flags: key is"):
        SAMPLE.flags(1, put(1, dtype="uint8"), zeros(1, "int64"), 1, True, number)


@pytest.mark.parametrize("up", [1, 0.0, None])
def test_bool_is_no_number(up):
    with pytest.raises(TypeError, match=r"flags: up is .*, and must be .* bool"):
        SAMPLE.flags(1, put(1, dtype="uint8"), zeros(1, "int64"), 1, up, 0)


def test_read_only_input_is_fine_to_read():
    launch._check(SAMPLE.source, SAMPLE.source.kernels["scale"], (KEPT, Y, 3, 1.0))


def test_unknown_kernel_is_told_with_those_there_are():
    with pytest.raises(
        AttributeError, match=r"sample\.cu has no kernel shrink; it has"
    ):
        SAMPLE.shrink(3, X, Y)


def test_nothing_is_launched_for_no_items_but_arguments_are_checked(monkeypatch):
    monkeypatch.setattr(host, "function", None)  # calling it would raise
    SAMPLE.scale(0, zeros(0), zeros(0), 0, 1.0)
    with pytest.raises(TypeError, match="takes 4 arguments"):
        SAMPLE.scale(0, zeros(0))


@pytest.mark.parametrize(
    "size, kind, told",
    [
        (-1, ValueError, "-1"),
        (-(1 << 70), ValueError, "-1180591620717411303424"),
        (3.5, TypeError, "3.5"),
        (3.0, TypeError, "3.0"),
        ("4", TypeError, "'4'"),
        (None, TypeError, "NoneType"),
        (X, TypeError, "EmulatedArray"),
    ],
)
def test_size_is_a_whole_number(monkeypatch, size, kind, told):
    monkeypatch.setattr(host, "function", None)
    with pytest.raises(kind) as error:
        SAMPLE.scale(size, X, Y, 3, 1.0)
    assert str(error.value) == (
        f"sample.cu: scale: size is {told}; it must be a whole number, 0 or more"
    )


@needs_compiler
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_size_may_be_numpys(kind):
    y = zeros(3)
    SAMPLE.scale(kind(3), X, y, 3, 2.0)
    assert y.get().tolist() == [2, 4, 6]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1000, (1 << 24) + 1, 1 << 50])
def test_grid_is_large_enough_and_within_bounds(monkeypatch, size):
    grids = []
    monkeypatch.setattr(
        host,
        "function",
        lambda *_: lambda blocks, threads, _: grids.append((blocks, threads)),
    )
    SAMPLE.scale(size, X, Y, 3, 1.0)
    ((blocks, threads),) = grids
    assert blocks * threads >= min(size, launch.MOST_BLOCKS * launch.THREADS)
    assert 1 <= blocks <= launch.MOST_BLOCKS
    assert blocks < 1 << 31  # the most that CUDA launches
    assert (blocks - 1) * threads < size  # and no block without work


def test_threads_of_a_block_are_the_same_number_everywhere():
    (there,) = re.findall(r"const int THREADS = (\d+);", summing.KERNELS.source.text)
    assert launch.THREADS == launch.SHARING == summing.THREADS == int(there)


@needs_compiler
@pytest.mark.parametrize("most", [1, 3, 1 << 16])
@pytest.mark.parametrize("n", [1, 256, 1000])
def test_every_item_is_visited_once_by_any_grid(monkeypatch, most, n):
    monkeypatch.setattr(launch, "MOST_BLOCKS", most)
    count, block, order = zeros(n, "int64"), zeros(n, "int64"), zeros(n, "int64")
    SAMPLE.visits(n, count, block, order, zeros(1, "int64"), n)
    assert (count.get() == 1).all()
    assert block.get().max() == min(most, -(-n // 256)) - 1


@needs_compiler
def test_items_beyond_31_and_32_bits_keep_their_number():
    blocks = [0, 1, 1 << 23, 1 << 24, (1 << 32) - 1]
    y = zeros(len(blocks), "int64")
    # the 5 items are done by threads 0 .. 4
    SAMPLE.places(5, put(*blocks, dtype="int64"), y, 5)
    assert y.get().tolist() == [block * 256 + t for t, block in enumerate(blocks)]


@needs_compiler
def test_order_of_blocks_and_threads_is_that_of_the_seed():
    def order(seed):
        host.shuffle(seed)
        ticks = zeros(1024, "int64")
        spare = [zeros(1024, "int64") for _ in range(2)]
        SAMPLE.visits(1024, *spare, ticks, zeros(1, "int64"), 1024)
        return ticks.get()

    try:
        one, two, again = order(1), order(2), order(1)
    finally:
        host.shuffle(0)
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()
    assert (np.diff(one[:256]) != 1).any()  # threads of a block
    assert (np.diff(one[::256]) < 0).any() or (np.diff(two[::256]) < 0).any()  # blocks


def test_memory_of_another_array_is_not_taken_for_granted():
    x = to_emulated(np.arange(6.0).reshape(2, 3)).T
    with pytest.raises(ValueError, match=r"x of shape \(3, 2\) is not contiguous"):
        SAMPLE.scale(6, x, zeros(6, "float64"), 6, 1.0)
