"""SIM over many processes or machines: gallery and queries sharded over Ray.

Needs the extra `scale`, and is not imported by `import simgraph`. Shards are the blocks of rows
that a single process would use, for any number of workers, so the result is the same.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import (
    Array,
    ArrayT,
    checked_rows,
    feature_pair,
    like_inputs,
    matrix,
    to_tensor,
)
from simgraph._deprecation import renamed_arguments
from simgraph._params import require_int
from simgraph.distances import CenteredRows, l2_blocks, l2_row_blocks, nearest_in_blocks
from simgraph.kernels import ReciprocalSets
from simgraph.search import SIMIndex
from simgraph.sim.auto import resolve_auto
from simgraph.sim.fusion import fuse
from simgraph.sim.mnnr import neighbor_sets
from simgraph.sim.params import Auto, SIMParams
from simgraph.sim.sgr import two_hop_distances

try:
    import ray
except ImportError as error:
    raise ImportError("simgraph.distributed needs Ray: pip install 'simgraph[scale]'") from error

logger = logging.getLogger(__name__)

# How often a shard is given to another worker after one dies.
_RETRIES = 10
# Ray itself tries an address for minutes before it gives up.
_SECONDS_TO_ANSWER = 5
# The first bytes of an HTTP/2 connection (RFC 9113, 3.4): a preface and an empty SETTINGS frame.
# The server answers with a SETTINGS frame of its own, whose fourth byte is its type.
_HTTP2_SETTINGS = b"\x04"
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0" + _HTTP2_SETTINGS + bytes(5)

Arrays = dict[str, NDArray[Any]]


def rerank(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int | Auto = 20,
    lam: float = 0.01,
    num_paths: int | Auto = 9,
    k_query: int | Auto = 20,
    k_gallery: int | Auto = 20,
    alpha: float = 0.3,
    expand: bool = True,
    images_per_identity: float | None = None,
    normalize: bool = True,
    workers: int = 2,
    address: str | None = None,
) -> ArrayT:
    """Compute d_SIM as `simgraph.rerank(query, gallery, "sim")` does, on Ray workers.

    Args:
        query: [Nq, D], floating, numpy or torch on the CPU.
        gallery: [Ng, D], the same.
        k: gallery neighbors per gallery node, 0 <= k < Ng; or `"auto"`, as there.
        lam: λ in [0, 1], scale of gallery distances.
        num_paths: K, 1..k + 1; `"auto"` follows k.
        k_query: k_q, 1..Ng, likewise.
        k_gallery: k_g, 0..k, likewise.
        alpha: α in [0, 1], weight of d_S.
        expand: whether to expand the reciprocal sets.
        images_per_identity: about how many gallery images each identity has, where that is known:
            `"auto"` then chooses by it.
        normalize: scale every feature row to length 1 first.
        workers: shards worked on at a time, each on one core.
        address: of a running Ray cluster, or `"auto"`; None uses the cluster that the process is
            connected to, or starts one on this machine and ends it afterwards.

    Returns:
        [Nq, Ng], numpy if both inputs are, else torch; equal for any number of workers.

    Raises:
        ValueError: for bad features, parameters out of range, or a malformed address.
        ConnectionError: when nothing answers at the address.
    """
    q, g = feature_pair(query, gallery, normalize)
    given = SIMParams(k, lam, num_paths, k_query, k_gallery, alpha, expand, images_per_identity)
    p = resolve_auto(given, q, g, normalize)
    p.check(len(g))
    with _cluster(workers, address):
        rows = ray.put(_numbers(CenteredRows.of(g.detach())))
        nearest = _neighbors(rows, g, p.k, workers)
        lists = ray.put((nearest, neighbor_sets(nearest[1], p.k_gallery, p.expand)))
        shards = [(q[s].detach().numpy(),) for s in l2_row_blocks(len(q), g)]
        parts = _run(_sim_rows, shards, (rows, lists, p), workers, "queries")
    return like_inputs(torch.cat([to_tensor(part, "d_sim") for part in parts]), query, gallery)


def fit(
    index: SIMIndex,
    gallery: Array,
    *,
    query: Array | None = None,
    workers: int = 2,
    address: str | None = None,
) -> SIMIndex:
    """`index.fit(gallery)` with the exact neighbors, found by Ray workers.

    Args:
        index: filled in place.
        gallery: features [Ng, D], floating, numpy or torch on the CPU.
        query: to choose k by where it is `"auto"`, as there.
        workers: see `rerank`.
        address: see `rerank`.

    Returns:
        The index.

    Raises:
        ValueError: for bad features, or parameters that do not fit the gallery's size.
        ConnectionError: when nothing answers at the address.
    """
    x = matrix(gallery, "gallery").detach()
    p = index.resolve(x, query)
    g = checked_rows(x, "gallery", index.normalize)
    with _cluster(workers, address):
        rows = ray.put(_numbers(CenteredRows.of(g)))
        nearest = _neighbors(rows, g, p.k, workers)
    return index.fit_resolved(x, p, nearest)


@renamed_arguments(top="top_k", probes="num_probes")
def search(
    index: SIMIndex,
    query: ArrayT,
    top_k: int = 20,
    *,
    num_probes: int | None = None,
    workers: int = 2,
    address: str | None = None,
) -> tuple[ArrayT, ArrayT]:
    """Run `index.search(query, top_k, num_probes)` on Ray workers, which share the queries.

    Args:
        index: a fitted one; sent to each machine once.
        query: features [Nq, D], floating, numpy or torch on the CPU.
        top_k: length of each list.
        num_probes: lists to probe, see `SIMIndex.search`.
        workers: see `rerank`.
        address: see `rerank`.

    Returns:
        distances d_SIM [Nq, top_k], ascending, and indices [Nq, top_k]; numpy if the queries are.

    Raises:
        ValueError: for bad features, or an index without a gallery.
        ConnectionError: when nothing answers at the address.
    """
    q = matrix(query, "query").detach()
    arrays, settings = index.state()
    gallery = to_tensor(arrays["features"], "gallery")
    with _cluster(workers, address):
        shards = [(q[s].numpy(),) for s in l2_row_blocks(len(q), gallery)]
        state = ray.put((arrays, settings))
        parts = _run(_search_rows, shards, (state, top_k, num_probes), workers, "queries")
    found, indices = (torch.cat([torch.tensor(p[i]) for p in parts]) for i in range(2))
    return like_inputs(found, query), like_inputs(indices, query)


def _neighbors(rows: Any, g: Tensor, k: int, workers: int) -> tuple[Tensor, Tensor]:
    shards = [(part.start, part.stop) for part in l2_row_blocks(len(g), g)]
    parts = _run(_nearest_rows, shards, (rows, k), workers, "gallery")
    distances, neighbors = (torch.cat([torch.tensor(p[i]) for p in parts]) for i in range(2))
    return distances, neighbors


# --- what workers do --------------------------------------------------------------------------


def _nearest_rows(start: int, stop: int, rows: Arrays, k: int) -> tuple[Any, Any]:
    to = _rows(rows)
    distances, index = nearest_in_blocks(l2_blocks(to.features[start:stop], to), k, start)
    return distances.numpy(), index.numpy()


def _sim_rows(
    q: NDArray[Any],
    rows: Arrays,
    lists: tuple[tuple[Tensor, Tensor], ReciprocalSets],
    p: SIMParams,
) -> NDArray[Any]:
    nearest, sets = lists
    d_qg = torch.cat([d for _, d in l2_blocks(to_tensor(q, "query"), _rows(rows))])
    answer: NDArray[Any] = fuse(two_hop_distances(d_qg, nearest, p), sets, p).numpy()
    return answer


def _search_rows(
    q: NDArray[Any], state: tuple[Arrays, dict[str, Any]], top_k: int, num_probes: int | None
) -> tuple[Any, Any]:
    return SIMIndex.of_state(*state).search(q, top_k, num_probes)


def _numbers(rows: CenteredRows) -> Arrays:
    """The same as numpy arrays, which workers of a machine share without a copy."""
    return {name: tensor.numpy() for name, tensor in vars(rows).items()}


def _rows(arrays: Arrays) -> CenteredRows:
    return CenteredRows(**{name: to_tensor(array, name) for name, array in arrays.items()})


# --- Ray --------------------------------------------------------------------------------------


def _run(
    work: Callable[..., Any], shards: list[Any], common: tuple[Any, ...], workers: int, what: str
) -> list[Any]:
    """work(*shard, *common) of every shard, in order, at most `workers` at a time."""
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(work)
    results: list[Any] = [None] * len(shards)
    running: dict[Any, int] = {}
    for i, shard in enumerate(shards):
        if len(running) == workers:
            _collect(running, results)
        running[task.remote(*shard, *common)] = i
    while running:
        _collect(running, results)
    logger.info("%s: %d shards done by at most %d workers", what, len(shards), workers)
    return results


def _collect(running: dict[Any, int], results: list[Any]) -> None:
    """Wait for one of the running shards and put its result in place."""
    (done,), _ = ray.wait(list(running))
    results[running.pop(done)] = ray.get(done)


@contextmanager
def _cluster(workers: int, address: str | None) -> Iterator[None]:
    """Connect to the cluster at the address; without one use the caller's, or start one."""
    require_int("workers", workers, 1)
    if ray.is_initialized():
        yield
        return
    # Ray sends usage statistics to its developers unless this is set.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = address is None
    if address is not None:
        _require_answer(address)
    ray.init(
        address="local" if local else address,
        num_cpus=workers if local else None,
        include_dashboard=False if local else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise within seconds, before Ray starts anything, unless a server answers at the address."""
    if address in ("auto", "local"):
        return
    host, port = _host_and_port(address)
    problems: Queue[str] = Queue()
    # Nothing but a thread limits the time of a name server; a daemon does not delay the exit.
    Thread(target=_greet, args=(host, port, problems), daemon=True).start()
    try:
        problem = problems.get(timeout=_SECONDS_TO_ANSWER)
    except Empty:
        problem = f"no answer within {_SECONDS_TO_ANSWER} s"
    if problem:
        raise ConnectionError(
            f"address {address!r}: expected a running Ray cluster, but none answers ({problem}); "
            "start one with `ray start --head`, or leave out the address"
        )


def _greet(host: str, port: int, problems: Queue[str]) -> None:
    """Put the reason why no gRPC server, as Ray's are, answers there; an empty one if it does."""
    problem = ""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS_TO_ANSWER) as connection:
            # With TLS, the certificates are Ray's concern: it is enough that someone listens.
            if os.environ.get("RAY_USE_TLS") != "1":
                connection.sendall(_HTTP2_GREETING)
                if connection.makefile("rb").read(9)[3:4] != _HTTP2_SETTINGS:
                    problem = "the server there is not Ray's"
    except (OSError, UnicodeError) as error:
        problem = str(error)
    problems.put(problem)


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(address if "://" in address else f"gcs://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.scheme not in ("gcs", "ray") or parts.path or parts.username:
        raise ValueError(
            f"address: expected 'host:port', 'ray://host:port', 'auto' or None, got {address!r}"
        )
    return host, port
