"""Eq. 2–5: similarity graph reasoning, the mean of the K shortest paths."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import HeteroData
from torch_geometric.nn import Aggregation, MessagePassing

from simgraph import kernels
from simgraph._params import checked_attribute, require_at_least_1, require_int
from simgraph.distances import needs_grad, row_blocks
from simgraph.graph.edges import (
    NearEdges,
    built_k,
    near_edges,
    query_distances,
    rank_in_runs,
)
from simgraph.graph.validate import validate_graph
from simgraph.kernels.reference import finite_mean
from simgraph.sim.params import SIMParams, check_num_paths


class KSmallestMean(Aggregation):
    r"""Mean of the K smallest finite values that reach a node, feature by feature.

    $$y_{jf} = \frac{1}{|S|} \sum_{x \in S} x, \qquad
      S = \text{the } K \text{ smallest finite of } \{x_{ef} : e \to j\}$$

    With fewer than K values it is the mean of those; with none it is `inf`, so that a node
    without messages ranks last. Equal values count separately.

    Args:
        num_paths: K >= 1.

    Source: Jia et al., IJCAI 2020, Eq. 5.
    """

    num_paths = checked_attribute("num_paths", require_at_least_1, "K.")

    def __init__(self, num_paths: int = 9) -> None:
        super().__init__()
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
        # Each column has the same number of values per target, so one rank serves all columns.
        values = values[rank < self.num_paths]
        # Bounds instead of indices: PyG then sums runs, with torch-scatter where installed.
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


def _require_hops(name: str, value: object) -> None:
    if value is not None:
        require_int(name, value, 2)


class SGR(MessagePassing):
    r"""Similarity graph reasoning: the mean of the K shortest paths from query to gallery image.

    $$d_S(q, g_j) = \frac{1}{K} \sum_{t \in S} D_{qg}(q, g_t) + \lambda\, D_{gg}(g_t, g_j)$$

    where S holds the K smallest sums over g_j's neighbors and g_j itself, whose sum is the
    direct edge. Differentiable with respect to the edge weights.

    With `num_hops=h` the first leg to each neighbor is the shortest path of at most h − 1 hops
    in place of the direct edge; the K paths still differ in their last stop. At K = 1 that is the
    shortest path of at most h hops; h = 2 is Eq. 4–5; `None` sets no limit (Eq. 2).

    Args:
        num_paths: K >= 1, at most k + 1.
        num_hops: longest path in edges, >= 2, or None for any length.

    Source: Jia et al., IJCAI 2020, Eq. 2–5.
    """

    num_hops = checked_attribute("num_hops", _require_hops, "Longest path in edges, or None.")

    def __init__(self, num_paths: int = 9, num_hops: int | None = 2) -> None:
        super().__init__(aggr=KSmallestMean(num_paths))
        self.num_hops = num_hops

    @property
    def num_paths(self) -> int:
        """K, which the aggregation holds."""
        return int(self.aggr_module.num_paths)

    @num_paths.setter
    def num_paths(self, value: int) -> None:
        self.aggr_module.num_paths = value

    def forward(self, graph: HeteroData) -> Tensor:
        """Distances d_S over a similarity graph.

        Args:
            graph: any valid graph, see `simgraph.similarity_graph`; a complete one whose gallery
                nodes all have k neighbors is computed faster, with the same result.

        Returns:
            d_S [Nq, Ng]; `inf` where there is no path.

        Raises:
            ValueError: for an invalid graph, or num_paths above graph.k + 1.
        """
        validate_graph(graph)
        check_num_paths(self.num_paths, built_k(graph))
        direct, edges = query_distances(graph), near_edges(graph)
        legs = direct if self.num_hops == 2 else self._first_legs(direct, edges)
        return self._last_hop(direct, legs, edges)

    def _first_legs(self, direct: Tensor, edges: NearEdges) -> Tensor:
        """Shortest paths of at most num_hops − 1 edges, [Nq, Ng]."""
        shortest = SGR(num_paths=1)
        limit = direct.shape[1] if self.num_hops is None else self.num_hops - 2
        legs = direct
        for _ in range(limit):
            shorter = shortest._last_hop(direct, legs, edges)
            if torch.equal(shorter, legs):
                break
            legs = shorter
        return legs

    def _last_hop(self, direct: Tensor, legs: Tensor, edges: NearEdges) -> Tensor:
        num_gallery = direct.shape[1]
        regular = edges.regular(num_gallery)
        if regular is not None:
            return path_means(direct, legs, *regular, self.num_paths)
        # One bipartite hop: self-loops carry the direct edge, all others the first legs.
        source = edges.source + num_gallery * (edges.source != edges.target)
        index = torch.stack([source, edges.target])
        blocks = [
            self.propagate(
                index,
                x=(torch.cat([direct[queries], legs[queries]], dim=1).T, None),
                edge_weight=edges.weight,
                size=(2 * num_gallery, num_gallery),
            ).T
            for queries in row_blocks(len(direct), 8 * len(source) * direct.element_size())
        ]
        return torch.cat(blocks)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Length of each path through the edge: its first leg plus its last hop."""
        return x_j + edge_weight[:, None]

    def __repr__(self) -> str:
        hops = "" if self.num_hops == 2 else f", num_hops={self.num_hops}"
        return f"{self.__class__.__name__}(num_paths={self.num_paths}{hops})"


def two_hop_distances(d_qg: Tensor, nearest: tuple[Tensor, Tensor], p: SIMParams) -> Tensor:
    """d_S of the complete, regular graph, from the nearest neighbors of each gallery image.

    Args:
        d_qg: D_qg [Nq, Ng].
        nearest: distances D_gg [Ng, k] of each image to its nearest, unscaled, and their indices
            [Ng, k].
        p: with λ and K.

    Returns:
        d_S [Nq, Ng].
    """
    distances, neighbors = nearest
    return path_means(d_qg, d_qg, neighbors, p.lam * distances, p.num_paths)


def path_means(
    direct: Tensor, legs: Tensor, neighbors: Tensor, weight: Tensor, num_paths: int
) -> Tensor:
    """Eq. 4–5 where every gallery node has k neighbors.

    Args:
        direct: D_qg [Nq, Ng]; `inf` where there is no edge.
        legs: [Nq, Ng], length of the first leg to each gallery node; D_qg for two hops.
        neighbors: [Ng, k] indices into the gallery.
        weight: [Ng, k], λ·D_gg of the last hop.
        num_paths: K >= 1.

    Returns:
        d_S [Nq, Ng].
    """
    if not needs_grad(direct, legs, weight):
        return kernels.mean_k_shortest(direct, legs, neighbors, weight, num_paths)
    # By blocks of targets, each computed again in the backward pass instead of stored.
    own, by_image = direct.T.contiguous(), legs.T.contiguous()
    bytes_per_target = 3 * (neighbors.shape[1] + 1) * len(direct) * direct.element_size()
    means = [
        checkpoint(
            _path_means_tracked, own[rows], by_image, neighbors[rows], weight[rows], num_paths,
            use_reentrant=False,
        )
        for rows in row_blocks(len(own), bytes_per_target)
    ]  # fmt: skip
    return torch.cat(means).T.contiguous()


def _path_means_tracked(
    direct: Tensor, legs: Tensor, neighbors: Tensor, weight: Tensor, num_paths: int
) -> Tensor:
    """All paths at once, by one gather and one top-k, whose gradients are one scatter each."""
    paths = torch.cat([direct[None], legs[neighbors.T] + weight.T[:, :, None]])
    best = torch.topk(paths, min(num_paths, len(paths)), dim=0, largest=False).values
    return finite_mean(best.unbind(0))
