"""Tuning against a loop over the grid, and what it refuses."""

import math

import numpy as np
import pytest

import simgraph as sg
from simgraph.features import Features
from simgraph.studies import experiment
from tests.studies.conftest import make_features


def many(seed=0, identities=12, images=5):
    """Identities whose gallery images are near each other, and queries across a gap."""
    rng = np.random.default_rng(seed)
    pid = np.repeat(np.arange(identities), images)
    center = rng.normal(size=(identities, 16))
    gallery = center[pid] + 0.6 * rng.normal(size=(len(pid), 16))
    query = center[pid] + 1.6 * rng.normal(size=(len(pid), 16)) + rng.normal(size=16)
    return Features(query.astype("f4"), gallery.astype("f4"), pid, pid)


def tuned(f, **settings):
    labels = (f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams)
    return sg.tune(f.query, f.gallery, *labels, **{"resamples": 300} | settings)


def loop_map(f, k, **more):
    """MAP of one k with the family written out."""
    if k == 0:
        d = sg.rerank(f.query, f.gallery, "baseline")
    else:
        own = {"k": k, "num_paths": max(1, round((k + 1) / 2)), "k_query": k, "k_gallery": k}
        d = sg.rerank(f.query, f.gallery, "sim", **own | more)
    return sg.evaluate(d, f.query_pids, f.gallery_pids).mAP


@pytest.mark.parametrize("seed", range(3))
def test_the_table_and_the_best_k_are_those_of_a_loop_over_the_grid(seed):
    f = many(seed)
    result = tuned(f)
    ks = [c.params.get("k", 0) for c in result.candidates]
    assert ks == [0, 1, 2, 3, 4, 6, 8]  # up to twice the five images per identity, in steps of √2
    scores = [loop_map(f, k) for k in ks]
    assert [c.mAP for c in result.candidates] == pytest.approx(scores, abs=1e-12)
    chosen = ks.index(result.sim.k)
    assert result.gain.mean == pytest.approx(scores[chosen] - scores[0])
    # The rule: a gain beyond chance, and no more than the noise below the best.
    assert result.sim.k > 0 and result.gain.low > 0
    assert scores[chosen] >= max(scores) - 0.03
    assert f"k={result.sim.k}, num_paths={result.sim.num_paths}" in result.reason


def test_k_0_is_the_ranking_of_the_baseline():
    f = many()
    none = sg.rerank(f.query, f.gallery, "sim", k=0, num_paths=1, k_query=1, k_gallery=0)
    baseline = sg.rerank(f.query, f.gallery, "baseline")
    assert (none.argsort(stable=True) == baseline.argsort(stable=True)).all()


def test_the_baseline_stays_where_neighbors_are_of_other_identities():
    f = many(images=1, identities=30)
    result = tuned(f)
    assert result.keeps_baseline and result.sim.k == 0 and result.params == {}
    assert "baseline's ranking stays" in result.reason
    assert [c.params.get("k", 0) for c in result.candidates] == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 4])
def test_few_queries_show_nothing(count):
    f = many()
    some = f.select(np.arange(count), np.arange(len(f.gallery)))
    result = tuned(some)
    assert result.keeps_baseline and f"{count} queries are too few" in result.reason


def test_few_identities_are_judged_by_queries():
    assert tuned(many(identities=5)).unit == "queries"
    assert tuned(many(identities=6)).unit == "identities"


def test_one_identity_and_one_gallery_image_leave_the_baseline():
    one = many(identities=1, images=8)
    assert tuned(one).keeps_baseline
    single = one.select(np.arange(8), np.arange(1))
    result = tuned(single)
    assert result.keeps_baseline and len(result.candidates) == 1


def test_equal_images_and_ties_change_nothing():
    f = many()
    same = Features(f.query * 0 + 1, f.gallery * 0 + 1, f.query_pids, f.gallery_pids)
    assert tuned(same).keeps_baseline


def test_a_k_at_the_limit_is_measured_and_one_beyond_it_is_left_out_with_its_error():
    f = make_features()
    result = tuned(f, grid={"k": [29, 30]})
    assert [c.params.get("k") for c in result.candidates] == [None, 29, 30]
    assert result.candidates[1].mAP == pytest.approx(loop_map(f, 29))
    assert "k = 30 must be less than num_gallery = 30" in result.candidates[2].refusal
    assert math.isnan(result.candidates[2].mAP) and result.to_dict()["candidates"][2]["mAP"] is None


def test_thinning_draws_the_gallery_and_averages_the_draws():
    f = many()
    result = tuned(f, images_per_identity=2, draws=3)
    assert (result.draws, result.gallery, result.images_per_identity) == (3, 24, 2)
    from simgraph.studies.perturbations import images_per_identity

    draws = [images_per_identity(f, 2, (0, draw)) for draw in range(3)]
    for c in result.candidates:
        k = c.params.get("k", 0)
        assert c.mAP == pytest.approx(np.mean([loop_map(draw, k) for draw in draws]))
    assert tuned(f, images_per_identity=5).draws == 1  # nothing to thin


def test_refinement_varies_one_parameter_and_keeps_it_without_a_gain_beyond_chance():
    f = many()
    result = tuned(f, grid={"k": [4]}, refine=("alpha", "lam", "num_paths"))
    stages = {c.stage for c in result.candidates}
    assert stages == {"grid", "alpha", "lam", "num_paths"}
    for c in result.candidates:
        if c.stage == "alpha":
            assert c.mAP == pytest.approx(loop_map(f, 4, alpha=c.params.get("alpha", 0.3)))
    changed = {n: v for n, v in result.params.items() if n in ("alpha", "lam")}
    for name in changed:
        first = next(c for c in result.candidates if c.stage == name)
        final = [
            c for c in result.candidates if c.stage == name and c.params[name] == changed[name]
        ]
        assert final[0].gain.low > 0 and final[0].mAP > first.mAP


def test_halving_scores_fewer_candidates_on_all_queries_and_never_drops_the_baseline():
    f = many(identities=16)
    result = tuned(f, search="halving")
    final = [c for c in result.candidates if c.stage == "grid"]
    whole = {c.params.get("k", 0): c.mAP for c in tuned(f).candidates}
    assert final[0].params == {} and len(final) == 1 + 2  # 6 → 3 → 2 besides the baseline
    assert [c.mAP for c in final] == pytest.approx([whole[c.params.get("k", 0)] for c in final])
    assert [c.queries for c in result.candidates] == [20] * 7 + [40] * 4 + [80] * 3


def test_another_method_is_tuned_on_a_grid_of_its_own():
    f = many()
    result = tuned(f, method="k_reciprocal", grid={"k1": [4, 6], "k2": [1, 2]})
    assert result.sim is None and len(result.candidates) == 5
    for c in result.candidates[1:]:
        d = sg.rerank(f.query, f.gallery, "k_reciprocal", **c.params)
        assert c.mAP == pytest.approx(sg.evaluate(d, f.query_pids, f.gallery_pids).mAP)


def test_cameras_and_protocol_are_those_of_evaluate():
    f = many()
    cams = np.arange(60) % 5
    f = Features(f.query, f.gallery, f.query_pids, f.gallery_pids, cams, cams)
    result = tuned(f, protocol="market")
    d = sg.rerank(f.query, f.gallery, "baseline")
    expected = sg.evaluate(d, f.query_pids, f.gallery_pids, cams, cams, protocol="market").mAP
    assert result.candidates[0].mAP == pytest.approx(expected)


def test_queries_without_a_match_have_no_part():
    f = many()
    pids = f.query_pids.clone()
    pids[:7] = 99
    odd = Features(f.query, f.gallery, pids, f.gallery_pids)
    result = tuned(odd)
    assert result.queries == 53
    assert result.candidates[0].mAP == pytest.approx(loop_map(odd, 0))


def test_the_second_call_measures_nothing_again(tmp_path, monkeypatch):
    f, calls = many(), []
    measure = experiment.measure
    monkeypatch.setattr(experiment, "measure", lambda *a: (calls.append(a), measure(*a))[1])
    first = tuned(f, cells=tmp_path, grid={"k": [1, 2]})
    assert len(calls) == 3
    again = tuned(f, cells=tmp_path, grid={"k": [1, 2, 4]})
    assert len(calls) == 4
    assert again.candidates[1].mAP == first.candidates[1].mAP


def test_an_interrupted_tuning_continues_to_the_same_result(tmp_path, monkeypatch):
    f, calls = many(), []
    measure = experiment.measure

    def stop_at_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(experiment, "measure", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        tuned(f, cells=tmp_path)
    result = tuned(f, cells=tmp_path)
    assert len(calls) == 3 + 5
    assert result.to_dict() == tuned(f).to_dict()
