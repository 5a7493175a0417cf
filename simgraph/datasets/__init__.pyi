from . import folder, images, llcm, regdb, sysu_mm01
from .samples import Samples, TestSet, Trial

__all__ = [
    "Samples",
    "TestSet",
    "Trial",
    "folder",
    "images",
    "llcm",
    "regdb",
    "sysu_mm01",
]
