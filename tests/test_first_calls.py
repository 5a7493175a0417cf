"""What a newcomer types first works, and what goes wrong says once, in plain words, what to do."""

import types

import numpy as np
import pytest

import simgraph as sg


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(6), 5)
    gallery = rng.normal(size=(6, 8))[pids] + 0.3 * rng.normal(size=(30, 8))
    return gallery + rng.normal(size=(30, 8)), gallery, pids


def test_distances_are_scored_with_identities_alone(features):
    query, gallery, pids = features
    metrics = sg.evaluate(sg.rerank(query, gallery, "baseline"), pids, pids)
    assert 0 < metrics.mAP < 1


@pytest.mark.parametrize("method", ["baseline", "sgr", "mnnr", "sim"])
def test_given_distances_are_reranked_by_the_name_of_the_method(features, method):
    query, gallery, _ = features
    d_qg, d_gg = (np.linalg.norm(x[:, None] - gallery, axis=2) for x in (query, gallery))
    params = {"k": 4, "num_paths": 3, "k_query": 4, "k_gallery": 4}
    own = {k: v for k, v in params.items() if k in sg.rerankers.parameters(method)}
    found = sg.rerank_distances(d_qg, d_gg, method, **own)
    expected = sg.rerank(query, gallery, method, normalize=False, **own)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    if method == "sim":
        np.testing.assert_array_equal(found, sg.sim_distance(d_qg, d_gg, **params))


def test_explain_is_a_function_and_shadows_no_module():
    assert isinstance(sg.explain, types.FunctionType)
    with pytest.raises(ModuleNotFoundError):
        __import__("simgraph.explain")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"query_ids": 0, "gallery_ids": 1}, "query_pids"),
        ({"query_ids": 0, "gallery_ids": 1}, "gallery_pids"),
    ],
)
def test_old_keywords_of_evaluate_warn_and_work(features, old, new):
    query, gallery, pids = features
    d = sg.rerank(query, gallery, "baseline")
    with pytest.warns(DeprecationWarning, match=new):
        found = sg.evaluate(d, **dict.fromkeys(old, pids))
    assert found.mAP == sg.evaluate(d, pids, pids).mAP


def test_old_keywords_of_graphs_features_and_the_index_warn_and_work(features):
    query, gallery, pids = features
    with pytest.warns(DeprecationWarning, match="query_pids"):
        graph = sg.similarity_graph(query, gallery, k=4, query_ids=pids)
    assert graph["query"].y.tolist() == pids.tolist()
    with pytest.warns(DeprecationWarning, match="query_pids"):
        labeled = sg.Features(query, gallery, query_pid=pids)
    with pytest.warns(DeprecationWarning, match="query_pids"):
        assert labeled.query_pid is labeled.query_pids
    index = sg.SIMIndex(k=4, num_paths=3, k_query=4, k_gallery=4).fit(gallery)
    with pytest.warns(DeprecationWarning, match="top_k"):
        old = index.search(query, top=3)
    np.testing.assert_array_equal(old[1], index.search(query, top_k=3)[1])
    with pytest.warns(DeprecationWarning, match="num_probes"):
        assert sg.SIMIndex(probes=2).num_probes == 2


def test_both_names_of_an_argument_are_refused(features):
    query, gallery, pids = features
    d = sg.rerank(query, gallery, "baseline")
    with pytest.raises(TypeError, match="gallery_ids"):
        sg.evaluate(d, pids, gallery_pids=pids, gallery_ids=pids)
