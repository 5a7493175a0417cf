"""What a similarity graph must have: checks of graphs built by simgraph or by hand."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph.graph.edges import MATCHES, NEAR, is_complete

# Images are numbered by 32 bits where sets are built.
_MOST_NODES = 2**31 - 1


def validate_graph(graph: HeteroData) -> HeteroData:
    """Check that a graph has the form that SGR, MNNR and SIM read.

    Nodes may have any degree, and edges any order. A gallery node without a self-loop is treated
    as having one of weight 0, because the direct edge is always one of its paths.

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
    require_num_nodes(graph)
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


def require_num_nodes(graph: HeteroData) -> None:
    """Raise ValueError unless the graph has a usable number of queries and of gallery images."""
    for node in ("query", "gallery"):
        given = graph[node].get("num_nodes", 1) if node in graph.node_types else None
        if not isinstance(given, Integral) or isinstance(given, bool) or not graph[node].num_nodes:
            raise ValueError(
                f"graph: expected nodes '{node}', got {graph.node_types}; set its x "
                f"or graph['{node}'].num_nodes"
            )
        count, x = graph[node].num_nodes, graph[node].get("x")
        if not 0 < count <= _MOST_NODES:
            raise ValueError(f"graph: expected 1..{_MOST_NODES} nodes '{node}', got {count}")
        if isinstance(x, Tensor) and (x.dim() == 0 or len(x) != count):
            raise ValueError(
                f"graph: expected x [{count}, D] of the nodes '{node}', got {list(x.shape)}"
            )


def _validate_edges(graph: HeteroData, edge: tuple[str, str, str]) -> None:
    store, name = graph[edge], "->".join(edge)
    for key in ("edge_index", "edge_weight"):
        if key not in store:
            raise ValueError(f"graph {name}: expected '{key}', got only {list(store.keys())}")
    index = store.edge_index
    if not isinstance(index, Tensor):
        raise ValueError(
            f"graph {name}: expected edge_index [2, E] of int64, got {type(index).__name__}"
        )
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
        raise ValueError(f"{name}: expected [{num_edges}], one value per edge, got {shape}")
    if not weight.is_floating_point():
        raise ValueError(f"{name}: expected floating-point values, got {weight.dtype}")
    if num_edges and not (torch.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError(f"{name}: expected finite values >= 0, got NaN, Inf or negative ones")
