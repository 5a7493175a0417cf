"""The similarity inference metric, SGR and MNNR fused (Eq. 1–8)."""

from __future__ import annotations

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, feature_blocks
from simgraph._params import Variant, check_graph_params, check_sim_params, require_fraction
from simgraph.distances import l2_distance, map_query_blocks, nearest_neighbors
from simgraph.sim import authors
from simgraph.sim.auto import Auto, resolve
from simgraph.sim.fusion import from_neighbors


def sim(
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
    variant: Variant = "paper",
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    """α · d_S + (1 − α) · d_M, the similarity inference metric; see `simgraph.SIM`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbours per gallery node, 0 <= k < Ng; or `"auto"`, chosen by
            `simgraph.sim.auto`, and the others with it.
        lam: λ in [0, 1].
        num_paths: K, 1..k + 1; `"auto"` follows k.
        k_query: k_q, 1..Ng, likewise.
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
    p = resolve(q, g, normalize, k, num_paths, k_query, k_gallery, variant)
    check_graph_params(p.k, lam, None, len(g))
    check_sim_params(p.k, p.num_paths, p.k_query, p.k_gallery, len(g), variant)
    require_fraction("alpha", alpha)
    rows = feature_blocks("sim", memory, q, g, p.k, variant == "authors")
    if variant == "authors":
        d_qg, d_gg = l2_distance(q, g), l2_distance(g, g)
        d = authors.sim(d_qg, d_gg, lam, p.k, p.num_paths, p.k_query, p.k_gallery, alpha, expand)
    else:
        nearest = nearest_neighbors(g, p.k)
        finish = from_neighbors(*nearest, lam, p.num_paths, p.k_query, p.k_gallery, alpha, expand)
        d = map_query_blocks(q, g, rows, finish)
    return like_inputs(d, query, gallery)
