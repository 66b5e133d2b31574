"""What the operators ask of their inputs, and the sentences that say what is wrong."""

from typing import Any

from ..arrays import array_module, check_float
from ..autograd import Tensor


def check_tensors(operator: str, **tensors: Any) -> None:
    """Refuse whatever is no Tensor of floats, and tensors of several types.

    Args:
        operator: its name, for the sentence.
        tensors: the inputs by their argument names.

    Raises:
        TypeError: no Tensor; not float32 or float64; both mixed; two libraries.
    """
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{operator} takes Tensors, and {name} is {_described(x)}; wrap it: "
                f"minifcn.Tensor({name})"
            )
        check_float(x.data, name)
    if len({x.dtype for x in tensors.values()}) > 1:
        each = " and ".join(
            f"{name} {x.shape} is {x.dtype}" for name, x in tensors.items()
        )
        raise TypeError(
            f"{each}; {operator} needs all of one type: convert the array of one, "
            '.astype("float32"), or a whole net, net.to(dtype="float64")'
        )
    if len({array_module(x.data) for x in tensors.values()}) > 1:
        each = " and ".join(
            f"{name} {x.shape} is {array_module(x.data).__name__}'s"
            for name, x in tensors.items()
        )
        raise TypeError(f"{each}; {operator} needs all on one device")


def check_image(operator: str, x: Any, name: str = "x") -> None:
    """Refuse whatever is no Tensor (N, C, H, W) of floats; N may be 0.

    Raises:
        TypeError: as `check_tensors`.
        ValueError: another number of axes, or no channel, row or column.
    """
    check_tensors(operator, **{name: x})
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(
            f"{name} has shape {x.shape}; {operator} needs (N, C, H, W)"
            + (" with C, H and W of 1 or more" if x.ndim == 4 else "")
        )


def _described(x: Any) -> str:
    shape = getattr(x, "shape", None)
    kind = type(x).__name__
    return kind if shape is None else f"{kind} of shape {shape}"
