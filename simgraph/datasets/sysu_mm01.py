"""SYSU-MM01: four visible and two infrared cameras, official and baseline galleries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from simgraph.datasets.base import (
    DatasetLoader,
    DatasetSettings,
    chosen_mode,
    dataset_root,
    wrong_mode,
)
from simgraph.datasets.image_lists import draw_rows, list_images, rows_by_group
from simgraph.datasets.samples import Samples, TestSet, Trial
from simgraph.datasets.sysu_mm01_files import read_ids, read_permutations

__all__ = ["DATASET", "load_test", "load_train", "read_ids", "read_permutations"]

Mode: TypeAlias = Literal["all", "indoor"]
Draw: TypeAlias = Literal["sysu_mm01", "sysu_mm01_agw"]

_MODES: tuple[Mode, ...] = get_args(Mode)
_NEEDS = "cam1 … cam6 and exp"
_VISIBLE, _INFRARED = (1, 2, 4, 5), (3, 6)
_GALLERY = {"all": (1, 2, 4, 5), "indoor": (1, 2)}
_Orders = dict[tuple[int, int], NDArray[np.int64]]


def load_test(
    root: str | Path,
    mode: Mode = "all",
    shots: int = 1,
    trials: int = 10,
    protocol: Draw = "sysu_mm01",
    images: bool = True,
) -> TestSet:
    """List the test images and the galleries of each trial.

    Queries are all images of the test identities in cameras 3 and 6, in both modes. The gallery
    side lists cameras 1, 2, 4 and 5, or 1 and 2 for "indoor", whose protocol uses no others. A
    feature file of all cameras serves both modes, because rows of other cameras are left out. A
    trial selects per camera and identity:

    - "sysu_mm01": the images `rand_perm_cam{camera}{identity}(trial, 1:shots)`, 1-based among the
      images sorted by name; all of them where there are fewer;
    - "sysu_mm01_agw": one image drawn with `random.seed(trial)`, as the AGW baseline does. Only
      its single-shot galleries are published (see `image_lists.draw_rows`).

    Args:
        root: folder with `cam1` … `cam6` and `exp`.
        mode: "all" or "indoor".
        shots: gallery images per camera and identity, at least 1; published results use 1 and
            10.
        trials: number of trials, at least 1; the official file has 10.
        protocol: how the galleries are drawn.
        images: whether the images must be on disk; False takes their counts from
            `rand_perm_cam.mat`.

    Returns:
        both sides, ordered by camera, identity and file name.

    Raises:
        FileNotFoundError: for missing identities or permutations, or no images at all.
        ValueError: for an argument out of range, or a folder whose number of images is not that
            of the official permutations.

    Source:
        Wu et al., RGB-Infrared Cross-Modality Person Re-Identification, ICCV 2017;
        github.com/wuancong/SYSU-MM01.
    """
    _check_arguments(mode, shots, trials, protocol)
    root = Path(root)
    ids = read_ids(root / "exp", "test")
    official = protocol == "sysu_mm01"
    orders = read_permutations(root / "exp") if official or not images else {}
    query = _list_samples(root, ids, _INFRARED, None if images else orders)
    gallery = _list_samples(root, ids, _GALLERY[mode], None if images else orders)
    if official:
        _check_trials(orders, trials)
        _check_counts(root, query, _INFRARED, orders, ids)
        _check_counts(root, gallery, _GALLERY[mode], orders, ids)
    rows = [
        _official_rows(gallery, orders, ids, _GALLERY[mode], trial, shots)
        if official
        else draw_rows(gallery, trial, shots, _GALLERY[mode])
        for trial in range(trials)
    ]
    everything = np.arange(len(query))
    chosen = tuple(Trial(everything, r) for r in rows)
    return TestSet("sysu_mm01", root, query, gallery, chosen, protocol, paths_listed=images)


def load_train(root: str | Path, images: bool = True, val: bool = True) -> tuple[Samples, Samples]:
    """List the training images: 395 identities, those of the train and the val split.

    Args:
        root: folder with `cam1` … `cam6` and `exp`.
        images: whether the images must be on disk; False takes their counts from
            `rand_perm_cam.mat`.
        val: False takes the 296 identities of the train split only.

    Returns:
        visible (cameras 1, 2, 4, 5) and infrared (3, 6) samples, ordered by camera, identity and
        file name.

    Raises:
        FileNotFoundError: for a missing list of identities, or no images at all.
    """
    root = Path(root)
    ids = set(read_ids(root / "exp", "train"))
    if val:
        try:
            ids |= set(read_ids(root / "exp", "val"))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{error}; val=False trains on the train ids only") from error
    orders = None if images else read_permutations(root / "exp")
    return (
        _list_samples(root, sorted(ids), _VISIBLE, orders),
        _list_samples(root, sorted(ids), _INFRARED, orders),
    )


def _check_arguments(mode: str, shots: int, trials: int, protocol: str) -> None:
    if mode not in _MODES:
        raise ValueError(wrong_mode(mode, _MODES))
    if protocol not in get_args(Draw):
        raise ValueError(f"protocol must be 'sysu_mm01' or 'sysu_mm01_agw', got {protocol!r}")
    if shots < 1 or trials < 1:
        raise ValueError(f"shots and trials must be at least 1, got {shots} and {trials}")


def _list_samples(
    root: Path, ids: Sequence[int], cams: tuple[int, ...], orders: _Orders | None
) -> Samples:
    """List by camera, identity and file name: from disk, or from the official counts if given."""
    rows: list[tuple[str, int, int]] = []
    for cam in cams:
        for pid in ids:
            folder = f"cam{cam}/{pid:04d}"
            if orders is None:
                names = [f.name for f in list_images(root / folder)]
            else:
                count = orders[cam, pid].shape[1] if (cam, pid) in orders else 0
                names = [f"{i:04d}.jpg" for i in range(1, count + 1)]
            rows.extend((f"{folder}/{name}", pid, cam) for name in names)
    if not rows:
        raise FileNotFoundError(
            f"no image of cameras {cams} for the {len(ids)} identities of the split: expected "
            f"{root}/cam{cams[0]}/{ids[0]:04d}/0001.jpg and so on. The authors send the dataset "
            "on request (github.com/wuancong/SYSU-MM01)"
        )
    paths, pids, row_cams = zip(*rows, strict=True)
    return Samples(paths, np.array(pids), np.array(row_cams))


def _check_counts(
    root: Path, samples: Samples, cams: tuple[int, ...], orders: _Orders, ids: tuple[int, ...]
) -> None:
    """Check the image counts: with other counts, the official indices would mean other images."""
    found = {(cam, pid): len(rows) for (pid, cam), rows in rows_by_group(samples).items()}
    for cam in cams:
        for pid in ids:
            expected = orders[cam, pid].shape[1] if (cam, pid) in orders else 0
            count = found.get((cam, pid), 0)
            if count != expected:
                raise ValueError(
                    f"camera {cam}, identity {pid}: {root}/cam{cam}/{pid:04d} holds {count} "
                    f"images, rand_perm_cam.mat orders {expected}: restore the original images "
                    "or use protocol 'sysu_mm01_agw'"
                )


def _check_trials(orders: _Orders, trials: int) -> None:
    available = len(next(iter(orders.values())))
    if trials > available:
        raise ValueError(f"trials must be at most {available} (rand_perm_cam.mat), got {trials}")


def _official_rows(
    gallery: Samples,
    orders: _Orders,
    ids: tuple[int, ...],
    cams: tuple[int, ...],
    trial: int,
    shots: int,
) -> NDArray[np.int64]:
    groups = rows_by_group(gallery)
    rows = [
        groups[pid, cam][image - 1]
        for cam in cams
        for pid in ids
        if (cam, pid) in orders
        for image in orders[cam, pid][trial, :shots]
    ]
    return np.array(rows, dtype=np.int64)


def _load_test(settings: DatasetSettings, split: int, images: bool) -> TestSet:
    root = dataset_root(settings, _NEEDS)
    # Any protocol may score the trials; only these two draw them.
    protocol: Draw = "sysu_mm01_agw" if settings.protocol == "sysu_mm01_agw" else "sysu_mm01"
    # The AGW draw needs the lists of images only: without the official counts it reads folders.
    counted = (root / "exp" / "rand_perm_cam.mat").is_file()
    images = images or (protocol == "sysu_mm01_agw" and not counted)
    mode = chosen_mode(settings, _MODES)
    return load_test(root, mode, settings.shots, settings.trials, protocol, images)


def _load_train(settings: DatasetSettings, split: int) -> tuple[Samples, Samples]:
    return load_train(dataset_root(settings, _NEEDS))


DATASET = DatasetLoader("sysu_mm01", _MODES, "sysu_mm01", _NEEDS, _load_test, _load_train)
"""How configs load it: one split; each trial draws its own gallery."""
