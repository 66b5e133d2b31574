"""Moving weights between networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, device_of, to_device
from ..nn import Module


@dataclass(frozen=True)
class Transplant:
    """What a warm start did: names of arrays copied, left as they were, not used."""

    copied: list[str]
    left: list[str]
    unused: list[str]

    def __str__(self) -> str:
        """Say it in one line."""
        left = f"; left as initialised: {', '.join(self.left)}" if self.left else ""
        unused = f"; not used: {', '.join(self.unused)}" if self.unused else ""
        return f"{len(self.copied)} arrays copied{left}{unused}"


def warm_start(model: Module, state: dict[str, Any]) -> Transplant:
    """Copy every array whose name the network has; leave the others as initialised.

    So FCN-16s begins as FCN-32s and 8s as 16s: their new score layers stay zero, and
    add nothing at first. Enlargements are not copied: a coarser network's do not belong
    here.

    Raises:
        ValueError: a name agrees and its shape does not, or no name agrees; nothing is
            copied then.
    """
    own = {
        name: p
        for name, p in model.named_parameters()
        if not name.startswith("upscore")
    }
    shared = [name for name in own if name in state]
    if not shared:
        raise ValueError(
            "no name of the given arrays is one of the network's: they begin with "
            f"{', '.join(list(state)[:3])}, the network's with "
            f"{', '.join(list(own)[:3])}"
        )
    # All shapes are looked at before the first copy: all or nothing.
    for name in shared:
        if np.shape(state[name]) != own[name].shape:
            raise ValueError(
                f"{name} has shape {np.shape(state[name])} in the given arrays and "
                f"{own[name].shape} in the network"
            )
    # In place, so that the network keeps its dtypes and its device.
    for name in shared:
        own[name].data[...] = to_device(state[name], device_of(own[name].data))
    left = [name for name in own if name not in state]
    return Transplant(shared, left, [name for name in state if name not in own])


def fully_connected_to_convolution(weight: Array, channels: int, kernel: int) -> Array:
    """Turn a fully-connected layer's matrix into a convolution that does the same.

    A layer over a map of `channels` × kernel × kernel, flattened channel by channel, is
    a convolution whose kernel covers the whole map: (O, C·K·K) → (O, C, K, K).
    Source: Long et al. 2015, section 3.1 (fc6: 4096 × 25088 → 4096 × 512 × 7 × 7).

    Raises:
        ValueError: the matrix has not channels · kernel² columns.
    """
    if np.ndim(weight) != 2 or weight.shape[1] != channels * kernel * kernel:
        raise ValueError(
            f"weight has shape {np.shape(weight)}; over {channels} channels of "
            f"{kernel} × {kernel} it must be (O, {channels * kernel * kernel})"
        )
    # The columns are in the order (c, i, j) already: only the shape changes.
    return weight.reshape(len(weight), channels, kernel, kernel)


def classifier_to_fcn(state: dict[str, Any], model: Module) -> dict[str, Any]:
    """Turn the fully-connected weights of a classifier into those of `model`.

    Every matrix whose name belongs to a convolution of the network is turned, with its
    shape checked; layers that the network has not (the classifier's fc8) are left out.

    Returns:
        {name: array}, for `warm_start`.

    Raises:
        ValueError: the name of an array whose shape fits no such convolution.
    """
    own = {name: p.shape for name, p in model.named_parameters()}
    converted = {}
    for name, array in state.items():
        if name not in own:  # fc8, say
            continue
        if np.ndim(array) == 2:  # fc6 and fc7
            _, channels, kernel, _ = own[name]  # (O, C, K, K)
            try:
                array = fully_connected_to_convolution(array, channels, kernel)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        if np.shape(array) != own[name]:
            raise ValueError(
                f"{name} has shape {np.shape(array)} in the classifier and {own[name]} "
                "in the network"
            )
        converted[name] = array
    return converted
