"""Eq. 1: the test set as a sparse similarity graph in torch-geometric form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._arrays import Array, Labels, distance_pair, feature_pair, label_vector
from simgraph._deprecation import renamed_arguments
from simgraph._params import check_graph_params
from simgraph.distances import (
    k_smallest,
    l2_blocks,
    l2_distance,
    nearest_in_distances,
    nearest_neighbors,
)
from simgraph.graph.edges import MATCHES, NEAR
from simgraph.graph.validate import validate_graph


@renamed_arguments(query_ids="query_pids", gallery_ids="gallery_pids")
def similarity_graph(
    query: Array,
    gallery: Array,
    k: int = 20,
    lam: float = 0.01,
    candidates: int | None = None,
    *,
    normalize: bool = True,
    query_pids: Labels | None = None,
    gallery_pids: Labels | None = None,
    query_cams: Labels | None = None,
    gallery_cams: Labels | None = None,
) -> HeteroData:
    r"""Build the similarity graph of a test set from its features.

    $$w(q, g_t) = D_{qg}(q, g_t), \qquad
      w(g_t, g_j) = \lambda\, D_{gg}(g_t, g_j) \ \text{ for } g_t \in N_k(g_j) \cup \{g_j\}$$

    Args:
        query: features [Nq, D], floating, numpy or torch.
        gallery: features [Ng, D], the same.
        k: gallery neighbors kept per gallery node, not counting itself, 0 <= k < Ng.
        lam: λ, scale of the gallery edges, in [0, 1].
        candidates: keep only each query's nearest gallery images, 1..Ng; None keeps all.
        normalize: scale every feature row to length 1 first.
        query_pids: identities [Nq], kept as `graph["query"].y`; likewise `gallery_pids` [Ng].
        gallery_pids: see query_pids.
        query_cams: cameras [Nq], kept as `graph["query"].camera`; likewise `gallery_cams` [Ng].
        gallery_cams: see query_cams.

    Returns:
        `HeteroData` with nodes `query` and `gallery` (`x`: the features behind the distances),
        edges `('query', 'matches', 'gallery')`, row-major when complete, and
        `('gallery', 'near', 'gallery')` from neighbor to target, sorted by target, then
        distance, the target's self-loop of weight 0 first. Both carry `edge_weight`; the
        gallery edges also `edge_distance`, the unscaled D_gg. `graph.k` and `graph.lam` hold
        the parameters.

    Raises:
        ValueError: for NaN, Inf, wrong shapes or types, or parameters out of range.

    Source: Jia et al., IJCAI 2020, Eq. 1.
    """
    q, g = feature_pair(query, gallery, normalize)
    check_graph_params(k, lam, candidates, len(g))
    labels = {
        ("query", "y"): _labels(query_pids, q, "query_pids"),
        ("query", "camera"): _labels(query_cams, q, "query_cams"),
        ("gallery", "y"): _labels(gallery_pids, g, "gallery_pids"),
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
            diagonal is ignored.
        k: gallery neighbors kept per gallery node, not counting itself, 0 <= k < Ng.
        lam: λ, scale of the gallery edges, in [0, 1].
        candidates: keep only each query's nearest gallery images, 1..Ng; None keeps all.

    Returns:
        The graph, without node features. It is differentiable through its edge weights.
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
