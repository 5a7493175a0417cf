"""Settings of studies: files, command line, and errors."""

from pathlib import Path

import pytest

from simgraph.config import from_command_line, load_config, parse_config
from simgraph.studies import StudyConfig
from simgraph.studies.methods import chosen_methods
from simgraph.studies.settings import STUDY_NAMES, current_study_name
from simgraph.studies.sweep import variation

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("study_*.yaml")), ids=lambda f: f.name)
def test_every_shipped_config_is_valid(file):
    config = load_config(file, StudyConfig)
    for text in config.sweep.vary:
        variation(text, chosen_methods(config, ("sim",)))
    assert all((CONFIGS.parent / path).is_file() for path in config.configs)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"methods": ["simm"]},
            "methods: expected one of baseline, sgr, .*, got 'simm'; did you mean 'sim'",
        ),
        ({"methods": ["sim", "sim"]}, "each once"),
        ({"methods": ["sim:kk=3"]}, "methods: expected sim:PARAMETER=VALUE,… with parameters of k"),
        ({"methods": ["sim:k"]}, "methods: expected sim:PARAMETER"),
        ({"methods": ["sim:alfa=1"]}, "got 'sim:alfa=1'; did you mean 'alpha'"),
        ({"methods": ["sim:"]}, "methods: expected sim:PARAMETER"),
        ({"methods": ["sim:k=3,"]}, "methods: expected sim:PARAMETER"),
        ({"metrics": ["map"]}, "metrics: expected one of rank1, .*, got 'map'; did you mean 'mAP'"),
        ({"compare": {"resample": 9}}, "unknown key 'compare.resample'; did you mean"),
        (
            {"compare": {"against": ["simm"]}},
            "compare.against: expected one of baseline, .* did you mean 'sim'",
        ),
        ({"robustness": {"images": [0]}}, "robustness.images.0: expected"),
        ({"robustness": {"distractors": [1.5]}}, "robustness.distractors.0: expected"),
        ({"params": {"k_reciprocal": {"k3": 1}}}, "unknown key 'params.k_reciprocal.k3'"),
    ],
)
def test_bad_settings_are_reported(values, words):
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


@pytest.mark.parametrize("values", [{"methods": ["foo"]}, {"metrics": ["map"]}])
def test_an_unknown_name_is_one_line(values):
    with pytest.raises(ValueError, match="expected one of") as error:
        parse_config(values, "study.yaml", StudyConfig)
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).count("expected") == 1


def test_an_old_name_of_a_study_warns():
    assert {*map(current_study_name, STUDY_NAMES)} == {*STUDY_NAMES}
    old = "generalise"  # the old name
    with pytest.warns(DeprecationWarning, match=f"study '{old}' is now 'generalize'"):
        assert current_study_name(old) == "generalize"
