"""Laws: what is true of every operator, stated once and run anywhere."""

# In the order of the table of laws.
# isort: off
from . import convolution
from . import pooling, unpooling, averaging
from . import activation
from . import normalization
from . import softmax
from . import resampling
from . import fusion
from . import extremes
from . import geometry
from . import metrics
from . import nets

# isort: on
from .cases import Case
from .gradcheck import Coverage, GradientError, check_gradients, check_module
from .implementation import Implementation, on_arrays
from .statement import (
    LAWS,
    Difference,
    Law,
    LawError,
    Verdict,
    equal,
    inner,
    law,
    laws_of,
)

__all__ = [
    "LAWS",
    "Case",
    "Coverage",
    "Difference",
    "GradientError",
    "Implementation",
    "Law",
    "LawError",
    "Verdict",
    "activation",
    "averaging",
    "check_gradients",
    "check_module",
    "convolution",
    "equal",
    "extremes",
    "fusion",
    "geometry",
    "inner",
    "law",
    "laws_of",
    "metrics",
    "nets",
    "normalization",
    "on_arrays",
    "pooling",
    "resampling",
    "softmax",
    "unpooling",
]
