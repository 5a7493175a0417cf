"""Scores of a ranking: CMC, mAP and mINP under the protocols of cross-modality benchmarks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from simgraph import kernels
from simgraph._arrays import Array, Labels, label_vector, to_tensor
from simgraph._deprecation import renamed_arguments
from simgraph._params import require_int
from simgraph.distances import row_blocks

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Protocol:
    """Which gallery images a benchmark excludes for a query, and how its CMC counts.

    Args:
        excluded: gallery images that are removed from a query's list: none; all images at the
            location of its camera, of any identity; or those of its own identity and camera.
        cmc_per_identity: True if the CMC's ranked list holds each identity once, at its
            first image; False if it holds each image.
        junk_pid: identity of gallery images that are removed for every query, or None.
    """

    excluded: Literal["nothing", "same_location", "same_identity_and_camera"]
    cmc_per_identity: bool
    junk_pid: int | None = None


PROTOCOLS: dict[str, Protocol] = {
    "sysu_mm01": Protocol("same_location", cmc_per_identity=True),
    # AGW scores like the official protocol; only its galleries are drawn differently.
    "sysu_mm01_agw": Protocol("same_location", cmc_per_identity=True),
    "regdb": Protocol("nothing", cmc_per_identity=False),
    "llcm": Protocol("same_identity_and_camera", cmc_per_identity=True),
    # Identity 0 is no exception: distractors are ranked, and no query has their identity.
    "market": Protocol("same_identity_and_camera", cmc_per_identity=False, junk_pid=-1),
    "plain": Protocol("nothing", cmc_per_identity=False),
}
"""The protocols by name."""

_RULES = {
    "nothing": "nothing",
    "same_location": "every image at the location of the query's camera",
    "same_identity_and_camera": "images of the query's identity from the query's own camera",
}

SYSU_LOCATIONS = (1, 2, 2, 4, 5, 6)
"""The location of SYSU-MM01's cameras 1 to 6: cameras 2 and 3 share a room."""

# Working memory per entry of the distance matrix while a block is scored: the sort's values
# and indices, and a few int64 arrays of the same shape.
_BYTES_PER_ENTRY = 64


@dataclass(frozen=True, eq=False)
class Metrics:
    r"""Scores of a ranking, over all queries and per query.

    With $m$ matches of a query at ranks $r_1 < \dots < r_m$ of its list:

    $$\mathrm{AP} = \frac{1}{m} \sum_{i=1}^{m} \frac{i}{r_i}, \qquad
      \mathrm{INP} = \frac{m}{r_m}, \qquad
      \mathrm{CMC}(r) = \frac{|\{q : \mathrm{first\_rank}(q) \le r\}|}{\mathrm{num\_valid}}$$

    Queries without a match are skipped and count in none of the means.

    Args:
        cmc: share of the valid queries with a match among the first r, [max_rank] float64 in
            [0, 1]; `cmc[0]` is rank-1.
        mAP: mean average precision, in [0, 1].
        mINP: mean inverse negative penalty, in [0, 1].
        num_valid: number of queries with a match.
        average_precision: AP per query, [Nq] float64; NaN for skipped queries.
        inverse_negative_penalty: INP per query, [Nq] float64; NaN for skipped queries.
        first_rank: rank of each query's first match in the list that the protocol's CMC
            counts, [Nq] int64 from 1; 0 for skipped queries.
    """

    cmc: Tensor = field(repr=False)
    mAP: float
    mINP: float
    num_valid: int
    average_precision: Tensor = field(repr=False)
    inverse_negative_penalty: Tensor = field(repr=False)
    first_rank: Tensor = field(repr=False)

    def rank(self, r: int) -> float:
        """Return the CMC at one rank.

        Args:
            r: the rank, from 1 to max_rank.

        Returns:
            The share of valid queries with a match among the first r, in [0, 1].

        Raises:
            ValueError: for a rank that the CMC does not reach.
        """
        if not 1 <= r <= len(self.cmc):
            raise ValueError(f"expected a rank from 1 to max_rank = {len(self.cmc)}, got {r}")
        return float(self.cmc[r - 1])


@renamed_arguments(query_ids="query_pids", gallery_ids="gallery_pids")
def evaluate(
    distances: Array,
    query_pids: Labels,
    gallery_pids: Labels,
    query_cams: Labels | None = None,
    gallery_cams: Labels | None = None,
    protocol: str = "plain",
    max_rank: int = 20,
) -> Metrics:
    r"""Score the ranking that distances give, under a benchmark's protocol.

    Each query's gallery is sorted by distance, ties by index. Images that the protocol excludes
    are removed, under `market` also those of identity -1. Matches are the images of the query's
    identity. With
    matches at ranks $r_1 < \dots < r_m$: $\mathrm{AP} = \frac{1}{m} \sum_i i / r_i$ and
    $\mathrm{INP} = m / r_m$, on the whole list; see `Metrics` for the CMC.

    Args:
        distances: distances or any other cost, [Nq, Ng]; infinity ranks last.
        query_pids: identities of the queries, [Nq] integers.
        gallery_pids: identities of the gallery, [Ng] integers.
        query_cams: cameras of the queries, [Nq] integers; 1 to 6 for SYSU-MM01.
        gallery_cams: cameras of the gallery, [Ng] integers; 1 to 6 for SYSU-MM01.
        protocol: one of `PROTOCOLS`; `regdb` and `plain` need no cameras.
        max_rank: length of the CMC, at least 1; it saturates on a shorter gallery.

    Returns:
        The scores, with tensors on the device of the distances.

    Raises:
        ValueError: for empty distances or NaN, different lengths, an unknown protocol, missing
            cameras that the protocol needs, or queries without any match.

    Source:
        SYSU-MM01: Wu et al., ICCV 2017, and its evaluation code. mINP: Ye et al., Deep Learning
        for Person Re-identification: A Survey and Outlook, TPAMI 2021. Market: Zheng et al.,
        ICCV 2015. RegDB: Nguyen et al., Sensors 2017. LLCM: Zhang and Wang, CVPR 2023.
    """
    rules = _rules(protocol)
    require_int("max_rank", max_rank, 1)
    matrix = _distance_matrix(distances)
    if matrix.shape[1] > 1 and _all_equal(matrix):
        logger.warning("all distances are equal: the ranking is the order of the gallery")
    query = check_labels(query_pids, query_cams, len(matrix), "query", protocol)
    gallery = check_labels(gallery_pids, gallery_cams, matrix.shape[1], "gallery", protocol)
    query, gallery = query.to(matrix.device), gallery.to(matrix.device)
    scores = [
        _score_block(matrix[rows], query.rows(rows), gallery, rules)
        for rows in row_blocks(len(matrix), _BYTES_PER_ENTRY * matrix.shape[1])
    ]
    found = _Scores(*map(torch.cat, zip(*scores, strict=True)))
    if not bool((found.first_rank > 0).any()):
        raise ValueError(_why_no_match(query, gallery, protocol))
    return _summary(found, max_rank)


@renamed_arguments(query_ids="query_pids", gallery_ids="gallery_pids")
def excluded(
    query_pids: Labels,
    gallery_pids: Labels,
    query_cams: Labels | None = None,
    gallery_cams: Labels | None = None,
    protocol: str = "plain",
) -> Tensor:
    """Return which gallery images a protocol removes from each query's list.

    Args:
        query_pids: identities of the queries, [Nq] integers.
        gallery_pids: identities of the gallery, [Ng] integers.
        query_cams: cameras of the queries, [Nq] integers.
        gallery_cams: cameras of the gallery, [Ng] integers.
        protocol: one of `PROTOCOLS`.

    Returns:
        [Nq, Ng] bool.

    Raises:
        ValueError: for an unknown protocol, missing cameras that it needs, or different lengths.
    """
    rules = _rules(protocol)
    query = check_labels(query_pids, query_cams, len(query_pids), "query", protocol)
    gallery = check_labels(gallery_pids, gallery_cams, len(gallery_pids), "gallery", protocol)
    return _excluded(query, gallery, rules).expand(len(query_pids), len(gallery_pids))


class _Side(NamedTuple):
    """Identities and locations of one side; a location is a camera, or a room where rooms count."""

    ids: Tensor
    locations: Tensor

    def rows(self, rows: slice) -> _Side:
        return _Side(self.ids[rows], self.locations[rows])

    def to(self, device: torch.device) -> _Side:
        return _Side(self.ids.to(device), self.locations.to(device))


class _Scores(NamedTuple):
    average_precision: Tensor
    inverse_negative_penalty: Tensor
    first_rank: Tensor


def _rules(protocol: str) -> Protocol:
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]


def _all_equal(matrix: Tensor) -> bool:
    # The first row decides for nearly every matrix, without a pass over all of it.
    return all(bool((rows == matrix[0, 0]).all()) for rows in (matrix[0], matrix))


def _distance_matrix(distances: Array) -> Tensor:
    matrix = to_tensor(distances, "distances").detach()
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"distances: expected [Nq, Ng], not empty, got {list(matrix.shape)}")
    if matrix.is_complex() or matrix.dtype == torch.bool:
        raise ValueError(f"distances: expected real numbers, got {matrix.dtype}")
    if matrix.dtype == torch.bfloat16:
        matrix = matrix.float()
    # The maximum of a row is NaN if any entry is: this needs no mask of the matrix's size.
    bad = matrix.amax(dim=1).isnan().nonzero().flatten()
    if len(bad):
        count = f"{len(bad)} of {len(matrix)} rows are bad"
        raise ValueError(f"distances: expected no NaN, row {int(bad[0])} has one ({count})")
    return matrix


def check_labels(ids: Labels, cams: Labels | None, length: int, side: str, protocol: str) -> _Side:
    """Check the identities and cameras of one side against the needs of the protocol."""
    identities = label_vector(ids, length, f"{side}_pids")
    excluded = PROTOCOLS[protocol].excluded
    if cams is None and excluded != "nothing":
        raise ValueError(f"protocol {protocol!r} needs {side}_cams, got None")
    cameras = identities if cams is None else label_vector(cams, length, f"{side}_cams")
    return _Side(identities, _locations(cameras, side) if excluded == "same_location" else cameras)


def _locations(cams: Tensor, side: str) -> Tensor:
    outside = ((cams < 1) | (cams > len(SYSU_LOCATIONS))).nonzero().flatten()
    if len(outside):
        row = int(outside[0])
        raise ValueError(f"{side}_cams: expected cameras 1 to 6, got {int(cams[row])} in row {row}")
    return torch.tensor(SYSU_LOCATIONS, device=cams.device)[cams - 1]


def _score_block(distances: Tensor, query: _Side, gallery: _Side, rules: Protocol) -> _Scores:
    kept = ~_excluded(query, gallery, rules).expand_as(distances)
    query_of, column = (kept & (gallery.ids == query.ids[:, None])).nonzero(as_tuple=True)
    codes = torch.unique(gallery.ids, return_inverse=True)[1]
    match_ranks, before = kernels.match_ranks(distances, kept, query_of, column, codes)
    # Sorted by rank within each list, so that sums run from the first match on.
    match_ranks = match_ranks[(query_of * (distances.shape[1] + 1) + match_ranks).argsort()]
    precision, penalty = _precision_and_penalty(match_ranks, query_of, len(distances))
    first = _per_query(match_ranks, query_of, len(distances), "amin")
    if rules.cmc_per_identity:
        first = (before + 1).where(first > 0, 0)
    return _Scores(precision, penalty, first)


def _excluded(query: _Side, gallery: _Side, rules: Protocol) -> Tensor:
    """Which images are excluded for each query, [n, Ng], or [1, Ng] or [1, 1] if all alike."""
    same_place = _in_same_place(query, gallery, rules)
    return same_place if rules.junk_pid is None else same_place | (gallery.ids == rules.junk_pid)


def _in_same_place(query: _Side, gallery: _Side, rules: Protocol) -> Tensor:
    if rules.excluded == "nothing":
        return torch.zeros((1, 1), dtype=torch.bool, device=query.ids.device)
    same_place = query.locations[:, None] == gallery.locations
    if rules.excluded == "same_location":
        return same_place
    return same_place & (query.ids[:, None] == gallery.ids)


def _precision_and_penalty(
    match_ranks: Tensor, query_of: Tensor, num_queries: int
) -> tuple[Tensor, Tensor]:
    """AP and INP per query; 0 / 0 makes them NaN if there is no match."""
    count = torch.bincount(query_of, minlength=num_queries)
    before = count.cumsum(0) - count
    hits = torch.arange(1, len(query_of) + 1, device=count.device) - before[query_of]
    total = torch.zeros(num_queries, dtype=torch.float64, device=count.device)
    total.index_add_(0, query_of, hits.double() / match_ranks)
    last = _per_query(match_ranks, query_of, num_queries, "amax")
    return total / count, count.double() / last


def _per_query(values: Tensor, query_of: Tensor, num_queries: int, reduce: str) -> Tensor:
    """The smallest or largest value per query, 0 for a query without one."""
    out = values.new_zeros(num_queries)
    return out.scatter_reduce(0, query_of, values, reduce, include_self=False)


def _why_no_match(query: _Side, gallery: _Side, protocol: str) -> str:
    """Which rule left no query with a match, or that there was none to begin with."""
    start = f"no query has a gallery image of its identity under protocol {protocol!r}"
    rules = PROTOCOLS[protocol]
    shared = int(torch.isin(query.ids, gallery.ids).sum())
    if shared == 0:
        return (
            f"{start}: the two sides have no identity in common; "
            "check that the identities and cameras belong to these distances"
        )
    removed = _RULES[rules.excluded]
    if rules.junk_pid is not None:
        removed += f", and junk images of identity {rules.junk_pid}"
    return (
        f"{start}: {shared} of {len(query.ids)} queries have some, but the protocol removes "
        f"{removed}, and that left none. Check the cameras; for images without cameras, or of "
        "one camera, use protocol 'plain', which removes nothing"
    )


def _summary(scores: _Scores, max_rank: int) -> Metrics:
    precision, penalty, first = scores
    valid = first > 0
    num_valid = int(valid.sum())
    hits = torch.bincount(first[valid].clamp(max=max_rank + 1), minlength=max_rank + 2)
    return Metrics(
        cmc=hits[1 : max_rank + 1].cumsum(0).double() / num_valid,
        mAP=float(precision[valid].mean()),
        mINP=float(penalty[valid].mean()),
        num_valid=num_valid,
        average_precision=precision,
        inverse_negative_penalty=penalty,
        first_rank=first,
    )
