"""Every operator by its definition, flat: `definitions.conv2d(x, weight, …)`.

Explicit loops and sums over plain arrays, with the operator's own arguments; slow, and
obviously right. They are the yardstick of the fast forms, and stand beside them.
"""

from .activation import relu_definition as relu
from .averaging import avg_pool2d_definition as avg_pool2d
from .convolution import conv2d_definition as conv2d
from .convolution import conv_transpose2d_definition as conv_transpose2d
from .fusion import add_definition as add
from .fusion import concat_definition as concat
from .fusion import maximum_definition as maximum
from .fusion import scale_definition as scale
from .im2col import col2im_definition as col2im
from .im2col import im2col_definition as im2col
from .normalization import local_response_norm_definition as local_response_norm
from .pooling import max_pool2d_definition as max_pool2d
from .resampling import crop_definition as crop
from .resampling import deinterleave_definition as deinterleave
from .resampling import interleave_definition as interleave
from .resampling import pad_definition as pad
from .resampling import rarefy_definition as rarefy
from .softmax import cross_entropy_definition as cross_entropy
from .softmax import log_softmax_definition as log_softmax
from .softmax import nll_loss_definition as nll_loss
from .softmax import softmax_definition as softmax
from .unpooling import max_unpool2d_definition as max_unpool2d
from .upsampling import bilinear_kernel_definition as bilinear_kernel
from .upsampling import upsample_definition as upsample

__all__ = [
    "add",
    "avg_pool2d",
    "bilinear_kernel",
    "col2im",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "crop",
    "cross_entropy",
    "deinterleave",
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
