"""Similarity graphs on disk: safetensors, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._files import replacing
from simgraph.edges import MATCHES, is_complete
from simgraph.graph import validate_graph


def save_graph(graph: HeteroData, path: str | Path) -> None:
    """Write a graph as safetensors, to a temporary name first; see `load_graph`.

    The row-major edge index of a complete graph is left out: its sizes say it all.

    Args:
        graph: a valid graph; tensors on nodes and edges and the scalars `k`, `lam` are kept.
        path: file to write, by custom with the suffix `.safetensors`.
    """
    complete = is_complete(validate_graph(graph))
    tensors, scalars = {}, {"complete": complete}
    for store in graph.stores:
        prefix = "" if store._key is None else "|".join(_parts(store._key)) + "."
        for key, value in store.items():
            if complete and store._key == MATCHES and key == "edge_index":
                continue
            if isinstance(value, Tensor):
                # A copy, because safetensors refuses tensors that share memory, as query and
                # gallery do when a set is ranked against itself.
                tensors[prefix + key] = value.detach().cpu().clone().contiguous()
            else:
                scalars[prefix + key] = value
    with replacing(path) as temporary:
        save_file(
            tensors, temporary, metadata={"simgraph": "graph-1", "scalars": json.dumps(scalars)}
        )


def load_graph(path: str | Path) -> HeteroData:
    """Read a graph written by `save_graph`; nothing is unpickled.

    Args:
        path: the file.

    Returns:
        The graph, on the CPU, validated.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not such a file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such graph file; write one with simgraph.save_graph")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a safetensors file of simgraph.save_graph ({error}); "
            "pickled graphs are not read, because unpickling runs code"
        ) from None
    if metadata.get("simgraph") != "graph-1" or "scalars" not in metadata:
        raise ValueError(f"{path}: expected a graph of simgraph.save_graph, got other tensors")
    return _restore(tensors, json.loads(metadata["scalars"]))


def _restore(tensors: dict[str, Tensor], scalars: dict[str, Any]) -> HeteroData:
    graph = HeteroData()
    complete = scalars.pop("complete")
    for name, value in (scalars | tensors).items():
        prefix, dot, key = name.rpartition(".")
        if not dot:
            graph[key] = value
            continue
        parts = tuple(prefix.split("|"))
        graph[parts if len(parts) == 3 else prefix][key] = value
    if complete:
        sizes = graph["query"].num_nodes, graph["gallery"].num_nodes
        graph[MATCHES].edge_index = torch.cartesian_prod(*map(torch.arange, sizes)).T.contiguous()
    return validate_graph(graph)


def _parts(key: Any) -> tuple[str, ...]:
    return key if isinstance(key, tuple) else (key,)
