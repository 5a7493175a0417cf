"""Eq. 2–5: similarity graph reasoning, the mean of the K shortest paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import HeteroData
from torch_geometric.nn import Aggregation, MessagePassing

from simgraph._params import check_num_paths, require_int
from simgraph.distances import row_blocks
from simgraph.edges import NearEdges, near_edges, neighbors_kept, query_distances, rank_in_runs
from simgraph.graph import validate_graph

# Values in one block of the batched path: K + 1 such buffers stay in a core's cache.
_BLOCK_VALUES = 2**16


class KSmallestMean(Aggregation):
    r"""Mean of the K smallest finite values that reach a node, feature by feature.

    $$y_{jf} = \frac{1}{|S|} \sum_{x \in S} x, \qquad
      S = \text{the } K \text{ smallest finite of } \{x_{ef} : e \to j\}$$

    Fewer than K values: the mean of those there are. None: `inf`, so that a node that nothing
    reaches ranks last. Several equal values count as several.

    Args:
        num_paths: K >= 1.

    Source: Jia et al., IJCAI 2020, Eq. 5.
    """

    def __init__(self, num_paths: int = 9) -> None:
        super().__init__()
        require_int("num_paths", num_paths, 1)
        self.num_paths = num_paths

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        """Aggregate messages by target.

        Args:
            x: messages [E, F], without NaN; `inf` stands for no message.
            index: target of each message [E], in any order.
            ptr: or the bounds [N + 1] of each target's run of messages.
            dim_size: N, number of targets.
            dim: dimension of the messages in x; must be the one before the last.

        Returns:
            [N, F].

        Raises:
            ValueError: for a target at or above dim_size, or messages of other dimensions.
        """
        self.assert_two_dimensional_input(x, dim)
        if index is None:
            assert ptr is not None, "Aggregation.__call__ gives one of both"
            index = torch.arange(len(ptr) - 1, device=x.device).repeat_interleave(ptr.diff())
        degree = torch.bincount(index, minlength=dim_size or 0)
        if dim_size is not None and len(degree) > dim_size:
            raise ValueError(f"dim_size = {dim_size} must be above target {len(degree) - 1}")
        values, rank = _sort_runs(x, index, len(degree))
        # Every column holds the same number of values a target, so one rank serves all of them.
        values = values[rank < self.num_paths]
        # Bounds, not indices: PyG then sums runs, by torch-scatter where it is installed.
        bounds = torch.nn.functional.pad(degree.clamp(max=self.num_paths).cumsum(0), (1, 0))
        reached = torch.isfinite(values)
        total = self.reduce(torch.where(reached, values, 0), ptr=bounds)
        count = self.reduce(reached.to(values.dtype), ptr=bounds)
        return torch.where(count > 0, total / count.clamp(min=1), torch.inf)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(num_paths={self.num_paths})"


def _sort_runs(x: Tensor, index: Tensor, num_targets: int) -> tuple[Tensor, Tensor]:
    """Values sorted by (target, value) in each column, and the rank of each row in its target."""
    values, order = x.sort(dim=0)
    by_target = index[order].argsort(dim=0, stable=True)
    return values.gather(0, by_target), rank_in_runs(index.sort().values, num_targets)


class SGR(MessagePassing):
    r"""Similarity graph reasoning: the mean of the K shortest paths from query to gallery image.

    $$d_S(q, g_j) = \frac{1}{K} \sum_{t \in S} D_{qg}(q, g_t) + \lambda\, D_{gg}(g_t, g_j)$$

    where S holds the K smallest sums over g_j's neighbours and g_j itself, whose sum is the
    direct edge. Differentiable with respect to the edge weights.

    With `num_hops=h` the first leg to each neighbour is the shortest path of at most h − 1 hops
    in place of the direct edge; the K paths still differ in their last stop. At K = 1 that is the
    shortest path of at most h hops; h = 2 is Eq. 4–5; `None` sets no limit (Eq. 2).

    Args:
        num_paths: K >= 1, at most k + 1.
        num_hops: longest path in edges, >= 2, or None for any length.

    Source: Jia et al., IJCAI 2020, Eq. 2–5.
    """

    def __init__(self, num_paths: int = 9, num_hops: int | None = 2) -> None:
        super().__init__(aggr=KSmallestMean(num_paths))
        if num_hops is not None:
            require_int("num_hops", num_hops, 2)
        self.num_paths = num_paths
        self.num_hops = num_hops

    def forward(self, graph: HeteroData) -> Tensor:
        """Distances d_S over a similarity graph.

        Args:
            graph: any valid graph, see `simgraph.similarity_graph`; a complete one whose gallery
                nodes all have k neighbours takes a faster way to the same numbers.

        Returns:
            d_S [Nq, Ng]; `inf` where no path leads.

        Raises:
            ValueError: for an invalid graph, or num_paths above graph.k + 1.
        """
        validate_graph(graph)
        check_num_paths(self.num_paths, neighbors_kept(graph))
        direct = query_distances(graph).T.contiguous()
        edges = near_edges(graph)
        legs = direct if self.num_hops == 2 else self._first_legs(direct, edges)
        return self._last_hop(direct, legs, edges).T.contiguous()

    def _first_legs(self, direct: Tensor, edges: NearEdges) -> Tensor:
        """Shortest paths of at most num_hops − 1 edges, [Ng, Nq]."""
        shortest = SGR(num_paths=1)
        limit = len(direct) if self.num_hops is None else self.num_hops - 2
        legs = direct
        for _ in range(limit):
            shorter = shortest._last_hop(direct, legs, edges)
            if torch.equal(shorter, legs):
                break
            legs = shorter
        return legs

    def _last_hop(self, direct: Tensor, legs: Tensor, edges: NearEdges) -> Tensor:
        regular = edges.regular(len(direct))
        if regular is not None:
            return path_means(direct, legs, *regular, self.num_paths)
        # One bipartite hop: self-loops bring the direct edge, all others the first legs.
        source = edges.source + len(direct) * (edges.source != edges.target)
        index = torch.stack([source, edges.target])
        blocks = [
            self.propagate(
                index,
                x=(torch.cat([direct[:, queries], legs[:, queries]]), None),
                edge_weight=edges.weight,
                size=(2 * len(direct), len(direct)),
            )
            for queries in row_blocks(direct.shape[1], 8 * len(source) * direct.element_size())
        ]
        return torch.cat(blocks, dim=1)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Length of each path through the edge: its first leg plus its last hop."""
        return x_j + edge_weight[:, None]

    def __repr__(self) -> str:
        hops = "" if self.num_hops == 2 else f", num_hops={self.num_hops}"
        return f"{self.__class__.__name__}(num_paths={self.num_paths}{hops})"


def two_hop_distances(
    d_qg: Tensor, distances: Tensor, neighbors: Tensor, lam: float, num_paths: int
) -> Tensor:
    """d_S of the complete, regular graph, from each gallery image's nearest.

    Args:
        d_qg: D_qg [Nq, Ng].
        distances: D_gg [Ng, k] of each image to its nearest, unscaled.
        neighbors: [Ng, k] their indices.
        lam: λ.
        num_paths: K >= 1.

    Returns:
        d_S [Nq, Ng].
    """
    direct = d_qg.T.contiguous()
    return path_means(direct, direct, neighbors, lam * distances, num_paths).T.contiguous()


def path_means(
    direct: Tensor, legs: Tensor, neighbors: Tensor, weight: Tensor, num_paths: int
) -> Tensor:
    """Eq. 4–5 where every gallery node has k neighbours, by blocks of targets.

    Args:
        direct: D_qgᵀ [Ng, Nq]; `inf` where no edge is.
        legs: [Ng, Nq], length of the first leg to each gallery node; D_qgᵀ for two hops.
        neighbors: [Ng, k] indices into the gallery.
        weight: [Ng, k], λ·D_gg of the last hop.
        num_paths: K >= 1.

    Returns:
        d_Sᵀ [Ng, Nq].
    """
    num_queries, degree = direct.shape[1], neighbors.shape[1] + 1
    smallest: Callable[..., Sequence[Tensor]]
    blocks: Iterable[slice]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (direct, legs, weight)):
        # A block is computed again on the way back, not kept: all its paths at once.
        smallest = partial(checkpoint, _k_smallest_tracked, use_reentrant=False)
        blocks = row_blocks(len(direct), 3 * degree * num_queries * direct.element_size())
    else:
        smallest = _k_smallest
        step = max(1, _BLOCK_VALUES // num_queries)
        blocks = (slice(i, i + step) for i in range(0, len(direct), step))
    whole = bool(torch.isfinite(direct.detach().max()))
    means = []
    for rows in blocks:
        best = smallest(direct[rows], legs, neighbors[rows], weight[rows], num_paths)
        means.append(sum(best[1:], best[0]) / len(best) if whole else _finite_mean(best))
    return torch.cat(means)


def _k_smallest(
    direct: Tensor, legs: Tensor, neighbors: Tensor, weight: Tensor, num_paths: int
) -> Sequence[Tensor]:
    """The K smallest path lengths, ascending: each path sinks through K buffers that stay warm."""
    best = [direct]
    for s in range(neighbors.shape[1]):
        path = legs[neighbors[:, s]] + weight[:, s, None]
        for i, kept in enumerate(best):
            best[i] = torch.minimum(kept, path)
            if i < num_paths - 1:
                path = torch.maximum(kept, path)
        if len(best) < num_paths:
            best.append(path)
    return best


def _k_smallest_tracked(
    direct: Tensor, legs: Tensor, neighbors: Tensor, weight: Tensor, num_paths: int
) -> Sequence[Tensor]:
    """The same by one gather and one top-k, whose gradients are one scatter each."""
    paths = torch.cat([direct[None], legs[neighbors.T] + weight.T[:, :, None]])
    return torch.topk(paths, min(num_paths, len(paths)), dim=0, largest=False).values.unbind(0)


def _finite_mean(best: Sequence[Tensor]) -> Tensor:
    reached = [torch.isfinite(b) for b in best]
    paths = [torch.where(r, b, 0) for r, b in zip(reached, best, strict=True)]
    count = torch.stack(reached).sum(0)
    return torch.where(count > 0, sum(paths[1:], paths[0]) / count.clamp(min=1), torch.inf)
