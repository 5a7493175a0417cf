"""Every study from settings to report, interrupted and gone on with, and the tool on top."""

import csv
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import simgraph as sg
from simgraph.config import DatasetConfig
from simgraph.features import Features, load_features, save_features
from simgraph.studies import STUDIES, StudyConfig, experiment, run, run_study
from simgraph.studies.settings import RobustnessConfig, SweepConfig
from simgraph.synthetic import features as synthetic

TOOL = Path(__file__).parents[2] / "tools" / "study.py"
FOLDER = DatasetConfig(name="folder", root="images")
METHODS_OF_SIM = ("baseline", "sgr", "mnnr", "sim")


def rows_of(settings):
    with (Path(settings.output) / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def report_of(settings):
    return (Path(settings.output) / "report.md").read_text(encoding="utf-8")


def tables(report):
    """Header cells and row count of each Markdown table."""
    lines = report.splitlines()
    return [
        [cell.strip() for cell in head.strip("|").split("|")]
        for head, rule in pairwise(lines)
        if head.startswith("|") and re.fullmatch(r"[|: -]+", rule)
    ]


@pytest.fixture
def count(monkeypatch):
    """Method and parameters of every measurement."""
    calls = []
    measure = experiment.measure
    monkeypatch.setattr(experiment, "measure", lambda *a: (calls.append(a[2:4]), measure(*a))[1])
    return calls


def test_ablation_has_the_figures_of_calls_by_hand(settings, files):
    run_study("ablation", settings)
    got = {
        (row["dataset"], row["method"], row["metric"]): float(row["figure"])
        for row in rows_of(settings)
    }
    assert len(got) == 2 * 4 * 7  # two files, four methods, six scores and the time
    for name, file in zip(("one", "two"), files, strict=True):
        f = load_features(file)
        d = sg.rerank(f.query, f.gallery, "sim", **SMALL_PARAMS)
        wanted = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain")
        assert got[name, "sim", "mAP"] == wanted.mAP
        assert f"{100 * wanted.mAP:.2f}" in report_of(settings)
    held = json.loads((Path(settings.output) / "results.json").read_text())
    assert [r["scores"]["mAP"] for r in held["records"] if r["method"] == "sim"] == [
        got["one", "sim", "mAP"], got["two", "sim", "mAP"],
    ]  # fmt: skip
    assert held["sets"]["one"]["shots"] == [5, 5] and held["versions"]["torch"]


SMALL_PARAMS = {"k": 4, "num_paths": 3, "k_query": 4, "k_gallery": 4}


@pytest.mark.parametrize("study", STUDIES)
def test_every_report_is_whole_and_says_what_its_figures_are_of(study, settings, monkeypatch):
    # Processes of their own are tested with the measurements; here they would only take time.
    monkeypatch.setattr(experiment, "measure_fresh", experiment.measure)
    settings = settings.model_copy(
        update={
            "methods": ("sim",) if study == "robustness" else (*METHODS_OF_SIM, "ecn"),
            "sweep": SweepConfig(vary=("lam=0,0.5", "ecn.k=3,4")),
            "robustness": RobustnessConfig(images=(4,), noise=(), queries=(9,), repeats=1),
            "params": settings.params.model_validate({"ecn": {"k": 4, "q": 3, "t": 2}}),
        }
    )
    outcome = run_study(study, settings)
    folder, report = Path(settings.output), report_of(settings)
    assert all(r.measurement is not None for r in outcome.records)
    page = (folder / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", report)
    assert pictures and page.count('<img src="data:image/svg+xml;base64,') == len(pictures)
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
        assert (folder / picture).with_suffix(".svg").is_file()
    scored = [head for head in tables(report) if "mAP" in head or "Δ mAP" in head]
    measured = [head for head in scored if "standing" not in head]
    assert measured and all("transductive" in head for head in measured)
    captions = re.findall(r"^(?:one|two): features, .*$", report, re.MULTILINE)
    for caption in [*captions, *re.findall(r"!\[(.*?)\]\(", report)]:
        assert "30 gallery images of 6 identities (5 an identity)" in caption
        assert "protocol plain" in caption and "features L2-normalised" in caption
    assert captions and ("| ecn | yes |" in report) == (study != "robustness")
    assert ("39.90" in report) == (study == "ablation")


def test_published_figures_stand_apart_and_are_marked(settings):
    run_study("ablation", settings)
    before, section = report_of(settings).split("## Published figures, not measured here")
    assert not re.search(r"39\.90|53\.93|60\.88|56\.93", before)
    assert section.count("published, not measured") == 4
    assert not any(row["figure"].startswith(("0.6088", "0.399")) for row in rows_of(settings))


def test_a_stopped_study_goes_on_where_it_was(settings, count, monkeypatch):
    whole = settings.model_copy(update={"output": settings.output + "_whole"})
    run_study("ablation", whole)
    del count[:]

    def stop(steps, total, words):
        for number, step in enumerate(steps):
            if words.startswith("two") and number == 2:
                raise KeyboardInterrupt
            yield step

    with pytest.raises(KeyboardInterrupt):
        run_study("ablation", settings, stop)
    assert len(count) == 6
    assert sorted(p.suffix for p in Path(settings.output).rglob("*.*")) == [".json"] * 6
    run_study("ablation", settings)
    assert len(count) == 8
    timeless = [
        [row for row in rows_of(s) if row["metric"] != "seconds"] for s in (settings, whole)
    ]
    assert timeless[0] == timeless[1]


def test_a_trial_that_cannot_be_read_stops_a_study_and_keeps_what_was_measured(
    settings, count, monkeypatch
):
    trials = run.input_trials

    def broken(dataset, *rest):
        yield from trials(dataset, *rest)
        if dataset == "two":
            raise ValueError("two_trial_2.npz: damaged")

    monkeypatch.setattr(run, "input_trials", broken)
    with pytest.raises(ValueError, match=r"two_trial_2\.npz: damaged"):
        run_study("ablation", settings)
    assert len(count) == 8 and not (Path(settings.output) / "report.md").exists()
    monkeypatch.undo()
    run_study("ablation", settings)
    assert len(count) == 8 and "two" in report_of(settings)


def test_changed_settings_measure_only_what_they_change(settings, count):
    run_study("ablation", settings)
    assert len(count) == 8
    sim = settings.sim.model_copy(update={"alpha": 0.5})
    run_study("ablation", settings.model_copy(update={"sim": sim}))
    assert [method for method, _ in count[8:]] == ["mnnr", "sim"] * 2
    run_study("ablation", settings.model_copy(update={"sim": sim, "metrics": ("rank20",)}))
    assert len(count) == 12


def test_changed_features_are_measured_again(settings, files, count):
    run_study("ablation", settings)
    f = load_features(files[0])
    save_features(Features(f.query, 2 * f.gallery + 1, f.query_pids, f.gallery_pids), files[0])
    run_study("ablation", settings)
    assert len(count) == 8 + 4


def test_a_sweep_shares_cells_and_draws_the_raw_distances(settings, count):
    vary = SweepConfig(vary=("lam=0,0.01,1", "alpha=0,0.3,1"))
    settings = settings.model_copy(update={"sweep": vary, "features": settings.features[:1]})
    outcome = run_study("sweep", settings)
    # The raw distances, SIM as set (λ = 0.01 and α = 0.3 are that again), and four others.
    assert len(count) == 6 and len(outcome.records) == 2 + 6
    swept = {
        (row["parameter"], row["value"]): float(row["figure"])
        for row in rows_of(settings)
        if row["metric"] == "mAP" and row["parameter"]
    }
    assert swept["lam", "0.01"] == swept["alpha", "0.3"]
    assert len(set(swept.values())) > 2
    f = load_features(settings.features[0])
    d = sg.rerank(f.query, f.gallery, "sgr", k=4, num_paths=3)
    assert swept["alpha", "1"] == pytest.approx(
        sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP
    )


def test_values_that_a_method_refuses_are_left_out_and_told(settings):
    settings = settings.model_copy(update={"sweep": SweepConfig(vary=("num_paths=2,99",))})
    run_study("sweep", settings)
    report = report_of(settings)
    assert "| one | sim | num_paths = 99 | num_paths = 99 must be at most k + 1 = 5" in report
    assert re.search(r"\| sim \| no \| 99 \| — \| — \| — \|", report)
    assert {row["value"] for row in rows_of(settings) if row["parameter"]} == {"2"}


def test_robustness_measures_the_whole_set_too_and_draws_alike_for_all(settings):
    axes = RobustnessConfig(images=(2, 50), distractors=(0.0,), noise=(), queries=(9,), repeats=2)
    settings = settings.model_copy(
        update={"robustness": axes, "features": settings.features[:1], "methods": ("sgr",)}
    )
    outcome = run_study("robustness", settings)
    values = {(r.parameter, r.value) for r in outcome.records}
    assert values == {
        ("images", 2), ("images", 5), ("distractors", 0.0), ("queries", 9), ("queries", 30),
    }  # fmt: skip
    f = load_features(settings.features[0])
    d = sg.rerank(f.query, f.gallery, "sgr", k=4, num_paths=3)
    wanted = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP
    whole = [r for r in outcome.records if (r.value, r.method) == (5, "sgr")]
    assert [r.measurement.scores["mAP"] for r in whole] == [wanted] * 2
    fewer = [r for r in outcome.records if r.value == 9]
    by_draw = {r.repeat: {o.queries for o in fewer if o.repeat == r.repeat} for r in fewer}
    assert [len(queries) for queries in by_draw.values()] == [1, 1]
    assert by_draw[0] != by_draw[1]


def test_only_transductive_methods_feel_how_many_queries_are_asked_together(settings):
    axes = RobustnessConfig(images=(), distractors=(), noise=(), queries=(1, 4, 12), repeats=2)
    settings = settings.model_copy(
        update={
            "robustness": axes,
            "features": settings.features[:1],
            "methods": ("sim", "ecn", "sim:k=auto"),
            "params": settings.params.model_validate({"ecn": {"k": 4, "q": 3, "t": 2}}),
        }
    )
    outcome = run_study("robustness", settings)
    queries = [r for r in outcome.records if r.parameter == "queries"]
    assert {r.value for r in queries} == {1, 4, 12, 30}
    assert {r.measurement.scored for r in queries} == {12}
    answers = {
        (method, repeat): len({tuple(r.measurement.average_precision) for r in queries
                               if (r.method, r.repeat) == (method, repeat)})
        for method in outcome.methods for repeat in (0, 1)
    }  # fmt: skip
    assert all(answers[method, n] == 1 for method in ("baseline", "sim") for n in (0, 1))
    assert all(answers[method, n] > 1 for method in ("ecn", "sim:k=auto") for n in (0, 1))
    assert outcome.transductive == {"ecn", "sim:k=auto"}
    report = report_of(settings)
    assert len(set(re.findall(r"^\| sim \| no \| \d+ (.*)", report, re.MULTILINE))) == 1
    assert len(set(re.findall(r"^\| sim:k=auto \| yes \| \d+ (.*)", report, re.MULTILINE))) > 1


def test_a_gain_is_of_the_same_draw(settings):
    axes = RobustnessConfig(images=(2,), distractors=(), noise=(), queries=(), repeats=3)
    one = {"features": settings.features[:1], "methods": ("alpha_qe:n=3",), "robustness": axes}
    outcome = run_study("robustness", settings.model_copy(update=one))
    raw, ours = (
        [r.measurement.scores["mAP"] for r in outcome.records
         if (r.method, r.parameter, r.value) == (method, "images", 2)]
        for method in ("baseline", "alpha_qe:n=3")
    )  # fmt: skip
    gains = 100 * (np.array(ours) - raw)
    assert np.ptp(gains) > 0
    assert f"| {gains.mean():+.2f} ± {gains.std():.2f} |" in report_of(settings)


def test_a_method_with_parameters_of_its_own_stands_beside_itself(settings, count):
    both = settings.model_copy(update={"methods": ("sim", "sim:alpha=0.5,k_query=3", "sim:k=auto")})
    outcome = run_study("ablation", both)
    assert outcome.methods == ["baseline", *both.methods]
    assert len(count) == 2 * 4
    f = load_features(settings.features[0])
    d = sg.rerank(f.query, f.gallery, "sim", **SMALL_PARAMS | {"alpha": 0.5, "k_query": 3})
    wanted = sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP
    (held,) = outcome.of("one", "sim:alpha=0.5,k_query=3")
    assert held.measurement.scores["mAP"] == wanted
    report = report_of(settings)
    assert "| sim:alpha=0.5,k_query=3 | no | " in report and "| sim:k=auto | yes | " in report
    (by_auto,) = outcome.of("one", "sim:k=auto")
    chosen = ", ".join(f"{name}={number}" for name, number in by_auto.measurement.chosen.items())
    assert f"| one | sim:k=auto | as set | {chosen} |" in report
    # The same parameters by another way are the same cell.
    sim = settings.sim.model_copy(update={"k": "auto"})
    run_study("ablation", settings.model_copy(update={"sim": sim, "methods": ("sim",)}))
    assert len(count) == 2 * 4
    assert "| sim | yes | " in report_of(settings)


def test_trials_of_a_dataset_are_averaged(tmp_path):
    synthetic.write_sysu_mm01(tmp_path, dim=64)
    dataset = DatasetConfig(name="sysu_mm01", root=str(tmp_path), mode="indoor", shots=1, trials=2)
    settings = StudyConfig(
        features=(str(tmp_path / "features.npz"),), dataset=dataset, methods=("alpha_qe",),
        output=str(tmp_path / "out"),
    )  # fmt: skip
    outcome = run_study("generalise", settings)
    maps = [r.measurement.scores["mAP"] for r in outcome.records if r.method == "alpha_qe"]
    assert len(maps) == 2 and maps[0] != maps[1]
    assert len({r.queries for r in outcome.records}) == 1
    report = report_of(settings)
    assert f"{100 * np.mean(maps):.2f} ± {100 * np.std(maps):.2f}" in report
    assert "SYNTHETIC, made up, in the form of sysu_mm01 indoor 1-shot, 3803 queries" in report
    assert "112 gallery images of " in report
    assert "protocol sysu_mm01, 2 trials" in report


@pytest.mark.parametrize(
    ("update", "error", "words"),
    [
        ({"features": ("none.npz",)}, FileNotFoundError, "none.npz"),
        (
            {"checkpoints": ("none",), "dataset": FOLDER},
            FileNotFoundError,
            "images: no such folder",
        ),
        ({"configs": ("none.yaml",)}, FileNotFoundError, "none.yaml"),
        ({"output": "/dev/null/here"}, ValueError, "expected a folder that can be written to"),
        ({"sweep": SweepConfig(vary=())}, ValueError, "at least once, got none"),
        ({"features": ()}, ValueError, "expected --features"),
        ({"sweep": SweepConfig(vary=("lamb=1",))}, ValueError, "expected parameters of"),
    ],
)
def test_bad_settings_are_told_before_work(settings, update, error, words, count):
    with pytest.raises(error, match=words):
        run_study("sweep", settings.model_copy(update=update))
    assert not count


def test_a_missing_file_is_told_before_the_others_are_measured(settings, count):
    features = (*settings.features, "none.npz")
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        run_study("ablation", settings.model_copy(update={"features": features}))
    assert not count


def test_a_sweep_of_which_all_values_are_refused_has_a_report_without_a_figure(settings):
    vary = SweepConfig(vary=("num_paths=99", "lam=7"))
    run_study("sweep", settings.model_copy(update={"sweep": vary}))
    report = report_of(settings)
    assert "| one | sim | num_paths = 99 | num_paths = 99 must be" in report
    assert "![" not in report
    vary = SweepConfig(vary=("num_paths=99", "lam=0,1"))
    run_study("sweep", settings.model_copy(update={"sweep": vary}))
    assert report_of(settings).count("![Metrics over λ on features") == 2


def test_a_study_in_which_nothing_can_be_measured_fails(settings, monkeypatch):
    def refuse(*_):
        raise ValueError("not on these features")

    monkeypatch.setattr(experiment, "measure", refuse)
    with pytest.raises(ValueError, match="nothing could be measured: not on these features"):
        run_study("ablation", settings)
    assert not (Path(settings.output) / "results.csv").exists()


def test_real_features_give_the_documented_figures(shared, tmp_path):
    file = shared / "features" / "mfeat_fou2kar_cca.npz"
    settings = StudyConfig(features=(str(file),), output=str(tmp_path))
    run_study("ablation", settings)
    assert "| sim | no | 76.00 | 73.62 | 44.09 |" in report_of(settings)


def run_tool(*arguments):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_tool_compares_methods_with_time_and_memory(files, tmp_path):
    done = run_tool(
        "compare", "--features", files[0], "--methods", "alpha_qe", "--compare.against",
        "baseline", "--params.alpha_qe.n", "3", "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert re.search(
        r"\| alpha_qe \| no \|.*\[[-+][\d.]+, [-+][\d.]+\]\*? \| \d+\.\d{3} \|", report
    )
    assert "n=3, alpha=3.0" in report
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open(newline="")))
    if sys.platform == "linux":
        assert {"seconds", "peak_mib"} < {row["metric"] for row in rows}


def test_the_tool_says_what_is_wrong_in_a_line(tmp_path):
    done = run_tool("ablation", "--features", "no.npz", "--output", tmp_path)
    assert done.returncode != 0 and "error: no.npz" in done.stderr
    assert "Traceback" not in done.stderr
