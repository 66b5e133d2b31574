"""Networks: trunks, the FCN heads on them, moving weights between them, going dense."""

from typing import Any

from .counting import costs_table, dense_costs, multiply_adds
from .dense import a_trous, shift_and_stitch
from .fcn import (
    FCN,
    fcn8s,
    fcn8s_at_once,
    fcn16s,
    fcn32s,
    fcn_pool3,
    fcn_pool4,
)
from .surgery import (
    Transplant,
    classifier_to_fcn,
    fully_connected_to_convolution,
    warm_start,
)
from .trunks import vgg

NETWORKS = {
    "fcn32s": fcn32s,
    "fcn16s": fcn16s,
    "fcn8s": fcn8s,
    "fcn8s_at_once": fcn8s_at_once,
    "fcn_pool4": fcn_pool4,
    "fcn_pool3": fcn_pool3,
}


def create(config: dict[str, Any]) -> FCN:
    """Build a network from its `config`: {"name": "fcn8s", "n_classes": 21, …}.

    Raises:
        ValueError: an unknown name, or a setting that the network has not.
    """
    settings = dict(config)
    name = settings.pop("name", None)
    if name not in NETWORKS:
        raise ValueError(f"net is {name!r}; it must be one of {', '.join(NETWORKS)}")
    try:
        return NETWORKS[name](**settings)
    except TypeError as error:  # an unknown setting
        raise ValueError(f"settings of {name} are wrong: {error}") from None


__all__ = [
    "FCN",
    "NETWORKS",
    "Transplant",
    "a_trous",
    "classifier_to_fcn",
    "costs_table",
    "create",
    "dense_costs",
    "fcn8s",
    "fcn8s_at_once",
    "fcn16s",
    "fcn32s",
    "fcn_pool3",
    "fcn_pool4",
    "fully_connected_to_convolution",
    "multiply_adds",
    "shift_and_stitch",
    "vgg",
    "warm_start",
]
