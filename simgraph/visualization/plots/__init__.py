"""Pictures for papers: each function gives a matplotlib figure, which `save_figure` writes."""

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError("pictures need matplotlib: pip install 'simgraph[viz]'") from error

from simgraph.visualization.plots.cmc import cmc_curves
from simgraph.visualization.plots.distance_histograms import distance_distributions
from simgraph.visualization.plots.neighbor_graph import neighbor_graph
from simgraph.visualization.plots.ranked_lists import ranked_strips
from simgraph.visualization.plots.style import check_picture, save_figure
from simgraph.visualization.plots.training import training_curves
from simgraph.visualization.plots.tsne import embedding_map

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
