"""The authors' three methods behind `rerank` and `rerank_distances`."""

import numpy as np
import pytest

import simgraph as sg
from tests.oracles.sim import AUTHORS_CASES, authors_mnnr, authors_sgr, authors_sim
from tests.rerankers.contract import GALLERY, QUERY, Contract

SMALL = {
    "sgr_authors": {"k": 5, "lam": 0.1, "num_paths": 3},
    "mnnr_authors": {"k": 5, "k_query": 4, "k_gallery": 5, "alpha": 0.4},
    "sim_authors": {
        "k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 5, "alpha": 0.4,
    },
}  # fmt: skip


class TestSGR(Contract):
    method = "sgr_authors"
    params = SMALL["sgr_authors"]


class TestMNNR(Contract):
    method = "mnnr_authors"
    params = SMALL["mnnr_authors"]


class TestSIM(Contract):
    method = "sim_authors"
    params = SMALL["sim_authors"]


@pytest.mark.parametrize("case", AUTHORS_CASES.values(), ids=AUTHORS_CASES)
def test_from_distances_each_is_its_oracle(case):
    close = {"rtol": 1e-12, "atol": 1e-13}
    d = case.d_qg, case.d_gg
    sets = {"k_query": case.k_query, "k_gallery": case.k_gallery}
    weighed = {"alpha": 0.3, "expand": True}
    np.testing.assert_allclose(
        sg.rerank_distances(*d, "sgr_authors", **case.sgr_params),
        authors_sgr(*d, **case.sgr_params), **close,
    )  # fmt: skip
    np.testing.assert_allclose(
        sg.rerank_distances(*d, "mnnr_authors", k=case.k, **sets, **weighed),
        authors_mnnr(*d, **sets, **weighed), **close,
    )  # fmt: skip
    np.testing.assert_allclose(
        sg.rerank_distances(*d, "sim_authors", **case.params, **weighed),
        authors_sim(*d, **case.params, **weighed), **close,
    )  # fmt: skip


@pytest.mark.parametrize("method", SMALL)
def test_auto_is_refused_with_what_takes_it(method):
    with pytest.raises(ValueError, match=r"'auto': expected numbers.*sgr, mnnr and sim"):
        sg.rerank(QUERY, GALLERY, method, k="auto")


# --- The old flag --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sgr", "mnnr", "sim"])
def test_the_old_flag_names_the_method_and_gives_the_same(method):
    params = SMALL[f"{method}_authors"]
    with pytest.warns(DeprecationWarning, match=f"the method '{method}_authors'"):
        found = sg.rerank(QUERY, GALLERY, method, **params, variant="authors")
    np.testing.assert_array_equal(found, sg.rerank(QUERY, GALLERY, f"{method}_authors", **params))
    with pytest.warns(DeprecationWarning, match=f"variant='paper'.*the method '{method}'"):
        found = sg.rerank(QUERY, GALLERY, method, **params, variant="paper")
    np.testing.assert_array_equal(found, sg.rerank(QUERY, GALLERY, method, **params))


def test_the_old_flag_of_sim_distance_names_the_method_and_gives_the_same():
    case = AUTHORS_CASES["random"]
    with pytest.warns(DeprecationWarning, match="the method 'sim_authors'") as seen:
        found = sg.sim_distance(case.d_qg, case.d_gg, **case.params, variant="authors")
    assert seen[0].filename == __file__
    expected = sg.rerank_distances(case.d_qg, case.d_gg, "sim_authors", **case.params)
    np.testing.assert_array_equal(found, expected)
    with pytest.warns(DeprecationWarning, match="variant='paper'"):
        found = sg.sim_distance(case.d_qg, case.d_gg, **case.params, variant="paper")
    np.testing.assert_array_equal(found, sg.sim_distance(case.d_qg, case.d_gg, **case.params))


def test_the_warning_points_at_the_caller_of_rerank():
    with pytest.warns(DeprecationWarning) as seen:
        sg.rerank(QUERY, GALLERY, **SMALL["sim_authors"], variant="authors")
    assert seen[0].filename == __file__


def test_methods_that_never_had_the_flag_do_not_know_it():
    with pytest.raises(ValueError, match=r"ecn: expected parameters of .*, got 'variant'"):
        sg.rerank(QUERY, GALLERY, "ecn", variant="authors")
