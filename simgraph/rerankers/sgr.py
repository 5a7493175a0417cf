"""Similarity graph reasoning alone: d_S (Eq. 1–5)."""

from __future__ import annotations

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, feature_blocks
from simgraph._params import Variant, check_graph_params, check_num_paths
from simgraph.distances import l2_distance, map_query_blocks, nearest_neighbors
from simgraph.sim import authors
from simgraph.sim.auto import Auto, resolve
from simgraph.sim.sgr import two_hop_distances


def sgr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int | Auto = 20,
    lam: float = 0.01,
    num_paths: int | Auto = 9,
    variant: Variant = "paper",
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """d_S, the mean of the K shortest two-hop paths; see `simgraph.SGR`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbours per gallery node, 0 <= k < Ng; or `"auto"`, chosen by
            `simgraph.sim.auto`, and the others with it.
        lam: λ in [0, 1].
        num_paths: K, 1..k + 1; `"auto"` follows k.
        variant: `"paper"` or `"authors"`, see `simgraph.sim.authors`.
        normalize: scale every feature row to length 1 first.
        memory: what the call may take above its inputs where no gradient is asked for, in bytes
            or as text.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.
    """
    q, g = feature_pair(query, gallery, normalize)
    p = resolve(q, g, normalize, k, num_paths, 20, 20, variant)
    check_graph_params(p.k, lam, None, len(g))
    check_num_paths(p.num_paths, p.k, variant)
    rows = feature_blocks("sgr", memory, q, g, p.k, variant == "authors")
    if variant == "authors":
        d_s = authors.sgr(l2_distance(q, g), l2_distance(g, g), lam, p.k, p.num_paths)
    else:
        nearest = nearest_neighbors(g, p.k)
        d_s = map_query_blocks(
            q, g, rows, lambda d_qg: two_hop_distances(d_qg, *nearest, lam, p.num_paths)
        )
    return like_inputs(d_s, query, gallery)
