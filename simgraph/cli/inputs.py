"""The files that a command reads: none of them may be one of its outputs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from simgraph._files import refuse_input_as_output
from simgraph._shipped_configs import find_config

_NETWORKS = ("last.safetensors", "best.safetensors")
_SPLITS = range(1, 11)
_CAMERAS = range(1, 7)


def keep_inputs(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Raise ValueError, before any work, if an output is an input: by name, link or hard link."""
    files = list(inputs)
    for output in outputs:
        refuse_input_as_output(output, files)


def config_files(arguments: Sequence[str] | None) -> list[Path]:
    """The files that --config names on a command line, each time it is given."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", action="append", default=[])
    return [find_config(file) for file in first.parse_known_args(arguments)[0].config]


def feature_files(features: str | None) -> Iterator[str]:
    """The files that `features` may stand for: one, one per trial, or one per camera."""
    if features:
        for trial in _SPLITS if "{trial}" in features else (1,):
            yield features.replace("{trial}", str(trial))
        for camera in _CAMERAS:
            yield f"{features}_cam{camera}.mat"


def checkpoint_files(checkpoint: str | None) -> Iterator[Path]:
    """The files that `checkpoint` may stand for: one, or those of the folder of a run."""
    if checkpoint:
        place = Path(checkpoint)
        yield place
        for folder in run_folders(checkpoint):
            yield from (folder / name for name in _NETWORKS)


def run_folders(run: str) -> list[Path]:
    """The folder of a run, and those that it may have for the network of each trial."""
    return [Path(run), *(Path(run) / f"trial_{split}" for split in _SPLITS)]
