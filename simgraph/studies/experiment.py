"""Cells of a study: each measured once, kept in a small file, and found there the next time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import simgraph
from simgraph._files import atomic_write
from simgraph.rerankers import METHODS
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.measurement import Asked, Measurement, measure, measure_fresh
from simgraph.studies.methods import Value, method_of

logger = logging.getLogger(__name__)

# Whoever changes what a cell's file holds changes this, so that old files are not read.
_FORMAT = 3

# What a figure depends on; reports and training do not change it.
_SOURCES = ("*.py", "rerankers/*.py", "kernels/**/*.py")


@dataclass(frozen=True, eq=False)
class Cell:
    """A method with its parameters on a trial, and what of it the study varies.

    Attributes:
        trial: what is ranked.
        method: as the study names it.
        params: all that it is called with.
        parameter: what is varied.
        value: of it.
        repeat: number of the draw.
        asked: how the queries come to it; None: all in one call.
    """

    trial: StudyTrial
    method: str
    params: dict[str, Any]
    parameter: str = ""
    value: Value = ""
    repeat: int = 0
    asked: Asked | None = None

    def __str__(self) -> str:
        varied = f", {self.parameter} = {self.value}" if self.parameter else ""
        return f"{self.trial.dataset}, trial {self.trial.number}: {self.method}{varied}"


@dataclass(frozen=True, eq=False)
class Record:
    """What was measured in a cell, or the words with which the method refused.

    The features are left behind: all records of a study are held at once.
    """

    dataset: str
    trial: int
    queries: str
    """Fingerprint of the queries: trials with the same are of the same queries."""
    method: str
    params: dict[str, Any]
    parameter: str
    value: Value
    repeat: int
    measurement: Measurement | None
    refusal: str = ""

    @property
    def transductive(self) -> bool:
        """Whether the answer to a query depended on the others: `auto` chooses by them all."""
        return METHODS[method_of(self.method)].transductive or "auto" in self.params.values()


def record(cell: Cell, folder: Path, fresh: bool) -> Record:
    """Measure a cell, or read what a run before has measured.

    Args:
        cell: what to measure.
        folder: of the files, one a cell.
        fresh: measure in a process of its own, with peak memory.

    Returns:
        The measurement; or the refusal of a method whose parameters do not fit the features,
        which is not kept.
    """
    key = _key(cell, fresh)
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    file = folder / f"{name}.json"
    measurement, refusal = _read(file, key), ""
    if measurement is None:
        try:
            measurement = _measured(cell, fresh)
        except ValueError as error:
            logger.warning("%s: left out: %s", cell, error)
            refusal = str(error)
        else:
            _write(file, key, measurement)
    trial = cell.trial
    return Record(
        trial.dataset, trial.number, trial.query_fingerprint, cell.method, cell.params,
        cell.parameter, cell.value, cell.repeat, measurement, refusal,
    )  # fmt: skip


def _measured(cell: Cell, fresh: bool) -> Measurement:
    what = cell.trial.features(), cell.trial.protocol, method_of(cell.method), cell.params
    return measure_fresh(*what) if fresh else measure(*what, cell.asked)


def _write(file: Path, key: dict[str, Any], measurement: Measurement) -> None:
    with atomic_write(file) as temporary:
        held = {"key": key, "measurement": measurement.model_dump()}
        temporary.write_text(json.dumps(held), encoding="utf-8")


def _key(cell: Cell, fresh: bool) -> dict[str, Any]:
    """All that a measurement depends on; what the study calls it is not part of it."""
    return {
        "format": _FORMAT,
        "code": _code(),
        "features": cell.trial.fingerprint,
        "protocol": cell.trial.protocol,
        "method": method_of(cell.method),
        "params": cell.params,
        "asked": None if cell.asked is None else asdict(cell.asked),
        # Times of one machine say nothing of another.
        "timed_on": _machine() if fresh else None,
    }


def _machine() -> list[str | int | None]:
    return [platform.machine(), platform.processor(), os.cpu_count(), torch.get_num_threads()]


@cache
def _code() -> str:
    """A hash of the library's sources: an edited method is measured anew."""
    root = Path(simgraph.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(file for pattern in _SOURCES for file in root.glob(pattern)):
        digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _read(file: Path, key: dict[str, Any]) -> Measurement | None:
    if not file.is_file():
        return None
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        if held["key"] != json.loads(json.dumps(key)):
            raise ValueError("it holds other settings than its name says")
        return Measurement.model_validate(held["measurement"])
    except (ValueError, KeyError, TypeError) as error:
        # pydantic's and json's errors are ValueErrors.
        first = str(error).splitlines()[0]
        logger.warning("%s: damaged, measured again: %s", file, first)
        return None
