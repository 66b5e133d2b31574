"""PyTorch's counterpart of each operator, called with the same arguments.

Where both have an operator its name is alike, and what differs is the order or the form
of an argument. What PyTorch has under another name, or as two calls, stands below.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from minifcn import ops
from minifcn.data.palettes import voc_palette

from . import devices, worker
from .cases import Case
from .runner import DESCENT, Runner

Tensor = Any  # torch.Tensor


def pad(x: Tensor, padding: int) -> Tensor:
    """Frame with zeros; PyTorch names the last axis first."""
    return F.pad(x, (padding,) * 4)


def crop(x: Tensor, offset: int, size: list[int]) -> Tensor:
    """Copy a part, as minifcn does: a view would be no work."""
    (H, W) = size
    return x[..., offset : offset + H, offset : offset + W].clone()


def col2im(x: Tensor, output_size: list[int], **window: int) -> Tensor:
    """Add up columns; fold wants tuples."""
    return F.fold(x, tuple(output_size), **window)


def upsample(x: Tensor, factor: int) -> Tensor:
    """Enlarge each channel by itself: zeros beyond the border, unlike interpolate."""
    C, kernel = x.shape[1], 2 * factor - factor % 2
    weight = _bilinear(kernel, x.device).expand(C, 1, kernel, kernel)
    return F.conv_transpose2d(
        x, weight, stride=factor, padding=(kernel - factor) // 2, groups=C
    )


@cache
def _bilinear(kernel: int, device: Any) -> Tensor:
    return torch.from_numpy(ops.bilinear_kernel(kernel, "float32")).to(device)


def confusion_matrix(target: Tensor, prediction: Tensor, n_classes: int) -> Tensor:
    """Count pairs, but for labels that are no class (as pytorch-fcn does)."""
    counted = (target >= 0) & (target < n_classes)
    cells = n_classes * target[counted] + prediction[counted]
    counts = torch.bincount(cells, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def colour(label: Tensor) -> Tensor:
    """Look each pixel's colour up."""
    return _palette(label.device)[label.long()]


@cache
def _palette(device: Any) -> Tensor:
    return torch.from_numpy(voc_palette()).to(device)


PEERS: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "avg_pool2d": F.avg_pool2d,
    "col2im": col2im,
    "colour": colour,
    "concat": lambda x, y: torch.cat([x, y], 1),
    "confusion_matrix": confusion_matrix,
    "conv2d": F.conv2d,
    "conv2d_relu": lambda *inputs, **how: F.conv2d(*inputs, **how).relu_(),
    "conv_transpose2d": F.conv_transpose2d,
    "crop": crop,
    "cross_entropy": F.cross_entropy,
    "deinterleave": lambda x, factor: F.pixel_unshuffle(x, factor),
    "dropout": F.dropout,
    "im2col": F.unfold,
    "interleave": lambda x, factor: F.pixel_shuffle(x, factor),
    "local_response_norm": F.local_response_norm,
    "log_softmax": F.log_softmax,
    "max_pool2d": F.max_pool2d,
    "max_unpool2d": F.max_unpool2d,
    "maximum": torch.maximum,
    "most_likely": lambda scores: scores.argmax(1),
    "nll_loss": F.nll_loss,
    "pad": pad,
    "relu": F.relu,
    "scale": lambda x, factors: x * factors,
    "softmax": F.softmax,
    "upsample": upsample,
}
# Whose gradients PyTorch refuses in channels_last.
PLAIN_ONLY = {"max_unpool2d", "nll_loss"}


class OfTorch(Runner):
    """Runs PyTorch's, in one of its memory layouts."""

    def __init__(self, settings: worker.Settings):
        super().__init__(settings)
        self.device = devices.of_torch(settings["device"])
        self.last = "channels_last" in settings["contender"]
        self.layout = torch.channels_last if self.last else torch.contiguous_format

    def load(self, case: Case) -> bool:
        """Draw the inputs, if there is a peer, and in this layout."""
        self.case, self.gy = case, None
        if case.operator in (PLAIN_ONLY if self.last else ()):
            return False
        if case.operator not in (*PEERS, "sgd"):
            return False
        floats, wholes = case.draw(self.settings["seed"])
        self.floats = [self.there(array) for array in floats]
        others = [self.there(array) for array in wholes]
        if case.operator == "sgd":
            self.call = self._descent()
            return True
        peer, how = PEERS[case.operator], self.case.options
        self.call = lambda: peer(*self.floats, *others, **how)
        return True

    def _descent(self) -> Callable[[], Any]:
        weight, gradient = self.floats
        parameter = weight.clone().requires_grad_()
        parameter.grad = gradient
        descent = torch.optim.SGD([parameter], **DESCENT)

        def step() -> Any:
            descent.step()
            return parameter

        return step

    def want(self, which: list[int]) -> None:
        """Mark the tensors, and forget their gradients."""
        for i, tensor in enumerate(self.floats):
            tensor.requires_grad_(i in which)
            tensor.grad = None

    def there(self, array: np.ndarray) -> Any:
        """Move an array to the device."""
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.to(memory_format=self.layout) if array.ndim == 4 else tensor

    def here(self, result: Any) -> np.ndarray:
        """Return an array of the result's numbers."""
        return result.detach().cpu().numpy()
