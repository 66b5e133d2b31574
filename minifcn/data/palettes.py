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

# As cityscapesScripts (labels.py) has them, in the order of the train ids.
_CITYSCAPES_COLOURS = """
    804080 f423e8 464646 66669c be9999 999999 faaa1e dcdc00 6b8e23 98fb98
    4682b4 dc143c ff0000 00008e 000046 003c64 005064 0000e6 770b20
"""

# As the scene parsing benchmark draws ADE20K (color150).
_ADE20K_COLOURS = """
    787878 b47878 06e6e6 503232 04c803 787850 8c8c8c cc05ff e6e6e6 04fa07
    e005ff ebff07 96053d 787846 08ff33 ff0652 8fff8c ccff04 ff3307 cc4603
    0066c8 3de6fa ff0633 0b66ff ff0747 ff09e0 0907e6 dcdcdc ff095c 7009ff
    08ffd6 07ffe0 ffb806 0aff47 ff290a 07ffff e0ff08 6608ff ff3d06 ffc207
    ff7a08 00ff14 ff0829 ff0599 0633ff eb0cff a09614 00a3ff 8c8c8c fa0a0f
    14ff00 1fff00 ff1f00 ffe000 99ff00 0000ff ff4700 00ebff 00adff 1f00ff
    0bc8c8 ff5200 00fff5 003dff 00ff70 00ff85 ff0000 ffa300 ff6600 c2ff00
    008fff 33ff00 0052ff 00ff29 00ffad 0a00ff adff00 00ff99 ff5c00 ff00ff
    ff00f5 ff0066 ffad00 ff0014 ffb8b8 001fff 00ff3d 0047ff ff00cc 00ffc2
    00ff52 000aff 0070ff 3300ff 00c2ff 007aff 00ffa3 ff9900 00ff0a ff7000
    8fff00 5200ff a3ff00 ffeb00 08b8aa 8500ff 00ff5c b800ff ff001f 00b8ff
    00d6ff ff0070 5cff00 00e0ff 70e0ff 46b8a0 a300ff 9900ff 47ff00 ff00a3
    ffcc00 ff008f 00ffeb 85ff00 ff00eb f500ff ff007a fff500 0abed4 d6ff00
    00ccff 1400ff ffff00 0099ff 0029ff 00ffcc 2900ff 29ff00 ad00ff 00f5ff
    4700ff 7a00ff 00ffb8 005cff b8ff00 0085ff ffd600 19c2c2 66ff00 5c00ff
"""


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


def cityscapes_palette() -> Pixels:
    """Return the colours of Cityscapes' 19 classes, (19, 3) uint8."""
    return _from_hex(_CITYSCAPES_COLOURS)


def ade20k_palette() -> Pixels:
    """Return the colours of ADE20K's 150 classes, (150, 3) uint8."""
    return _from_hex(_ADE20K_COLOURS)


def _from_hex(text: str) -> Pixels:
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3).copy()
