"""Damaged graph files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from numpy.random import Generator

import simgraph as sg
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.damaged_trees import damaged_json
from tests.faults.judge import Damage, Kind, same
from tests.faults.tensor_files import damaged_header, emit, parse, read_strictly

NAMES = ("complete.safetensors", "candidates.safetensors")


def prepare(folder: Path) -> None:
    """Write the good files."""
    generator = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(rows, 4, generator=generator) for rows in (4, 9))
    labels = {"query_pids": [1, 2, 3, 4], "gallery_pids": [1, 1, 2, 2, 3, 3, 4, 4, 5]}
    for name, candidates in zip(NAMES, (None, 5), strict=True):
        graph = sg.similarity_graph(query, gallery, k=3, lam=0.1, candidates=candidates, **labels)
        sg.save_graph(graph, folder / name)


def read(path: Path) -> dict[str, Any]:
    """All attributes of a loaded graph that SIM can be computed on."""
    graph = sg.load_graph(path)
    with contextlib.suppress(ValueError):  # parameters that do not fit a lawful graph
        distances = sg.SIM(num_paths=3, k_query=3, k_gallery=3)(graph)
        assert not torch.isnan(distances).any(), f"{path.name}: NaN from a graph that was accepted"
    return {f"{store._key} {key}": value for store in graph.stores for key, value in store.items()}


@cache
def _good(path: Path) -> dict[str, Any]:
    return read(path)


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """A damaged copy of one of the good files."""
    name = str(rng.choice(NAMES))
    path, whole = folder / name, (good / name).read_bytes()
    how = str(rng.choice(list(_CHANGES), p=[0.25, 0.25, 0.2, 0.25, 0.05]))
    lawful = True
    if how == "no file":
        what = write_no_file(path, rng)
    else:
        content, what = _CHANGES[how](whole, rng)
        lawful = how != "indices"
        path.write_bytes(content)

    def accepts(found: dict[str, Any]) -> bool:
        return lawful and (same(found, _good(good / name)) or _is_said(path, found))

    return Damage(what, path, lambda: read(path), accepts)


def _is_said(path: Path, found: dict[str, Any]) -> bool:
    """Whether the graph holds what the file says, read strictly."""
    try:
        tensors, metadata = read_strictly(path.read_bytes())
        entries = json.loads(metadata["content"])["entries"]
    except Exception:
        return False
    said = {
        f"{_place(entry['place'])} {entry['key']}": tensors[entry["tensor"]]
        if "tensor" in entry
        else entry["value"]
        for entry in entries
    }
    # The edges of a complete graph follow from its sizes.
    return all(key in found and same(value, found[key]) for key, value in said.items())


def _place(place: list[str]) -> Any:
    return None if not place else place[0] if len(place) == 1 else tuple(place)


def _content(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    header, data = parse(whole)
    text, what = damaged_json(header["__metadata__"]["content"], rng)
    header["__metadata__"]["content"] = text.decode("latin1")
    return emit(header, data), f"content {what}"


def _indices(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    """Edges to nowhere, or weights that are none."""
    header, data = parse(whole)
    names = [name for name in header if name != "__metadata__"]
    edges = [name for name in names if len(header[name]["shape"]) == 2
             and header[name]["dtype"] == "I64"]  # fmt: skip
    content = json.loads(header["__metadata__"]["content"])
    weights = [entry["tensor"] for entry in content["entries"] if entry["key"] == "edge_weight"]
    name = str(rng.choice(edges if rng.random() < 0.7 else weights))
    start, end = header[name]["data_offsets"]
    tensor = torch.frombuffer(bytearray(data[start:end]), dtype=_TYPES[header[name]["dtype"]])
    values = (-5, -1, 10**8, 2**62) if name in edges else (float("nan"), float("inf"))
    place, value = int(rng.integers(len(tensor))), values[rng.integers(len(values))]
    tensor[place] = value
    changed = data[:start] + tensor.numpy().tobytes() + data[end:]
    return emit(header, changed), f"tensor {name}[{place}] is {value}"


_TYPES = {"I64": torch.int64, "F32": torch.float32}

_CHANGES: dict[str, Callable[[bytes, Generator], tuple[bytes, str]]] = {
    "bytes": damaged_bytes,
    "header": damaged_header,
    "content": _content,
    "indices": _indices,
    "no file": lambda whole, rng: (whole, "untouched"),
}

KIND = Kind("graph", prepare, damage)
