"""Old keys of settings are accepted for a release; errors name the key once."""

import warnings

import pytest
from pydantic import Field, model_validator

import simgraph._config_keys as keys
from simgraph.config import Config, Section, from_command_line, parse_config
from simgraph.studies.settings import StudyConfig


class Inner(Section):
    """A section that was renamed in."""

    num_ids: int = Field(8, ge=1)


class Settings(Section):
    """Settings with an old key."""

    train: Inner = Inner()
    seed: int = 0


@pytest.fixture(autouse=True)
def old_keys(monkeypatch):
    monkeypatch.setattr(
        keys, "RENAMED_KEYS", {"train.identities": "train.num_ids", "start": "seed"}
    )


def test_old_keys_of_a_file_are_read_with_a_warning_that_names_the_new_ones():
    with pytest.warns(DeprecationWarning) as given:
        settings = parse_config({"train": {"identities": 4}, "start": 3}, kind=Settings)
    assert (settings.train.num_ids, settings.seed) == (4, 3)
    assert sorted(str(warning.message) for warning in given) == [
        "config key 'start' is now 'seed'; the old name goes with the next release",
        "config key 'train.identities' is now 'train.num_ids'; "
        "the old name goes with the next release",
    ]


def test_old_keys_are_read_by_the_constructor_and_the_warning_names_the_caller():
    with pytest.warns(DeprecationWarning) as given:
        assert Inner(identities=4).num_ids == 4
    assert given[0].filename == __file__


@pytest.mark.parametrize("old", [["--train.identities", "4"], ["--train.identities=4"]])
def test_old_keys_of_the_command_line_are_read_with_a_warning(old):
    with pytest.warns(DeprecationWarning, match=r"option --train\.identities is now --train\.num"):
        settings = from_command_line("", [*old, "--seed", "2"], Settings)
    assert (settings.train.num_ids, settings.seed) == (4, 2)


def test_new_keys_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse_config({"train": {"num_ids": 4}}, kind=Settings)
        from_command_line("", ["--train.num_ids", "4"], Settings)


def test_a_key_under_both_names_is_an_error():
    with pytest.raises(ValueError, match=r"train: got both 'train\.num_ids' and its old name"):
        parse_config({"train": {"num_ids": 4, "identities": 4}}, kind=Settings)


def test_old_values_are_checked_as_new_ones_are():
    with pytest.warns(DeprecationWarning), pytest.raises(ValueError, match=r"train\.num_ids"):
        parse_config({"train": {"identities": 0}}, kind=Settings)


def test_a_name_is_old_only_where_the_new_one_is_known():
    with pytest.raises(ValueError, match=r"unknown key 'start'"):
        parse_config({"start": 3}, kind=Inner)


BAD = ("lots", -1.5, ["lots"], {"lots": 1}, [], object())


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("kind", [Config, StudyConfig])
def test_no_error_repeats_its_prefix(kind, value):
    for key in keys.all_keys(kind):
        given = value
        for part in reversed(key.split(".")):
            given = {part: given}
        for line in errors_of(given, kind):
            assert line.startswith("here.yaml: ")
            name = line.split(": ")[1]
            assert line.count(f"{name}: ") <= 1
            assert line.count("expected") <= 1 and line.count(" got ") <= 1
            assert " should " not in line


def errors_of(values, kind):
    try:
        parse_config(values, "here.yaml", kind)
    except ValueError as error:
        return str(error).splitlines()
    return []


def test_a_bad_budget_is_one_clean_line():
    with pytest.raises(ValueError, match="memory") as error:
        parse_config({"memory": "lots"})
    assert str(error.value) == ("config: memory: expected bytes, or text like '2GiB', got 'lots'")


def test_an_unknown_method_is_one_line_with_the_nearest_name():
    with pytest.raises(ValueError, match="methods") as error:
        parse_config({"methods": ["simm"]})
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).endswith("got 'simm'; did you mean 'sim'?")


class Old(Inner):
    """A section that still understands a key it has no more."""

    @model_validator(mode="before")
    @classmethod
    def _take_style(cls, values):
        values = dict(values)
        style = values.pop("style", None)
        return values | ({"num_ids": 77} if style == "wide" else {})


class OldSettings(Section):
    """Settings with a retired key."""

    train: Old = Old()
    seed: int = 0


@pytest.mark.parametrize("option", [["--train.style", "wide"], ["--train.style=wide"]])
def test_a_retired_key_of_the_command_line_reaches_its_validator(option, monkeypatch):
    monkeypatch.setattr("simgraph.config.RETIRED_KEYS", ("train.style", "sim.variant"))
    settings = from_command_line("", [*option, "--seed", "3"], OldSettings)
    assert (settings.train.num_ids, settings.seed) == (77, 3)
