"""The labels and scores of a page are those of the trial."""

import pytest

import simgraph as sg
from simgraph.config import SIMConfig
from simgraph.features import Features
from simgraph.visualization.explorer.data import MAX_NEIGHBORS, page_data
from simgraph.visualization.trial_view import trial_view_of_features
from tests.browser.explorer_views import points
from tests.sim.galleries import gallery_of

SMALL = SIMConfig(k=8, num_paths=4, k_query=7, k_gallery=7)


def about_of(view, sim=SMALL, max_bytes=10**7):
    return page_data(view, sim, True, max_bytes).about


def test_scores_are_those_of_every_method():
    view = points(protocol="sysu_mm01")
    about, f = about_of(view), view.features
    labels = f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams
    d = sg.rerank(f.query, f.gallery, "sim", **SMALL.model_dump(exclude={"origin"}))
    expected = sg.evaluate(d, *labels, protocol="sysu_mm01")
    assert about["scores"]["sim"] == {"rank1": expected.rank(1), "mAP": expected.mAP}
    assert about["first_rank"]["sim"] == expected.first_rank.tolist()
    assert set(about["scores"]) == {"baseline", "sgr", "mnnr", "sim"}


def test_identities_and_cameras_are_those_of_the_rows():
    view = points(protocol="sysu_mm01")
    about, f = about_of(view), view.features
    for side in ("query", "gallery"):
        codes, names = about[side]["identities"], about["identity_names"]
        assert [names[code] for code in codes] == [
            str(p) for p in getattr(f, f"{side}_pids").tolist()
        ]
        assert about[side]["cameras"] == getattr(f, f"{side}_cams").tolist()
        assert about[side]["names"] is None  # numbered rows need no names
    assert about["excluded"] == "same_location" and len(about["query"]["locations"]) == 24


@pytest.mark.parametrize(("protocol", "junk"), [("market", 0), ("llcm", None)])
def test_junk_identities_are_named_where_the_protocol_removes_them(protocol, junk):
    f = points().features
    pids = f.gallery_pids.clone()
    pids[3] = -1
    labels = f.query_pids, pids, f.query_cams, f.gallery_cams
    about = about_of(trial_view_of_features(Features(f.query, f.gallery, *labels), protocol))
    assert about["junk"] == junk and about["identity_names"][0] == "-1"


def test_without_identities_there_are_no_scores():
    f = points().features
    about = about_of(trial_view_of_features(Features(f.query, f.gallery)))
    assert about["scores"] is None and about["first_rank"] is None
    assert about["query"]["identities"] is None and about["excluded"] == "nothing"


@pytest.mark.parametrize(("k", "carried"), [(8, MAX_NEIGHBORS), (50, 50)])
def test_a_page_carries_neighbors_for_larger_k(k, carried):
    about = about_of(points(), SMALL.model_copy(update={"k": k}))
    assert about["k_max"] == carried and about["parameters"]["k"] == k


def test_parameters_on_auto_become_numbers():
    query, gallery, qid, pid = gallery_of(images=5, identities=12, noise=0.3)
    view = trial_view_of_features(Features(query, gallery, qid, pid))
    auto = SIMConfig(k="auto", num_paths="auto", k_query="auto", k_gallery="auto")
    chosen = sg.auto.choose(query, gallery)
    assert chosen.k > 1
    parameters = about_of(view, auto)["parameters"]
    for name in ("k", "num_paths", "k_query", "k_gallery"):
        assert parameters[name] == getattr(chosen, name)
