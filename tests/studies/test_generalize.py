"""Scores are means over the trials of a test set."""

import numpy as np

from simgraph.config import DatasetConfig
from simgraph.studies import StudyConfig, run_study
from simgraph.synthetic import features as synthetic
from tests.studies.outputs import report_of


def test_trials_of_a_dataset_are_averaged(tmp_path):
    synthetic.write_sysu_mm01(tmp_path, dim=64)
    dataset = DatasetConfig(name="sysu_mm01", root=str(tmp_path), mode="indoor", shots=1, trials=2)
    settings = StudyConfig(
        features=(str(tmp_path / "features.npz"),), dataset=dataset, methods=("alpha_qe",),
        output=str(tmp_path / "out"),
    )  # fmt: skip
    results = run_study("generalize", settings)
    maps = [r.measurement.scores["mAP"] for r in results.experiments if r.method == "alpha_qe"]
    assert len(maps) == 2 and maps[0] != maps[1]
    assert len({r.query_fingerprint for r in results.experiments}) == 1
    report = report_of(settings)
    assert f"{100 * np.mean(maps):.2f} ± {100 * np.std(maps):.2f}" in report
    assert "SYNTHETIC, made up, in the form of sysu_mm01 indoor 1-shot, 3803 queries" in report
    assert "112 gallery images of " in report
    assert "protocol sysu_mm01, 2 trials" in report
