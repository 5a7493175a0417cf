"""Graph-based re-ranking for cross-modality retrieval.

import simgraph as sg

graph = sg.similarity_graph(query, gallery)
d = sg.SIM()(graph)
"""

from importlib import import_module as _import_module
from typing import Any as _Any

import lazy_loader as _lazy_loader

from simgraph._version import __version__ as __version__

# Names are imported when they are first used, so that `simgraph --help` does not wait for torch.
_load, _, _ = _lazy_loader.attach_stub(__name__, __file__)

__all__ = [
    "MNNR",
    "SGR",
    "SIM",
    "Explanation",
    "Features",
    "KSmallestMean",
    "Metrics",
    "SIMIndex",
    "__version__",
    "authors",
    "auto",
    "datasets",
    "evaluate",
    "explain",
    "load_features",
    "load_graph",
    "reference",
    "rerank",
    "rerank_distances",
    "rerankers",
    "save_features",
    "save_graph",
    "sim_distance",
    "similarity_graph",
    "similarity_graph_from_distances",
    "tune",
    "validate_graph",
]


def __getattr__(name: str) -> _Any:
    if name == "reference":
        return _import_module("simgraph.graph.networkx_reference")
    return _load(name)


def __dir__() -> list[str]:
    return list(__all__)
