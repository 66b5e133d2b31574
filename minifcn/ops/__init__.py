"""The operators, flat: `minifcn.ops.conv2d(x, weight, …)`.

Names, arguments and meaning are those of `torch.nn.functional` where it has them (its
`input` is `x`; a docstring says what differs). Each is told by its definition (explicit
sums) and then fast; the modules build on one another in this order: im2col, resampling,
activation, convolution (epilogue; algorithms: bands, windows, winograd, columns;
strides), upsampling, pooling (averaging, unpooling), normalization, softmax, fusion.
"""

from .activation import dropout, relu
from .averaging import avg_pool2d
from .convolution import conv2d, conv2d_relu, conv_transpose2d
from .fusion import add, concat, maximum, scale
from .im2col import col2im, im2col
from .normalization import local_response_norm
from .pooling import max_pool2d
from .resampling import crop, deinterleave, interleave, pad, rarefy
from .softmax import cross_entropy, log_softmax, nll_loss, softmax
from .unpooling import max_unpool2d
from .upsampling import bilinear_kernel, upsample

__all__ = [
    "add",
    "avg_pool2d",
    "bilinear_kernel",
    "col2im",
    "concat",
    "conv2d",
    "conv2d_relu",
    "conv_transpose2d",
    "crop",
    "cross_entropy",
    "deinterleave",
    "dropout",
    "im2col",
    "interleave",
    "local_response_norm",
    "log_softmax",
    "max_pool2d",
    "max_unpool2d",
    "maximum",
    "nll_loss",
    "pad",
    "rarefy",
    "relu",
    "scale",
    "softmax",
    "upsample",
]
