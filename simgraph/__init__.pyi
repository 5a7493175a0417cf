from . import (
    config,
    datasets,
    distances,
    distributed,
    evaluation,
    features,
    graph,
    kernels,
    pipeline,
    reports,
    rerankers,
    results,
    search,
    sim,
    studies,
    synthetic,
    training,
    trials,
    visualization,
)
from ._version import __version__
from .evaluation import Metrics, evaluate
from .features import Features, load_features, save_features
from .graph import (
    load_graph,
    save_graph,
    similarity_graph,
    similarity_graph_from_distances,
    validate_graph,
)
from .graph import networkx_reference as reference
from .rerankers import rerank, rerank_distances
from .search import SIMIndex
from .sim import (
    MNNR,
    SGR,
    SIM,
    Explanation,
    KSmallestMean,
    authors,
    auto,
    explain,
    sim_distance,
)
from .studies import tune

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
