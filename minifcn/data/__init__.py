"""Data sets: readers of files, augmentation, batches, and generated scenes.

All give the same: ``dataset[i]`` is an image (H, W, 3) uint8 RGB and its label (H, W)
uint8, with 255 for pixels that do not count.
"""

from .ade20k import Ade20k
from .augment import Augment
from .batch import Batch, collate, to_input
from .camvid import CamVid
from .cityscapes import Cityscapes
from .classes import (
    ADE20K_CLASSES,
    CITYSCAPES_CLASSES,
    CONTEXT_CLASSES,
    NYUD_CLASSES,
    SIFTFLOW_CLASSES,
    SIFTFLOW_GEOMETRY,
)
from .context import PascalContext
from .dataset import VOC_MEAN_BGR, Dataset, PairFiles
from .files import IGNORE, DataError, read_image, read_label
from .folder import Folder
from .layouts import open_dataset
from .loader import Loader
from .nyud import Nyud
from .palettes import (
    CAMVID_CLASSES,
    VOC_CLASSES,
    ade20k_palette,
    camvid_palette,
    cityscapes_palette,
    voc_palette,
)
from .sbd import Sbd
from .siftflow import SiftFlow
from .voc import Voc

__all__ = [
    "ADE20K_CLASSES",
    "CAMVID_CLASSES",
    "CITYSCAPES_CLASSES",
    "CONTEXT_CLASSES",
    "IGNORE",
    "NYUD_CLASSES",
    "SIFTFLOW_CLASSES",
    "SIFTFLOW_GEOMETRY",
    "VOC_CLASSES",
    "VOC_MEAN_BGR",
    "Ade20k",
    "Augment",
    "Batch",
    "CamVid",
    "Cityscapes",
    "DataError",
    "Dataset",
    "Folder",
    "Loader",
    "Nyud",
    "PairFiles",
    "PascalContext",
    "Sbd",
    "SiftFlow",
    "Voc",
    "ade20k_palette",
    "camvid_palette",
    "cityscapes_palette",
    "collate",
    "open_dataset",
    "read_image",
    "read_label",
    "to_input",
    "voc_palette",
]
