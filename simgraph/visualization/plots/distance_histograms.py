"""Distances of pairs of the same and of different identities, before and after re-ranking."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from simgraph._params import require_int
from simgraph.evaluation import excluded
from simgraph.visualization.plots.style import RIGHT, WRONG, method_name, styled
from simgraph.visualization.trial_view import Scene


@styled
def distance_distributions(scene: Scene, distances: Mapping[str, Tensor], bins: int = 60) -> Figure:
    """A histogram for each method: how well distances part the same from different identities.

    The shared area is the overlap of both histograms, each of area 1: 0 where a threshold parts
    them, 1 where distances tell nothing. Pairs that the protocol leaves out, and those at `inf`,
    are not counted.

    Args:
        scene: with identities.
        distances: method → its distances [Nq, Ng]; a panel each, in this order.
        bins: of each histogram, at least 1.

    Returns:
        The figure.

    Raises:
        ValueError: without identities or methods, for distances of another shape, or where no
            pair of one of both kinds is left.
    """
    require_int("bins", bins, 1)
    if not distances:
        raise ValueError("distances: expected at least one method, got none")
    same, seen = _pairs(scene)
    figure = Figure(figsize=(2.4 * len(distances) + 0.6, 2.4), layout="constrained")
    panels = figure.subplots(1, len(distances), squeeze=False)[0]
    for axes, (method, d) in zip(panels, distances.items(), strict=True):
        if d.shape != same.shape:
            raise ValueError(f"{method}: expected {list(same.shape)}, got {list(d.shape)}")
        counted = seen & torch.isfinite(d)
        _draw_panel(axes, method, d[counted & same], d[counted & ~same], bins)
    panels[0].set_ylabel("density")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _pairs(scene: Scene) -> tuple[Tensor, Tensor]:
    """Which pairs are of one identity, and which the protocol leaves, [Nq, Ng]."""
    f = scene.features
    if f.query_pids is None or f.gallery_pids is None:
        raise ValueError("scene: expected identities to tell pairs apart by, got none")
    same = f.query_pids[:, None] == f.gallery_pids
    hidden = excluded(f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams, scene.protocol)
    return same, ~hidden


def _draw_panel(axes: Axes, method: str, same: Tensor, different: Tensor, bins: int) -> None:
    if not len(same) or not len(different):
        raise ValueError(
            f"{method}: expected pairs of the same and of different identities, "
            f"got {len(same)} and {len(different)}"
        )
    values = [d.cpu().double().numpy() for d in (same, different)]
    edges = np.histogram_bin_edges(np.concatenate(values), bins)
    heights = [np.histogram(v, edges, density=True)[0] for v in values]
    kinds = (("same identity", RIGHT, "////"), ("different identity", WRONG, None))
    for density, (name, mark, hatch) in zip(heights, kinds, strict=True):
        axes.stairs(
            density, edges, fill=True, facecolor=f"{mark.color}40", edgecolor=mark.color,
            linestyle=mark.linestyle, linewidth=1, hatch=hatch, label=name,
        )  # fmt: skip
    shared = float(np.minimum(*heights).sum() * (edges[1] - edges[0]))
    axes.set_title(f"{method_name(method)}: {100 * shared:.1f} % shared")
    axes.set(xlabel="distance", yticks=[])
