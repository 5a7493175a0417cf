"""Graph-based re-ranking for cross-modality retrieval.

import simgraph as sg

graph = sg.similarity_graph(query, gallery)
d = sg.SIM()(graph)
"""

from simgraph import authors, auto, datasets, reference, rerankers
from simgraph._version import __version__
from simgraph.evaluation import Metrics, evaluate
from simgraph.explain import Explanation, explain
from simgraph.features import Features, load_features, save_features
from simgraph.graph import similarity_graph, similarity_graph_from_distances, validate_graph
from simgraph.graph_files import load_graph, save_graph
from simgraph.mnnr import MNNR
from simgraph.rerankers import rerank
from simgraph.search import SIMIndex
from simgraph.sgr import SGR, KSmallestMean
from simgraph.sim import SIM, sim_distance

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
    "rerankers",
    "save_features",
    "save_graph",
    "sim_distance",
    "similarity_graph",
    "similarity_graph_from_distances",
    "validate_graph",
]
