"""Eq. 1: the graph that the builders make, and what counts as a valid one."""

import re

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, HeteroData

import simgraph as sg
import simgraph.distances
from simgraph.distances import l2_distance
from simgraph.graph.edges import MATCHES, NEAR, is_complete, near_edges, query_distances
from tests.oracles.sim import CASES, EDGE_CASES, Case, graph_edges, neighbor_lists

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def graph_of(case: Case, **params):
    return sg.similarity_graph_from_distances(
        *case.tensors(), **({"k": case.k, "lam": case.lam} | params)
    )


def features(rows, seed=0, dim=6, dtype=torch.float32):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


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


@EVERY_CASE
def test_near_edges_stand_by_target_then_distance_with_the_self_loop_first(case):
    source, target = graph_of(case)[NEAR].edge_index.view(2, len(case.d_gg), case.k + 1)
    lists = neighbor_lists(case.d_gg, case.k)
    assert source.tolist() == [[j, *neighbors] for j, neighbors in enumerate(lists)]
    assert target.tolist() == [[j] * (case.k + 1) for j in range(len(lists))]


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


# --- Graphs of users -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 0, 1])
@pytest.mark.parametrize("case", EDGE_CASES.values(), ids=EDGE_CASES)
def test_graphs_of_users_are_valid_and_read_in_one_order(case, seed):
    graph = sg.validate_graph(case.graph(seed))
    edges = near_edges(graph)
    found = zip(edges.target.tolist(), edges.rank.tolist(), edges.source.tolist(), strict=True)
    expected = []
    for j in range(case.num_gallery):
        others = [(w, t) for (t, target), w in case.near.items() if target == j != t]
        order = [j, *(t for _, t in sorted(others))]
        expected += [(j, rank, t) for rank, t in enumerate(order)]
    assert list(found) == expected
    d = query_distances(graph)
    for q in range(case.num_queries):
        for g in range(case.num_gallery):
            assert d[q, g] == case.matches.get((q, g), torch.inf)


def test_edges_of_equal_weight_stand_by_edge_distance_where_it_is_there():
    graph = EDGE_CASES["star"].graph()
    graph[NEAR].edge_index = torch.tensor([[1, 2, 3], [0, 0, 0]])
    graph[NEAR].edge_weight = torch.zeros(3, dtype=torch.float64)
    assert near_edges(graph).source.tolist()[:4] == [0, 1, 2, 3]
    graph[NEAR].edge_distance = torch.tensor([3.0, 1, 2], dtype=torch.float64)
    assert near_edges(graph).source.tolist()[:4] == [0, 2, 3, 1]


def valid_graph():
    return EDGE_CASES["irregular"].graph()


def without(edge, key):
    def change(graph):
        del graph[edge][key]

    return change


def put(edge, key, value):
    def change(graph):
        graph[edge][key] = value(graph[edge][key])

    return change


def fill(edge, key, place, number):
    def change(graph):
        graph[edge][key][place] = number

    return change


def drop(edge):
    def change(graph):
        del graph[edge]

    return change


def repeat_first(edge):
    def change(graph):
        store = graph[edge]
        store.edge_index = torch.cat([store.edge_index, store.edge_index[:, :1]], dim=1)
        store.edge_weight = torch.cat([store.edge_weight, store.edge_weight[:1]])

    return change


def heavy_loop(graph):
    source, target = graph[NEAR].edge_index
    graph[NEAR].edge_weight[source == target] = 0.5


def longer_distance(graph):
    graph[NEAR].edge_distance = torch.ones(3)


NUM_MATCHES, NUM_NEAR = (len(EDGE_CASES["irregular"][part]) for part in (2, 3))

INVALID = {
    "no query edges": (drop(MATCHES), ["expected edges", "matches", "near"]),
    "no gallery edges": (drop(NEAR), ["expected edges", "near", "matches"]),
    "no edge_index": (without(NEAR, "edge_index"), ["gallery->near->gallery", "edge_index"]),
    "no weight": (without(MATCHES, "edge_weight"), ["query->matches->gallery", "edge_weight"]),
    "int32 index": (put(NEAR, "edge_index", lambda x: x.int()), ["near", "int64", "int32"]),
    "float index": (put(NEAR, "edge_index", lambda x: x.float()), ["near", "int64", "float32"]),
    "transposed index": (
        put(NEAR, "edge_index", lambda x: x.T),
        ["near", "[2, E]", f"({NUM_NEAR}, 2)"],
    ),
    "short weight": (
        put(NEAR, "edge_weight", lambda x: x[:-1]),
        ["near", "edge_weight", f"[{NUM_NEAR}]", f"({NUM_NEAR - 1},)"],
    ),
    "two-dimensional weight": (
        put(MATCHES, "edge_weight", lambda x: x[:, None]),
        ["matches", f"[{NUM_MATCHES}]", f"({NUM_MATCHES}, 1)"],
    ),
    "numpy weight": (put(NEAR, "edge_weight", lambda x: x.numpy()), ["near", "ndarray"]),
    "integer weight": (put(NEAR, "edge_weight", lambda x: x.long()), ["near", "int64"]),
    "NaN weight": (fill(MATCHES, "edge_weight", 3, float("nan")), ["matches", "finite", "NaN"]),
    "Inf weight": (fill(NEAR, "edge_weight", 3, float("inf")), ["near", "finite", "Inf"]),
    "negative weight": (fill(MATCHES, "edge_weight", 0, -0.5), ["matches", ">= 0", "negative"]),
    "short edge_distance": (longer_distance, ["near", "edge_distance", f"[{NUM_NEAR}]", "(3,)"]),
    "gallery index too high": (
        fill(MATCHES, "edge_index", (1, 0), 9),
        ["matches", "gallery indices in 0..8", "..9"],
    ),
    "query index too high": (
        fill(MATCHES, "edge_index", (0, 0), 5),
        ["matches", "query indices in 0..4", "..5"],
    ),
    "negative index": (fill(NEAR, "edge_index", (0, 0), -1), ["near", "0..8", "-1.."]),
    "self-loop above 0": (heavy_loop, ["self-loops of weight 0", "0.5"]),
    "query edge twice": (repeat_first(MATCHES), ["matches", "each edge once", "1 repeated"]),
    "gallery edge twice": (repeat_first(NEAR), ["near", "each edge once", "1 repeated"]),
}


@pytest.mark.parametrize(("change", "parts"), INVALID.values(), ids=INVALID)
@pytest.mark.parametrize(
    "entry",
    [sg.validate_graph, sg.SGR(1), sg.SIM(1, 1, 1), sg.reference.shortest_paths],
    ids=["validate_graph", "SGR", "SIM", "reference"],
)
def test_invalid_graphs_are_refused_with_what_came_and_what_was_expected(change, parts, entry):
    graph = valid_graph()
    change(graph)
    with pytest.raises(ValueError) as error:
        entry(graph)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize("node", ["query", "gallery"])
def test_graphs_without_nodes_are_refused(node):
    graph = valid_graph()
    del graph[node]
    with pytest.raises(ValueError, match=f"expected nodes '{node}'"):
        sg.validate_graph(graph)


@pytest.mark.parametrize("value", [HeteroData(), torch.zeros(2, 3), None], ids=repr)
def test_what_is_no_graph_is_refused(value):
    with pytest.raises(ValueError, match="graph"):
        sg.validate_graph(value)


def test_validate_graph_returns_the_graph_itself():
    graph = valid_graph()
    assert sg.validate_graph(graph) is graph


def test_the_message_for_repeated_edges_names_a_way_out():
    graph = valid_graph()
    repeat_first(NEAR)(graph)
    with pytest.raises(ValueError, match=re.escape("torch_geometric.utils.coalesce")):
        sg.validate_graph(graph)


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
