"""Explanations: their parts are those of the dense computation, and add up to it."""

import json
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
from simgraph.graph.edges import MATCHES, NEAR, near_edges, query_distances
from simgraph.rerankers.ranked_lists import ranked_lists
from simgraph.sim.explanation import Path
from tests.oracles.sim import CASES, EDGE_CASES, INF, point_case, query_neighbors, reciprocal

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
FEW = settings(max_examples=12, deadline=None, derandomize=True)


def graph_of(case, **params):
    return sg.similarity_graph_from_distances(*case.tensors(), case.k, case.lam, **params)


def explanations(graph, **params):
    """Of all pairs of a small graph, of some 27 spread over a larger one."""
    num_queries, num_gallery = graph["query"].num_nodes, graph["gallery"].num_nodes
    for query in range(0, num_queries, -(-num_queries // 3)):
        for gallery in range(query % 2, num_gallery, -(-num_gallery // 9)):
            yield query, gallery, sg.explain(graph, query, gallery, **params)


def by_hand():
    # Nearest to 0 is 1, to 1 is 0, to 2 is 1; λ = 0.5: the numbers of test_sim.py.
    d_qg = torch.tensor([[5.0, 1, 3]], dtype=torch.float64)
    d_gg = torch.tensor([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]], dtype=torch.float64)
    graph = sg.similarity_graph_from_distances(d_qg, d_gg, k=1, lam=0.5)
    return sg.explain(graph, 0, 2, num_paths=2, k_query=2, k_gallery=1, alpha=0.25)


def test_three_images_by_hand():
    # Paths to 2: over 1, 1 + 0.5 · 2 = 2, and directly 3. d_S = 3.25, 3.25, 2.5: N_c = {2, 0}.
    # R(2, 1) = {2}, because 1's nearest is 0. d_M = 2/3, 2/3, 1/2. By D_qg, N_c = {1, 2} and d_M
    # is the same: 0.25 · (5, 1, 3) + 0.75 · d_M = 1.75, 0.75, 1.125.
    why = by_hand()
    assert why.paths == (Path(1, 1.0, 1.0, 2.0), Path(None, 3.0, 0.0, 3.0))
    assert why.direct == 3.0 and why.d_s == 2.5
    assert why.query_set == (2, 0) and why.gallery_set == (2,) and why.shared == (2,)
    assert why.d_m == 0.5
    assert (why.term_s, why.term_m, why.d_sim) == (0.625, 0.375, 1.0)
    s = why.stages
    assert s.baseline == (3.0, 2) and s.sgr == (2.5, 1)
    assert s.mnnr == (1.125, 2) and s.sim == (1.0, 1)


def test_in_words():
    assert str(by_hand()) == (
        "query 0, gallery image 2: rank by baseline 2, SGR 1, MNNR 2, SIM 1\n"
        "d_SIM = α · d_S + (1 − α) · d_M = 0.25 · 2.5000 + 0.75 · 0.5000 = 0.6250 + 0.3750 "
        "= 1.0000\n"
        "d_S = 2.5000, the mean of the 2 shortest paths:\n"
        "  over 1: 1.0000 + 1.0000 = 2.0000\n"
        "  directly: 3.0000\n"
        "d_M = 1 − 1/2 = 0.5000\n"
        "  N_c(q), 2: 2 0\n"
        "  R*(g), 1: 2\n"
        "  in both, 1: 2"
    )


def test_in_words_without_the_direct_path_and_without_any():
    graph = graph_of(CASES["random"])
    lost = next(
        why
        for _, _, why in explanations(graph, num_paths=1, k_query=4, k_gallery=4)
        if why.paths[0].via is not None
    )
    assert f"not among them: directly, {lost.direct:.4f}" in str(lost)
    nowhere = sg.explain(EDGE_CASES["no edges"].graph(), 0, 1, 1, 1, 1)
    assert "no path leads to it" in str(nowhere) and "N_c(q), 0: none" in str(nowhere)


# --- Against the whole matrices --------------------------------------------------------------


def methods(graph, alpha, expand, num_paths, k_query, k_gallery):
    """Whole matrices by the modules: baseline, SGR, MNNR, SIM, and d_M."""
    d_qg, d_s = query_distances(graph), sg.SGR(num_paths)(graph)
    module = sg.MNNR(k_query, k_gallery, expand)
    d_m, d_m_direct = module(graph, d_s), module(graph, d_qg)
    by_mnnr = torch.where(torch.isfinite(d_qg), alpha * d_qg + (1 - alpha) * d_m_direct, INF)
    by_sim = sg.SIM(num_paths, k_query, k_gallery, alpha, expand)(graph)
    return {"baseline": d_qg, "sgr": d_s, "mnnr": by_mnnr, "sim": by_sim}, d_m


def check(graph, alpha=0.3, expand=True, **params):
    """What is told equals the modules, and adds up."""
    dense, d_m = methods(graph, alpha, expand, **params)
    order = {name: ranked_lists(d)[1].tolist() for name, d in dense.items()}
    for q, g, why in explanations(graph, alpha=alpha, expand=expand, **params):
        for name, stage in why.stages._asdict().items():
            assert stage.distance == dense[name][q, g]
            assert order[name][q][stage.rank - 1] == g
        assert why.direct == dense["baseline"][q, g]
        assert why.d_s == dense["sgr"][q, g] and why.d_m == d_m[q, g]
        assert why.d_sim == dense["sim"][q, g]
        check_sums(why)
        check_paths(graph, q, g, why)


def check_sums(why):
    """What a reader can add up."""
    assert why.term_s + why.term_m == why.d_sim
    if why.paths:
        np.testing.assert_allclose(sum(p.length for p in why.paths) / len(why.paths), why.d_s)
        assert why.term_s == why.alpha * why.d_s
    else:
        assert why.d_s == why.d_sim == INF
    for path in why.paths:
        assert path.query_hop + path.gallery_hop == path.length
    assert set(why.shared) == set(why.query_set) & set(why.gallery_set)
    union = len(set(why.query_set) | set(why.gallery_set))
    assert why.d_m == 1 - len(why.shared) / union


def check_paths(graph, q, g, why):
    """The K smallest of all paths, by looking at every edge."""
    direct = {(a, b): w for a, b, w in edges(graph[MATCHES])}
    every = [(direct[q, g], None)] if (q, g) in direct else []
    for t, j, w in edges(graph[NEAR]):
        if j == g and t != g and (q, t) in direct:
            every.append((direct[q, t] + w, t))
    lengths = sorted(length for length, _ in every)[: why.num_paths]
    assert [path.length for path in why.paths] == lengths
    assert {(path.length, path.via) for path in why.paths} <= set(every)
    assert len({path.via for path in why.paths}) == len(why.paths)


def edges(store):
    return zip(*store.edge_index.tolist(), store.edge_weight.tolist(), strict=True)


@EVERY_CASE
@pytest.mark.parametrize(("alpha", "expand"), [(0.3, True), (0.0, False), (1.0, True)])
def test_every_pair_is_what_the_modules_compute(case, alpha, expand):
    params = {name: getattr(case, name) for name in ("num_paths", "k_query", "k_gallery")}
    check(graph_of(case), alpha, expand, **params)


@pytest.mark.parametrize("name", ["random", "ties", "duplicates"])
def test_candidates_leave_images_that_no_path_reaches(name):
    case = CASES[name]
    graph = graph_of(case, candidates=2)
    check(graph, num_paths=case.num_paths, k_query=case.k_query, k_gallery=case.k_gallery)


@pytest.mark.parametrize("name", EDGE_CASES)
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_graphs_of_users(name, alpha):
    case = EDGE_CASES[name]
    k_query = min(3, case.num_gallery)
    check(case.graph(seed=0), alpha, num_paths=2, k_query=k_query, k_gallery=6)


@EVERY_CASE
def test_the_sets_are_the_oracles(case):
    graph = graph_of(case)
    d_s = sg.SGR(case.num_paths)(graph).tolist()
    edges = near_edges(graph)
    lists = [
        edges.source[(edges.target == j) & (edges.rank > 0)].tolist() for j in range(len(case.d_gg))
    ]
    sets = reciprocal(lists, case.k_gallery)
    params = {name: getattr(case, name) for name in ("num_paths", "k_query", "k_gallery")}
    for q, g, why in explanations(graph, expand=False, **params):
        assert set(why.query_set) == query_neighbors(d_s[q], case.k_query)
        assert [d_s[q][t] for t in why.query_set] == sorted(d_s[q][t] for t in why.query_set)
        assert list(why.gallery_set) == sorted(sets[g])


def test_equal_paths_are_told_direct_first_then_nearer():
    graph = EDGE_CASES["zero weights"].graph()
    direct = query_distances(graph)
    graph[MATCHES].edge_weight = torch.full_like(graph[MATCHES].edge_weight, 0.5)
    reached = torch.isfinite(direct[0]).nonzero().flatten().tolist()
    for g in reached:
        vias = [path.via for path in sg.explain(graph, 0, g, 9, 3, 6).paths]
        assert vias[0] is None and vias[1:] == sorted(vias[1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_narrow_graphs_add_up_to_their_rounding(dtype):
    graph = graph_of(CASES["random"])
    for edge in (MATCHES, NEAR):
        graph[edge].edge_weight = graph[edge].edge_weight.to(dtype)
    dense = sg.SIM(4, 4, 4)(graph)
    for q, g, why in explanations(graph, num_paths=4, k_query=4, k_gallery=4):
        assert why.d_sim == dense[q, g]
        assert math.isclose(why.term_s + why.term_m, why.d_sim, rel_tol=1e-6)


@FEW
@given(
    seed=st.integers(0, 10**6),
    num_gallery=st.integers(2, 14),
    k=st.integers(0, 13),
    num_paths=st.integers(1, 14),
    k_query=st.integers(1, 14),
    k_gallery=st.integers(0, 13),
    alpha=st.floats(0, 1),
    expand=st.booleans(),
)
def test_any_random_graph(seed, num_gallery, k, num_paths, k_query, k_gallery, alpha, expand):
    k = min(k, num_gallery - 1)
    params = {
        "num_paths": min(num_paths, k + 1),
        "k_query": min(k_query, num_gallery),
        "k_gallery": min(k_gallery, k),
    }
    case = point_case(seed, 2, num_gallery, 0.2, k, *params.values())
    check(graph_of(case), alpha, expand, **params)


def test_real_features(shared):
    data = sg.load_features(shared / "features" / "mfeat_fou2kar_cca.npz")
    graph = sg.similarity_graph(data.query.double(), data.gallery.double())
    dense = sg.SIM()(graph)
    by_matrix = sg.rerank(data.query.double(), data.gallery.double())
    order = ranked_lists(dense)[1]
    for q in (0, 100, 249):
        for g in (0, 17, int(order[q, 0]), int(order[q, -1])):
            why = sg.explain(graph, q, g)
            assert why.d_sim == dense[q, g]
            assert math.isclose(why.d_sim, by_matrix[q, g], rel_tol=1e-9)
            assert order[q, why.stages.sim.rank - 1] == g
            check_sums(why)


# --- The object ------------------------------------------------------------------------------


def test_to_dict_is_json_without_infinities():
    for case, gallery in ((EDGE_CASES["no edges"], 2), (EDGE_CASES["irregular"], 0)):
        why = sg.explain(case.graph(), 0, gallery, 2, 3, 3)
        told = json.loads(json.dumps(why.to_dict(), allow_nan=False))
        assert told == why.to_dict()
        assert told["stages"]["sim"]["rank"] == why.stages.sim.rank
        assert told["d_s"] == (None if why.d_s == INF else why.d_s)
        assert told["paths"] == [path._asdict() for path in why.paths]


def test_it_is_a_value():
    why = by_hand()
    assert why == by_hand() and hash(why) == hash(by_hand())
    with pytest.raises(FrozenInstanceError):
        why.d_sim = 0.0


def test_numpy_integers_are_indices_and_the_graph_is_left_alone():
    case = EDGE_CASES["irregular"]
    graph = case.graph()
    graph[MATCHES].edge_weight.requires_grad_()
    before = graph.clone()
    why = sg.explain(graph, np.int64(1), np.int64(2), 2, 3, 3)
    assert type(why.query) is int and type(why.gallery) is int
    for edge in graph.edge_types:
        for key, value in graph[edge].items():
            assert torch.equal(value, before[edge][key])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": 7}, "query = 7 must be less than 7"),
        ({"query": -1}, "query = -1 must be at least 0"),
        ({"gallery": 15}, "gallery = 15 must be less than 15"),
        ({"gallery": 1.0}, "gallery: expected an integer, got 1.0"),
        ({"num_paths": 7}, "num_paths = 7 must be at most k"),
        ({"k_query": 16}, "k_query = 16 must be at most num_gallery = 15"),
        ({"k_gallery": 6}, "k_gallery = 6 must be at most k = 5"),
        ({"alpha": 2}, "alpha = 2 must be in"),
    ],
)
def test_bad_arguments(arguments, message):
    given = {"query": 0, "gallery": 0, "num_paths": 4, "k_query": 4, "k_gallery": 4} | arguments
    with pytest.raises(ValueError, match=message):
        sg.explain(graph_of(CASES["random"]), **given)


def test_an_invalid_graph_is_refused():
    with pytest.raises(ValueError, match="expected a HeteroData"):
        sg.explain(None, 0, 0)
