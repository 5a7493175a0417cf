"""`simgraph study tune` from settings to sim.yaml, and a test run that uses it."""

import json

import pytest
import yaml

from simgraph.cli import main as simgraph
from simgraph.config import load_config, load_configs
from simgraph.features import save_features
from simgraph.results import sim_origin
from simgraph.studies.tuning_run import parse_grid, run_tuning
from simgraph.studies.tuning_settings import TuneConfig
from tests.studies.test_tuning import many


@pytest.fixture
def files(tmp_path):
    for seed, name in enumerate(("validation", "test")):
        save_features(many(seed), tmp_path / f"{name}.npz")
    return tmp_path


def settings(files, **more):
    own = {"features": str(files / "validation.npz"), "output": str(files / "out")}
    return TuneConfig(**own | {"resamples": 200} | more)


def test_the_study_writes_what_a_test_run_uses_and_reports(files):
    run_tuning(settings(files))
    out = files / "out"
    section = yaml.safe_load((out / "sim.yaml").read_text())
    assert list(section) == ["sim"] and section["sim"]["k"] > 0
    test = ["--features", files / "test.npz", "--output", files / "scores", "--methods", "sim"]
    simgraph(["test", "--config", "features", "--config", str(out / "sim.yaml"), *map(str, test)])
    results = json.loads((files / "scores" / "results.json").read_text())
    origin = results["sim_origin"]
    assert origin.startswith("tuned on validation.npz (SHA-256 ")
    assert "12 identities, 60 queries" in origin
    assert results["config"]["sim"]["k"] == section["sim"]["k"]
    assert results["chosen"] == [] and results["transductive"] == []
    for file in ("table.md", "report.html"):
        assert "parameters of SIM: tuned on validation.npz" in (files / "scores" / file).read_text()


def test_the_choice_and_the_report_hold_every_candidate(files):
    result = run_tuning(settings(files))
    values = json.loads((files / "out" / "tuning.json").read_text())
    assert [c["mAP"] for c in values["candidates"]] == [c.mAP for c in result.candidates]
    assert values["tuned_on"]["name"] == "validation.npz"
    report = (files / "out" / "report.md").read_text()
    for candidate in result.candidates:
        assert f"{100 * candidate.mAP:.2f}" in report
    # The case of k and K and of SHA-256 has a meaning.
    assert f"Chosen: k={result.sim.k}, num_paths" in report
    assert "were tuned on validation.npz (SHA-256 " in report
    assert (files / "out" / "report.html").is_file()
    before = {f: f.read_bytes() for f in (files / "out").glob("*.*")}
    run_tuning(settings(files))
    assert all(f.read_bytes() == content for f, content in before.items())  # nothing has a date


def test_another_method_writes_its_own_section(files):
    own = {"method": "k_reciprocal", "grid": ("k1=4,6", "k2=2"), "search": "grid"}
    result = run_tuning(settings(files, **own))
    section = yaml.safe_load((files / "out" / "params.yaml").read_text())
    if result.keeps_baseline:
        assert section == {"methods": ["baseline"]}
    else:
        assert section == {"params": {"k_reciprocal": result.params}}
    load_config(files / "out" / "params.yaml")


def test_the_command_refuses_the_test_file_and_measures_nothing(files, capsys):
    own = str(files / "validation.npz")
    with pytest.raises(SystemExit, match=r"error: tune: validation\.npz is the test file"):
        simgraph(["study", "tune", "--features", own, "--test", own, "--output", str(files / "o")])
    assert not (files / "o" / "cells").exists()


def test_the_command_says_what_it_chose(files, capsys):
    own = ["--features", str(files / "validation.npz"), "--output", str(files / "o")]
    simgraph(["study", "tune", *own, "--grid", "k=2,4", "--resamples", "200"])
    printed = capsys.readouterr()
    assert "95% interval over identities" in printed.out and "sim.yaml" in printed.err


def test_lines_of_a_grid():
    assert parse_grid(()) is None
    assert parse_grid(("k=4,8,4", "lam=0,1e-3")) == {"k": [4, 8], "lam": [0, 0.001]}
    for lines in (("k",), ("k=",), ("=1",), ("k=1,,2",), ("k=1", "k=2")):
        with pytest.raises(ValueError, match="grid: expected PARAMETER=VALUE"):
            parse_grid(lines)


def test_the_origin_of_parameters(tmp_path):
    def of(text):
        (tmp_path / "c.yaml").write_text(text)
        return sim_origin(load_config(tmp_path / "c.yaml"))

    assert of("") == "published defaults"
    assert of("sim: {k: 8}") == "given by hand"
    assert of("sim: {k: auto}") == "auto, without labels"
    assert of("sim: {k: 8, origin: from a paper}") == "from a paper"


def test_parameters_changed_after_tuning_are_not_called_tuned(files):
    run_tuning(settings(files))
    sim = str(files / "out" / "sim.yaml")
    tuned = load_config(sim)
    (files / "more.yaml").write_text("sim: {alpha: 0.9}")
    changed = load_configs([sim, files / "more.yaml"])
    assert (changed.sim.k, changed.sim.alpha) == (tuned.sim.k, 0.9)
    assert sim_origin(changed).startswith("given by hand; k=")


def test_later_configs_override_only_the_keys_that_they_have(tmp_path):
    (tmp_path / "a.yaml").write_text("sim: {k: 5, lam: 0.5}\nmethods: [sim]\nnormalize: false\n")
    (tmp_path / "b.yaml").write_text("sim: {k: 7}\nmethods: [baseline]\n")
    both = load_configs([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert (both.sim.k, both.sim.lam, both.normalize) == (7, 0.5, False)
    assert both.methods == ("baseline",)
    (tmp_path / "bad.yaml").write_text("sim: {kk: 7}\n")
    with pytest.raises(ValueError, match=r"bad\.yaml: unknown key 'sim.kk'"):
        load_configs([tmp_path / "a.yaml", tmp_path / "bad.yaml"])
