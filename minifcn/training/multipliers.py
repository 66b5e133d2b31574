"""How fast each parameter learns and decays, relative to the others."""

from __future__ import annotations

from minifcn.nn import Module


def multipliers(model: Module) -> dict[str, list[float]]:
    """Return each parameter's multiples of the learning rate and of the decay."""
    return {n: [p.lr_mult, p.decay_mult] for n, p in model.named_parameters()}


def set_multipliers(model: Module, chosen: dict[str, list[float]]) -> None:
    """Set what :func:`multipliers` gave, for the parameters that are named."""
    for name, parameter in model.named_parameters():
        if name in chosen:
            parameter.lr_mult, parameter.decay_mult = chosen[name]
            if parameter.lr_mult == 0:
                parameter.freeze()
