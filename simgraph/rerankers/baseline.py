"""D_qg, the row every other method is measured against."""

from __future__ import annotations

from simgraph._arrays import ArrayT, as_answer, feature_pair
from simgraph.distances import l2_distance


def baseline(query: ArrayT, gallery: ArrayT, *, normalize: bool = True) -> ArrayT:
    """Direct distances D_qg.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        normalize: scale every feature row to length 1 first.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features.
    """
    q, g = feature_pair(query, gallery, normalize)
    return as_answer(l2_distance(q, g), query, gallery)
