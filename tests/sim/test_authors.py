"""The authors' methods: their six differences by hand, and the whole against the oracle."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
import simgraph.distances
from simgraph.distances import l2_distance
from tests.oracles.sim import AUTHORS_CASES, authors_mnnr, authors_sgr, authors_sim, point_case

EVERY_CASE = pytest.mark.parametrize("case", AUTHORS_CASES.values(), ids=AUTHORS_CASES)
BOTH_WAYS = pytest.mark.parametrize("expand", [False, True], ids=["plain", "expanded"])
FEW = settings(max_examples=25, deadline=None, derandomize=True)
CLOSE = {"rtol": 1e-12, "atol": 1e-13}


def sim_authors(d_qg, d_gg, **params):
    return sg.rerank_distances(d_qg, d_gg, "sim_authors", **params)


# --- By hand ---------------------------------------------------------------------------------

# Nearest to image 0 is 1 (at 1), to 1 is 0 (at 1), to 2 is 1 (at 2); λ = 0.5.
D_QG = torch.tensor([[5.0, 1, 3]], dtype=torch.float64)
D_GG = torch.tensor([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]], dtype=torch.float64)


def test_sgr_overwrites_column_after_column_by_hand():
    # k = 2 counts the image itself and one neighbor; K = 2.
    # Column 0: direct 5, by 1: 1 + 0.5            -> 3.25, which stands there from now on.
    # Column 1: direct 1, by 0: 3.25 + 0.5 = 3.75  -> 2.375 (the paper's way: (1 + 5.5) / 2).
    # Column 2: direct 3, by 1: 2.375 + 1 = 3.375  -> 3.1875.
    found = sg.authors.sgr(D_QG, D_GG, lam=0.5, k=2, num_paths=2)
    assert found.tolist() == [[3.25, 2.375, 3.1875]]
    # k = 1 is the image itself alone.
    assert torch.equal(sg.authors.sgr(D_QG, D_GG, lam=0.5, k=1, num_paths=1), D_QG)


def test_the_fused_distance_by_hand():
    # Squares of 3.25, 2.375, 3.1875 over the largest, 3.25².
    scaled = [1.0, 2.375**2 / 3.25**2, 3.1875**2 / 3.25**2]
    # N_c has k_q + 1 = 2 members, images 1 and 2, with weights exp(-scaled), 1 in sum.
    total = math.exp(-scaled[1]) + math.exp(-scaled[2])
    q1, q2 = math.exp(-scaled[1]) / total, math.exp(-scaled[2]) / total
    # k_g = 1 besides the image itself: R* = {0,1}, {0,1}, {2}. Row 0 of D_gg squared over its
    # largest is 0, 1/16, 1; row 1 is 1/4, 0, 1; image 2 has all its weight on itself.
    g01 = math.exp(-1 / 16) / (math.exp(0) + math.exp(-1 / 16))
    g11 = math.exp(0) / (math.exp(-1 / 4) + math.exp(0))
    # Shared with R*(0) and R*(1) is image 1, with R*(2) image 2.
    m = [min(q1, g01), min(q1, g11), min(q2, 1.0)]
    expected = [0.3 * s + 0.7 * (1 - shared / (2 - shared)) for s, shared in zip(scaled, m)]  # noqa: B905
    found = sg.rerank_distances(
        D_QG, D_GG, "sim_authors", lam=0.5, k=2, num_paths=2, k_query=1, k_gallery=1, alpha=0.3
    )
    np.testing.assert_allclose(found.numpy(), [expected], rtol=1e-14)


# --- Against the oracle ----------------------------------------------------------------------


@EVERY_CASE
def test_sgr_is_the_oracle(case):
    found = sg.authors.sgr(*case.tensors(), **case.sgr_params)
    np.testing.assert_allclose(
        found.numpy(), authors_sgr(case.d_qg, case.d_gg, **case.sgr_params), **CLOSE
    )


@EVERY_CASE
@BOTH_WAYS
def test_mnnr_is_the_oracle(case, expand):
    params = (case.k_query, case.k_gallery, 0.3, expand)
    found = sg.authors.mnnr(*case.tensors(), *params)
    np.testing.assert_allclose(found.numpy(), authors_mnnr(case.d_qg, case.d_gg, *params), **CLOSE)


@EVERY_CASE
@BOTH_WAYS
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_sim_distance_is_the_oracle(case, expand, alpha):
    params = case.params | {"alpha": alpha, "expand": expand}
    found = sim_authors(*case.tensors(), **params)
    np.testing.assert_allclose(found.numpy(), authors_sim(case.d_qg, case.d_gg, **params), **CLOSE)


@FEW
@given(
    seed=st.integers(0, 10**6), num_queries=st.integers(1, 4), num_gallery=st.integers(2, 14),
    k=st.integers(1, 13), num_paths=st.integers(1, 13), k_query=st.integers(1, 13),
    lam=st.sampled_from([0.0, 0.1, 1.0]), expand=st.booleans(),
)  # fmt: skip
def test_any_random_case_is_the_oracle(
    seed, num_queries, num_gallery, k, num_paths, k_query, lam, expand
):
    k = min(k, num_gallery - 1)
    case = point_case(
        seed, num_queries, num_gallery, lam, k, min(num_paths, k), min(k_query, num_gallery - 1), k
    )
    params = case.params | {"alpha": 0.3, "expand": expand}
    found = sim_authors(*case.tensors(), **params)
    np.testing.assert_allclose(found.numpy(), authors_sim(case.d_qg, case.d_gg, **params), **CLOSE)


@pytest.mark.parametrize("k_query", [12, 20])
def test_real_features_are_the_oracle(shared, k_query):
    with np.load(shared / "features" / "mfeat_fou2kar_cca.npz") as file:
        query, gallery = (
            torch.nn.functional.normalize(torch.tensor(file[key][:80]).double(), dim=1)
            for key in ("query_feat", "gallery_feat")
        )
    d_qg, d_gg = l2_distance(query, gallery), l2_distance(gallery, gallery)
    params = {
        "lam": 0.01, "k": 20, "num_paths": 9, "k_query": k_query, "k_gallery": 20,
        "alpha": 0.3, "expand": True,
    }  # fmt: skip
    found = sim_authors(d_qg, d_gg, **params)
    np.testing.assert_allclose(
        found.numpy(), authors_sim(d_qg.tolist(), d_gg.tolist(), **params), **CLOSE
    )


# --- From features ---------------------------------------------------------------------


def features(rows, seed):
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


PARAMS = {"num_paths": 3, "k_query": 5, "k_gallery": 4, "alpha": 0.7}


@pytest.mark.parametrize("normalize", [True, False])
@BOTH_WAYS
def test_matrices_and_features_agree(normalize, expand):
    query, gallery = features(4, 0), features(15, 1)
    graph = sg.similarity_graph(query, gallery, k=6, lam=0.1, normalize=normalize)
    x, y = graph["query"].x, graph["gallery"].x
    params = PARAMS | {"k": 6, "lam": 0.1, "expand": expand}
    expected = sim_authors(l2_distance(x, y), l2_distance(y, y), **params)
    found = sg.rerank(query, gallery, "sim_authors", normalize=normalize, **params)
    torch.testing.assert_close(found, expected)


def test_the_methods_on_their_own_are_the_parts():
    query, gallery = features(4, 2), features(15, 3)
    d_qg = sg.rerank(query, gallery, method="baseline")
    y = torch.nn.functional.normalize(gallery, dim=1)
    d_gg = l2_distance(y, y)
    found = sg.rerank(query, gallery, "sgr_authors", k=6, lam=0.1, num_paths=3)
    torch.testing.assert_close(found, sg.authors.sgr(d_qg, d_gg, 0.1, 6, 3))
    found = sg.rerank(query, gallery, "mnnr_authors", k=6, k_query=5, k_gallery=4)
    torch.testing.assert_close(found, sg.authors.mnnr(d_qg, d_gg, 5, 4, 0.3, True))


# --- Contract --------------------------------------------------------------------------------


@EVERY_CASE
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_inputs_are_left_alone(case, layout):
    # A row of one query and a matrix laid out by columns are contiguous when transposed: what
    # works in place on the transpose must work on a copy.
    d_qg, d_gg = case.tensors()
    if layout == "columns":
        d_qg, d_gg = d_qg.T.contiguous().T, d_gg.T.contiguous().T
    before = d_qg.clone(), d_gg.clone()
    sg.authors.sgr(d_qg, d_gg, **case.sgr_params)
    sg.authors.mnnr(d_qg, d_gg, case.k_query, case.k_gallery, 0.3, True)
    sim_authors(d_qg, d_gg, **case.params)
    assert torch.equal(d_qg, before[0]) and torch.equal(d_gg, before[1])


def test_the_diagonal_is_not_read():
    case = AUTHORS_CASES["random"]
    d_qg, d_gg = case.tensors()
    before = sim_authors(d_qg, d_gg, **case.params)
    d_gg.fill_diagonal_(100)
    assert torch.equal(sim_authors(d_qg, d_gg, **case.params), before)


@pytest.mark.parametrize("name", ["random", "ties", "defaults"])
def test_one_query_at_a_time_equals_all_at_once(name):
    case = AUTHORS_CASES[name]
    d_qg, d_gg = case.tensors()
    one_by_one = [sim_authors(row[None].clone(), d_gg, **case.params) for row in d_qg]
    whole = sim_authors(d_qg, d_gg, **case.params)
    torch.testing.assert_close(torch.cat(one_by_one), whole, **CLOSE)


@pytest.mark.parametrize("name", ["random", "ties", "clusters", "one query"])
@pytest.mark.parametrize("block_bytes", [1, 2000])
def test_blocks_are_the_whole(monkeypatch, name, block_bytes):
    case = AUTHORS_CASES[name]
    whole = sim_authors(*case.tensors(), **case.params)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    blocks = sim_authors(*case.tensors(), **case.params)
    torch.testing.assert_close(blocks, whole, **CLOSE)


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"k": 3, "num_paths": 4}, ["num_paths = 4", "k = 3", "counts the node itself"]),
        ({"k": 0, "num_paths": 1, "k_gallery": 0}, ["num_paths = 1", "k = 0"]),
        ({"k_query": 9}, ["k_query = 9", "num_gallery = 9", "k_query + 1"]),
    ],
)
def test_limits_that_are_one_lower_than_the_papers(params, parts):
    params = {"k": 4, "num_paths": 2, "k_query": 3, "k_gallery": 3} | params
    with pytest.raises(ValueError) as error:
        sim_authors(torch.rand(2, 9), torch.rand(9, 9), **params)
    assert all(part in str(error.value) for part in parts)
