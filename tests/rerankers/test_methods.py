"""Every peer against its loops, by hand on a few images, and the properties that it claims."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
from simgraph.rerankers import METHODS, rerank_distances
from tests.oracles import rerankers as oracles_peers
from tests.oracles.rerankers import SMALL, distances, peer, unit

EVERY_PEER = pytest.mark.parametrize("method", SMALL)
TRANSDUCTIVE = {"k_reciprocal", "ecn", "gnn", "gcr"}


def points(seed, *sizes, dim=4):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, dim)) for n in sizes]


def clusters(seed, *sizes):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(3, 6))
    return [centers[np.arange(n) % 3] + rng.normal(size=(n, 6)) * 0.3 for n in sizes]


CASES = {
    "random": points(0, 6, 14),
    "more queries": points(1, 17, 9),
    "one query": points(2, 1, 10),
    "clusters": clusters(3, 8, 15),
    "duplicates": [np.repeat(x, 3, axis=0) for x in points(6, 3, 5)],
    "all equal": [np.ones((3, 4)), np.ones((8, 4))],
    "opposite": [
        -np.ones((2, 3)) + points(7, 2, dim=3)[0] / 9,
        np.ones((7, 3)) + points(8, 7, dim=3)[0] / 9,
    ],
}


@EVERY_PEER
@pytest.mark.parametrize("case", CASES)
def test_every_peer_is_its_loops(method, case):
    query, gallery = map(unit, CASES[case])
    found = sg.rerank(query, gallery, method, **SMALL[method])
    expected = peer(method, query, gallery, **SMALL[method])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def tied(seed, num_queries, num_gallery, values):
    """Distances of few values, each exact: ties everywhere, zeros off the diagonal too."""
    rng = np.random.default_rng(seed)
    n = num_queries + num_gallery
    d = np.triu(rng.choice(values, (n, n)), 1)
    d += d.T
    q = num_queries
    return d[:q, q:], d[q:, q:], d[:q, :q]


GIVEN = {
    "ties": tied(0, 5, 12, [0.25, 0.5, 1.0, 1.5]),
    "more ties": tied(1, 9, 9, [0.0, 1.0]),
    "all at 0": tied(2, 3, 8, [0.0]),
    "all at 1": tied(3, 3, 8, [1.0]),
    "no relation": tied(4, 4, 11, np.linspace(0.1, 1.9, 1000)),
    "three metrics": (
        np.random.default_rng(5).uniform(1, 1.5, (5, 10)),
        distances(*[unit(points(6, 10)[0])] * 2),
        distances(*[unit(points(7, 5, dim=2)[0])] * 2),
    ),
    "as far as can be": tied(8, 4, 9, [0.5, 2.0]),
}
FROM_DISTANCES = [name for name, said in METHODS.items() if said.from_distances]


@pytest.mark.parametrize("method", FROM_DISTANCES)
@pytest.mark.parametrize("case", GIVEN)
def test_every_peer_is_its_loops_from_distances(method, case):
    d_qg, d_gg, d_qq = GIVEN[case]
    given = {"d_qq": d_qq} if METHODS[method].transductive else {}
    found = rerank_distances(d_qg, d_gg, method, **given, **SMALL[method])
    expected = oracles_peers.FROM_DISTANCES[method](*GIVEN[case], **SMALL[method])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", FROM_DISTANCES)
def test_distances_of_features_give_what_features_give(method):
    query, gallery = map(unit, clusters(20, 7, 15))
    d_qg, d_gg, d_qq = (
        distances(*p) for p in ((query, gallery), (gallery, gallery), (query, query))
    )
    np.fill_diagonal(d_gg, np.inf)  # marked, as some do
    np.fill_diagonal(d_qq, np.nan)
    np.testing.assert_allclose(
        rerank_distances(d_qg, d_gg, method, d_qq, **SMALL[method]),
        sg.rerank(query, gallery, method, **SMALL[method]),
        rtol=1e-6, atol=1e-7,
    )  # fmt: skip
    tensors = [torch.tensor(d, dtype=torch.float32) for d in (d_qg, d_gg, d_qq)]
    found = rerank_distances(*tensors[:2], method, tensors[2], **SMALL[method])
    assert found.dtype == torch.float32 and found.shape == (7, 15)


@pytest.mark.parametrize(
    ("method", "change", "parts"),
    [
        ("ecn", {"d_qq": None}, ["ecn", "d_qq [Nq, Nq]"]),
        ("ecn", {"d_qq": np.ones((3, 3))}, ["d_qq", "(4, 4)", "(3, 3)"]),
        ("ecn", {"d_qq": -np.ones((4, 4)) + np.eye(4)}, ["d_qq", ">= 0", "-1"]),
        ("gnn", {"d_qq": 3 * np.ones((4, 4))}, ["d_qq", "at most 2", "3"]),
        ("aim", {"d_qg": np.full((4, 6), 2.5)}, ["d_qg", "at most 2", "2.5"]),
        ("aim", {"d_gg": np.ones((5, 5))}, ["d_gg", "(4, 6)", "(5, 5)"]),
        ("lbr", {"m": 3}, ["lbr", "['n', 'temperature']", "'m'"]),
        ("lbr", {"normalize": True}, ["lbr", "'normalize'"]),
        ("gcr", {}, ["k_reciprocal", "'gcr'"]),
        ("dba", {}, ["diffusion", "'dba'"]),
        (None, {}, ["method", "None"]),
    ],
)
def test_bad_distances_and_methods_that_need_features_are_refused(method, change, parts):
    given = {"d_qg": np.ones((4, 6)), "d_gg": np.ones((6, 6)), "d_qq": np.ones((4, 4))}
    with pytest.raises(ValueError) as error:
        rerank_distances(method=method, **given | change)
    assert all(part in str(error.value) for part in parts), str(error.value)


# The largest that is allowed, and the smallest.
LIMITS = {
    "k_reciprocal": [{"k1": 7, "k2": 8}, {"k1": 1, "k2": 1, "lam": 0.0}, {"k1": 3, "lam": 1}],
    "ecn": [{"k": 8, "t": 7, "q": 7}, {"k": 1, "t": 1, "q": 1}],
    "gnn": [{"k1": 8, "k2": 8, "layers": 3}, {"k1": 1, "k2": 1}, {"k1": 3, "k2": 2, "layers": 0}],
    "gcr": [
        {"k": 8, "beta": 5.0, "rounds": 1}, {"k": 1}, {"k": 3, "beta": 1e-2}, {"k": 2, "rounds": 0},
    ],
    "lbr": [{"n": 5, "temperature": 10.0}, {"n": 1, "temperature": 0.02}],
    "aim": [{"k1": 5, "k2": 5}, {"k1": 1, "k2": 1}, {"k1": 1, "k2": 4}],
    "alpha_qe": [{"n": 5, "alpha": 0.5}, {"n": 0}],
    "dba": [{"k": 4}, {"k": 1}, {"k": 0}],
    "diffusion": [
        {"k": 5, "k_query": 5, "gamma": 1.0}, {"k": 1, "k_query": 1},
        {"k": 3, "k_query": 2, "alpha": 0},
    ],
}  # fmt: skip
DEFAULTS = {
    "k_reciprocal": {"k1": 20, "k2": 6, "lam": 0.3}, "ecn": {"k": 25, "t": 3, "q": 8},
    "gnn": {"k1": 26, "k2": 7, "layers": 2}, "gcr": {"k": 15, "beta": 0.2, "rounds": 3},
    "lbr": {"n": 100, "temperature": 0.3}, "aim": {"k1": 30, "k2": 6},
    "alpha_qe": {"n": 50, "alpha": 3.0}, "dba": {"k": 20},
    "diffusion": {"k": 50, "k_query": 10, "gamma": 3.0, "alpha": 0.99},
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "params"), [(method, params) for method, sets in LIMITS.items() for params in sets]
)
def test_parameters_at_their_limits(method, params):
    query, gallery = map(unit, points(10, 3, 5))
    found = sg.rerank(query, gallery, method, **params)
    expected = peer(method, query, gallery, **DEFAULTS[method] | params)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "params", "parts"),
    [
        ("k_reciprocal", {"k1": 8}, ["k1 = 8", "Nq + Ng − 1 = 7"]),
        ("k_reciprocal", {"k1": 0}, ["k1 = 0", "at least 1"]),
        ("k_reciprocal", {"k1": 2, "k2": 9}, ["k2 = 9", "Nq + Ng = 8"]),
        ("k_reciprocal", {"k1": 2, "lam": 1.5}, ["lam = 1.5", "[0, 1]"]),
        ("k_reciprocal", {"k1": 2.5}, ["k1", "integer", "2.5"]),
        ("ecn", {"k": 9}, ["k = 9", "Nq + Ng = 8"]),
        ("ecn", {"k": 5, "t": 8}, ["t = 8", "Nq + Ng − 1 = 7"]),
        ("ecn", {"k": 5, "q": 8}, ["q = 8", "Nq + Ng − 1 = 7"]),
        ("gnn", {"k1": 9}, ["k1 = 9", "Nq + Ng = 8"]),
        ("gnn", {"k1": 5, "k2": 9}, ["k2 = 9", "Nq + Ng = 8"]),
        ("gnn", {"k1": 5, "k2": 2, "layers": -1}, ["layers = -1", "at least 0"]),
        ("gcr", {"k": 9}, ["k = 9", "Nq + Ng = 8"]),
        ("gcr", {"k": 3, "beta": 0.0}, ["beta = 0.0", "above 0"]),
        ("gcr", {"k": 3, "rounds": True}, ["rounds", "integer", "True"]),
        ("lbr", {"n": 6}, ["n = 6", "Ng = 5"]),
        ("lbr", {"n": 3, "temperature": "hot"}, ["temperature", "number above 0", "'hot'"]),
        ("aim", {"k1": 6}, ["k1 = 6", "Ng = 5"]),
        ("aim", {"k1": 3, "k2": 6}, ["k2 = 6", "Ng = 5"]),
        ("alpha_qe", {"n": 6}, ["n = 6", "Ng = 5"]),
        ("alpha_qe", {"n": 3, "alpha": float("inf")}, ["alpha = inf", "finite"]),
        ("dba", {"k": 5}, ["k = 5", "Ng − 1 = 4"]),
        ("diffusion", {"k": 6}, ["k = 6", "Ng = 5"]),
        ("diffusion", {"k": 5, "k_query": 6}, ["k_query = 6", "Ng = 5"]),
        ("diffusion", {"k": 5, "k_query": 2, "gamma": -1}, ["gamma = -1", "above 0"]),
        ("diffusion", {"k": 5, "k_query": 2, "alpha": 1}, ["alpha = 1", "less than 1"]),
    ],
)
def test_parameters_out_of_range_are_refused(method, params, parts):
    query, gallery = points(10, 3, 5)
    with pytest.raises(ValueError) as error:
        sg.rerank(query, gallery, method, **params)
    assert all(part in str(error.value) for part in parts), str(error.value)


# --- By hand ----------------------------------------------------------------------------------


def on_circle(*degrees):
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_k_reciprocal_by_hand():
    # q and g0 are each other's nearest, g1 and g2 too: with k1 = 1 (no expansion, round(1/2) = 0)
    # the sets are {q, g0} and {g1, g2}.
    query, gallery = on_circle(0), on_circle(20, 90, 100)
    found = sg.rerank(query, gallery, "k_reciprocal", k1=1, k2=1, lam=0.25)
    squared = 2 - 2 * np.cos(np.radians([20, 90, 100]))
    q = np.array([1, np.exp(-squared[0] / squared[2])])
    # Seen from g0 the farthest is g2, 80 degrees off.
    g = np.array([np.exp(-squared[0] / (2 - 2 * np.cos(np.radians(80)))), 1])
    shared = np.minimum(q / q.sum(), g / g.sum()).sum()
    jaccard = np.array([1 - shared / (2 - shared), 1, 1])
    np.testing.assert_allclose(found[0], 0.25 * squared / squared[2] + 0.75 * jaccard, rtol=1e-12)


def test_ecn_by_hand():
    # k = 2: lists give 2 to the image itself and 1 to its nearest. t = q = 1: E(q) = {g0, q},
    # E(g0) = {q, g0}. R = (2·1 + 1·2) / 5 between q and g0, 1 of either with itself.
    found = sg.rerank(on_circle(0), on_circle(20, 90, 100), "ecn", k=2, t=1, q=1)
    far = 1 + 2 * np.sin(np.radians([90, 100]) / 2)
    np.testing.assert_allclose(found[0], [1 - (1 + 0.8 + 1 + 0.8) / 4, *far], rtol=1e-12)


def test_gnn_by_hand():
    # One layer, k1 = k2 = 2: A has rows (1, 1, 0, 0) twice and (0, 0, 1, 1) twice and is
    # symmetric, so A + Aᵀ = 2A, and the messages keep all rows of a pair parallel.
    found = sg.rerank(on_circle(0), on_circle(20, 90, 100), "gnn", k1=2, k2=2, layers=1)
    np.testing.assert_allclose(found, [[0, 1, 1]], atol=1e-12)


def test_gcr_by_hand():
    # Two images, each the other's neighbour: weights 1 and w = exp((cos − 1) / β) in rows that
    # sum to 1 + w, and columns likewise, so both move towards their mean.
    query, gallery = on_circle(0), on_circle(60)
    w = np.exp((0.5 - 1) / 0.2)
    moved = unit(query + w * gallery), unit(gallery + w * query)
    found = sg.rerank(query, gallery, "gcr", k=2, rounds=1)
    np.testing.assert_allclose(found, distances(*moved), rtol=1e-12)


def test_lbr_by_hand():
    # n = 2: g0 at 10 and g1 at 40 degrees mix by softmax of (1, cos 30) / σ; g2 stays behind.
    cos = np.cos(np.radians([10, 40, 120, 30]))
    mix = np.exp(np.array([1, cos[3]]) / 0.5)
    mix /= mix.sum()
    found = sg.rerank(on_circle(0), on_circle(10, 40, 120), "lbr", n=2, temperature=0.5)
    near = [1 - mix @ cos[:2], 1 - mix @ cos[1::-1]]
    np.testing.assert_allclose(found[0], [*near, 3 - cos[2]], rtol=1e-12)


def test_aim_by_hand():
    # k1 = 1: the query is told by g0 alone, each gallery image by itself; k2 = 2 averages g0 and
    # g1, which both become (1, 1, 0) / 2, and g2 with its nearest, g1.
    cos = np.cos(np.radians([10, 40, 120]))
    found = sg.rerank(on_circle(0), on_circle(10, 40, 120), "aim", k1=1, k2=2)
    alike = np.array([1, 1, 0]) / np.sqrt(2)
    np.testing.assert_allclose(found[0], 2 - alike - cos, rtol=1e-12)


def test_alpha_qe_by_hand():
    query, gallery = on_circle(0), on_circle(60, 180)
    # The opposite image has weight 0, the other 0.5 ** 2.
    expanded = unit(query + 0.25 * gallery[:1])
    found = sg.rerank(query, gallery, "alpha_qe", n=2, alpha=2)
    np.testing.assert_allclose(found, distances(expanded, gallery), rtol=1e-12)


def test_dba_by_hand():
    query, gallery = on_circle(0), on_circle(10, 30, 80)
    # k = 2: weight 1/2 for the nearest, 0 for the second.
    augmented = unit(gallery + gallery[[1, 0, 1]] / 2)
    found = sg.rerank(query, gallery, "dba", k=2)
    np.testing.assert_allclose(found, distances(query, augmented), rtol=1e-12)


def test_diffusion_by_hand():
    # g0 and g1 are mutual, so S = [[0, 1], [1, 0]] between them; g2 is alone. From g0 the walk
    # comes to f = (1, α) / (1 − α²); g2 keeps its direct distance, behind all that is reached.
    found = sg.rerank(on_circle(0), on_circle(10, 40, 120), "diffusion", k=2, k_query=1, alpha=0.5)
    np.testing.assert_allclose(
        found[0], [0, 0.5, 1 + 2 * np.sin(np.radians(60))], rtol=1e-7, atol=1e-9
    )


# --- Properties -------------------------------------------------------------------------------


def test_those_that_look_at_other_queries_say_so():
    assert {method for method, said in METHODS.items() if said.transductive} == TRANSDUCTIVE


@EVERY_PEER
def test_other_queries_matter_where_that_is_said(method):
    query, gallery = clusters(11, 9, 20)
    alone = np.concatenate(
        [sg.rerank(row[None], gallery, method, **SMALL[method]) for row in query]
    )
    together = sg.rerank(query, gallery, method, **SMALL[method])
    if METHODS[method].transductive:
        assert np.abs(alone - together).max() > 1e-3
    else:
        np.testing.assert_allclose(alone, together, rtol=1e-6, atol=1e-9)


@EVERY_PEER
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), num_queries=st.integers(1, 6), num_gallery=st.integers(6, 14))
def test_permuting_either_side_permutes_the_answer(method, seed, num_queries, num_gallery):
    query, gallery = points(seed, num_queries, num_gallery)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(num_queries), rng.permutation(num_gallery)
    np.testing.assert_allclose(
        sg.rerank(query[rows], gallery[columns], method, **SMALL[method]),
        sg.rerank(query, gallery, method, **SMALL[method])[rows][:, columns],
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip


@EVERY_PEER
def test_small_blocks_give_the_same(method, monkeypatch):
    query, gallery = clusters(12, 9, 20)
    whole = sg.rerank(query, gallery, method, **SMALL[method])
    monkeypatch.setattr("simgraph.distances.BLOCK_BYTES", 2000)
    np.testing.assert_allclose(
        sg.rerank(query, gallery, method, **SMALL[method]), whole, rtol=1e-6, atol=1e-9
    )


@EVERY_PEER
def test_float32_is_near_float64(method):
    query, gallery = clusters(13, 8, 20)
    wide = sg.rerank(query, gallery, method, **SMALL[method])
    narrow = sg.rerank(query.astype("f4"), gallery.astype("f4"), method, **SMALL[method])
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, atol=2e-3)


@EVERY_PEER
def test_without_gradient(method):
    query, gallery = (torch.tensor(x, requires_grad=True) for x in points(14, 4, 9))
    assert not sg.rerank(query, gallery, method, **SMALL[method]).requires_grad


@EVERY_PEER
def test_autocast_changes_nothing(method):
    query, gallery = (torch.tensor(x, dtype=torch.float32) for x in clusters(15, 6, 15))
    plain = sg.rerank(query, gallery, method, **SMALL[method])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sg.rerank(query, gallery, method, **SMALL[method]), plain)


@pytest.mark.parametrize("method", sorted(set(SMALL) - {"k_reciprocal", "ecn"}))
def test_cosine_methods_need_unit_rows(method):
    query, gallery = points(16, 4, 9)
    with pytest.raises(ValueError, match=r"query: expected rows of length 1.*normalize=True"):
        sg.rerank(query, gallery, method, **SMALL[method], normalize=False)
    np.testing.assert_allclose(
        sg.rerank(unit(query), unit(gallery), method, **SMALL[method], normalize=False),
        sg.rerank(query, gallery, method, **SMALL[method]),
        rtol=1e-6,
    )


@pytest.mark.parametrize("method", ["k_reciprocal", "ecn"])
def test_rank_methods_take_features_as_they_are(method):
    query, gallery = points(17, 5, 9)
    found = sg.rerank(query, gallery, method, **SMALL[method], normalize=False)
    np.testing.assert_allclose(found, peer(method, query, gallery, **SMALL[method]), rtol=1e-9)


# --- Real features ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(shared):
    with np.load(shared / "features" / "mfeat_fou2kar_cca.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    ("method", "params", "mean_ap", "rank_1"),
    [
        # What the peers' own code gives.
        ("k_reciprocal", {}, 71.93, 73.20),
        ("ecn", {}, 73.50, 75.60),
        ("aim", {"k1": 20, "k2": 6}, 70.20, 75.20),
        ("aim", {"k1": 4, "k2": 1}, 63.50, 72.80),
    ],
)
def test_figures_of_the_peers_own_code(real, method, params, mean_ap, rank_1):
    d = sg.rerank(real["query_feat"], real["gallery_feat"], method, **params)
    found = sg.evaluate(d, real["query_pid"], real["gallery_pid"], protocol="plain")
    assert 100 * found.mAP == pytest.approx(mean_ap, abs=0.1)
    assert 100 * float(found.cmc[0]) == pytest.approx(rank_1, abs=0.1)


@EVERY_PEER
def test_defaults_are_the_published_ones_on_real_features(real, method):
    query, gallery = (real[name][::4].astype("f8") for name in ("query_feat", "gallery_feat"))
    params = {"n": 40} if method in ("lbr", "alpha_qe") else {}
    found = sg.rerank(query, gallery, method, **params)
    expected = peer(method, unit(query), unit(gallery), **DEFAULTS[method] | params)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
