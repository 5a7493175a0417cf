"""What a study measures on: each trial of each feature file, checkpoint or config file."""

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
    """One trial of one input, as it is or with something done to it."""

    dataset: str
    number: int
    config: Config
    whole: Features
    change: Callable[[Features], Features] | None = None

    def features(self) -> Features:
        """The features with the change made anew each time: only one changed copy is held."""
        return self.whole if self.change is None else self.change(self.whole)

    @property
    def protocol(self) -> str:
        """The rules that score it."""
        return scoring_protocol(self.config)

    @cached_property
    def fingerprint(self) -> str:
        """Differs whenever a value or label of the features does."""
        return fingerprint(*vars(self.features()).values())

    @cached_property
    def query_fingerprint(self) -> str:
        """The same in all trials that ask the same queries of other galleries."""
        features = self.features()
        return fingerprint(features.query, features.query_pids, features.query_cams)


def inputs(config: StudyConfig) -> dict[str, Config]:
    """The inputs by name, each as the settings that tools/test.py would score it with.

    Args:
        config: its features and checkpoints take the study's dataset, sim, params and
            normalize; its configs bring their own.

    Returns:
        Short name → settings; names are the ends of the paths, as long as tells them apart.

    Raises:
        FileNotFoundError: for a config file that is not there.
        ValueError: for no input, or one given twice.
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
    return dict(zip(_short_names(list(found)), found.values(), strict=True))


def _short_names(paths: list[str]) -> list[str]:
    parts = [Path(path.replace("{trial}", "")).with_suffix("").parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-length:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return paths


def input_trials(name: str, config: Config, folder: Path) -> Iterator[StudyTrial]:
    """The trials of one input, checked, in turn.

    Args:
        name: of the input.
        config: that says where its features are.
        folder: where a checkpoint's features are kept for the next time.

    Yields:
        One trial after another, numbered from 1.

    Raises:
        FileNotFoundError: for missing features, checkpoints or protocol files.
        ValueError: for bad features or missing labels.
    """
    source = None if config.checkpoint is None else _kept(config, folder)
    for number, features in enumerate(trial_features(config, source), start=1):
        require_labels(features, scoring_protocol(config))
        yield StudyTrial(name, number, config, features)


def count_trials(config: Config) -> int:
    """How many trials `input_trials` yields."""
    return num_trials(config.dataset)


def _kept(config: Config, folder: Path) -> Source:
    """A checkpoint's features, extracted once: kept by what the checkpoint and settings are."""
    from simgraph.training.checkpoint import find_checkpoint
    from simgraph.training.extraction import checkpoint_source

    extract = checkpoint_source(config)

    def source(test_set: TestSet, trial: int) -> Features:
        network = Path(find_checkpoint(str(config.checkpoint), config, trial))
        if not network.is_file():
            raise FileNotFoundError(f"{network}: no such checkpoint or folder of a training run")
        digest = hashlib.sha256(network.read_bytes())
        digest.update(json.dumps([config.dataset.model_dump(mode="json"), trial]).encode())
        file = folder / f"{digest.hexdigest()[:24]}.safetensors"
        if not file.is_file():
            save_features(extract(test_set, trial), file)
        return load_features(file)

    return source


def fingerprint(*tensors: Tensor | None) -> str:
    """A hash of values, shapes and types."""
    digest = hashlib.sha256()
    for tensor in tensors:
        array = np.empty(0) if tensor is None else np.ascontiguousarray(tensor.numpy())
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
