"""From feature files to the features of each trial, in the row order of the test set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from simgraph._deprecation import renamed_arguments
from simgraph.config import FEATURES, Config, DatasetConfig
from simgraph.datasets import Samples, TestSet, find_dataset
from simgraph.datasets.alignment import align
from simgraph.features import Features, load_features

Source: TypeAlias = Callable[[TestSet, int], Features]
"""Called with a test set and the number of its split; returns the features of all its images."""


def trial_features(config: Config, source: Source | None = None) -> Iterator[Features]:
    """Iterate over the trials, as labeled features.

    Args:
        config: `features` names the files, `dataset` the trials.
        source: provides the features instead of the files.

    Yields:
        one `Features` per trial, with identities, and cameras where the dataset has them.

    Raises:
        FileNotFoundError: for missing feature or protocol files.
        ValueError: for features that do not match the dataset.
    """
    if source is None and config.features is None:
        raise ValueError(
            "features: expected a feature file or PREFIX of PREFIX_cam1.mat files, got none; "
            "set it in the config or with --features"
        )
    if source is None and config.dataset.name == FEATURES:
        yield _labeled(str(config.features))
        return
    read = source or files_source(str(config.features), config.dataset)
    for split in find_dataset(config.dataset.name).splits(config.dataset):
        test_set = load_test_set(config.dataset, split, images=source is not None)
        features = read(test_set, split)
        for trial in test_set.trials:
            yield features.select(trial.query, trial.gallery)


def _labeled(file: str) -> Features:
    features = load_features(file)
    if features.query_pids is None or features.gallery_pids is None:
        raise ValueError(
            f"{file}: expected query_pid and gallery_pid to score with; to rank without "
            "identities use `simgraph rerank`"
        )
    return features


def files_source(path: str, dataset: DatasetConfig) -> Source:
    """Read features from a file: one for all trials, or one per split with `{trial}` in its name.

    Args:
        path: the file, or a pattern of files.
        dataset: which test set the features belong to.

    Returns:
        a source that reads and aligns each split's file.

    Raises:
        FileNotFoundError: for a missing file of a split.
        ValueError: for a pattern where one file is expected, or the reverse.
    """
    if find_dataset(dataset.name).split_per_trial:
        files = split_files(path, dataset, "features")
        missing = [file for file in files.values() if not Path(file).is_file()]
        if missing:
            raise FileNotFoundError(f"features: no such files: {', '.join(missing)}")
    elif "{trial}" in path:
        raise ValueError(
            f"features: expected one file for all trials of {dataset.name}, got {path!r}; only "
            "a dataset with a network per trial has a file per trial"
        )

    def read(test_set: TestSet, split: int) -> Features:
        file = path.replace("{trial}", str(split))
        return align(load_features(file), test_set, file)

    return read


def split_files(path: str, dataset: DatasetConfig, key: str) -> dict[int, str]:
    """The feature file of each split.

    Args:
        path: a file, with `{trial}` in its name where the dataset has several splits.
        dataset: which test set the files belong to.
        key: name of the setting in errors.

    Returns:
        split → file.

    Raises:
        ValueError: for several splits and one file.
    """
    splits = find_dataset(dataset.name).splits(dataset)
    if len(splits) > 1 and "{trial}" not in path:
        raise ValueError(
            f"{key}: expected '{{trial}}' in {path!r}, because every trial of {dataset.name} has "
            "its own network; or use one file with --dataset.trials 1"
        )
    return {split: path.replace("{trial}", str(split)) for split in splits}


def num_trials(dataset: DatasetConfig) -> int:
    """Number of trials that `trial_features` yields."""
    return 1 if dataset.name == FEATURES else find_dataset(dataset.name).num_trials(dataset)


@renamed_arguments(trial="split")
def load_test_set(dataset: DatasetConfig, split: int = 1, images: bool = False) -> TestSet:
    """Load the test set that a config names.

    Args:
        dataset: name, root, mode, shots, trials, protocol.
        split: number of the split, from 1; most datasets have one.
        images: whether the image files must exist; lists and protocol files always must.

    Returns:
        its query and gallery samples and its trials.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for a missing root, an unknown mode, or inconsistent lists.
    """
    return find_dataset(dataset.name).load_test(dataset, split, images)


@renamed_arguments(trial="split")
def load_train_set(dataset: DatasetConfig, split: int = 1) -> tuple[Samples, Samples]:
    """Load the visible and infrared training images of the dataset that a config names.

    Args:
        dataset: name and root.
        split: number of the split, from 1; most datasets have one.

    Returns:
        visible and infrared samples, with the dataset's own identities.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for a dataset without training images.
    """
    return find_dataset(dataset.name).load_train(dataset, split)
