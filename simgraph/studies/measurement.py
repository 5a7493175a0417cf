"""Measure one method: its scores, its time, and its peak memory."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import signal
import time
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from typing import Any

import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from simgraph import _memory
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
    """Scores and cost of a method on one set of features.

    Attributes:
        scores: rank1, rank5, rank10, rank20, mAP and mINP, in [0, 1].
        average_precision: of each query; None for a query without a match.
        seconds: wall time of the call, from features to distances.
        peak_mib: peak memory of the call, above libraries and inputs; None if not measured.
        chosen: parameter → number that `auto` chose; empty if no parameter was `auto`, or if
            queries were split into several calls, each with its own choice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: dict[str, float]
    average_precision: list[float | None]
    seconds: float
    peak_mib: float | None
    chosen: dict[str, int] = {}

    @property
    def scored(self) -> int:
        """Number of queries with a match."""
        return sum(ap is not None for ap in self.average_precision)


@dataclass(frozen=True)
class QueryBatches:
    """How queries are split into calls of a method."""

    batch_size: int
    """Queries per call."""
    num_scored: int
    """The first so many queries are scored; the others only take part in the calls."""


def measure(
    features: Features,
    protocol: str,
    method: str,
    params: dict[str, Any],
    batches: QueryBatches | None = None,
) -> Measurement:
    """Re-rank with a method and score the distances.

    Args:
        features: with identities, and cameras where the protocol needs them.
        protocol: one of `simgraph.evaluation.PROTOCOLS`.
        method: a key of `simgraph.rerankers.METHODS`.
        params: its parameters by name.
        batches: how queries are split into calls; None: all in one call, and all are scored.

    Returns:
        Scores and time of all calls together; memory is not measured.

    Raises:
        ValueError: for parameters that the method refuses on these features.
    """
    if batches is None:
        ranked = _ranked(features, method, params)
        return _scored(*ranked, features, protocol, chosen=_chosen(features, method, params))
    every_query, gallery = (torch.arange(len(side)) for side in (features.query, features.gallery))
    batched = torch.split(every_query, batches.batch_size)
    calls = [features.select(rows, gallery) for rows in batched]
    distances, seconds = zip(*(_ranked(call, method, params) for call in calls), strict=True)
    scored = every_query[: batches.num_scored]
    counted = features.select(scored, gallery)
    return _scored(torch.cat(distances)[: len(scored)], sum(seconds), counted, protocol)


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
    """Measure in a separate process, with its peak memory; see `measure`.

    The process imports its libraries and ranks a few rows before the clock starts, so that
    neither imports nor the compilation of kernels count.

    Raises:
        ValueError: for parameters that the method refuses, or a process that ended without a
            result, for example because the system ran out of memory.
    """
    context = _context()
    ours, theirs = context.Pipe()
    arrays = {name: None if t is None else t.numpy() for name, t in features.tensors().items()}
    process = context.Process(target=_answer, args=(theirs, arrays, protocol, method, params))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        process.join()
        raise ValueError(
            f"the process ended with exit code {process.exitcode} before its answer; the system "
            "ends a process that needs too much memory with -9"
        ) from None
    finally:
        # The process is not needed after its answer, nor after an interruption of this one.
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, str):
        raise ValueError(answer)
    return Measurement.model_validate(answer)


def _context() -> Any:
    """Fork from a server that has only imported: quick, and without the memory of this process."""
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
    """Run in the process: send a measurement, or the error of a method that refused."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this one
    features = Features(**arrays)  # type: ignore[arg-type]
    try:
        _warm_up(features, method, params)
        _return_freed_memory()
        before = _memory.reset_peak()
        distances, seconds = _ranked(features, method, params)
        peak = None if before is None else max(0, _memory.peak() - before) / _MIB
        chosen = _chosen(features, method, params)
        pipe.send(_scored(distances, seconds, features, protocol, peak, chosen).model_dump())
    except ValueError as error:
        pipe.send(str(error))


def _warm_up(features: Features, method: str, params: dict[str, Any]) -> None:
    """Load and compile what the method uses, on enough rows for its neighborhoods."""
    with contextlib.suppress(ValueError):
        few_queries, few_gallery = features.query[:_WARM_UP_ROWS], features.gallery[:_WARM_UP_ROWS]
        rerank(few_queries, few_gallery, method, **params)


def _return_freed_memory() -> None:
    """Return what the warm-up freed to the system: the call would reuse it uncounted."""
    with contextlib.suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
