"""What `simgraph study tune` chooses on: labeled features that are not those of the test set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simgraph._progress import Track, no_progress
from simgraph.config import FEATURES, Config
from simgraph.datasets import find_dataset
from simgraph.features import Features, load_features
from simgraph.features.features import load_array
from simgraph.pipeline import scoring_protocol

if TYPE_CHECKING:
    from simgraph.studies.tuning_settings import TuneConfig


@dataclass(frozen=True)
class TuningInput:
    """Features to tune on.

    Attributes:
        features: with identities.
        protocol: to score them with.
        name: of the file or the run, and what identities they are of.
        digest: SHA-256 of the features file or of the network, in hexadecimal.
    """

    features: Features
    protocol: str
    name: str
    digest: str


def tuning_input(config: TuneConfig, track: Track = no_progress) -> TuningInput:
    """Read or extract the features, and refuse those of a test set.

    Args:
        config: names a feature file, or a network and a dataset whose training images it is to see.
        track: shows progress over batches of images.

    Returns:
        The features.

    Raises:
        FileNotFoundError: for a missing file, network or folder.
        ValueError: for none or both of them, for features without labels, or for features that
            share a file or rows with those of a test set.
    """
    if (config.features is None) == (config.checkpoint is None):
        raise ValueError("expected either --features FILE or --checkpoint RUN to tune on")
    found = _of_file(config) if config.checkpoint is None else _of_network(config, track)
    if found.features.query_pids is None or found.features.gallery_pids is None:
        raise ValueError(f"{found.name}: expected query_pid and gallery_pid to tune by, got none")
    for file in config.test:
        refuse_test_rows(found, file)
    return found


def refuse_test_rows(found: TuningInput, test: str) -> None:
    """Raise if features of a test set are those to tune on; the test's labels are not read.

    Args:
        found: what is tuned on.
        test: feature file of the test set.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for the same file, or for equal rows.
    """
    if file_digest(test) == found.digest:
        raise ValueError(f"tune: {found.name} is the test file {test}: {_INSTEAD}")
    for side in ("query", "gallery"):
        theirs = _rows(load_array(test, f"{side}_feat").numpy())
        for ours in ("query", "gallery"):
            own = _rows(getattr(found.features, ours).numpy())
            common = len(own & theirs)
            if common:
                raise ValueError(
                    f"tune: {common} {ours} rows of {found.name} are {side} rows of the test file "
                    f"{test}: {_INSTEAD}"
                )


_ENOUGH_DIMENSIONS = 8
_INSTEAD = (
    "parameters chosen on it would be chosen by test labels; use features of training or "
    "validation identities"
)


def file_digest(path: str) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        FileNotFoundError: for a missing file.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _of_file(config: TuneConfig) -> TuningInput:
    if config.dataset.name != FEATURES:
        raise ValueError(
            f"dataset.name: expected {FEATURES!r} with --features, got {config.dataset.name!r}: "
            "the trials of a dataset are its test set. The file is taken as one trial, scored "
            "under --dataset.protocol"
        )
    path = str(config.features)
    digest = file_digest(path)
    protocol = config.dataset.protocol or "plain"
    return TuningInput(load_features(path), protocol, Path(path).name, digest)


def _of_network(config: TuneConfig, track: Track) -> TuningInput:
    """Features of the training images of a dataset; its test images and lists are not read."""
    from simgraph.training.extraction import extract_train_set

    if config.dataset.name == FEATURES:
        raise ValueError("dataset.name: expected a dataset with --checkpoint, got 'features'")
    settings = Config(
        dataset=config.dataset, checkpoint=config.checkpoint, normalize=config.normalize
    )
    modes = find_dataset(config.dataset.name).modes
    infrared = not (config.dataset.mode or modes[0]).startswith("visible_to_")
    features, network, seen = extract_train_set(settings, infrared, track)
    of = "training identities, which the network has seen" if seen else "training identities"
    name = f"{of} of {config.dataset.name} by {Path(str(config.checkpoint)).name}"
    return TuningInput(features, scoring_protocol(settings), name, file_digest(str(network)))


def _rows(features: NDArray[np.floating]) -> set[bytes]:
    """Each row as one value, scaled to length 1 and rounded; rows of zeros are left out."""
    values = features.astype(np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    # A copy in another precision or scale is the same image: four digits are kept. In a few
    # dimensions the directions of different images can be equal.
    if values.shape[1] >= _ENOUGH_DIMENSIONS:
        values = values / np.maximum(length, 1e-30)
    rounded = (values.round(4) + 0.0).astype(np.float32)  # + 0.0 turns -0 into 0
    return {row.tobytes() for row in rounded[length.ravel() > 0]}
