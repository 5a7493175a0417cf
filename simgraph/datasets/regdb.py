"""RegDB: pairs of visible and thermal sequences, ten published splits of 206 identities."""

from pathlib import Path
from typing import Literal

import numpy as np

from simgraph.datasets.image_lists import read_labelled_paths
from simgraph.datasets.samples import Samples, TestSet, Trial

__all__ = ["load_test", "load_train"]

_CAMERA = {"visible": 1, "thermal": 2}
_SOURCE = (
    "the images are DBPerson-Recog-DB1, sent on request (dm.dongguk.edu/link.html); "
    "the lists in idx/ are the ten splits published with it"
)


def load_test(
    root: str | Path,
    trial: int = 1,
    mode: Literal["visible_to_thermal", "thermal_to_visible"] = "visible_to_thermal",
    images: bool = True,
) -> TestSet:
    """List one split; all its images take part, 2060 a side.

    The published figure is the mean over the ten splits, with a model trained for each.

    Args:
        root: folder with `Visible`, `Thermal` and `idx`.
        trial: the split, 1 to 10.
        mode: "query_to_gallery" as the two modalities.
        images: whether every listed image must exist.

    Returns:
        TestSet: one trial of everything; camera 1 is visible, 2 is thermal.

    Raises:
        FileNotFoundError: if a list, or with `images` an image, is missing.
        ValueError: if an argument is out of range or a line is not `path label`.

    Source:
        Nguyen et al., Person Recognition System Based on a Combination of Body Images from
        Visible Light and Thermal Cameras, Sensors 2017; the splits of Ye et al., AAAI 2018.
    """
    if mode not in ("visible_to_thermal", "thermal_to_visible"):
        raise ValueError(f"mode must be 'visible_to_thermal' or 'thermal_to_visible', got {mode!r}")
    root = Path(root)
    query, gallery = (_read_side(root, "test", side, trial, images) for side in mode.split("_to_"))
    everything = Trial(np.arange(len(query)), np.arange(len(gallery)))
    infrared = mode.startswith("thermal")
    return TestSet("regdb", root, query, gallery, (everything,), "regdb", infrared)


def load_train(root: str | Path, trial: int = 1, images: bool = True) -> tuple[Samples, Samples]:
    """List the training images of one split.

    Args:
        root: folder with `Visible`, `Thermal` and `idx`.
        trial: the split, 1 to 10.
        images: whether every listed image must exist.

    Returns:
        tuple[Samples, Samples]: visible and thermal, in the order of the lists.

    Raises:
        FileNotFoundError: if a list, or with `images` an image, is missing.
        ValueError: if `trial` is out of range or a line is not `path label`.
    """
    visible = _read_side(Path(root), "train", "visible", trial, images)
    return visible, _read_side(Path(root), "train", "thermal", trial, images)


def _read_side(root: Path, split: str, modality: str, trial: int, images: bool) -> Samples:
    if trial not in range(1, 11):
        raise ValueError(f"trial must be a whole number from 1 to 10, got {trial!r}")
    file = root / "idx" / f"{split}_{modality}_{trial}.txt"
    paths, labels = read_labelled_paths(root, file, images, _SOURCE)
    return Samples(tuple(paths), np.array(labels), np.full(len(paths), _CAMERA[modality]))
