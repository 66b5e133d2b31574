"""Data sets: readers of files, augmentation, batches, and generated scenes.

All give the same: ``dataset[i]`` is an image (H, W, 3) uint8 RGB and its label (H, W)
uint8, with 255 for pixels that do not count.
"""

from .augment import Augment
from .batch import Batch, collate, to_input
from .camvid import CamVid
from .dataset import VOC_MEAN_BGR, Dataset, PairFiles
from .files import IGNORE, DataError, read_image, read_label
from .folder import Folder
from .layouts import open_dataset
from .loader import Loader
from .palettes import (
    CAMVID_CLASSES,
    VOC_CLASSES,
    camvid_palette,
    voc_palette,
)
from .voc import Voc

__all__ = [
    "CAMVID_CLASSES",
    "IGNORE",
    "VOC_CLASSES",
    "VOC_MEAN_BGR",
    "Augment",
    "Batch",
    "CamVid",
    "DataError",
    "Dataset",
    "Folder",
    "Loader",
    "PairFiles",
    "Voc",
    "camvid_palette",
    "collate",
    "open_dataset",
    "read_image",
    "read_label",
    "to_input",
    "voc_palette",
]
