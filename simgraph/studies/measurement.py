"""One measurement: how well a method ranks, how long it takes, and what memory it needs."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import signal
import time
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from simgraph._arrays import feature_pair
from simgraph.features import Features
from simgraph.pipeline import score
from simgraph.rerankers import parameters, rerank
from simgraph.results import RANKS
from simgraph.sim.auto import resolve_auto
from simgraph.sim.params import AUTO_PARAMETERS, SIMParams

_MIB = 2**20
_WARM_UP_ROWS = 128


class Measurement(BaseModel):
    """What a method did on one set of features.

    Attributes:
        scores: rank1, rank5, rank10, rank20, mAP and mINP, in [0, 1].
        average_precision: of each query; None where it has no match.
        seconds: wall time of the call, from features to distances.
        peak_mib: memory of the call at its most, above libraries and inputs; None where it was
            not measured.
        chosen: numbers that stood in for `auto`, by parameter; empty where none did, or where
            queries came in several calls, each with its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: dict[str, float]
    average_precision: list[float | None]
    seconds: float
    peak_mib: float | None
    chosen: dict[str, int] = {}

    @property
    def scored(self) -> int:
        """Queries with a match."""
        return sum(ap is not None for ap in self.average_precision)


@dataclass(frozen=True)
class Asked:
    """How queries come to a method."""

    together: int
    """Queries of a call."""
    scored: int
    """So many of the first count; the others are only asked with them."""


def measure(
    features: Features,
    protocol: str,
    method: str,
    params: dict[str, Any],
    asked: Asked | None = None,
) -> Measurement:
    """Rank with a method and score the ranking.

    Args:
        features: with identities, and cameras where the protocol needs them.
        protocol: one of `simgraph.evaluation.PROTOCOLS`.
        method: a key of `simgraph.rerankers.METHODS`.
        params: its parameters by name.
        asked: how queries come to it; None: all in one call, and all are scored.

    Returns:
        Scores and time, of all calls together; memory is not measured.

    Raises:
        ValueError: for parameters that the method refuses on these features.
    """
    if asked is None:
        ranked = _ranked(features, method, params)
        return _scored(*ranked, features, protocol, chosen=_chosen(features, method, params))
    every_query, gallery = (torch.arange(len(side)) for side in (features.query, features.gallery))
    calls = [features.select(rows, gallery) for rows in torch.split(every_query, asked.together)]
    distances, seconds = zip(*(_ranked(call, method, params) for call in calls), strict=True)
    counted = features.select(every_query[: asked.scored], gallery)
    return _scored(torch.cat(distances)[: asked.scored], sum(seconds), counted, protocol)


def _ranked(features: Features, method: str, params: dict[str, Any]) -> tuple[Tensor, float]:
    begin = time.perf_counter()
    distances = rerank(features.query, features.gallery, method, **params)
    return distances, time.perf_counter() - begin


def _chosen(features: Features, method: str, params: dict[str, Any]) -> dict[str, int]:
    """What the method's own call settled for `auto`, found again so as not to be in its time."""
    if "auto" not in params.values():
        return {}
    own = {f.name: params[f.name] for f in fields(SIMParams) if f.name in params}
    normalize = params.get("normalize", True)
    pair = feature_pair(features.query, features.gallery, normalize)
    p = resolve_auto(SIMParams(**own), *pair, normalize)
    return {name: getattr(p, name) for name in AUTO_PARAMETERS if name in parameters(method)}


def _scored(
    distances: Tensor,
    seconds: float,
    features: Features,
    protocol: str,
    peak: float | None = None,
    chosen: dict[str, int] | None = None,
) -> Measurement:
    metrics = score(distances, features, protocol)
    scores = {f"rank{r}": metrics.rank(r) for r in RANKS}
    return Measurement(
        scores={**scores, "mAP": metrics.mAP, "mINP": metrics.mINP},
        average_precision=[None if ap != ap else ap for ap in metrics.average_precision.tolist()],
        seconds=seconds,
        peak_mib=peak,
        chosen=chosen or {},
    )


def measure_fresh(
    features: Features, protocol: str, method: str, params: dict[str, Any]
) -> Measurement:
    """As `measure`, in a process of its own, with its peak memory.

    The process has loaded its libraries and ranked a few rows before the clock starts, so that
    neither imports nor compiled kernels count.

    Raises:
        ValueError: for parameters that the method refuses, or a process that ended before its
            answer, as one does that the system has no memory for.
    """
    context = _context()
    ours, theirs = context.Pipe()
    arrays = {name: None if t is None else t.numpy() for name, t in vars(features).items()}
    process = context.Process(target=_answer, args=(theirs, arrays, protocol, method, params))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        process.join()
        raise ValueError(
            f"the process ended with exit code {process.exitcode} before its answer; -9 is what "
            "the system gives one that needs more memory than there is"
        ) from None
    finally:
        # An answer ends the process; so does an interruption of ours.
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, str):
        raise ValueError(answer)
    return Measurement.model_validate(answer)


def _context() -> Any:
    """Processes forked from a server that has only imported: quick, and nothing of ours in them."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _answer(
    pipe: Connection,
    arrays: dict[str, NDArray[Any] | None],
    protocol: str,
    method: str,
    params: dict[str, Any],
) -> None:
    """What runs in the process: a measurement, or the words of the method's refusal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this one
    features = Features(**arrays)  # type: ignore[arg-type]
    try:
        _warm_up(features, method, params)
        before = _reset_peak()
        distances, seconds = _ranked(features, method, params)
        peak = None if before is None else max(0, _memory("VmHWM") - before) / _MIB
        chosen = _chosen(features, method, params)
        pipe.send(_scored(distances, seconds, features, protocol, peak, chosen).model_dump())
    except ValueError as error:
        pipe.send(str(error))


def _warm_up(features: Features, method: str, params: dict[str, Any]) -> None:
    """Load and compile what the method uses, on rows that are few but enough for its sets."""
    with contextlib.suppress(ValueError):
        few_queries, few_gallery = features.query[:_WARM_UP_ROWS], features.gallery[:_WARM_UP_ROWS]
        rerank(few_queries, few_gallery, method, **params)


def _reset_peak() -> int | None:
    """Let the peak count from now; memory held now, or None where the system has no such count."""
    with contextlib.suppress(AttributeError, OSError):  # another C library than glibc
        # What the warm-up has freed goes back to the system, or the call would use it unseen.
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _memory("VmRSS")


def _memory(key: str) -> int:
    """A figure of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
