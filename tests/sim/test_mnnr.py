"""Eq. 6-7: reciprocal sets, plain and expanded, and the distance of neighborhoods."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
import simgraph.distances
from simgraph.graph.edges import NEAR
from simgraph.kernels import ReciprocalSets
from tests.oracles.sim import (
    CASES,
    EDGE_CASES,
    expanded,
    graph_of_edges,
    integer_case,
    mnnr,
    neighbor_lists,
    point_case,
    reciprocal,
    set_mnnr,
)

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
BOTH_WAYS = pytest.mark.parametrize("expand", [False, True], ids=["plain", "expanded"])
FEW = settings(max_examples=25, deadline=None, derandomize=True)


def graph_of(case, **params):
    return sg.similarity_graph_from_distances(*case.tensors(), case.k, case.lam, **params)


def module_of(case, expand):
    return sg.MNNR(case.k_query, case.k_gallery, expand)


def as_sets(found: ReciprocalSets):
    result = [set() for _ in found.size]
    for owner, member in zip(found.owner.tolist(), found.member.tolist(), strict=True):
        assert member not in result[owner]
        result[owner].add(member)
    assert [len(members) for members in result] == found.size.tolist()
    return result


def graph_of_lists(lists):
    """One query and the given neighbor lists, nearest first."""
    matches = {(0, g): float(g) for g in range(len(lists))}
    near = {
        (t, j): 1.0 + rank for j, neighbors in enumerate(lists) for rank, t in enumerate(neighbors)
    }
    return graph_of_edges(1, len(lists), matches, near)


# --- By hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k_query", "expected"),
    [
        # N_c = {0}: half of R(0) = R(1) = {0, 1}; nothing of the others.
        (1, [1 / 2, 1 / 2, 1, 1]),
        # N_c = {0, 1}: all of R(0) and R(1).
        (2, [0, 0, 1, 1]),
        # N_c = {0, 1, 2}: 2 of 3 with R(0) and R(1); 1 of 3 with R(2) = {2}.
        (3, [1 / 3, 1 / 3, 2 / 3, 1]),
        # N_c is all four.
        (4, [1 / 2, 1 / 2, 3 / 4, 3 / 4]),
    ],
)
def test_eq_6_and_7_by_hand(k_query, expected):
    # Images at 0, 1, 2.5 and 10. With k_g = 1: 0 and 1 have each other; 2 has 1, which has not
    # it; 3 has 2, which has not it. So R = {0,1}, {0,1}, {2}, {3}.
    place = torch.tensor([[0.0], [1], [2.5], [10]])
    d_gg = (place - place.T).abs()
    d_s = torch.tensor([[1.0, 2, 3, 4]])
    graph = sg.similarity_graph_from_distances(d_s, d_gg, k=1)
    d_m = sg.MNNR(k_query, k_gallery=1, expand=False)(graph, d_s)
    torch.testing.assert_close(d_m, torch.tensor([expected], dtype=torch.float32))


# R(0, 6) = {0,1,2,3}. R(1, 3) = {1,2,3,4}, three quarters of it in R(0, 6): 4 joins R*(0).
ADMITTED = [[1, 2, 3], [2, 3, 4, 0], [1, 3, 0], [1, 2, 0], [1], []]
# R(0, 4) = {0,1,2}. R(1, 2) = {1,2,3}, exactly two thirds of it in R(0, 4): 3 does not join.
NOT_ADMITTED = [[1, 2], [2, 3, 0], [1, 0], [1]]


@pytest.mark.parametrize(
    ("lists", "k_gallery", "plain", "grown"),
    [
        (ADMITTED, 6, {0, 1, 2, 3}, {0, 1, 2, 3, 4}),
        (NOT_ADMITTED, 4, {0, 1, 2}, {0, 1, 2}),
    ],
    ids=["three quarters", "two thirds"],
)
def test_more_than_two_thirds_by_hand(lists, k_gallery, plain, grown):
    graph, d_s = graph_of_lists(lists), torch.arange(float(len(lists)))[None]
    for expand, expected in ((False, plain), (True, grown)):
        module = sg.MNNR(k_query=4, k_gallery=k_gallery, expand=expand)
        assert as_sets(module.reciprocal_sets(graph))[0] == expected
        # N_c = {0, 1, 2, 3}.
        overlap = len({0, 1, 2, 3} & expected) / len({0, 1, 2, 3} | expected)
        torch.testing.assert_close(module(graph, d_s)[0, 0], torch.tensor(1 - overlap))


def test_half_of_k_is_rounded_to_even_by_hand():
    # k_g = 5: half is 2.5, taken as 2. R(1, 3) = {1,2,3,4} would bring 4 into R(0, 5) as above;
    # R(1, 2) = {1,2,3} lies in it already and brings nothing. k_g = 7 takes 3.5 as 4, and
    # R(1, 4) = {0,1,2,3,4} has four of five in R(0, 7).
    for k_gallery, grown in ((5, {0, 1, 2, 3}), (6, {0, 1, 2, 3, 4}), (7, {0, 1, 2, 3, 4})):
        module = sg.MNNR(1, k_gallery, expand=True)
        found = module.reciprocal_sets(graph_of_lists(ADMITTED))
        assert as_sets(found)[0] == grown


def test_ties_go_to_the_lower_index_by_hand():
    # All at distance 1: with k_g = 1 image 0 has 1; 1, 2 and 3 have 0. N_c = {0, 1} of equal d_S.
    d_gg = torch.ones(4, 4)
    d_s = torch.ones(1, 4)
    graph = sg.similarity_graph_from_distances(d_s, d_gg, k=1)
    module = sg.MNNR(2, 1, expand=False)
    assert as_sets(module.reciprocal_sets(graph)) == [{0, 1}, {0, 1}, {2}, {3}]
    assert module(graph, d_s).tolist() == [[0, 0, 1, 1]]


def test_images_that_nothing_reaches_are_in_no_neighborhood():
    graph = graph_of_lists([[1], [0], []])
    d_s = torch.tensor([[torch.inf, 2, torch.inf]])
    # N_c = {1} alone, though k_query is 3: half of {0, 1}.
    assert sg.MNNR(3, 1)(graph, d_s).tolist() == [[0.5, 0.5, 1]]
    nothing = torch.full((1, 3), torch.inf)
    assert sg.MNNR(3, 1)(graph, nothing).tolist() == [[1, 1, 1]]


# --- Against the oracle ----------------------------------------------------------------------


@EVERY_CASE
@BOTH_WAYS
def test_sets_are_those_of_the_oracle(case, expand):
    found = module_of(case, expand).reciprocal_sets(graph_of(case))
    lists = neighbor_lists(case.d_gg, case.k_gallery)
    expected = (expanded if expand else reciprocal)(lists, case.k_gallery)
    assert as_sets(found) == expected
    assert all(g in members for g, members in enumerate(expected))


@EVERY_CASE
@BOTH_WAYS
@pytest.mark.parametrize("by", ["d_qg", "ties", "inf"])
def test_mnnr_is_the_oracle(case, expand, by):
    d_s = case.tensors()[0]
    if by == "ties":
        d_s = d_s.round()
    elif by == "inf":
        d_s[d_s > d_s.median()] = torch.inf
    found = module_of(case, expand)(graph_of(case), d_s)
    expected = mnnr(d_s.tolist(), case.d_gg, case.k_query, case.k_gallery, expand)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_some_case_is_changed_by_the_expansion():
    changed = [
        mnnr(case.d_qg, case.d_gg, case.k_query, case.k_gallery, True).tolist()
        != mnnr(case.d_qg, case.d_gg, case.k_query, case.k_gallery, False).tolist()
        for case in CASES.values()
    ]
    assert sum(changed) >= 2


@pytest.mark.parametrize("k_gallery", [0, 1, 2, 5, 6, 20])
@pytest.mark.parametrize("name", EDGE_CASES)
@BOTH_WAYS
def test_mnnr_on_graphs_of_users_is_the_oracle(name, k_gallery, expand):
    case = EDGE_CASES[name]
    lists = [
        [t for _, t in sorted((w, t) for (t, target), w in case.near.items() if target == j != t)]
        for j in range(case.num_gallery)
    ]
    d_s = torch.rand(case.num_queries, case.num_gallery, dtype=torch.float64)
    k_query = min(4, case.num_gallery)
    found = sg.MNNR(k_query, k_gallery, expand)(case.graph(seed=0), d_s)
    sets = (expanded if expand else reciprocal)(lists, k_gallery)
    np.testing.assert_array_equal(found.numpy(), set_mnnr(d_s.tolist(), sets, k_query))


@BOTH_WAYS
def test_lam_0_does_not_lose_the_order_of_the_neighbors(expand):
    case = CASES["random"]
    graph = sg.similarity_graph_from_distances(*case.tensors(), case.k, lam=0.0)
    assert (graph[NEAR].edge_weight == 0).all()
    d_s = case.tensors()[0]
    assert torch.equal(
        module_of(case, expand)(graph, d_s), module_of(case, expand)(graph_of(case), d_s)
    )


@BOTH_WAYS
def test_k_gallery_below_k_counts_the_nearest_only(expand):
    case = CASES["clusters"]
    d_s = case.tensors()[0]
    small = sg.similarity_graph_from_distances(*case.tensors(), k=case.k_gallery)
    assert torch.equal(
        module_of(case, expand)(graph_of(case), d_s), module_of(case, expand)(small, d_s)
    )


# --- Properties ------------------------------------------------------------------------------

sizes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "num_queries": st.integers(1, 5),
        "num_gallery": st.integers(2, 20),
        "k": st.integers(0, 19),
        "k_query": st.integers(1, 20),
        "expand": st.booleans(),
    }
)


def sized_case(size, make=point_case, **params):
    num_gallery = size["num_gallery"]
    k = min(size["k"], num_gallery - 1)
    return make(
        size["seed"], size["num_queries"], num_gallery, **params, lam=0.1, k=k, num_paths=1,
        k_query=min(size["k_query"], num_gallery), k_gallery=k,
    )  # fmt: skip


@FEW
@given(size=sizes, highest=st.integers(0, 5))
def test_any_tied_case_is_the_oracle(size, highest):
    case = sized_case(size, integer_case, highest=highest)
    found = module_of(case, size["expand"])(graph_of(case), case.tensors()[0])
    expected = mnnr(case.d_qg, case.d_gg, case.k_query, case.k_gallery, size["expand"])
    np.testing.assert_array_equal(found.numpy(), expected)


@FEW
@given(size=sizes)
def test_permuting_the_gallery_permutes_the_answer(size):
    case = sized_case(size)
    order = np.random.default_rng(size["seed"]).permutation(len(case.d_gg))
    permuted = case._replace(d_qg=case.d_qg[:, order], d_gg=case.d_gg[order][:, order])
    module = module_of(case, size["expand"])
    found = module(graph_of(permuted), permuted.tensors()[0])
    assert torch.equal(found, module(graph_of(case), case.tensors()[0])[:, order])


@FEW
@given(size=sizes)
def test_distances_are_between_0_and_1(size):
    case = sized_case(size)
    d_m = module_of(case, size["expand"])(graph_of(case), case.tensors()[0])
    assert ((d_m >= 0) & (d_m <= 1)).all()


@pytest.mark.parametrize("block_bytes", [1, 2000])
@pytest.mark.parametrize("name", ["clusters", "ties", "one query", "defaults"])
@BOTH_WAYS
def test_blocks_are_the_whole(monkeypatch, name, block_bytes, expand):
    case = CASES[name]
    graph, d_s = graph_of(case), case.tensors()[0]
    whole = module_of(case, expand)(graph, d_s)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    assert torch.equal(module_of(case, expand)(graph, d_s), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_that_of_d_s(dtype):
    case = CASES["random"]
    d_m = module_of(case, True)(graph_of(case), case.tensors(dtype)[0])
    assert d_m.dtype == dtype and d_m.shape == case.d_qg.shape


def test_sets_have_no_gradient():
    case = CASES["random"]
    d_s = case.tensors()[0].requires_grad_()
    assert not module_of(case, True)(graph_of(case), d_s).requires_grad


def test_inputs_are_left_alone():
    case = CASES["random"]
    graph, d_s = graph_of(case), case.tensors()[0]
    before = graph.clone(), d_s.clone()
    module_of(case, True)(graph, d_s)
    assert torch.equal(d_s, before[1])
    for edge in graph.edge_types:
        for key, value in graph[edge].items():
            assert torch.equal(value, before[0][edge][key])


def test_repr_tells_the_parameters():
    assert repr(sg.MNNR(3, 2, False)) == "MNNR(k_query=3, k_gallery=2, expand=False)"
