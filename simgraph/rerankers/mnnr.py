"""Mutual nearest-neighbour reasoning alone, on direct distances (Eq. 6–8)."""

from __future__ import annotations

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, feature_blocks
from simgraph._params import Variant, check_graph_params, check_neighborhoods, require_fraction
from simgraph.distances import l2_distance, map_query_blocks, nearest_neighbors
from simgraph.sim import authors
from simgraph.sim.auto import Auto, resolve
from simgraph.sim.fusion import fuse
from simgraph.sim.mnnr import neighbor_sets


def mnnr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int | Auto = 20,
    k_query: int | Auto = 20,
    k_gallery: int | Auto = 20,
    alpha: float = 0.3,
    expand: bool = True,
    variant: Variant = "paper",
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """α · D_qg + (1 − α) · d_M, with N_c chosen by D_qg; see `simgraph.MNNR`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbours per gallery node, 0 <= k < Ng; bounds k_gallery, no more; or
            `"auto"`, chosen by `simgraph.sim.auto`, and the others with it.
        k_query: k_q, 1..Ng; `"auto"` follows k.
        k_gallery: k_g, 0..k, likewise.
        alpha: α in [0, 1].
        expand: whether to expand the reciprocal sets.
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
    p = resolve(q, g, normalize, k, 9, k_query, k_gallery, variant)
    check_graph_params(p.k, 0.0, None, len(g))
    check_neighborhoods(p.k_query, p.k_gallery, p.k, len(g), variant)
    require_fraction("alpha", alpha)
    rows = feature_blocks("mnnr", memory, q, g, p.k_gallery, variant == "authors")
    if variant == "authors":
        d_qg, d_gg = l2_distance(q, g), l2_distance(g, g)
        d = authors.mnnr(d_qg, d_gg, p.k_query, p.k_gallery, alpha, expand)
    else:
        sets = neighbor_sets(nearest_neighbors(g, p.k_gallery)[1], p.k_gallery, expand)
        d = map_query_blocks(q, g, rows, lambda d_qg: fuse(d_qg, sets, p.k_query, alpha))
    return like_inputs(d, query, gallery)
