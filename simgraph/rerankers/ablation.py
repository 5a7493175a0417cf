"""The four rows of the paper's Table 3, from features: none looks at other queries.

All need L2 distances of features, cost two matrix products, and come from Jia et al., IJCAI 2020.
"""

from __future__ import annotations

from typing import cast

from simgraph import authors
from simgraph._inputs import (
    ArrayT,
    Variant,
    as_answer,
    check_graph_params,
    check_neighborhoods,
    check_num_paths,
    check_sim_params,
    feature_pair,
    require_fraction,
)
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.sim import fuse, neighbor_sets, two_hop_distances


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
    return cast(ArrayT, as_answer(l2_distance(q, g), query, gallery))


def sgr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    lam: float = 0.01,
    num_paths: int = 9,
    variant: Variant = "paper",
    normalize: bool = True,
) -> ArrayT:
    """d_S, the mean of the K shortest two-hop paths; see `simgraph.SGR`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbours per gallery node, 0 <= k < Ng.
        lam: λ in [0, 1].
        num_paths: K, 1..k + 1.
        variant: `"paper"` or `"authors"`, see `simgraph.authors`.
        normalize: scale every feature row to length 1 first.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features or parameters out of range.
    """
    q, g = feature_pair(query, gallery, normalize)
    check_graph_params(k, lam, None, len(g))
    check_num_paths(num_paths, k, variant)
    if variant == "authors":
        d_s = authors.sgr(l2_distance(q, g), l2_distance(g, g), lam, k, num_paths)
    else:
        d_s = two_hop_distances(l2_distance(q, g), *nearest_neighbors(g, k), lam, num_paths)
    return cast(ArrayT, as_answer(d_s, query, gallery))


def mnnr(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    k_query: int = 20,
    k_gallery: int = 20,
    alpha: float = 0.3,
    expand: bool = True,
    variant: Variant = "paper",
    normalize: bool = True,
) -> ArrayT:
    """α · D_qg + (1 − α) · d_M, with N_c chosen by D_qg; see `simgraph.MNNR`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbours per gallery node, 0 <= k < Ng; bounds k_gallery, no more.
        k_query: k_q, 1..Ng.
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1].
        expand: whether to expand the reciprocal sets.
        variant: `"paper"` or `"authors"`, see `simgraph.authors`.
        normalize: scale every feature row to length 1 first.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features or parameters out of range.
    """
    q, g = feature_pair(query, gallery, normalize)
    check_graph_params(k, 0.0, None, len(g))
    check_neighborhoods(k_query, k_gallery, k, len(g), variant)
    require_fraction("alpha", alpha)
    d_qg = l2_distance(q, g)
    if variant == "authors":
        d = authors.mnnr(d_qg, l2_distance(g, g), k_query, k_gallery, alpha, expand)
    else:
        sets = neighbor_sets(nearest_neighbors(g, k_gallery)[1], k_gallery, expand)
        d = fuse(d_qg, d_qg, sets, k_query, alpha)
    return cast(ArrayT, as_answer(d, query, gallery))


def sim(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 20,
    lam: float = 0.01,
    num_paths: int = 9,
    k_query: int = 20,
    k_gallery: int = 20,
    alpha: float = 0.3,
    expand: bool = True,
    variant: Variant = "paper",
    normalize: bool = True,
) -> ArrayT:
    """α · d_S + (1 − α) · d_M, the similarity inference metric; see `simgraph.SIM`.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: gallery neighbours per gallery node, 0 <= k < Ng.
        lam: λ in [0, 1].
        num_paths: K, 1..k + 1.
        k_query: k_q, 1..Ng.
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1].
        expand: whether to expand the reciprocal sets.
        variant: `"paper"` or `"authors"`, see `simgraph.authors`.
        normalize: scale every feature row to length 1 first.

    Returns:
        [Nq, Ng].

    Raises:
        ValueError: for bad features or parameters out of range.
    """
    q, g = feature_pair(query, gallery, normalize)
    check_graph_params(k, lam, None, len(g))
    check_sim_params(k, num_paths, k_query, k_gallery, len(g), variant)
    require_fraction("alpha", alpha)
    if variant == "authors":
        d_s = authors.sgr(l2_distance(q, g), d_gg := l2_distance(g, g), lam, k, num_paths)
        d = authors.mnnr(d_s, d_gg, k_query, k_gallery, alpha, expand)
    else:
        distances, neighbors = nearest_neighbors(g, k)
        d_s = two_hop_distances(l2_distance(q, g), distances, neighbors, lam, num_paths)
        d = fuse(d_s, d_s, neighbor_sets(neighbors, k_gallery, expand), k_query, alpha)
    return cast(ArrayT, as_answer(d, query, gallery))
