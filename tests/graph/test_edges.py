"""Edges in canonical order, of graphs built here and by users."""

import pytest
import torch

import simgraph as sg
import simgraph.distances
from simgraph.graph.edges import NEAR, near_edges, query_distances
from tests.graph.example_graphs import EVERY_CASE, graph_of
from tests.oracles.sim import EDGE_CASES, neighbor_lists


@EVERY_CASE
def test_near_edges_stand_by_target_then_distance_with_the_self_loop_first(case):
    source, target = graph_of(case)[NEAR].edge_index.view(2, len(case.d_gg), case.k + 1)
    lists = neighbor_lists(case.d_gg, case.k)
    assert source.tolist() == [[j, *neighbors] for j, neighbors in enumerate(lists)]
    assert target.tolist() == [[j] * (case.k + 1) for j in range(len(lists))]


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
