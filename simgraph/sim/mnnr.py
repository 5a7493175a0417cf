"""Eq. 6–7: mutual nearest-neighbor reasoning, the Jaccard distance of neighborhoods."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph import kernels
from simgraph._params import (
    checked_attribute,
    require_at_least_0,
    require_at_least_1,
    require_bool,
)
from simgraph.graph.edges import NEAR, built_k, near_edges, upcast_half
from simgraph.graph.validate import validate_graph
from simgraph.kernels import ReciprocalSets
from simgraph.kernels.reference import reciprocal_sets_of_edges
from simgraph.sim.params import check_neighborhoods


class MNNR(torch.nn.Module):
    r"""Mutual nearest-neighbor reasoning: the Jaccard distance of two neighborhoods.

    $$d_M(q, g) = 1 - \frac{|N_c(q) \cap R^*(g)|}{|N_c(q) \cup R^*(g)|}$$

    N_c(q) holds the k_q gallery images with the smallest d_S, R*(g) the k_g-reciprocal
    neighbors of g under D_gg and g itself, expanded by R(c, k_g/2) of each member c of which
    more than 2/3 lies in R(g, k_g). k_g/2 is rounded half to even.

    Args:
        k_query: k_q >= 1, at most Ng.
        k_gallery: k_g >= 0, at most k.
        expand: whether to expand the reciprocal sets.

    Source: Jia et al., IJCAI 2020, Eq. 6–7; expansion: Zhong et al., CVPR 2017, Eq. 4.
    """

    k_query = checked_attribute("k_query", require_at_least_1, "k_q.")
    k_gallery = checked_attribute("k_gallery", require_at_least_0, "k_g.")
    expand = checked_attribute("expand", require_bool, "Whether to expand the reciprocal sets.")

    def __init__(self, k_query: int = 20, k_gallery: int = 20, expand: bool = True) -> None:
        super().__init__()
        self.k_query, self.k_gallery, self.expand = k_query, k_gallery, expand

    def forward(self, graph: HeteroData, d_s: Tensor) -> Tensor:
        """Distances d_M over a similarity graph.

        Args:
            graph: any valid graph, see `simgraph.similarity_graph`; its gallery edges decide R*,
                by `edge_distance` where present, else by `edge_weight`.
            d_s: [Nq, Ng], the distances that choose N_c; images at `inf` are never in it.

        Returns:
            d_M [Nq, Ng], in [0, 1]; without gradient, because sets have none.

        Raises:
            ValueError: for an invalid graph, or neighborhoods larger than the graph allows.
        """
        sets = self.reciprocal_sets(graph)
        _check_distances(d_s, graph)
        return jaccard_distance(upcast_half(d_s), self.k_query, sets)

    def reciprocal_sets(self, graph: HeteroData) -> ReciprocalSets:
        """R* of every gallery image of a valid graph.

        Args:
            graph: as for `forward`.

        Returns:
            Ng sets.

        Raises:
            ValueError: for an invalid graph, or neighborhoods larger than the graph allows.
        """
        num_gallery = validate_graph(graph)["gallery"].num_nodes
        k = built_k(graph)
        check_neighborhoods(self.k_query, self.k_gallery, k, num_gallery)
        edges = near_edges(graph)
        regular = edges.regular(num_gallery)
        if regular is not None:
            return kernels.reciprocal_sets(regular[0], self.k_gallery, self.expand)
        return reciprocal_sets_of_edges(
            edges.source, edges.target, edges.rank, num_gallery, self.k_gallery, self.expand
        )

    def extra_repr(self) -> str:
        """The parameters."""
        return f"k_query={self.k_query}, k_gallery={self.k_gallery}, expand={self.expand}"


def _check_distances(d_s: Tensor, graph: HeteroData) -> None:
    if not isinstance(d_s, Tensor) or not d_s.is_floating_point():
        came = d_s.dtype if isinstance(d_s, Tensor) else type(d_s).__name__
        raise ValueError(f"d_s: expected a floating-point tensor, got {came}")
    sizes = graph["query"].num_nodes, graph["gallery"].num_nodes
    if d_s.shape != sizes:
        raise ValueError(f"d_s: expected [Nq, Ng] = {sizes}, got {tuple(d_s.shape)}")
    if d_s.device != graph[NEAR].edge_index.device:
        raise ValueError(
            f"d_s: expected the graph's device {graph[NEAR].edge_index.device}, got {d_s.device}"
        )
    if torch.isnan(d_s.detach().amax()):
        raise ValueError("d_s: expected distances, or inf where no path leads, got NaN")


def neighbor_sets(neighbors: Tensor, k: int, expand: bool) -> ReciprocalSets:
    """R(g, k), expanded to R*(g) if asked; see `simgraph.kernels.reciprocal_sets`."""
    return kernels.reciprocal_sets(neighbors, k, expand)


def jaccard_distance(d: Tensor, k_query: int, sets: ReciprocalSets) -> Tensor:
    """d_M: the sets of the queries' k_query nearest images against all member sets.

    Args:
        d: [Nq, Ng], what the queries' sets are chosen by.
        k_query: k_q.
        sets: of every gallery image.

    Returns:
        [Nq, Ng], in [0, 1], in the dtype of d.
    """
    return kernels.jaccard_fuse(torch.zeros_like(d), *query_sets(d, k_query), sets, alpha=0.0)


def query_sets(d: Tensor, k_query: int) -> tuple[Tensor, Tensor]:
    """N_c of each query: its nearest images [Nq, k_q], and how many of them are reached [Nq]."""
    values, nearest = kernels.topk_smallest(d.detach(), k_query)
    return nearest, torch.isfinite(values).sum(1)
