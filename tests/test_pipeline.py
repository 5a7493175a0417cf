"""The pipeline from feature files to results.json."""

import json
import logging

import numpy as np
import pytest
import scipy.io

import simgraph as sg
from simgraph.config import Config, DatasetConfig, SIMConfig, parse_config
from simgraph.features import Features, save_features
from simgraph.pipeline import run_test
from simgraph.results import caption, markdown, table, write_results
from simgraph.sim.neighborhood_agreement import neighborhood_agreement
from simgraph.synthetic import features as synthetic

COLUMNS = ["rank1", "rank5", "rank10", "rank20", "mAP", "mINP"]
SMALL = SIMConfig(k=4, num_paths=3, k_query=4, k_gallery=4)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Six identities with five images per side, infrared far off: SIM has something to correct."""
    rng = np.random.default_rng(0)
    pid = np.repeat(np.arange(6), 5)
    center = rng.normal(size=(6, 16))
    gallery = center[pid] + 0.4 * rng.normal(size=(30, 16))
    query = center[pid] + 2.0 * rng.normal(size=(30, 16)) + rng.normal(size=16)
    file = tmp_path_factory.mktemp("small") / "small.npz"
    save_features(Features(query.astype("f4"), gallery.astype("f4"), pid, pid), file)
    return file


@pytest.fixture(scope="module")
def sysu(tmp_path_factory):
    root = tmp_path_factory.mktemp("sysu")
    synthetic.write_sysu_mm01(root, dim=64)
    return root


def test_results_have_every_method_and_column_and_equal_a_call_by_hand(small):
    results = run_test(Config(features=str(small), sim=SMALL))
    assert list(results["methods"]) == ["baseline", "sgr", "mnnr", "sim"]
    assert all(list(row) == COLUMNS for row in results["methods"].values())
    f = sg.load_features(small)
    d = sg.rerank(f.query, f.gallery, "sim", k=4, num_paths=3, k_query=4, k_gallery=4)
    expected = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain")
    assert results["methods"]["sim"]["mAP"] == expected.mAP
    assert results["methods"]["sim"]["rank5"] == float(expected.cmc[4])
    assert results["trials"] == 1


def test_settings_reach_the_methods(small):
    base = run_test(Config(features=str(small), sim=SMALL, methods=("baseline", "sim")))
    alone = SMALL.model_copy(update={"alpha": 1.0, "num_paths": 1, "lam": 0.0, "k": 4})
    other = run_test(Config(features=str(small), sim=alone, methods=("baseline", "sim")))
    raw = run_test(Config(features=str(small), normalize=False, methods=("baseline",)))
    assert base["methods"]["baseline"] == other["methods"]["baseline"]
    assert base["methods"]["sim"] != other["methods"]["sim"]
    assert base["methods"]["baseline"] != raw["methods"]["baseline"]


def test_a_trial_is_a_line_for_those_who_watch(small, caplog):
    config = Config(features=str(small), sim=SMALL, methods=("baseline", "sim"))
    with caplog.at_level(logging.INFO, logger="simgraph.pipeline"):
        run_test(config)
        assert not caplog.records
        found = run_test(config, track=lambda steps, total, words="": steps)["methods"]
    base, sim = (100 * found[name]["mAP"] for name in ("baseline", "sim"))
    assert caplog.messages == [f"trial 1/1 mAP: baseline {base:.2f}, sim {sim:.2f}"]


def test_other_methods_take_their_own_parameters_and_captions_name_the_transductive_ones(small):
    config = parse_config(
        {
            "features": str(small),
            "methods": ["baseline", "k_reciprocal", "aim"],
            "params": {"k_reciprocal": {"k1": 7}, "aim": {"k1": 5, "k2": 3}},
        }
    )
    results = run_test(config)
    f = sg.load_features(small)
    d = sg.rerank(f.query, f.gallery, "k_reciprocal", k1=7)
    expected = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain")
    assert results["methods"]["k_reciprocal"]["mAP"] == expected.mAP
    assert results["transductive"] == ["k_reciprocal"]
    said = caption(results)
    assert "k_reciprocal (k1=7, k2=6, lam=0.3), aim (k1=5, k2=3)" in said
    assert said.endswith("transductive (look at other queries): k_reciprocal")
    assert "num_paths" not in said  # no method of SIM is in the table
    alone = run_test(config.model_copy(update={"methods": ("baseline", "aim")}))
    assert caption(alone).endswith("transductive (look at other queries): none")


def test_the_authors_methods_take_the_settings_under_sim(small):
    names = ("baseline", "sgr_authors", "mnnr_authors", "sim_authors")
    results = run_test(Config(features=str(small), sim=SMALL, methods=names))
    f = sg.load_features(small)
    d = sg.rerank(f.query, f.gallery, "sim_authors", k=4, num_paths=3, k_query=4, k_gallery=4)
    expected = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain")
    assert list(results["methods"]) == list(names)
    assert results["methods"]["sim_authors"]["mAP"] == expected.mAP
    assert results["transductive"] == []
    assert "num_paths=3" in caption(results)
    old = {"features": str(small), "sim": {**SMALL.model_dump(), "variant": "authors"}}
    with pytest.warns(DeprecationWarning, match="sim_authors"):
        config = parse_config(old)
    assert run_test(config)["methods"] == results["methods"]


@pytest.mark.parametrize(
    ("methods", "sim", "message"),
    [
        (("sim_authors",), {"k": "auto"}, "'auto': expected numbers"),
        (("sgr_authors",), {"k": 4, "num_paths": 5}, "num_paths = 5 must be at most k = 4"),
        (("mnnr_authors",), {"k_query": 30}, "k_query = 30 must be less than num_gallery = 30"),
    ],
)
def test_what_the_authors_methods_refuse_is_refused_before_the_work(
    small, methods, sim, message, monkeypatch
):
    monkeypatch.setattr("simgraph.pipeline.rerank", lambda *a, **k: pytest.fail("work began"))
    with pytest.raises(ValueError, match=message):
        run_test(Config(features=str(small), sim=SIMConfig(**sim), methods=methods))


def test_auto_is_resolved_once_per_trial(small, monkeypatch):
    calls = []

    def counted(*args):
        calls.append(args)
        return neighborhood_agreement(*args)

    monkeypatch.setattr("simgraph.sim.auto.neighborhood_agreement", counted)
    results = run_test(Config(features=str(small), sim=SIMConfig(k="auto")))
    assert len(calls) == 1 and len(results["chosen"]) == 1


def test_official_trials_of_the_synthetic_set(sysu):
    config = Config(
        features=str(sysu / "features.npz"), methods=("baseline", "sim"),
        dataset=DatasetConfig(name="sysu_mm01", root=str(sysu), mode="indoor", shots=10, trials=2),
    )  # fmt: skip
    steps = []
    results = run_test(config, lambda loop, total, words="": (steps.append(total), loop)[1])
    assert steps == [4]
    assert (results["queries"], results["gallery"], results["trials"]) == (3803, 1120, 2)
    assert results["protocol"] == "sysu_mm01"
    maps = [trial["mAP"] for trial in results["per_trial"]["sim"]]
    assert results["methods"]["sim"]["mAP"] == pytest.approx(np.mean(maps))
    assert results["std"]["sim"]["mAP"] == pytest.approx(np.std(maps))
    assert maps[0] != maps[1]
    assert results["methods"]["sim"]["mAP"] > results["methods"]["baseline"]["mAP"]


def test_a_thin_gallery_is_warned_of(small, caplog):
    with caplog.at_level(logging.WARNING, logger="simgraph"):
        run_test(Config(features=str(small), methods=("baseline",)))
        assert not caplog.records
        run_test(Config(features=str(small), methods=("sgr",)))
    assert len(caplog.records) == 1
    assert "5 images per identity (median), so k = 20" in caplog.text
    assert "k_gallery of 3 and num_paths of 2" in caplog.text


@pytest.mark.parametrize(
    ("sim", "message"),
    [
        (SIMConfig(k=30), "k = 30 must be less than num_gallery = 30"),
        (SIMConfig(k=4), r"num_paths = 9 must be at most k \+ 1 = 5"),
        (SIMConfig(k=10), "k_gallery = 20 must be at most k = 10"),
        (SIMConfig(k_query=31), "k_query = 31 must be at most num_gallery = 30"),
    ],
)
def test_parameters_are_checked_before_any_method_runs(small, sim, message, monkeypatch):
    monkeypatch.setattr("simgraph.pipeline.rerank", lambda *a, **k: pytest.fail("work began"))
    with pytest.raises(ValueError, match=message):
        run_test(Config(features=str(small), sim=sim))


def test_table_and_files(small, tmp_path):
    results = run_test(Config(features=str(small), sim=SMALL, methods=("baseline", "sim")))
    rows = table(results)
    assert rows[0] == ["method", "rank-1", "rank-5", "rank-10", "rank-20", "mAP", "mINP"]
    assert rows[2][5] == f"{100 * results['methods']['sim']['mAP']:.2f}"
    write_results(results, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    assert markdown(rows) in (tmp_path / "out" / "table.md").read_text()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["results.json", "table.md"]


def test_real_features_give_the_known_figures(shared):
    file = shared / "features" / "mfeat_fou2kar_cca.npz"
    methods = run_test(Config(features=str(file)))["methods"]
    got = {m: (100 * methods[m]["mAP"], 100 * methods[m]["rank1"]) for m in ("baseline", "sim")}
    assert got["baseline"] == pytest.approx((61.96, 74.00), abs=0.005)
    assert got["sim"] == pytest.approx((73.62, 76.00), abs=0.005)


def write_camera_files(features, prefix):
    """The official form: for each camera a cell array with one cell of rows per identity."""
    known = set(features.gallery_pids.tolist())
    for cam in range(1, 7):
        side = "query" if cam in (3, 6) else "gallery"
        x, pid, cams = (getattr(features, f"{side}{end}").numpy() for end in ("", "_pids", "_cams"))
        cells = np.empty((1, 533), dtype=object)
        for identity in range(1, 534):
            # Identities outside the test set have features too, in real files.
            others = np.ones((0 if identity in known else 2, x.shape[1]))
            rows = x[(pid == identity) & (cams == cam)]
            cells[0, identity - 1] = rows if len(rows) else others
        scipy.io.savemat(f"{prefix}_cam{cam}.mat", {"feature": cells})


def test_official_camera_files_give_the_figures_of_the_npz(sysu, tmp_path):
    write_camera_files(sg.load_features(sysu / "features.npz"), tmp_path / "feats")
    dataset = DatasetConfig(name="sysu_mm01", root=str(sysu), shots=1, trials=2)
    ways = (str(sysu / "features.npz"), str(tmp_path / "feats"))
    npz, mat = (
        run_test(Config(features=way, methods=("baseline",), dataset=dataset)) for way in ways
    )
    assert npz["gallery"] == mat["gallery"] == 301
    assert npz["per_trial"] == mat["per_trial"]


def test_cameras_are_asked_for_before_any_ranking(small, monkeypatch):
    monkeypatch.setattr("simgraph.pipeline.rerank", lambda *a, **k: pytest.fail("work began"))
    config = Config(features=str(small), sim=SMALL, dataset=DatasetConfig(protocol="market"))
    with pytest.raises(ValueError, match="'market' needs query_cams"):
        run_test(config)
