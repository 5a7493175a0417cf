"""One measurement, in this process and in a separate one."""

import os
import sys

import numpy as np
import pytest

import simgraph as sg
from simgraph.features import Features
from simgraph.studies import measurement
from simgraph.studies.measurement import QueryBatches, measure, measure_fresh

PARAMS = {"k": 4, "num_paths": 3, "k_query": 4, "k_gallery": 4}


def test_scores_are_those_of_a_call_by_hand(features):
    got = measure(features, "plain", "sim", PARAMS)
    d = sg.rerank(features.query, features.gallery, "sim", **PARAMS)
    wanted = sg.evaluate(d, features.query_pids, features.gallery_pids, protocol="plain")
    assert got.scores["mAP"] == wanted.mAP and got.scores["mINP"] == wanted.mINP
    assert got.scores["rank5"] == wanted.rank(5)
    assert got.average_precision == wanted.average_precision.tolist()
    assert got.scored == 30 and got.seconds > 0 and got.peak_mib is None


def test_queries_without_a_match_have_no_precision(features):
    pid = features.query_pids.clone()
    pid[3] = 99
    got = measure(
        Features(features.query, features.gallery, pid, features.gallery_pids),
        "plain", "baseline", {},
    )  # fmt: skip
    assert got.average_precision[3] is None and got.scored == 29
    assert got.scores["mAP"] == pytest.approx(
        np.mean([ap for ap in got.average_precision if ap is not None])
    )


@pytest.mark.parametrize("method", ["sim", "ecn"])
@pytest.mark.parametrize(("together", "scored"), [(1, 7), (4, 12), (12, 12), (30, 7)])
def test_queries_asked_in_several_calls(features, method, together, scored):
    params = PARAMS if method == "sim" else {"k": 4, "q": 3, "t": 2}
    drawn = features.select(np.arange(30)[::-1].copy()[: max(together, scored)], np.arange(30))
    got = measure(drawn, "plain", method, params, QueryBatches(together, scored))
    rows = []
    for first in range(0, len(drawn.query), together):
        few = drawn.query[first : first + together]
        rows += list(sg.rerank(few, drawn.gallery, method, **params))
    wanted = [
        sg.evaluate(row[None], pid[None], drawn.gallery_pids, protocol="plain").mAP
        for row, pid in zip(rows[:scored], drawn.query_pids, strict=False)
    ]
    assert got.average_precision == pytest.approx(wanted) and len(wanted) == scored


@pytest.mark.parametrize("run", [measure, measure_fresh])
def test_what_auto_chose_is_reported(features, run):
    choice = sg.auto.choose(features.query, features.gallery)
    wanted = {name: getattr(choice, name) for name in ("k", "num_paths", "k_query", "k_gallery")}
    assert run(features, "plain", "sim", {"k": "auto"}).chosen == wanted
    del wanted["k_query"], wanted["k_gallery"]
    assert run(features, "plain", "sgr", {"k": "auto"}).chosen == wanted
    follow = {"k": 5, "num_paths": "auto", "k_query": "auto", "k_gallery": "auto"}
    numbers = {"k": 5, "num_paths": 3, "k_query": 5, "k_gallery": 5}
    assert run(features, "plain", "sim", follow).chosen == numbers
    assert run(features, "plain", "sim", PARAMS).chosen == {}


def test_a_process_of_its_own_gives_the_same_scores(features):
    fresh, here = (f(features, "plain", "sim", PARAMS) for f in (measure_fresh, measure))
    assert fresh.scores == pytest.approx(here.scores)
    assert fresh.average_precision == pytest.approx(here.average_precision)


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_the_peak_counts_the_call_and_not_the_libraries():
    rng = np.random.default_rng(0)
    pid = np.arange(2000)
    few = Features(*rng.normal(size=(2, 2000, 8)).astype("f4"), pid, pid)
    got = measure_fresh(few, "plain", "baseline", {})
    matrix = 2000 * 2000 * 4 / 2**20  # 15.3 MiB; torch alone is some 200
    assert 0.9 * matrix < got.peak_mib < 8 * matrix


def test_a_refusal_comes_back_in_its_own_words(features):
    with pytest.raises(ValueError, match="k = 30 must be less than num_gallery = 30"):
        measure_fresh(features, "plain", "sgr", {"k": 30})


def end(*_):
    os._exit(9)


def test_a_process_that_ends_without_an_answer_is_reported(features, monkeypatch):
    monkeypatch.setattr(measurement, "_answer", end)
    with pytest.raises(ValueError, match="exit code 9 before its answer"):
        measure_fresh(features, "plain", "baseline", {})
