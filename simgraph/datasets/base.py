"""What a dataset tells the package about itself: `DatasetLoader`, one per file of `datasets/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from simgraph.datasets.samples import Samples, TestSet

__all__ = ["DatasetLoader", "DatasetSettings", "chosen_mode", "dataset_root", "wrong_mode"]

ModeT = TypeVar("ModeT", bound=str)


class DatasetSettings(Protocol):
    """The settings that loaders read; `simgraph.config.DatasetConfig` has them."""

    @property
    def name(self) -> str:
        """Key of `DATASETS`."""

    @property
    def root(self) -> str | None:
        """Folder of the dataset."""

    @property
    def mode(self) -> str | None:
        """One of the loader's modes; None takes the first."""

    @property
    def shots(self) -> int:
        """Gallery images per identity and camera, where the protocol draws them."""

    @property
    def trials(self) -> int:
        """Number of trials."""

    @property
    def protocol(self) -> str | None:
        """Scoring protocol; None takes the loader's own."""


@dataclass(frozen=True)
class DatasetLoader:
    """A dataset that configs can name.

    A split is a division of the identities into training and test. It has its own lists, trained
    network and feature file. Most datasets have one split and draw all trials from its test set.

    Args:
        name: its key in `DATASETS`, and `dataset.name` in configs.
        modes: search directions or camera sets; the first is the default.
        protocol: its own scoring protocol, a key of `simgraph.evaluation.PROTOCOLS`.
        needs: what its root folder must hold, for error messages.
        load_test: settings, split and whether the image files must exist → test set.
        load_train: settings and split → visible and infrared training samples.
        max_trials: trials that the protocol publishes; settings that ask for more get these.
        split_per_trial: whether each trial is a split of its own.
    """

    name: str
    modes: tuple[str, ...]
    protocol: str
    needs: str
    load_test: Callable[[DatasetSettings, int, bool], TestSet]
    load_train: Callable[[DatasetSettings, int], tuple[Samples, Samples]]
    max_trials: int = 10
    split_per_trial: bool = False

    def num_trials(self, settings: DatasetSettings) -> int:
        """Number of trials that are scored, over all splits."""
        return min(settings.trials, self.max_trials)

    def splits(self, settings: DatasetSettings) -> range:
        """Numbers of the splits that take part, from 1."""
        return range(1, self.num_trials(settings) + 1 if self.split_per_trial else 2)

    def locate(self, trial: int) -> tuple[int, int]:
        """Find a trial, counted from 1: its split, and its position in that split's trials."""
        return (trial, 0) if self.split_per_trial else (1, trial - 1)


def dataset_root(settings: DatasetSettings, needs: str) -> Path:
    """Check and return the folder of the dataset that settings name.

    Args:
        settings: with `name` and `root`.
        needs: what the folder must hold.

    Returns:
        `root` as a path.

    Raises:
        FileNotFoundError: for a folder that is not there.
        ValueError: for settings without a root.
    """
    if settings.root is None:
        raise ValueError(
            f"dataset.root: expected the folder of {settings.name}, with {needs}, got none"
        )
    root = Path(settings.root)
    if not root.is_dir():
        raise FileNotFoundError(f"dataset.root: {settings.root}: no such folder")
    return root


def wrong_mode(mode: str, modes: tuple[str, ...]) -> str:
    """The error message for a mode that is not one of `modes`."""
    return f"mode must be {' or '.join(map(repr, modes))}, got {mode!r}"


def chosen_mode(settings: DatasetSettings, modes: tuple[ModeT, ...]) -> ModeT:
    """The mode that settings ask for; the first one where they ask for none.

    Args:
        settings: with `mode`.
        modes: those of the dataset, at least one.

    Returns:
        One of `modes`.

    Raises:
        ValueError: for a mode that is not one of them.
    """
    for mode in modes:
        if settings.mode in (None, mode):
            return mode
    raise ValueError(wrong_mode(str(settings.mode), modes))
