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
from simgraph.features.headers import require_each_key_once
from simgraph.graph.edges import MATCHES, is_complete
from simgraph.graph.validate import require_num_nodes, validate_graph

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
        require_each_key_once(Path(path))
        return _restore(tensors, _read_content(metadata["content"]))


def _read_content(text: str) -> dict[str, Any]:
    """The header of a graph: whether it is complete, and its attributes, each with its place."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("content: expected JSON, got another text") from None
    if not isinstance(content, dict) or not isinstance(content.get("complete"), bool):
        raise ValueError(f"complete: expected true or false in the content, got {text[:80]}")
    if not isinstance(content.get("entries"), list):
        raise ValueError(f"entries: expected a list, got {content.get('entries')!r:.80}")
    for entry in content["entries"]:
        _check_entry(entry)
    return content


def _check_entry(entry: Any) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
        raise ValueError(f"entries: expected place, key, and tensor or value, got {entry!r:.200}")
    name, place = entry["key"], entry.get("place")
    if not isinstance(place, list) or not all(isinstance(part, str) for part in place):
        raise ValueError(f"'{name}': expected a place of names, got {place!r:.80}")
    if len(place) not in (0, 1, 3):
        raise ValueError(f"'{name}': expected a place of 0, 1 or 3 names, got {place!r:.80}")
    if ("tensor" in entry) == ("value" in entry):
        raise ValueError(f"'{name}': expected either a tensor or a value, got {entry!r:.200}")


def _restore(tensors: dict[str, Tensor], content: dict[str, Any]) -> HeteroData:
    graph = HeteroData()
    for entry in content["entries"]:
        place, key, value = entry["place"], entry["key"], _value(tensors, entry)
        try:
            _store(graph, place)[key] = value
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"'{key}': expected the name of an attribute: {error}") from None
    require_num_nodes(graph)
    if content["complete"]:
        graph[MATCHES].edge_index = _all_pairs(graph)
    return validate_graph(graph)


def _store(graph: HeteroData, place: list[str]) -> Any:
    """Where the attributes of a place stand: of the graph, of a node type, of an edge type."""
    if not place:
        return graph
    return graph[tuple(place) if len(place) == 3 else place[0]]


def _value(tensors: dict[str, Tensor], entry: dict[str, Any]) -> Any:
    if "value" in entry:
        return entry["value"]
    name = entry["tensor"]
    if not isinstance(name, str) or name not in tensors:
        raise ValueError(
            f"'{entry['key']}': expected one of the tensors {', '.join(tensors)}, got {name!r:.80}"
        )
    return tensors[name]


def _all_pairs(graph: HeteroData) -> Tensor:
    """Edges of every query to every gallery image; their weights say how many there must be."""
    sizes = graph["query"].num_nodes, graph["gallery"].num_nodes
    weight = graph[MATCHES].get("edge_weight")
    count = len(weight) if isinstance(weight, Tensor) and weight.dim() else None
    if count != sizes[0] * sizes[1]:
        raise ValueError(
            f"num_nodes: expected as many pairs of a query and a gallery image as edge_weight has "
            f"values ({count}), got {sizes[0]} × {sizes[1]}"
        )
    return torch.cartesian_prod(*map(torch.arange, sizes)).T.contiguous()
