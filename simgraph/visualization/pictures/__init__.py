"""Pictures for papers: each function gives a matplotlib figure, which `save_figure` writes."""

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError("pictures need matplotlib: pip install 'simgraph[viz]'") from error

from simgraph.visualization.pictures.cmc import cmc_curves
from simgraph.visualization.pictures.distributions import distance_distributions
from simgraph.visualization.pictures.embedding import embedding_map
from simgraph.visualization.pictures.neighbors import neighbor_graph
from simgraph.visualization.pictures.strips import ranked_strips
from simgraph.visualization.pictures.style import check_picture, save_figure
from simgraph.visualization.pictures.training import training_curves

__all__ = [
    "check_picture",
    "cmc_curves",
    "distance_distributions",
    "embedding_map",
    "neighbor_graph",
    "ranked_strips",
    "save_figure",
    "training_curves",
]
