from . import networkx_reference
from .build import similarity_graph, similarity_graph_from_distances
from .io import load_graph, save_graph
from .validate import validate_graph

__all__ = [
    "load_graph",
    "networkx_reference",
    "save_graph",
    "similarity_graph",
    "similarity_graph_from_distances",
    "validate_graph",
]
