"""networkx itself against hand-counted paths and the loop oracle."""

import networkx as nx
import pytest
import torch

import simgraph as sg
from tests.oracles.sim import CASES, EDGE_CASES, graph_of_edges, shortest_walk


def oracle(case, max_hops):
    rows = [
        [case.matches.get((q, g), torch.inf) for g in range(case.num_gallery)]
        for q in range(case.num_queries)
    ]
    walks = [shortest_walk(row, case.near, max_hops) for row in rows]
    return torch.tensor(walks, dtype=torch.float64)


@pytest.mark.parametrize(
    ("max_hops", "expected"),
    [
        # A line 0 -> 1 -> 2 -> 3, each hop 1; from the query 0 is at 1, 3 at 9.
        (1, [1, torch.inf, torch.inf, 9]),
        (2, [1, 2, torch.inf, 9]),
        (3, [1, 2, 3, 9]),
        (4, [1, 2, 3, 4]),
        (7, [1, 2, 3, 4]),
        (None, [1, 2, 3, 4]),
    ],
)
def test_hops_are_counted_by_hand(max_hops, expected):
    graph = graph_of_edges(
        1, 4, {(0, 0): 1.0, (0, 3): 9.0}, {(0, 1): 1.0, (1, 2): 1.0, (2, 3): 1.0}
    )
    assert sg.reference.shortest_paths(graph, max_hops).tolist() == [expected]


@pytest.mark.parametrize("max_hops", [1, 2, 3, 5, None])
@pytest.mark.parametrize("case", EDGE_CASES.values(), ids=EDGE_CASES)
def test_shortest_paths_are_the_oracle(case, max_hops):
    found = sg.reference.shortest_paths(case.graph(seed=0), max_hops)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, oracle(case, max_hops), rtol=1e-14, atol=0)


def test_two_hops_are_the_default():
    graph = EDGE_CASES["irregular"].graph()
    assert torch.equal(
        sg.reference.shortest_paths(graph), sg.reference.shortest_paths(graph, max_hops=2)
    )


@pytest.mark.parametrize("case", EDGE_CASES.values(), ids=EDGE_CASES)
def test_to_networkx_has_every_node_and_edge(case):
    network = sg.reference.to_networkx(case.graph(seed=0))
    assert isinstance(network, nx.DiGraph)
    nodes = [("query", i) for i in range(case.num_queries)]
    nodes += [("gallery", j) for j in range(case.num_gallery)]
    assert set(network) == set(nodes)
    expected = {(("query", q), ("gallery", g)): w for (q, g), w in case.matches.items()}
    expected |= {(("gallery", t), ("gallery", j)): w for (t, j), w in case.near.items()}
    assert {(u, v): w for u, v, w in network.edges(data="weight")} == expected


def test_to_networkx_keeps_labels_k_and_lam():
    graph = sg.similarity_graph(
        torch.rand(2, 3), torch.rand(4, 3), k=2, lam=0.5, query_pids=[7, 8],
        gallery_pids=[8, 8, 7, 9], query_cams=[3, 6], gallery_cams=[1, 2, 4, 5],
    )  # fmt: skip
    network = sg.reference.to_networkx(graph)
    assert network.graph == {"k": 2, "lam": 0.5}
    assert network.nodes["query", 1] == {"y": 8, "camera": 6}
    assert network.nodes["gallery", 3] == {"y": 9, "camera": 5}


@pytest.mark.parametrize("max_hops", [0, -1])
def test_too_few_hops_are_refused(max_hops):
    with pytest.raises(ValueError, match=f"max_hops = {max_hops} must be at least 1"):
        sg.reference.shortest_paths(EDGE_CASES["irregular"].graph(), max_hops)


@pytest.mark.parametrize("max_hops", [2.5, "2", True])
def test_hops_that_are_no_integer_are_refused(max_hops):
    with pytest.raises(ValueError, match="max_hops"):
        sg.reference.shortest_paths(EDGE_CASES["irregular"].graph(), max_hops)


def test_the_graph_is_not_changed():
    case = CASES["random"]
    graph = sg.similarity_graph_from_distances(*case.tensors(), case.k, case.lam)
    before = graph.clone()
    sg.reference.shortest_paths(graph)
    for edge in graph.edge_types:
        for key, value in graph[edge].items():
            assert torch.equal(value, before[edge][key])
