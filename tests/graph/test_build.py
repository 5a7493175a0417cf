"""Eq. 1: the graph that the builders make, and what counts as a valid one."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

import simgraph as sg
import simgraph.distances
from simgraph.distances import l2_distance
from simgraph.graph.edges import MATCHES, NEAR, is_complete, query_distances
from tests.graph.example_graphs import EVERY_CASE, features, graph_of
from tests.oracles.sim import CASES, graph_edges


def test_eq_1_by_hand():
    d_qg = torch.tensor([[5.0, 1, 3], [2, 4, 6]])
    d_gg = torch.tensor([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]])
    graph = sg.similarity_graph_from_distances(d_qg, d_gg, k=1, lam=0.5)
    # Query edges: every query to every gallery image, at D_qg, query after query.
    assert graph[MATCHES].edge_index.tolist() == [[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]]
    assert graph[MATCHES].edge_weight.tolist() == [5, 1, 3, 2, 4, 6]
    # Nearest to 0 is 1 (at 1), to 1 is 0 (at 1), to 2 is 1 (at 2): each target has its self-loop,
    # then that neighbor at half the distance. The edge 0-2 (at 4) is deleted.
    assert graph[NEAR].edge_index.tolist() == [[0, 1, 1, 0, 2, 1], [0, 0, 1, 1, 2, 2]]
    assert graph[NEAR].edge_weight.tolist() == [0, 0.5, 0, 0.5, 0, 1]
    assert graph[NEAR].edge_distance.tolist() == [0, 1, 0, 1, 0, 2]
    assert (graph.k, graph.lam) == (1, 0.5)
    assert (graph["query"].num_nodes, graph["gallery"].num_nodes) == (2, 3)


@EVERY_CASE
def test_edges_are_those_of_eq_1(case):
    graph = graph_of(case)
    matches, near = graph_edges(case.d_qg, case.d_gg, case.lam, case.k)
    near |= {(j, j): 0.0 for j in range(len(case.d_gg))}
    for edge, expected in ((MATCHES, matches), (NEAR, near)):
        ends = map(tuple, graph[edge].edge_index.T.tolist())
        assert dict(zip(ends, graph[edge].edge_weight.tolist(), strict=True)) == expected


def test_the_complete_graph_holds_d_qg_once():
    graph = graph_of(CASES["random"])
    weight = graph[MATCHES].edge_weight
    assert is_complete(graph)
    assert torch.equal(weight.view(7, 15), torch.from_numpy(CASES["random"].d_qg))
    assert query_distances(graph).data_ptr() == weight.data_ptr()


@pytest.mark.parametrize("name", ["random", "ties", "one query", "all equal"])
@pytest.mark.parametrize("candidates", [1, 3, "all"])
def test_candidates_keep_each_querys_nearest(name, candidates):
    case = CASES[name]
    num_gallery = len(case.d_gg)
    count = num_gallery if candidates == "all" else candidates
    graph = graph_of(case, candidates=count)
    nearest = np.argsort(case.d_qg, axis=1, kind="stable")[:, :count]
    expected = {(q, int(g)): case.d_qg[q, g] for q, row in enumerate(nearest) for g in row}
    ends = map(tuple, graph[MATCHES].edge_index.T.tolist())
    assert dict(zip(ends, graph[MATCHES].edge_weight.tolist(), strict=True)) == expected
    d = query_distances(graph)
    assert torch.isfinite(d).sum(1).tolist() == [count] * len(case.d_qg)
    assert all(d[q, g] == weight for (q, g), weight in expected.items())


@pytest.mark.parametrize("candidates", [None, 4])
@pytest.mark.parametrize("normalize", [True, False])
def test_features_and_their_distances_give_the_same_graph(candidates, normalize):
    query, gallery = features(5, 1), features(12, 2)
    graph = sg.similarity_graph(query, gallery, 4, 0.1, candidates, normalize=normalize)
    if normalize:
        query, gallery = (torch.nn.functional.normalize(x, dim=1) for x in (query, gallery))
    assert torch.equal(graph["query"].x, query) and torch.equal(graph["gallery"].x, gallery)
    d_qg, d_gg = l2_distance(query, gallery), l2_distance(gallery, gallery)
    expected = sg.similarity_graph_from_distances(d_qg, d_gg, 4, 0.1, candidates)
    for edge in (MATCHES, NEAR):
        assert torch.equal(graph[edge].edge_index, expected[edge].edge_index)
        torch.testing.assert_close(graph[edge].edge_weight, expected[edge].edge_weight)


def test_normalize_is_the_default():
    query, gallery = features(3, 3) * 7, features(9, 4)
    graph = sg.similarity_graph(query, gallery, k=2)
    torch.testing.assert_close(graph["query"].x.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(graph["gallery"].x.norm(dim=1), torch.ones(9))


@pytest.mark.parametrize("candidates", [None, 3])
def test_building_by_blocks_gives_the_same_graph(monkeypatch, candidates):
    query = features(7, 5, dtype=torch.float64)
    gallery = features(6, 6, dtype=torch.float64).repeat(2, 1)
    whole = sg.similarity_graph(query, gallery, 4, candidates=candidates)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", 1)
    blocks = sg.similarity_graph(query, gallery, 4, candidates=candidates)
    for edge in (MATCHES, NEAR):
        torch.testing.assert_close(
            blocks[edge].edge_weight, whole[edge].edge_weight, rtol=1e-12, atol=1e-12
        )
    assert torch.equal(blocks[NEAR].edge_index, whole[NEAR].edge_index)


def test_duplicates_of_an_image_are_its_neighbors_and_it_is_none():
    gallery = features(1, 7).repeat(5, 1)
    graph = sg.similarity_graph(features(2, 8), gallery, k=2)
    source = graph[NEAR].edge_index[0].view(5, 3)
    # All five are at distance 0 of each other: the lowest other indices are the neighbors.
    assert source.tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1], [4, 0, 1]]
    assert (graph[NEAR].edge_weight == 0).all()


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_labels_are_kept_as_y_and_camera(kind):
    graph = sg.similarity_graph(
        features(2), features(3), k=1, query_pids=kind([4, 9]), gallery_pids=kind([9, 4, 4]),
        query_cams=kind([3, 6]), gallery_cams=kind([1, 2, 5]),
    )  # fmt: skip
    assert graph["query"].y.tolist() == [4, 9] and graph["gallery"].y.tolist() == [9, 4, 4]
    assert graph["query"].camera.tolist() == [3, 6]
    assert graph["gallery"].camera.tolist() == [1, 2, 5]
    assert all(graph[node][key].dtype == torch.long for node in graph.node_types for key in ("y",))


def test_no_labels_no_attributes():
    graph = sg.similarity_graph(features(2), features(3), k=1)
    assert "y" not in graph["query"] and "camera" not in graph["gallery"]


@pytest.mark.parametrize(
    ("label", "value", "parts"),
    [
        ("query_pids", [1, 2, 3], ["query_pids", "2 integers", "[3]"]),
        ("gallery_pids", [1], ["gallery_pids", "3 integers", "[1]"]),
        ("query_cams", [[1, 2]], ["query_cams", "2 integers", "[1, 2]"]),
        ("gallery_cams", [1.5, 2, 3], ["gallery_cams", "3 integers", "float64"]),
        ("query_pids", np.array(["a", "b"]), ["query_pids", "numbers"]),
        ("query_pids", [True, False], ["query_pids", "2 integers", "bool"]),
    ],
)
def test_labels_that_do_not_fit(label, value, parts):
    with pytest.raises(ValueError) as error:
        sg.similarity_graph(features(2), features(3), k=1, **{label: value})
    assert all(part in str(error.value) for part in parts)


def test_repr_tells_sizes_k_and_lam():
    text = repr(sg.similarity_graph(features(2), features(30), k=7, lam=0.25))
    for part in ("k=7", "lam=0.25", "x=[2, 6]", "x=[30, 6]", "[2, 60]", "[2, 240]"):
        assert part in text


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    graph = sg.similarity_graph(features(2, dtype=dtype), features(5, dtype=dtype), k=2)
    assert graph[MATCHES].edge_weight.dtype == graph[NEAR].edge_weight.dtype == dtype


@pytest.mark.parametrize("candidates", [None, 2])
def test_builders_leave_their_inputs_alone(candidates):
    query, gallery = features(2, 1), features(6, 2)
    d_qg, d_gg = l2_distance(query, gallery), l2_distance(gallery, gallery)
    inputs = (query, gallery, d_qg, d_gg)
    before = [x.clone() for x in inputs]
    sg.similarity_graph(query, gallery, 3, candidates=candidates)
    sg.similarity_graph_from_distances(d_qg, d_gg, 3, candidates=candidates)
    assert all(map(torch.equal, inputs, before))


def test_batched_graphs_are_computed_as_one_by_one():
    graphs = [sg.similarity_graph(features(2, s), features(6, s + 5), k=3) for s in (0, 1)]
    batch = Batch.from_data_list(graphs)
    d = sg.SIM(2, 2, 2)(batch)
    for number, graph in enumerate(graphs):
        rows, columns = slice(2 * number, 2 * number + 2), slice(6 * number, 6 * number + 6)
        torch.testing.assert_close(d[rows, columns], sg.SIM(2, 2, 2)(graph))
    assert torch.isinf(d[:2, 6:]).all()


@pytest.mark.parametrize("mark", [torch.inf, torch.nan, -1.0])
def test_a_marked_diagonal_has_no_effect(mark):
    d_qg, d_gg = torch.rand(3, 8), torch.rand(8, 8)
    marked = d_gg.clone().fill_diagonal_(mark)
    assert torch.equal(
        sg.sim_distance(d_qg, marked, k=4, num_paths=3, k_query=3, k_gallery=3),
        sg.sim_distance(d_qg, d_gg, k=4, num_paths=3, k_query=3, k_gallery=3),
    )
