"""Histograms of the distances of same-identity and different-identity pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from simgraph._params import require_int
from simgraph.evaluation import excluded
from simgraph.visualization.plots.style import MATCH, NO_MATCH, method_name, styled
from simgraph.visualization.trial_view import TrialView


@styled
def draw_distance_histograms(
    view: TrialView, distances: Mapping[str, Tensor], bins: int = 60
) -> Figure:
    """How well the distances of each method separate the same from different identities.

    The shared area is the overlap of both histograms, each of area 1: 0 if one threshold
    separates them, 1 if the distances carry no information. Pairs that the protocol excludes, and
    pairs at distance `inf`, are not counted.

    Args:
        view: with identities.
        distances: method → its distances [Nq, Ng]; one panel per method, in this order.
        bins: bins per histogram, at least 1.

    Returns:
        The figure.

    Raises:
        ValueError: without identities or methods, for distances of another shape, or if one of
            the two kinds has no pairs.
    """
    require_int("bins", bins, 1)
    if not distances:
        raise ValueError("distances: expected at least one method, got none")
    same, in_list = _pairs(view)
    figure = Figure(figsize=(2.4 * len(distances) + 0.6, 2.4), layout="constrained")
    panels = figure.subplots(1, len(distances), squeeze=False)[0]
    for axes, (method, d) in zip(panels, distances.items(), strict=True):
        if d.shape != same.shape:
            raise ValueError(f"{method}: expected {list(same.shape)}, got {list(d.shape)}")
        counted = in_list & torch.isfinite(d)
        _draw_panel(axes, method, d[counted & same], d[counted & ~same], bins)
    panels[0].set_ylabel("density")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _pairs(view: TrialView) -> tuple[Tensor, Tensor]:
    """Which pairs have the same identity, and which the protocol keeps, both [Nq, Ng] bool."""
    f = view.features
    if f.query_pids is None or f.gallery_pids is None:
        raise ValueError("view: expected identities to tell pairs apart by, got none")
    same = f.query_pids[:, None] == f.gallery_pids
    hidden = excluded(f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams, view.protocol)
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
    kinds = (("same identity", MATCH, "////"), ("different identity", NO_MATCH, None))
    for density, (name, mark, hatch) in zip(heights, kinds, strict=True):
        axes.stairs(
            density, edges, fill=True, facecolor=f"{mark.color}40", edgecolor=mark.color,
            linestyle=mark.linestyle, linewidth=1, hatch=hatch, label=name,
        )  # fmt: skip
    shared = float(np.minimum(*heights).sum() * (edges[1] - edges[0]))
    axes.set_title(f"{method_name(method)}: {100 * shared:.1f} % shared")
    axes.set(xlabel="distance", yticks=[])
