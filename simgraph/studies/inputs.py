"""The inputs of a study: every trial of each feature file, checkpoint or config."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from simgraph.config import Config, load_config
from simgraph.datasets import TestSet
from simgraph.features import Features, load_features, save_features
from simgraph.pipeline import require_labels, scoring_protocol
from simgraph.studies.settings import StudyConfig
from simgraph.trials import Source, num_trials, trial_features


@dataclass(frozen=True, eq=False)
class StudyTrial:
    """One trial of one input, perturbed or not."""

    dataset: str
    number: int
    config: Config
    whole: Features
    change: Callable[[Features], Features] | None = None

    def features(self) -> Features:
        """The features, with the change applied at each call: no changed copy stays in memory."""
        return self.whole if self.change is None else self.change(self.whole)

    @property
    def protocol(self) -> str:
        """The protocol that it is scored with."""
        return scoring_protocol(self.config)

    @cached_property
    def fingerprint(self) -> str:
        """A hash that differs if any value or label of the features differs."""
        return fingerprint(*self.features().tensors().values())

    @cached_property
    def query_fingerprint(self) -> str:
        """A hash of the queries only: equal for trials that differ in their galleries."""
        features = self.features()
        return fingerprint(features.query, features.query_pids, features.query_cams)


def inputs(config: StudyConfig) -> dict[str, Config]:
    """List the inputs, each with the settings that `simgraph test` would score it with.

    Args:
        config: features and checkpoints get the study's dataset, sim, params and normalize;
            configs have their own.

    Returns:
        Short name → settings; names are the ends of the paths, long enough to differ.

    Raises:
        FileNotFoundError: for a missing config.
        ValueError: for no input, an input given twice, or a name that is not UTF-8.
    """
    shared = Config(
        dataset=config.dataset, sim=config.sim, params=config.params, normalize=config.normalize
    )
    found = {
        **{path: shared.model_copy(update={"features": path}) for path in config.features},
        **{path: shared.model_copy(update={"checkpoint": path}) for path in config.checkpoints},
        **{path: load_config(path) for path in config.configs},
    }
    if not found:
        raise ValueError("inputs: expected --features, --checkpoints or --configs, got none")
    if len(found) < len(config.features) + len(config.checkpoints) + len(config.configs):
        raise ValueError("inputs: expected each feature file, checkpoint and config once")
    for path in found:
        _require_text(path)
    return dict(zip(_short_names(list(found)), found.values(), strict=True))


def _require_text(path: str) -> None:
    """Check that a name can be written to a report, before anything is measured."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"inputs: expected a name in UTF-8, got {path!r}; rename it") from None


def _short_names(paths: list[str]) -> list[str]:
    parts = [Path(path.replace("{trial}", "")).with_suffix("").parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-length:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return paths


def input_trials(name: str, config: Config, folder: Path) -> Iterator[StudyTrial]:
    """Read and check the trials of one input.

    Args:
        name: of the input.
        config: its settings, which name its features.
        folder: where the features of a checkpoint are stored for the next run.

    Yields:
        The trials, numbered from 1.

    Raises:
        FileNotFoundError: for missing features, checkpoints or protocol files.
        ValueError: for bad features or missing labels.
    """
    source = None if config.checkpoint is None else _stored_features(config, folder)
    for number, features in enumerate(trial_features(config, source), start=1):
        require_labels(features, scoring_protocol(config))
        yield StudyTrial(name, number, config, features)


def count_trials(config: Config) -> int:
    """The number of trials that `input_trials` yields."""
    return num_trials(config.dataset)


def _stored_features(config: Config, folder: Path) -> Source:
    """Features of a checkpoint, extracted once and stored under a hash of network and dataset."""
    from simgraph.training.checkpoint import find_checkpoint
    from simgraph.training.extraction import checkpoint_source

    extract = checkpoint_source(config)

    def source(test_set: TestSet, split: int) -> Features:
        network = find_checkpoint(str(config.checkpoint), config, split)
        if not network.is_file():
            raise FileNotFoundError(f"{network}: no such checkpoint or folder of a training run")
        digest = hashlib.sha256(network.read_bytes())
        reading = [getattr(config, part).model_dump(mode="json") for part in ("dataset", "images")]
        digest.update(json.dumps([*reading, split]).encode())
        file = folder / f"{digest.hexdigest()[:24]}.safetensors"
        if not file.is_file():
            save_features(extract(test_set, split), file)
        return load_features(file)

    return source


def fingerprint(*tensors: Tensor | None) -> str:
    """A hash of the values, shapes and types of tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = np.empty(0) if tensor is None else np.ascontiguousarray(tensor.numpy())
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
