"""Data sets: readers of files, augmentation, batches, and generated scenes.

All give the same: ``dataset[i]`` is an image (H, W, 3) uint8 RGB and its label (H, W)
uint8, with 255 for pixels that do not count.
"""

from minifcn.data.augment import Augment
from minifcn.data.batch import Batch, collate, to_input
from minifcn.data.camvid import CamVid
from minifcn.data.dataset import VOC_MEAN_BGR, Dataset, PairFiles
from minifcn.data.files import IGNORE, DataError, read_image, read_label
from minifcn.data.folder import Folder
from minifcn.data.layouts import open_dataset
from minifcn.data.loader import Loader
from minifcn.data.palettes import (
    CAMVID_CLASSES,
    VOC_CLASSES,
    camvid_palette,
    voc_palette,
)
from minifcn.data.voc import Voc

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
