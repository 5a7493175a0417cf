"""Settings of studies, and what a sweep makes of them."""

from pathlib import Path

import pytest

from simgraph.config import from_command_line, load_config, parse_config
from simgraph.rerankers import METHODS
from simgraph.studies import StudyConfig
from simgraph.studies.inputs import inputs
from simgraph.studies.plan import chosen_methods, variation

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("study_*.yaml")), ids=lambda f: f.name)
def test_every_shipped_config_is_valid(file):
    config = load_config(file, StudyConfig)
    for text in config.sweep.vary:
        variation(text, chosen_methods(config, ("sim",)))
    assert all((CONFIGS.parent / path).is_file() for path in config.configs)


def test_a_line_of_a_sweep():
    label, having, values = variation("k=4,8,4,auto", ("baseline", "sgr", "mnnr"))
    assert (label, having) == ("k", {"sgr": ["k"], "mnnr": ["k"]})
    assert values == [4, 8, "auto"]
    _, having, _ = variation("sim.lam=0,1", ("sim", "sim:lam=0.5", "k_reciprocal"))
    assert having == {"sim": ["lam"], "sim:lam=0.5": ["lam"]}
    label, having, values = variation("k_reciprocal.k1=5", ("sim", "k_reciprocal"))
    assert (label, having, values) == ("k_reciprocal.k1", {"k_reciprocal": ["k1"]}, [5])
    _, having, values = variation("k+k_gallery=4", ("sgr", "mnnr", "sim"))
    assert having == {"mnnr": ["k", "k_gallery"], "sim": ["k", "k_gallery"]}
    assert variation("expand=true,false", ("sim",))[2] == [True, False]
    assert [type(v) for v in variation("lam=0,1e-3", ("sim",))[2]] == [int, float]


@pytest.mark.parametrize("text", ["lam", "lam=", "=1", "lam=1,,2", "lamb=1", "k_reciprocal.k1=3"])
def test_lines_that_make_no_sweep(text):
    with pytest.raises(ValueError, match=r"sweep\.vary: expected"):
        variation(text, ("baseline", "sim"))


def test_the_raw_distances_are_always_there():
    assert chosen_methods(StudyConfig(), ("sim",)) == ("baseline", "sim")
    assert chosen_methods(StudyConfig(methods=("gnn", "baseline")), ()) == ("baseline", "gnn")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"methods": ["simm"]}, "methods: expected each once, of baseline, sgr"),
        ({"methods": ["sim", "sim"]}, "each once"),
        ({"methods": ["sim:kk=3"]}, "methods: expected sim:PARAMETER=VALUE,… with parameters of k"),
        ({"methods": ["sim:k"]}, "methods: expected sim:PARAMETER"),
        ({"methods": ["sim:"]}, "methods: expected sim:PARAMETER"),
        ({"methods": ["sim:k=3,"]}, "methods: expected sim:PARAMETER"),
        ({"metrics": ["map"]}, "metrics: expected each once, of rank1"),
        ({"compare": {"resample": 9}}, "unknown key 'compare.resample'; did you mean"),
        ({"compare": {"against": ["simm"]}}, "compare.against: expected each once, of baseline"),
        ({"robustness": {"images": [0]}}, "robustness.images.0: expected"),
        ({"robustness": {"distractors": [1.5]}}, "robustness.distractors.0: expected"),
        ({"params": {"k_reciprocal": {"k3": 1}}}, "unknown key 'params.k_reciprocal.k3'"),
    ],
)
def test_bad_settings_are_told(values, words):
    with pytest.raises(ValueError, match=words):
        parse_config(values, "study.yaml", StudyConfig)


def test_the_command_line_overrides_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text("methods: [sim]\nsweep: {vary: ['lam=0,1']}\nsim: {k: 5}\n")
    config = from_command_line(
        "",
        ["--config", str(tmp_path / "a.yaml"), "--features", "a.npz", "b.npz",
         "--sweep.vary", "k=4,8", "alpha=0,1", "--params.k_reciprocal.k1", "7"],
        StudyConfig,
    )  # fmt: skip
    assert config.features == ("a.npz", "b.npz")
    assert config.sweep.vary == ("k=4,8", "alpha=0,1")
    assert (config.methods, config.sim.k, config.params.k_reciprocal.k1) == (("sim",), 5, 7)


def test_inputs_have_short_names_that_tell_them_apart(tmp_path):
    (tmp_path / "mine.yaml").write_text("features: x.npz\nsim: {k: 7}\n")
    config = StudyConfig(
        features=("runs/a/feats.npz", "runs/b/feats.npz"),
        checkpoints=("runs/c",),
        configs=(str(tmp_path / "mine.yaml"),),
        normalize=False,
    )
    found = inputs(config)
    assert list(found)[:2] == ["a/feats", "b/feats"] and list(found)[2].endswith("runs/c")
    first, _, network, own = found.values()
    assert (first.features, first.normalize, first.sim.k) == ("runs/a/feats.npz", False, 20)
    assert (network.checkpoint, own.sim.k, own.normalize) == ("runs/c", 7, True)


def test_no_input_and_one_given_twice_are_told():
    with pytest.raises(ValueError, match="expected --features, --checkpoints or --configs"):
        inputs(StudyConfig())
    with pytest.raises(ValueError, match="once"):
        inputs(StudyConfig(features=("a.npz", "a.npz")))


def test_every_method_can_be_studied():
    assert StudyConfig(methods=tuple(METHODS)).methods == tuple(METHODS)
