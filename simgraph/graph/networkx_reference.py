"""The slow, obvious reference: shortest paths by networkx over the same graph."""

from __future__ import annotations

from typing import Any

import networkx as nx
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._params import require_int
from simgraph.graph.edges import MATCHES, NEAR
from simgraph.graph.validate import validate_graph


def to_networkx(graph: HeteroData) -> Any:
    """The similarity graph as a networkx `DiGraph`.

    Args:
        graph: a valid similarity graph.

    Returns:
        Nodes `("query", i)` and `("gallery", j)`, with `y` and `camera` where known; directed
        edges from query to gallery image and from neighbor to target, with `weight`.
    """
    validate_graph(graph)
    result = nx.DiGraph(**{key: graph[key] for key in ("k", "lam") if hasattr(graph, key)})
    for node in ("query", "gallery"):
        result.add_nodes_from((node, i) for i in range(graph[node].num_nodes))
        for key in ("y", "camera"):
            if key in graph[node]:
                labels = {(node, i): value for i, value in enumerate(graph[node][key].tolist())}
                nx.set_node_attributes(result, labels, key)
    for edge in (MATCHES, NEAR):
        sources, targets = graph[edge].edge_index.tolist()
        weights = graph[edge].edge_weight.tolist()
        for i, j, weight in zip(sources, targets, weights, strict=True):
            result.add_edge((edge[0], i), (edge[2], j), weight=weight)
    return result


def shortest_paths(graph: HeteroData, max_hops: int | None = 2) -> Tensor:
    r"""Length of the shortest path from every query to every gallery image, by Dijkstra.

    $$d(q, g) = \min_{q \to g_{t_1} \to \dots \to g} \ \sum w$$

    Args:
        graph: a valid similarity graph.
        max_hops: longest path in edges, >= 1; None for any length (Eq. 2).

    Returns:
        [Nq, Ng] in float64; `inf` where no path leads.

    Raises:
        ValueError: for an invalid graph or max_hops below 1.
    """
    if max_hops is not None:
        require_int("max_hops", max_hops, 1)
    network = to_networkx(graph)
    num_queries, num_gallery = graph["query"].num_nodes, graph["gallery"].num_nodes
    ends: list[Any] = [("gallery", j) for j in range(num_gallery)]
    if max_hops is not None:
        network, ends = _layers(network, max_hops), [(*end, max_hops) for end in ends]
    result = torch.full((num_queries, num_gallery), torch.inf, dtype=torch.float64)
    for i in range(num_queries):
        lengths = nx.single_source_dijkstra_path_length(network, ("query", i))
        for j, end in enumerate(ends):
            result[i, j] = lengths.get(end, torch.inf)
    return result


def _layers(network: Any, max_hops: int) -> Any:
    """Copy the gallery once per number of hops, so that no path has more than max_hops edges."""
    layered = nx.DiGraph()
    for start, end, weight in network.edges(data="weight"):
        if start[0] == "query":
            layered.add_edge(start, (*end, 1), weight=weight)
            continue
        for hop in range(1, max_hops):
            layered.add_edge((*start, hop), (*end, hop + 1), weight=weight)
    for node in network:
        if node[0] == "gallery":
            for hop in range(1, max_hops):
                layered.add_edge((*node, hop), (*node, hop + 1), weight=0.0)
    layered.add_nodes_from(node for node in network if node[0] == "query")
    return layered
