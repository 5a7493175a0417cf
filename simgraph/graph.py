"""Eq. 1: the test set as a sparse similarity graph in torch-geometric form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._arrays import Array, Labels, distance_pair, feature_pair, label_vector
from simgraph._params import check_graph_params
from simgraph.distances import (
    k_smallest,
    l2_blocks,
    l2_distance,
    nearest_in_distances,
    nearest_neighbors,
)
from simgraph.edges import MATCHES, NEAR, is_complete


def similarity_graph(
    query: Array,
    gallery: Array,
    k: int = 20,
    lam: float = 0.01,
    candidates: int | None = None,
    *,
    normalize: bool = True,
    query_ids: Labels | None = None,
    gallery_ids: Labels | None = None,
    query_cams: Labels | None = None,
    gallery_cams: Labels | None = None,
) -> HeteroData:
    r"""Build the similarity graph of a test set from its features.

    $$w(q, g_t) = D_{qg}(q, g_t), \qquad
      w(g_t, g_j) = \lambda\, D_{gg}(g_t, g_j) \ \text{ for } g_t \in N_k(g_j) \cup \{g_j\}$$

    Args:
        query: features [Nq, D], floating, numpy or torch.
        gallery: features [Ng, D], the same.
        k: gallery neighbours kept per gallery node, itself not counted, 0 <= k < Ng.
        lam: λ, scale of the gallery edges, in [0, 1].
        candidates: keep only each query's nearest gallery images, 1..Ng; None keeps all.
        normalize: scale every feature row to length 1 first.
        query_ids: identities [Nq], kept as `graph["query"].y`; likewise `gallery_ids` [Ng].
        gallery_ids: see query_ids.
        query_cams: cameras [Nq], kept as `graph["query"].camera`; likewise `gallery_cams` [Ng].
        gallery_cams: see query_cams.

    Returns:
        `HeteroData` with nodes `query` and `gallery` (`x` the features the distances are of),
        edges `('query', 'matches', 'gallery')`, row-major when complete, and
        `('gallery', 'near', 'gallery')` from neighbour to target, sorted by target, then
        distance, the target's self-loop of weight 0 first. Both carry `edge_weight`; the
        gallery edges also `edge_distance`, the unscaled D_gg. `graph.k` and `graph.lam` say
        how it was built.

    Raises:
        ValueError: for NaN, Inf, wrong shapes or types, or parameters out of range.

    Source: Jia et al., IJCAI 2020, Eq. 1.
    """
    q, g = feature_pair(query, gallery, normalize)
    check_graph_params(k, lam, candidates, len(g))
    labels = {
        ("query", "y"): _labels(query_ids, q, "query_ids"),
        ("query", "camera"): _labels(query_cams, q, "query_cams"),
        ("gallery", "y"): _labels(gallery_ids, g, "gallery_ids"),
        ("gallery", "camera"): _labels(gallery_cams, g, "gallery_cams"),
    }
    distances, neighbors = nearest_neighbors(g, k)
    graph = _assemble(_matches(q, g, candidates), len(q), distances, neighbors, lam)
    graph["query"].x, graph["gallery"].x = q, g
    for (node, key), values in labels.items():
        if values is not None:
            graph[node][key] = values
    return validate_graph(graph)


def similarity_graph_from_distances(
    d_qg: Array, d_gg: Array, k: int = 20, lam: float = 0.01, candidates: int | None = None
) -> HeteroData:
    """Build the similarity graph of a test set from its distances; see `similarity_graph`.

    Args:
        d_qg: D_qg [Nq, Ng], >= 0, floating, numpy or torch.
        d_gg: D_gg [Ng, Ng], finite and >= 0, read by rows: row j holds the distances of g_j. The
            diagonal has no effect.
        k: gallery neighbours kept per gallery node, itself not counted, 0 <= k < Ng.
        lam: λ, scale of the gallery edges, in [0, 1].
        candidates: keep only each query's nearest gallery images, 1..Ng; None keeps all.

    Returns:
        The graph, without node features. Differentiable: the edge weights carry the gradient.
        The weights of a complete graph share memory with d_qg.

    Raises:
        ValueError: for NaN, Inf, negative distances, wrong shapes, or parameters out of range.

    Source: Jia et al., IJCAI 2020, Eq. 1.
    """
    qg, gg = distance_pair(d_qg, d_gg)
    check_graph_params(k, lam, candidates, qg.shape[1])
    distances, neighbors = nearest_in_distances(gg, k)
    matches = (qg, None) if candidates is None else k_smallest(qg, candidates)
    return validate_graph(_assemble(matches, len(qg), distances, neighbors, lam))


def _matches(q: Tensor, g: Tensor, candidates: int | None) -> tuple[Tensor, Tensor | None]:
    """Weights [Nq, M] of the query edges and their gallery ends [Nq, M]; None: all, in order."""
    if candidates is None:
        return l2_distance(q, g), None
    found = [k_smallest(d, candidates) for _, d in l2_blocks(q, g)]
    return torch.cat([f[0] for f in found]), torch.cat([f[1] for f in found])


def _assemble(
    matches: tuple[Tensor, Tensor | None],
    num_queries: int,
    distances: Tensor,
    neighbors: Tensor,
    lam: float,
) -> HeteroData:
    weight, ends = matches
    num_gallery, k = neighbors.shape
    device = weight.device
    graph = HeteroData()
    graph.k, graph.lam = k, float(lam)
    graph["query"].num_nodes, graph["gallery"].num_nodes = num_queries, num_gallery
    columns = torch.arange(num_gallery, device=device).repeat(num_queries) if ends is None else ends
    rows = torch.arange(num_queries, device=device).repeat_interleave(weight.shape[1])
    graph[MATCHES].edge_index = torch.stack([rows, columns.reshape(-1)])
    graph[MATCHES].edge_weight = weight.reshape(-1)

    own = torch.arange(num_gallery, device=device)
    sources = torch.cat([own[:, None], neighbors], dim=1).reshape(-1)
    distance = torch.nn.functional.pad(distances, (1, 0)).reshape(-1)
    graph[NEAR].edge_index = torch.stack([sources, own.repeat_interleave(k + 1)])
    graph[NEAR].edge_weight = lam * distance
    graph[NEAR].edge_distance = distance
    return graph


def _labels(values: Labels | None, x: Tensor, name: str) -> Tensor | None:
    return None if values is None else label_vector(values, len(x), name).to(x.device)


def validate_graph(graph: HeteroData) -> HeteroData:
    """Check that a graph, built here or by hand, has the form that SGR, MNNR and SIM read.

    Degrees and the order of edges are free. A gallery node without a self-loop counts as
    having one of weight 0, because the direct edge is always one of its paths.

    Args:
        graph: see `similarity_graph`.

    Returns:
        The same graph.

    Raises:
        ValueError: for missing parts, wrong types or lengths, indices out of range, NaN, Inf or
            negative weights, self-loops that weigh more than 0, and duplicate edges.
    """
    if not isinstance(graph, HeteroData):
        raise ValueError(f"graph: expected a HeteroData, got {type(graph).__name__}")
    for node in ("query", "gallery"):
        if node not in graph.node_types or not graph[node].num_nodes:
            raise ValueError(
                f"graph: expected nodes '{node}', got {graph.node_types}; set its x "
                f"or graph['{node}'].num_nodes"
            )
    for edge in (MATCHES, NEAR):
        if edge not in graph.edge_types:
            raise ValueError(f"graph: expected edges {edge}, got {graph.edge_types}")
        _validate_edges(graph, edge)
    graph.validate(raise_on_error=True)
    source, target = graph[NEAR].edge_index
    loops = graph[NEAR].edge_weight[source == target]
    if (loops != 0).any():
        raise ValueError(
            f"graph: expected self-loops of weight 0 in {NEAR}, got {float(loops.max()):.4g}"
        )
    return graph


def _validate_edges(graph: HeteroData, edge: tuple[str, str, str]) -> None:
    store, name = graph[edge], "->".join(edge)
    for key in ("edge_index", "edge_weight"):
        if key not in store:
            raise ValueError(f"graph {name}: expected '{key}', got only {list(store.keys())}")
    index = store.edge_index
    if index.dtype != torch.long or index.dim() != 2 or index.shape[0] != 2:
        raise ValueError(
            f"graph {name}: expected edge_index [2, E] of int64, got {tuple(index.shape)} "
            f"of {index.dtype}"
        )
    for key in ("edge_weight", "edge_distance"):
        if key in store:
            _validate_weights(store[key], index.shape[1], f"graph {name}: {key}")
    if store.edge_weight.device != index.device:
        raise ValueError(
            f"graph {name}: expected edge_index and edge_weight on one device, "
            f"got {index.device} and {store.edge_weight.device}"
        )
    for end, node in zip(index, (edge[0], edge[2]), strict=True):
        count = graph[node].num_nodes
        if end.numel() and (end.min() < 0 or end.max() >= count):
            raise ValueError(
                f"graph {name}: expected {node} indices in 0..{count - 1}, "
                f"got {int(end.min())}..{int(end.max())}"
            )
    if not (edge == MATCHES and is_complete(graph)):
        key = index[0] * graph[edge[2]].num_nodes + index[1]
        repeated = key.numel() - torch.unique(key).numel()
        if repeated:
            raise ValueError(
                f"graph {name}: expected each edge once, got {repeated} repeated; "
                "merge them with torch_geometric.utils.coalesce(reduce='min')"
            )


def _validate_weights(weight: Any, num_edges: int, name: str) -> None:
    if not isinstance(weight, Tensor) or weight.shape != (num_edges,):
        shape = tuple(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
        raise ValueError(f"{name}: expected [{num_edges}], one value an edge, got {shape}")
    if not weight.is_floating_point():
        raise ValueError(f"{name}: expected floating-point values, got {weight.dtype}")
    if num_edges and not (torch.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(f"{name}: expected finite values >= 0, got NaN, Inf or negative ones")
