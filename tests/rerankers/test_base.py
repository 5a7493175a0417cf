"""The methods by name, and what both calls refuse."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.rerankers import METHODS, NAMES, module_of, rerank_distances
from tests.rerankers.contract import GALLERY, QUERY

TRANSDUCTIVE = {"k_reciprocal", "ecn", "gnn", "gcr", "cmkr", "mser"}


def test_methods_are_those_of_the_table():
    assert tuple(METHODS) == NAMES
    assert len(set(NAMES)) == len(NAMES)
    for name, method in METHODS.items():
        assert method.name == name and method.run.__name__ == name
        assert method.run.__module__ == module_of(name)


def test_every_method_is_held_to_the_contract_in_a_file_of_its_own():
    for name in NAMES:
        file = Path(__file__).with_name(f"test_{module_of(name).rpartition('.')[2]}.py")
        text = file.read_text(encoding="utf-8")
        assert f'method = "{name}"' in text and "Contract)" in text


def test_names_are_read_without_torch():
    program = (
        "import sys; from simgraph.rerankers import NAMES, module_of; import simgraph.sim.params; "
        "import simgraph._params; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_those_that_read_other_queries_say_so():
    assert {method for method, said in METHODS.items() if said.transductive} == TRANSDUCTIVE


@pytest.mark.parametrize(
    ("method", "params", "parts"),
    [
        ("sym", {}, ["method", "'sym'", "baseline", "did you mean 'sim'?"]),
        ("", {}, ["method", "''", "baseline"]),
        (None, {}, ["method", "None", "baseline"]),
        (3, {}, ["method", "3", "baseline"]),
        (["sim"], {}, ["method", "['sim']", "baseline"]),
        ("sim", {"num_path": 3}, ["sim", "'num_path'", "did you mean 'num_paths'?"]),
        ("sim", {"zzz": 3}, ["sim", "'zzz'", "k_gallery"]),
        ("baseline", {"k": 3}, ["baseline", "'k'", "normalize"]),
        ("sgr", {"alpha": 0.3}, ["sgr", "'alpha'", "num_paths"]),
        ("mnnr", {"lam": 0.3}, ["mnnr", "'lam'", "k_query"]),
    ],
)
def test_unknown_methods_and_parameters_are_refused(method, params, parts):
    with pytest.raises(ValueError) as error:
        sg.rerank(QUERY, GALLERY, method=method, **params)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize(
    ("method", "change", "parts"),
    [
        ("ecn", {"d_qq": None}, ["ecn", "d_qq [Nq, Nq]"]),
        ("ecn", {"d_qq": np.ones((3, 3))}, ["d_qq", "(4, 4)", "(3, 3)"]),
        ("ecn", {"d_qq": -np.ones((4, 4)) + np.eye(4)}, ["d_qq", ">= 0", "-1"]),
        ("gnn", {"d_qq": 3 * np.ones((4, 4))}, ["d_qq", "at most 2", "3"]),
        ("aim", {"d_qg": np.full((4, 6), 2.5)}, ["d_qg", "at most 2", "2.5"]),
        ("aim", {"d_gg": np.ones((5, 5))}, ["d_gg", "(4, 6)", "(5, 5)"]),
        ("lbr", {"m": 3}, ["lbr", "['n', 'temperature', 'memory']", "'m'"]),
        ("lbr", {"normalize": True}, ["lbr", "'normalize'"]),
        ("gcr", {}, ["k_reciprocal", "'gcr'"]),
        ("dba", {}, ["diffusion", "'dba'"]),
        (None, {}, ["method", "None"]),
    ],
)
def test_bad_distances_and_methods_that_need_features_are_refused(method, change, parts):
    given = {"d_qg": np.ones((4, 6)), "d_gg": np.ones((6, 6)), "d_qq": np.ones((4, 4))}
    with pytest.raises(ValueError) as error:
        rerank_distances(method=method, **given | change)
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize("method", ["gcr", "alpha_qe", "dba"])
def test_methods_that_need_features_name_the_call_for_them(method):
    with pytest.raises(ValueError) as error:
        rerank_distances(np.ones((4, 6)), np.ones((6, 6)), method)
    hint = f"'{method}' computes with feature vectors: use rerank(query, gallery, '{method}')"
    assert str(error.value).endswith(hint)


def test_unknown_methods_get_the_nearest_of_all_from_distances_too():
    for given, near in (("sims", "sim"), ("dbaa", "dba"), ("ECN", "ecn")):
        with pytest.raises(ValueError, match=f"did you mean '{near}'"):
            rerank_distances(np.ones((4, 6)), np.ones((6, 6)), given)


def test_tiny_rows_are_normalized_and_zero_rows_are_warned_of(caplog):
    rng = np.random.default_rng(0)
    query, gallery = (rng.normal(size=(n, 6)).astype("f4") for n in (3, 5))
    plain = sg.rerank(query, gallery, "baseline")
    shrunk = sg.rerank(query * np.float32(1e-30), gallery * np.float32(1e-25), "baseline")
    np.testing.assert_allclose(shrunk, plain, atol=1e-5)
    assert not caplog.records
    gallery[2] = 0
    assert np.isfinite(sg.rerank(query, gallery, "baseline")).all()
    assert "gallery: 1 rows are all zeros" in caplog.text


def test_autocast_does_not_reach_the_distances():
    generator = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(n, 64, generator=generator) for n in (5, 30))
    gallery[7] = gallery[3]
    plain = sg.rerank(query, gallery)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sg.rerank(query, gallery), plain)


def test_normalize_is_a_bool():
    with pytest.raises(ValueError, match="normalize: expected True or False, got 'no'"):
        sg.rerank(torch.rand(3, 4), torch.rand(5, 4), "baseline", normalize="no")
