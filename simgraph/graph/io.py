"""Similarity graphs on disk: safetensors, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._files import atomic_write
from simgraph.features.arrays import prefix_errors
from simgraph.graph.edges import MATCHES, is_complete
from simgraph.graph.validate import validate_graph

_FORMAT = "graph-1"


def save_graph(graph: HeteroData, path: str | Path) -> None:
    """Write a graph as safetensors, to a temporary name first; see `load_graph`.

    The edge index of a complete graph is not stored, because its sizes determine it.

    Args:
        graph: a valid graph; tensors, plain numbers, strings and lists on nodes, on edges and on
            the graph itself are kept.
        path: file to write, by convention with the suffix `.safetensors`.

    Raises:
        ValueError: for an invalid graph, or attributes of other types.
    """
    complete = is_complete(validate_graph(graph))
    tensors: dict[str, Tensor] = {}
    entries: list[dict[str, Any]] = []
    for place, key, value in _attributes(graph):
        if complete and (place, key) == (list(MATCHES), "edge_index"):
            continue
        entry: dict[str, Any] = {"place": place, "key": key}
        if isinstance(value, Tensor):
            entry["tensor"] = str(len(tensors))
            # A copy, because safetensors refuses tensors that share memory, as query and
            # gallery do when a set is ranked against itself.
            tensors[entry["tensor"]] = value.detach().cpu().clone().contiguous()
        else:
            entry["value"] = value
        entries.append(entry)
    try:
        content = json.dumps({"complete": complete, "entries": entries})
    except TypeError as error:
        raise ValueError(
            f"graph: expected tensors, numbers, strings and lists to save: {error}"
        ) from None
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata={"simgraph": _FORMAT, "content": content})


def _attributes(graph: HeteroData) -> Iterator[tuple[list[str], str, Any]]:
    """Yield place ([]: graph, [node] or [node, relation, node]), name and value of attributes."""
    for store in graph.stores:
        place = store._key or ()
        for key, value in store.items():
            yield [place] if isinstance(place, str) else list(place), key, value


def load_graph(path: str | Path) -> HeteroData:
    """Read a graph written by `save_graph`, without unpickling anything.

    Args:
        path: the file.

    Returns:
        The graph, on the CPU, validated.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not one of `save_graph`.
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
    if metadata.get("simgraph") != _FORMAT or "content" not in metadata:
        raise ValueError(f"{path}: expected a graph of simgraph.save_graph, got other tensors")
    with prefix_errors(Path(path)):
        return _restore(tensors, json.loads(metadata["content"]))


def _restore(tensors: dict[str, Tensor], content: dict[str, Any]) -> HeteroData:
    graph = HeteroData()
    for entry in content["entries"]:
        place = entry["place"]
        value = tensors[entry["tensor"]] if "tensor" in entry else entry["value"]
        if place:
            graph[tuple(place) if len(place) == 3 else place[0]][entry["key"]] = value
        else:
            graph[entry["key"]] = value
    if content["complete"]:
        sizes = graph["query"].num_nodes, graph["gallery"].num_nodes
        graph[MATCHES].edge_index = torch.cartesian_prod(*map(torch.arange, sizes)).T.contiguous()
    return validate_graph(graph)
