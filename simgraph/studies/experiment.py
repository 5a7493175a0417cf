"""Experiments of a study: each is measured once, stored in a small file, and read the next time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import simgraph
from simgraph._files import atomic_write
from simgraph.rerankers import METHODS
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.measurement import Measurement, QueryBatches, measure, measure_fresh
from simgraph.studies.settings import ParameterValue, method_of

logger = logging.getLogger(__name__)

# Increase this when the content of an experiment's file changes: older files are not read then.
_FORMAT = 3

# The code that scores depend on. Reports, studies, training and pictures are not part of it:
# editing a stylesheet must not repeat measurements.
_SOURCES = (
    "_arrays.py", "_bytes.py", "_exact_products.py", "_memory.py", "distances.py",
    "evaluation.py", "graph/**/*.py", "sim/**/*.py", "rerankers/**/*.py", "kernels/**/*.py",
)  # fmt: skip

# Code hashes of earlier versions whose scores are equal to the bit, so that their experiments are
# read instead of measured again. Drop a hash with the first change of a score, or after a release.
_EQUAL_CODE = ("5fce45ec9ede3ece682dec66c7de001f52d99b2ee58e73cf0bd75ea9701c2331",)


@dataclass(frozen=True, eq=False)
class Experiment:
    """One method with its parameters on one trial.

    Attributes:
        trial: the features to rank.
        method: its name in the study.
        params: all parameters that it is called with.
        parameter: the parameter that the study varies; empty if it varies none.
        parameter_value: its value.
        repeat: number of the draw.
        batches: how queries are split into calls; None: all in one call.
    """

    trial: StudyTrial
    method: str
    params: dict[str, Any]
    parameter: str = ""
    parameter_value: ParameterValue = ""
    repeat: int = 0
    batches: QueryBatches | None = None

    def __str__(self) -> str:
        varied = f", {self.parameter} = {self.parameter_value}" if self.parameter else ""
        return f"{self.trial.dataset}, trial {self.trial.number}: {self.method}{varied}"


@dataclass(frozen=True, eq=False)
class ExperimentResult:
    """The measurement of an experiment, or the error with which the method refused it.

    It does not hold the features, because all results of a study are in memory together.
    """

    dataset: str
    trial: int
    query_fingerprint: str
    """Equal for trials with equal queries."""
    method: str
    params: dict[str, Any]
    parameter: str
    parameter_value: ParameterValue
    repeat: int
    measurement: Measurement | None
    refusal: str = ""

    @property
    def transductive(self) -> bool:
        """Whether the ranking of a query depended on other queries: `auto` chooses k by all."""
        by_queries = self.params.get("k") == "auto" and not self.params.get("images_per_identity")
        return METHODS[method_of(self.method)].transductive or by_queries


def run_experiment(experiment: Experiment, folder: Path, fresh: bool) -> ExperimentResult:
    """Measure an experiment, or read the measurement of an earlier run.

    Args:
        experiment: what to measure.
        folder: of the files, one per experiment.
        fresh: measure in a separate process, with peak memory.

    Returns:
        The measurement; or the error of a method whose parameters do not fit the features, which
        is not stored.
    """
    measurement, refusal = _stored(experiment, folder, fresh), ""
    if measurement is None:
        try:
            measurement = _measured(experiment, fresh)
        except ValueError as error:
            logger.warning("%s: left out: %s", experiment, error)
            refusal = str(error)
        else:
            key = _key(experiment, fresh)
            _write(_file(folder, key), key, measurement)
    trial = experiment.trial
    return ExperimentResult(
        trial.dataset, trial.number, trial.query_fingerprint, experiment.method, experiment.params,
        experiment.parameter, experiment.parameter_value, experiment.repeat, measurement, refusal,
    )  # fmt: skip


def _measured(experiment: Experiment, fresh: bool) -> Measurement:
    trial, method = experiment.trial, method_of(experiment.method)
    what = trial.features(), trial.protocol, method, experiment.params
    return measure_fresh(*what) if fresh else measure(*what, experiment.batches)


def _stored(experiment: Experiment, folder: Path, fresh: bool) -> Measurement | None:
    key = _key(experiment, fresh)
    # The time of another version is not the time of this one.
    keys = [key] if fresh else [key, *_earlier_keys(key)]
    return next((m for m in (_read(_file(folder, k), k) for k in keys) if m is not None), None)


def _key(experiment: Experiment, fresh: bool) -> dict[str, Any]:
    """Everything that a measurement depends on; names that the study gives are not part of it."""
    batches = experiment.batches
    return {
        "format": _FORMAT,
        "code": _code(),
        "features": experiment.trial.fingerprint,
        "protocol": experiment.trial.protocol,
        "method": method_of(experiment.method),
        "params": experiment.params,
        # The file format has its own names for a QueryBatches.
        "asked": batches and {"together": batches.batch_size, "scored": batches.num_scored},
        # The time on one machine is not the time on another.
        "timed_on": _machine() if fresh else None,
    }


def _earlier_keys(key: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Keys under which the versions of `_EQUAL_CODE` stored the same experiment."""
    if "auto" in key["params"].values():
        return  # another rule chose its k
    method = key["method"].removesuffix("_authors")
    params = {name: v for name, v in key["params"].items() if name != "images_per_identity"}
    if method in ("sgr", "mnnr", "sim"):
        # These methods had an argument for what is a method of its own now.
        params = {"variant": "paper" if method == key["method"] else "authors", **params}
    for code in _EQUAL_CODE:
        yield {**key, "code": code, "method": method, "params": params}


def _machine() -> list[str | int | None]:
    return [platform.machine(), platform.processor(), os.cpu_count(), torch.get_num_threads()]


@cache
def _code() -> str:
    return code_hash(Path(simgraph.__file__).parent)


def code_hash(package: Path) -> str:
    """Hash the sources that scores depend on: a changed method is measured again.

    Args:
        package: the folder of the library.
    """
    digest = hashlib.sha256()
    for file in sorted({file for pattern in _SOURCES for file in package.glob(pattern)}):
        digest.update(f"{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _file(folder: Path, key: dict[str, Any]) -> Path:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return folder / f"{name}.json"


def _write(file: Path, key: dict[str, Any], measurement: Measurement) -> None:
    if file.exists() and not file.is_file():
        logger.warning("%s: no file, so the measurement is not stored; remove it", file)
        return
    with atomic_write(file) as temporary:
        content: dict[str, Any] = {"key": key, "measurement": measurement.model_dump()}
        content["digest"] = _digest(content)
        temporary.write_text(json.dumps(content), encoding="utf-8")


def _digest(content: dict[str, Any]) -> str:
    """A hash of what was measured and of what it depends on."""
    measured = [content["key"], content["measurement"]]
    return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()


def _read(file: Path, key: dict[str, Any]) -> Measurement | None:
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["key"] != json.loads(json.dumps(key)):
            raise ValueError("its settings do not match its name")
        if "digest" not in content:
            logger.info("%s: of an earlier version, without a digest; read unchecked", file)
        elif content["digest"] != _digest(content):
            raise ValueError("its values do not match its digest")
        return Measurement.model_validate(content["measurement"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        # The errors of pydantic and json are ValueErrors.
        first = str(error).splitlines()[0]
        logger.warning("%s: damaged, measured again: %s", file, first)
        return None
