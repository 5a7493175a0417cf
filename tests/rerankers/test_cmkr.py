"""CMKR: by hand, its three parts, and what every method must hold."""

import numpy as np
import pytest

import simgraph as sg
from simgraph.rerankers import rerank_distances
from tests.oracles import rerankers as oracles
from tests.oracles.rerankers import SMALL, by_loops, unit
from tests.rerankers.contract import CASES, GIVEN, LoopsContract, on_circle, points


class TestContract(LoopsContract):
    method = "cmkr"
    params = SMALL["cmkr"]
    defaults = {"part": "extended", "k1": 35, "k2": 35, "k3": 4, "lam": 0.1}
    limits = [
        {"k1": 7, "k2": 8},
        {"k1": 1, "k2": 1, "k3": 0, "lam": 0.0},
        {"k1": 1, "k2": 1, "k3": 1, "lam": 0.0},
        {"k1": 3, "k2": 4, "lam": 1},
        {"part": "constrained", "k1": 7, "k2": 8},
        {"part": "constrained", "k1": 1, "k2": 4},
        {"part": "divided", "k1": 7, "k2": 8},
        {"part": "divided", "k1": 1, "k2": 4},
    ]
    refused = [
        ({"k1": 8}, ["k1 = 8", "Nq + Ng − 1 = 7"]),
        ({"k1": 0}, ["k1 = 0", "at least 1"]),
        ({"k1": 2, "k2": 9}, ["k2 = 9", "Nq + Ng = 8"]),
        ({"k1": 2, "k2": 3, "k3": 4}, ["k3 = 4", "k2 = 3"]),
        ({"k1": 2, "k2": 3, "k3": -1}, ["k3 = -1", "at least 0"]),
        ({"k1": 2, "k2": 4, "lam": 1.5}, ["lam = 1.5", "[0, 1]"]),
        ({"k1": 2.5}, ["k1", "integer", "2.5"]),
        ({"part": "divide"}, ["part", "'divide'", "did you mean 'divided'?"]),
        ({"k1": 2, "k2": 4, "memory": "1 MiB"}, ["memory", "cmkr", "raise memory"]),
    ]
    cosine = False


@pytest.mark.parametrize("part", ["constrained", "divided"])
@pytest.mark.parametrize("case", CASES)
def test_each_part_is_its_loops(part, case):
    query, gallery = map(unit, CASES[case])
    params = SMALL["cmkr"] | {"part": part}
    np.testing.assert_allclose(
        sg.rerank(query, gallery, "cmkr", **params),
        by_loops("cmkr", query, gallery, **params),
        rtol=1e-6, atol=1e-7,
    )  # fmt: skip


@pytest.mark.parametrize("part", ["constrained", "divided"])
@pytest.mark.parametrize("case", GIVEN)
def test_each_part_is_its_loops_from_distances(part, case):
    d_qg, d_gg, d_qq = GIVEN[case]
    params = SMALL["cmkr"] | {"part": part}
    np.testing.assert_allclose(
        rerank_distances(d_qg, d_gg, "cmkr", d_qq, **params),
        oracles.cmkr(*GIVEN[case], **params),
        rtol=1e-6, atol=1e-7,
    )  # fmt: skip


@pytest.mark.parametrize("part", ["constrained", "divided", "extended"])
def test_more_neighbors_than_a_modality_has_are_all_of_it(part):
    query, gallery = map(unit, points(4, 3, 12))
    params = {"part": part, "k1": 9, "k2": 8, "k3": 2, "lam": 0.2}
    np.testing.assert_allclose(
        sg.rerank(query, gallery, "cmkr", **params),
        by_loops("cmkr", query, gallery, **params),
        rtol=1e-6,
    )


def test_constrained_by_hand():
    # k1 = 1, and round(1/2) = 0: no expansion. The query's set is {g0}; g0 and g1 have {g0, g1}.
    # The codes of gallery images do not hold the query.
    query, gallery = on_circle(0), on_circle(20, 35)
    found = sg.rerank(query, gallery, "cmkr", part="constrained", k1=1, k2=1, lam=0.25)
    squared = 2 - 2 * np.cos(np.radians([20, 35]))
    # Each gallery image is the other's farthest: exp(−1) beside 1 for itself.
    near, far = 1 / (1 + np.exp(-1)), np.exp(-1) / (1 + np.exp(-1))
    shared = np.array([near, far])
    jaccard = 1 - shared / (2 - shared)
    np.testing.assert_allclose(found[0], 0.25 * squared / squared[1] + 0.75 * jaccard, rtol=1e-12)


def test_extended_sets_hold_the_other_modality_that_joint_lists_miss():
    # Each modality lies close together, so joint lists of length 1 stay within it.
    query, gallery = on_circle(0, 2), on_circle(40, 43)
    joint = sg.rerank(query, gallery, "k_reciprocal", k1=1, k2=1, lam=0)
    extended = sg.rerank(query, gallery, "cmkr", k1=1, k2=1, k3=0, lam=0)
    assert (joint == 1).all()
    assert extended[1, 0] < 1
