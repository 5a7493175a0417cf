"""The evidence that k="auto" chooses by: gaps and agreement against a null gallery."""

import numpy as np
import torch

from simgraph.sim.auto import choose
from simgraph.sim.gap_statistics import (
    _agreement,
    _canonical,
    _log_gaps,
    _null_gallery,
    neighborhood_gaps,
)
from tests.oracles.auto import agreement, mean_log_gaps
from tests.sim.galleries import gallery_of


def test_log_gaps_by_hand():
    # 1·log(2/1), 2·log(4/2); and 1·log(1), 2·log(3/1): means of both rows.
    found = _log_gaps(torch.tensor([[1.0, 2.0, 4.0], [1.0, 1.0, 3.0]]))
    np.testing.assert_allclose(found, [np.log(2) / 2, np.log(2) + np.log(3)], rtol=1e-12)


def test_log_gaps_and_agreement_are_their_oracles():
    rng = np.random.default_rng(1)
    query, gallery = torch.tensor(rng.normal(size=(12, 5))), torch.tensor(rng.normal(size=(9, 5)))
    d_qg, d_gg = torch.cdist(query, gallery).numpy(), torch.cdist(gallery, gallery).numpy()
    found = _agreement(torch.tensor(d_qg), gallery, 4)
    np.testing.assert_allclose(found, agreement(d_qg, d_gg), rtol=1e-9)
    lists = np.sort(d_qg, axis=1)
    np.testing.assert_allclose(_log_gaps(torch.tensor(lists)), mean_log_gaps(lists), rtol=1e-9)


def test_a_null_gallery_has_the_gallerys_mean_and_covariance():
    rng = np.random.default_rng(0)
    gallery = torch.tensor(rng.normal(size=(800, 3)) * [3, 1, 0.1] + [5, 0, 0])
    drawn = _null_gallery(gallery, False, torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(drawn.mean(0), gallery.mean(0), atol=0.4)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(gallery.T), atol=0.8)
    unit = _null_gallery(gallery, True, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(unit.norm(dim=1), 1, rtol=1e-12)


def test_a_normal_cloud_is_chance():
    rng = np.random.default_rng(0)
    query, gallery = (torch.tensor(rng.normal(size=(n, 8))) for n in (300, 400))
    found = neighborhood_gaps(query, gallery, normalize=False)
    assert np.abs(found.gallery[:20]).max() < 0.35
    assert np.abs(found.agreement[:3]).max() < 0.15


def test_order_of_rows_calls_and_caller_have_no_effect():
    query, gallery, *_ = gallery_of(4, 30)
    state = torch.get_rng_state()
    found = neighborhood_gaps(torch.tensor(query), torch.tensor(gallery), True)
    rng = np.random.default_rng(3)
    other = neighborhood_gaps(
        torch.tensor(query[rng.permutation(len(query))]),
        torch.tensor(gallery[rng.permutation(len(gallery))]),
        True,
    )
    for name in ("query", "gallery", "agreement"):
        np.testing.assert_array_equal(getattr(found, name), getattr(other, name))
    assert torch.equal(torch.get_rng_state(), state)
    assert choose(query, gallery) == choose(torch.tensor(query), torch.tensor(gallery))


def test_canonical_order_is_of_the_rows_values():
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0], [1.0, 2.0]])
    assert _canonical(x).tolist() == [[1.0, 2.0], [1.0, 3.0], [2.0, 1.0]]


def test_one_image_over_and_over_is_no_evidence():
    query = torch.tensor(np.random.default_rng(0).normal(size=(20, 8)))
    assert neighborhood_gaps(query, torch.ones(30, 8, dtype=torch.float64), True) is None
