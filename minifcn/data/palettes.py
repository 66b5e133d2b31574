"""Class names and colours of the published data sets."""

from __future__ import annotations

import numpy as np

from .files import Pixels

VOC_CLASSES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable "
    "dog horse motorbike person pottedplant sheep sofa train tvmonitor"
).split()

CAMVID_CLASSES = (
    "Sky Building Pole Road Pavement Tree SignSymbol Fence Car Pedestrian Bicyclist"
).split()

# As SegNet draws them (Badrinarayanan et al. 2017).
_CAMVID_COLOURS = (
    (128, 128, 128),
    (128, 0, 0),
    (192, 192, 128),
    (128, 64, 128),
    (60, 40, 222),
    (128, 128, 0),
    (192, 128, 128),
    (64, 64, 128),
    (64, 0, 128),
    (64, 64, 0),
    (0, 128, 192),
)


def voc_palette(n: int = 256) -> Pixels:
    """Return PASCAL VOC's first ``n`` colours, (n, 3) uint8.

    Bit b of an index's red, green, blue is bit 7 - b // 3 of the colour: counting
    up the index fills the channels' high bits in turn (VOCdevkit, VOClabelcolormap).
    """
    index = np.arange(n)
    colours = np.zeros((n, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return colours.astype(np.uint8)


def camvid_palette() -> Pixels:
    """Return the colours of CamVid's 11 classes, (11, 3) uint8."""
    return np.array(_CAMVID_COLOURS, np.uint8)
