"""The neighbor graph around a query, with the winning paths to one gallery image."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetBox, OffsetImage, TextArea, VPacker
from matplotlib.patches import FancyArrowPatch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._params import require_int
from simgraph.graph.edges import MATCHES, NEAR
from simgraph.graph.validate import validate_graph
from simgraph.sim.explanation import Explanation
from simgraph.visualization.plots.style import (
    BLACK,
    BLUE,
    GRAY,
    MATCH,
    NO_MATCH,
    ORANGE,
    UNLABELED,
    Mark,
    identity,
    mark_of,
    styled,
)
from simgraph.visualization.trial_view import Images, TrialView

QUERY = -1
"""The node of the query; the nodes of the gallery are the image numbers, from 0."""

_TILE = 26  # height of an image in points

Position: TypeAlias = Any  # of a node, [2]


class _Edge(NamedTuple):
    source: int
    target: int
    weight: float
    distance: float


@styled
def draw_neighbor_graph(
    view: TrialView, graph: HeteroData, why: Explanation, top: int = 12
) -> Figure:
    """The query, the first images of N_c(q), the explained image, and its winning paths.

    The layout follows the unscaled distances. Edges with a smaller weight are darker and wider.
    The winning paths are arrows, and the explained image has a double frame.

    Args:
        view: with the images and identities.
        graph: the similarity graph of the view.
        why: the explanation to show, as `simgraph.explain` returns it.
        top: images of N_c(q) to show, at least 1.

    Returns:
        The figure.

    Raises:
        ValueError: for a graph, or an explanation, that does not belong to the view.
    """
    require_int("top", top, 1)
    _require_same(view, validate_graph(graph), why)
    nodes = _nodes(why, top)
    matches, near = _match_edges(graph, why.query, nodes), _near_edges(graph, nodes)
    positions = _layout(nodes, [*matches, *near])
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot(frameon=False, xticks=[], yticks=[])
    xy = list(positions.values())
    axes.update_datalim(xy)
    axes.margins(0.1)
    _draw_edges(axes, near, positions, _shades(GRAY), r"gallery edge, $\lambda D_{gg}$")
    _draw_edges(axes, matches, positions, _shades(BLUE), r"query edge, $D_{qg}$")
    _draw_paths(axes, why, positions)
    _draw_nodes(axes, view, why, positions)
    _draw_legend(axes, labeled=view.is_match(why.query) is not None)
    return figure


def _require_same(view: TrialView, graph: HeteroData, why: Explanation) -> None:
    sizes = graph["query"].num_nodes, graph["gallery"].num_nodes
    expected = len(view.query), len(view.gallery)
    if sizes != expected:
        raise ValueError(f"graph: expected {expected} queries and gallery images, got {sizes}")
    if why.query >= expected[0] or why.gallery >= expected[1]:
        raise ValueError(
            f"why: expected images of {expected}, got query {why.query}, gallery {why.gallery}"
        )


def _nodes(why: Explanation, top: int) -> list[int]:
    stops = (path.via for path in why.paths if path.via is not None)
    return [*dict.fromkeys((why.gallery, *stops, *why.query_set[:top]))]


def _match_edges(graph: HeteroData, query: int, nodes: list[int]) -> list[_Edge]:
    store = graph[MATCHES]
    own = store.edge_index[0] == query
    ends, weights = store.edge_index[1, own].tolist(), store.edge_weight[own].tolist()
    weight = dict(zip(ends, weights, strict=True))
    return [_Edge(QUERY, g, weight[g], weight[g]) for g in nodes if g in weight]


def _near_edges(graph: HeteroData, nodes: list[int]) -> list[_Edge]:
    """Each pair of images once, with the smaller weight of its two directions."""
    store, shown = graph[NEAR], graph[NEAR].edge_index.new_zeros(graph["gallery"].num_nodes)
    shown[nodes] = 1
    source, target = store.edge_index
    kept = (shown[source] * shown[target] == 1) & (source != target)
    distance = store.edge_distance if "edge_distance" in store else store.edge_weight
    columns: Iterable[Tensor] = (source, target, store.edge_weight, distance)
    edges = [_Edge(*row) for row in zip(*(c[kept].tolist() for c in columns), strict=True)]
    # The later entry of a pair replaces the earlier one: the lightest must come last.
    heavier_first = sorted(edges, key=lambda edge: -edge.weight)
    return [*{frozenset(edge[:2]): edge for edge in heavier_first}.values()]


def _layout(nodes: list[int], edges: list[_Edge]) -> dict[int, Position]:
    """Positions whose distances approximate those of the graph (Kamada and Kawai's springs)."""
    network = nx.Graph()
    network.add_nodes_from([QUERY, *nodes])
    # Duplicates are at distance 0: without a smallest length they would cover each other.
    longest = max((edge.distance for edge in edges), default=0) or 1
    network.add_weighted_edges_from(
        (edge.source, edge.target, max(edge.distance, longest / 4)) for edge in edges
    )
    lengths = dict(nx.all_pairs_dijkstra_path_length(network))
    apart = {a: {b: lengths[a].get(b, 2 * longest) for b in network} for a in network}
    positions: dict[int, Position] = nx.kamada_kawai_layout(network, dist=apart)
    return positions


def _shades(color: str) -> LinearSegmentedColormap:
    """From the color, for small weights, to a pale gray."""
    return LinearSegmentedColormap.from_list(color, [color, "#E4E4E4"])


def _draw_edges(
    axes: Axes, edges: list[_Edge], positions: dict[int, Position], shades: LinearSegmentedColormap,
    name: str,
) -> None:  # fmt: skip
    if not edges:
        return
    weights = [edge.weight for edge in edges]
    norm = Normalize(min(weights), max(max(weights), min(weights) + 1e-9))
    widths = [2.2 - 1.7 * float(norm(weight)) for weight in weights]
    lines = [(positions[edge.source], positions[edge.target]) for edge in edges]
    axes.add_collection(
        LineCollection(lines, colors=shades(norm(weights)), linewidths=widths, zorder=1)
    )
    bar = axes.figure.colorbar(
        ScalarMappable(norm, shades), ax=axes, shrink=0.4, aspect=25, pad=0.01
    )
    bar.set_label(name)


def _draw_paths(axes: Axes, why: Explanation, positions: dict[int, Position]) -> None:
    for path in why.paths:
        stops = [QUERY, why.gallery] if path.via is None else [QUERY, path.via, why.gallery]
        for start, end in pairwise(stops):
            axes.add_patch(
                FancyArrowPatch(
                    positions[start], positions[end], arrowstyle="-|>", mutation_scale=9,
                    color=ORANGE, linewidth=2, shrinkA=14, shrinkB=16, zorder=2,
                    connectionstyle="arc3,rad=0.08",
                )
            )  # fmt: skip


def _draw_nodes(
    axes: Axes, view: TrialView, why: Explanation, positions: dict[int, Position]
) -> None:
    is_match, pids = view.is_match(why.query), view.features.gallery_pids
    query = _node_box(view.query, why.query, f"query {why.query}")
    _frame(axes, query, positions[QUERY], Mark(BLACK, "-", ""))
    for node, position in positions.items():
        if node != QUERY:
            box = _node_box(view.gallery, node, identity(pids, node) or f"image {node}")
            if node == why.gallery:
                _frame(axes, box, position, Mark(BLACK, "-", ""), pad=0.6)
            _frame(axes, box, position, mark_of(is_match, node))


def _node_box(images: Images, index: int, label: str) -> OffsetBox:
    """The image above its label, or the label alone."""
    text = TextArea(label, textprops={"fontsize": 6})
    image = images.thumbnail(index)
    if image is None:
        return text
    picture = OffsetImage(np.asarray(image), zoom=_TILE / image.height)
    return VPacker(children=[picture, text], align="center", pad=0, sep=1)


def _frame(axes: Axes, box: OffsetBox, position: Position, mark: Mark, pad: float = 0.2) -> None:
    edge = {"edgecolor": mark.color, "linestyle": mark.linestyle, "linewidth": 1.5}
    axes.add_artist(AnnotationBbox(box, position, pad=pad, bboxprops=edge, zorder=4))


def _draw_legend(axes: Axes, labeled: bool) -> None:
    marks = (
        {"same identity": MATCH, "different identity": NO_MATCH}
        if labeled
        else {"gallery image": UNLABELED}
    )
    lines = [
        Line2D([], [], color=mark.color, linestyle=mark.linestyle, linewidth=2, label=name)
        for name, mark in marks.items()
    ]
    lines.append(Line2D([], [], color=ORANGE, linewidth=2, marker=">", label="winning path"))
    axes.figure.legend(handles=lines, loc="outside lower left", ncols=len(lines))
