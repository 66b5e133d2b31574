"""A contender that runs a whole network: {"do": "forward"} or {"do": "step"}.

The answer is {"seconds": 1.2, "peak_bytes": 3100000000, "result": …}. A GPU is waited
for before either reading of the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn import Tensor, arrays, models, nn, no_grad, ops, optim
from minifcn.bench import devices, worker
from minifcn.data import read_image, to_input

RATE, MOMENTUM, DECAY = 1e-14, 0.99, 5e-4  # the authors' FCN-8s


def build(settings: worker.Settings) -> worker.Handler:
    """Make the network; return what runs it."""
    contender = CONTENDERS[settings["contender"]](settings)
    wait, peak = devices.clockwork(worker.library_of(settings), settings["device"])

    def handle(message: dict[str, Any]) -> dict[str, Any]:
        seconds, result = worker.timed(contender[message["do"]], wait)
        return {"seconds": seconds, "peak_bytes": peak(), "result": result}

    return handle


def _problem(settings: dict[str, Any]) -> tuple[models.FCN, np.ndarray, np.ndarray]:
    """Return network, input and labels, the same for every contender."""
    nn.seed(settings["seed"])
    net = models.create(settings["net"])
    rng = np.random.default_rng(settings["seed"])
    for name, parameter in net.named_parameters():
        if name.startswith("score") and parameter.ndim == 4:  # zero scores show nothing
            parameter.data[...] = rng.normal(0, 0.01, parameter.shape)
    (H, W), N = settings["size"], settings["batch"]
    if settings["image"]:
        x = to_input(read_image(settings["image"]))[None].repeat(N, axis=0)
    else:
        x = rng.uniform(-120, 130, (N, 3, H, W)).astype(np.float32)
    return net, x, rng.integers(0, settings["net"]["n_classes"], (N, H, W))


def _minifcn(settings: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    net, *data = _problem(settings)
    net.to(settings["device"])
    x, target = (arrays.to_device(array, settings["device"]) for array in data)
    descent = optim.SGD(net.named_parameters(), RATE, MOMENTUM, DECAY)

    def forward() -> float:
        net.eval()
        with no_grad():
            return float(abs(net(Tensor(x)).data).sum())

    def step() -> float:
        net.train()
        # As in training: a check of the labels would wait for a GPU.
        loss = ops.cross_entropy(net(Tensor(x)), target, reduction="sum", check=False)
        descent.descend(loss)
        return loss.item()

    return {"forward": forward, "step": step}


def _torch(settings: dict[str, Any], channels_last: bool) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    from .twin import Twin

    device = devices.of_torch(settings["device"])
    net, x, target = _problem(settings)
    twin = Twin(net, channels_last, device)
    for parameter in net.parameters():
        parameter.data = np.empty(0, np.float32)  # the twin has copies
    learned = [w for w in twin.weights.values() if w.requires_grad]
    descent = torch.optim.SGD(learned, RATE, MOMENTUM, weight_decay=DECAY)
    image, labels = (torch.from_numpy(array).to(device) for array in (x, target))

    def forward() -> float:
        with torch.no_grad():
            return float(twin(image, training=False).abs().sum())

    def step() -> float:
        descent.zero_grad()
        loss = F.cross_entropy(twin(image), labels, reduction="sum")
        loss.backward()
        descent.step()
        return loss.item()

    return {"forward": forward, "step": step}


CONTENDERS: dict[str, Callable[[dict[str, Any]], dict[str, Callable[[], Any]]]] = {
    "minifcn": _minifcn,
    "torch": lambda settings: _torch(settings, channels_last=False),
    "torch channels_last": lambda settings: _torch(settings, channels_last=True),
}

if __name__ == "__main__":
    worker.serve(build)
