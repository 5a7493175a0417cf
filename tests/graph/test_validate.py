"""Invalid graphs are refused with what was expected and what came."""

import re

import pytest
import torch
from torch_geometric.data import HeteroData

import simgraph as sg
import simgraph.distances
from simgraph.graph.edges import MATCHES, NEAR
from tests.oracles.sim import EDGE_CASES


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
