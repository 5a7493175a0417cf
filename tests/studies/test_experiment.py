"""Experiments: measured once, read the next time, measured again when their inputs differ."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest

import simgraph
from simgraph.config import load_config
from simgraph.features import Features
from simgraph.studies import StudyConfig, experiment, run_study
from simgraph.studies.experiment import Experiment, code_hash, run_experiment
from simgraph.studies.measurement import QueryBatches
from tests.test_architecture import MODULES, import_graph

PARAMS = {"k": 4, "num_paths": 3}
PACKAGE = Path(simgraph.__file__).parent
LEGACY = Path(__file__).parents[1] / "legacy"


@pytest.fixture
def counted(monkeypatch):
    """How often something was measured."""
    calls = []
    measure = experiment.measure
    monkeypatch.setattr(experiment, "measure", lambda *a: (calls.append(a[2:]), measure(*a))[1])
    return calls


def test_an_experiment_is_measured_once(trial, tmp_path, counted):
    first = run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    again = run_experiment(Experiment(trial, "sgr", PARAMS, "k", 4, 2), tmp_path, fresh=False)
    assert len(counted) == 1 and len(list(tmp_path.iterdir())) == 1
    assert again.measurement == first.measurement
    assert (again.parameter, again.parameter_value, again.repeat) == ("k", 4, 2)


def test_other_inputs_make_another_experiment(trial, tmp_path, counted, monkeypatch):
    f = trial.whole
    query = f.query.clone()
    query[0, 0] += 1e-6
    moved = Features(query, f.gallery, f.query_pids, f.gallery_pids)
    named = Features(f.query, f.gallery, f.query_pids, f.gallery_pids.roll(1))
    market = trial.config.model_copy(
        update={"dataset": trial.config.dataset.model_copy(update={"protocol": "regdb"})}
    )
    others = [
        Experiment(trial, "sgr", PARAMS),
        Experiment(trial, "sgr", PARAMS | {"k": 5}),
        Experiment(trial, "mnnr", {"k": 4, "k_query": 4, "k_gallery": 4}),
        Experiment(replace(trial, whole=moved), "sgr", PARAMS),
        Experiment(replace(trial, whole=named), "sgr", PARAMS),
        Experiment(replace(trial, config=market), "sgr", PARAMS),
    ]
    for other in others:
        run_experiment(other, tmp_path, fresh=False)
    assert len(counted) == len(others)
    monkeypatch.setattr(experiment, "_code", lambda: "edited")
    run_experiment(others[0], tmp_path, fresh=False)
    assert len(counted) == len(others) + 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: text.replace('"features"', '"feature"', 1),
        lambda text: json.dumps({**json.loads(text), "measurement": {"scores": {}}}),
        lambda text: text.replace('"k": 4', '"k": 7', 1),
    ],
    ids=["empty", "cut off", "another thing", "other key", "no scores", "other settings"],
)
def test_a_damaged_file_is_measured_again_with_a_warning(trial, tmp_path, counted, caplog, damage):
    planned = Experiment(trial, "sgr", PARAMS)
    first = run_experiment(planned, tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    file.write_text(damage(whole))
    with caplog.at_level(logging.WARNING, logger="simgraph"):
        again = run_experiment(planned, tmp_path, fresh=False)
    assert f"{file}: damaged, measured again" in caplog.text
    assert len(counted) == 2 and again.measurement.scores == first.measurement.scores
    assert run_experiment(planned, tmp_path, fresh=False).measurement == again.measurement


def test_bytes_that_are_no_text_are_damage_too(trial, tmp_path, counted, caplog):
    run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff\xfe\x00")
    run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    assert len(counted) == 2 and "damaged" in caplog.text


def change_a_score(text):
    content = json.loads(text)
    scores = content["measurement"]["scores"]
    scores[next(iter(scores))] += 0.01
    return json.dumps(content)


@pytest.mark.parametrize(
    "damage", [change_a_score, lambda text: "[" * 100_000], ids=["changed digit", "nested"]
)
def test_a_changed_or_nested_file_is_measured_again(trial, tmp_path, counted, caplog, damage):
    first = run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    file.write_text(damage(file.read_text()))
    again = run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    assert len(counted) == 2 and "damaged, measured again" in caplog.text
    assert again.measurement.scores == first.measurement.scores


def test_a_folder_in_the_place_of_a_file_does_not_end_the_study(trial, tmp_path, counted, caplog):
    run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()
    again = run_experiment(Experiment(trial, "sgr", PARAMS), tmp_path, fresh=False)
    assert again.measurement and len(counted) == 2
    assert f"{file}: no file" in caplog.text


def test_a_refusal_is_reported_and_not_stored(trial, tmp_path, caplog):
    refused = run_experiment(Experiment(trial, "sgr", {"k": 99}, "k", 99), tmp_path, fresh=False)
    assert refused.measurement is None
    assert "k = 99 must be less than num_gallery = 30" in refused.refusal
    assert "small, trial 1: sgr, k = 99: left out" in caplog.text
    assert not list(tmp_path.iterdir())


def test_the_format_of_a_file_stays(trial, tmp_path):
    in_batches = Experiment(trial, "baseline", {}, batches=QueryBatches(4, 12))
    run_experiment(in_batches, tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    key = json.loads(file.read_text())["key"]
    assert list(key) == [
        "format", "code", "features", "protocol", "method", "params", "asked", "timed_on",
    ]  # fmt: skip
    assert (key["format"], key["asked"]) == (3, {"together": 4, "scored": 12})


@pytest.fixture
def sources(tmp_path):
    """A copy of the library's sources that may be edited."""
    wanted = shutil.ignore_patterns("__pycache__", "vendor")
    return Path(shutil.copytree(PACKAGE, tmp_path / "simgraph", ignore=wanted))


@pytest.mark.parametrize(
    "file",
    ["kernels/reference.py", "sim/fusion.py", "rerankers/ecn.py", "distances.py", "evaluation.py"],
)
def test_an_edited_method_is_measured_again(sources, file):
    assert code_hash(sources) == code_hash(PACKAGE)
    with (sources / file).open("a") as stream:
        stream.write("# edited\n")
    assert code_hash(sources) != code_hash(PACKAGE)


def test_an_edited_report_or_study_is_not_measured_again(sources):
    others = [*sources.glob("*/explorer/assets/*"), *sources.glob("search/*.py")]
    for package in ("reports", "studies", "training", "visualization", "cli", "datasets"):
        others += sources.glob(f"{package}/*.py")
    assert {"html.py", "report.py", "experiment.py", "trainer.py"} <= {f.name for f in others}
    for file in [*others, sources / "results.py", sources / "config.py"]:
        if file.is_file():
            file.write_text("# edited")
    assert code_hash(sources) == code_hash(PACKAGE)


def test_the_hash_covers_all_code_that_a_score_depends_on():
    graph = import_graph()
    for_configs = {"simgraph.rerankers.settings", "simgraph.rerankers.signatures"}
    roots = [m for m in MODULES if m.startswith(("simgraph.rerankers", "simgraph.evaluation"))]
    roots = [m for m in roots if m not in for_configs]
    used = set(roots).union(*(nx.descendants(graph, m) for m in roots if m in graph))
    hashed = {file for pattern in experiment._SOURCES for file in PACKAGE.glob(pattern)}
    # Checks of parameters, old names, and files of ranked lists.
    without_scores = {"_params.py", "_deprecation.py", "_files.py"}
    missing = {str(MODULES[m].relative_to(PACKAGE)) for m in used if MODULES[m] not in hashed}
    assert missing <= without_scores


def test_experiments_of_the_version_before_are_read(tmp_path, monkeypatch, counted):
    shutil.copytree(LEGACY, tmp_path / "legacy")
    monkeypatch.chdir(tmp_path / "legacy")
    files = sorted(Path("study/cells").iterdir())
    results = run_study("ablation", load_config("study.yaml", StudyConfig))
    assert counted == [] and len(results.experiments) == 4
    assert sorted(Path("study/cells").iterdir()) == files
    before = json.loads((LEGACY / "study/results.json").read_text())
    now = json.loads(Path("study/results.json").read_text())
    assert [r["scores"] for r in now["records"]] == [r["scores"] for r in before["records"]]


@pytest.mark.parametrize(
    ("method", "before", "variant"),
    [
        ("sim", "sim", {"variant": "paper"}),
        ("sgr_authors", "sgr", {"variant": "authors"}),
        ("ecn", "ecn", {}),
    ],
)
def test_the_version_before_had_an_argument_for_the_authors_methods(method, before, variant):
    key = {"code": "now", "method": method, "params": {"k": 4}, "protocol": "plain"}
    (earlier,) = experiment._earlier_keys(key)
    code = experiment._EQUAL_CODE[0]
    assert earlier == {**key, "code": code, "method": before, "params": {"k": 4, **variant}}


def test_what_auto_chose_by_an_earlier_rule_is_measured_again():
    key = {"code": "now", "method": "sim", "params": {"k": "auto"}, "protocol": "plain"}
    assert list(experiment._earlier_keys(key)) == []


def test_times_of_the_version_before_are_measured_again(trial, tmp_path, monkeypatch):
    calls = []
    once = experiment.measure(trial.whole, "plain", "baseline", {})
    for name in ("measure", "measure_fresh"):
        monkeypatch.setattr(experiment, name, lambda *_, name=name: (calls.append(name), once)[1])
    for code in (experiment._EQUAL_CODE[0], "of this version"):
        monkeypatch.setattr(experiment, "_code", lambda code=code: code)
        for fresh in (False, True):
            run_experiment(Experiment(trial, "baseline", {}), tmp_path, fresh)
    assert calls == ["measure", "measure_fresh", "measure_fresh"]
