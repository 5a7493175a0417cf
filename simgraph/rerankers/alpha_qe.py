"""α-weighted query expansion: each query is summed with its nearest gallery images."""

from __future__ import annotations

import torch

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most, require_positive
from simgraph.distances import k_smallest, l2_distance
from simgraph.rerankers.distance_source import require_unit_rows, similarity
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import sparse_rows


@torch.no_grad()
def alpha_qe(
    query: ArrayT,
    gallery: ArrayT,
    *,
    n: int = 50,
    alpha: float = 3.0,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Euclidean distances of expanded queries to the gallery.

    $$q' \propto q + \sum_{g} \max(0, s_{qg})^{\alpha}\, g, \qquad
      g \text{ among the } n \text{ nearest of } q$$

    s is the cosine; q' is scaled to length 1.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        n: gallery images added to a query, 0..Ng.
        alpha: α > 0, exponent of the weights.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], in [0, 2]; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Radenović et al., TPAMI 2018.
    """
    q, g = feature_pair(query, gallery, normalize)
    require_unit_rows(q, "query")
    require_unit_rows(g, "gallery")
    require_at_most("n", n, 0, len(g), "Ng")
    require_positive("alpha", alpha)
    entries = 2 * len(q) * n + g.numel() + 2 * q.numel()
    require_room("alpha_qe", memory, (len(q), len(g)), 3, entries)
    near, index = k_smallest(l2_distance(q, g), n)
    weight = similarity(near).clamp_(min=0).pow_(alpha)
    added = torch.from_numpy(sparse_rows(index, weight, len(g)) @ g.cpu().numpy()).to(q.device)
    expanded = torch.nn.functional.normalize(q + added, dim=1)
    return like_inputs(l2_distance(expanded, g), query, gallery)


METHOD = Method(
    "alpha_qe",
    alpha_qe,
    transductive=False,
    needs="features",
    cost="query distances Nq · Ng a second time",
    source="Radenović et al., TPAMI 2018",
)
