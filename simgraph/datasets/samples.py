"""What loaders return: the images of a test set, and those that each trial uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Samples", "TestSet", "Trial"]


@dataclass(frozen=True, eq=False)
class Samples:
    """The images of one side of a test set, or of one modality for training, in a fixed order.

    Args:
        paths: [N] image files relative to the dataset's root, with forward slashes.
        pids: [N] identities, as the dataset numbers them (not 0..C-1).
        cams: [N] cameras, 0 where a dataset has none.

    Raises:
        ValueError: for three lengths that differ, or pids or cams that are not whole numbers.
    """

    paths: tuple[str, ...]
    pids: NDArray[np.int64]
    cams: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", tuple(self.paths))
        for name in ("pids", "cams"):
            values = _frozen_integers(getattr(self, name), f"Samples.{name}")
            if len(values) != len(self.paths):
                raise ValueError(
                    f"Samples.{name} must have one entry per path: expected {len(self.paths)}, "
                    f"got {len(values)}"
                )
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, index: Sequence[int] | NDArray[np.int64]) -> Samples:
        """Take the given rows, in the given order.

        Args:
            index: [M] row numbers in [0, N).

        Returns:
            the M rows.

        Raises:
            ValueError: for a row outside [0, N).
        """
        rows = _frozen_integers(index, "index")
        _check_rows(rows, len(self), "index")
        return Samples(tuple(self.paths[i] for i in rows), self.pids[rows], self.cams[rows])


@dataclass(frozen=True, eq=False)
class Trial:
    """The images that take part in one trial of a protocol.

    Args:
        query: [M_q] rows of `TestSet.query`.
        gallery: [M_g] rows of `TestSet.gallery`.

    Raises:
        ValueError: for no rows, or rows that are not whole numbers.
    """

    query: NDArray[np.int64]
    gallery: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("query", "gallery"):
            rows = _frozen_integers(getattr(self, name), f"Trial.{name}")
            if not len(rows):
                raise ValueError(f"Trial.{name} must hold at least one row, got none")
            object.__setattr__(self, name, rows)


@dataclass(frozen=True, eq=False)
class TestSet:
    """A test set and its trials: features are computed once per image, and a trial selects rows.

    Args:
        name: the dataset, such as "sysu_mm01".
        root: folder that the paths are relative to.
        query: all query images.
        gallery: all images that are in the gallery of any trial.
        trials: the trials that scores are averaged over.
        protocol: key of `simgraph.evaluation.PROTOCOLS`.
        query_infrared: whether the queries are the infrared side, and the gallery the visible one.
        identity_names: names whose positions are the identities; None where the dataset numbers
            its identities itself.
        paths_listed: whether the paths are those of a list or of files on disk; False where only
            the number of images per identity and camera is known.

    Raises:
        ValueError: for no trials, or a trial with a row that is not there.
    """

    __test__ = False  # pytest would collect the class by its name

    name: str
    root: Path
    query: Samples
    gallery: Samples
    trials: tuple[Trial, ...]
    protocol: str
    query_infrared: bool = True
    identity_names: tuple[str, ...] | None = None
    paths_listed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "trials", tuple(self.trials))
        if not self.trials:
            raise ValueError(f"{self.name}: a test set needs at least one trial, got none")
        for number, trial in enumerate(self.trials):
            _check_rows(trial.query, len(self.query), f"{self.name} trial {number}: query")
            _check_rows(trial.gallery, len(self.gallery), f"{self.name} trial {number}: gallery")


def _frozen_integers(values: ArrayLike, what: str) -> NDArray[np.int64]:
    """Copy into a read-only int64 vector: samples are shared between trials and threads."""
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(
            f"{what} must be a vector of whole numbers, got {given.dtype} of shape {given.shape}"
        )
    copy = np.array(given, dtype=np.int64)
    copy.setflags(write=False)
    return copy


def _check_rows(rows: NDArray[np.int64], size: int, what: str) -> None:
    """Check that rows are in [0, size); negative ones would silently count from the end."""
    if len(rows) and not (rows.min() >= 0 and rows.max() < size):
        raise ValueError(f"{what} rows must be in [0, {size}), got {rows.min()}..{rows.max()}")
