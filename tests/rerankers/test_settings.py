"""The settings of methods in configs follow the methods themselves."""

import dataclasses

import pytest

from simgraph.config import parse_config
from simgraph.rerankers import NAMES, parameters
from simgraph.rerankers.settings import AUTHORS, SIM_FAMILY, ParamsConfig, SIMConfig
from simgraph.sim.params import SIMParams


def test_sim_has_the_fields_and_defaults_of_sim_params():
    fields = {f.name: f.default for f in dataclasses.fields(SIMParams) if f.name != "reason"}
    settings = {name: f.default for name, f in SIMConfig.model_fields.items() if name != "origin"}
    assert settings == fields


def test_every_other_method_with_parameters_has_a_section():
    shared = {"normalize", "memory"}
    expected = {m for m in NAMES if m not in SIM_FAMILY and set(parameters(m)) - shared}
    assert set(ParamsConfig.model_fields) == expected
    assert set(AUTHORS) < set(SIM_FAMILY) < set(NAMES)


@pytest.mark.parametrize("value", [-1, 1.5, "many"])
def test_k_is_a_number_or_auto(value):
    with pytest.raises(ValueError, match=r"sim\.k: expected an integer of at least 0, or 'auto'"):
        parse_config({"sim": {"k": value}})
    assert parse_config({"sim": {"k": "auto"}}).sim.k == "auto"


def test_parameters_of_sim_among_the_others_are_sent_to_their_key():
    with pytest.raises(ValueError, match="under the key 'sim'"):
        parse_config({"params": {"sgr": {"k": 3}}})
