"""D_qg, the distances that every other method is compared with."""

from __future__ import annotations

from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances
from simgraph.rerankers.method import Method


def baseline(
    query: ArrayT, gallery: ArrayT, *, normalize: bool = True, memory: str | int = DEFAULT
) -> ArrayT:
    """Direct distances D_qg.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        normalize: scale every feature row to length 1 first.
        memory: budget of the call in addition to its inputs, in bytes or as text; calls with
            gradients may take more.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features, or a budget that does not hold the answer.
    """
    q, g = feature_pair(query, gallery, normalize)
    source = FeatureDistances(q, g)
    rows = source.query_blocks("baseline", memory, None)
    return like_inputs(source.map_queries(lambda d_qg: d_qg, rows), query, gallery)


def from_distances(distances: DistanceSource, memory: str | int = DEFAULT) -> Tensor:
    """A copy of D_qg; see baseline."""
    distances.query_blocks("baseline", memory, None)
    return distances.query_gallery()


METHOD = Method(
    "baseline",
    baseline,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="none",
    source="none",
)
