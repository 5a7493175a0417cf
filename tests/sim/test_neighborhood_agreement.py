"""The evidence that k="auto" chooses by: agreement of neighborhoods against a null gallery."""

import numpy as np
import pytest
import torch

from simgraph.sim.auto import choose
from simgraph.sim.neighborhood_agreement import (
    MAX_ROWS,
    SIZES,
    _canonical,
    _contrast,
    _null_gallery,
    _overlaps,
    _shared,
    neighborhood_agreement,
)
from tests.oracles.auto import contrast, overlap_across, overlap_within
from tests.sim.galleries import gallery_of


def everyone(x):
    return torch.arange(len(x))


def features(num_queries, num_gallery, dim=5, seed=1):
    rng = np.random.default_rng(seed)
    return (torch.tensor(rng.normal(size=(n, dim))) for n in (num_queries, num_gallery))


def test_shared_entries_by_hand():
    # Of {0, 1} and {1, 2} one of two is shared; of {0, 1, 2} and {1, 2, 0} all three.
    a, b = torch.tensor([[0, 1, 2]]), torch.tensor([[1, 2, 0]])
    assert [_shared(a, b, k) for k in (0, 1, 2)] == [0, 0.5, 1]


def test_contrast_by_hand():
    # Squared distances of the one query: 1, 9, 25, of mean 35/3 and variance 1184/9 · 3/4 …
    squared = np.array([1, 9, 25])
    found = _contrast(torch.zeros(1, 1), torch.tensor([[1.0], [3.0], [5.0]]))
    assert found.mean == pytest.approx((squared.mean() - 1) / squared.std(), rel=1e-6)
    assert found.error == 0


@pytest.mark.parametrize("repeats", [1, 3])
def test_overlaps_and_contrast_are_their_oracles(repeats):
    query, gallery = features(12, 13)
    gallery = gallery.repeat(repeats, 1)
    d_qg, d_gg = torch.cdist(query, gallery).numpy(), torch.cdist(gallery, gallery).numpy()
    d_gg[d_gg < 1e-6] = 0
    sizes = [k for k in SIZES if k < len(gallery) - 1]
    across, within = _overlaps(query, gallery, everyone(gallery), sizes)
    if repeats == 1:
        np.testing.assert_allclose(across, [overlap_across(d_qg, d_gg, k) for k in sizes])
    np.testing.assert_allclose(within, [overlap_within(d_gg, k) for k in sizes])
    for x, rows, own in ((query, d_qg, None), (gallery, d_gg, everyone(gallery))):
        found = _contrast(x, gallery, own)
        np.testing.assert_allclose(
            (found.mean, found.error), contrast(rows, own is not None), rtol=1e-9
        )


def test_agreement_is_corrected_for_the_null_galleries():
    query, gallery = features(40, 60)
    found = neighborhood_agreement(query, gallery, False)
    query, gallery, every = _canonical(query), _canonical(gallery), everyone(gallery)
    generator, sizes = torch.Generator().manual_seed(0), list(found.sizes)
    draws = [
        _overlaps(query, _null_gallery(gallery, False, generator), every, sizes) for _ in range(20)
    ]
    chance, plain = np.mean(draws, axis=0), _overlaps(query, gallery, every, sizes)
    expected = (plain - chance) / (1 - chance)
    np.testing.assert_allclose((found.query, found.gallery), expected, rtol=1e-12)


def test_clear_identities_agree_fully_at_their_own_size():
    query, gallery, *_ = gallery_of(5, 40, noise=0.1, gap=0.1)
    found = neighborhood_agreement(*map(torch.tensor, (query, gallery)), True)
    at = list(found.sizes).index(4)
    assert found.gallery[at] == pytest.approx(1)
    assert found.query[at] == pytest.approx(1)
    assert found.gallery.argmax() == found.query.argmax() == at


def test_a_null_gallery_has_the_gallerys_mean_and_covariance():
    rng = np.random.default_rng(0)
    gallery = torch.tensor(rng.normal(size=(800, 3)) * [3, 1, 0.1] + [5, 0, 0])
    drawn = _null_gallery(gallery, False, torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(drawn.mean(0), gallery.mean(0), atol=0.4)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(gallery.T), atol=0.8)
    unit = _null_gallery(gallery, True, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(unit.norm(dim=1), 1, rtol=1e-12)


def test_a_normal_cloud_is_chance():
    query, gallery = features(300, 400, dim=8, seed=0)
    found = neighborhood_agreement(query, gallery, normalize=False)
    assert np.abs(found.gallery).max() < 0.15
    assert np.abs(found.query).max() < 0.1


def test_large_sets_are_compared_in_part_with_nearly_the_same_result():
    query, gallery, *_ = gallery_of(6, 240, per=5)
    assert min(len(query), len(gallery)) >= MAX_ROWS
    found = neighborhood_agreement(*map(torch.tensor, (query, gallery)), True)
    every = _overlaps(*map(torch.tensor, (query, gallery)), everyone(gallery), list(found.sizes))
    assert found.sizes[found.gallery.argmax()] == found.sizes[every[1].argmax()] == 5


def test_order_of_rows_calls_and_caller_have_no_effect():
    query, gallery, *_ = gallery_of(4, 30)
    state = torch.get_rng_state()
    found = neighborhood_agreement(torch.tensor(query), torch.tensor(gallery), True)
    rng = np.random.default_rng(3)
    other = neighborhood_agreement(
        torch.tensor(query[rng.permutation(len(query))]),
        torch.tensor(gallery[rng.permutation(len(gallery))]),
        True,
    )
    for name in ("sizes", "query", "gallery"):
        np.testing.assert_array_equal(getattr(found, name), getattr(other, name))
    assert found.gallery_contrast == other.gallery_contrast
    assert found.query_contrast == other.query_contrast
    assert torch.equal(torch.get_rng_state(), state)
    assert choose(query, gallery) == choose(torch.tensor(query), torch.tensor(gallery))


def test_canonical_order_is_of_the_rows_values():
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0], [1.0, 2.0]])
    assert _canonical(x).tolist() == [[1.0, 2.0], [1.0, 3.0], [2.0, 1.0]]


def test_one_image_over_and_over_is_no_evidence():
    query = torch.tensor(np.random.default_rng(0).normal(size=(20, 8)))
    assert neighborhood_agreement(query, torch.ones(30, 8, dtype=torch.float64), True) is None
