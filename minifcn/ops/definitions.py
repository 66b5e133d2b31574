"""Every operator by its definition, flat: `definitions.conv2d(x, weight, …)`.

Explicit loops and sums over plain arrays, with the operator's own arguments; slow, and
obviously right. They are the yardstick of the fast forms, and stand beside them.
"""

from .convolution import conv2d_definition as conv2d
from .convolution import conv_transpose2d_definition as conv_transpose2d

__all__ = ["conv2d", "conv_transpose2d"]
