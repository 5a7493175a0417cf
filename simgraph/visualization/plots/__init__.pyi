from .cmc import draw_cmc
from .distance_histograms import draw_distance_histograms
from .neighbor_graph import draw_neighbor_graph
from .ranked_lists import draw_ranked_lists
from .style import check_picture, save_figure
from .training import draw_training
from .tsne import draw_tsne

__all__ = [
    "check_picture",
    "draw_cmc",
    "draw_distance_histograms",
    "draw_neighbor_graph",
    "draw_ranked_lists",
    "draw_training",
    "draw_tsne",
    "save_figure",
]
