"""The edges of a similarity graph, in the order that SGR and MNNR read them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.utils import lexsort

MATCHES = ("query", "matches", "gallery")
NEAR = ("gallery", "near", "gallery")


def is_complete(graph: HeteroData) -> bool:
    """Whether every query has an edge to every gallery image, in row-major order."""
    num_queries, num_gallery = graph["query"].num_nodes, graph["gallery"].num_nodes
    index = graph[MATCHES].edge_index
    if index.shape[1] != num_queries * num_gallery:
        return False
    rows, columns = index.view(2, num_queries, num_gallery)
    first = torch.arange(num_queries, device=index.device)[:, None]
    return bool(
        (rows == first).all() and (columns == torch.arange(num_gallery, device=index.device)).all()
    )


def query_distances(graph: HeteroData) -> Tensor:
    """D_qg [Nq, Ng] of the graph: a view if it is complete, else `inf` where there is no edge."""
    num_queries, num_gallery = graph["query"].num_nodes, graph["gallery"].num_nodes
    index: Tensor = graph[MATCHES].edge_index
    weight = upcast_half(graph[MATCHES].edge_weight)
    if is_complete(graph):
        return weight.view(num_queries, num_gallery)
    return weight.new_full((num_queries, num_gallery), torch.inf).index_put(tuple(index), weight)


def built_k(graph: HeteroData) -> int | None:
    """The k of a graph that still has the edges it was built with; None for any other graph."""
    k = getattr(graph, "k", None)
    built = isinstance(k, int) and graph[NEAR].edge_index.shape[1] == (
        graph["gallery"].num_nodes * (k + 1)
    )
    return k if built else None


def upcast_half(values: Tensor) -> Tensor:
    """Convert half precision to float32, because its sums and ties would be wrong."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


@dataclass(frozen=True, eq=False)
class NearEdges:
    """Gallery edges sorted by target, its self-loop first, then by distance, then by source.

    source, target: [E]; weight: [E], λ·D_gg; rank: [E], 0 for the self-loop, 1 for the nearest
    neighbor, and so on within each target.
    """

    source: Tensor
    target: Tensor
    weight: Tensor
    rank: Tensor

    def regular(self, num_gallery: int) -> tuple[Tensor, Tensor] | None:
        """Neighbors [Ng, k] and their weights [Ng, k] if all degrees are equal, else None."""
        degree = len(self.source) // num_gallery
        if len(self.source) != degree * num_gallery:
            return None
        if not (
            self.rank.view(num_gallery, degree) == torch.arange(degree, device=self.rank.device)
        ).all():
            return None
        return (
            self.source.view(num_gallery, degree)[:, 1:],
            self.weight.view(num_gallery, degree)[:, 1:],
        )


def near_edges(graph: HeteroData) -> NearEdges:
    """The gallery edges in canonical order, with missing self-loops added."""
    store, num_gallery = graph[NEAR], graph["gallery"].num_nodes
    source, target = store.edge_index
    weight = upcast_half(store.edge_weight)
    distance = store.edge_distance if "edge_distance" in store else weight
    missing = torch.ones(num_gallery, dtype=torch.bool, device=source.device)
    missing[target[source == target]] = False
    loops = missing.nonzero().squeeze(1)
    source, target = torch.cat([loops, source]), torch.cat([loops, target])
    weight = torch.cat([weight.new_zeros(len(loops)), weight])
    distance = torch.cat([distance.new_zeros(len(loops)), distance.detach()])

    order = lexsort([source, distance, source != target, target])
    source, target = source[order], target[order]
    return NearEdges(source, target, weight[order], rank_in_runs(target, num_gallery))


def rank_in_runs(index: Tensor, num_runs: int) -> Tensor:
    """Position of each entry within its run, from 0, for an ascending index [E] of values < N."""
    degree = torch.bincount(index, minlength=num_runs)
    first = (degree.cumsum(0) - degree).repeat_interleave(degree)
    return torch.arange(len(index), device=index.device) - first
