"""SIMParams: one place for defaults and checks."""

import dataclasses
import inspect

import numpy as np
import pytest

import simgraph as sg
from simgraph.config import SIM_FAMILY, SIMConfig
from simgraph.rerankers import METHODS
from simgraph.sim.params import AUTO_PARAMETERS, SIMParams, check_neighborhoods, check_num_paths

FIELDS = {f.name: f.default for f in dataclasses.fields(SIMParams) if f.name != "reason"}
FIT = SIMParams(k=4, num_paths=2, k_query=3, k_gallery=3)


def test_the_config_has_the_same_fields_and_defaults():
    # The origin says where values come from; it is no value itself.
    assert SIMConfig().model_dump(exclude={"origin"}) == FIELDS
    assert [name for name in SIMConfig.model_fields if name != "origin"] == list(FIELDS)
    assert SIMConfig(k="auto", alpha=0.5).params() == SIMParams(k="auto", alpha=0.5)


FLAT = {
    "sim_distance": sg.sim_distance,
    "SIM": sg.SIM,
    "SGR": sg.SGR,
    "MNNR": sg.MNNR,
    "KSmallestMean": sg.KSmallestMean,
    "SIMIndex": sg.SIMIndex,
    "explain": sg.explain,
    "similarity_graph": sg.similarity_graph,
    "similarity_graph_from_distances": sg.similarity_graph_from_distances,
} | {f"rerank {name}": METHODS[name].run for name in SIM_FAMILY}


@pytest.mark.parametrize("name", FLAT)
def test_flat_signatures_have_the_same_defaults(name):
    parameters = inspect.signature(FLAT[name]).parameters
    shared = [key for key in FIELDS if key in parameters]
    assert shared
    assert {key: parameters[key].default for key in shared} == {k: FIELDS[k] for k in shared}


def test_the_distributed_call_has_the_same_defaults():
    distributed = pytest.importorskip("simgraph.distributed", exc_type=ImportError)
    parameters = inspect.signature(distributed.rerank).parameters
    assert {key: parameters[key].default for key in FIELDS} == FIELDS


def test_it_is_frozen_and_the_reason_has_no_part_in_comparisons():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FIT.k = 5
    assert dataclasses.replace(FIT, reason="because") == FIT
    assert hash(dataclasses.replace(FIT, reason="because")) == hash(FIT)


def test_numbers_depend_on_the_queries_where_k_is_chosen_by_them():
    assert not FIT.is_transductive
    assert SIMParams(k="auto").is_transductive
    assert not SIMParams(k="auto", images_per_identity=4).is_transductive
    assert not SIMParams(k=5, num_paths="auto").is_transductive


def test_has_auto():
    assert not FIT.has_auto
    for name in AUTO_PARAMETERS:
        assert dataclasses.replace(FIT, **{name: "auto"}).has_auto


@pytest.mark.parametrize("name", ["check", "check_sgr", "check_mnnr"])
def test_parameters_that_fit_pass(name):
    getattr(FIT, name)(9)
    getattr(SIMParams(k=8, num_paths=9, k_query=9, k_gallery=8), name)(9)
    getattr(SIMParams(k=np.int64(0), num_paths=1, k_query=1, k_gallery=0), name)(1)


SGR_REFUSES = [
    ({"k": 9}, "k = 9 must be less than num_gallery = 9"),
    ({"k": -1}, "k = -1 must be at least 0"),
    ({"k": "auto"}, "k: expected an integer, got 'auto'"),
    ({"lam": 1.5}, r"lam = 1\.5 must be in \[0, 1\]"),
    ({"num_paths": 6}, r"num_paths = 6 must be at most k \+ 1 = 5"),
    ({"num_paths": 0}, "num_paths = 0 must be at least 1"),
]
MNNR_REFUSES = [
    ({"k": 9}, "k = 9 must be less than num_gallery = 9"),
    ({"k_gallery": 5}, "k_gallery = 5 must be at most k = 4"),
    ({"k_query": 10}, "k_query = 10 must be at most num_gallery = 9"),
    ({"alpha": -0.1}, r"alpha = -0\.1 must be in \[0, 1\]"),
]


@pytest.mark.parametrize(("wrong", "message"), SGR_REFUSES + MNNR_REFUSES)
def test_check_refuses_what_sgr_or_mnnr_refuses(wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FIT, **wrong).check(9)


@pytest.mark.parametrize(("wrong", "message"), SGR_REFUSES)
def test_check_sgr_refuses_its_own(wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FIT, **wrong).check_sgr(9)


@pytest.mark.parametrize(("wrong", "message"), MNNR_REFUSES)
def test_check_mnnr_refuses_its_own(wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(FIT, **wrong).check_mnnr(9)


def test_each_part_leaves_the_other_s_parameters_alone():
    dataclasses.replace(FIT, k_gallery=100, k_query=100, alpha=7).check_sgr(9)
    dataclasses.replace(FIT, num_paths=100, lam=7).check_mnnr(9)


def test_a_graph_that_does_not_say_its_k_bounds_nothing():
    check_num_paths(100, None)
    check_neighborhoods(3, 100, None, 9)
