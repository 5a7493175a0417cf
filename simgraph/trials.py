"""From a feature file to the features of each trial, row for row those of the test set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simgraph.config import Config, DatasetConfig
from simgraph.datasets import Samples, TestSet, folder, llcm, regdb, sysu_mm01
from simgraph.features import Features, load_features

Source: TypeAlias = Callable[[TestSet, int], Features]
"""Gives the features of all images of a test set, which is RegDB's given trial or of any."""


def trial_features(config: Config, source: Source | None = None) -> Iterator[Features]:
    """The labelled features of each trial, in turn.

    Args:
        config: `features` says where they are, `dataset` which trials there are.
        source: gives them in place of the files.

    Yields:
        One `Features` a trial, with identities, and cameras where the dataset has them.

    Raises:
        FileNotFoundError: for missing feature or protocol files.
        ValueError: for features that are not those of the dataset.
    """
    if source is None and config.features is None:
        raise ValueError(
            "features: expected a feature file or PREFIX of PREFIX_cam1.mat files, got none; "
            "set it in the config or with --features"
        )
    if source is None and config.dataset.name == "features":
        yield _labelled(str(config.features))
        return
    give = source or files_source(str(config.features), config.dataset)
    for part in range(1, config.dataset.trials + 1 if config.dataset.name == "regdb" else 2):
        test_set = load_test_set(config.dataset, part, images=source is not None)
        features = give(test_set, part)
        for trial in test_set.trials:
            yield features.select(trial.query, trial.gallery)


def _labelled(file: str) -> Features:
    features = load_features(file)
    if features.query_pids is None or features.gallery_pids is None:
        raise ValueError(
            f"{file}: expected query_pid and gallery_pid to score with; to rank without "
            "identities use tools/rerank.py"
        )
    return features


def files_source(path: str, dataset: DatasetConfig) -> Source:
    """Features of a test set from a file, or from a file a trial with `{trial}` in its name."""
    if dataset.name == "regdb" and dataset.trials > 1 and "{trial}" not in path:
        raise ValueError(
            f"features: expected '{{trial}}' in {path!r}, because every RegDB trial has a model "
            "of its own; or score one file with --dataset.trials 1"
        )
    if dataset.name != "regdb" and "{trial}" in path:
        raise ValueError(
            f"features: expected one file for all trials of {dataset.name}, got {path!r}; only "
            "RegDB has a file a trial"
        )
    if dataset.name == "regdb":
        files = [path.replace("{trial}", str(t)) for t in range(1, dataset.trials + 1)]
        missing = [file for file in files if not Path(file).is_file()]
        if missing:
            raise FileNotFoundError(f"features: no such files: {', '.join(missing)}")

    def read(test_set: TestSet, trial: int) -> Features:
        file = path.replace("{trial}", str(trial))
        return align(load_features(file), test_set, file)

    return read


def num_trials(dataset: DatasetConfig) -> int:
    """How many trials `trial_features` yields."""
    return 1 if dataset.name in ("features", "folder") else dataset.trials


def load_test_set(dataset: DatasetConfig, trial: int = 1, images: bool = False) -> TestSet:
    """The test set a config names.

    Args:
        dataset: name, root, mode, shots, trials, protocol.
        trial: which of RegDB's ten splits.
        images: whether the images must be there; the lists and protocol files always must.

    Returns:
        Its query and gallery samples and its trials.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for a missing root, an unknown mode, or lists that do not hold together.
    """
    root = _root(dataset)
    mode: dict[str, Any] = {} if dataset.mode is None else {"mode": dataset.mode}
    if dataset.name == "sysu_mm01":
        # Any rules may score the trials; only these two draw them.
        protocol: Literal["sysu_mm01", "sysu_mm01_agw"]
        protocol = "sysu_mm01_agw" if dataset.protocol == "sysu_mm01_agw" else "sysu_mm01"
        # The AGW draw needs the lists of images only, from the folders where there is no other.
        counted = (Path(root) / "exp" / "rand_perm_cam.mat").is_file()
        images = images or (protocol == "sysu_mm01_agw" and not counted)
        return sysu_mm01.load_test(
            root, **mode, shots=dataset.shots, trials=dataset.trials,
            protocol=protocol, images=images,
        )  # fmt: skip
    if dataset.name == "regdb":
        return regdb.load_test(root, trial=trial, **mode, images=images)
    if dataset.name == "llcm":
        return llcm.load_test(root, **mode, trials=dataset.trials)
    return folder.load_test(root, **mode)


def load_train_set(dataset: DatasetConfig, trial: int = 1) -> tuple[Samples, Samples]:
    """Visible and infrared training images of the test set a config names.

    Args:
        dataset: name and root.
        trial: which of RegDB's ten splits.

    Returns:
        Visible and infrared samples, with the dataset's own identities.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for a dataset without training images.
    """
    root = _root(dataset)
    if dataset.name == "sysu_mm01":
        return sysu_mm01.load_train(root)
    if dataset.name == "regdb":
        return regdb.load_train(root, trial)
    return llcm.load_train(root) if dataset.name == "llcm" else folder.load_train(root)


def _root(dataset: DatasetConfig) -> str:
    if dataset.name == "features":
        raise ValueError(
            "dataset.name: expected sysu_mm01, regdb, llcm or folder, got 'features', which has "
            "no images or lists"
        )
    if dataset.root is None:
        raise ValueError(f"dataset.root: expected the folder of {dataset.name}, got none")
    if not Path(dataset.root).is_dir():
        raise FileNotFoundError(f"dataset.root: {dataset.root}: no such folder")
    return dataset.root


def align(features: Features, test_set: TestSet, source: str) -> Features:
    """Features with their rows in the order of a test set's samples.

    Images are told by identity and camera, and within both by their order, which must be that
    of the file names. Identities that are not in the test set are left out.

    Args:
        features: with identities, and cameras where the test set has several.
        test_set: whose samples to follow.
        source: name of the features in errors.

    Returns:
        Features with row i of each side that of sample i, labelled as the samples are.

    Raises:
        ValueError: where an identity and camera has another number of rows than of images.
    """
    query = _rows(features.query_pids, features.query_cams, test_set.query, f"{source}: query")
    gallery = _rows(
        features.gallery_pids, features.gallery_cams, test_set.gallery, f"{source}: gallery"
    )
    rows = features.select(query, gallery)
    return Features(
        rows.query, rows.gallery, test_set.query.pids, test_set.gallery.pids,
        test_set.query.cams, test_set.gallery.cams,
    )  # fmt: skip


def _rows(pid: Tensor | None, cam: Tensor | None, samples: Samples, name: str) -> NDArray[np.int64]:
    """For each sample the row that holds it."""
    if pid is None:
        raise ValueError(f"{name}_pid: expected identities to find the images by, got none")
    pids = pid.numpy()
    several = len(np.unique(samples.cams)) > 1
    if several and cam is None:
        raise ValueError(f"{name}_cam: expected cameras to find the images by, got none")
    cams = cam.numpy() if several and cam is not None else np.full_like(pids, samples.cams[0])
    rows = np.flatnonzero(np.isin(pids, samples.pids) & np.isin(cams, samples.cams))
    found = rows[np.lexsort((cams[rows], pids[rows]))]
    wanted = np.lexsort((samples.cams, samples.pids))
    _require_same_counts(
        np.stack([pids[found], cams[found]], 1),
        np.stack([samples.pids[wanted], samples.cams[wanted]], 1),
        name,
    )
    result = np.empty(len(wanted), dtype=np.int64)
    result[wanted] = found
    return result


def _require_same_counts(got: NDArray[np.int64], wanted: NDArray[np.int64], name: str) -> None:
    keys, inverse = np.unique(np.concatenate([got, wanted]), axis=0, return_inverse=True)
    have = np.bincount(inverse[: len(got)], minlength=len(keys))
    need = np.bincount(inverse[len(got) :], minlength=len(keys))
    differ = np.flatnonzero(have != need)
    if len(differ):
        pid, cam = keys[differ[0]]
        raise ValueError(
            f"{name}: expected {need[differ[0]]} rows of identity {pid}, camera {cam}, as many as "
            f"the dataset has images, got {have[differ[0]]} ({len(differ)} such differences); to "
            "score the file as the one trial it holds, use --dataset.name features with "
            "--dataset.protocol. In the folder layout identity i is the i-th of the sorted names"
        )
