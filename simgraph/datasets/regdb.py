"""RegDB: pairs of visible and thermal sequences, ten published splits of 206 identities."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from simgraph.datasets.base import (
    DatasetLoader,
    DatasetSettings,
    chosen_mode,
    dataset_root,
    wrong_mode,
)
from simgraph.datasets.image_lists import read_labeled_paths
from simgraph.datasets.samples import Samples, TestSet, Trial

__all__ = ["DATASET", "load_test", "load_train"]

Mode: TypeAlias = Literal["visible_to_thermal", "thermal_to_visible"]

_MODES: tuple[Mode, ...] = get_args(Mode)
_NEEDS = "Visible, Thermal and idx"
_CAMERA = {"visible": 1, "thermal": 2}
_SOURCE = (
    "the images are DBPerson-Recog-DB1, sent on request (dm.dongguk.edu/link.html); "
    "the lists in idx/ are the ten splits published with it"
)


def load_test(
    root: str | Path,
    trial: int = 1,
    mode: Mode = "visible_to_thermal",
    images: bool = True,
) -> TestSet:
    """List the test images of one split: 2060 per side, all in one trial.

    Published scores are the mean over the ten splits, with one model trained per split.

    Args:
        root: folder with `Visible`, `Thermal` and `idx`.
        trial: the split, 1 to 10.
        mode: "query_to_gallery" as the two modalities.
        images: whether every listed image must exist.

    Returns:
        one trial of all images; camera 1 is visible, 2 is thermal.

    Raises:
        FileNotFoundError: for a missing list, or with `images` a missing image.
        ValueError: for an argument out of range, or a line that is not `path label`.

    Source:
        Nguyen et al., Person Recognition System Based on a Combination of Body Images from
        Visible Light and Thermal Cameras, Sensors 2017; the splits of Ye et al., AAAI 2018.
    """
    if mode not in _MODES:
        raise ValueError(wrong_mode(mode, _MODES))
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
        visible and thermal samples, in the order of the lists.

    Raises:
        FileNotFoundError: for a missing list, or with `images` a missing image.
        ValueError: for a trial out of range, or a line that is not `path label`.
    """
    visible = _read_side(Path(root), "train", "visible", trial, images)
    return visible, _read_side(Path(root), "train", "thermal", trial, images)


def _read_side(root: Path, split: str, modality: str, trial: int, images: bool) -> Samples:
    if trial not in range(1, 11):
        raise ValueError(f"trial must be a whole number from 1 to 10, got {trial!r}")
    file = root / "idx" / f"{split}_{modality}_{trial}.txt"
    paths, labels = read_labeled_paths(root, file, images, _SOURCE)
    return Samples(tuple(paths), np.array(labels), np.full(len(paths), _CAMERA[modality]))


def _load_test(settings: DatasetSettings, split: int, images: bool) -> TestSet:
    root = dataset_root(settings, _NEEDS)
    return load_test(root, split, chosen_mode(settings, _MODES), images)


def _load_train(settings: DatasetSettings, split: int) -> tuple[Samples, Samples]:
    return load_train(dataset_root(settings, _NEEDS), split)


DATASET = DatasetLoader(
    "regdb", _MODES, "regdb", _NEEDS, _load_test, _load_train, split_per_trial=True
)
"""How configs load it: each trial is one of the ten splits."""
