"""Every operator by its definition, flat: `definitions.conv2d(x, weight, …)`.

Explicit loops and sums over plain arrays, with the operator's own arguments; slow, and
obviously right. They are the yardstick of the fast forms, and stand beside them.
"""

from .averaging import avg_pool2d_definition as avg_pool2d
from .convolution import conv2d_definition as conv2d
from .convolution import conv_transpose2d_definition as conv_transpose2d
from .pooling import max_pool2d_definition as max_pool2d
from .unpooling import max_unpool2d_definition as max_unpool2d

__all__ = [
    "avg_pool2d",
    "conv2d",
    "conv_transpose2d",
    "max_pool2d",
    "max_unpool2d",
]
