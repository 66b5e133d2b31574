"""Arrays: whose they are, and the threads that share their work."""

import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import arrays, emulated, ops

HAS_CUPY = True
try:
    arrays.cupy()
except ValueError:
    HAS_CUPY = False


@pytest.fixture(autouse=True)
def thread_count():
    yield
    arrays.set_threads(0)


def test_numpy_arrays_and_numbers_are_numpys():
    array = np.ones((2, 3), np.float32)
    assert arrays.array_module(array, 3.0) is np
    assert arrays.device_of(array) == "cpu"
    assert arrays.to_numpy(array) is array
    assert arrays.to_device(array, "cpu") is array


def test_array_of_another_module_is_cupys(monkeypatch):
    foreign = type("ndarray", (), {"__module__": "cupy._core.core"})()
    similar = type("ndarray", (), {"__module__": "cupyish.core"})()
    monkeypatch.setattr(arrays, "cupy", lambda: "the cupy module")
    assert arrays.array_module(np.ones(2), foreign) == "the cupy module"
    assert arrays.device_of(foreign) == "cuda"
    assert arrays.array_module(similar) is np


def test_unknown_device_is_refused():
    with pytest.raises(ValueError, match="'gpu'; it must be 'cpu' or 'cuda'"):
        arrays.to_device(np.ones(2), "gpu")


@pytest.mark.skipif(HAS_CUPY, reason="CuPy and a GPU are here")
def test_device_cuda_without_cupy_says_what_is_missing():
    with pytest.raises(ValueError, match="device 'cuda' needs"):
        arrays.to_device(np.ones(2), "cuda")


@pytest.mark.parametrize(
    "wrong, given_type",
    [(np.ones(2, int), "int64"), (np.ones(2, np.float16), "float16"), ([1.0], "list")],
)
def test_other_number_types_are_refused(wrong, given_type):
    said = (
        f"x must be a Tensor of float32 or float64; its type is {given_type}: "
        r'convert the array first, \.astype\("float32"\)'
    )
    with pytest.raises(TypeError, match=said):
        arrays.check_float(wrong, "x")


def test_a_plain_array_is_told_to_be_wrapped():
    x = np.ones((1, 2, 3, 4), np.float32)
    with pytest.raises(
        TypeError, match=r"x is ndarray of shape .*; wrap it: .*Tensor\(x\)"
    ):
        ops.max_pool2d(x, 2)


def test_both_float_types_pass():
    for dtype in (np.float32, np.float64):
        arrays.check_float(np.ones(2, dtype), "x")


# ---- threads


def test_thread_count_is_set_and_reset(monkeypatch):
    monkeypatch.setattr(arrays, "_asked", 0)
    arrays.set_threads(3)
    assert arrays.threads() == 3
    arrays.set_threads(0)
    assert arrays.threads() == arrays.usable_processors() >= 1
    with pytest.raises(ValueError, match="threads is -1; it must be 0 or more"):
        arrays.set_threads(-1)
    assert arrays.threads() == arrays.usable_processors()


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, 0),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "3"}, 2),
        ({"OPENBLAS_NUM_THREADS": "", "OMP_NUM_THREADS": "3"}, 3),
        ({"OPENBLAS_NUM_THREADS": "0"}, 0),
        ({"OMP_NUM_THREADS": "all"}, 0),
        ({"OMP_NUM_THREADS": "-1"}, 0),
    ],
)
def test_threads_that_the_environment_asks_for(environment, expected):
    assert arrays.threads_asked_for(environment) == expected


def test_the_environment_counts_unless_a_number_is_set(monkeypatch):
    monkeypatch.setattr(arrays, "usable_processors", lambda: 4)
    monkeypatch.setattr(arrays, "_asked", 3)
    assert arrays.threads() == 3
    monkeypatch.setattr(arrays, "_asked", 9)  # more than there are: OpenBLAS caps it
    assert arrays.threads() == 4
    arrays.set_threads(7)
    assert arrays.threads() == 7


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(threads):
    arrays.set_threads(threads)
    first_may_end = threading.Event()

    def task(item):
        if item == 0 and threads > 1:
            assert first_may_end.wait(10)  # the others overtake the first
        if item == 1:
            first_may_end.set()
        return item**2

    assert arrays.parallel(task, iter(range(7))) == [0, 1, 4, 9, 16, 25, 36]
    assert arrays.parallel(task, []) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_workers_as_set(threads):
    arrays.set_threads(threads)
    meeting = threading.Barrier(threads, timeout=10)

    def task(item):
        meeting.wait()  # passes only if `threads` tasks run at once
        return threading.get_ident()

    assert len(set(arrays.parallel(task, range(threads)))) == threads


def test_blas_has_one_thread_within_a_task_and_all_after():
    import threadpoolctl

    def blas_threads(item=None):
        pools = threadpoolctl.threadpool_info()
        return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]

    arrays.set_threads(2)
    with threadpoolctl.threadpool_limits(3, "blas"):
        before = blas_threads()
        for counts in arrays.parallel(blas_threads, range(4)):
            assert set(counts) <= {1}
        assert blas_threads() == before


def test_error_in_a_task_arrives():
    arrays.set_threads(2)

    def task(item):
        raise KeyError(item)

    with pytest.raises(KeyError):
        arrays.parallel(task, range(3))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("by_caller", [False, True])
def test_after_an_error_no_task_is_begun_and_none_runs_on(threads, by_caller):
    arrays.set_threads(threads)
    caller, begun, ended = threading.get_ident(), [], []
    both = threading.Barrier(2, timeout=10)

    def task(item):
        begun.append(item)
        if len(begun) <= 2:
            both.wait()  # two tasks have begun, one of them in the caller's thread
        if len(begun) > 2 or (threading.get_ident() == caller) == by_caller:
            raise KeyError(item)
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(KeyError):
        arrays.parallel(task, range(100))
    assert len(begun) <= threads
    assert len(ended) + 1 == len(begun) or threads == 3
    at_the_end = len(ended)
    time.sleep(0.1)
    assert len(ended) == at_the_end


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_no_threads_to_wait_for():
    arrays.set_threads(2)
    assert arrays.parallel(str, range(4)) == ["0", "1", "2", "3"]  # the threads begin
    child = os.fork()
    if not child:
        os._exit(arrays.parallel(str, range(4)) != ["0", "1", "2", "3"])
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert done
    assert status == 0


def test_a_task_that_hands_out_tasks_gets_them_done():
    arrays.set_threads(2)
    nested = arrays.parallel(lambda i: arrays.parallel(str, range(i)), range(9))
    assert nested == [[str(j) for j in range(i)] for i in range(9)]


def test_the_caller_works_too():
    arrays.set_threads(2)
    meeting = threading.Barrier(2, timeout=10)
    idents = arrays.parallel(lambda i: (meeting.wait(), threading.get_ident()), [0, 1])
    assert threading.get_ident() in [ident for _, ident in idents]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("layout", ["plain", "transposed"])
def test_elementwise_covers_every_element_once(monkeypatch, rng, threads, layout):
    monkeypatch.setattr(arrays, "PIECE", 10)
    arrays.set_threads(threads)
    x, y = rng.normal(size=(2, 7, 5)), np.zeros((2, 7, 5))
    x, y = (x, y) if layout == "plain" else (x.T, y.T)
    pieces = []

    def task(a, b):
        pieces.append(a.size)
        b += 2 * a

    arrays.elementwise(task, x, y)
    np.testing.assert_array_equal(y, 2 * x)
    assert sorted(pieces) == ([10] * 7 if layout == "plain" else [70])


@given(st.integers(0, 200), st.integers(0, 50))
def test_blocks_cut_a_range_into_nearly_equal_parts(length, size):
    parts = arrays.blocks(length, size)
    assert [i for part in parts for i in range(length)[part]] == list(range(length))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) <= max(1, size)
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_workspace_is_not_shared_with_a_forked_process():
    mine = arrays.workspace("forked", (3,), np.float64)
    mine[...] = 7
    child = os.fork()
    if not child:
        arrays.workspace("forked", (3,), np.float64)[...] = 8
        os._exit(0)
    os.waitpid(child, 0)
    np.testing.assert_array_equal(mine, [7, 7, 7])


def test_workspace_that_is_too_large_is_a_memory_error():
    with pytest.raises(MemoryError, match="bytes to work in cannot be had"):
        arrays.workspace("too large", (1 << 50,), np.float64)


def test_workspace_is_reused_within_a_thread_and_not_between_threads():
    first = arrays.workspace("test", (3, 4), np.float64)
    first[...] = 7
    again = arrays.workspace("test", (2, 5), np.float32)
    assert (again.shape, again.dtype) == ((2, 5), np.float32)
    assert np.shares_memory(first, again)
    other_slot = arrays.workspace("test other", (3, 4), np.float64)
    larger = arrays.workspace("test", (30, 40), np.float64)
    elsewhere = []
    thread = threading.Thread(
        target=lambda: elsewhere.append(arrays.workspace("test", (3, 4), np.float64))
    )
    thread.start()
    thread.join()
    for separate in (other_slot, elsewhere[0]):
        assert not np.shares_memory(larger, separate)
    assert arrays.workspace("test", (0, 4), np.float32).shape == (0, 4)


def test_the_emulated_device_has_memory_of_its_own():
    x = np.arange(3.0)
    there = emulated.library.asarray(x)
    there += 1
    np.testing.assert_array_equal(x, [0, 1, 2])
    zeros = emulated.library.zeros_like(there)
    assert type(zeros) is emulated.EmulatedArray
    with pytest.raises(
        TypeError, match=r"add mixes an array of NumPy, of shape \(3,\)"
    ):
        there + x
