"""Every operator by its definition, flat: `definitions.conv2d(x, weight, …)`.

Explicit loops and sums over plain arrays, with the operator's own arguments; slow, and
obviously right. They are the yardstick of the fast forms, and stand beside them.
"""

from .activation import relu_definition as relu
from .convolution import conv2d_definition as conv2d
from .convolution import conv_transpose2d_definition as conv_transpose2d
from .fusion import add_definition as add
from .fusion import concat_definition as concat
from .fusion import maximum_definition as maximum
from .fusion import scale_definition as scale
from .im2col import col2im_definition as col2im
from .im2col import im2col_definition as im2col
from .resampling import crop_definition as crop
from .resampling import deinterleave_definition as deinterleave
from .resampling import interleave_definition as interleave
from .resampling import pad_definition as pad
from .resampling import rarefy_definition as rarefy
from .upsampling import bilinear_kernel_definition as bilinear_kernel
from .upsampling import upsample_definition as upsample

__all__ = [
    "add",
    "bilinear_kernel",
    "col2im",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "crop",
    "deinterleave",
    "im2col",
    "interleave",
    "maximum",
    "pad",
    "rarefy",
    "relu",
    "scale",
    "upsample",
]
