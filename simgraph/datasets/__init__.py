"""Datasets: from images on disk to samples and the trials of a protocol."""

from simgraph.datasets import folder, images, llcm, pedestrians, regdb, synthetic, sysu_mm01
from simgraph.datasets.samples import Samples, TestSet, Trial

__all__ = [
    "Samples",
    "TestSet",
    "Trial",
    "folder",
    "images",
    "llcm",
    "pedestrians",
    "regdb",
    "synthetic",
    "sysu_mm01",
]
