"""What the exercises of lesson 3 must do."""

import numpy as np
from hypothesis import strategies as st

from minifcn import Tensor, ops
from minifcn.course import Claim, Example, Exercise, drawing, equal_to
from minifcn.course.cases import arrays
from minifcn.course.comparing import compare
from minifcn.data import scenes
from minifcn.laws import check_gradients
from minifcn.ops import convolution, definitions
from minifcn.ops.activation import relu_gradient

# ----------------------------------------------------------------------------- slope


class Cubic:
    """The function x → a x³ + b x² + c x, which can say what it is."""

    def __init__(self, a, b, c):
        self.factors = a, b, c

    def __call__(self, x):
        a, b, c = self.factors
        return ((a * x + b) * x + c) * x

    def __repr__(self):
        return "(x → {}x³ + {}x² + {}x)".format(*self.factors)


def library_slope(function, x, h=1e-5):
    """Difference to both sides, as the gradient check takes it."""
    return (function(x + h) - function(x - h)) / (2 * h)


small = st.integers(-3, 3)
cubics = st.tuples(
    st.builds(Cubic, small, small, small), small.map(float), st.sampled_from((1.0, 0.5))
)


def of_a_cubic(function, cubic, x, h):
    """Hold the figure to calculus: 3ax² + 2bx + c, and a h² for the bend."""
    a, b, c = cubic.factors
    compare(function(cubic, x, h), 3 * a * x * x + 2 * b * x + c + a * h * h)


slope = Exercise(
    "slope",
    solution=check_gradients,
    library=library_slope,
    examples=[
        Example((Cubic(0, 0, 5), 2.0, 1.0), 5.0, "(15 − 5) / 2: a line's slope is 5"),
        Example(
            (Cubic(0, 1, 0), 3.0, 0.5),
            6.0,
            "(3.5² − 2.5²) / 1 = 12.25 − 6.25: the slope of x² at 3 is 6",
        ),
    ],
    claims=[
        Claim(
            "of a x³ + b x² + c x it is 3 a x² + 2 b x + c + a h²", cubics, of_a_cubic
        )
    ],
    reached="You can check any gradient with nothing but the function.",
)

# --------------------------------------------------------------------- relu_backward


def library_relu_backward(gy, x):
    """Call the library's, which looks at what came out instead of x."""
    return relu_gradient(np.maximum(x, 0), gy)


@st.composite
def pairs(draw):
    """Draw two arrays of one shape."""
    shape = draw(st.integers(1, 2)), draw(st.integers(1, 4))
    return draw(arrays(shape)), draw(arrays(shape))


def by_differences(function, gy, x):
    """Hold ⟨gx, d⟩ to what really changes; away from 0, where there is a kink."""
    x = np.where(x == 0, 1.0, x)
    h = 0.25
    moved = (np.maximum(x + h, 0) - np.maximum(x - h, 0)) / (2 * h)
    compare(function(gy, x), gy * moved)


relu_backward = Exercise(
    "relu_backward",
    solution=relu_gradient,
    library=library_relu_backward,
    examples=[
        Example(
            (np.array([10.0, 20, 30]), np.array([-1.0, 2, 0])),
            np.array([0.0, 20, 0]),
            "only the second is above 0",
        ),
    ],
    claims=[
        Claim("gx = gy where x > 0, else 0", pairs(), equal_to(library_relu_backward)),
        Claim("gx says by how much y changes with x", pairs(), by_differences),
    ],
    reached="You can send a gradient through the layer between all convolutions.",
)

# ------------------------------------------------------------------- weight_gradient


def library_weight_gradient(x, gy):
    """Ask the tape."""
    kernel = [n - m + 1 for n, m in zip(x.shape[2:], gy.shape[2:])]
    shape = (gy.shape[1], x.shape[1], *kernel)
    weight = Tensor(np.zeros(shape, x.dtype), requires_grad=True)
    ops.conv2d(Tensor(x), weight).backward(gy)
    return weight.grad


@st.composite
def convolutions(draw):
    """Draw images, and the gradient of what came out."""
    N, C, O = (draw(st.integers(1, 2)) for _ in range(3))
    (KH, KW), (OH, OW) = (
        (draw(st.integers(1, 2)), draw(st.integers(1, 3))) for _ in "ab"
    )
    x = draw(arrays((N, C, OH + KH - 1, OW + KW - 1)))
    return x, draw(arrays((N, O, OH, OW)))


def is_adjoint_in_weight(function, x, gy):
    """⟨conv(x, w), gy⟩ = ⟨w, gw⟩, for some weight of whole numbers."""
    kernel = [n - m + 1 for n, m in zip(x.shape[2:], gy.shape[2:])]
    rng = np.random.default_rng(x.size)
    weight = rng.integers(-4, 5, (gy.shape[1], x.shape[1], *kernel)).astype(float)
    left = float((definitions.conv2d(x, weight) * gy).sum())
    compare(float((np.asarray(function(x, gy)) * weight).sum()), left)


weight_gradient = Exercise(
    "weight_gradient",
    solution=convolution.convolve_weight,
    library=library_weight_gradient,
    examples=[
        Example(
            (np.array([[[[3.0, 1, 2], [0, 4, 5]]]]), np.array([[[[10.0, 100]]]])),
            np.array([[[[130.0, 210], [400, 540]]]]),
            "gw[0, 0] = 10·3 + 100·1, gw[0, 1] = 10·1 + 100·2, and so on",
        ),
    ],
    claims=[
        Claim(
            "gw[o, c, i, j] = Σ gy[n, o, r, q] · x[n, c, r + i, q + j]",
            convolutions(),
            equal_to(library_weight_gradient),
        ),
        Claim(
            "⟨conv(x, w), gy⟩ = ⟨w, gw⟩ for every w",
            convolutions(),
            is_adjoint_in_weight,
        ),
    ],
    reached="A convolution can learn now.",
)

# ---------------------------------------------------------------------------- col2im


def library_col2im(cols, size, kernel):
    """Call the library's definition."""
    return definitions.col2im(cols, size, kernel)


@st.composite
def columns(draw):
    """Draw columns, the size of the image and of the kernel."""
    kernel = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    places = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    size = tuple(k + n - 1 for k, n in zip(kernel, places))
    N, C = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    shape = N, C * kernel[0] * kernel[1], places[0] * places[1]
    return draw(arrays(shape)), size, kernel


def is_the_adjoint(function, cols, size, kernel):
    """⟨im2col(x), cols⟩ = ⟨x, col2im(cols)⟩."""
    rng = np.random.default_rng(cols.size)
    C = cols.shape[1] // (kernel[0] * kernel[1])
    x = rng.integers(-4, 5, (len(cols), C, *size)).astype(float)
    left = float((definitions.im2col(x, kernel) * cols).sum())
    compare(float((np.asarray(function(cols, size, kernel)) * x).sum()), left)


def seen(function):
    """Draw how many windows see each pixel: col2im of ones."""
    image, _ = scenes.draw((24, 32), seed=3)
    cols = np.ones((1, 5 * 7, 20 * 26))
    figure, axes = drawing.canvas(2, width=3.6, height=3)
    drawing.photo(axes[0], image, "image")
    drawing.photo(
        axes[1],
        function(cols, (24, 32), (5, 7))[0, 0],
        "your col2im of ones",
        cmap="viridis",
    )
    return figure


col2im = Exercise(
    "col2im",
    solution=definitions.col2im,
    library=library_col2im,
    examples=[
        Example(
            (np.array([[[1.0, 2], [3, 4]]]), (1, 3), (1, 2)),
            np.array([[[[1.0, 5, 4]]]]),
            "the middle pixel is in window 0, which gives it 3, and in window 1: 2",
        ),
    ],
    claims=[
        Claim(
            "every entry is added to the pixel that it was read from",
            columns(),
            equal_to(library_col2im),
        ),
        Claim("⟨im2col(x), v⟩ = ⟨x, col2im(v)⟩ for every x", columns(), is_the_adjoint),
    ],
    reached="Gradients find their way back to the image.",
    picture=seen,
)

EXERCISES = [slope, relu_backward, weight_gradient, col2im]
