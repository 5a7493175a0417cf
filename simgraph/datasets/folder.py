"""Any two-modality set, laid out as `{train,test}/{visible,infrared}/<identity>/c<camera>_<name>`.

For example `test/infrared/anna/c3_0001.png`. Identities are any folder names.
"""

import re
from pathlib import Path
from typing import Literal

import numpy as np

from simgraph.datasets.image_lists import list_images
from simgraph.datasets.samples import Samples, TestSet, Trial

__all__ = ["identities", "load_test", "load_train"]

_LAYOUT = "{train,test}/{visible,infrared}/<identity>/c<camera>_<name>.{jpg,jpeg,png,bmp}"


def identities(root: str | Path, split: Literal["train", "test"]) -> tuple[str, ...]:
    """Name the identities of a split: `pids` of its samples are positions in this list.

    Args:
        root: the dataset's folder.
        split: "train" or "test".

    Returns:
        tuple[str, ...]: sorted folder names of both modalities together.

    Raises:
        FileNotFoundError: if the split has no folder of a modality.
    """
    names = (_identity_folders(Path(root) / split / side) for side in ("visible", "infrared"))
    return tuple(sorted(set().union(*names)))


def load_test(
    root: str | Path,
    mode: Literal["infrared_to_visible", "visible_to_infrared"] = "infrared_to_visible",
    protocol: str = "plain",
) -> TestSet:
    """List the test images; all take part in one trial.

    An identity may be on one side only: its queries have no match and scoring skips them.

    Args:
        root: the dataset's folder, with `test/visible` and `test/infrared`.
        mode: "query_to_gallery" as the two modalities.
        protocol: key of `simgraph.evaluation.PROTOCOLS`.

    Returns:
        TestSet: both sides ordered by identity and file name; see `identities` for the names.

    Raises:
        FileNotFoundError: if a folder or all images of a modality are missing.
        ValueError: if `mode` is unknown, a file name does not start with `c<camera>_`, or the
            two sides have no identity in common.
    """
    if mode not in ("infrared_to_visible", "visible_to_infrared"):
        raise ValueError(
            f"mode must be 'infrared_to_visible' or 'visible_to_infrared', got {mode!r}"
        )
    root = Path(root)
    query, gallery = (_list_side(root, "test", side) for side in mode.split("_to_"))
    if not set(query.pids.tolist()) & set(gallery.pids.tolist()):
        raise ValueError(
            f"{root / 'test'}: visible and infrared must share identities, their folders have "
            "none in common: name the two folders of a person alike"
        )
    everything = Trial(np.arange(len(query)), np.arange(len(gallery)))
    infrared = mode.startswith("infrared")
    return TestSet("folder", root, query, gallery, (everything,), protocol, infrared)


def load_train(root: str | Path) -> tuple[Samples, Samples]:
    """List the training images.

    Args:
        root: the dataset's folder, with `train/visible` and `train/infrared`.

    Returns:
        tuple[Samples, Samples]: visible and infrared, ordered by identity and file name.

    Raises:
        FileNotFoundError: if a folder or all images of a modality are missing.
        ValueError: if a file name does not start with `c<camera>_`, or an identity has images of
            one modality only.
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
    return {f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")}


def _list_side(root: Path, split: Literal["train", "test"], modality: str) -> Samples:
    rows = [
        (image.relative_to(root).as_posix(), pid, _camera(image))
        for pid, name in enumerate(identities(root, split))
        for image in list_images(root / split / modality / name)
    ]
    if not rows:
        raise FileNotFoundError(f"no image in {root / split / modality}: expected {_LAYOUT}")
    paths, pids, cams = zip(*rows, strict=True)
    return Samples(paths, np.array(pids), np.array(cams))


def _camera(image: Path) -> int:
    found = re.match(r"c(\d+)_", image.name)
    if found is None:
        raise ValueError(
            f"{image}: expected a name such as c1_{image.name}, the camera's number in front "
            "(c1_ for all where there is one camera)"
        )
    return int(found[1])
