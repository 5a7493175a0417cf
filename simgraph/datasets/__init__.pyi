from . import folder, images, llcm, regdb, sysu_mm01
from .base import DatasetLoader
from .registry import DATASETS, find_dataset
from .samples import Samples, TestSet, Trial

__all__ = [
    "DATASETS",
    "DatasetLoader",
    "Samples",
    "TestSet",
    "Trial",
    "find_dataset",
    "folder",
    "images",
    "llcm",
    "regdb",
    "sysu_mm01",
]
