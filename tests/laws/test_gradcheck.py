"""The gradient check passes right gradients and fails wrong ones."""

import subprocess
import sys

import numpy as np
import pytest

from minifcn import Function, Tensor, nn, ops
from minifcn.laws import GradientError, check_gradients, check_module

SHAPES = {"small": (3, 5), "large": (30, 41)}


class Cube(Function):
    """x³, whose backward is `slope(x)` · gy."""

    def __init__(self, slope):
        self.slope = slope

    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, gy):
        return gy * self.slope(self.x)


def cube(slope):
    return lambda x: Cube(slope)(x)


def one_wrong(x):
    """The right slope but in one element, by one part in a thousand."""
    slope = 3 * x**2
    slope[-1, 2] *= 1.001
    return slope


WRONG = {
    "constant": lambda x: 2 * x**2,
    "sign": lambda x: -3 * x**2,
    "zero": np.zeros_like,
    "permuted": lambda x: 3 * x[:, ::-1] ** 2,
    "one element": one_wrong,
    "nan": lambda x: np.full_like(x, np.nan),
    "infinite": lambda x: np.full_like(x, np.inf),
    "a part in 1e5": lambda x: 3 * x**2 * (1 + 1e-5),
}


def draw(rng, size):
    return rng.uniform(0.5, 1.5, SHAPES[size])


@pytest.mark.parametrize("size", SHAPES)
def test_right_gradient_passes(rng, size):
    coverage = check_gradients(cube(lambda x: 3 * x**2), [draw(rng, size)])
    assert coverage[:2] == (15 if size == "small" else 3, 0)


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradient_fails(rng, size, name):
    with pytest.raises(GradientError, match="expected"):
        check_gradients(cube(WRONG[name]), [draw(rng, size)])


def swapped(x, y):
    """x · y² with the gradients of x² · y: right shapes, wrong inputs."""

    class Swapped(Function):
        def forward(self, a, b):
            self.a, self.b = a, b
            return a * b * b

        def backward(self, gy):
            return gy * 2 * self.a * self.b, gy * self.a**2

    return Swapped()(x, y)


@pytest.mark.parametrize("size, height", [("small", 1e6), ("large", 1e4)])
def test_what_is_rounded_off_hides_no_more_than_it_must(rng, size, height):
    """Beside a large constant a slope is known to some digits; 1 % wrong is seen."""

    def high(factor):
        class High(Function):
            def forward(self, x):
                return x + height

            def backward(self, gy):
                return gy * factor

        return lambda x: High()(x)

    x = draw(rng, size)
    check_gradients(high(1), [x])
    with pytest.raises(GradientError, match="expected"):
        check_gradients(high(1.01), [x])


@pytest.mark.parametrize("size", SHAPES)
def test_tolerance_is_what_it_is_set_to(rng, size):
    def wrong(by):
        return cube(lambda x: 3 * x**2 * (1 + by))

    x = draw(rng, size)
    check_gradients(wrong(1e-5), [x], tolerance=1e-4)
    # Along a random direction of the large one, errors are smaller than the scale.
    with pytest.raises(GradientError, match="expected"):
        check_gradients(wrong(5e-6 if size == "small" else 2e-5), [x], tolerance=1e-6)


def test_message_names_function_input_element_and_both_values():
    x, y = np.full((2, 3), 2.0), np.full((2, 3), 3.0)
    with pytest.raises(GradientError) as caught:
        check_gradients(swapped, [x, y], wrt=[1])
    sentence = str(caught.value)
    assert sentence.startswith("swapped: the gradient of input 1 at (")
    # ∂(x·y²)/∂y = 2·2·3 = 12 times v; got x² = 4 times v
    got, expected = (
        sentence.split(" is ")[1].split(" by central")[0].split(", expected ")
    )
    assert float(got) == pytest.approx(float(expected) / 3)
    assert "6 of 6 elements differ" in sentence


def test_only_the_chosen_inputs_are_checked(rng):
    def half_detached(x, y):
        return x * y.detach()

    x, y = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    assert check_gradients(half_detached, [x, y], wrt=[0]).compared == 6
    with pytest.raises(GradientError, match="half_detached: the gradient of input 1"):
        check_gradients(half_detached, [x, y])


def test_input_that_is_not_used_has_no_gradient(rng):
    assert check_gradients(lambda x, y: x * 2.0, [np.ones(3), np.ones(2)]).compared == 5


@pytest.mark.parametrize("size", SHAPES)
def test_lost_gradient_fails(rng, size):
    with pytest.raises(GradientError, match="expected"):
        check_gradients(lambda x: x.detach() * 3.0, [draw(rng, size)])


# ---- kinks


def test_elements_at_a_kink_are_left_out_and_counted():
    x = np.array([-1, 0, 2, 1e-6, -1e-6, 1e-5 / 3, -1e-5 / 3, 4, 5, -6, 7, 8, -9, 10])
    assert check_gradients(ops.relu, [x], step=1e-5)[:2] == (9, 5)


def test_ties_of_a_maximum_are_left_out():
    x = np.array([[[[1.0, 1.0, 5.0, 2.0], [0.0, -1.0, 3.0, 4.0]]]])
    check = check_gradients(lambda x: ops.max_pool2d(x, 2), [x])
    assert check[:2] == (6, 2)


def test_wrong_gradient_beside_kinks_fails():
    def leaky(x):
        return ops.relu(x) + x.detach() * 0.1

    with pytest.raises(GradientError, match=r"input 0 at \(\d,\)"):
        check_gradients(leaky, [np.array([0.0, 1.0, -2.0, 3.0])])


def test_slight_kinks_are_left_out_too():
    def bent(x):
        return x + ops.relu(x) * 1e-4

    assert check_gradients(bent, [np.array([0.0, 1, -1, 2])])[:2] == (3, 1)


def test_half_may_lie_at_kinks_and_no_more():
    assert check_gradients(ops.relu, [np.array([0.0, 1, 0, -2])])[:2] == (2, 2)
    with pytest.raises(GradientError, match="kink in 3 of 5 elements"):
        check_gradients(ops.relu, [np.array([0.0, 1, 0, -2, 0])])


def test_all_at_a_kink_is_no_check():
    with pytest.raises(GradientError, match="kink in 4 of 4 elements"):
        check_gradients(ops.relu, [np.zeros(4)])


def test_directions_that_meet_a_kink_are_drawn_again(rng):
    x = rng.normal(size=2000)
    x[:3] = 1.2e-5
    assert check_gradients(ops.relu, [x]).kinks > 0
    with pytest.raises(GradientError, match="all meet a kink"):
        check_gradients(ops.relu, [np.zeros(2000)])


def test_the_advice_at_a_kink_is_to_stay_away():
    for size in (4, 2000):
        with pytest.raises(GradientError, match="draw inputs away from kinks"):
            check_gradients(ops.relu, [np.zeros(size)])


# ---- what is refused before any work


ONES = np.ones((2, 3))


@pytest.mark.parametrize(
    "error, said, arguments",
    [
        (TypeError, r"inputs is ndarray of shape \(2, 3\); .* \[x\]", (ONES,)),
        (TypeError, "inputs is Tensor of shape", (Tensor(ONES),)),
        (TypeError, "inputs is float; check_gradients takes a list", (2.0,)),
        (TypeError, r"input 1 is a Tensor; .* x\.data", ([ONES, Tensor(ONES)],)),
        (TypeError, r"input 0 is of type int64.* Close over", ([np.arange(3)],)),
        (TypeError, "input 0 is of type bool", ([ONES > 0],)),
        (TypeError, "input 0 is of type complex128", ([ONES * 1j],)),
        (TypeError, "input 0 is of type <U1", (["x"],)),
        (ValueError, r"wrt is 1; there are 1 inputs, counted from 0", ([ONES], 1)),
        (ValueError, r"wrt is \[-1\]; there are 1 inputs", ([ONES], [-1])),
        (ValueError, r"wrt is \[\]; there are 1 inputs", ([ONES], [])),
        (ValueError, r"there are 0 inputs", ([],)),
        (TypeError, "wrt must be an integer, not 0.5", ([ONES], 0.5)),
        (TypeError, "wrt must be an integer, not 'x'", ([ONES], "x")),
    ],
)
def test_senseless_arguments_are_refused(error, said, arguments):
    with pytest.raises(error, match=said):
        check_gradients(ops.relu, *arguments)


@pytest.mark.parametrize(
    "error, said, settings",
    [
        (TypeError, "no setting 'eps'; there are seed, step, tolerance", {"eps": 1}),
        (ValueError, "step is 0; it must be greater than 0", {"step": 0}),
        (ValueError, "step is -1e-05; it must be greater", {"step": -1e-5}),
        (ValueError, "tolerance is 0; it must be greater", {"tolerance": 0}),
        (ValueError, "tolerance is nan; it must be greater", {"tolerance": np.nan}),
        (ValueError, "directions must be at least 1, not 0", {"directions": 0}),
        (TypeError, "full_size must be an integer, not 1.5", {"full_size": 1.5}),
    ],
)
def test_senseless_settings_are_refused(error, said, settings):
    for check in (check_gradients, check_module):
        with pytest.raises(error, match=said):
            check(nn.ReLU(), [ONES], **settings)


@pytest.mark.parametrize(
    "kind, answer",
    [
        ("ndarray", lambda x: x.data),
        ("NoneType", lambda x: None),
        ("tuple.* so choose one", lambda x: (x, x)),
    ],
)
def test_a_function_must_return_a_tensor(kind, answer):
    with pytest.raises(TypeError, match=f"returns {kind}"):
        check_gradients(answer, [ONES])


def test_one_input_may_be_chosen_by_its_number(rng):
    x, y = rng.normal(size=(2, 3)), rng.normal(size=4)
    assert check_gradients(lambda x, y: y * x.sum(), [x, y], wrt=1).compared == 4


def test_numbers_are_inputs_and_labels_are_closed_over(rng):
    assert check_gradients(lambda x, y: x * y, [2, 3.5]).compared == 2
    x, target = rng.normal(size=(2, 3, 2, 1)), np.zeros((2, 2, 1), int)
    check = check_gradients(lambda x: ops.cross_entropy(x, target), [x])
    assert check.compared == 12


# ---- functions that break the rules


def test_changed_input_fails():
    class InPlace(Function):
        def forward(self, x):
            x *= 2
            return x.copy()

        def backward(self, gy):
            return 2 * gy

    with pytest.raises(GradientError, match="changed its input 0"):
        check_gradients(lambda x: InPlace()(x), [np.ones(3)])


def test_random_function_fails(rng):
    def noisy(x):
        return x * rng.normal()

    with pytest.raises(GradientError, match="another result at the second call"):
        check_gradients(noisy, [np.ones(3)])


def test_loss_of_precision_fails():
    class Single(Function):
        def forward(self, x):
            return x.astype(np.float32)

        def backward(self, gy):
            return gy

    with pytest.raises(GradientError, match="gives float32"):
        check_gradients(lambda x: Single()(x), [np.ones(3)])


def test_inputs_are_copied(rng):
    x = rng.normal(size=(2, 3))
    before = x.copy()
    x.flags.writeable = False
    check_gradients(lambda x: x * x, [x])
    np.testing.assert_array_equal(x, before)


# ---- modules


class Line(nn.Module):
    """w · x + b, with the gradient of b times `factor`."""

    def __init__(self, factor=1.0):
        self.w = nn.Parameter(np.array([[0.5, -2.0, 3.0]]))
        self.b = nn.Parameter(np.array([0.25, 4.0])[:, None])
        self.fixed = nn.Parameter(np.array(3.0), lr_mult=0)
        self.factor = factor

    def forward(self, x):
        b = self.b * self.factor + self.b.detach() * (1 - self.factor)
        return (self.w * x + b) * (x * x) * self.fixed


def test_module_is_checked_in_all_that_learns_and_left_as_it_was(rng):
    module = Line()
    module.w.grad = np.full((1, 3), 7.0)
    before = {name: array.copy() for name, array in module.state_dict().items()}
    assert check_module(module, [rng.normal(size=(2, 3))])[:2] == (3 + 2 + 6, 0)
    np.testing.assert_array_equal(module.w.grad, np.full((1, 3), 7.0))
    assert module.b.grad is None
    for name, array in module.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_module_with_a_wrong_gradient_fails(rng):
    with pytest.raises(GradientError, match=r"Line: the gradient of b at \(\d, 0\)"):
        check_module(Line(factor=1.01), [rng.normal(size=(2, 3))])


def test_module_of_float32_is_refused(rng):
    module = Line().to(dtype=np.float32)
    with pytest.raises(TypeError, match="w is float32"):
        check_module(module, [rng.normal(size=(2, 3))])


def test_operators_do_without_the_laws():
    code = (
        "import sys, minifcn, minifcn.models\n"
        "assert not {'minifcn.laws', 'hypothesis'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tensor_result_may_be_a_number():
    assert check_gradients(lambda x: (x * x).sum(), [np.arange(1.0, 4)]).compared == 3
