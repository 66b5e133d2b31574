"""The tape: what is written on it, how it is walked, and what is freed."""

import gc
import math
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from minifcn import Function, Tensor, no_grad, ops
from minifcn.laws import check_gradients
from tests.ops import common

MIB = 1 << 20


def leaf(values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


class Kept(Function):
    """x · 2, which keeps a copy of x for backward and says so to `watch`."""

    def __init__(self, watch=None):
        self.watch = watch

    def forward(self, x):
        self.x = x.copy()
        if self.watch is not None:
            self.watch.append(weakref.ref(self.x))
        return 2 * x

    def backward(self, gy):
        return 2 * gy


# ---- values and gradients by hand


def test_gradients_of_a_small_formula_by_hand():
    a, b = leaf([2.0, 3.0]), leaf([5.0, 7.0])
    y = (a * b + a / b - b).sum()
    assert y.item() == pytest.approx(10 + 21 + 2 / 5 + 3 / 7 - 12)
    y.backward()
    np.testing.assert_allclose(a.grad, [5 + 1 / 5, 7 + 1 / 7])
    np.testing.assert_allclose(b.grad, [2 - 2 / 25 - 1, 3 - 3 / 49 - 1])


def test_define_by_run_follows_what_ran():
    """The same Python code, another way through it: another tape."""

    def collatz(x):
        steps = 0
        while x.item() > 1.5 and steps < 4:
            x = x / 2.0 if round(x.item()) % 2 == 0 else x * 3.0 + 1.0
            steps += 1
        return x

    for start, slope in ((4.0, 1 / 4), (3.0, 3 / 2 * 3 / 2)):
        x = leaf(start)
        collatz(x).backward()
        assert x.grad == pytest.approx(slope)


def test_diamond_adds_both_ways():
    x = leaf([1.0, -2.0, 3.0])
    left, right = x * x, x * 5.0
    (left * right).sum().backward()  # 5x³
    np.testing.assert_allclose(x.grad, 15 * x.data**2)


def test_deep_diamonds_visit_each_function_once():
    """2²⁴ ways through 24 diamonds: only a walk in topological order ends soon."""
    x = leaf(1.0)
    visits = []

    class Twice(Function):
        def forward(self, a):
            return 2 * a

        def backward(self, gy):
            visits.append(1)
            return 2 * gy

    y = x
    for _ in range(24):
        y = Twice()(y)
        y = y + y
    y.backward()
    assert x.grad == 4.0**24
    assert len(visits) == 24


def test_unequal_ways_are_walked_in_topological_order():
    x = leaf(3.0)
    a = x * 2.0
    b = a * a  # a is read here …
    for _ in range(5):
        b = b * 1.0
    (b + a).backward()  # … and, much later, here
    assert x.grad == 2 * 6 * 2 + 2


def test_adding_to_one_gradient_leaves_the_others_alone():
    """a + b hands the same array to both; what a gets besides is not b's."""
    x, z = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    a, b = x * 2.0, z * 3.0
    c = a * 5.0
    ((a + b) + c).sum().backward()
    np.testing.assert_array_equal(x.grad, [2 + 10] * 2)
    np.testing.assert_array_equal(z.grad, [3, 3])


def test_tensor_used_twice_in_one_function():
    x = leaf([2.0, 5.0])
    (x * x).backward(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad, [4, 100])
    y = leaf([2.0, 5.0])
    (y / y + y).backward(np.array([1.0, 10.0]))
    np.testing.assert_allclose(y.grad, [1, 10], atol=1e-15)


def test_gradients_add_up_until_forgotten():
    x = leaf([1.0, 2.0])
    for times in (1, 2, 3):
        (x * x).sum().backward()
        np.testing.assert_array_equal(x.grad, times * 2 * x.data)
    x.grad = None
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [3, 3])


def test_upstream_gradient_is_multiplied_in(rng):
    x, v = leaf(rng.normal(size=(2, 3))), rng.normal(size=(2, 3))
    (x * x).backward(v)
    np.testing.assert_allclose(x.grad, 2 * x.data * v)
    z = leaf(x.data)
    (z * z).backward(Tensor(v))
    np.testing.assert_array_equal(z.grad, x.grad)


def test_backward_of_a_leaf_gives_the_gradient_itself():
    x, v = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    x.backward(v)
    v[0] = 99
    np.testing.assert_array_equal(x.grad, [3, 4])


@pytest.mark.parametrize(
    "name, formula",
    {
        "sum of both": lambda a, b: a + b,
        "difference": lambda a, b: a - b,
        "product": lambda a, b: a * b,
        "quotient": lambda a, b: a / b,
        "negative": lambda a, b: -a * b,
        "numbers": lambda a, b: 2.5 * a + 3.0 - b / 4.0 + 1.0 / b - (1.0 - a),
        "sum": lambda a, b: a.sum() * b,
        "mean": lambda a, b: a * b.mean(),
        "reshape": lambda a, b: a.reshape(3, 2) * b.reshape(-1, 2),
        "array": lambda a, b: a * np.arange(6.0).reshape(2, 3) + b,
        "array first": lambda a, b: np.arange(6.0).reshape(2, 3) / b - a,
        "again": lambda a, b: a * b * a / (b * b + a * a),
    }.items(),
)
def test_arithmetic_by_central_differences(rng, name, formula):
    inputs = rng.uniform(0.5, 2, (2, 2, 3)) * rng.choice([-1, 1], (2, 2, 3))
    assert check_gradients(formula, [*inputs]).compared == 12


NUMPY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


@pytest.mark.parametrize("sign", NUMPY)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3))
def test_broadcasting_as_numpys(sign, drawn):
    (first, second), shape = drawn.input_shapes, drawn.result_shape
    rng = np.random.default_rng(len(first) + 10 * len(second))
    a, b = rng.uniform(0.5, 2, first), rng.uniform(0.5, 2, second)
    y = NUMPY[sign](Tensor(a), Tensor(b))
    np.testing.assert_array_equal(y.data, NUMPY[sign](a, b))
    assert y.shape == shape
    check_gradients(NUMPY[sign], [a, b])


# ---- number types


@pytest.mark.parametrize("number", [2, 2.0, True, np.float64(2), np.int64(2)])
def test_float32_stays_float32_beside_a_number(number):
    x = leaf([1.0, 2.0], np.float32)
    for y in (x + number, number - x, x * number, number / x, x / number, -x, x.mean()):
        assert y.dtype == np.float32
        y.sum().backward()
    assert x.grad.dtype == np.float32


def test_number_beside_whole_numbers_is_not_cut_off():
    np.testing.assert_array_equal((Tensor(np.arange(3)) * 2.5).data, [0, 2.5, 5])


def test_leaf_gradient_has_the_leafs_type():
    single, double = leaf([1.0, 2.0], np.float32), leaf([3.0, 4.0])
    for _ in range(2):  # the first gradient, and one added to it
        (single * double).sum().backward()
        assert (single.grad.dtype, double.grad.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(single.grad, [6, 8])


def test_gradient_of_another_type_is_converted():
    x = leaf([1.0, 2.0], np.float32)
    (x * 1.0).backward([3, 4])
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, [3, 4])


def test_whole_numbers_cannot_require_a_gradient():
    with pytest.raises(TypeError, match="must be a Tensor of float32"):
        Tensor(np.arange(3), requires_grad=True)
    with pytest.raises(TypeError, match="made from an array"):
        Tensor(Tensor(np.ones(2)))


def test_a_tensor_has_no_parts_and_says_where_to_find_them():
    x = leaf([[1.0, 2.0]])
    for take in (
        lambda: x[0],
        lambda: x[..., 1:],
        lambda: list(x),
        lambda: np.asarray(x),
    ):
        with pytest.raises(TypeError, match=r"use \.data\[\.\.\.\].*ops\.crop"):
            take()


# ---- what is on the tape


def test_only_what_requires_a_gradient_is_on_the_tape():
    x, constant = leaf([1.0]), Tensor(np.array([2.0]))
    assert (constant * 3.0).maker is None
    assert not (constant * 3.0).requires_grad
    y = x * constant
    assert y.requires_grad
    y.backward()
    assert constant.grad is None


def test_no_grad_switches_the_tape_off_and_on_again():
    x = leaf([1.0])
    with no_grad():
        with no_grad():
            assert (x * x).maker is None
        y = x * x
        assert not y.requires_grad
    assert (x * x).requires_grad
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (x * x).requires_grad


def test_detach_cuts_the_tape_and_shares_the_array():
    x = leaf([3.0])
    y = (x * x).detach()
    assert not y.requires_grad
    (x * y).backward()
    np.testing.assert_array_equal(x.grad, [9])
    assert x.detach().data is x.data


def test_attributes_and_text():
    x = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)
    assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float32)
    assert "requires_grad=True" in repr(x)
    assert "requires_grad" not in repr(x.detach())
    np.testing.assert_array_equal(Tensor([[1, 2]]).data, [[1, 2]])


# ---- memory


GRADIENT_SHARERS = {
    "add": lambda x, z: x + z,
    "add itself": lambda x, z: (x + x) + (z + z),
    "reshape": lambda x, z: x.reshape(6) + z.reshape(6),
    "sum": lambda x, z: x.sum() + z.sum(),
    "broadcast": lambda x, z: x + z.sum(),
    "long": lambda x, z: (x + z).reshape(6).reshape(3, 2) + (z + x).reshape(3, 2),
    "crop": lambda x, z: ops.crop(x, 0, (2, 3)) + ops.crop(z, 0, (2, 3)),
    "scale": lambda x, z: x * 1.0 + z * 1.0,
}


@pytest.mark.parametrize("name", GRADIENT_SHARERS)
def test_leaf_gradients_own_their_memory(rng, name):
    x, z = leaf(rng.normal(size=(2, 3))), leaf(rng.normal(size=(2, 3)))
    y = GRADIENT_SHARERS[name](x, z)
    v = rng.normal(size=y.shape)
    kept = v.copy()
    y.backward(v)
    expected = x.grad.copy()
    assert x.grad.flags.writeable
    assert z.grad.flags.writeable
    for other in (v, z.grad, x.data, z.data, y.data):
        assert not np.may_share_memory(x.grad, other)
    z.grad *= 100
    v[...] = 50
    np.testing.assert_array_equal(x.grad, expected)
    x.grad += 1  # as another backward would
    np.testing.assert_array_equal(v, np.full_like(kept, 50))


def test_one_gradient_for_two_leaves_is_copied():
    class Sum(Function):
        def forward(self, a, b):
            return a + b

        def backward(self, gy):
            g = gy * 1.0
            return g, g

    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    Sum()(a, b).sum().backward()
    (a * 3.0).sum().backward()
    np.testing.assert_array_equal(a.grad, [4, 4])
    np.testing.assert_array_equal(b.grad, [1, 1])


def test_accumulating_leaves_the_callers_gradient_alone(rng):
    x, v = leaf(rng.normal(size=(2, 3))), rng.normal(size=(2, 3))
    before = v.copy()
    for _ in range(3):
        (x + 1.0).backward(v)
    np.testing.assert_array_equal(v, before)
    np.testing.assert_allclose(x.grad, 3 * v)


def test_arrays_kept_for_backward_are_freed_as_it_goes():
    watch, alive = [], []

    class Watched(Kept):
        def backward(self, gy):
            alive.append([array() is not None for array in watch])
            return super().backward(gy)

    y = leaf(np.ones(3))
    for _ in range(4):
        y = Watched(watch)(y)
    gc.collect()
    assert all(array() is not None for array in watch)
    y.backward(np.ones(3))  # y itself is still here
    assert [sum(still) for still in alive] == [4, 3, 2, 1]
    assert not any(array() is not None for array in watch)


def test_tape_without_a_tensor_is_freed_without_backward():
    watch = []
    y = Kept(watch)(Kept(watch)(leaf(np.ones(3))))
    del y
    assert not any(array() is not None for array in watch)


def test_memory_of_a_long_chain_is_gone_after_backward():
    n = MIB // 8  # numbers in one MiB of float64
    tracemalloc.start()
    try:
        x = leaf(np.ones(n))
        start = tracemalloc.get_traced_memory()[0]
        y = x
        for _ in range(20):
            y = Kept()(y)
        held = tracemalloc.get_traced_memory()[0] - start
        y.backward(np.ones(n))
        left = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert held > 20 * MIB  # what the twenty keep
    assert left < 2.5 * MIB  # y and the gradient
    assert x.grad[0] == 2.0**20


def test_no_grad_keeps_nothing():
    watch = []
    with no_grad():
        y = Kept(watch)(leaf(np.ones(3)))
    assert y.maker is None
    assert not any(array() is not None for array in watch)


def test_chain_of_thousands_does_not_recurse():
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y * 1.0 + 0.0
    y.backward()
    assert x.grad == 1
    z = x
    for _ in range(50_000):  # freed without a walk
        z = z + 0.0
    del z, y


# ---- misuse


def test_second_backward_is_refused():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"a second time.*run the forward"):
            y.backward()
    np.testing.assert_array_equal(x.grad, [2, 4])


def test_second_backward_through_a_shared_part_is_refused():
    x = leaf([1.0, 2.0])
    shared = x * x
    first, second = (shared * 2.0).sum(), (shared * 3.0).sum()
    first.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        second.backward()


def test_function_on_the_tape_is_not_called_again():
    class Square(Function):
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, gy):
            return 2 * self.x * gy

    square, x, other = Square(), leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = square(x).sum()
    with pytest.raises(RuntimeError, match="this Square is on the tape already"):
        square(other)
    y.backward()
    np.testing.assert_array_equal(x.grad, [2, 4])
    with pytest.raises(RuntimeError, match="this Square is on the tape already"):
        square(other)


def test_sum_of_losses_goes_through_a_shared_part_once():
    x = leaf([1.0, 2.0])
    shared = x * x
    ((shared * 2.0).sum() + (shared * 3.0).sum()).backward()
    np.testing.assert_array_equal(x.grad, 10 * x.data)


def test_numpys_functions_do_not_take_tensors():
    x = leaf([1.0, 2.0])
    for function in (np.add, np.exp):
        with pytest.raises(TypeError, match="__array_ufunc__"):
            function(*[np.ones(2), x][-function.nin :])


def test_backward_off_the_tape_is_refused():
    with pytest.raises(ValueError, match="requires_grad"):
        Tensor(np.ones(1)).backward()


def test_missing_and_misshapen_gradients_are_refused():
    x = leaf([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=r"shape \(1, 3\) needs a gradient"):
        (x * x).backward()
    for wrong in ((3,), (3, 1), (1, 1), ()):
        with pytest.raises(ValueError, match=r"shape .*; the tensor's is \(1, 3\)"):
            (x * x).backward(np.ones(wrong))
    assert x.grad is None


class Broken(Function):
    """Two inputs; backward returns what it is told to."""

    def __init__(self, gradients):
        self.gradients_to_return = gradients

    def forward(self, a, b):
        return a + b

    def backward(self, gy):
        return self.gradients_to_return


@pytest.mark.parametrize(
    "returned, sentence",
    [
        (np.ones(3), "Broken.backward returned 1 gradients for 2 inputs"),
        ((np.ones(3), np.ones((1, 3))), r"shape \(1, 3\) for input 1, .* is \(3,\)"),
        ((None, np.ones(3)), "Broken.backward returned None for input 0"),
    ],
)
def test_backward_that_returns_the_wrong_thing_is_refused(returned, sentence):
    with pytest.raises(ValueError, match=sentence):
        Broken(returned)(leaf(np.ones(3)), leaf(np.ones(3))).backward(np.ones(3))


def test_gradient_that_nobody_wants_may_be_missing():
    x = leaf(np.ones(3))
    Broken((np.full(3, 5.0), None))(x, Tensor(np.ones(3))).backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [5, 5, 5])


def test_function_without_forward_or_backward_says_so():
    class Half(Function):
        def forward(self, x):
            return x

    with pytest.raises(NotImplementedError, match="Function has no forward"):
        Function()(leaf(1.0))
    with pytest.raises(NotImplementedError, match="Half has no backward"):
        Half()(leaf(1.0)).backward()


def test_newtons_method_by_the_tape():
    """Newton's method on x² − 2 by its own gradients."""
    x = 1.0
    for _ in range(6):
        root = leaf(x)
        y = root * root - 2.0
        y.backward()
        x -= y.item() / float(root.grad)
    assert x == pytest.approx(math.sqrt(2))


def test_no_grad_in_one_thread_leaves_the_others_alone():
    x = Tensor(np.ones(3), requires_grad=True)
    recorded = []
    with no_grad():
        thread = threading.Thread(target=lambda: recorded.append((x * 2).requires_grad))
        thread.start()
        thread.join()
        assert not (x * 2).requires_grad
    assert recorded == [True]


# ---- leaves whose gradient is complete


def test_each_leaf_is_told_of_once_and_when_complete(rng):
    """Read once, twice, in two places far apart, and by two Functions in a row."""
    a, b, c, d = (Tensor(rng.normal(size=(2, 3)), True) for _ in range(4))
    frozen = Tensor(rng.normal(size=(2, 3)))

    def loss():
        h = a * b * frozen
        return (h * c * a + c * c + d).sum()

    loss().backward()
    complete = {leaf: leaf.grad for leaf in (a, b, c, d)}
    told = []

    def then(leaf):
        np.testing.assert_array_equal(leaf.grad, complete.pop(leaf))
        told.append(leaf)

    for leaf in (a, b, c, d):
        leaf.grad = None
    loss().backward(then=then)
    assert not complete
    # The newest reader first: a's oldest one is the last of all.
    assert told.index(d) < told.index(c) < told.index(a)


def test_a_leaf_itself_is_told_of():
    x, told = Tensor(np.array(3.0), True), []
    x.backward(then=told.append)
    assert told == [x]


# ---- gradients that are written over


def test_only_a_gradient_that_nobody_else_holds_is_written_over(rng):
    """Add gives both inputs one array, and the first of all is the caller's."""
    a, b = (Tensor(rng.normal(size=(2, 3)), True) for _ in range(2))
    gy = rng.normal(size=(2, 3))
    given = gy.copy()
    (ops.relu(a) + ops.relu(b)).backward(gy)
    np.testing.assert_array_equal(gy, given)
    for leaf in (a, b):
        np.testing.assert_array_equal(leaf.grad, np.where(leaf.data > 0, given, 0))


def test_gradients_of_two_readers_are_added_before_one_is_written_over(rng):
    x, w = Tensor(rng.normal(size=(1, 2, 4, 6)), True), rng.normal(size=(3, 2, 3, 3))

    def loss(x, w):
        h = ops.relu(ops.conv2d_relu(x, w, padding=1))  # (1, 3, 4, 6)
        pooled = ops.max_pool2d(h, 2)
        again = ops.conv2d(h, w.reshape(2, 3, 3, 3), stride=2, padding=1)
        return (pooled * pooled).sum() + (again * again).sum() + h.sum()

    check_gradients(loss, [x.data, w])


def test_what_nobody_else_holds_takes_no_second_array(rng):
    x = Tensor(rng.normal(size=(1, 1, 2048, 1536)).astype(np.float32), True)
    y = ops.max_pool2d(ops.relu(x), 8)
    _, peak = common.peak_of(lambda: y.backward(np.ones_like(y.data)))
    assert peak < 1.5 * x.data.nbytes
