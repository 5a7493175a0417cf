"""The neighbor graph shows the nodes, edges and paths of the explanation."""

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.patches import FancyArrowPatch

import simgraph as sg
from simgraph.features import Features
from simgraph.graph.edges import MATCHES, NEAR
from simgraph.visualization import plots
from simgraph.visualization.plots.neighbor_graph import _nodes
from simgraph.visualization.trial_view import trial_view_of_features
from tests.visualization.sample_views import K

pytestmark = pytest.mark.filterwarnings("error")


def drawn_graph(figure):
    axes = figure.axes[0]
    near, matches = (c for c in axes.collections if isinstance(c, LineCollection))
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    return near, matches, arrows, node_boxes(figure)


def node_boxes(figure):
    return [a for a in figure.axes[0].artists if isinstance(a, AnnotationBbox)]


@pytest.mark.parametrize("gallery", [0, 7, 23])
def test_the_graph_has_every_node_edge_and_path(bare, graph, gallery):
    why = sg.explain(graph, 1, gallery, **K)
    near, matches, arrows, boxes = drawn_graph(plots.draw_neighbor_graph(bare, graph, why, top=4))
    vias = {path.via for path in why.paths} - {None}
    nodes = {gallery} | vias | set(why.query_set[:4])
    assert len(boxes) == len(nodes) + 2  # the query, and the second frame
    assert len(matches.get_segments()) == len(nodes)
    pairs = {
        frozenset(pair)
        for pair in graph[NEAR].edge_index.T.tolist()
        if set(pair) <= nodes and pair[0] != pair[1]
    }
    assert len(near.get_segments()) == len(pairs)
    assert len(arrows) == sum(1 if path.via is None else 2 for path in why.paths)


def test_the_nearest_edges_are_kept_and_widest(bare, graph):
    why = sg.explain(graph, 1, 7, **K)
    near, matches, _, boxes = drawn_graph(plots.draw_neighbor_graph(bare, graph, why, top=4))
    own = graph[MATCHES].edge_index[0] == 1
    weight = graph[MATCHES].edge_weight[own]
    nodes = _nodes(why, 4)
    expected = np.argsort([float(weight[g]) for g in nodes], kind="stable")
    for strength in (
        np.array(matches.get_linewidths()),
        1 - np.array(matches.get_colors())[:, :3].mean(1),  # darkness
    ):
        assert (np.argsort(-strength, kind="stable") == expected).all()
        assert strength.max() > 1.5 * strength.min()
    # Of the gallery edges the lightest is there, and the widest.
    kept = torch.isin(graph[NEAR].edge_index, torch.tensor(nodes)).all(0)
    kept &= graph[NEAR].edge_index[0] != graph[NEAR].edge_index[1]
    lightest = graph[NEAR].edge_weight[kept].min()
    source, target = graph[NEAR].edge_index[:, kept & (graph[NEAR].edge_weight == lightest)][:, 0]
    places = np.array([box.xybox for box in boxes])
    widest = near.get_segments()[int(np.argmax(near.get_linewidths()))]
    ends = {int(np.abs(places - end).sum(1).argmin()) for end in widest}
    order = [None, *(node for node in nodes for _ in range(1 + (node == why.gallery)))]
    assert {order[end] for end in ends} == {int(source), int(target)}


def test_nearer_images_are_drawn_nearer(bare, graph):
    why = sg.explain(graph, 1, 7, **K)
    nodes = _nodes(why, 4)
    figure = plots.draw_neighbor_graph(bare, graph, why, top=4)
    _, matches, _, _ = drawn_graph(figure)
    weight = graph[MATCHES].edge_weight[graph[MATCHES].edge_index[0] == 1]
    lengths = [np.linalg.norm(a - b) for a, b in matches.get_segments()]
    distances = [float(weight[g]) for g in nodes]
    assert np.corrcoef(lengths, distances)[0, 1] > 0.5


def test_a_graph_of_loose_parts_is_drawn(tmp_path):
    graph = sg.similarity_graph_from_distances(torch.ones(2, 4), torch.ones(4, 4), k=0)
    kept = torch.tensor([0, 1, 4])  # query 0 has two edges, query 1 one, image 3 none
    for key in ("edge_index", "edge_weight"):
        graph[MATCHES][key] = graph[MATCHES][key][..., kept]
    f = Features(np.ones((2, 2)), np.ones((4, 2)), [0, 1], [0, 1, 0, 1])
    for query, gallery in ((0, 3), (1, 0), (1, 3)):
        why = sg.explain(graph, query, gallery, num_paths=1, k_query=2, k_gallery=0)
        figure = plots.draw_neighbor_graph(trial_view_of_features(f), graph, why)
        plots.save_figure(figure, tmp_path / "loose.png")
        assert all(np.isfinite(box.xybox).all() for box in node_boxes(figure))


def test_a_graph_of_another_view_is_refused(bare, graph):
    other = sg.similarity_graph(bare.features.query[:5], bare.features.gallery, k=4)
    why = sg.explain(graph, 6, 7, **K)
    with pytest.raises(ValueError, match=r"graph: expected \(24, 24\) .* got \(5, 24\)"):
        plots.draw_neighbor_graph(bare, other, why)
    small = trial_view_of_features(bare.features.select(range(5), range(24)))
    with pytest.raises(ValueError, match=r"why: expected images of \(5, 24\), got query 6"):
        plots.draw_neighbor_graph(small, other, why)
