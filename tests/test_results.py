"""Results of a test run: table, caption, and files; scoring itself is in test_pipeline.py."""

import json

import pytest
import torch

from simgraph.config import Config, DatasetConfig
from simgraph.evaluation import evaluate
from simgraph.results import COLUMNS, caption, markdown, summarize, table, write_results


def metrics(seed):
    d = torch.rand(20, 30, generator=torch.Generator().manual_seed(seed))
    return evaluate(d, torch.arange(20) % 5, torch.arange(30) % 5)


def summary(trials=2, methods=("baseline", "ecn"), **settings):
    scores = {m: [metrics(len(m) + t) for t in range(trials)] for m in methods}
    return summarize(scores, [(20, 30)] * trials, "plain", Config(features="f.npz", **settings))


def test_a_mean_and_a_deviation_are_over_trials():
    found = summary()
    first, second = (metrics(8 + t).mAP for t in range(2))
    assert found["methods"]["baseline"]["mAP"] == pytest.approx((first + second) / 2)
    assert found["std"]["baseline"]["mAP"] == pytest.approx(abs(first - second) / 2)
    assert [row["mAP"] for row in found["per_trial"]["baseline"]] == [first, second]
    assert found["transductive"] == ["ecn"]


def test_a_table_has_deviations_only_for_several_trials():
    one, two = table(summary(trials=1)), table(summary(trials=2))
    assert one[0] == two[0] == ["method", "rank-1", "rank-5", "rank-10", "rank-20", "mAP", "mINP"]
    assert [row[0] for row in one] == ["method", "baseline", "ecn"]
    assert all("±" not in cell for cell in one[1])
    assert all("±" in cell for cell in two[1][1:])


def test_numbers_are_aligned_to_the_right_in_markdown():
    assert markdown([["method", "mAP"], ["sim", "73.62"]]) == (
        "| method | mAP |\n| --- | ---: |\n| sim | 73.62 |"
    )


def test_a_caption_says_how_to_read_the_table():
    dataset = DatasetConfig(name="sysu_mm01", root="none", mode="indoor", shots=1)
    found = caption(summary(dataset=dataset, normalize=False, methods=("baseline", "ecn")))
    assert found.startswith("sysu_mm01 indoor 1-shot: 20 queries (20 scored), 30 gallery images, ")
    assert "2 trials, protocol plain, features not L2-normalized, " in found
    assert "ecn (k=25, t=3, q=8)" in found and "lam=" not in found


def test_the_files_hold_the_same_scores(tmp_path):
    found = summary()
    write_results(found, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "results.json").read_text()) == found
    text = (tmp_path / "new" / "table.md").read_text()
    assert text == f"{caption(found)}\n\n{markdown(table(found))}\n"
    assert set(found["methods"]["ecn"]) == set(COLUMNS)
