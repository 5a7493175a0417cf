"""D_qg, the row every other method is measured against."""

from __future__ import annotations

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, feature_blocks
from simgraph.distances import map_query_blocks


def baseline(
    query: ArrayT, gallery: ArrayT, *, normalize: bool = True, memory: str | int = DEFAULT
) -> ArrayT:
    """Direct distances D_qg.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        normalize: scale every feature row to length 1 first.
        memory: what the call may take above its inputs where no gradient is asked for, in bytes
            or as text.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features, or a budget that does not hold the answer.
    """
    q, g = feature_pair(query, gallery, normalize)
    rows = feature_blocks("baseline", memory, q, g, None)
    return like_inputs(map_query_blocks(q, g, rows), query, gallery)
