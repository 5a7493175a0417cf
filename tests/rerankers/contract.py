"""What every re-ranking method must hold; each method's test file applies it to the method.

`Contract` is for all methods. `SIMContract` adds what SGR, MNNR and SIM hold, `LoopsContract` what
the other methods hold, which are compared with plain loops.
"""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import simgraph as sg
from simgraph.rerankers import METHODS, rerank_distances
from tests.oracles import rerankers as oracles
from tests.oracles.rerankers import by_loops, distances, unit

QUERY = np.random.default_rng(0).normal(size=(6, 5))
GALLERY = np.random.default_rng(1).normal(size=(14, 5))


def points(seed, *sizes, dim=4):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, dim)) for n in sizes]


def clusters(seed, *sizes):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(3, 6))
    return [centers[np.arange(n) % 3] + rng.normal(size=(n, 6)) * 0.3 for n in sizes]


def on_circle(*degrees):
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


CASES = {
    "random": points(0, 6, 14),
    "more queries": points(1, 17, 9),
    "one query": points(2, 1, 10),
    "clusters": clusters(3, 8, 15),
    "duplicates": [np.repeat(x, 3, axis=0) for x in points(6, 3, 5)],
    "all equal": [np.ones((3, 4)), np.ones((8, 4))],
    "opposite": [
        -np.ones((2, 3)) + points(7, 2, dim=3)[0] / 9,
        np.ones((7, 3)) + points(8, 7, dim=3)[0] / 9,
    ],
}


def tied(seed, num_queries, num_gallery, values):
    """Distances of few values, each exact: ties everywhere, zeros off the diagonal too."""
    rng = np.random.default_rng(seed)
    n = num_queries + num_gallery
    d = np.triu(rng.choice(values, (n, n)), 1)
    d += d.T
    q = num_queries
    return d[:q, q:], d[q:, q:], d[:q, :q]


GIVEN = {
    "ties": tied(0, 5, 12, [0.25, 0.5, 1.0, 1.5]),
    "more ties": tied(1, 9, 9, [0.0, 1.0]),
    "all at 0": tied(2, 3, 8, [0.0]),
    "all at 1": tied(3, 3, 8, [1.0]),
    "no relation": tied(4, 4, 11, np.linspace(0.1, 1.9, 1000)),
    "three metrics": (
        np.random.default_rng(5).uniform(1, 1.5, (5, 10)),
        distances(*[unit(points(6, 10)[0])] * 2),
        distances(*[unit(points(7, 5, dim=2)[0])] * 2),
    ),
    "as far as can be": tied(8, 4, 9, [0.5, 2.0]),
}


class Contract:
    """What all methods hold.

    A subclass sets `method`, and `params` that fit the small gallery.
    """

    method = ""
    params: dict = {}

    def rerank(self, query, gallery, **params):
        return sg.rerank(query, gallery, self.method, **self.params | params)

    def test_it_has_the_shared_signature(self):
        said = METHODS[self.method]
        parameters = list(inspect.signature(said.run).parameters.values())
        assert [p.name for p in parameters[:2]] == ["query", "gallery"]
        assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[2:])
        assert "normalize" in [p.name for p in parameters]
        assert inspect.getdoc(said.run)
        assert said.name == self.method
        assert isinstance(said.transductive, bool) and said.needs in ("features", "distances")
        assert said.cost and said.source
        assert (said.from_distances is None) == (said.needs == "features")

    def test_numpy_is_answered_with_numpy_and_torch_with_torch(self):
        by_numpy = self.rerank(QUERY, GALLERY)
        by_torch = self.rerank(torch.tensor(QUERY), torch.tensor(GALLERY))
        mixed = self.rerank(QUERY, torch.tensor(GALLERY))
        assert isinstance(by_numpy, np.ndarray) and by_numpy.dtype == np.float64
        assert isinstance(by_torch, torch.Tensor) and isinstance(mixed, torch.Tensor)
        np.testing.assert_array_equal(by_numpy, by_torch.numpy())
        np.testing.assert_array_equal(by_numpy, mixed.numpy())

    @pytest.mark.parametrize(
        ("given_dtype", "expected"),
        [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (">f4", "f4"), ("g", "f8")],
    )
    def test_dtypes_are_kept_and_halves_widened(self, given_dtype, expected):
        found = self.rerank(QUERY.astype(given_dtype), GALLERY.astype(given_dtype))
        assert found.dtype == np.dtype(expected) and found.shape == (6, 14)

    @pytest.mark.filterwarnings("error")
    def test_read_only_arrays_are_accepted_and_left_alone(self):
        query, gallery = unit(QUERY[:1]), unit(GALLERY)
        before = query.copy(), gallery.copy()
        query.setflags(write=False)
        gallery.setflags(write=False)
        torch.set_warn_always(True)
        try:
            self.rerank(query, gallery, normalize=False)
        finally:
            torch.set_warn_always(False)
        assert np.array_equal(query, before[0]) and np.array_equal(gallery, before[1])

    @pytest.mark.parametrize("normalize", [True, False])
    def test_tensors_are_left_alone(self, normalize):
        query, gallery = (torch.tensor(x if normalize else unit(x)) for x in (QUERY, GALLERY))
        before = query.clone(), gallery.clone()
        self.rerank(query, gallery, normalize=normalize)
        assert torch.equal(query, before[0]) and torch.equal(gallery, before[1])

    def test_one_query_at_a_time_equals_all_at_once_unless_it_is_transductive(self):
        if METHODS[self.method].transductive:
            query, gallery = clusters(11, 9, 20)
            alone = np.concatenate([self.rerank(row[None], gallery) for row in query])
            assert np.abs(alone - self.rerank(query, gallery)).max() > 1e-3
        else:
            one_by_one = [self.rerank(row[None], GALLERY) for row in QUERY]
            np.testing.assert_allclose(
                np.concatenate(one_by_one), self.rerank(QUERY, GALLERY), rtol=1e-9
            )

    def test_duplicated_gallery_images_get_finite_distances(self):
        found = self.rerank(QUERY, np.repeat(GALLERY, 2, axis=0))
        assert np.isfinite(found).all() and (found >= 0).all()

    def test_distances_of_features_give_what_features_give(self):
        if METHODS[self.method].from_distances is None:
            pytest.skip("computes with feature vectors")
        query, gallery = map(unit, clusters(20, 7, 15))
        d_qg, d_gg, d_qq = (
            distances(*p) for p in ((query, gallery), (gallery, gallery), (query, query))
        )
        np.fill_diagonal(d_gg, np.inf)  # marked, as some do
        np.fill_diagonal(d_qq, np.nan)
        np.testing.assert_allclose(
            rerank_distances(d_qg, d_gg, self.method, d_qq, **self.params),
            self.rerank(query, gallery),
            rtol=1e-6, atol=1e-7,
        )  # fmt: skip
        tensors = [torch.tensor(d, dtype=torch.float32) for d in (d_qg, d_gg, d_qq)]
        before = tensors[0].clone()
        found = rerank_distances(*tensors[:2], self.method, tensors[2], **self.params)
        assert found.dtype == torch.float32 and found.shape == (7, 15)
        assert torch.equal(tensors[0], before)
        found.zero_()
        assert torch.equal(tensors[0], before)


class SIMContract(Contract):
    """What baseline, SGR, MNNR and SIM hold too; `expected` is the oracle of a subclass."""

    @staticmethod
    def expected(d_qg, d_gg):
        raise NotImplementedError

    @pytest.mark.parametrize("normalize", [True, False, None])
    def test_it_is_its_oracle(self, normalize):
        given = {} if normalize is None else {"normalize": normalize}
        found = self.rerank(QUERY, GALLERY, **given)
        x, y = (QUERY, GALLERY) if normalize is False else (unit(QUERY), unit(GALLERY))
        np.testing.assert_allclose(
            found, self.expected(distances(x, y), distances(y, y)), rtol=1e-12
        )

    def test_permuting_the_gallery_permutes_the_answer(self):
        order = np.random.default_rng(2).permutation(len(GALLERY))
        np.testing.assert_allclose(
            self.rerank(QUERY, GALLERY[order]), self.rerank(QUERY, GALLERY)[:, order], rtol=1e-12
        )

    def test_normalized_answers_do_not_depend_on_the_length_of_features(self):
        np.testing.assert_allclose(
            self.rerank(QUERY * 7, GALLERY * 0.01), self.rerank(QUERY, GALLERY), rtol=1e-12
        )

    def test_features_that_require_grad_give_a_finite_gradient(self):
        query = torch.tensor(QUERY, requires_grad=True)
        gallery = torch.tensor(np.repeat(GALLERY, 2, axis=0), requires_grad=True)
        self.rerank(query, gallery).sum().backward()
        for x in (query, gallery):
            assert torch.isfinite(x.grad).all() and (x.grad != 0).any()

    def test_distances_that_require_grad_give_a_gradient(self):
        d_qg = torch.tensor(distances(QUERY, GALLERY), requires_grad=True)
        d_gg = torch.tensor(distances(GALLERY, GALLERY))
        rerank_distances(d_qg, d_gg, self.method, **self.params).sum().backward()
        assert torch.isfinite(d_qg.grad).all() and (d_qg.grad != 0).any()


FEW = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.differing_executors]
)


class LoopsContract(Contract):
    """What the other methods hold too.

    A subclass sets `params` from `tests.oracles.rerankers.SMALL`; `defaults`, as published;
    `limits`, the largest parameters that are allowed on 3 queries and 5 gallery images, and the
    smallest; `refused`, pairs of parameters and parts of the error; and `cosine` where the method
    needs rows of length 1.
    """

    defaults: dict = {}
    limits: list = []
    refused: list = []
    cosine = True

    @pytest.mark.parametrize("case", CASES)
    def test_it_is_its_loops(self, case):
        query, gallery = map(unit, CASES[case])
        found = self.rerank(query, gallery)
        expected = by_loops(self.method, query, gallery, **self.params)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("case", GIVEN)
    def test_it_is_its_loops_from_distances(self, case):
        if METHODS[self.method].from_distances is None:
            pytest.skip("computes with feature vectors")
        d_qg, d_gg, d_qq = GIVEN[case]
        given = {"d_qq": d_qq} if METHODS[self.method].transductive else {}
        found = rerank_distances(d_qg, d_gg, self.method, **given, **self.params)
        expected = oracles.FROM_DISTANCES[self.method](*GIVEN[case], **self.params)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)

    def test_parameters_at_their_limits(self):
        query, gallery = map(unit, points(10, 3, 5))
        for params in self.limits:
            found = sg.rerank(query, gallery, self.method, **params)
            expected = by_loops(self.method, query, gallery, **self.defaults | params)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    def test_parameters_out_of_range_are_refused(self):
        query, gallery = points(10, 3, 5)
        for params, parts in self.refused:
            with pytest.raises(ValueError) as error:
                sg.rerank(query, gallery, self.method, **params)
            assert all(part in str(error.value) for part in parts), str(error.value)

    @FEW
    @given(
        seed=st.integers(0, 10**6), num_queries=st.integers(1, 6), num_gallery=st.integers(6, 14)
    )
    def test_permuting_either_side_permutes_the_answer(self, seed, num_queries, num_gallery):
        query, gallery = points(seed, num_queries, num_gallery)
        rng = np.random.default_rng(seed)
        rows, columns = rng.permutation(num_queries), rng.permutation(num_gallery)
        np.testing.assert_allclose(
            self.rerank(query[rows], gallery[columns]),
            self.rerank(query, gallery)[rows][:, columns],
            rtol=1e-5, atol=1e-6,
        )  # fmt: skip

    def test_one_query_at_a_time_is_near_all_at_once_in_clusters_too(self):
        if METHODS[self.method].transductive:
            pytest.skip("other queries matter")
        query, gallery = clusters(11, 9, 20)
        alone = np.concatenate([self.rerank(row[None], gallery) for row in query])
        np.testing.assert_allclose(alone, self.rerank(query, gallery), rtol=1e-6, atol=1e-9)

    def test_small_blocks_give_the_same(self, monkeypatch):
        query, gallery = clusters(12, 9, 20)
        whole = self.rerank(query, gallery)
        monkeypatch.setattr("simgraph.distances.BLOCK_BYTES", 2000)
        np.testing.assert_allclose(self.rerank(query, gallery), whole, rtol=1e-6, atol=1e-9)

    def test_float32_is_near_float64(self):
        query, gallery = clusters(13, 8, 20)
        wide = self.rerank(query, gallery)
        narrow = self.rerank(query.astype("f4"), gallery.astype("f4"))
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, wide, atol=2e-3)

    def test_without_gradient(self):
        query, gallery = (torch.tensor(x, requires_grad=True) for x in points(14, 4, 9))
        assert not self.rerank(query, gallery).requires_grad
        if METHODS[self.method].from_distances is not None:
            d_qg, d_gg, d_qq = (torch.tensor(d, requires_grad=True) for d in GIVEN["ties"])
            found = rerank_distances(d_qg, d_gg, self.method, d_qq, **self.params)
            assert not found.requires_grad

    def test_autocast_changes_nothing(self):
        query, gallery = (torch.tensor(x, dtype=torch.float32) for x in clusters(15, 6, 15))
        plain = self.rerank(query, gallery)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(self.rerank(query, gallery), plain)

    def test_cosine_methods_need_unit_rows_and_others_do_not(self):
        if not self.cosine:
            query, gallery = points(17, 5, 9)
            found = self.rerank(query, gallery, normalize=False)
            expected = by_loops(self.method, query, gallery, **self.params)
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            return
        query, gallery = points(16, 4, 9)
        with pytest.raises(ValueError, match=r"query: expected rows of length 1.*normalize=True"):
            self.rerank(query, gallery, normalize=False)
        np.testing.assert_allclose(
            self.rerank(unit(query), unit(gallery), normalize=False),
            self.rerank(query, gallery),
            rtol=1e-6,
        )

    def test_defaults_are_the_published_ones_on_real_features(self, shared):
        real = real_features(shared)
        query, gallery = (real[name][::4].astype("f8") for name in ("query_feat", "gallery_feat"))
        params = {"n": 40} if self.method in ("lbr", "alpha_qe") else {}
        found = sg.rerank(query, gallery, self.method, **params)
        expected = by_loops(self.method, unit(query), unit(gallery), **self.defaults | params)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def real_features(shared):
    with np.load(shared / "features" / "mfeat_fou2kar_cca.npz") as file:
        return dict(file)


def assert_scores(shared, method, params, mean_ap, rank_1):
    """mAP and rank-1 in percent, as the method's own code gives them."""
    real = real_features(shared)
    d = sg.rerank(real["query_feat"], real["gallery_feat"], method, **params)
    found = sg.evaluate(d, real["query_pid"], real["gallery_pid"], protocol="plain")
    assert 100 * found.mAP == pytest.approx(mean_ap, abs=0.1)
    assert 100 * float(found.cmc[0]) == pytest.approx(rank_1, abs=0.1)
