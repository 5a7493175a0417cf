"""Any two-modality set, laid out as `{train,test}/{visible,infrared}/<identity>/c<camera>_<name>`.

For example `test/infrared/anna/c3_0001.png`. Identities are any folder names.
"""

from __future__ import annotations

import re
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
from simgraph.datasets.image_lists import list_images, refuse_dangling
from simgraph.datasets.samples import Samples, TestSet, Trial

__all__ = ["DATASET", "identities", "load_test", "load_train"]

Mode: TypeAlias = Literal["infrared_to_visible", "visible_to_infrared"]

JUNK_PID = -1
"""The identity of images that the protocol `market` removes; see `simgraph.evaluation`."""

_MODES: tuple[Mode, ...] = get_args(Mode)
_LAYOUT = "{train,test}/{visible,infrared}/<identity>/c<camera>_<name>.{jpg,png,bmp,tif,webp,...}"


def identities(root: str | Path, split: Literal["train", "test"]) -> tuple[str, ...]:
    """List the names of a split's identities: `pids` of its samples are positions in this list.

    A test folder named `-1` keeps this number: Market-1501 calls its junk images so.

    Args:
        root: the dataset's folder.
        split: "train" or "test".

    Returns:
        sorted folder names of both modalities together.

    Raises:
        FileNotFoundError: for a split without a folder for each modality.
    """
    names = (_identity_folders(Path(root) / split / side) for side in ("visible", "infrared"))
    return tuple(sorted(set().union(*names)))


def load_test(
    root: str | Path,
    mode: Mode = "infrared_to_visible",
    protocol: str = "plain",
) -> TestSet:
    """List the test images; all take part in one trial.

    An identity may be on one side only. Its queries then have no match, and scoring skips them.

    Args:
        root: the dataset's folder, with `test/visible` and `test/infrared`.
        mode: "query_to_gallery" as the two modalities.
        protocol: key of `simgraph.evaluation.PROTOCOLS`.

    Returns:
        both sides, ordered by identity and file name; see `identities` for the names.

    Raises:
        FileNotFoundError: for a missing folder, or a modality without images.
        ValueError: for an unknown mode, a file name that does not start with `c<camera>_`, or
            two sides without a common identity.
    """
    if mode not in _MODES:
        raise ValueError(wrong_mode(mode, _MODES))
    root = Path(root)
    query, gallery = (_list_side(root, "test", side) for side in mode.split("_to_"))
    if not set(query.pids.tolist()) & set(gallery.pids.tolist()):
        raise ValueError(
            f"{root / 'test'}: visible and infrared must share identities, but their folders "
            "have none in common: give the two folders of an identity the same name"
        )
    everything = Trial(np.arange(len(query)), np.arange(len(gallery)))
    infrared = mode.startswith("infrared")
    names = identities(root, "test")
    return TestSet("folder", root, query, gallery, (everything,), protocol, infrared, names)


def load_train(root: str | Path) -> tuple[Samples, Samples]:
    """List the training images.

    Args:
        root: the dataset's folder, with `train/visible` and `train/infrared`.

    Returns:
        visible and infrared samples, ordered by identity and file name.

    Raises:
        FileNotFoundError: for a missing folder, or a modality without images.
        ValueError: for a file name that does not start with `c<camera>_`, or an identity with
            images of one modality only.
    """
    root = Path(root)
    visible, infrared = (_list_side(root, "train", side) for side in ("visible", "infrared"))
    alone = np.setxor1d(visible.pids, infrared.pids)
    if len(alone):
        names = identities(root, "train")
        raise ValueError(
            f"{root / 'train'}: expected images of every identity in both modalities, "
            f"{len(alone)} have them in one only: {', '.join(names[pid] for pid in alone[:5])}"
            f"{', ...' if len(alone) > 5 else ''}; add the others, or leave these out"
        )
    return visible, infrared


def _identity_folders(folder: Path) -> set[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"expected the folder {folder}: lay images out as {_LAYOUT}")
    entries = [f for f in folder.iterdir() if not f.name.startswith(".")]
    for entry in entries:
        refuse_dangling(entry)
    return {entry.name for entry in entries if entry.is_dir()}


def _list_side(root: Path, split: Literal["train", "test"], modality: str) -> Samples:
    rows = [
        (image.relative_to(root).as_posix(), _pid(pid, name, split), _camera(image))
        for pid, name in enumerate(identities(root, split))
        for image in list_images(root / split / modality / name)
    ]
    if not rows:
        raise FileNotFoundError(f"no image in {root / split / modality}: expected {_LAYOUT}")
    paths, pids, cams = zip(*rows, strict=True)
    return Samples(paths, np.array(pids), np.array(cams))


def _pid(position: int, name: str, split: str) -> int:
    return JUNK_PID if split == "test" and name == str(JUNK_PID) else position


def _camera(image: Path) -> int:
    found = re.match(r"c(\d+)_", image.name)
    if found is None:
        raise ValueError(
            f"{image}: expected a name such as c1_{image.name}, with the camera's number in front "
            "(c1_ for all images of a single camera)"
        )
    return int(found[1])


def _load_test(settings: DatasetSettings, split: int, images: bool) -> TestSet:
    return load_test(dataset_root(settings, _LAYOUT), chosen_mode(settings, _MODES))


def _load_train(settings: DatasetSettings, split: int) -> tuple[Samples, Samples]:
    return load_train(dataset_root(settings, _LAYOUT))


DATASET = DatasetLoader("folder", _MODES, "plain", _LAYOUT, _load_test, _load_train, max_trials=1)
"""How configs load it: one trial of all images."""
