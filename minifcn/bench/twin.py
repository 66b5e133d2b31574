"""PyTorch's twin of an FCN: the same layers and crops, its own operators."""

from __future__ import annotations

from typing import Any

from minifcn.models import FCN
from minifcn.models.trunks import ConvLayer


class Twin:
    """Runs a minifcn network with torch.nn.functional.

    Attributes:
        weights: {name: torch tensor}, sharing no memory with the network's.
    """

    def __init__(self, net: FCN, channels_last: bool, device: str = "cpu"):
        import torch

        self.net = net
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.weights: dict[str, Any] = {}
        for name, parameter in net.named_parameters():
            tensor = torch.from_numpy(parameter.data.copy()).to(device)
            tensor = (
                tensor.to(memory_format=self.layout) if tensor.ndim == 4 else tensor
            )
            self.weights[name] = tensor.requires_grad_(parameter.requires_grad)

    def __call__(self, x: Any, training: bool = True) -> Any:
        """(N, 3, H, W) → (N, n_classes, H, W)."""
        import torch.nn.functional as F

        size, x = x.shape[2:], x.contiguous(memory_format=self.layout)
        wanted = {pool for _, _, pool in self.net.streams}
        pools = {}
        for layer in self.net.table:
            if isinstance(layer, ConvLayer):
                x = F.relu(
                    self._conv(layer.name, x, layer.geometry.padding), inplace=True
                )
                if layer.dropout:
                    x = F.dropout(x, self.net.drop.p, training)
            else:
                x = F.max_pool2d(x, layer.geometry.kernel, ceil_mode=True)
            if layer.name in wanted:
                pools[layer.name] = x
        y = self._conv(self.net.score_layer, x)
        for name, factor, pool in self.net.streams:
            y = F.conv_transpose2d(y, self.weights[f"{name}.weight"], stride=factor)
            if pool:
                y = self._fuse(name, y, pool, pools[pool])
        return self._crop(y, self.net.crops[self.net.streams[-1][0]], size)

    def _conv(self, name: str, x: Any, padding: Any = 0) -> Any:
        import torch.nn.functional as F

        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.conv2d(x, weight, bias, padding=padding)

    def _fuse(self, up: str, y: Any, pool: str, skip: Any) -> Any:
        import torch

        score = self._conv(f"score_{pool}", skip * self.net.skip_scales.get(pool, 1))
        if up in self.net.crops:
            y = self._crop(y, self.net.crops[up], score.shape[2:])
        else:
            score = self._crop(score, self.net.crops[f"score_{pool}"], y.shape[2:])
        return {"sum": torch.add, "max": torch.maximum}[self.net.fusion](y, score)

    def _crop(self, y: Any, offset: int, size: Any) -> Any:
        return y[:, :, offset : offset + size[0], offset : offset + size[1]]
