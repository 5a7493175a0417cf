"""The page of a test run: scores and all that is needed to read them, the same each time."""

import re
import sys

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.config import Config, DatasetConfig, SIMConfig
from simgraph.datasets.synthetic_marker import NOTE, is_synthetic, write_note
from simgraph.evaluation import evaluate
from simgraph.features import Features, save_features
from simgraph.pipeline import run_test
from simgraph.reports.score_page import write_report
from simgraph.results import caption
from simgraph.visualization.plots import draw_cmc, draw_training, save_figure

LOG = "epoch,loss,lr,seconds,baseline_mAP,baseline_rank1,sim_mAP,sim_rank1\n1,5.5,0.1,9,,,,\n" \
      "2,4.25,0.1,9,0.25,0.5,0.375,0.5\n"  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    rng = np.random.default_rng(0)
    pid = np.repeat(np.arange(6), 5)
    query, gallery = rng.normal(size=(2, 30, 8)).astype("f4")
    file = tmp_path_factory.mktemp("features") / "f.npz"
    save_features(Features(query, gallery, pid, pid), file)
    return run_test(Config(features=str(file), sim=SIMConfig(k=4, num_paths=3, k_query=4,
                                                             k_gallery=4)))  # fmt: skip


def words(file):
    page = file.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)  # nothing to fetch
    return page


def test_the_curve_is_the_mean_of_the_trials(results):
    features = sg.load_features(results["config"]["features"])
    d = sg.rerank(features.query, features.gallery, "baseline")
    expected = evaluate(d, features.query_pids, features.gallery_pids, protocol="plain")
    np.testing.assert_allclose(results["cmc"]["baseline"], expected.cmc[:20])
    for method, row in results["methods"].items():
        curve = results["cmc"][method]
        assert [curve[r - 1] for r in (1, 5, 10, 20)] == [row[f"rank{r}"] for r in (1, 5, 10, 20)]


def test_the_page_says_how_to_read_its_scores(results, tmp_path):
    write_report(results, tmp_path / "report.html")
    page = words(tmp_path / "report.html")
    for part in (
        f"{100 * results['methods']['sim']['mAP']:.2f}", caption(results), "L2-normalized",
        "transductive (look at other queries): none", "protocol plain", "k_query: 4",
        str(torch.__version__),
        results["versions"]["revision"],
    ):  # fmt: skip
        assert part in page, part
    assert page.count("<img") == 1  # CMC; there was no training
    assert "ynthetic" not in page
    assert "Trials" not in page


def test_trials_have_their_deviation_and_their_own_rows(results, tmp_path):
    row = dict.fromkeys(results["methods"]["sim"], 0.5)
    two = results | {
        "trials": 2,
        "std": dict.fromkeys(results["methods"], row),
        "per_trial": {m: [rows[0], row] for m, rows in results["per_trial"].items()},
    }
    write_report(two, tmp_path / "report.html")
    page = words(tmp_path / "report.html")
    assert "± 50.00" in page
    assert "mean ± standard deviation over the trials" in page
    assert page.count('<td class="number">2</td>') == len(results["methods"])


@pytest.mark.parametrize("trials", [0, 1, 10])
def test_training_curves_come_from_the_runs_log(results, tmp_path, trials):
    folders = [tmp_path / f"trial_{t}" for t in range(1, trials + 1)] or [tmp_path]
    for folder in folders:
        folder.mkdir(exist_ok=True)
        (folder / "log.csv").write_text(LOG)
    for place in (tmp_path, folders[0] / "best.safetensors"):
        config = results["config"] | {"checkpoint": str(place)}
        write_report(results | {"config": config}, tmp_path / "report.html")
        page = words(tmp_path / "report.html")
        assert page.count("<img") == 2
        assert ("10 runs" in page) == (trials == 10 and place == tmp_path)


def test_a_run_without_an_evaluation_yet_has_a_curve_too():
    log = [{"epoch": "1", "loss": "5.5", "sim_mAP": "", "baseline_mAP": ""}]
    loss, scores = draw_training([log]).axes
    assert loss.lines[0].get_ydata().tolist() == [5.5]
    assert not scores.lines


def test_synthetic_sets_are_called_so_everywhere(results, tmp_path):
    assert not is_synthetic(tmp_path) and not is_synthetic(None)
    write_note(tmp_path, "Synthetic, drawn by a test.", {"seed": 0})
    assert is_synthetic(tmp_path) and "no score" in (tmp_path / NOTE).read_text()
    dataset = DatasetConfig(root=str(tmp_path))
    made_up = run_test(Config(features=results["config"]["features"], dataset=dataset,
                              methods=("baseline",), sim=SIMConfig(k=4)))  # fmt: skip
    assert made_up["synthetic"] and not results["synthetic"]
    assert caption(made_up).startswith("SYNTHETIC")
    write_report(made_up, tmp_path / "report.html")
    page = words(tmp_path / "report.html")
    assert "<title>Synthetic set" in page
    assert "was drawn by a program" in page


def test_the_same_scores_make_the_same_page(results, tmp_path):
    for name in ("one", "two"):
        write_report(results, tmp_path / f"{name}.html")
        save_figure(draw_cmc(results["cmc"]), tmp_path / f"{name}.svg")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert b"<dc:date>" not in (tmp_path / "one.svg").read_bytes()


def test_without_matplotlib_there_is_a_page_without_curves(results, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "simgraph.visualization.plots")
    write_report(results, tmp_path / "report.html")
    assert "<img" not in words(tmp_path / "report.html")
    assert "simgraph[viz]" in caplog.text
