"""YAML settings: defaults, overrides and errors that help."""

import inspect
from pathlib import Path
from typing import get_args

import pytest

from simgraph._shipped_configs import shipped_configs
from simgraph.config import (
    SIM_FAMILY,
    Config,
    MethodName,
    ProtocolName,
    SIMConfig,
    from_command_line,
    load_config,
    parse_config,
)
from simgraph.evaluation import PROTOCOLS
from simgraph.rerankers import METHODS, parameters
from simgraph.studies.settings import StudyConfig

FOLDER = Path(__file__).parents[1] / "configs"
# Those of studies have other keys: tests/studies/test_plan.py.
CONFIGS = sorted(set(FOLDER.glob("*.yaml")) - set(FOLDER.glob("study_*.yaml")))


def test_an_empty_file_gives_the_paper_s_settings(tmp_path):
    file = tmp_path / "empty.yaml"
    file.write_text("")
    config = load_config(file)
    assert config == Config()
    assert config.sim == SIMConfig(
        k=20, lam=0.01, num_paths=9, k_query=20, k_gallery=20, alpha=0.3, expand=True
    )


def test_keys_given_override_and_others_stay(tmp_path):
    file = tmp_path / "some.yaml"
    file.write_text("methods: [sim]\nsim: {k: 5, alpha: 1}\nnormalize: false\n")
    config = load_config(file)
    assert config.methods == ("sim",)
    assert (config.sim.k, config.sim.alpha, config.sim.num_paths) == (5, 1, 9)
    assert config.normalize is False


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_shipped_config_is_valid(file):
    sim = load_config(file).sim
    assert sim.num_paths <= sim.k + 1
    assert sim.k_gallery <= sim.k


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"sim": {"alhpa": 0.3}}, ["unknown key 'sim.alhpa'", "did you mean 'sim.alpha'"]),
        ({"alpha": 0.3}, ["unknown key 'alpha'", "did you mean 'sim.alpha'"]),
        ({"feature": "x"}, ["unknown key 'feature'", "did you mean 'features'"]),
        ({"zzz": 1}, ["unknown key 'zzz'", "valid keys: checkpoint, features"]),
        ({"sim": {"k": 2.5}}, ["sim.k", "integer", "2.5"]),
        ({"sim": {"k": "20"}}, ["sim.k", "integer", "'20'"]),
        ({"sim": {"k": True}}, ["sim.k", "integer", "True"]),
        ({"sim": {"lam": "1e-3"}}, ["sim.lam", "number", "write 1.0e-3"]),
        ({"sim": {"alpha": 1.5}}, ["sim.alpha", "less than or equal to 1", "1.5"]),
        ({"sim": {"variant": "ours"}}, ["sim.variant", "'paper' or 'authors'", "'ours'"]),
        ({"normalize": "yes"}, ["normalize", "boolean", "'yes'"]),
        ({"methods": ["simm"]}, ["methods.0", "'sim'", "'simm'"]),
        ({"methods": []}, ["methods", "at least 1 item"]),
        ({"methods": ["sim", "sim"]}, ["methods", "each method once"]),
        ({"dataset": {"name": "sysu"}}, ["dataset.name", "'sysu_mm01'", "'sysu'"]),
        ({"dataset": {"trials": 11}}, ["dataset.trials", "less than or equal to 10", "11"]),
        ({"dataset": "sysu_mm01"}, ["dataset", "'sysu_mm01'"]),
        ({"params": {"ecn": {"k3": 1}}}, ["unknown key 'params.ecn.k3'", "'params.ecn."]),
        ({"params": {"ecm": {"k": 1}}}, ["unknown key 'params.ecm'", "'params.ecn."]),
        ({"params": {"ecn": {"k": 2.5}}}, ["params.ecn.k", "integer", "2.5"]),
        ({"params": {"gcr": {"beta": "cold"}}}, ["params.gcr.beta", "number", "'cold'"]),
        ({"params": {"sim": {"k": 3}}}, ["params", "parameters of sim under the key 'sim'"]),
        ({"k1": 3}, ["unknown key 'k1'", "'params.k_reciprocal.k1'"]),
        (["a", "list"], ["expected keys and values, got list"]),
    ],
)
def test_errors_name_the_key_what_came_and_what_was_expected(values, parts):
    with pytest.raises(ValueError, match=r"^here\.yaml: ") as error:
        parse_config(values, "here.yaml")
    for part in parts:
        assert part in str(error.value)


def test_several_errors_are_told_at_once():
    with pytest.raises(ValueError, match="alhpa") as error:
        parse_config({"sim": {"alhpa": 0.3, "k": -1}})
    assert "sim.k" in str(error.value)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such config file"):
        load_config(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("sim: {k: 5")
    with pytest.raises(ValueError, match=r"broken\.yaml: not valid YAML"):
        load_config(broken)


def test_a_shipped_config_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("sysu_mm01") == load_config(FOLDER / "sysu_mm01.yaml")
    assert shipped_configs() == {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}


def test_a_file_of_the_same_name_comes_before_a_shipped_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sysu_mm01").write_text("sim: {k: 5}\n")
    assert load_config("sysu_mm01").sim.k == 5


@pytest.mark.parametrize("name", ["sysu_mm1", "configs/sysu_mm01.yaml"])
def test_an_unknown_config_names_the_nearest_shipped_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="did you mean 'sysu_mm01'") as error:
        load_config(name)
    assert str(error.value).startswith(f"{name}: no such config file")
    assert str(error.value).endswith(f"shipped configs: {', '.join(shipped_configs())}")


def test_yaml_is_data(tmp_path):
    file = tmp_path / "evil.yaml"
    file.write_text(f"features: !!python/object/apply:pathlib.Path.touch ['{tmp_path}/ran']\n")
    with pytest.raises(ValueError, match="not valid YAML"):
        load_config(file)
    assert not (tmp_path / "ran").exists()


def test_methods_have_the_parameters_and_defaults_of_their_signatures(tmp_path):
    file = tmp_path / "methods.yaml"
    file.write_text("params: {k_reciprocal: {k1: 30, lam: 1}, ecn: {t: 4}}\n")
    params = load_config(file).params
    assert params.k_reciprocal.model_dump() == {"k1": 30, "k2": 6, "lam": 1}
    assert params.ecn.model_dump() == {"k": 25, "t": 4, "q": 8}
    for method in set(METHODS) - {"baseline", *SIM_FAMILY}:
        own = [name for name in parameters(method) if name != "normalize"]
        assert list(getattr(params, method).model_dump()) == own
        called = inspect.signature(METHODS[method].run).parameters
        for name, value in getattr(Config().params, method).model_dump().items():
            assert value == called[name].default and type(value) is type(called[name].default)


def test_names_are_those_of_the_methods_and_protocols():
    assert get_args(MethodName) == tuple(METHODS)
    assert set(get_args(ProtocolName)) == set(PROTOCOLS)


# --- The old key sim.variant ---------------------------------------------------------------------


def test_the_old_variant_of_the_authors_chooses_their_methods():
    values = {"sim": {"variant": "authors", "k_query": 12}, "methods": ["baseline", "ecn", "sim"]}
    with pytest.warns(DeprecationWarning, match="here: sim.variant: authors .* sim_authors"):
        config = parse_config(values, "here")
    assert config.methods == ("baseline", "ecn", "sim_authors")
    assert config.sim == SIMConfig(k_query=12)
    with pytest.warns(DeprecationWarning, match="sim_authors"):
        config = parse_config({"sim": {"variant": "authors"}})
    assert config.methods == ("baseline", "sgr_authors", "mnnr_authors", "sim_authors")


def test_the_old_variant_of_the_paper_changes_nothing():
    with pytest.warns(DeprecationWarning, match="sim.variant: paper"):
        assert parse_config({"sim": {"variant": "paper", "k": 5}}) == parse_config(
            {"sim": {"k": 5}}
        )


def test_the_authors_variant_of_a_study_chooses_their_methods():
    values = {"sim": {"variant": "authors"}, "methods": ["sim:alpha=0.5", "ecn:k=5", "mnnr"]}
    with pytest.warns(DeprecationWarning, match="sim_authors"):
        config = parse_config(values, kind=StudyConfig)
    assert config.methods == ("sim_authors:alpha=0.5", "ecn:k=5", "mnnr_authors")


@pytest.mark.parametrize("words", [["image"], ["7000", "9000.5"]])
def test_a_thermal_range_is_a_word_or_two_values(words):
    given = from_command_line("", ["--images.thermal_range", *words]).images.thermal_range
    assert given == ("image" if words == ["image"] else (7000, 9000.5))
    values = words[0] if words == ["image"] else [7000, 9000.5]
    assert parse_config({"images": {"thermal_range": values}}).images.thermal_range == given


@pytest.mark.parametrize("bad", ["set", [2, 1], [1, 1], [1], [1, "a"], [0, float("inf")], 5, True])
def test_another_thermal_range_is_refused_in_one_line(bad):
    with pytest.raises(ValueError, match=r"images\.thermal_range: expected image, or two") as error:
        parse_config({"images": {"thermal_range": bad}})
    assert len(str(error.value).splitlines()) == 1
