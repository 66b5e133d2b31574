"""The operators, flat: `minifcn.ops.conv2d(x, weight, …)`.

Names, arguments and meaning are those of `torch.nn.functional`. Each stands in a module
of its own, told by its definition (explicit sums) and then fast; the modules build on
one another in this order: im2col, resampling, convolution (bands, windows), upsampling,
pooling, activation, softmax, fusion.
"""

from .activation import dropout, relu
from .convolution import conv2d, conv_transpose2d
from .fusion import add, concat, maximum, scale
from .im2col import col2im, im2col
from .pooling import max_pool2d
from .resampling import crop, deinterleave, interleave, pad, rarefy
from .softmax import cross_entropy
from .upsampling import bilinear_kernel, upsample

__all__ = [
    "add",
    "bilinear_kernel",
    "col2im",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "crop",
    "cross_entropy",
    "deinterleave",
    "dropout",
    "im2col",
    "interleave",
    "max_pool2d",
    "maximum",
    "pad",
    "rarefy",
    "relu",
    "scale",
    "upsample",
]
