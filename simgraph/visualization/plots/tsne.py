"""A t-SNE map of the features of some identities, with the gallery edges of the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import feature_pair
from simgraph._params import require_int
from simgraph.distances import nearest_neighbors
from simgraph.visualization.plots.style import BLACK, GRAY, LINES, styled
from simgraph.visualization.trial_view import TrialView


@styled
def draw_tsne(
    view: TrialView,
    k: int = 20,
    identities: Sequence[int] | None = None,
    normalize: bool = True,
    seed: int = 0,
) -> Figure:
    """Queries and gallery images of some identities by t-SNE, and the graph's gallery edges.

    Triangles are queries and circles are gallery images. Each identity has its own color, and its
    number is at the median of its images. Gray lines connect each gallery image with its k nearest
    gallery images.

    Args:
        view: with identities.
        k: gallery neighbors kept per gallery node, as in the graph; neighbors of identities that
            are not shown are not drawn.
        identities: which identities to show, 1 to 8; None takes the first 8 that both sides have.
        normalize: scale every feature row to length 1 first.
        seed: random seed of t-SNE.

    Returns:
        The figure.

    Raises:
        ImportError: without scikit-learn, which the extra [viz] installs.
        ValueError: for identities that the view lacks, or parameters out of range.

    Source: van der Maaten and Hinton, JMLR 2008.
    """
    query, gallery = feature_pair(view.features.query, view.features.gallery, normalize)
    require_int("k", k, 0)
    if k >= len(gallery):
        raise ValueError(f"k = {k} must be less than num_gallery = {len(gallery)}")
    query_pid, gallery_pid = _identities(view)
    shown = _chosen(query_pid, gallery_pid, identities)
    rows = [torch.isin(pid, shown).nonzero().flatten() for pid in (query_pid, gallery_pid)]
    places = _tsne(torch.cat([query[rows[0]], gallery[rows[1]]]), seed)
    of_query, of_gallery = places[: len(rows[0])], places[len(rows[0]) :]

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot(xticks=[], yticks=[], frameon=False)
    _draw_edges(axes, of_gallery, rows[1], nearest_neighbors(gallery, k)[1])
    for line, pid in zip(LINES, shown.tolist(), strict=False):
        own = of_query[query_pid[rows[0]] == pid], of_gallery[gallery_pid[rows[1]] == pid]
        for points, marker in zip(own, "^o", strict=True):
            x, y = points.T
            axes.scatter(x, y, 28, line.color, marker=marker, edgecolors="white", linewidths=0.4)
        middle = np.median(np.concatenate(own), axis=0)
        axes.annotate(
            str(pid), middle, ha="center", va="center", fontweight="bold",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": line.color},
        )  # fmt: skip
    _draw_legend(figure)
    return figure


def _identities(view: TrialView) -> tuple[Tensor, Tensor]:
    pids = view.features.query_pids, view.features.gallery_pids
    if pids[0] is None or pids[1] is None:
        raise ValueError("view: expected identities to color images by, got none")
    return pids[0], pids[1]


def _chosen(query_pid: Tensor, gallery_pid: Tensor, identities: Sequence[int] | None) -> Tensor:
    both = np.intersect1d(query_pid.numpy(), gallery_pid.numpy())
    if identities is None:
        return torch.from_numpy(both[: len(LINES)])
    if not 1 <= len(set(identities)) <= len(LINES):
        raise ValueError(f"identities: expected 1 to {len(LINES)}, got {len(set(identities))}")
    missing = sorted(set(identities) - set(both.tolist()))
    if missing:
        raise ValueError(f"identities: expected some that both sides have, got {missing}")
    return torch.tensor(sorted(set(identities)))


def _tsne(features: Tensor, seed: int) -> NDArray[np.float32]:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ImportError("the map needs scikit-learn: pip install 'simgraph[viz]'") from error
    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    places: NDArray[np.float32] = model.fit_transform(features.cpu().numpy())
    return places


def _draw_edges(axes: Axes, places: NDArray[np.float32], rows: Tensor, neighbors: Tensor) -> None:
    """Connect each shown image with those of its neighbors that are shown."""
    row_of = {image: row for row, image in enumerate(rows.tolist())}
    lines = [
        (places[row_of[source]], places[row_of[target]])
        for target in row_of
        for source in neighbors[target].tolist()
        if source in row_of
    ]
    axes.add_collection(LineCollection(lines, colors=GRAY, linewidths=0.3, alpha=0.5, zorder=0))


def _draw_legend(figure: Figure) -> None:
    kinds = (("query", "^", ""), ("gallery", "o", ""), ("gallery edge", "", "-"))
    handles = [
        Line2D([], [], color=BLACK if marker else GRAY, marker=marker, ls=line, label=name)
        for name, marker, line in kinds
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
