"""Eq. 8 and Algorithm 1: the similarity inference metric."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph import kernels
from simgraph._arrays import ArrayT, distance_pair, like_inputs
from simgraph._memory import DEFAULT, distance_blocks
from simgraph._params import (
    Variant,
    check_graph_params,
    check_sim_params,
    require_fraction,
    require_variant,
)
from simgraph.distances import concat_blocks, l2_distance, nearest_in_distances, needs_grad
from simgraph.graph.edges import built_k, is_complete, query_distances
from simgraph.graph.validate import validate_graph
from simgraph.kernels import MemberSets
from simgraph.sim import authors
from simgraph.sim.mnnr import MNNR, jaccard_distance, neighbor_sets, query_sets
from simgraph.sim.sgr import SGR, two_hop_distances


class SIM(torch.nn.Module):
    r"""The similarity inference metric: reasoning over paths fused with reasoning over sets.

    $$d_{SIM}(q, g) = \alpha\, d_S(q, g) + (1 - \alpha)\, d_M(q, g)$$

    Args:
        num_paths: K >= 1, at most k + 1.
        k_query: k_q, 1..Ng.
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1], the weight of d_S.
        expand: whether MNNR expands its reciprocal sets.
        variant: `"paper"`, or `"authors"` for what the authors' released code computes; that
            needs a complete graph with gallery features, see `simgraph.sim.authors`.

    Source: Jia et al., IJCAI 2020, Eq. 8 and Algorithm 1.
    """

    def __init__(
        self,
        num_paths: int = 9,
        k_query: int = 20,
        k_gallery: int = 20,
        alpha: float = 0.3,
        expand: bool = True,
        variant: Variant = "paper",
    ) -> None:
        super().__init__()
        require_fraction("alpha", alpha)
        require_variant(variant)
        self.sgr = SGR(num_paths)
        self.mnnr = MNNR(k_query, k_gallery, expand)
        self.alpha, self.variant = alpha, variant

    def forward(self, graph: HeteroData) -> Tensor:
        """Fused distances over a similarity graph.

        Args:
            graph: any valid graph, see `simgraph.similarity_graph`.

        Returns:
            d_SIM [Nq, Ng]; `inf` where d_S is; the gradient is that of α · d_S, and none in
            the authors' variant, which works in place.

        Raises:
            ValueError: for an invalid graph or parameters that do not fit it.
        """
        if self.variant == "authors":
            return self._authors(graph)
        d_s = self.sgr(graph)
        return fuse(d_s, self.mnnr.reciprocal_sets(graph), self.mnnr.k_query, self.alpha)

    def _authors(self, graph: HeteroData) -> Tensor:
        validate_graph(graph)
        told = "x" in graph["gallery"] and built_k(graph) is not None and hasattr(graph, "lam")
        if not (told and is_complete(graph)):
            raise ValueError(
                "variant='authors' reads all distances: expected a complete graph as "
                "similarity_graph built it (gallery features, k and lam); from distances use "
                "sim_distance(..., variant='authors')"
            )
        d_qg, x = query_distances(graph), graph["gallery"].x
        return sim_distance(
            d_qg, l2_distance(x, x), graph.lam, graph.k, self.sgr.num_paths, self.mnnr.k_query,
            self.mnnr.k_gallery, self.alpha, self.mnnr.expand, "authors",
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The parameters that are not the parts' own."""
        return f"alpha={self.alpha}, variant={self.variant!r}"


def sim_distance(
    d_qg: ArrayT,
    d_gg: ArrayT,
    lam: float = 0.01,
    k: int = 20,
    num_paths: int = 9,
    k_query: int = 20,
    k_gallery: int = 20,
    alpha: float = 0.3,
    expand: bool = True,
    variant: Variant = "paper",
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Compute d_SIM from distance matrices, without a graph object.

    $$d_{SIM} = \alpha\, d_S + (1 - \alpha)\, d_M$$

    Args:
        d_qg: D_qg [Nq, Ng], >= 0, floating, numpy or torch.
        d_gg: D_gg [Ng, Ng], finite and >= 0, read by rows; the diagonal has no effect.
        lam: λ in [0, 1], scale of gallery distances.
        k: gallery neighbours per gallery node, 0 <= k < Ng; itself not counted, but counted in
            the authors' variant.
        num_paths: K, 1..k + 1 (authors: 1..k).
        k_query: k_q, 1..Ng (authors: N_c has k_q + 1 members, so 1..Ng − 1).
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1], weight of d_S.
        expand: whether to expand the reciprocal sets.
        variant: `"paper"` or `"authors"`, see `simgraph.sim.authors`.
        memory: what the call may take above its inputs where no gradient is asked for, in bytes
            or as text.

    Returns:
        d_SIM [Nq, Ng], numpy if both inputs are, else torch.

    Raises:
        ValueError: for NaN, Inf, negative distances, wrong shapes, parameters out of range, or a
            budget that does not hold the answer.

    Source: Jia et al., IJCAI 2020, Algorithm 1.
    """
    qg, gg = distance_pair(d_qg, d_gg)
    check_graph_params(k, lam, None, qg.shape[1])
    check_sim_params(k, num_paths, k_query, k_gallery, qg.shape[1], variant)
    require_fraction("alpha", alpha)
    rows = distance_blocks("sim_distance", memory, qg, k, variant == "authors")
    if variant == "authors":
        d = authors.sim(qg, gg, lam, k, num_paths, k_query, k_gallery, alpha, expand)
    else:
        nearest = nearest_in_distances(gg, k)
        finish = from_neighbors(*nearest, lam, num_paths, k_query, k_gallery, alpha, expand)
        parts = ((part, qg[part]) for part in rows)
        d = finish(qg) if needs_grad(qg, gg) else concat_blocks(parts, len(qg), finish)
    return like_inputs(d, d_qg, d_gg)


def from_neighbors(
    distances: Tensor,
    neighbors: Tensor,
    lam: float,
    num_paths: int,
    k_query: int,
    k_gallery: int,
    alpha: float,
    expand: bool,
) -> Callable[[Tensor], Tensor]:
    """Algorithm 1 from each gallery image's nearest, D_gg and indices [Ng, k]: D_qg to d_SIM."""
    sets = neighbor_sets(neighbors, k_gallery, expand)

    def finish(d_qg: Tensor) -> Tensor:
        d_s = two_hop_distances(d_qg, distances, neighbors, lam, num_paths)
        return fuse(d_s, sets, k_query, alpha)

    return finish


def fuse(d: Tensor, sets: MemberSets, k_query: int, alpha: float) -> Tensor:
    """Eq. 8: α · d + (1 − α) · d_M.

    Args:
        d: [Nq, Ng], what is fused with d_M and chooses N_c: d_S, or D_qg where SGR is left out.
        sets: R* of every gallery image.
        k_query: k_q.
        alpha: α.

    Returns:
        [Nq, Ng]; `inf` where d is, whatever α.
    """
    if not needs_grad(d):
        return kernels.fused_overlap(d, *query_sets(d, k_query), sets, alpha)
    d_m = jaccard_distance(d.detach(), k_query, sets)
    # 0 · inf is NaN: what no path reaches stays last.
    return torch.where(torch.isfinite(d), alpha * d + (1 - alpha) * d_m, torch.inf)
