"""Changed test sets: what is kept, what is not, and by which seed."""

import numpy as np
import pytest
import torch

from simgraph.studies import perturbations


def ids(features):
    return features.gallery_pids.tolist()


@pytest.mark.parametrize("most", [1, 3, 5, 9])
def test_images_per_identity(features, most):
    got = perturbations.images_per_identity(features, most, [0, 1])
    counts = np.unique(ids(got), return_counts=True)[1]
    assert counts.tolist() == [min(most, 5)] * 6
    assert torch.equal(got.query, features.query)
    less = perturbations.images_per_identity(features, most - 1, [0, 1]) if most > 1 else got
    rows = {tuple(row) for row in got.gallery.tolist()}
    assert {tuple(row) for row in less.gallery.tolist()} <= rows
    if most >= 5:
        assert torch.equal(got.gallery, features.gallery)


def test_distractors_come_in_and_queries_stay(features):
    none, some, all_ = (
        perturbations.with_distractors(features, share, [0]) for share in (0.0, 1 / 3, 1.0)
    )
    assert [len(set(ids(f))) for f in (none, some, all_)] == [3, 4, 6]
    assert set(ids(none)) < set(ids(some)) < set(ids(all_))
    for f in (none, some, all_):
        assert set(f.query_pids.tolist()) == set(ids(none))
        assert torch.equal(f.query, none.query)
    assert torch.equal(all_.gallery, features.gallery)


def test_noise_has_the_length_asked_for(features):
    same, noisy = (perturbations.with_noise(features, length, [0]) for length in (0.0, 0.5))
    assert torch.equal(same.gallery, features.gallery)
    lengths = (noisy.gallery - features.gallery).norm(dim=1) / features.gallery.norm(dim=1)
    assert lengths.square().mean().sqrt() == pytest.approx(0.5, rel=0.1)
    assert torch.equal(noisy.query, features.query)


def test_some_queries(features):
    few, more = (perturbations.some_queries(features, n, [0]) for n in (4, 9))
    assert (len(few.query), len(more.query)) == (4, 9)
    assert torch.equal(few.query, more.query[:4]) and len(more.query.unique(dim=0)) == 9
    assert {tuple(q) for q in more.query.tolist()} <= {tuple(q) for q in features.query.tolist()}
    assert torch.equal(few.gallery, features.gallery)


@pytest.mark.parametrize(
    "change",
    [
        lambda f, seed: perturbations.images_per_identity(f, 2, seed),
        lambda f, seed: perturbations.with_distractors(f, 0.5, seed),
        lambda f, seed: perturbations.with_noise(f, 0.5, seed),
        lambda f, seed: perturbations.some_queries(f, 9, seed),
    ],
)
def test_the_seed_decides(features, change):
    one, again, other = (change(features, seed) for seed in ([0, 1], [0, 1], [0, 2]))
    assert torch.equal(one.gallery, again.gallery) and torch.equal(one.query, again.query)
    assert not (torch.equal(one.gallery, other.gallery) and torch.equal(one.query, other.query))
