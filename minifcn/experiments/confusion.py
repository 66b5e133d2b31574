"""What a trained net takes for what: the table behind the measures of single classes.

A run keeps its four measures alone; who asks for single classes counts again.
"""

from __future__ import annotations

from collections.abc import Sequence

from minifcn import training
from minifcn.data import Dataset
from minifcn.metrics import Counts
from minifcn.training.progress import bar

from .lab import Trained


def confusion(net: Trained, dataset: Dataset, device: str = "cpu") -> Counts:
    """Return hist[truth, prediction] of a net over a data set, (n_classes,) * 2."""
    model = net.net().to(device)
    return training.evaluate(model, dataset, device, bar("evaluating"))


def confusions(
    nets: Sequence[Trained], dataset: Dataset, device: str = "cpu"
) -> list[Counts]:
    """Return the table of each net."""
    return [confusion(net, dataset, device) for net in nets]
