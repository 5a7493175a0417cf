"""MSER: by hand, with several views, and what every method must hold."""

import numpy as np
import pytest

import simgraph as sg
from simgraph.rerankers import rerank_distances
from tests.oracles.rerankers import SMALL, by_loops, unit
from tests.rerankers.contract import LoopsContract, on_circle, points


class TestContract(LoopsContract):
    method = "mser"
    params = SMALL["mser"]
    defaults = {"k1": 40, "k2": 20, "lam": 0.3}
    limits = [{}, {"k1": 1, "k2": 1, "lam": 0.0}, {"k1": 2, "k2": 3, "lam": 1}]
    refused = [
        ({"k1": 0}, ["k1 = 0", "at least 1"]),
        ({"k2": 0}, ["k2 = 0", "at least 1"]),
        ({"lam": 1.5}, ["lam = 1.5", "[0, 1]"]),
        ({"k1": 2.5}, ["k1", "integer", "2.5"]),
        ({"views": 0}, ["views = 0", "at least 1"]),
        ({"views": 3}, ["multiple of views = 3", "(3, 4)", "(5, 4)"]),
        ({"memory": "1 MiB"}, ["memory", "mser", "raise memory"]),
    ]
    cosine = False


def test_mser_by_hand():
    # q0 and q1 are each other's nearest query; so are q2 and q3. The gallery image is nearest to
    # q1, and its code with k2 = 1 is that of q1.
    query, gallery = on_circle(0, 20, 90, 100), on_circle(30)
    found = sg.rerank(query, gallery, "mser", k1=1, k2=1, lam=0.25)

    def squared(degrees):
        return 2 - 2 * np.cos(np.radians(degrees))

    q0 = np.array([1, np.exp(-squared(20) / squared(100))])
    q1 = np.array([np.exp(-squared(20) / squared(80)), 1])
    shared = np.minimum(q0 / q0.sum(), q1 / q1.sum()).sum()
    jaccard = np.array([1 - shared / (2 - shared), 0, 1, 1])
    direct = squared(np.array([30, 10, 60, 70])) / squared(np.array([100, 80, 90, 100]))
    np.testing.assert_allclose(found[:, 0], 0.25 * direct + 0.75 * jaccard, rtol=1e-12)


def test_the_distances_of_several_views_are_the_mean_of_those_of_each():
    query, *views = points(1, 7, 12, 12, 12)
    expected = np.mean(
        [by_loops("mser", unit(query), unit(view), **SMALL["mser"]) for view in views], axis=0
    )
    gallery = np.concatenate([3 * views[0], views[1], views[2]], axis=1)
    for given in (query, np.tile(query, 3)):
        found = sg.rerank(given, gallery, "mser", views=3, **SMALL["mser"])
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_queries_may_be_the_side_of_several_views():
    first, second, gallery = points(2, 7, 7, 12)
    expected = np.mean(
        [by_loops("mser", unit(x), unit(gallery), **SMALL["mser"]) for x in (first, second)], axis=0
    )
    query = np.concatenate([first, second], axis=1)
    found = sg.rerank(query, gallery, "mser", views=2, **SMALL["mser"])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_sides_of_different_width_need_views():
    query, gallery = points(3, 4, 9)
    with pytest.raises(ValueError, match=r"views = 1.*query \(4, 4\) and gallery \(9, 8\)"):
        sg.rerank(query, np.tile(gallery, 2), "mser")


def test_distances_have_one_view():
    d = np.ones((3, 5)), np.ones((5, 5)), np.ones((3, 3))
    with pytest.raises(ValueError, match="views = 2 must be at most the number of views"):
        rerank_distances(d[0], d[1], "mser", d[2], views=2)
