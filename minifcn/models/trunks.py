"""Trunks as tables of layers: what a classification network becomes without its end.

A table lists, from the image upwards, convolutions (each followed by a ReLU) and pools,
under the authors' names. The heads in `fcn` build their modules from it and need know
nothing else about the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..geometry import Conv, Pool


@dataclass(frozen=True)
class ConvLayer:
    """A convolution with ReLU, or with ReLU and dropout."""

    name: str
    channels: int
    geometry: Conv
    dropout: bool = False


@dataclass(frozen=True)
class PoolLayer:
    """A max pooling."""

    name: str
    geometry: Pool


Table = list[ConvLayer | PoolLayer]

LAYOUTS = {  # convolutions a block
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
WIDTHS = (64, 128, 256, 512, 512)  # channels a block
FC_CHANNELS = 4096  # of fc6 and fc7

# conv1_1 is padded by 100 so that fc6, which is not padded, finds a 7 × 7 window in any
# image; "same" pads both just enough to keep the size, and wastes nothing on borders.
FIRST_PADDING = {"caffe": 100, "same": 1}


def vgg(
    layout: str = "vgg16",
    width: float | Sequence[int] = 1.0,
    geometry: str = "caffe",
    fc_channels: int | Sequence[int] | None = None,
    fc_kernel: int = 7,
) -> Table:
    """Return VGG as a table: five blocks of 3 × 3 convolutions, pools, fc6 and fc7.

    Args:
        layout: "vgg11", "vgg13", "vgg16" or "vgg19" (their configurations A, B, D, E).
        width: a factor for the five widths 64, 128, 256, 512, 512, or five widths.
        geometry: "caffe" (conv1_1 padded by 100, fc6 by 0) or "same" (by 1 and 3).
        fc_channels: outputs of fc6 and fc7, one number or two; 4096 · width if None.
        fc_kernel: size of fc6's kernel; odd.

    Raises:
        ValueError: an argument that is none of these.

    Source: Simonyan and Zisserman 2014; Long et al. 2015 (their layer names).
    """
    if layout not in LAYOUTS:
        raise ValueError(f"trunk is {layout!r}; it must be one of {sorted(LAYOUTS)}")
    if geometry not in FIRST_PADDING:
        raise ValueError(f"geometry is {geometry!r}; it must be 'caffe' or 'same'")
    if fc_kernel < 1 or fc_kernel % 2 == 0:
        raise ValueError(f"fc_kernel is {fc_kernel}; it must be odd, 1 or more")
    table: Table = []
    for block, count in enumerate(LAYOUTS[layout]):
        for number in range(count):
            name = f"conv{block + 1}_{number + 1}"
            # While the table is empty, this is conv1_1.
            conv = Conv(3, padding=1 if table else FIRST_PADDING[geometry])
            table.append(ConvLayer(name, _widths(width)[block], conv))
        # Caffe's pools round up: an incomplete last window counts.
        table.append(PoolLayer(f"pool{block + 1}", Pool(2, 2, ceil=True)))
    fc6, fc7 = _fc_channels(fc_channels, width)
    around = fc_kernel // 2 if geometry == "same" else 0  # "same": fc6 keeps the size
    # VGG's fully-connected layers, as convolutions.
    table.append(ConvLayer("fc6", fc6, Conv(fc_kernel, padding=around), dropout=True))
    table.append(ConvLayer("fc7", fc7, Conv(1), dropout=True))
    return table


def _widths(width: float | Sequence[int]) -> list[int]:
    if isinstance(width, int | float):
        if not width > 0:
            raise ValueError(f"width is {width}; a factor must be greater than 0")
        return [max(1, round(channels * width)) for channels in WIDTHS]
    if len(width) != len(WIDTHS) or not all(channels >= 1 for channels in width):
        raise ValueError(
            f"width is {width}; it must be a factor, or {len(WIDTHS)} numbers of "
            "channels"
        )
    return [int(channels) for channels in width]


def _fc_channels(
    channels: int | Sequence[int] | None, width: object
) -> tuple[int, int]:
    if channels is None:
        # A list of widths has no factor: fc6 and fc7 keep their 4096.
        factor = width if isinstance(width, int | float) else 1
        channels = max(1, round(FC_CHANNELS * factor))
    both = (channels, channels) if isinstance(channels, int) else tuple(channels)
    if len(both) != 2 or not all(number >= 1 for number in both):
        raise ValueError(
            f"fc_channels is {channels}; it must be one or two numbers ≥ 1"
        )
    return both[0], both[1]
