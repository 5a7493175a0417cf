"""LLCM: visible and near-infrared images at low light, nine cameras."""

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
from simgraph.datasets.image_lists import draw_rows, list_images, parse_ids, read_labeled_paths
from simgraph.datasets.samples import Samples, TestSet, Trial

__all__ = ["DATASET", "load_test", "load_train"]

Mode: TypeAlias = Literal[
    "infrared_to_visible", "visible_to_infrared", "visible_to_infrared_authors"
]

_MODES: tuple[Mode, ...] = get_args(Mode)
_SWAPPED: Mode = "visible_to_infrared_authors"
_NEEDS = "test_vis, test_nir and idx"
_FOLDER = {"visible": "test_vis", "infrared": "test_nir"}
_SOURCE = "the authors of LLCM send the dataset on request (github.com/ZYK100/LLCM)"
# Test images are in cam{n}/; training images have _c{nn}_ in their names (0351_c06_s…_nir.jpg).
_CAMERA = re.compile(r"(?:^|/)cam(\d+)/|_c(\d+)_[^/]*$")


def load_test(
    root: str | Path,
    mode: Mode = "infrared_to_visible",
    trials: int = 10,
) -> TestSet:
    """List the test images and the gallery of each trial.

    Queries are all images of the query side. The gallery of trial t is one image of the other
    side per identity and camera, drawn from the stream of `random.seed(t)`.

    "visible_to_infrared_authors" is what the authors' test script computes for that direction: it
    swaps the sides after the draw, so that the drawn infrared images are the queries and all
    visible images are the gallery.

    Args:
        root: folder with `test_vis`, `test_nir` and `idx`.
        mode: "query_to_gallery" as the two modalities, or the authors' reading of one of them.
        trials: number of trials, at least 1; published results use 10.

    Returns:
        both sides, ordered by identity, camera and file name.

    Raises:
        FileNotFoundError: for a missing list of identities, or a side without images.
        ValueError: for an argument out of range.

    Source:
        Zhang and Wang, Diverse Embedding Expansion Network and Low-Light Cross-Modality Benchmark
        for Visible-Infrared Person Re-identification, CVPR 2023; github.com/ZYK100/LLCM.
    """
    if mode not in _MODES:
        raise ValueError(wrong_mode(mode, _MODES))
    if trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}")
    root = Path(root)
    file = root / "idx" / "test_id.txt"
    if not file.is_file():
        raise FileNotFoundError(f"expected {file}: {_SOURCE}")
    ids = parse_ids(file)
    is_swapped = mode == _SWAPPED
    sides = ("infrared", "visible") if is_swapped else mode.split("_to_")
    query, gallery = (_list_side(root, _FOLDER[side], ids) for side in sides)
    drawn = tuple(_trial(query, gallery, seed, is_swapped) for seed in range(trials))
    infrared = sides[0] == "infrared"
    return TestSet("llcm", root, query, gallery, drawn, "llcm", infrared)


def _trial(query: Samples, gallery: Samples, seed: int, is_query_drawn: bool) -> Trial:
    if is_query_drawn:
        return Trial(draw_rows(query, seed), np.arange(len(gallery)))
    return Trial(np.arange(len(query)), draw_rows(gallery, seed))


def load_train(root: str | Path, images: bool = True) -> tuple[Samples, Samples]:
    """List the training images.

    Args:
        root: folder with `idx` and the images it lists.
        images: whether every listed image must exist.

    Returns:
        visible and infrared samples, in the order of the lists.

    Raises:
        FileNotFoundError: for a missing list, or with `images` a missing image.
        ValueError: for a line that is not `path label`, or a path without a camera.
    """
    root = Path(root)
    visible = _read_side(root, root / "idx" / "train_vis.txt", images)
    return visible, _read_side(root, root / "idx" / "train_nir.txt", images)


def _read_side(root: Path, file: Path, images: bool) -> Samples:
    paths, labels = read_labeled_paths(root, file, images, _SOURCE)
    return Samples(tuple(paths), np.array(labels), np.array([_camera(p, file) for p in paths]))


def _camera(path: str, file: Path) -> int:
    found = _CAMERA.search(path)
    if found is None:
        raise ValueError(f"{file}: expected a folder cam<n> or a name with _c<n>_, got {path!r}")
    return int(found[1] or found[2])


def _list_side(root: Path, folder: str, ids: tuple[int, ...]) -> Samples:
    numbered = ((re.fullmatch(r"cam(\d+)", f.name), f) for f in (root / folder).glob("cam*"))
    cameras = sorted((int(match[1]), f) for match, f in numbered if match)
    rows = [
        (image.relative_to(root).as_posix(), pid, cam)
        for pid in ids
        for cam, camera in cameras
        for image in list_images(camera / f"{pid:04d}")
    ]
    if not rows:
        raise FileNotFoundError(
            f"expected images such as {root / folder}/cam1/{ids[0]:04d}/*.jpg, found none: "
            f"{_SOURCE}"
        )
    paths, pids, cams = zip(*rows, strict=True)
    return Samples(paths, np.array(pids), np.array(cams))


def _load_test(settings: DatasetSettings, split: int, images: bool) -> TestSet:
    root = dataset_root(settings, _NEEDS)
    return load_test(root, chosen_mode(settings, _MODES), settings.trials)


def _load_train(settings: DatasetSettings, split: int) -> tuple[Samples, Samples]:
    return load_train(dataset_root(settings, _NEEDS))


DATASET = DatasetLoader("llcm", _MODES, "llcm", _NEEDS, _load_test, _load_train)
"""How configs load it: one split; each trial draws its own gallery."""
