"""The operators, flat: `minifcn.ops.conv2d(x, weight, …)`.

Names, arguments and meaning are those of `torch.nn.functional`. Each stands in a module
of its own, told by its definition (explicit sums) and then fast; the modules build on
one another in this order: im2col, resampling, convolution (bands, windows), pooling
(averaging, unpooling), activation, softmax, fusion.
"""

from .activation import dropout, relu
from .averaging import avg_pool2d
from .convolution import conv2d, conv_transpose2d
from .fusion import add, scale
from .im2col import col2im, im2col
from .pooling import max_pool2d
from .resampling import bilinear_kernel, crop, pad
from .softmax import cross_entropy
from .unpooling import max_unpool2d

__all__ = [
    "add",
    "avg_pool2d",
    "bilinear_kernel",
    "col2im",
    "conv2d",
    "conv_transpose2d",
    "crop",
    "cross_entropy",
    "dropout",
    "im2col",
    "max_pool2d",
    "max_unpool2d",
    "pad",
    "relu",
    "scale",
]
